"""RTP as a forwarder needs it: where the payload is, one header extension, is this a key frame.

Nothing here allocates more than it must: it runs once per received packet.
"""

import struct

from core.errors import N_, Invalid

HEADER = struct.Struct("!BBHLL")
AUDIO_HZ = 48_000
VIDEO_HZ = 90_000
H264_SPS = 7
H264_STAP_A = 24


class Incoming:
    """One received RTP packet, decrypted, with what the forwarder looks at."""

    __slots__ = ("data", "end", "key", "marker", "payload_type", "pos", "seq", "ssrc", "timestamp")
    seq: int  # 16 bits
    timestamp: int  # 32 bits of ticks
    ssrc: int

    def __init__(self, data: bytes) -> None:
        """Find the payload of a packet.

        data: a whole RTP packet after SRTP authentication.  Raises Invalid when it is cut short.
        Source: RFC 3550 section 5.1, RFC 8285 section 4.
        """
        if len(data) < 12 or data[0] >> 6 != 2:
            raise Invalid("rtp.malformed", N_("This is not an RTP packet."))
        first, second, self.seq, self.timestamp, self.ssrc = HEADER.unpack_from(data)
        self.data = data
        self.marker = second & 0x80
        self.payload_type = second & 0x7F
        pos = 12 + 4 * (first & 15)
        if first & 16:
            if len(data) < pos + 4:
                raise Invalid("rtp.malformed", N_("This is not an RTP packet."))
            pos += 4 + 4 * int.from_bytes(data[pos + 2 : pos + 4], "big")
        end = len(data)
        if first & 32:
            end -= data[-1]
        if pos > len(data) or end < pos:
            raise Invalid("rtp.malformed", N_("This is not an RTP packet."))
        self.pos = pos
        self.end = end
        self.key = False

    @property
    def payload(self) -> bytes:
        """Return the payload without padding; empty for a padding-only probe."""
        return self.data[self.pos : self.end]


def extension(data: bytes, wanted: int) -> bytes | None:
    """Return the value of one header extension element, or None.

    data: a whole RTP packet; wanted: the negotiated id, 1-255.  Malformed blocks give None.
    Source: RFC 8285 sections 4.2 (one byte) and 4.3 (two bytes).
    """
    if not data[0] & 16:
        return None
    pos = 12 + 4 * (data[0] & 15)
    profile, words = struct.unpack_from("!HH", data, pos)
    i, end = pos + 4, min(pos + 4 + 4 * words, len(data))
    two_bytes = profile & 0xFFF0 == 0x1000
    if not two_bytes and profile != 0xBEDE:
        return None
    while i < end:
        if data[i] == 0:  # padding between elements
            i += 1
            continue
        if two_bytes:
            if i + 1 >= end:
                return None
            found, length = data[i], data[i + 1]
            i += 2
        else:
            found, length = data[i] >> 4, (data[i] & 15) + 1
            if found == 15:  # reserved: stop, RFC 8285 section 4.2
                return None
            i += 1
        if found == wanted:
            return bytes(data[i : i + length]) if i + length <= end else None
        i += length
    return None


def starts_key_frame(codec: str, payload: bytes) -> bool:
    """Return whether a payload is the first packet of a frame that needs no earlier one.

    H.264: a SPS, alone or in a STAP-A; a bare IDR is not enough to switch to, because the
    parameter sets before it may be missing. VP8: start of partition 0 with the P bit clear.
    Source: RFC 6184 section 5.7.1; RFC 7741 sections 4.2 and 4.3.
    """
    if not payload:
        return False
    if codec == "H264":
        return _h264_key(payload)
    if codec == "VP8":
        return _vp8_key(payload)
    return False


def _h264_key(payload: bytes) -> bool:
    kind = payload[0] & 31
    if kind != H264_STAP_A:
        return kind == H264_SPS
    i = 1
    while i + 2 < len(payload):
        if payload[i + 2] & 31 == H264_SPS:
            return True
        i += 2 + int.from_bytes(payload[i : i + 2], "big")
    return False


def _vp8_key(payload: bytes) -> bool:
    first = payload[0]
    if first & 0x17 != 0x10:  # S = 1 and PID = 0
        return False
    i = 1
    if first & 0x80:
        if len(payload) < 2:
            return False
        extra = payload[1]
        i = 2
        if extra & 0x80:
            if i >= len(payload):
                return False
            i += 2 if payload[i] & 0x80 else 1
        i += bool(extra & 0x40) + bool(extra & 0x30)
    return i < len(payload) and not payload[i] & 1


def vp8_fields(payload: bytes) -> tuple[int, int]:
    """Return the offsets of (15-bit picture id, TL0PICIDX) in a VP8 descriptor, -1 where absent.

    A 7-bit picture id counts as absent: browsers send 15 bits.  Source: RFC 7741 section 4.2.
    """
    if len(payload) < 4 or not payload[0] & 0x80:
        return -1, -1
    extra, i, picture, level = payload[1], 2, -1, -1
    if extra & 0x80:
        if payload[i] & 0x80:
            picture = i
            i += 2
        else:
            i += 1
    if extra & 0x40 and i < len(payload):
        level = i
    return picture, level
