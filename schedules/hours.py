"""The hours at which a lecturer can teach. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from schedules.zones import from_wall, to_local

DAY_MIN = 1440


@dataclass(frozen=True)
class Window:
    """Every week on one weekday (0 Monday … 6 Sunday), from and up to these minutes after local midnight."""

    weekday: int
    starts_min: int
    ends_min: int
    zone: str


def within_hours(starts_at: datetime, ends_at: datetime, windows: Sequence[Window]) -> bool:
    """Return whether the windows together cover [starts_at, ends_at); somebody without windows always can."""
    if not windows:
        return True
    reached = starts_at
    for start, end in sorted(_moments(starts_at, ends_at, windows)):
        if start > reached:
            break
        reached = max(reached, end)
    return reached >= ends_at


def _moments(starts_at: datetime, ends_at: datetime, windows: Sequence[Window]) -> list[tuple[datetime, datetime]]:
    """Return the windows around an interval as moments; those that are over before it begins are left out."""
    found = []
    for window in windows:
        first = to_local(starts_at, window.zone).date() - timedelta(days=1)
        last = to_local(ends_at, window.zone).date()
        day = first + timedelta(days=(window.weekday - first.weekday()) % 7)
        while day <= last:
            begin, end = _at(day, window.starts_min, window.zone), _at(day, window.ends_min, window.zone)
            if end > starts_at:
                found.append((begin, end))
            day += timedelta(days=7)
    return found


def _at(day: date, minutes: int, zone: str) -> datetime:
    days, minutes = divmod(minutes, DAY_MIN)
    wall = datetime.combine(day + timedelta(days=days), time(minutes // 60, minutes % 60))
    return from_wall(wall, zone)
