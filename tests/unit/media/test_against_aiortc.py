"""Our parsers and aiortc's see the same in a real Chromium stream, and aiortc reads what we write."""

import struct
from collections.abc import Iterator
from pathlib import Path

from aiortc.rtp import (
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
    unpack_remb_fci,
    unwrap_rtx,
)

from media import rtcp
from media.rtp import Incoming
from media.slots import Slot
from media.sources import Source

DUMP = Path(__file__).resolve().parents[2] / "fixtures/media/chrome_h264.rtp"


def packets(control: bool) -> Iterator[bytes]:
    dump, i = DUMP.read_bytes(), 0
    while i < len(dump):
        size = struct.unpack_from("!dH", dump, i)[1]
        data = dump[i + 10 : i + 10 + size]
        i += 10 + size
        if (192 <= data[1] <= 223) == control:
            yield data


def test_every_rtp_packet_is_read_alike() -> None:
    count = 0
    for data in packets(control=False):
        ours, theirs = Incoming(data), RtpPacket.parse(data)
        assert (ours.seq, ours.timestamp, ours.ssrc, ours.payload_type, bool(ours.marker)) == (
            theirs.sequence_number, theirs.timestamp, theirs.ssrc, theirs.payload_type, bool(theirs.marker))  # fmt: skip
        assert ours.payload == theirs.payload
        count += 1
    assert count > 200


def test_every_sender_report_is_read_alike() -> None:
    count = 0
    for data in packets(control=True):
        theirs = [p for p in RtcpPacket.parse(data) if isinstance(p, RtcpSrPacket)]
        ours = [r for r in rtcp.walk(data) if isinstance(r, rtcp.SenderReport)]
        assert [(r.ssrc, r.rtp) for r in ours] == [(p.ssrc, p.sender_info.rtp_timestamp) for p in theirs]
        for mine, other in zip(ours, theirs, strict=True):
            assert abs(mine.ntp + rtcp.NTP_EPOCH - other.sender_info.ntp_timestamp / 2**32) < 1e-3
        count += len(ours)
    assert count > 0


def test_what_we_ask_of_a_publisher_is_understood() -> None:
    (pli,) = RtcpPacket.parse(rtcp.pli(77))
    assert isinstance(pli, RtcpPsfbPacket) and (pli.fmt, pli.media_ssrc) == (1, 77)
    (nack,) = RtcpPacket.parse(rtcp.nack(77, [10, 12, 40]))
    assert isinstance(nack, RtcpRtpfbPacket) and (nack.media_ssrc, sorted(nack.lost)) == (77, [10, 12, 40])
    block = rtcp.Received(5, 0.5, 3, 70_000, 12, 34, 56)
    report, remb = RtcpPacket.parse(rtcp.receiver_report([block], [5, 6], 2_500_000))
    assert isinstance(report, RtcpRrPacket)
    (read,) = report.reports
    assert (read.ssrc, read.fraction_lost, read.packets_lost, read.highest_sequence) == (5, 128, 3, 70_000)
    assert (read.jitter, read.lsr, read.dlsr) == (12, 34, 56)
    assert isinstance(remb, RtcpPsfbPacket)
    bits, ssrcs = unpack_remb_fci(remb.fci)
    assert ssrcs == [5, 6] and abs(bits - 2_500_000) < 25_000


def test_a_slots_stream_and_its_retransmissions_are_proper_rtp() -> None:
    slot = Slot("stage", "video", 4000)
    source = Source("usr_a/camera", "H264", 9, lambda data: None, 0.0)
    slot.show(source, 0.0)
    packet = Incoming(struct.pack("!BBHLL", 0x80, 0x80 | 96, 7, 9000, 9) + b"\x67sps")
    source.arrived(packet, 0.0)
    sent, _ = slot.feed(source, packet, 0.0)
    assert sent
    read = RtpPacket.parse(sent)
    assert (read.ssrc, read.payload_type, read.payload) == (4000, 96, b"\x67sps")
    repaired = slot.repair(read.sequence_number, 3)
    assert repaired
    original = unwrap_rtx(RtpPacket.parse(repaired), payload_type=96, ssrc=4000)
    assert (original.sequence_number, original.timestamp, original.payload) == (
        read.sequence_number, read.timestamp, read.payload)  # fmt: skip
