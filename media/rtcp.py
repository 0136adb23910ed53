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


Report = SenderReport | Nack | KeyFrameRequest


def walk(data: bytes) -> Iterator[Report]:
    """Yield what we understand of a compound packet; the rest is passed over.

    data: decrypted RTCP, any bytes.  A sub-packet that lies about its length ends the walk.
    Source: RFC 3550 section 6.1, RFC 4585 section 6, RFC 5104 section 4.3.1.
    """
    i = 0
    while i + 8 <= len(data):
        length = 4 + 4 * int.from_bytes(data[i + 2 : i + 4], "big")
        if i + length > len(data) or data[i] >> 6 != 2:
            return
        kind, form = data[i + 1], data[i] & 31
        body = data[i + 4 : i + length]
        if kind == SR and len(body) >= 24:
            ssrc, high, low, rtp = struct.unpack_from("!LLLL", body)
            yield SenderReport(ssrc, high - NTP_EPOCH + low / 2**32, rtp)
        elif kind == RTPFB and form == 1 and len(body) >= 8:
            yield Nack(struct.unpack_from("!L", body, 4)[0], tuple(_nacked(body)))
        elif kind == PSFB and form == 1 and len(body) >= 8:
            yield KeyFrameRequest(struct.unpack_from("!L", body, 4)[0])
        elif kind == PSFB and form == 4:
            for j in range(8, len(body) - 7, 8):
                yield KeyFrameRequest(struct.unpack_from("!L", body, j)[0])
        i += length


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


def remb(ssrcs: list[int], bits_per_second: int) -> bytes:
    """Return a receiver report with a bitrate limit for a publisher.

    ssrcs: the video sources it counts for, at most 255; bits_per_second: the limit.
    Source: draft-alvestrand-rmcat-remb-03 section 2.2.
    """
    exponent = max(0, bits_per_second.bit_length() - 18)
    mantissa = bits_per_second >> exponent
    head = struct.pack("!BBHL", 0x80, RR, 1, NODE_SSRC)
    body = struct.pack("!BBHLL4sL", 0x8F, PSFB, 4 + len(ssrcs), NODE_SSRC, 0, b"REMB",
                       len(ssrcs) << 24 | exponent << 18 | mantissa)  # fmt: skip
    return head + body + b"".join(struct.pack("!L", ssrc) for ssrc in ssrcs)


def sender_report(ssrc: int, report: SenderReport, packets: int, octets: int) -> bytes:
    """Return a sender report and the CNAME that must go with it.

    ssrc: the slot's; report: node time (seconds since 1970) and the slot's RTP ticks at it;
    packets, octets: sent so far.  Source: RFC 3550 sections 6.4.1 and 6.5.
    """
    ntp = report.ntp + NTP_EPOCH
    head = struct.pack("!BBHLLLLLL", 0x80, SR, 6, ssrc, int(ntp), int(ntp % 1 * 2**32), report.rtp & 0xFFFFFFFF,
                       packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)  # fmt: skip
    return head + struct.pack("!BBHLBB4sBB", 0x81, SDES, 3, ssrc, 1, 4, b"node", 0, 0)
