"""When one VEVENT of a calendar file takes place. Pure.

**Source:** RFC 5545 section 3.3.6 (DURATION: days on the clock, hours exactly), 3.3.9 (PERIOD),
3.6.1 (an event without an end), 3.8.4.4 (RECURRENCE-ID), 3.8.5.3 (DTEND makes every length exact).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from core.errors import N_, Invalid
from schedules.calendars.file_zones import FileZones, bad_time, read_local
from schedules.calendars.lines import Component, Property
from schedules.calendars.recurrence import Rule, Work, occurrences, parse_rule

DAY = timedelta(days=1)
DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
DURATION = re.compile(
    r"\+?P(?:([0-9]{1,4})W)?(?:([0-9]{1,5})D)?(?:T(?:([0-9]{1,6})H)?(?:([0-9]{1,8})M)?(?:([0-9]{1,9})S)?)?"
)
EARLIEST, LATEST = datetime(1, 1, 3), datetime(9999, 12, 29)  # a day each way, so that every zone can be applied


@dataclass(frozen=True)
class Span:
    """One time an event takes place.

    local: its start on the event's own wall clock, naive, midnight for whole days; starts_at, ends_at: aware UTC.
    """

    local: datetime
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Length:
    """How long an event lasts: days on the clock, and then exactly so much."""

    days: timedelta
    exactly: timedelta

    @property
    def about(self) -> timedelta:
        """Return the length, true to the changes of clocks."""
        return self.days + self.exactly


class Marks:
    """Times of a series that are named one by one: to leave out, or because something replaces them."""

    def __init__(self) -> None:
        self._moments: set[datetime] = set()
        self._days: set[date] = set()

    def add(self, at: datetime | date) -> None:
        """Name a moment, aware UTC, or all that begins on a day."""
        if isinstance(at, datetime):
            self._moments.add(at)
        else:
            self._days.add(at)

    def __contains__(self, span: Span) -> bool:
        return span.starts_at in self._moments or span.local.date() in self._days


class EventTimes:
    """The times of one VEVENT, read.  Raises Invalid when made from one whose start or end makes no sense."""

    def __init__(self, event: Component, zones: FileZones) -> None:
        """Read DTSTART and DTEND or DURATION of `event`; its time zones are looked up in `zones`."""
        self._event, self._zones = event, zones
        start = event.first("DTSTART")
        if start is None:
            raise Invalid("calendar.no_start", N_("The event has no start."))
        self.whole_days = is_date(start)
        self._tzid = "" if self.whole_days else start.parameters.get("TZID", "")
        self._is_utc = not self.whole_days and start.value.strip().upper().endswith("Z")
        self.local = read_date(start.value) if self.whole_days else read_local(start.value)
        self.starts_at = self._to_utc(self.local)
        self.length = self._length()
        self.own = self._span(self.local)

    def _to_utc(self, local: datetime) -> datetime:
        if not EARLIEST < local < LATEST:
            raise bad_time(f"{local:%Y%m%dT%H%M%S}")
        return local.replace(tzinfo=UTC) if self._is_utc else self._zones.named(self._tzid)(local)

    def _span(self, local: datetime, length: Length | None = None) -> Span:
        length = length or self.length
        starts_at = self._to_utc(local)
        ends_at = (self._to_utc(local + length.days) if length.days else starts_at) + length.exactly
        return Span(local, starts_at, ends_at)

    def _length(self) -> Length:
        end, duration = self._event.first("DTEND"), self._event.text("DURATION")
        if end is None:
            return read_duration(duration) if duration else Length(DAY if self.whole_days else timedelta(), timedelta())
        if self.whole_days or is_date(end):
            days = datetime.combine(self._day(end), time.min) - datetime.combine(self.local, time.min)
            length = Length(max(days, DAY), timedelta())  # many end a day's event on the day itself
        else:
            days = timedelta()
            length = Length(timedelta(), self.moment(end) - self.starts_at)
        if days < timedelta() or length.about < timedelta():
            raise Invalid("calendar.ends_before_start", N_("The event ends before it starts."))
        return length

    def _day(self, line: Property) -> date:
        """Return the day that a property names, of a time the day it lies on."""
        return (read_date(line.value) if is_date(line) else read_local(line.value)).date()

    def moment(self, line: Property) -> datetime:
        """Return the moment of a DATE-TIME; one that names no zone is on the clock of this event."""
        local = read_local(line.value)
        if not EARLIEST < local < LATEST:
            raise bad_time(line.value)
        if line.value.strip().upper().endswith("Z"):
            return local.replace(tzinfo=UTC)
        tzid = line.parameters.get("TZID", "")
        return self._zones.named(tzid)(local) if tzid else self._to_utc(local)

    def mark(self, line: Property) -> datetime | date:
        """Return what an EXDATE of one value or a RECURRENCE-ID names: a moment, aware UTC, or a day."""
        return self._day(line) if self.whole_days or is_date(line) else self.moment(line)

    def begins(self, line: Property) -> datetime:
        """Return the moment from which a RECURRENCE-ID with RANGE=THISANDFUTURE holds."""
        named = self.mark(line)
        return named if isinstance(named, datetime) else self._to_utc(datetime.combine(named, time.min))

    def spans(self, low: datetime, high: datetime, work: Work) -> Iterator[Span]:
        """Yield each time that the event takes place and may overlap `low` to `high`, without what EXDATE leaves out.

        low, high: aware UTC; work: paid for everything looked at.  Raises Endless when it does not suffice,
        Invalid for a rule, RDATE or EXDATE that makes no sense.
        """
        left_out, seen = Marks(), set()
        for line in _single(self._event.all("EXDATE"), work):
            left_out.add(self.mark(line))
        for rule in self._event.all("EXRULE"):  # of RFC 2445; still found in old files
            for local in self._of_rule(parse_rule(rule.value), low, high, work):
                left_out.add(self._to_utc(local))
        for span in self._candidates(low, high, work):
            if span not in left_out and span.starts_at not in seen:
                seen.add(span.starts_at)
                yield span

    def _candidates(self, low: datetime, high: datetime, work: Work) -> Iterator[Span]:
        yield self.own
        for line in _single(self._event.all("RDATE"), work):
            yield self._of_rdate(line)
        for rule in self._event.all("RRULE"):
            for local in self._of_rule(parse_rule(rule.value), low, high, work):
                yield self._span(local)

    def _of_rule(self, rule: Rule, low: datetime, high: datetime, work: Work) -> Iterator[datetime]:
        """Yield the local times of a rule as far as UNTIL, from a length before `low` to `high`."""
        first = max(low.replace(tzinfo=None) - EARLIEST - DAY - self.length.about, timedelta()) + EARLIEST
        last = min(high.replace(tzinfo=None), LATEST - DAY) + DAY
        for local in occurrences(rule, self.local, first, last, work):
            if rule.until and not self._is_before(local, rule.until):
                return
            yield local

    def _is_before(self, local: datetime, until: str) -> bool:
        """Say whether UNTIL still allows a time; programs write it as a day, a local time, or in UTC."""
        if DATE.fullmatch(until):
            return local.date() <= read_date(until).date()
        end = read_local(until)
        if not until.endswith("Z"):
            return local <= end
        # Of whole days some write midnight in UTC for the last day itself, others the moment that it begins.
        return self._to_utc(local) <= end.replace(tzinfo=UTC) or (self.whole_days and local <= end)

    def _of_rdate(self, line: Property) -> Span:
        begin, slash, end = line.value.partition("/")
        start = Property(line.name, {**line.parameters, "VALUE": ""}, begin, line.line)
        if self.whole_days or is_date(start):
            day = datetime.combine(self._day(start), time.min)
            return self._span(day if self.whole_days else datetime.combine(day, self.local.time()))
        starts_at, local = self.moment(start), read_local(begin)
        if not slash:
            return Span(local, starts_at, starts_at + (self.own.ends_at - self.own.starts_at))
        if end.strip().upper().lstrip("+").startswith("P"):
            return Span(local, starts_at, starts_at + read_duration(end).about)
        ends_at = self.moment(Property(line.name, line.parameters, end, line.line))
        return Span(local, starts_at, max(starts_at, ends_at))


def is_date(line: Property) -> bool:
    """Say whether a property's value is a DATE; eight digits are one, whether or not VALUE says so."""
    return line.parameters.get("VALUE", "").upper() == "DATE" or DATE.fullmatch(line.value.strip()) is not None


def read_date(text: str) -> datetime:
    """Return a DATE as its midnight, naive; of a DATE-TIME the day.  Raises Invalid (`calendar.bad_time`)."""
    match = DATE.match(text.strip())
    if match is None:
        raise bad_time(text)
    try:
        return datetime(int(match[1]), int(match[2]), int(match[3]))
    except ValueError as error:
        raise bad_time(text) from error


def read_duration(text: str) -> Length:
    """Return a DURATION that does not go back.  Raises Invalid (`calendar.bad_duration`)."""
    match = DURATION.fullmatch(text.strip().upper())
    if match is None or not any(match.groups()):
        raise Invalid("calendar.bad_duration", N_("“%(text)s” is no length of time."), text=text.strip()[:60])
    weeks, days, hours, minutes, seconds = (int(match[n] or 0) for n in range(1, 6))
    return Length(timedelta(weeks=weeks, days=days), timedelta(hours=hours, minutes=minutes, seconds=seconds))


def _single(lines: list[Property], work: Work) -> Iterator[Property]:
    """Yield each value of properties that may hold several."""
    for line in lines:
        for value in line.value.split(","):
            work.spend()
            if value.strip():
                yield Property(line.name, line.parameters, value.strip(), line.line)
