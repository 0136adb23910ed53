from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from schedules.zones import from_local, interval_words, midnight, to_local, zone_named

ZONES = ("Asia/Ho_Chi_Minh", "UTC", "Europe/Berlin", "America/New_York")


@given(st.datetimes(datetime(1970, 1, 2), datetime(2100, 12, 31), timezones=st.just(UTC)), st.sampled_from(ZONES))
def test_a_wall_clock_leads_back_to_its_moment_save_in_the_hour_that_comes_twice(at: datetime, zone: str) -> None:
    wall = to_local(at, zone)
    if wall.fold == 0:
        assert from_local(wall.replace(tzinfo=None), zone) == at


@pytest.mark.parametrize(
    "name", ["", "Asia/Hanoi", "asia/ho_chi_minh", "../../etc/passwd", "Asia/Ho_Chi_Minh\x00", "+07"]
)
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        zone_named(name)
    assert refused.value.code == "lecture.unknown_zone"


def test_a_time_that_clocks_skip_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        from_local(datetime(2026, 3, 29, 2, 30), "Europe/Berlin")
    assert refused.value.code == "lecture.no_such_time"


def test_a_time_that_comes_twice_means_the_first() -> None:
    assert from_local(datetime(2026, 10, 25, 2, 30), "Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_vietnam_was_an_hour_further_east_before_1975() -> None:
    assert from_local(datetime(1974, 6, 1, 8), "Asia/Ho_Chi_Minh") == datetime(1974, 6, 1, 0, tzinfo=UTC)
    assert from_local(datetime(2026, 6, 1, 8), "Asia/Ho_Chi_Minh") == datetime(2026, 6, 1, 1, tzinfo=UTC)


def test_a_day_begins_at_local_midnight() -> None:
    assert midnight(date(2026, 3, 2), "Asia/Ho_Chi_Minh") == datetime(2026, 3, 1, 17, tzinfo=UTC)


def test_an_interval_is_told_as_people_there_read_it() -> None:
    start, end = datetime(2026, 3, 2, 1, tzinfo=UTC), datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
    assert interval_words(start, end, "Asia/Ho_Chi_Minh") == "08:00–09:30, 02/03/2026"
