"""The height of a picture, read from the first packet of a key frame."""

from media.avc import BadStream, picture_of
from media.rtp import H264_SPS, H264_STAP_A


def height_of(codec: str, payload: bytes) -> int:
    """Return the pixels of height a key frame announces, 0 when it does not say.

    codec: `H264` or `VP8`; payload: an RTP payload for which `starts_key_frame` holds.
    Source: RFC 6184 section 5.7.1, H.264 section 7.3.2.1; RFC 7741 section 4.2, RFC 6386 section 9.1.
    """
    try:
        return _h264(payload) if codec == "H264" else _vp8(payload)
    except (BadStream, IndexError, ValueError):
        return 0


def _h264(payload: bytes) -> int:
    if payload[0] & 31 == H264_SPS:
        return picture_of(payload).height
    if payload[0] & 31 != H264_STAP_A:
        return 0
    i = 1
    while i + 2 < len(payload):
        size = int.from_bytes(payload[i : i + 2], "big")
        if payload[i + 2] & 31 == H264_SPS:
            return picture_of(payload[i + 2 : i + 2 + size]).height
        i += 2 + size
    return 0


def _vp8(payload: bytes) -> int:
    i = 1
    if payload[0] & 0x80:
        extra, i = payload[1], 2
        if extra & 0x80:
            i += 2 if payload[i] & 0x80 else 1
        i += bool(extra & 0x40) + bool(extra & 0x30)
    # Frame tag (3 bytes), start code (3), width (2), height (2, little endian, upper 2 bits are the scale).
    if payload[i + 3 : i + 6] != b"\x9d\x01\x2a":
        return 0
    return int.from_bytes(payload[i + 8 : i + 10], "little") & 0x3FFF
