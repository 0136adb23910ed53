"""RTP headers, extensions and key frames, from real packets and from hostile bytes."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from media.rtp import Incoming, extension, starts_key_frame, vp8_fields

HEAD = struct.pack("!BBHLL", 0x80, 0x80 | 96, 7, 9000, 1234)


def test_the_payload_lies_between_extensions_and_padding() -> None:
    block = struct.pack("!HH", 0xBEDE, 1) + bytes((0x10, ord("1"), 0, 0))
    packet = Incoming(bytes((0x80 | 16 | 32,)) + HEAD[1:] + block + b"picture" + b"\0\0\3")
    assert packet.payload == b"picture"
    assert (packet.seq, packet.timestamp, packet.ssrc, packet.marker, packet.payload_type) == (7, 9000, 1234, 128, 96)


def test_padding_alone_is_an_empty_payload() -> None:
    assert Incoming(bytes((0x80 | 32,)) + HEAD[1:] + b"\0\0\3").payload == b""


@pytest.mark.parametrize("data", [b"", b"\x80", HEAD[:11], bytes((0x00,)) + HEAD[1:], bytes((0x90,)) + HEAD[1:] + b"\xbe",
                                  bytes((0xA0,)) + HEAD[1:] + b"\xff"])  # fmt: skip
def test_a_packet_that_lies_about_its_length_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        Incoming(data)


def _with(profile: int, elements: bytes) -> bytes:
    elements += bytes(-len(elements) % 4)
    return bytes((0x90,)) + HEAD[1:] + struct.pack("!HH", profile, len(elements) // 4) + elements


def test_an_extension_is_found_in_one_byte_and_two_byte_form() -> None:
    assert extension(_with(0xBEDE, b"\x20A\0\0\x31BC"), 3) == b"BC"
    assert extension(_with(0x1000, b"\x02\x01A\x14\x03xyz"), 20) == b"xyz"
    assert extension(_with(0x1003, b"\x14\x00"), 20) == b""
    assert extension(_with(0xBEDE, b"\xf0A\x20B"), 2) is None  # id 15 ends the block
    assert extension(HEAD, 1) is None


@given(st.binary(min_size=12, max_size=60), st.integers(1, 14))
def test_no_bytes_make_the_parsers_fail(data: bytes, wanted: int) -> None:
    try:
        packet = Incoming(bytes((0x80 | (data[0] & 0x3F),)) + data[1:])
    except Invalid:
        return
    extension(packet.data, wanted)
    for codec in ("H264", "VP8", "opus"):
        starts_key_frame(codec, packet.payload)
    vp8_fields(packet.payload)


def test_a_key_frame_of_h264_starts_with_parameter_sets() -> None:
    sps, pps, idr = b"\x67abc", b"\x68d", b"\x65e"
    stap = b"\x78" + b"".join(struct.pack("!H", len(n)) + n for n in (sps, pps))
    assert starts_key_frame("H264", sps) and starts_key_frame("H264", stap)
    assert not starts_key_frame("H264", idr), "a bare IDR may lack its parameter sets"
    assert not starts_key_frame("H264", b"\x7c\x85rest"), "nor does a fragment start one"


def test_a_key_frame_of_vp8_has_the_p_bit_clear() -> None:
    assert starts_key_frame("VP8", b"\x90\x80\x81\x02\x10")  # X, I with 15-bit id, then P = 0
    assert not starts_key_frame("VP8", b"\x90\x80\x81\x02\x11")
    assert not starts_key_frame("VP8", b"\x80\x80\x81\x02\x10"), "S = 0: not the start"
    assert vp8_fields(b"\x90\xc0\x81\x02\x05\x10") == (2, 4)


def test_every_key_frame_of_a_real_chromium_stream_is_seen() -> None:
    dump = (Path(__file__).resolve().parents[2] / "fixtures/media/chrome_h264.rtp").read_bytes()
    i, keys, frames = 0, set(), set()
    while i < len(dump):
        size = struct.unpack_from("!dH", dump, i)[1]
        data = dump[i + 10 : i + 10 + size]
        i += 10 + size
        if 192 <= data[1] <= 223 or data[1] & 127 == 111:
            continue
        packet = Incoming(data)
        if packet.payload and packet.payload[0] & 31 in (1, 5, 7, 24, 28):
            frames.add(packet.timestamp)
            if starts_key_frame("H264", packet.payload):
                keys.add(packet.timestamp)
    assert len(keys) >= 1 and len(frames) > 20 * len(keys) / 10
