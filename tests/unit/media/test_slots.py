"""Slots: whatever sources do, viewers see one stream without a gap."""

import random
import struct

from hypothesis import given
from hypothesis import strategies as st

from media.rtcp import SenderReport, walk
from media.rtp import Incoming
from media.slots import FRESH_S, Slot
from media.sources import Source

KEY = b"\x67sps"
DELTA = b"\x61delta"


class Publisher:
    """A source with its own numbers and what it was asked."""

    def __init__(self, name: str, codec: str = "H264", seq: int = 60_000, timestamp: int = 4_000_000_000) -> None:
        self.asked: list[bytes] = []
        self.source = Source(name, codec, hash(name) & 0xFFFF, self.asked.append, 0.0)
        self.seq, self.timestamp = seq, timestamp

    def packet(self, payload: bytes, step: int = 3600, marker: bool = True, lost: int = 0) -> Incoming:
        self.seq = (self.seq + 1 + lost) & 0xFFFF
        self.timestamp = (self.timestamp + step) & 0xFFFFFFFF
        return self.make(self.seq, self.timestamp, payload, marker)

    def make(self, seq: int, timestamp: int, payload: bytes, marker: bool = True) -> Incoming:
        pt = 96 | (0x80 if marker else 0)
        return Incoming(struct.pack("!BBHLL", 0x80, pt, seq, timestamp, self.source.ssrc) + payload)


def feed(slot: Slot, publisher: Publisher, packet: Incoming, now: float) -> Incoming | None:
    publisher.source.arrived(packet, now)
    out, _ = slot.feed(publisher.source, packet, now)
    return Incoming(out) if out else None


def test_the_old_picture_stays_until_the_new_sources_key_frame() -> None:
    slot, a, b = Slot("guest", "video", 500), Publisher("a"), Publisher("b", seq=5, timestamp=77)
    slot.show(a.source, 0.0)
    first = feed(slot, a, a.packet(KEY), 0.0)
    slot.show(b.source, 1.0)
    assert len(b.asked) == 1, "the new source is asked for a key frame at once"
    assert feed(slot, b, b.packet(DELTA), 1.01) is None
    still = feed(slot, a, a.packet(DELTA), 1.02)
    new = feed(slot, b, b.packet(KEY), 1.06)
    assert first and still and new
    assert [p.ssrc for p in (first, still, new)] == [500] * 3
    assert (still.seq - first.seq) & 0xFFFF == 1 and (new.seq - still.seq) & 0xFFFF == 1
    assert abs(((new.timestamp - still.timestamp) & 0xFFFFFFFF) - 0.04 * 90_000) <= 2
    assert feed(slot, a, a.packet(DELTA), 1.07) is None, "the old source is no longer forwarded"


def test_gaps_of_the_uplink_pass_through_so_that_viewers_can_ask() -> None:
    slot, a = Slot("stage", "video", 500), Publisher("a")
    slot.show(a.source, 0.0)
    one = feed(slot, a, a.packet(KEY), 0.0)
    two = feed(slot, a, a.packet(DELTA, lost=2), 0.04)
    assert one and two and (two.seq - one.seq) & 0xFFFF == 3


def test_a_packet_older_than_the_switch_is_dropped() -> None:
    slot, a = Slot("stage", "video", 500), Publisher("a", seq=100)
    slot.show(a.source, 0.0)
    assert feed(slot, a, a.packet(KEY), 0.0)
    assert feed(slot, a, a.make(90, 5, DELTA), 0.01) is None


def test_an_emptied_slot_forwards_nothing_and_fills_again_on_one_line() -> None:
    slot, a, b = Slot("guest", "video", 500), Publisher("a"), Publisher("b")
    slot.show(a.source, 0.0)
    first = feed(slot, a, a.packet(KEY), 0.0)
    emptied = slot.show(None, 5.0)
    assert emptied and emptied.source is None and slot.show(None, 5.0) is None
    assert feed(slot, a, a.packet(KEY), 5.1) is None and not a.source.slots
    slot.show(b.source, 20.0)
    again = feed(slot, b, b.packet(KEY), 20.02)
    assert first and again and (again.seq - first.seq) & 0xFFFF == 1
    assert abs(((again.timestamp - first.timestamp) & 0xFFFFFFFF) - 20.02 * 90_000) <= 2


def test_sound_switches_at_the_next_packet_in_whole_frames() -> None:
    slot, a, b = Slot("audio-0", "audio", 500), Publisher("a", "opus"), Publisher("b", "opus")
    slot.show(a.source, 0.0)
    one = feed(slot, a, a.packet(b"o", 960), 0.0)
    slot.show(b.source, 0.001)
    two = feed(slot, b, b.packet(b"o", 960), 0.004)
    assert feed(slot, a, a.packet(b"o", 960), 0.02) is None, "no more of the old"
    three = feed(slot, b, b.packet(b"o", 960), 0.024)
    assert one and two and three
    assert [p.marker for p in (one, two, three)] == [128, 128, 0]
    assert (two.timestamp - one.timestamp) & 0xFFFFFFFF == 960 and (three.timestamp - two.timestamp) & 0xFFFFFFFF == 960


def test_a_packet_before_one_that_is_still_due_is_left_out() -> None:
    slot, a, b = Slot("audio-0", "audio", 500), Publisher("a", "opus"), Publisher("b", "opus")
    slot.show(a.source, 0.0)
    for n in range(3):  # the third comes 10 ms before its time
        last = feed(slot, a, a.packet(b"o", 960), 0.02 * n - 0.01 * (n == 2))
    slot.show(b.source, 0.031)
    assert feed(slot, b, b.packet(b"o", 960), 0.032) is None, "27 ms before its time"
    assert feed(slot, a, a.packet(b"o", 960), 0.05) is None, "no more of the old, or the switch starves"
    next_one = feed(slot, b, b.packet(b"o", 960), 0.052)
    assert last and next_one and (next_one.timestamp - last.timestamp) & 0xFFFFFFFF == 960


class Listener:
    """What a browser's buffer does: plays in real time, and faster while there is more than it wants."""

    WANTED_S, FASTER = (
        0.03,
        0.3,
    )  # one packet and a half; NetEQ leaves out at most a pitch period, 15 ms, in 50 ms of sound

    def __init__(self) -> None:
        self.buffered_s = 0.03
        self.most_s = 0.0
        self._at: float | None = None

    def hear(self, now: float) -> None:
        """Take a packet of 20 ms; the buffer must not have run dry before."""
        passed = now - (self._at if self._at is not None else now)
        self.buffered_s -= passed
        assert self.buffered_s >= 0, "a hole"
        self.buffered_s += 0.02
        self.most_s = max(self.most_s, self.buffered_s)
        self.buffered_s -= max(0.0, min(self.buffered_s - self.WANTED_S, self.FASTER * passed))
        self._at = now


@given(
    st.lists(st.integers(0, 19), min_size=2, max_size=4, unique=True),
    st.lists(st.tuples(st.integers(0, 3), st.integers(5, 60)), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_sound_has_no_hole_however_often_it_is_switched(
    phases: list[int], switches: list[tuple[int, int]], chance: random.Random
) -> None:
    """Sources of 20 ms packets that come `phases` ms apart, up to 2 ms late; (who, after how many packets)."""
    slot, listener = Slot("audio-0", "audio", 500), Listener()
    people = [Publisher(f"p{i}", "opus", seq=1000 * i, timestamp=7_000_000 * i) for i in range(len(phases))]
    before: Incoming | None = None
    now, at = 0.0, 0
    for who, packets in switches:
        slot.show(people[who % len(people)].source, now)
        for _ in range(packets):
            for phase, one in sorted(zip(phases, people, strict=True), key=lambda pair: pair[0]):
                now = at * 0.02 + phase / 1000 + chance.random() * 0.002
                sent = feed(slot, one, one.packet(b"o", 960), now)
                if not sent:
                    continue
                listener.hear(now)
                if before is not None:
                    assert (sent.seq - before.seq) & 0xFFFF == 1
                    assert (sent.timestamp - before.timestamp) & 0xFFFFFFFF == 960
                before = sent
            at += 1
    assert listener.most_s < 0.12, "nor does its delay grow without end"


def test_vp8_picture_numbers_go_on_over_a_switch() -> None:
    slot, a, b = Slot("guest", "video", 500), Publisher("a", "VP8"), Publisher("b", "VP8")

    def payload(picture: int, level: int, p: int) -> bytes:
        return bytes((0x90, 0xC0, 0x80 | picture >> 8, picture & 255, level, p))

    slot.show(a.source, 0.0)
    one = feed(slot, a, a.packet(payload(0x7FFE, 255, 0)), 0.0)
    two = feed(slot, a, a.packet(payload(0x7FFF, 0, 1)), 0.04)
    slot.show(b.source, 0.05)
    three = feed(slot, b, b.packet(payload(12, 200, 0)), 0.08)
    assert one and two and three
    numbers = [int.from_bytes(p.payload[2:4], "big") & 0x7FFF for p in (one, two, three)]
    assert [(n - numbers[0]) & 0x7FFF for n in numbers] == [0, 1, 2]
    assert [(p.payload[4] - one.payload[4]) & 0xFF for p in (one, two, three)] == [0, 1, 2]


def test_a_retransmission_carries_the_old_packet_after_a_switch() -> None:
    slot, a, b = Slot("guest", "video", 500), Publisher("a"), Publisher("b")
    slot.show(a.source, 0.0)
    one = feed(slot, a, a.packet(KEY + b"-of-a"), 0.0)
    slot.show(b.source, 1.0)
    feed(slot, b, b.packet(KEY), 1.02)
    assert one
    repaired = slot.repair(one.seq, 9)
    assert repaired
    packet = Incoming(repaired)
    assert (packet.ssrc, packet.seq, packet.payload_type) == (501, 9, 97)
    assert packet.payload == one.seq.to_bytes(2, "big") + KEY + b"-of-a"
    assert slot.repair((one.seq + 400) & 0xFFFF, 10) is None


def test_who_comes_just_after_a_key_frame_gets_it_and_all_since_but_not_an_old_one() -> None:
    slot, a = Slot("stage", "video", 500), Publisher("a")
    slot.show(a.source, 0.0)
    assert slot.since_key_frame(0.0) == []
    first = feed(slot, a, a.packet(KEY), 1.0)
    feed(slot, a, a.packet(DELTA), 1.04)
    feed(slot, a, a.packet(DELTA, lost=1), 1.08)
    key = feed(slot, a, a.packet(KEY), 1.12)
    sent = [key, feed(slot, a, a.packet(DELTA), 1.16), feed(slot, a, a.packet(DELTA, lost=2), 1.2)]
    assert first and key and all(sent)
    numbers = [packet.seq for packet in sent if packet]
    assert [Incoming(packet).seq for packet in slot.since_key_frame(1.3)] == numbers
    assert (numbers[-1] - numbers[0]) & 0xFFFF == 4, "what the publisher's line lost is not there"
    assert slot.since_key_frame(1.12 + FRESH_S + 0.01) == []
    b = Publisher("b", seq=9)
    slot.show(b.source, 1.3)
    switched = feed(slot, b, b.packet(KEY), 1.35)
    assert switched and [Incoming(packet).seq for packet in slot.since_key_frame(1.4)] == [switched.seq]
    slot.show(None, 1.45)
    assert slot.since_key_frame(1.45) == [], "nobody is shown what was taken away"


def test_reports_are_on_the_nodes_clock_and_on_the_slots_line() -> None:
    slot, a = Slot("stage", "video", 500), Publisher("a")
    slot.show(a.source, 100.0)
    assert slot.report(100.0) is None
    packet = a.packet(KEY)
    out = feed(slot, a, packet, 100.0)
    a.source.report(SenderReport(a.source.ssrc, 5_000.0, packet.timestamp), 100.0)  # its own NTP is far off
    written = slot.report(100.5)
    assert out and written
    (read,) = walk(written)
    assert isinstance(read, SenderReport) and abs(read.ntp - 100.5) < 1e-6
    assert abs(((read.rtp - out.timestamp) & 0xFFFFFFFF) - 45_000) <= 1
    assert abs(a.source.captured_at((packet.timestamp + 9_000) & 0xFFFFFFFF) - 100.1) < 1e-6


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["key", "delta", "switch", "empty"])), max_size=60))
def test_whatever_happens_the_line_only_goes_forward(steps: list[tuple[str, str]]) -> None:
    slot = Slot("guest", "video", 500)
    publishers = {"a": Publisher("a", seq=65_530), "b": Publisher("b", timestamp=5)}
    now, last = 0.0, None
    for name, what in steps:
        now += 0.02
        publisher = publishers[name]
        if what == "switch":
            slot.show(publisher.source, now)
        elif what == "empty":
            slot.show(None, now)
        else:
            out = feed(slot, publisher, publisher.packet(KEY if what == "key" else DELTA, 1800), now)
            if out and last:
                assert (out.seq - last.seq) & 0xFFFF < 0x8000 and out.seq != last.seq
                assert (out.timestamp - last.timestamp) & 0xFFFFFFFF < 0x80000000
            last = out or last
        assert all(s is slot.current or s is slot.wanted for s in (p.source for p in publishers.values()) if s.slots)
