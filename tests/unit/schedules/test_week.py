from datetime import UTC, date, datetime, timedelta

import pytest

from schedules.week import days_of, monday_of, week_name
from tests.unit.schedules.plans import plan

MONDAY = date(2026, 3, 2)
ZONE = "Asia/Ho_Chi_Minh"


@pytest.mark.parametrize(
    ("name", "monday"),
    [
        ("2026-W10", MONDAY),
        ("2026-W01", date(2025, 12, 29)),  # an ISO year may begin in December
        ("2020-W53", date(2020, 12, 28)),  # a year with 53 weeks
        ("2026-W54", MONDAY),  # no such week: the present one
        ("0000-W01", MONDAY),
        ("week", MONDAY),
        (None, MONDAY),
    ],
)
def test_a_week_is_found_by_its_iso_name(name: str | None, monday: date) -> None:
    assert monday_of(name, today=date(2026, 3, 4)) == monday


def test_a_week_has_the_name_it_is_found_by() -> None:
    assert monday_of(week_name(date(2020, 12, 28)), today=MONDAY) == date(2020, 12, 28)


def test_lectures_stand_on_their_local_day_in_order() -> None:
    late = plan(id="lec_b", starts_at=datetime(2026, 3, 2, 17, 30, tzinfo=UTC))  # 00:30 on Tuesday in Vietnam
    early = plan(id="lec_a", starts_at=datetime(2026, 3, 2, 17, 0, tzinfo=UTC))
    days = days_of(MONDAY, [late, early], ZONE)
    assert [day.date for day in days] == [MONDAY + timedelta(days=n) for n in range(7)]
    assert [lecture.id for lecture in days[1].lectures] == ["lec_a", "lec_b"]
    assert not days[0].lectures


def test_a_lecture_that_runs_into_the_week_stands_on_its_first_day() -> None:
    sunday_night = plan(starts_at=datetime(2026, 3, 1, 16, 30, tzinfo=UTC))
    assert days_of(MONDAY, [sunday_night], ZONE)[0].lectures == (sunday_night,)
