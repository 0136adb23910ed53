import array
import math
import random
import wave
from pathlib import Path

import pytest

from bench.generate import QUESTION_VI, camera, microphone, speech
from bench.timecode import TimeCode, read
from bench.tones import BEEP_MS, PITCHES_HZ, beeps, pitch_at, pitch_of_source

RATE = 16_000


def noisy(seconds: float, starts: dict[float, int]) -> list[float]:
    chance = random.Random(7)
    out = [chance.uniform(-0.05, 0.05) for _ in range(int(seconds * RATE))]
    for start, pitch in starts.items():
        for n in range(RATE * BEEP_MS // 1000):
            out[int(start * RATE) + n] += 0.5 * math.sin(2 * math.pi * pitch * n / RATE)
    return out


def test_each_beep_is_found_where_it_begins() -> None:
    starts = {0.503: 3100, 1.25: 3500, 2.0: 4300}
    found = beeps(noisy(3, starts), RATE)
    assert [pitch for _, pitch in found] == [3100, 3500, 4300]
    for (at, _), start in zip(found, starts, strict=True):
        assert at == pytest.approx(start, abs=0.012)


def test_noise_and_a_strange_pitch_are_no_beeps() -> None:
    assert beeps(noisy(1, {0.3: 1000}), RATE) == []


def test_neighbouring_beeps_of_the_lecturer_differ() -> None:
    assert [pitch_at(at, 2000) for at in range(0, 10_000, 2000)] == [*PITCHES_HZ, PITCHES_HZ[0]]


def test_vietnamese_speech_alone_holds_no_beep() -> None:
    voice = [s / 32768 for s in speech(QUESTION_VI)[::3]]
    assert len(voice) > 5 * RATE
    assert sum(s * s for s in voice) / len(voice) > 1e-3
    assert beeps(voice, RATE) == []


def test_a_microphone_file_speaks_and_beeps_each_second(tmp_path: Path) -> None:
    microphone(tmp_path / "2.wav", 2, QUESTION_VI, seconds=4)
    with wave.open(str(tmp_path / "2.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (48_000, 1, 4 * 48_000)
        samples = array.array("h", file.readframes(file.getnframes()))
    found = beeps([s / 32768 for s in samples[::3]], RATE, [pitch_of_source(2)])
    assert [round(at) for at, _ in found] == [0, 1, 2, 3]


def test_a_camera_file_counts_the_time(tmp_path: Path) -> None:
    camera(tmp_path / "5.y4m", 5, seconds=1)
    head, *pictures = (tmp_path / "5.y4m").read_bytes().split(b"FRAME\n")
    assert head.startswith(b"YUV4MPEG2 W320 H180 F10:1")
    assert len(pictures) == 10
    assert read(pictures[3], 320, 320, 180) == TimeCode(5, 300, 0)
