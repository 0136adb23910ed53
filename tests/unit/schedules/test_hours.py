from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.hours import Window, within_hours
from schedules.zones import to_local

HANOI = "Asia/Ho_Chi_Minh"
MONDAY = datetime(2026, 3, 1, 17, tzinfo=UTC)  # midnight in Vietnam, when Monday 2 March begins


def at(hours: float) -> datetime:
    return MONDAY + timedelta(hours=hours)


MORNINGS = [Window(0, 8 * 60, 12 * 60, HANOI), Window(2, 8 * 60, 12 * 60, HANOI)]


@pytest.mark.parametrize(
    ("start", "end", "within"),
    [
        (8, 12, True),
        (9, 10, True),
        (7.5, 9, False),
        (11, 12.5, False),
        (13, 14, False),
        (24 + 9, 24 + 10, False),  # Tuesday
        (48 + 9, 48 + 10, True),  # Wednesday
        (7 * 24 + 8, 7 * 24 + 12, True),  # the next Monday
        (8, 48 + 12, False),  # over two windows with a gap between them
    ],
)
def test_only_what_a_window_covers_is_within_the_hours(start: float, end: float, within: bool) -> None:
    assert within_hours(at(start), at(end), MORNINGS) is within


def test_somebody_without_windows_can_always_teach() -> None:
    assert within_hours(at(3), at(4), [])


def test_two_windows_that_touch_are_one_even_over_midnight() -> None:
    late = [Window(0, 20 * 60, 1440, HANOI), Window(1, 0, 60, HANOI)]
    assert within_hours(at(23), at(24.5), late)
    assert not within_hours(at(23), at(25.5), late)


def test_windows_are_meant_on_the_clocks_of_their_own_zone() -> None:
    tokyo = [Window(0, 8 * 60, 12 * 60, "Asia/Tokyo")]  # two hours ahead of Vietnam
    assert within_hours(at(6), at(10), tokyo)
    assert not within_hours(at(9), at(11), tokyo)


windows = st.builds(
    lambda day, start, length, zone: Window(day, start * 30, min(1440, (start + length) * 30), zone),
    st.integers(0, 6), st.integers(0, 47), st.integers(1, 48), st.sampled_from([HANOI, "Asia/Tokyo", "Asia/Kathmandu"]),
)  # fmt: skip


@given(st.integers(0, 14 * 48), st.integers(1, 60), st.lists(windows, min_size=1, max_size=6))
def test_it_agrees_with_a_look_at_every_quarter_of_an_hour(
    start: int, length: int, given_windows: list[Window]
) -> None:
    begin = MONDAY + timedelta(minutes=30 * start)
    end = begin + timedelta(minutes=30 * length)

    def open_at(moment: datetime) -> bool:
        for window in given_windows:
            local = to_local(moment, window.zone)
            minute = local.hour * 60 + local.minute
            if local.weekday() == window.weekday and window.starts_min <= minute < window.ends_min:
                return True
        return False

    quarters = [begin + timedelta(minutes=15 * n) for n in range(length * 2)]
    assert within_hours(begin, end, given_windows) is all(open_at(moment) for moment in quarters)
