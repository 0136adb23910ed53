"""RTCP: what we write we read, and no bytes of a stranger do harm."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from media import rtcp


@given(st.sets(st.integers(0, 0xFFFF), min_size=1, max_size=60), st.integers(0, 0xFFFFFFFF))
def test_a_nack_names_exactly_the_missing_packets(missing: set[int], ssrc: int) -> None:
    base = min(missing)
    ordered = sorted(missing, key=lambda seq: (seq - base) & 0xFFFF)
    (read,) = rtcp.walk(rtcp.nack(ssrc, ordered))
    assert isinstance(read, rtcp.Nack) and read.ssrc == ssrc and set(read.missing) == missing


def test_a_nack_runs_over_the_end_of_the_sequence_numbers() -> None:
    (read,) = rtcp.walk(rtcp.nack(7, [65534, 65535, 0, 1, 40]))
    assert isinstance(read, rtcp.Nack) and read.missing == (65534, 65535, 0, 1, 40)


def test_a_key_frame_request_is_read_as_pli_and_as_fir() -> None:
    assert list(rtcp.walk(rtcp.pli(9))) == [rtcp.KeyFrameRequest(9)]
    fir = struct.pack("!BBHLLLBxxx", 0x84, rtcp.PSFB, 4, 1, 0, 9, 1)
    assert list(rtcp.walk(fir)) == [rtcp.KeyFrameRequest(9)]


def test_a_sender_report_keeps_its_clock_to_a_microsecond() -> None:
    at = 1_790_000_000.123456
    (read,) = rtcp.walk(rtcp.sender_report(5, rtcp.SenderReport(5, at, 2**32 - 1), 10, 1000))
    assert isinstance(read, rtcp.SenderReport)
    assert (read.ssrc, read.rtp) == (5, 2**32 - 1) and abs(read.ntp - at) < 1e-6


def test_a_bitrate_limit_is_at_most_what_was_asked() -> None:
    for wanted in (1, 30_000, 700_000, 2_500_000, 1 << 30):
        (read,) = rtcp.walk(rtcp.receiver_report([], [3, 4], wanted))
        assert isinstance(read, rtcp.Estimate) and wanted * 0.99 <= read.bits_per_second <= wanted


def test_what_we_report_of_a_source_is_read_back() -> None:
    said = rtcp.Received(77, 0.25, 5, 70_000, 90, 0xABCD1234, 65_536)
    read = list(rtcp.walk(rtcp.receiver_report([said, said], [77], 1000)))
    assert read[0] == rtcp.ReceiverReport(77, 0.25, 90, 0xABCD1234, 65_536) and len(read) == 3


def test_a_round_trip_is_what_is_left_of_the_time_since_our_report() -> None:
    sent = 1_790_000_000.0
    report = rtcp.ReceiverReport(5, 0.0, 0, rtcp.middle_of_ntp(sent), int(0.5 * 65_536))
    assert abs((rtcp.round_trip(report, sent + 0.58) or 0) - 0.08) < 0.001
    assert rtcp.round_trip(rtcp.ReceiverReport(5, 0.0, 0, 0, 0), sent) is None


@given(st.binary(max_size=400))
def test_no_bytes_make_the_walk_fail(data: bytes) -> None:
    assert all(isinstance(report, rtcp.Report) for report in rtcp.walk(data))
