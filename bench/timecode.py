"""A clock that survives video coding: black and white blocks along the top of a picture.

Two rows of 24 blocks carry 48 bits: 5 bits who, 32 bits milliseconds, 1 bit marker (it flips at
each beep), 10 bits checksum. `bench/js/timecode.js` draws and reads the same. Everything here is
pure; pictures are luma planes, one byte a pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS, ROWS = 24, 2
ROW_HEIGHT = 1 / 12  # of the picture's height
SOURCE_BITS, MS_BITS, CHECK_BITS = 5, 32, 10
MS_MODULUS = 1 << MS_BITS
BEEP_EVERY_MS = 2000
BLACK, WHITE = 16, 235  # luma of video
GREY_LOW, GREY_HIGH = 80, 175  # between them a block is neither black nor white
CHECK_POLYNOMIAL = 0x233  # CRC-10 (ITU-T I.610)


@dataclass(frozen=True)
class TimeCode:
    """What one picture says: who made it, and when (ms, modulo 2**32)."""

    source: int
    ms: int
    marker: int


def encode(code: TimeCode) -> list[int]:
    """Return the 48 bits of a code, row by row.

    Raises ValueError when the source does not fit.
    """
    if not 0 <= code.source < 1 << SOURCE_BITS:
        raise ValueError(f"source {code.source} does not fit into {SOURCE_BITS} bits")
    bits = _bits(code.source, SOURCE_BITS) + _bits(code.ms % MS_MODULUS, MS_BITS) + [code.marker & 1]
    return bits + _bits(checksum(bits), CHECK_BITS)


def decode(bits: Sequence[int]) -> TimeCode | None:
    """Return the code that 48 bits carry, or None when the checksum says they are damaged."""
    body, check = list(bits[:-CHECK_BITS]), _number(bits[-CHECK_BITS:])
    if len(bits) != COLUMNS * ROWS or checksum(body) != check:
        return None
    return TimeCode(_number(body[:SOURCE_BITS]), _number(body[SOURCE_BITS : SOURCE_BITS + MS_BITS]), body[-1])


def wall_ms(code: TimeCode, near_ms: int) -> int:
    """Return the wall clock (ms since 1970) of a code of which only 32 bits were sent.

    near_ms: a wall clock within three weeks of it.
    """
    half = MS_MODULUS // 2
    return near_ms + (code.ms - near_ms + half) % MS_MODULUS - half


def checksum(bits: Sequence[int]) -> int:
    """Return the CRC-10 of some bits; a black picture does not pass, for it starts from all ones."""
    register = (1 << CHECK_BITS) - 1
    for bit in bits:
        high = register >> (CHECK_BITS - 1) & 1
        register = register << 1 & ((1 << CHECK_BITS) - 1)
        if high ^ bit:
            register ^= CHECK_POLYNOMIAL
    return register


def block(index: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of a bit's block in a picture of this size (pixels)."""
    row, column = divmod(index, COLUMNS)
    tall = height * ROW_HEIGHT
    return (
        round(column * width / COLUMNS),
        round(row * tall),
        round((column + 1) * width / COLUMNS),
        round((row + 1) * tall),
    )


def draw(plane: bytearray, width: int, height: int, code: TimeCode) -> None:
    """Paint a code into a luma plane of width x height bytes."""
    for index, bit in enumerate(encode(code)):
        left, top, right, bottom = block(index, width, height)
        line = bytes([WHITE if bit else BLACK]) * (right - left)
        for y in range(top, bottom):
            plane[y * width + left : y * width + right] = line


def read(plane: Sequence[int], stride: int, width: int, height: int) -> TimeCode | None:
    """Return the code in a luma plane, or None when there is none that can be trusted.

    plane: bytes, `stride` of them a line, of which the first `width` are pixels.
    """
    bits = []
    for index in range(COLUMNS * ROWS):
        left, top, right, bottom = block(index, width, height)
        x, y = (left + right) // 2, (top + bottom) // 2
        reach_x, reach_y = max(1, (right - left) // 6), max(1, (bottom - top) // 6)
        values = [
            plane[v * stride + u] for v in range(y - reach_y, y + reach_y) for u in range(x - reach_x, x + reach_x)
        ]
        mean = sum(values) / len(values)
        if GREY_LOW < mean < GREY_HIGH:
            return None
        bits.append(int(mean >= GREY_HIGH))
    return decode(bits)


def _bits(number: int, count: int) -> list[int]:
    return [number >> (count - 1 - place) & 1 for place in range(count)]


def _number(bits: Sequence[int]) -> int:
    value = 0
    for bit in bits:
        value = value << 1 | bit
    return value
