"""Makes the files that stand in for a camera and a microphone.

`python -m bench.generate DIR --source 3` writes DIR/3.y4m, a moving picture with the time code of
`bench/timecode.py` (milliseconds from the file's start), and DIR/3.wav, Vietnamese speech with a
beep of the source's own pitch each second. Chromium plays both in a loop in place of real devices.
"""

import argparse
import array
import io
import math
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path

import av
from av.audio.resampler import AudioResampler

from bench.timecode import BEEP_EVERY_MS, ROW_HEIGHT, ROWS, TimeCode, draw
from bench.tones import BEEP_MS, pitch_of_source

WIDTH, HEIGHT, FPS = 320, 180, 10
SECONDS = 12
RATE = 48_000
SPEECH = 0.35  # of full scale
BEEP = 0.5
BEEP_EACH_S = 1.0
WALLS = ((118, 132), (134, 124), (124, 122), (130, 134), (122, 136), (136, 128))  # Cb, Cr
SHIRTS = ((60, 150, 118), (205, 128, 128), (85, 116, 116), (70, 136, 140), (190, 140, 118))  # Y, Cb, Cr
SKIN, HAIR, DESK = (168, 112, 150), (38, 128, 128), (78, 108, 146)

LECTURE_VI = (
    "Kính chào các đồng chí. Hôm nay chúng ta học chuyên đề xây dựng Đảng ở cơ sở. "
    "Trước hết, xin mời các điểm cầu Quảng Trị, Thái Bình và Lai Châu kiểm tra âm thanh và hình ảnh. "
    "Nội dung thứ nhất là công tác chi bộ trong tình hình mới."
)
QUESTION_VI = (
    "Thưa thầy, điểm cầu chúng tôi xin có ý kiến. Ở cơ sở, việc sinh hoạt chi bộ còn gặp nhiều khó khăn "
    "do địa bàn rộng, đường sá xa xôi. Xin thầy cho biết kinh nghiệm của các địa phương khác."
)


def camera(path: Path, source: int, seconds: int = SECONDS) -> None:
    """Write a .y4m of 320x180 at 10 pictures a second; people sway, the code counts from 0 ms."""
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n" % (WIDTH, HEIGHT, FPS))
        for number in range(seconds * FPS):
            picture = Picture(WALLS[source % len(WALLS)])
            people = 1 if source == 0 else 3
            for person in range(people):
                _person(picture, number / FPS, person, people, source)
            picture.fill(HEIGHT - 22, HEIGHT, lambda y: (0, WIDTH), DESK)
            ms = number * 1000 // FPS
            picture.stamp(TimeCode(source, ms, ms // BEEP_EVERY_MS % 2))
            file.write(b"FRAME\n" + picture.luma + picture.blue + picture.red)


class Picture:
    """A picture in the three planes that video is coded in, chroma at half the size."""

    def __init__(self, wall: tuple[int, int]) -> None:
        """Begin with a lit wall of this colour (Cb, Cr)."""
        self.luma = bytearray(b"".join(bytes([222 - y // 3]) * WIDTH for y in range(HEIGHT)))
        self.blue = bytearray(bytes([wall[0]]) * (WIDTH * HEIGHT // 4))
        self.red = bytearray(bytes([wall[1]]) * (WIDTH * HEIGHT // 4))

    def fill(self, top: int, bottom: int, span: Callable[[int], tuple[int, int]], colour: tuple[int, int, int]) -> None:
        """Fill the lines from `top` to `bottom`, each over the span (left, right) given for its y."""
        light, blue, red = colour
        half = WIDTH // 2
        for y in range(max(0, top), min(HEIGHT, bottom)):
            left, right = span(y)
            left, right = max(0, left), min(WIDTH, right)
            if right <= left:
                continue
            self.luma[y * WIDTH + left : y * WIDTH + right] = bytes([light]) * (right - left)
            if y % 2 == 0:
                wide = right // 2 - left // 2
                place = y // 2 * half + left // 2
                self.blue[place : place + wide] = bytes([blue]) * wide
                self.red[place : place + wide] = bytes([red]) * wide

    def stamp(self, code: TimeCode) -> None:
        """Put the time code on top, without colour."""
        draw(self.luma, WIDTH, HEIGHT, code)
        grey = bytes([128]) * (WIDTH // 2 * math.ceil(HEIGHT * ROW_HEIGHT * ROWS / 2))
        self.blue[: len(grey)] = grey
        self.red[: len(grey)] = grey


def _person(picture: Picture, second: float, person: int, people: int, source: int) -> None:
    """Draw head and shoulders, swaying."""
    size = 1.0 if people == 1 else 0.66
    middle = WIDTH * (person + 0.5) / people + 8 * math.sin(second * (1.1 + 0.3 * person) + person)
    head_y, head = HEIGHT - 22 - 74 * size, 22 * size
    neck = head_y + head * 1.05

    def round_at(y: int, center: float, radius: float) -> tuple[int, int]:
        half = math.sqrt(max(0.0, radius * radius - (y - center) ** 2))
        return round(middle - half), round(middle + half)

    def shoulders(y: int) -> tuple[int, int]:
        half = 50 * size * math.sqrt(min(1.0, max(0.0, y - neck) / (30 * size)))
        return round(middle - half), round(middle + half)

    picture.fill(round(neck), HEIGHT, shoulders, SHIRTS[(source + 2 * person) % len(SHIRTS)])
    picture.fill(round(head_y - head), round(head_y + head), lambda y: round_at(y, head_y, head), SKIN)
    brow = round(head_y - head * 0.35)
    picture.fill(round(head_y - head * 1.1), brow, lambda y: round_at(y, head_y, head * 1.1), HAIR)


def speech(text: str) -> "array.array[int]":
    """Return Vietnamese speech by espeak-ng: 48 kHz mono, 16 bit.

    Raises FileNotFoundError when espeak-ng is not installed, CalledProcessError when it fails.
    """
    spoken = subprocess.run(
        ["espeak-ng", "-v", "vi", "-s", "150", "--stdout", text], check=True, capture_output=True
    ).stdout
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
    samples = array.array("h")
    with av.open(io.BytesIO(spoken)) as container:
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                samples.frombytes(bytes(piece.planes[0])[: piece.samples * 2])
    return samples


def microphone(path: Path, source: int, text: str, seconds: int = SECONDS) -> None:
    """Write a .wav of speech with beeps of the source's pitch; for source 0 there are no beeps.

    The lecturer's beeps are added by the page, in step with the picture (`bench/js/source.js`).
    """
    voice = speech(text)
    peak = max(*(abs(s) for s in voice), 1)
    out = array.array("h", bytes(2 * seconds * RATE))
    pitch = 2 * math.pi * pitch_of_source(source) / RATE
    for place in range(len(out)):
        value = SPEECH * 32767 * voice[place % len(voice)] / peak
        within = place % int(RATE * BEEP_EACH_S)
        if source and within < RATE * BEEP_MS // 1000:
            value = 0.1 * value + BEEP * 32767 * math.sin(pitch * within)
        out[place] = int(value)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(out.tobytes())


def devices(folder: Path, source: int) -> tuple[Path, Path]:
    """Write both files of a source into a folder; returns the paths of picture and sound."""
    folder.mkdir(parents=True, exist_ok=True)
    picture, sound = folder / f"{source}.y4m", folder / f"{source}.wav"
    camera(picture, source)
    microphone(sound, source, LECTURE_VI if source == 0 else QUESTION_VI)
    return picture, sound


def main() -> None:
    """Write the files of one source."""
    parser = argparse.ArgumentParser(description="Make the fake camera and microphone of one source.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=int, default=0, help="0: the lecturer; 1..31: a point")
    given = parser.parse_args()
    print(*devices(given.folder, given.source))


if __name__ == "__main__":
    main()
