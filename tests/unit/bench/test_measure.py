from bench.class_day.measure import delay_ms, first_made_after, longest_gap_ms, moves, of_source
from bench.timecode import MS_MODULUS

NOON = 1_772_434_800_000


def shown(*times_ms: int, delay: int = 80, source: int = 30) -> list[list[int]]:
    return [[NOON + at, source, (NOON + at - delay) % MS_MODULUS, 0, 640] for at in times_ms]


def test_the_delay_is_the_median_over_the_pictures() -> None:
    assert delay_ms(shown(0, 66, 133, delay=120)) == 120
    assert delay_ms([]) is None


def test_a_frozen_picture_does_not_count_as_made_after_the_kill() -> None:
    frozen = [[NOON + 5000, 30, (NOON - 40) % MS_MODULUS, 0, 640]]
    assert first_made_after(frozen, NOON) is None
    assert first_made_after([*frozen, *shown(6000)], NOON) == NOON + 6000


def test_a_gap_reaches_to_the_ends_of_the_interval() -> None:
    samples = shown(100, 200, 900)
    assert longest_gap_ms(samples, NOON, NOON + 1000) == 700
    assert longest_gap_ms([], NOON, NOON + 1000) == 1000


def test_a_picture_that_stands_still_is_not_live() -> None:
    assert moves(shown(0, 66, 133))
    assert not moves([[NOON + at, 30, 5, 0, 640] for at in range(0, 1000, 66)])


def test_sources_are_told_apart() -> None:
    assert of_source([*shown(0, source=1), *shown(5)], 1) == shown(0, source=1)
