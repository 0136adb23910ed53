"""A participant who sends anything at all harms nobody else: whole rooms in memory, the others looked at afterwards."""

import asyncio
import itertools
import struct
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from media import rtcp
from media.ice import local_ufrag
from media.legs import MAX_SOURCES
from media.rtp import HEADER, Incoming
from media.sdp import read
from media.transport import PACKETS_AT_ONCE
from tests.fuzz.corpus import class_seeds, damaged, joined, rtcp_seeds, split
from tests.media.lossy import CAMERA, MIC, Class, Clock, Peer, Publisher, Viewer
from tests.unit.media.test_sdp import offer

BAD, GOOD, WATCHER, BAD_WATCHER = "usr_bad", "usr_good", "bp_watcher", "bp_bad"
SLOTS = {"stage": f"{BAD}/camera", "guest": f"{GOOD}/camera", "audio-0": f"{BAD}/mic"}
KEY = b"\x67sps"
ALERT = bytes.fromhex("15fefd000000000000000000020228")  # fatal handshake_failure, in the clear
HELLO = bytes.fromhex("16feff000000000000000000360100002a000000000000002afefd") + b"\x11" * 32
STRANGER = ("203.0.113.9", 9)


class Lecture:
    """A publisher and a viewer who behave, one of each who does not."""

    def __init__(self, where: Class) -> None:
        self.where = where
        self.bad: Publisher = where.publisher(BAD)
        self.good: Publisher = where.publisher(GOOD)
        self.watcher: Viewer = where.viewer(WATCHER, ["guest", "stage", "audio-0"])
        self.bad_watcher: Viewer = where.viewer(BAD_WATCHER, ["guest", "stage"])
        self.frames = 0
        self.goes_on()

    def encrypted(self, peer: Peer, packet: bytes) -> bytes:
        control = 192 <= packet[1] <= 223
        made: bytes = peer.dtls.outbound.protect_rtcp(packet) if control else peer.dtls.outbound.protect(packet)
        return made

    def goes_on(self, count: int = 5) -> None:
        """The behaving publisher's pictures reach the behaving viewer, whole and in order."""
        before = len(self.watcher.stream)
        for _ in range(count):
            self.frames += 1
            self.good.send_rtp(HEADER.pack(0x80, 0xE0, self.frames, self.frames * 3600, CAMERA) + KEY + bytes(20))
            self.where.run(0.04)
        got = [self.watcher.stream[n] for n in sorted(self.watcher.stream)]
        assert len(got) - before == count, f"{count - (len(got) - before)} of {count} pictures are missing"
        numbers = [Incoming(p).seq for p in got]
        assert all((b - a) & 0xFFFF == 1 for a, b in itertools.pairwise(numbers))


def hold(story: Callable[[Lecture], None]) -> None:
    """Play one story in a fresh room, with its own clock."""

    async def whole() -> None:
        with pytest.MonkeyPatch.context() as patch:
            clock = Clock()
            clock.install(patch)
            where = Class(clock, Path("/nonexistent"))
            try:
                await where.plan(1, SLOTS, [BAD, GOOD])
                story(Lecture(where))
            finally:
                where.close()

    asyncio.run(whole())


def send(lecture: Lecture, how: int, packet: bytes) -> None:
    """Let one hostile packet in: encrypted or not, from a participant's address or from a stranger's."""
    where, bad, watcher = lecture.where, lecture.bad, lecture.bad_watcher
    peer: Peer = watcher if how in (2, 5) else bad
    if how <= 3 and len(packet) >= 12:
        try:
            packet = lecture.encrypted(peer, packet)
        except (ValueError, TypeError):
            return
        except Exception:  # libsrtp refuses what is no RTP: sent as it is
            pass
    if how == 3:
        packet = packet[: len(packet) * 2 // 3]
    if how == 4:
        where.port.datagram(packet or b"\0", where.socket, STRANGER)
    elif packet:
        peer.send(packet)


SEEDS = [*class_seeds(), joined([ALERT, HELLO]), joined(rtcp_seeds())]


@settings(
    max_examples=100,
    deadline=timedelta(seconds=3),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(damaged(SEEDS), st.lists(st.integers(0, 6), min_size=1, max_size=8))
def test_whatever_one_participant_sends_the_class_goes_on(data: bytes, ways: list[int]) -> None:
    def story(lecture: Lecture) -> None:
        for i, packet in enumerate(split(data, 100)):
            send(lecture, ways[i % len(ways)], packet)
            lecture.where.run(0.003)
        lecture.where.run(0.6)  # every clockwork once
        lecture.goes_on()
        for leg in lecture.where.room.ups.values():
            assert len(leg.sources) <= MAX_SOURCES

    hold(story)


def test_a_publisher_with_holes_everywhere_does_not_stop_the_repair_of_others() -> None:
    """200 packets, each 128 after the last: one NACK for them all is larger than a packet may be."""

    def story(lecture: Lecture) -> None:
        bad, good, where = lecture.bad, lecture.good, lecture.where
        for i in range(200):
            bad.send(lecture.encrypted(bad, HEADER.pack(0x80, 0xE0, i * 128 & 0xFFFF, i * 3600, CAMERA) + KEY))
        where.run(0.1)
        lecture.goes_on()
        lecture.frames += 1
        good.history[lecture.frames] = HEADER.pack(0x80, 0xE0, lecture.frames, lecture.frames * 3600, CAMERA) + KEY
        lecture.frames += 1
        good.send_rtp(HEADER.pack(0x80, 0xE0, lecture.frames, lecture.frames * 3600, CAMERA) + KEY)
        where.run(0.5)
        assert [missing for _, missing in good.asked] == [(lecture.frames - 1,)], "the hole of the other is repaired"
        largest = max((len(missing) for _, missing in bad.asked), default=0)
        assert largest <= 1024, "what is asked for at once is bounded"

    hold(story)


def test_one_small_request_is_not_answered_with_thousands_of_packets() -> None:
    """A NACK of 1.2 kB may name one packet 4,930 times."""

    def story(lecture: Lecture) -> None:
        lecture.goes_on(40)
        watcher = lecture.bad_watcher
        newest = max(watcher.stream) & 0xFFFF
        request = struct.pack("!BBHLL", 0x81, 205, 292, 1, watcher.ssrc)
        request += struct.pack("!HH", (newest - 16) & 0xFFFF, 0xFFFF) * 290
        before = watcher.down.sent
        for _ in range(10):
            watcher.send_rtcp(request)
            lecture.where.run(0.001)
        assert watcher.down.sent - before <= 1000, "17 packets named: 17 answers, perhaps again after a round trip"
        lecture.goes_on()

    hold(story)


def test_a_request_for_what_is_gone_leaves_no_hole_in_the_repair_stream() -> None:
    def story(lecture: Lecture) -> None:
        seen: list[int] = []
        watcher, where = lecture.bad_watcher, lecture.where
        keep = watcher.got

        def got(packet: bytes) -> None:
            read = Incoming(packet)
            if read.ssrc == watcher.ssrc + 1:
                seen.append(read.seq)
            keep(packet)

        watcher.got = got  # type: ignore[method-assign]
        newest = max(watcher.stream) & 0xFFFF
        for wanted in (newest, (newest + 500) & 0xFFFF, (newest - 400) & 0xFFFF, newest - 1):
            watcher.send_rtcp(rtcp.nack(watcher.ssrc, [wanted]))
            where.run(0.2)
        assert len(seen) == 2 and (seen[1] - seen[0]) & 0xFFFF == 1

    hold(story)


@pytest.mark.parametrize("lie", [(0.0, 2**31 + 5), (1e8, 0), (-1e8, 0), (0.0, 2**31 - 5)])
def test_a_publishers_clock_cannot_move_its_content_out_of_the_present(lie: tuple[float, int]) -> None:
    def story(lecture: Lecture) -> None:
        where, bad = lecture.where, lecture.bad
        for turn in range(4):
            for i in range(5):
                ticks = (turn * 5 + i) * 3600
                bad.send(lecture.encrypted(bad, HEADER.pack(0x80, 0xE0, turn * 5 + i, ticks, CAMERA) + KEY))
                where.run(0.04)
            ntp = where.clock.now + (lie[0] if turn == 1 else 0)
            report = rtcp.SenderReport(CAMERA, ntp, (ticks + (lie[1] if turn == 1 else 0)) & 0xFFFFFFFF)
            bad.send_rtcp(rtcp.sender_report(CAMERA, report, 1, 1))
            where.run(0.01)
            (source,) = (s for s in where.room.ups[BAD].sources.values() if not s.is_audio)
            assert -10 < source.captured_at(ticks) - where.clock.now < 1.5, f"after report {turn}"

    hold(story)


def test_valid_checks_from_thousands_of_addresses_push_nobody_out() -> None:
    def story(lecture: Lecture) -> None:
        where, check = lecture.where, lecture.bad.check()
        for i in range(25_000):
            where.port.datagram(check, where.socket, (f"203.0.113.{i >> 14}", 1024 + (i & 0x3FFF)))
        assert len(where.room.ups[BAD].transport.keys) < 100
        lecture.goes_on()

    hold(story)


def test_a_check_with_anothers_source_address_does_not_take_it_over() -> None:
    """The names are the attacker's own, the address is forged: what comes from there is still the other's."""

    def story(lecture: Lecture) -> None:
        where = lecture.where
        where.port.datagram(lecture.bad.check(), where.socket, lecture.good.address)
        lecture.goes_on()

    hold(story)


@pytest.mark.parametrize(
    "data", [ALERT, HELLO, ALERT * 40, b"\x14\xfe\xfd" + bytes(10), b"\x17" * 60, b"\x16" + bytes(1300)]
)
def test_plain_dtls_with_anothers_source_address_does_not_end_its_leg(data: bytes) -> None:
    def story(lecture: Lecture) -> None:
        where = lecture.where
        for _ in range(20):
            where.port.datagram(data, where.socket, lecture.good.address)
            where.port.datagram(data, where.socket, lecture.watcher.address)
            where.run(0.001)
        lecture.goes_on()

    hold(story)


def test_packets_replayed_or_cut_short_are_forwarded_to_nobody() -> None:
    def story(lecture: Lecture) -> None:
        where, good = lecture.where, lecture.good
        lecture.frames += 1
        whole = lecture.encrypted(good, HEADER.pack(0x80, 0xE0, lecture.frames, lecture.frames * 3600, CAMERA) + KEY)
        good.send(whole)
        where.run(0.01)
        before = lecture.watcher.down.sent
        for size in range(len(whole)):
            if size:
                good.send(whole[:size])
        for at in range(len(whole)):
            good.send(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        for _ in range(50):
            good.send(whole)
        where.run(0.01)
        assert lecture.watcher.down.sent == before
        lecture.goes_on()

    hold(story)


def test_sources_without_end_are_not_made() -> None:
    def story(lecture: Lecture) -> None:
        where, bad = lecture.where, lecture.bad
        mid = b"\xbe\xde\0\1" + b"\x400\0\0"
        for ssrc in range(1000, 6000):
            head = struct.pack("!BBHLL", 0x90, 0x80 | 111, 1, 1, ssrc)
            bad.send(bad.dtls.outbound.protect(head + mid + b"opus"))
            if ssrc % 50 == 0:
                where.run(0.001)
        assert len(where.room.ups[BAD].sources) <= MAX_SOURCES
        where.run(8.0)
        lecture.goes_on()
        assert MIC not in where.room.ups[GOOD].sources

    hold(story)


def taken(lecture: Lecture) -> int:
    return sum(source.packets for source in lecture.where.room.ups[BAD].sources.values())


def test_what_one_leg_sends_beyond_its_share_is_dropped_before_it_costs_anything() -> None:
    """And what is sent after a moment's rest is taken again; a stranger cannot spend another's share."""

    def story(lecture: Lecture) -> None:
        where, bad = lecture.where, lecture.bad
        bad.send(lecture.encrypted(bad, HEADER.pack(0x80, 0xE0, 0, 0, CAMERA) + KEY))
        where.run(0.5)
        for i in range(1, 5001):
            bad.send(lecture.encrypted(bad, HEADER.pack(0x80, 0xE0, i, 0, CAMERA) + KEY))
        where.run(0.0)
        assert taken(lecture) <= 2 * PACKETS_AT_ONCE + 1 and where.port.policed >= 4000
        lecture.goes_on()
        where.run(0.5)
        before = taken(lecture)
        for i in range(5001, 5101):
            bad.send(lecture.encrypted(bad, HEADER.pack(0x80, 0xE0, i, 0, CAMERA) + KEY))
        where.run(0.0)
        assert taken(lecture) == before + 100
        policed, forged = where.port.policed, bytearray(lecture.good.check())
        forged[-1] ^= 1
        for i in range(2000):
            where.port.datagram(bytes(forged), where.socket, ("203.0.113.9", 1024 + i))
        assert where.port.policed == policed
        lecture.goes_on()

    hold(story)


def test_a_leg_whose_clockwork_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    def story(lecture: Lecture) -> None:
        where, good = lecture.where, lecture.good

        def broken(now: float) -> int:
            raise ValueError("a fault nobody knows yet")

        bad = lecture.bad
        bad.send(lecture.encrypted(bad, HEADER.pack(0x80, 0xE0, 0, 0, CAMERA) + KEY))
        where.run(0.01)
        for source in where.room.ups[BAD].sources.values():
            source.repair = broken  # type: ignore[method-assign]
        lecture.frames += 1
        good.history[lecture.frames] = HEADER.pack(0x80, 0xE0, lecture.frames, lecture.frames * 3600, CAMERA) + KEY
        lecture.frames += 1
        good.send_rtp(HEADER.pack(0x80, 0xE0, lecture.frames, lecture.frames * 3600, CAMERA) + KEY)
        where.run(0.5)
        assert [missing for _, missing in good.asked] == [(lecture.frames - 1,)]

    hold(story)
    assert len([r for r in caplog.records if r.message == "leg tick failed"]) == 1


def test_an_offer_that_names_two_lines_alike_is_malformed() -> None:
    with pytest.raises(Invalid) as caught:
        read(offer().replace("a=mid:1", "a=mid:0"))
    assert caught.value.code == "sdp.malformed"


def test_a_name_is_looked_for_only_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's datagram of 500 empty attributes must not cost 250 times what others cost."""
    steps = 0

    class Counted(bytes):
        def __getitem__(self, at: Any) -> Any:
            nonlocal steps
            steps += 1
            return super().__getitem__(at)

    assert local_ufrag(Counted(b"\0\1" + (1980).to_bytes(2, "big") + bytes(1996))) is None
    assert steps <= 40
