"""H.264 as the recorder needs it: NAL units out of RTP, parameter sets, picture size.

Pure: nothing is decoded. **Source:** ITU-T H.264 sections 7.3 and 7.4, RFC 6184.
"""

from collections.abc import Iterable
from dataclasses import dataclass

IDR, SPS, PPS = 5, 7, 8
STAP_A, FU_A = 24, 28
START_CODE = b"\x00\x00\x00\x01"
MAX_SIDE = 16_880  # luma samples: the longest side of any level, ITU-T H.264 table A-1 (sqrt(8 * MaxFS) macroblocks)
# Profiles whose SPS carries chroma format and scaling lists, ITU-T H.264 section 7.3.2.1.1.
HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


class BadStream(ValueError):
    """The bytes are not the H.264 that RFC 6184 allows here."""


@dataclass(frozen=True)
class Picture:
    """What a sequence parameter set says of the pictures that follow."""

    width: int
    height: int
    codec: str  # for the CODECS attribute, such as `avc1.42C01F` (RFC 6381 section 3.3)


def nals_of_payloads(payloads: Iterable[bytes]) -> list[bytes]:
    """Put the NAL units of one frame together.

    payloads: RTP payloads of one timestamp, in sequence order, none missing.
    Returns NAL units without start codes.  Raises BadStream when a unit is cut or of a packing
    that packetization-mode 1 does not use.  **Source:** RFC 6184 sections 5.6, 5.7.1 and 5.8.
    """
    nals: list[bytes] = []
    growing: bytearray | None = None
    for payload in payloads:
        if not payload:
            raise BadStream("an empty payload")
        kind = payload[0] & 31
        if kind == FU_A:
            growing = _grow(growing, payload, nals)
            continue
        if growing is not None:
            raise BadStream("a fragmented unit has no end")
        if kind == STAP_A:
            nals.extend(_split_aggregate(payload))
        elif 1 <= kind < STAP_A:
            nals.append(payload)
        else:
            raise BadStream(f"payload type {kind} is not used in packetization-mode 1")
    if growing is not None:
        raise BadStream("a fragmented unit has no end")
    return nals


def _grow(growing: bytearray | None, payload: bytes, nals: list[bytes]) -> bytearray | None:
    """Add one FU-A fragment; return the unit still open, or None when it is complete."""
    if len(payload) < 3:
        raise BadStream("a fragment without content")
    starts, ends = payload[1] & 0x80, payload[1] & 0x40
    if starts:
        if growing is not None:
            raise BadStream("a fragmented unit has no end")
        growing = bytearray([(payload[0] & 0xE0) | (payload[1] & 31)])
    if growing is None:
        raise BadStream("a fragmented unit has no start")
    growing += payload[2:]
    if not ends:
        return growing
    nals.append(bytes(growing))
    return None


def _split_aggregate(payload: bytes) -> list[bytes]:
    units, at = [], 1
    while at + 2 <= len(payload):
        size = int.from_bytes(payload[at : at + 2], "big")
        unit = payload[at + 2 : at + 2 + size]
        if not size or len(unit) != size:
            raise BadStream("an aggregate is cut short")
        units.append(unit)
        at += 2 + size
    return units


def nals_of_stream(data: bytes) -> list[bytes]:
    """Split an Annex B byte stream at its start codes.

    data: one access unit with 3- or 4-byte start codes.  Returns NAL units without them.
    """
    units = []
    for piece in data.split(b"\x00\x00\x01")[1:]:
        unit = piece.rstrip(b"\x00")
        if unit:
            units.append(unit)
    return units


def annex_b(nals: Iterable[bytes]) -> bytes:
    """Return NAL units as one Annex B byte stream."""
    return b"".join(START_CODE + nal for nal in nals)


def is_key(nals: Iterable[bytes]) -> bool:
    """Return whether a frame can be decoded with nothing before it but parameter sets."""
    return any(nal[0] & 31 == IDR for nal in nals)


def parameter_sets(nals: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the SPS and PPS units of a frame, in order."""
    return tuple(nal for nal in nals if nal[0] & 31 in (SPS, PPS))


class _Bits:
    """Reads a SPS bit by bit."""

    def __init__(self, data: bytes) -> None:
        # Emulation prevention bytes are no part of the content, ITU-T H.264 section 7.4.1.1.
        self._bits = "".join(f"{byte:08b}" for byte in data.replace(b"\x00\x00\x03", b"\x00\x00"))
        self._at = 0

    def take(self, count: int) -> int:
        if self._at + count > len(self._bits):
            raise BadStream("a sequence parameter set is cut short")
        self._at += count
        return int(self._bits[self._at - count : self._at], 2)

    def unsigned(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise BadStream("not an Exp-Golomb number")
        return (1 << zeros) - 1 + (self.take(zeros) if zeros else 0)

    def signed(self) -> int:
        number = self.unsigned()
        return (number + 1) // 2 if number % 2 else -(number // 2)


def picture_of(sps: bytes) -> Picture:
    """Read the picture size and the codec string from a SPS.

    sps: one NAL unit, header byte included.  Raises BadStream when it cannot be read.
    **Source:** ITU-T H.264 section 7.3.2.1.1, RFC 6381 section 3.3.
    """
    if len(sps) < 5 or sps[0] & 31 != SPS:
        raise BadStream("not a sequence parameter set")
    bits = _Bits(sps[4:])
    bits.unsigned()  # seq_parameter_set_id
    chroma = _read_chroma(bits) if sps[1] in HIGH_PROFILES else 1
    _skip_counting(bits)
    bits.unsigned()  # max_num_ref_frames
    bits.take(1)
    width, map_units = (bits.unsigned() + 1) * 16, bits.unsigned() + 1
    frames_only = bits.take(1)
    if not frames_only:
        bits.take(1)
    bits.take(1)
    height = map_units * 16 * (2 - frames_only)
    if bits.take(1):
        unit_x = 2 if chroma in (1, 2) else 1
        unit_y = (2 if chroma == 1 else 1) * (2 - frames_only)
        width -= unit_x * (bits.unsigned() + bits.unsigned())
        height -= unit_y * (bits.unsigned() + bits.unsigned())
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise BadStream("a picture of impossible size")
    return Picture(width, height, f"avc1.{sps[1:4].hex().upper()}")


def _read_chroma(bits: _Bits) -> int:
    chroma = bits.unsigned()
    if chroma == 3:
        bits.take(1)
    bits.unsigned()
    bits.unsigned()
    bits.take(1)
    if bits.take(1):
        for i in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if i < 6 else 64)
    return chroma


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_counting(bits: _Bits) -> None:
    """Skip frame number and picture order count."""
    bits.unsigned()
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()
    elif kind == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.unsigned(), 255)):
            bits.signed()
