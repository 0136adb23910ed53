"""Bad lines, without chance and without waiting: what is lost on either side is got back, and nothing breaks."""

import asyncio
import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from aiortc.codecs.h264 import h264_depayload
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

from media import avc, rtcp
from media.depacketise import Depacketiser
from media.rtp import HEADER, Incoming, starts_key_frame
from tests.media.lossy import CAMERA, H264_PT, Class, Clock, Pattern, Publisher, Viewer
from tests.media.synthetic import FPS, START_S, Camera
from tests.unit.media.test_against_aiortc import packets

A, V, W = "usr_a", "bp_v", "bp_w"
SLOTS = {"stage": f"{A}/camera"}


class Noise(Camera):
    """Pictures that need several packets each: a square of noise that is new in every frame."""

    def _picture(self, luma: int) -> Any:
        picture = super()._picture(luma)
        dice = random.Random(self._n)
        plane = picture.planes[0]
        rows = bytearray(plane)
        for y in range(64):
            rows[y * plane.line_size : y * plane.line_size + 64] = dice.randbytes(64)
        plane.update(bytes(rows))
        return picture


@pytest.fixture
def klass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    clock = Clock()
    clock.install(monkeypatch)
    random.seed(9)  # first numbers of the slots

    def play(story: Any) -> Any:
        async def whole() -> Any:
            room = Class(clock, tmp_path)
            try:
                await room.plan(1, SLOTS, [A])
                return story(room)
            finally:
                room.close()

        return asyncio.run(whole())

    yield play


def film(where: Class, publisher: Publisher, seconds: float, camera: Camera | None = None) -> int:
    """Send that much video, a key frame whenever one was asked for; returns the number of frames."""
    camera = camera or Noise("stage", 320, 240, ssrc=CAMERA)
    asked, frames = len(publisher.key_requests), round(seconds * FPS)
    for n in range(frames):
        sent = camera.packets(START_S, 100, key=len(publisher.key_requests) > asked or n == 0)
        asked = len(publisher.key_requests)
        for one in sent:
            publisher.send_rtp(one.data)
            where.run(0.001)
        where.run(max(0.0, 1 / FPS - 0.001 * len(sent)))
    return frames


def recorded(where: Class, publisher: Publisher, times: int) -> int:
    """Send the video of the Chromium recording, over and over on one line; returns the number of packets."""
    heard = [p for p in map(Incoming, packets(control=False)) if p.payload_type == 102]
    for turn in range(times):
        for i, p in enumerate(heard):
            seq = (p.seq + turn * len(heard)) & 0xFFFF
            timestamp = (p.timestamp + turn * 4 * 90_000) & 0xFFFFFFFF
            publisher.send_rtp(HEADER.pack(0x80, p.marker | H264_PT, seq, timestamp, CAMERA) + p.payload)
            where.run(0.04)
            assert i < len(heard)
    return times * len(heard)


def whole_line(viewer: Viewer) -> list[bytes]:
    """The viewer's stream in order; a sequence number that never came fails the test."""
    numbers = sorted(viewer.stream)
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "a hole in the sequence line"
    return [viewer.stream[n] for n in numbers]


def payloads(packets: list[bytes]) -> list[bytes]:
    return [Incoming(p).payload for p in packets]


def decoded(stream: list[bytes]) -> int:
    """How many pictures aiortc's jitter buffer and libavcodec make of a stream."""
    buffer, codec, count = JitterBuffer(capacity=1024, is_video=True), av.CodecContext.create("h264", "r"), 0
    last = Incoming(stream[-1])
    end = HEADER.pack(0x80, H264_PT, (last.seq + 1) & 0xFFFF, (last.timestamp + 9) & 0xFFFFFFFF, last.ssrc) + b"\x61\0"
    for data in [*stream, end]:  # the buffer gives a frame out when the next begins
        packet = RtpPacket.parse(data)
        packet._data = h264_depayload(packet.payload)
        _, frame = buffer.add(packet)
        if frame is not None:
            count += len(codec.decode(av.Packet(frame.data)))
    return count + len(codec.decode(None))


def frames_of(stream: list[bytes]) -> int:
    """How many whole frames our own depacketiser makes of a stream."""
    parts = Depacketiser()
    for data in stream:
        parts.push(Incoming(data), START_S, START_S)
    return len(parts.frames(START_S))


def test_a_perfect_line_carries_every_packet_once_and_asks_for_nothing(klass: Any) -> None:
    def story(where: Class) -> None:
        publisher, viewer = where.publisher(A), where.viewer(V, ["stage"])
        frames = film(where, publisher, 2.0)
        where.run(0.2)
        stream = whole_line(viewer)
        assert payloads(stream) == payloads(publisher.sent) and len(stream) > 3 * frames
        assert decoded(stream) == frames_of(stream) == frames
        assert not publisher.asked and viewer.copies == 0 and viewer.nacks == 0

    klass(story)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_five_percent_lost_on_the_way_up_is_got_back_from_the_publisher(klass: Any, seed: int) -> None:
    def story(where: Class) -> None:
        publisher, viewer = where.publisher(A), where.viewer(V, ["stage"])
        publisher.up.shape(Pattern(loss=0.05, seed=seed))
        publisher.down.shape(Pattern(loss=0.05, seed=seed + 100))
        frames = film(where, publisher, 8.0)
        where.run(1.0)
        assert publisher.up.lost > 20
        stream = whole_line(viewer)
        first = payloads(publisher.sent).index(Incoming(stream[0]).payload)
        assert payloads(stream) == payloads(publisher.sent)[first:], "every packet came, and in its place"
        assert frames_of(stream) == decoded(stream) == frames
        assert len(publisher.asked) <= 3 * publisher.up.lost, "about one request for each loss, not a storm"

    klass(story)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_five_percent_lost_on_the_way_down_is_got_back_from_the_ring(klass: Any, seed: int) -> None:
    def story(where: Class) -> None:
        publisher, viewer, other = where.publisher(A), where.viewer(V, ["stage"]), where.viewer(W, ["stage"])
        viewer.down.shape(Pattern(loss=0.05, seed=seed))
        viewer.up.shape(Pattern(loss=0.05, seed=seed + 100))
        film(where, publisher, 8.0)
        where.run(1.0)
        assert viewer.down.lost > 20 and viewer.nacks
        assert payloads(whole_line(viewer)) == payloads(publisher.sent)
        assert payloads(whole_line(other)) == payloads(publisher.sent)
        assert not publisher.asked, "one viewer's bad line is no business of the publisher's"
        assert other.down.sent < viewer.down.sent, "and no repair of one viewer goes to another"

    klass(story)


def test_a_real_chromium_stream_survives_loss_reordering_and_copies_on_both_sides(klass: Any) -> None:
    def story(where: Class) -> None:
        publisher, viewer = where.publisher(A), where.viewer(V, ["stage"])
        bad = {"loss": 0.05, "late": 0.05, "duplicate": 0.02, "jitter_s": 0.02, "late_s": 0.05}
        for i, line in enumerate((publisher.up, publisher.down, viewer.up, viewer.down)):
            line.shape(Pattern(**bad, seed=10 + i))
        count = recorded(where, publisher, 10)
        where.run(2.0)
        assert publisher.up.lost > 20 and viewer.down.lost > 20
        stream = whole_line(viewer)
        assert len(stream) == count and payloads(stream) == payloads(publisher.sent)

    klass(story)


def test_packets_that_overtake_each_other_by_a_few_milliseconds_raise_no_storm(klass: Any) -> None:
    def story(where: Class) -> None:
        publisher, viewer = where.publisher(A), where.viewer(V, ["stage"])
        publisher.up.shape(Pattern(late=0.3, late_s=0.004))
        film(where, publisher, 4.0)
        where.run(0.2)
        assert payloads(whole_line(viewer)) == payloads(publisher.sent)
        assert viewer.first_copy != sorted(viewer.first_copy), "the line really reorders"
        wanted = sum(len(missing) for _, missing in publisher.asked)
        assert wanted <= len(publisher.sent) * 0.01, f"{wanted} asked for of {len(publisher.sent)}"

    klass(story)


def test_copies_made_by_the_network_are_forwarded_once(klass: Any) -> None:
    def story(where: Class) -> None:
        publisher, viewer = where.publisher(A), where.viewer(V, ["stage"])
        publisher.up.shape(Pattern(duplicate=0.5))
        film(where, publisher, 2.0)
        where.run(0.2)
        assert publisher.up.doubled > 50
        assert viewer.copies == 0 and payloads(whole_line(viewer)) == payloads(publisher.sent)

    klass(story)


def test_a_key_frame_lost_for_good_is_asked_for_again_and_the_picture_comes(klass: Any) -> None:
    def story(where: Class) -> None:
        publisher, viewer = where.publisher(A), where.viewer(V, ["stage"])
        dead_until = where.clock.now + 1.0
        publisher.up.drop = lambda data: 128 <= data[0] <= 191 and where.clock.now < dead_until
        camera = Noise("stage", 320, 240, ssrc=CAMERA)
        camera._seq = 100  # as browsers do: a first packet lost just before the wrap could never be decrypted
        film(where, publisher, 3.0, camera)
        assert publisher.key_requests, "a stream that does not begin with a key frame is asked for one"
        stream = whole_line(viewer)
        assert starts_key_frame("H264", Incoming(stream[0]).payload)
        assert decoded(stream) >= 1.5 * FPS

    klass(story)


def test_a_hole_that_cannot_be_filled_ends_in_one_key_frame_and_a_picture(klass: Any) -> None:
    """One packet that no try brings back: the viewer asks for a key frame, and can go on from there."""

    def story(where: Class) -> None:
        publisher, viewer = where.publisher(A), where.viewer(V, ["stage"])
        camera = Noise("stage", 320, 240, ssrc=CAMERA)
        film(where, publisher, 1.0, camera)
        publisher.up.drop = lambda data: 128 <= data[0] <= 191
        film(where, publisher, 0.08, camera)
        publisher.history.clear()
        publisher.up.drop = lambda data: False
        film(where, publisher, 1.0, camera)
        before = len(publisher.key_requests)
        tries = sum(len(missing) for _, missing in publisher.asked)
        assert 0 < tries <= 10 * 30, "the node gives up in the end"
        viewer.ask_key_frame()
        film(where, publisher, 1.0, camera)
        assert len(publisher.key_requests) == before + 1
        numbers = sorted(viewer.stream)
        hole = max(n for n in range(numbers[0], numbers[-1]) if n not in viewer.stream)
        after = [viewer.stream[n] for n in numbers if n > hole]
        assert decoded(after) >= 0.9 * FPS

    klass(story)


def test_sender_reports_rise_steadily_whatever_the_line_does_to_the_publishers(klass: Any) -> None:
    def story(where: Class) -> None:
        publisher, viewer = where.publisher(A), where.viewer(V, ["stage"])
        publisher.up.shape(Pattern(delay_s=0.05, jitter_s=0.08, loss=0.05))
        camera = Noise("stage", 320, 240, ssrc=CAMERA)
        for n in range(44):  # 22 s, and reports go out every two
            ticks = Incoming(publisher.sent[-1]).timestamp if publisher.sent else 0
            theirs = rtcp.SenderReport(CAMERA, where.clock.now - 7_000, ticks)  # a clock of its own
            publisher.send_rtcp(rtcp.sender_report(CAMERA, theirs, n, n))
            film(where, publisher, 0.5, camera)
        told = [r for _, r in viewer.reports if isinstance(r, rtcp.SenderReport) and r.ssrc == viewer.ssrc]
        assert len(told) >= 10
        pairs = list(itertools.pairwise(told))
        assert all(a.ntp < b.ntp for a, b in pairs)
        steps = [(((b.rtp - a.rtp) & 0xFFFFFFFF) / 90_000, b.ntp - a.ntp) for a, b in pairs]
        assert all(abs(ticks - wall) < 0.1 for ticks, wall in steps), steps
        assert all(abs(at - r.ntp) < 1 for at, r in viewer.reports if r in told), "on the node's clock"

    klass(story)


def test_the_cameras_pictures_are_what_these_tests_need() -> None:
    camera = Noise("stage", 320, 240, ssrc=CAMERA)
    counts = [len(camera.packets(START_S, 100)) for _ in range(10)]
    assert min(counts) >= 3, counts
    nals = avc.nals_of_payloads([Incoming(s.data).payload for s in camera.packets(START_S, 100, key=True)])
    assert avc.is_key(nals)


def test_who_joins_just_after_a_key_frame_is_given_that_and_may_still_ask_for_another(klass: Any) -> None:
    """Requests come to the publisher at most each 0.3 s: one that came too soon is made later, not forgotten."""

    def story(where: Class) -> tuple[int, int, int, int]:
        publisher, camera = where.publisher(A), Noise("stage", 320, 240, ssrc=CAMERA)
        answered = -1

        def go_on(frames: int) -> int:
            nonlocal answered
            for _ in range(frames):
                asked = len(publisher.key_requests)
                for one in camera.packets(START_S, 100, key=asked > answered):
                    publisher.send_rtp(one.data)
                answered = asked
                where.run(1 / FPS)
            return len(publisher.key_requests)

        go_on(round(FPS))
        where.viewer(V, ["stage"])
        asked = go_on(3)
        late = where.viewer(W, ["stage"])
        joined = go_on(1)
        keys = sum(starts_key_frame("H264", Incoming(p).payload) for p in late.stream.values())
        late.ask_key_frame()
        in_the_end = go_on(round(2 * FPS))
        return asked, joined, in_the_end, keys

    asked, joined, in_the_end, keys = klass(story)
    assert keys == 1 and joined == asked, "the late one has a picture, and the publisher was not troubled"
    assert in_the_end == asked + 1, "asked for once more, and then no more"
