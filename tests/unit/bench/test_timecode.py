from hypothesis import given
from hypothesis import strategies as st

from bench.timecode import BLACK, COLUMNS, MS_MODULUS, ROWS, WHITE, TimeCode, decode, draw, encode, read

codes = st.builds(TimeCode, st.integers(0, 31), st.integers(0, MS_MODULUS - 1), st.integers(0, 1))


@given(codes)
def test_a_code_is_read_as_it_was_written(code: TimeCode) -> None:
    assert decode(encode(code)) == code


@given(codes, st.sets(st.integers(0, COLUMNS * ROWS - 1), min_size=1, max_size=2))
def test_one_or_two_damaged_blocks_are_noticed(code: TimeCode, damaged: set[int]) -> None:
    bits = [bit ^ (place in damaged) for place, bit in enumerate(encode(code))]
    assert decode(bits) is None


def test_a_black_and_a_white_picture_carry_no_code() -> None:
    assert decode([0] * 48) is None
    assert decode([1] * 48) is None


@given(codes, st.sampled_from([(640, 360), (320, 180), (160, 90)]))
def test_a_picture_of_any_size_carries_the_code(code: TimeCode, size: tuple[int, int]) -> None:
    width, height = size
    plane = bytearray([128]) * (width * height)
    draw(plane, width, height, code)
    assert read(plane, width, width, height) == code


def test_a_grey_block_is_not_guessed() -> None:
    plane = bytearray([WHITE]) * (640 * 360)
    draw(plane, 640, 360, TimeCode(3, 1_700_000_000, 0))
    for line in range(30):
        plane[line * 640 : line * 640 + 26] = bytes([(BLACK + WHITE) // 2]) * 26
    assert read(plane, 640, 640, 360) is None


def test_a_line_of_a_plane_may_be_longer_than_the_picture() -> None:
    plane = bytearray(320 * 180)
    draw(plane, 320, 180, TimeCode(1, 77, 1))
    padded = b"".join(bytes(plane[y * 320 : y * 320 + 320]) + bytes(64) for y in range(180))
    assert read(padded, 384, 320, 180) == TimeCode(1, 77, 1)
