"""Trains: the width of a line from the spacing of four packets, and what a viewer's report may look like."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import rtcp
from media.rtp import Incoming, extension
from media.trains import LONGEST, PACKET_BITS, PATIENCE_S, SHORTEST, TRUSTED_BPS, Train, padding
from media.twcc import TICK_S, ArrivalLog


def through(train: Train, width: float, numbers: range, lost: tuple[int, ...] = ()) -> float | None:
    """Let a train through a line.  width: bits per second; lost: places of packets.  Returns what is concluded."""
    log = ArrivalLog()
    for place, number in enumerate(numbers):
        if place not in lost:
            log.arrived(number & 0xFFFF, 5 + place * PACKET_BITS / width)
    feedback = log.feedback(7)
    found = [train.reported(r) for r in rtcp.walk(feedback or b"") if isinstance(r, rtcp.Arrivals)]
    return next((f for f in found if f is not None), None)


@pytest.mark.parametrize("width", [20_000, 64_000, 300_000])
def test_the_spacing_of_four_packets_tells_the_width(width: float) -> None:
    train = Train()
    measured = through(train, width, train.depart(0, 100.0))
    assert measured == pytest.approx(width, rel=0.05) and not train.is_under_way


def test_a_short_train_is_not_trusted_far_and_a_longer_one_is() -> None:
    train = Train()
    assert through(train, 5_000_000, train.depart(0, 100.0)) == SHORTEST * TRUSTED_BPS
    numbers = train.depart(5_000_000, 101.0)
    assert len(numbers) == LONGEST
    assert through(train, 4_000_000, numbers) == pytest.approx(4_000_000, rel=0.1)


def test_loss_makes_the_measure_smaller_or_none() -> None:
    train = Train()
    assert through(train, 300_000, train.depart(0, 1.0), (1,)) == pytest.approx(200_000, rel=0.05)
    numbers = train.depart(0, 2.0)
    assert through(train, 300_000, numbers, (2, 3)) is None, "the last packet is still waited for"
    assert train.waited(2.0 + PATIENCE_S / 2) is None
    assert train.waited(2.0 + PATIENCE_S) == 0.0, "two packets tell nothing"
    assert not train.is_under_way and train.waited(9.0) is None


def test_numbers_go_on_over_the_end_of_sixteen_bits() -> None:
    train = Train()
    for _ in range(2 * 65_536 // SHORTEST):
        numbers = train.depart(0, 1.0)
    assert numbers.start > 65_536
    assert through(train, 100_000, numbers) == pytest.approx(100_000, rel=0.05)


def test_padding_is_a_repair_packet_that_says_nothing() -> None:
    packet = Incoming(padding(97, 65_537, 5, 0x10001, (2, 777)))
    assert (packet.payload_type, packet.seq, packet.timestamp, packet.ssrc) == (97, 1, 5, 0x10001)
    assert packet.end == packet.pos, "nothing but padding"
    assert extension(packet.data, 2) == (777).to_bytes(2, "big")


@given(st.lists(st.one_of(st.none(), st.integers(-200, 40_000)), min_size=1, max_size=300).filter(any))
def test_what_the_arrival_log_writes_is_read_back(steps: list[int | None]) -> None:
    log, ticks, sent = ArrivalLog(), 400_000, {}
    for i, step in enumerate(steps):
        if step is not None:
            ticks += min(step, 32_000)
            log.arrived((65_400 + i) & 0xFFFF, ticks * TICK_S)
            sent[i] = ticks
    feedback = log.feedback(9)
    assert feedback
    (report,) = rtcp.walk(feedback)
    assert isinstance(report, rtcp.Arrivals)
    first = min(sent)
    read = {first + i: at for i, at in enumerate(report.times) if at is not None}
    assert list(read) == list(sent) and report.first == (65_400 + first) & 0xFFFF
    for (i, before), (j, after) in itertools.pairwise(read.items()):
        assert round((after - before) / TICK_S) == sent[j] - sent[i]


@given(st.binary(max_size=200))
def test_any_bytes_as_feedback_are_read_or_passed_over(body: bytes) -> None:
    body += bytes(-len(body) % 4)
    packet = bytes((0x8F, rtcp.RTPFB)) + (len(body) // 4).to_bytes(2, "big") + body
    for report in rtcp.walk(packet):
        assert isinstance(report, rtcp.Arrivals) and len(report.times) <= rtcp.ARRIVALS_MAX
        Train().reported(report)
