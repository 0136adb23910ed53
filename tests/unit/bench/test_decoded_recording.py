"""A recording made with a known fault: the instrument must find just that fault."""

import array
import io
import math
from fractions import Fraction

import av
import pytest

from bench.class_day.recorded import decode_take, out_of_step_ms
from bench.timecode import MS_MODULUS, TimeCode, draw
from bench.tones import BEEP_MS, pitch_at

NOON = 1_772_434_800_000
WIDTH, HEIGHT, FPS, RATE, SECONDS, EVERY = 320, 180, 15, 48_000, 9, 2000


def recording(late_ms: int) -> bytes:
    """An MP4 whose beeps sound `late_ms` after the picture's clock says they should."""
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4", options={"movflags": "frag_keyframe+empty_moov"}) as out:
        picture = out.add_stream("libx264", rate=FPS, options={"tune": "zerolatency"})
        picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = out.add_stream("aac", rate=RATE, layout="mono")
        for number in range(SECONDS * FPS):
            ms = NOON + number * 1000 // FPS
            plane = bytearray([90]) * (WIDTH * HEIGHT)
            draw(plane, WIDTH, HEIGHT, TimeCode(30, ms % MS_MODULUS, 0))
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            frame.planes[0].update(bytes(plane))
            for chroma in frame.planes[1:]:
                chroma.update(bytes([128]) * chroma.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(picture.encode(frame))
        out.mux(picture.encode(None))
        samples = beeping(late_ms)
        for start in range(0, len(samples), 1024):
            piece = av.AudioFrame(format="s16", layout="mono", samples=min(1024, len(samples) - start))
            piece.planes[0].update(samples[start : start + 1024].tobytes().ljust(piece.planes[0].buffer_size, b"\0"))
            piece.sample_rate, piece.pts, piece.time_base = RATE, start, Fraction(1, RATE)
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    return sink.getvalue()


def beeping(late_ms: int) -> "array.array[int]":
    samples = array.array("h", bytes(2 * SECONDS * RATE))
    for at in range(EVERY, (SECONDS - 1) * 1000, EVERY):
        pitch = pitch_at(NOON + at, EVERY)
        start = RATE * (at + late_ms) // 1000
        for n in range(RATE * BEEP_MS // 1000):
            samples[start + n] = int(15_000 * math.sin(2 * math.pi * pitch * n / RATE))
    return samples


@pytest.mark.parametrize("late_ms", [0, 150, -220])
def test_the_fault_put_in_is_the_fault_found(late_ms: int) -> None:
    contents = decode_take(recording(late_ms))
    assert len(contents.pictures) == SECONDS * FPS
    assert all(picture.code for picture in contents.pictures)
    assert contents.loudness > 1e-4
    found = out_of_step_ms(contents.pictures, contents.beeps, 30, NOON)
    assert len(found) == 3
    assert found == pytest.approx([late_ms] * 3, abs=30)
