"""A zone's rules as a VTIMEZONE. Pure.

icalendar can make one (`Timezone.from_tzid`), but 7.3.0 gives the onset of summer time an hour late:
RFC 5545 wants it on the clock as it was before the change, so programs that follow the VTIMEZONE and
not their own tables would be wrong for an hour a year.

**Source:** RFC 5545 section 3.6.5 (VTIMEZONE), the meaning of DTSTART, TZOFFSETFROM and TZOFFSETTO.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@dataclass(frozen=True)
class Rule:
    """What a zone's clocks show at some moment."""

    offset: timedelta  # east of UTC
    is_daylight: bool
    name: str


@dataclass(frozen=True)
class Onset:
    """From `at` on, a moment, clocks follow `now` and no longer `before`."""

    at: datetime
    before: Rule
    now: Rule


def onsets(zone: str, first_year: int, last_year: int) -> Iterator[Onset]:
    """Yield the rule at the beginning of `first_year` and each change until the end of `last_year`.

    A rule is looked up once a day, so two changes within a day would be one; no zone has that since 1950.
    """
    place = ZoneInfo(zone)
    at, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    rule = _rule(place, at)
    yield Onset(at, rule, rule)
    while at < end:
        then = at + DAY
        changed = _rule(place, then)
        if changed != rule:
            yield Onset(_first_moment(place, at, then, rule), rule, changed)
            rule = changed
        at = then


def _rule(place: ZoneInfo, at: datetime) -> Rule:
    local = at.astimezone(place)
    return Rule(local.utcoffset() or timedelta(), bool(local.dst()), local.tzname() or "")


def _first_moment(place: ZoneInfo, low: datetime, high: datetime, old: Rule) -> datetime:
    """Return the first second in (low, high] at which the rule is not `old`."""
    while high - low > SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        low, high = (middle, high) if _rule(place, middle) == old else (low, middle)
    return high


@lru_cache(maxsize=64)
def zone_rules(zone: str, first_year: int, last_year: int) -> bytes:
    """Return the VTIMEZONE of a zone, true from `first_year` to `last_year`, as iCalendar text."""
    component = Timezone()
    component.add("tzid", zone)
    alike: dict[tuple[Rule, timedelta], list[datetime]] = {}
    for onset in onsets(zone, first_year, last_year):
        clock_before = (onset.at + onset.before.offset).replace(tzinfo=None)
        alike.setdefault((onset.now, onset.before.offset), []).append(clock_before)
    for (rule, offset_before), times in alike.items():
        part = TimezoneDaylight() if rule.is_daylight else TimezoneStandard()
        part.add("dtstart", times[0])
        for later in times[1:]:
            part.add("rdate", later)  # a line each: some programs (vobject 0.9) read only a line's first
        part.add("tzname", rule.name)
        part.add("tzoffsetfrom", offset_before)
        part.add("tzoffsetto", rule.offset)
        component.add_component(part)
    return bytes(component.to_ical())
