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
from pathlib import Path

import av
from av.audio.resampler import AudioResampler

from bench.timecode import BEEP_EVERY_MS, TimeCode, draw
from bench.tones import BEEP_MS, pitch_of_source

WIDTH, HEIGHT, FPS = 320, 180, 15
SECONDS = 24
RATE = 48_000
SPEECH = 0.35  # of full scale
BEEP = 0.5
BEEP_EACH_S = 1.0
TINTS = ((112, 146), (150, 112), (110, 118), (142, 142), (120, 160), (160, 120), (104, 134), (134, 104))

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
    """Write a .y4m of 320x180 at 15 pictures a second; people sway, the code counts from 0 ms."""
    tint = TINTS[source % len(TINTS)]
    chroma = bytes([tint[0]]) * (WIDTH * HEIGHT // 4) + bytes([tint[1]]) * (WIDTH * HEIGHT // 4)
    wall = b"".join(bytes([170 - y // 3]) * WIDTH for y in range(HEIGHT))
    people = 1 if source == 0 else 3
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n" % (WIDTH, HEIGHT, FPS))
        for number in range(seconds * FPS):
            plane = bytearray(wall)
            for person in range(people):
                _person(plane, number / FPS, person, people)
            ms = number * 1000 // FPS
            draw(plane, WIDTH, HEIGHT, TimeCode(source, ms, ms // BEEP_EVERY_MS % 2))
            file.write(b"FRAME\n" + bytes(plane) + chroma)


def _person(plane: bytearray, second: float, person: int, people: int) -> None:
    """Head and shoulders, swaying: dark on the lighter wall."""
    size = 1.0 if people == 1 else 0.62
    sway = 10 * math.sin(second * (1.1 + 0.3 * person) + person)
    middle = WIDTH * (person + 0.5) / people + sway
    head_y, head = HEIGHT - 92 * size, 24 * size
    for y in range(40, HEIGHT):
        if abs(y - head_y) < head:
            half, shade = math.sqrt(head * head - (y - head_y) ** 2), 120
        elif y > head_y + head * 1.15:
            half, shade = 58 * size * min(1.0, math.sqrt((y - head_y - head * 1.15) / (36 * size))), 52 + 14 * person
        else:
            continue
        left, right = max(0, int(middle - half)), min(WIDTH, int(middle + half))
        if right > left:
            plane[y * WIDTH + left : y * WIDTH + right] = bytes([shade]) * (right - left)


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
