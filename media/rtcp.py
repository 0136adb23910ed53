"""RTCP: walk a compound packet without trusting it, and write the few packets a forwarder sends."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970, RFC 5905
SR, RR, SDES, BYE, RTPFB, PSFB = 200, 201, 202, 203, 205, 206
NODE_SSRC = 1  # our own SSRC in feedback packets; nobody else can see it


@dataclass(frozen=True)
class SenderReport:
    """When a source's clock said what. ntp: seconds since 1970; rtp: 32-bit ticks."""

    ssrc: int
    ntp: float
    rtp: int


@dataclass(frozen=True)
class Nack:
    """These sequence numbers of a source are missing."""

    ssrc: int
    missing: tuple[int, ...]


@dataclass(frozen=True)
class KeyFrameRequest:
    """PLI or FIR: the receiver cannot go on without a key frame."""

    ssrc: int


@dataclass(frozen=True)
class ReceiverReport:
    """What a receiver says of one source.

    lost: share of packets lost since its last report, 0-1; jitter: RTP ticks; last_report: middle 32
    bits of the NTP time of our last sender report, 0 when it has none; delay: 1/65536 s since then.
    """

    ssrc: int
    lost: float
    jitter: int
    last_report: int
    delay: int


@dataclass(frozen=True)
class Estimate:
    """REMB: how many bits per second a receiver thinks its line carries."""

    bits_per_second: int


Report = SenderReport | ReceiverReport | Nack | KeyFrameRequest | Estimate


def walk(data: bytes) -> Iterator[Report]:
    """Yield what we understand of a compound packet; the rest is passed over.

    data: decrypted RTCP, any bytes.  A sub-packet that lies about its length ends the walk.
    Source: RFC 3550 section 6.1, RFC 4585 section 6, RFC 5104 section 4.3.1.
    """
    i = 0
    while i + 4 <= len(data):
        length = 4 + 4 * int.from_bytes(data[i + 2 : i + 4], "big")
        if i + length > len(data) or data[i] >> 6 != 2:
            return
        yield from _part(data[i + 1], data[i] & 31, data[i + 4 : i + length])
        i += length


def _part(kind: int, form: int, body: bytes) -> Iterator[Report]:
    if kind == SR and len(body) >= 24:
        ssrc, high, low, rtp = struct.unpack_from("!LLLL", body)
        yield SenderReport(ssrc, high - NTP_EPOCH + low / 2**32, rtp)
        yield from _blocks(body, 24, form)
    elif kind == RR and len(body) >= 4:
        yield from _blocks(body, 4, form)
    elif kind == RTPFB and form == 1 and len(body) >= 8:
        yield Nack(struct.unpack_from("!L", body, 4)[0], tuple(_nacked(body)))
    elif kind == PSFB and form == 1 and len(body) >= 8:
        yield KeyFrameRequest(struct.unpack_from("!L", body, 4)[0])
    elif kind == PSFB and form == 4:
        for j in range(8, len(body) - 7, 8):
            yield KeyFrameRequest(struct.unpack_from("!L", body, j)[0])
    elif kind == PSFB and form == 15 and len(body) >= 16 and body[8:12] == b"REMB":
        word = struct.unpack_from("!L", body, 12)[0]
        yield Estimate((word & 0x3FFFF) << (word >> 18 & 0x3F))


def _blocks(body: bytes, start: int, count: int) -> Iterator[ReceiverReport]:
    for j in range(start, min(start + 24 * count, len(body) - 23), 24):
        ssrc, lost, _, jitter, last, delay = struct.unpack_from("!LLLLLL", body, j)
        yield ReceiverReport(ssrc, (lost >> 24) / 256, jitter, last, delay)


def _nacked(body: bytes) -> Iterator[int]:
    for j in range(8, len(body) - 3, 4):
        base, mask = struct.unpack_from("!HH", body, j)
        yield base
        for bit in range(16):
            if mask >> bit & 1:
                yield (base + 1 + bit) & 0xFFFF


def pli(ssrc: int) -> bytes:
    """Return a Picture Loss Indication for a source.  Source: RFC 4585 section 6.3.1."""
    return struct.pack("!BBHLL", 0x81, PSFB, 2, NODE_SSRC, ssrc)


def nack(ssrc: int, missing: list[int]) -> bytes:
    """Return a generic NACK.

    missing: 16-bit sequence numbers in rising order (modulo 2^16), at least one.
    Source: RFC 4585 section 6.2.1.
    """
    pairs: list[list[int]] = []
    for seq in missing:
        offset = (seq - pairs[-1][0] - 1) & 0xFFFF if pairs else 16
        if offset < 16:
            pairs[-1][1] |= 1 << offset
        else:
            pairs.append([seq, 0])
    return struct.pack("!BBHLL", 0x81, RTPFB, 2 + len(pairs), NODE_SSRC, ssrc) + b"".join(
        struct.pack("!HH", base, mask) for base, mask in pairs
    )


@dataclass(frozen=True)
class Received:
    """What we say of one source in a receiver report; see `ReceiverReport` for the units."""

    ssrc: int
    lost: float
    total_lost: int  # packets, since the beginning
    highest: int  # extended sequence number, 32 bits
    jitter: int
    last_report: int
    delay: int


def receiver_report(blocks: list[Received], ssrcs: list[int], bits_per_second: int) -> bytes:
    """Return a receiver report with a bitrate limit for a publisher.

    blocks: what came of each source, at most 31; ssrcs: the video sources the limit counts for, at
    most 255; bits_per_second: the limit.
    Source: RFC 3550 section 6.4.2, draft-alvestrand-rmcat-remb-03 section 2.2.
    """
    out = struct.pack("!BBHL", 0x80 | len(blocks), RR, 1 + 6 * len(blocks), NODE_SSRC)
    for block in blocks:
        lost = min(255, int(block.lost * 256)) << 24 | min(max(block.total_lost, 0), 0x7FFFFF)
        out += struct.pack("!LLLLLL", block.ssrc, lost, block.highest & 0xFFFFFFFF, block.jitter & 0xFFFFFFFF,
                           block.last_report, block.delay & 0xFFFFFFFF)  # fmt: skip
    if not ssrcs:
        return out
    exponent = max(0, bits_per_second.bit_length() - 18)
    mantissa = bits_per_second >> exponent
    out += struct.pack("!BBHLL4sL", 0x8F, PSFB, 4 + len(ssrcs), NODE_SSRC, 0, b"REMB",
                       len(ssrcs) << 24 | exponent << 18 | mantissa)  # fmt: skip
    return out + b"".join(struct.pack("!L", ssrc) for ssrc in ssrcs)


def middle_of_ntp(now: float) -> int:
    """Return the middle 32 bits of an NTP time.  now: seconds since 1970.  Source: RFC 3550 section 4."""
    return int((now + NTP_EPOCH) * 65_536) & 0xFFFFFFFF


def round_trip(report: ReceiverReport, now: float) -> float | None:
    """Return the seconds a packet takes there and back, None when the report cannot tell.

    now: arrival of the report, seconds since 1970.  Source: RFC 3550 section 6.4.1.
    """
    if not report.last_report:
        return None
    ticks = (middle_of_ntp(now) - report.last_report - report.delay) & 0xFFFFFFFF
    return ticks / 65_536 if ticks < 60 * 65_536 else None


def sender_report(ssrc: int, report: SenderReport, packets: int, octets: int) -> bytes:
    """Return a sender report and the CNAME that must go with it.

    ssrc: the slot's; report: node time (seconds since 1970) and the slot's RTP ticks at it;
    packets, octets: sent so far.  Source: RFC 3550 sections 6.4.1 and 6.5.
    """
    ntp = report.ntp + NTP_EPOCH
    seconds, fraction = int(ntp) & 0xFFFFFFFF, int(ntp % 1 * 2**32)  # the era ends in 2036: modulo 2^32
    head = struct.pack("!BBHLLLLLL", 0x80, SR, 6, ssrc, seconds, fraction, report.rtp & 0xFFFFFFFF,
                       packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)  # fmt: skip
    return head + struct.pack("!BBHLBB4sBB", 0x81, SDES, 3, ssrc, 1, 4, b"node", 0, 0)
