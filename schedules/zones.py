"""Local time and UTC: a place's zone is for calendars and screens only. Pure."""

from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from core.errors import N_, Invalid

FIRST_YEAR, LAST_YEAR = 1970, 2100  # beyond these nobody plans, and a date could run out of the calendar


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


def zone_named(name: str) -> ZoneInfo:
    """Return the zone of an IANA name such as `Asia/Ho_Chi_Minh`.  Raises Invalid for any other text."""
    if name not in _names():
        raise Invalid("lecture.unknown_zone", N_("There is no time zone called “%(zone)s”."), zone=name[:60])
    return ZoneInfo(name)


def check_year(day: date) -> None:
    """Raise Invalid unless a day, or a moment, lies in the years in which anything is planned."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Invalid(
            "date.out_of_range",
            N_("%(day)s is too far away. Please give a day in the years %(first)s to %(last)s."),
            day=f"{day.day:02}/{day.month:02}/{day.year:04}",
            first=FIRST_YEAR,
            last=LAST_YEAR,
        )


def from_local(at: datetime, zone: str) -> datetime:
    """Return the UTC moment of a time on a wall clock.

    at: naive; zone: IANA name. A time that comes twice, when clocks go back, means the first.
    Raises Invalid for an unknown zone, a time that clocks skip when they go forward, and what `check_year` refuses.
    """
    place = zone_named(zone)
    check_year(at)
    moment = at.replace(tzinfo=place, fold=0).astimezone(UTC)
    if moment.astimezone(place).replace(tzinfo=None) != at.replace(fold=0):
        raise Invalid(
            "lecture.no_such_time",
            N_("%(time)s does not exist in %(zone)s: the clocks go forward then."),
            time=f"{at:%d/%m/%Y %H:%M}",
            zone=zone,
        )
    return moment


def from_wall(at: datetime, zone: str) -> datetime:
    """Return the UTC moment of a time on a wall clock; one that clocks skip is as much later as they skip."""
    return at.replace(tzinfo=zone_named(zone), fold=0).astimezone(UTC)


def to_local(at: datetime, zone: str) -> datetime:
    """Return an aware moment on the wall clock of a zone, still aware."""
    return at.astimezone(zone_named(zone))


def interval_words(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    """Return an interval as a person in that zone reads it: `08:00–09:30, 02/03/2026`."""
    start, end = to_local(starts_at, zone), to_local(ends_at, zone)
    if start.date() == end.date():
        return f"{start:%H:%M}–{end:%H:%M}, {start:%d/%m/%Y}"
    return f"{start:%H:%M %d/%m/%Y} – {end:%H:%M %d/%m/%Y}"


def midnight(day: date, zone: str) -> datetime:
    """Return the UTC moment at which a day begins in a zone; where clocks skip midnight, just after."""
    return datetime.combine(day, time.min, zone_named(zone)).astimezone(UTC)
