"""One week of the timetable, day by day. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from schedules.records import LectureView
from schedules.zones import to_local

WEEK_NAME = re.compile(r"(\d{4})-W(\d{2})")  # what <input type="week"> sends. Source: ISO 8601


@dataclass(frozen=True)
class Day:
    """A day and the lectures that start on it, or, on the first day, began before it."""

    date: date
    lectures: tuple[LectureView, ...]


def monday_of(name: str | None, today: date) -> date:
    """Return the Monday of a week such as `2026-W10`; of this week when the name makes no sense."""
    match = WEEK_NAME.fullmatch(name or "")
    try:
        if match:
            return date.fromisocalendar(int(match[1]), int(match[2]), 1)
    except ValueError:
        pass
    return today - timedelta(days=today.weekday())


def week_name(monday: date) -> str:
    """Return the ISO name of a week, such as `2026-W10`."""
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02}"


def days_of(first: date, lectures: Iterable[LectureView], zone: str, count: int = 7) -> list[Day]:
    """Return days with their lectures, earliest first: the seven of a week, or as many as are asked for.

    first: the first day; zone: IANA name of the zone whose midnights part the days.
    """
    by_day: dict[date, list[LectureView]] = {first + timedelta(days=n): [] for n in range(count)}
    for lecture in sorted(lectures, key=lambda x: (x.starts_at, x.id)):
        day = max(local_date(lecture.starts_at, zone), first)
        if day in by_day:
            by_day[day].append(lecture)
    return [Day(day, tuple(found)) for day, found in by_day.items()]


def local_date(at: datetime, zone: str) -> date:
    """Return the day that it is in a zone at an aware moment."""
    return to_local(at, zone).date()
