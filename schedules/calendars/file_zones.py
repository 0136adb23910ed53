"""The time zones that a calendar file names, by IANA, by Windows, or by rules of its own. Pure.

A name of the tz database is believed more than the rules beside it: files often carry those of one
year. Any other name means what the file's VTIMEZONE says; Outlook's “Customized Time Zone” is only
that. A Windows name without a VTIMEZONE is looked up in Unicode's table.

**Source:** RFC 5545 section 3.6.5 (VTIMEZONE), 3.3.5 (a time that clocks skip is read with the offset
before); the table windowsZones of Unicode CLDR, as icalendar has it.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from core.errors import N_, Invalid
from schedules.calendars.lines import Component
from schedules.calendars.recurrence import Work, occurrences, parse_rule
from schedules.zones import zone_named

ToUtc = Callable[[datetime], datetime]  # from a naive time on a wall clock to the moment, aware UTC
ONSETS_MAX = 2_000  # changes of the clocks in one zone's rules
OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})([0-9]{2})?")
LOCAL = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})(Z?)")
YEAR = timedelta(days=366)


def read_local(text: str) -> datetime:
    """Return the naive time of a DATE-TIME, whatever its zone.  Raises Invalid (`calendar.bad_time`)."""
    match = LOCAL.fullmatch(text.strip().upper())
    if match is None:
        raise bad_time(text)
    year, month, day, hour, minute, second = (int(match[n]) for n in range(1, 7))
    try:
        return datetime(year, month, day, hour, minute, min(second, 59))  # 60 is a leap second
    except ValueError as error:
        raise bad_time(text) from error


def bad_time(text: str) -> Invalid:
    """Return the error for a time that cannot be understood."""
    return Invalid("calendar.bad_time", N_("“%(text)s” is no date or time."), text=text.strip()[:60])


class FileZones:
    """The zones of one file, each worked out once and only if it is asked for."""

    def __init__(self, definitions: Iterable[Component], floating: str, low: datetime, high: datetime, work: Work):
        """Know the VTIMEZONEs of a file.

        floating: IANA name for times that name no zone; low, high: naive, between them rules are exact;
        work: paid for the rules' expansion.  Raises Invalid for an unknown `floating`.
        """
        self._definitions = {part.text("TZID"): part for part in reversed(list(definitions))}
        self._bounds = low - YEAR, high + YEAR
        self._work = work
        self._known: dict[str, ToUtc] = {"": _by_tables(zone_named(floating))}

    def named(self, tzid: str) -> ToUtc:
        """Return how to read the wall clock of a TZID; empty: the zone of floating times.

        Raises Invalid (`calendar.unknown_zone`) for one that nobody explains, `calendar.bad_zone` for
        rules that make no sense, Endless for rules that take too long.
        """
        if tzid not in self._known:
            self._known[tzid] = self._find(tzid)
        return self._known[tzid]

    def _find(self, tzid: str) -> ToUtc:
        definition = self._definitions.get(tzid)
        place = definition.text("X-LIC-LOCATION") if definition else ""
        for name in (tzid, "/".join(tzid.split("/")[-2:]), "/".join(tzid.split("/")[-3:]), place):
            zone = _of_tz_database(name)
            if zone:
                return _by_tables(zone)
        if definition:
            return _by_rules(definition, *self._bounds, self._work)
        zone = _of_tz_database(WINDOWS_TO_OLSON.get(tzid, ""))
        if zone is None:
            raise Invalid("calendar.unknown_zone", N_("The time zone “%(zone)s” is not known."), zone=tzid[:60])
        return _by_tables(zone)


def _of_tz_database(name: str) -> ZoneInfo | None:
    try:
        return zone_named(name)
    except Invalid:
        return None


def _by_tables(zone: ZoneInfo) -> ToUtc:
    return lambda local: local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _by_rules(definition: Component, low: datetime, high: datetime, work: Work) -> ToUtc:
    """Return how to read the clock of a VTIMEZONE: the last change before a time says its offset."""
    changes: list[tuple[datetime, timedelta, timedelta]] = []  # clock before the change, offset before, offset after
    for part in definition.parts:
        if part.kind in ("STANDARD", "DAYLIGHT"):
            before, after = _offset(part.text("TZOFFSETFROM")), _offset(part.text("TZOFFSETTO"))
            changes.extend((at, before, after) for at in _onsets(part, before, low, high, work))
    if not changes or len(changes) > ONSETS_MAX:
        raise _bad_zone(definition.text("TZID"))
    changes.sort()
    times = [at for at, _, _ in changes]

    def to_utc(local: datetime) -> datetime:
        index = bisect_right(times, local) - 1
        offset = changes[index][2] if index >= 0 else changes[0][1]
        if index >= 0 and local < changes[index][0] + (offset - changes[index][1]):
            offset = changes[index][1]  # skipped when clocks went forward
        return local.replace(tzinfo=UTC) - offset

    return to_utc


def _onsets(part: Component, before: timedelta, low: datetime, high: datetime, work: Work) -> list[datetime]:
    """Return when a rule sets in, on the clock before it: first of all, between the bounds, and last of all."""
    start = read_local(part.text("DTSTART"))
    found = [start]
    for rdate in part.all("RDATE"):
        texts = rdate.value.split(",")
        work.spend(len(texts))  # a zone that makes no sense is looked at by every event that names it
        found += [read_local(text) for text in texts]
    for line in part.all("RRULE")[:1]:
        rule = parse_rule(line.value)
        until = read_local(rule.until) + before if rule.until else high  # of zones UNTIL is always in UTC
        from_at = min(low, until - 2 * YEAR)  # so that a rule that has ended still says how it ended
        found += islice(occurrences(rule, start, from_at, min(high, until), work), ONSETS_MAX)
    return found


def _offset(text: str) -> timedelta:
    match = OFFSET.fullmatch(text)
    if match is None or int(match[2]) > 23 or int(match[3]) > 59 or int(match[4] or 0) > 59:
        raise _bad_zone(text)
    size = timedelta(hours=int(match[2]), minutes=int(match[3]), seconds=int(match[4] or 0))
    return -size if match[1] == "-" else size


def _bad_zone(text: str) -> Invalid:
    return Invalid("calendar.bad_zone", N_("The rules of the time zone “%(zone)s” make no sense."), zone=text[:60])
