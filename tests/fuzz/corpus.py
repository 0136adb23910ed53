"""Real packets and real texts to start from, and ways to damage them."""

import itertools
import struct

from aioice import stun
from aiortc.rtp import RtcpPacket
from hypothesis import strategies as st

from media import frames, rtcp
from media.rtp import Incoming
from media.takes import black_key_frame
from tests.media.synthetic import START_S, Camera
from tests.unit.media.test_against_aiortc import packets
from tests.unit.media.test_sdp import offer

UFRAG, PWD, THEIRS = "0badcafe", "p" * 32, "them"
LENGTH = struct.Struct("!H")  # several packets in one input: each behind its length, as RFC 4571 frames them

VP8_KEY = bytes.fromhex("90e08001 05 20 10 0200 9d012a 8002 6801".replace(" ", "")) + bytes(60)
VP8_DELTA = bytes.fromhex("90e08002 06 20 11 0200".replace(" ", "")) + bytes(40)


def joined(parts: list[bytes]) -> bytes:
    """Return several packets as one input."""
    return b"".join(LENGTH.pack(len(part)) + part for part in parts)


def split(data: bytes, limit: int = 400) -> list[bytes]:
    """Return the packets of one input; the last may be cut short."""
    out, at = [], 0
    while at + 2 <= len(data) and len(out) < limit:
        size = LENGTH.unpack_from(data, at)[0]
        out.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return out


def check(**attributes: object) -> bytes:
    """A binding request that a real peer would send."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes.update({"USERNAME": f"{UFRAG}:{THEIRS}", "PRIORITY": 1, **attributes})
    message.add_message_integrity(PWD.encode())
    return bytes(message)


def _rtp(payload: bytes, pt: int, seq: int = 5, *, first: int = 0x80, extra: bytes = b"") -> bytes:
    return struct.pack("!BBHLL", first, 0x80 | pt, seq, 9000, 21) + extra + payload


def stun_seeds() -> list[bytes]:
    return [
        check(**{"ICE-CONTROLLING": 5, "USE-CANDIDATE": None}),
        check(**{"ICE-CONTROLLED": 7}),
        check(**{"ICE-CONTROLLING": 1, "SOFTWARE": "browser"}),
        bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE)),
    ]


def sdp_seeds() -> list[bytes]:
    return [offer().encode(), offer(video="98").encode(), offer(video="96 97 98 100").encode()]


def rtp_seeds() -> list[bytes]:
    real = list(packets(control=False))
    one_byte = bytes.fromhex("bede0003 4030 10ff 2201020300000000".replace(" ", ""))
    two_bytes = bytes.fromhex("10000003 0401 30 0102ffff 00000000 00".replace(" ", ""))
    return [
        *real[::20],
        _rtp(b"\x67sps", 96, first=0x90, extra=one_byte),
        _rtp(b"\x67sps", 96, first=0x90, extra=two_bytes),
        _rtp(b"\x67sps\0\0\0\4", 96, first=0xA0),
        _rtp(VP8_KEY, 98),
        _rtp(VP8_DELTA, 98),
    ]


def rtcp_seeds() -> list[bytes]:
    ours = [
        rtcp.pli(21),
        rtcp.nack(21, [1, 2, 20, 65_000]),
        rtcp.receiver_report([], [21, 31], 700_000),
        rtcp.sender_report(21, rtcp.SenderReport(21, START_S, 9000), 5, 500),
    ]
    assert all(RtcpPacket.parse(one) for one in ours)
    fir = bytes.fromhex("84ce0004 00000001 00000000 00000015 01000000".replace(" ", ""))
    return [*ours, fir, b"".join(ours), *itertools.islice(packets(control=True), 5)]


def h264_seeds() -> list[bytes]:
    """Payload lists: of the Chromium recording, of a camera that sends fragments, and one aggregate."""
    real = [p.payload for p in map(Incoming, packets(control=False)) if p.payload_type == 102]
    nals = black_key_frame().nals
    aggregate = b"\x78" + b"".join(LENGTH.pack(len(nal)) + nal for nal in nals)
    pieces = [b"\x7c\x85start", b"\x7c\x05middle", b"\x7c\x45end"]
    return [joined(real[:3]), joined([aggregate]), joined(pieces), joined([nal for nal in nals])]


def film_seeds() -> list[bytes]:
    """Lists of whole H.264 packets: two short films."""
    camera = Camera("stage", 320, 240, ssrc=21)
    made = [s.data for i in range(6) for s in camera.packets(START_S, 50 * (i % 3), key=i % 3 == 0)]
    real = [d for d in packets(control=False) if Incoming(d).payload_type == 102]
    return [joined(made), joined(real[:12])]


def class_seeds() -> list[bytes]:
    """Lists of plain RTP and RTCP packets of one publisher, with the payload types of its offer."""
    retyped = []
    for data in packets(control=False):
        packet = Incoming(data)
        if packet.payload_type in (102, 111):
            pt, ssrc = (96, 21) if packet.payload_type == 102 else (111, 11)
            retyped.append(
                struct.pack("!BBHLL", 0x80, packet.marker | pt, packet.seq, packet.timestamp, ssrc) + packet.payload
            )
    rtx = struct.pack("!BBHLL", 0x80, 0x80 | 97, 9, 9000, 22) + b"\x01\x4b" + b"\x61late"
    return [joined(retyped[:12]), joined([retyped[0], *rtcp_seeds(), rtx, *retyped[3:8]]), joined(rtcp_seeds())]


def recorder_seeds() -> list[bytes]:
    camera = Camera("stage", 320, 240, ssrc=21)
    out = frames.pack(frames.CONTROL, 0, START_S, b'{"program": "guest"}')
    for i in range(4):
        for sent in camera.packets(START_S + i / 25, 50, key=i == 0):
            out += frames.pack(frames.RTP, 3, sent.media_s, sent.data)
        out += frames.pack(frames.RTP, 0, START_S + i / 25, _rtp(b"\xf8\xff\xfe", 111, seq=i))
    return [out, frames.pack(frames.CONTROL, 0, START_S, b'{"stop": true}')]


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed with some of its bytes changed, cut out, repeated or taken from another seed; or mere noise."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        how = draw(st.sampled_from(["bytes", "cut", "drop", "repeat", "insert", "splice", "number"]))
        size = draw(st.integers(1, 16))
        if how == "bytes":
            data[at] = draw(st.integers(0, 255))
        elif how == "cut":
            del data[at:]
        elif how == "drop":
            del data[at : at + size]
        elif how == "repeat":
            data[at:at] = data[at : at + size] * draw(st.integers(1, 4))
        elif how == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=16))
        elif how == "splice":
            data[at:] = draw(st.sampled_from(seeds))[at:]
        else:
            data[at : at + 2] = draw(st.sampled_from([b"\0\0", b"\xff\xff", b"\x7f\xff", b"\x80\0", b"\0\1"]))
    return bytes(data)
