"""What a hostile publisher's pictures do to the recorder: nothing that lasts."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from media import avc, frames
from media.control import HALL_SLOTS
from media.depacketise import FRAME_PACKETS, Depacketiser
from media.recording import Recording
from media.rtp import HEADER, Incoming
from media.segment_store import SegmentStore
from media.takes import black_key_frame
from tests.fuzz.corpus import damaged, joined, split
from tests.media.synthetic import FPS, START_S, Camera, Microphone, Sent, in_time, payloads_of, pictures, sound

SPS, PPS, IDR = (next(nal for nal in black_key_frame().nals if nal[0] & 31 == kind) for kind in (7, 8, 5))


class Line:
    """RTP packets of one hostile source, numbered."""

    def __init__(self) -> None:
        self.seq = 0

    def frame(self, at: int, nals: list[bytes]) -> list[bytes]:
        out = []
        for payload in payloads_of(nals):
            self.seq += 1
            out.append(HEADER.pack(0x80, 96, self.seq & 0xFFFF, at * 3600, 21) + payload)
        last = bytearray(out[-1])
        last[1] |= 0x80
        return [*out[:-1], bytes(last)]


def play(folder: Path, packets: list[tuple[float, bytes]], slot: str = "stage") -> list[dict[str, object]]:
    """Record packets given with their times, and half a second more; returns what the recorder said."""
    said: list[dict[str, object]] = []
    recording, tick = Recording(SegmentStore(folder), said.append), START_S
    for at, data in packets:
        while tick < at:
            recording.advance(tick)
            tick += 0.05
        recording.packet(slot, at, data, at)
    end = max(tick, packets[-1][0] if packets else tick) + 0.5
    recording.advance(end)
    recording.finish(end, ended=True)
    return said


def good(start_s: float, seconds: float) -> list[tuple[float, bytes]]:
    camera = Camera("stage", 320, 240, ssrc=77)
    return [(s.media_s, s.data) for s in pictures(camera, start_s, seconds, lambda t: 90)]


def seconds_kept(said: list[dict[str, object]]) -> float:
    kept: list[Any] = [message["segment"] for message in said if "segment" in message]
    return sum(segment["duration_ms"] for segment in kept) / 1000


def golomb(number: int) -> str:
    """The bits of an unsigned Exp-Golomb number.  Source: ITU-T H.264 section 9.1."""
    bits = f"{number + 1:b}"
    return "0" * (len(bits) - 1) + bits


def set_of_size(blocks: int) -> bytes:
    """A baseline SPS for a square picture, its side in macroblocks."""
    bits = golomb(0) + golomb(0) + golomb(2) + golomb(1) + "0" + 2 * golomb(blocks - 1) + "1" + "1" + "0" + "0" + "1"
    return b"\x67\x42\xc0\x1e" + int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


HUGE = set_of_size(200_000_000)


@pytest.mark.parametrize(
    ("name", "nals"),
    [
        ("a key frame with a PPS alone", [PPS, IDR]),
        ("a PPS alone, then a key frame without any", [PPS]),
        ("no picture at all", [SPS, PPS]),
        ("a picture of three billion pixels a side", [HUGE, PPS, IDR]),
        ("forty parameter sets", [SPS[:-1] + bytes((i,)) for i in range(40)] + [PPS, IDR]),
        ("a slice of noise", [SPS, PPS, b"\x65" + bytes(range(256))]),
        ("a picture that is a start code", [SPS, PPS, b"\x65\0\0\1\0\0\1"]),
        ("an SPS that ends at once", [b"\x67\x42\xc0\x1e", PPS, IDR]),
    ],
)
def test_one_bad_frame_costs_no_more_than_itself(tmp_path: Path, name: str, nals: list[bytes]) -> None:
    line = Line()
    bad = [(START_S + i / FPS, data) for i in range(10) for data in line.frame(i, nals)]
    said = play(tmp_path, bad + good(START_S + 1.0, 4.0))
    assert seconds_kept(said) > 4.0, name


def test_a_picture_size_that_no_level_has_is_refused() -> None:
    assert avc.picture_of(set_of_size(1055)).width == avc.MAX_SIDE
    with pytest.raises(avc.BadStream, match="impossible size"):
        avc.picture_of(HUGE)


def test_a_picture_without_an_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    stream = Depacketiser()
    for seq in range(3 * FRAME_PACKETS):
        stream.push(Incoming(HEADER.pack(0x80, 96, seq, 5, 21) + b"\x67endless"), START_S, START_S)
        assert len(stream._parts) <= FRAME_PACKETS + 1
    stream.push(Incoming(HEADER.pack(0x80, 0xE0, 3 * FRAME_PACKETS, 5, 21) + b"\x65"), START_S, START_S)
    assert stream.frames(START_S) == [] and stream.needs_key
    line = Line()
    line.seq = 3 * FRAME_PACKETS
    for data in line.frame(9, [SPS, PPS, IDR]):
        stream.push(Incoming(data), START_S, START_S)
    assert len(stream.frames(START_S)) == 1, "and the next key frame is taken"


def test_parameters_that_change_with_every_frame_do_not_make_a_file_each(tmp_path: Path) -> None:
    cameras = [Camera("stage", 16 * (4 + i), 64) for i in range(5)]
    packets, seq = [], 0
    for i in range(4 * FPS):
        for sent in cameras[i % 5].packets(START_S + i / FPS, 90, key=True):
            numbered = bytearray(sent.data)
            numbered[2:4], numbered[4:8] = seq.to_bytes(2, "big"), (i * 3600).to_bytes(4, "big")
            packets.append((sent.media_s, bytes(numbered)))
            seq += 1
    said = play(tmp_path, packets)
    assert len(list(tmp_path.rglob("*.m4s"))) <= 10
    assert seconds_kept(said) > 3.5


def test_a_time_that_cannot_be_holds_up_neither_the_picture_nor_the_sound(tmp_path: Path) -> None:
    line, voice = Line(), Microphone("audio-0", ssrc=200)
    said: list[dict[str, object]] = []
    recording, tick = Recording(SegmentStore(tmp_path), said.append), START_S
    for wrong in (1e300, -1e300, float("inf"), float("nan"), START_S + 6 * 3600, 0.0):
        for data in line.frame(1, [SPS, PPS, IDR]):
            recording.packet("stage", wrong, data, START_S)
        recording.packet("audio-0", wrong, HEADER.pack(0x80, 111, 1, 1, 9) + b"\xf8\xff\xfe", START_S)
    honest = in_time(
        [Sent("stage", at, data) for at, data in good(START_S + 0.1, 4.0)], sound(voice, START_S, 4.0, lambda t: 8000)
    )
    for sent in honest:
        while tick < sent.media_s:
            recording.advance(tick)
            tick += 0.05
        recording.packet(sent.slot, sent.media_s, sent.data, sent.media_s)
    recording.advance(START_S + 4.5)
    recording.finish(START_S + 4.5, ended=True)
    assert 3.5 < seconds_kept(said) < 6


CAMERA, SMALL = Camera("stage", 320, 240), Camera("stage", 160, 128, ssrc=101)
FILM = [s.data for i in range(10) for s in CAMERA.packets(START_S, 40 + i, key=i % 3 == 0)]
SEEDS = [joined(FILM), joined([s.data for i in range(6) for s in SMALL.packets(START_S, 40 + i, key=i % 3 == 0)])]


@settings(
    max_examples=40,
    deadline=timedelta(seconds=5),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(damaged(SEEDS), min_size=1, max_size=3))
def test_no_film_stops_the_recorder(films: list[bytes]) -> None:
    packets = []
    for i, data in enumerate(part for film in films for part in split(film)):
        try:
            Incoming(data)
        except Invalid:
            continue
        packets.append((START_S + i / FPS, data))
    with tempfile.TemporaryDirectory() as folder:
        said = play(Path(folder), packets)
        assert all(set(message) & {"segment", "keyframe", "problem", "solved"} for message in said)


@given(st.binary(max_size=400), st.sampled_from(HALL_SLOTS), st.floats(allow_nan=True, allow_infinity=True))
@settings(max_examples=60, deadline=timedelta(seconds=5))
def test_no_packet_stops_the_recorder(data: bytes, slot: str, media_s: float) -> None:
    frame = next(frames.Splitter().feed(frames.pack(frames.RTP, HALL_SLOTS.index(slot), media_s, data)))
    with tempfile.TemporaryDirectory() as folder:
        recording = Recording(SegmentStore(Path(folder)), lambda message: None)
        recording.advance(START_S)
        recording.packet(slot, frame.media_s, frame.body, START_S + 0.01)
        recording.advance(START_S + 0.7)
        recording.finish(START_S + 0.8, ended=False)
