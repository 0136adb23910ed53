"""Busy times out of another body's calendar file. Pure: bytes in, times out, within a bound.

**Source:** RFC 5545 section 3.6.1 (VEVENT), 3.8.4.4 (RECURRENCE-ID), 3.8.2.7 (TRANSP); RFC 5546
section 3.2.5 (CANCEL); MS-OXCICAL (X-MICROSOFT-CDO-BUSYSTATUS).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.errors import N_, AppError, Invalid
from schedules.calendars.event_times import EventTimes, Marks, Span
from schedules.calendars.file_zones import FileZones
from schedules.calendars.lines import Component, read_components, unescaped
from schedules.calendars.recurrence import Endless, Work
from schedules.ical import one_line

TIMES_MAX = 10_000  # of all events together
SUMMARY_LENGTH = 200  # the column's
PROBLEMS_KEPT = 20
NOTHING = timedelta()


@dataclass(frozen=True)
class Busy:
    """Somebody or something is taken from `starts_at` up to, not including, `ends_at`; both aware UTC."""

    starts_at: datetime
    ends_at: datetime
    summary: str


@dataclass(frozen=True)
class Problem:
    """An event that was left out.  line: where it begins in the file; code: of what is wrong with it."""

    line: int
    summary: str
    code: str


@dataclass(frozen=True)
class Read:
    """What a calendar says.

    busy: in order of time; skipped: how many events could not be read; problems: the first 20 of them.
    """

    busy: list[Busy]
    skipped: int = 0
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Override:
    """An event that stands for one time of a series, or for that and all later ones."""

    event: Component
    times: EventTimes


@dataclass(frozen=True)
class Future:
    """What an override says of the later times: how far they move, and how long they last."""

    begins: datetime
    shift: timedelta
    length: timedelta
    event: Component


def read_busy(data: bytes, since: datetime, until: datetime, zone: str, work: Work | None = None) -> Read:
    """Return when the events of a calendar keep its owner busy.

    data: an iCalendar file of at most 2 MB; since, until: aware, events that overlap them are returned
    whole; zone: IANA name, for times that name none and for whole days; work: what may be done, None: as
    much as is usual. An event that cannot be read is left out and counted.
    Raises Invalid: `calendar.too_large`, `calendar.not_a_calendar`, `calendar.bad_nesting`,
    `calendar.cut_off`, `calendar.too_many_events`, `calendar.too_many_times`, `calendar.endless_rule`,
    and for an unknown zone.
    """
    reader = _Reader(since.astimezone(UTC), until.astimezone(UTC), work or Work())
    for file in read_components(data):
        reader.read(file, zone)
    reader.busy.sort(key=lambda busy: (busy.starts_at, busy.ends_at, busy.summary))
    return Read(reader.busy, reader.skipped, tuple(reader.problems))


class _Reader:
    """Goes through the events and keeps what it finds."""

    def __init__(self, since: datetime, until: datetime, work: Work) -> None:
        self._since, self._until, self._work = since, until, work
        self.busy: list[Busy] = []
        self.skipped = 0
        self.problems: list[Problem] = []

    def read(self, file: Component, zone: str) -> None:
        """Add the busy times of one VCALENDAR."""
        definitions = [part for part in file.parts if part.kind == "VTIMEZONE"]
        low, high = self._since.replace(tzinfo=None), self._until.replace(tzinfo=None)
        zones = FileZones(definitions, zone, low, high, self._work)
        if file.text("METHOD").upper() == "CANCEL":
            return
        for events in _by_uid(part for part in file.parts if part.kind == "VEVENT"):
            overrides: list[Override] = []
            for event in _newest_overrides(events):
                with self._skipping(event):
                    times = EventTimes(event, zones)
                    times.mark(event.all("RECURRENCE-ID")[0])
                    overrides.append(Override(event, times))
            for master in _newest_masters(events):
                with self._skipping(master):
                    self._add_series(master, overrides, zones)
            for override in overrides:
                own = override.times.own
                if is_busy(override.event) and self._is_asked_for(own):
                    self._check_room(1)
                    self.busy.append(Busy(own.starts_at, own.ends_at, summary_of(override.event)))

    @contextmanager
    def _skipping(self, event: Component) -> Iterator[None]:
        """Count what is wrong with an event and go on, save where it would never end."""
        try:
            yield
        except Endless as error:
            raise Invalid(
                "calendar.endless_rule",
                N_("The event “%(summary)s” (line %(line)s) recurs too often to be worked out."),
                summary=summary_of(event),
                line=event.line,
            ) from error
        except (Invalid, ValueError, OverflowError) as error:
            code = error.code if isinstance(error, AppError) else "calendar.bad_time"
            if code == "calendar.too_many_times":
                raise
            self.skipped += 1
            if len(self.problems) < PROBLEMS_KEPT:
                self.problems.append(Problem(event.line, summary_of(event), code))

    def _add_series(self, master: Component, overrides: list[Override], zones: FileZones) -> None:
        times = EventTimes(master, zones)
        replaced, futures = Marks(), []
        for override in overrides:
            self._work.spend()  # many masters and many overrides of one UID would be their product
            line = override.event.all("RECURRENCE-ID")[0]
            replaced.add(times.mark(line))
            if line.parameters.get("RANGE", "").upper() == "THISANDFUTURE":
                own, begins = override.times.own, times.begins(line)
                futures.append(Future(begins, own.starts_at - begins, own.ends_at - own.starts_at, override.event))
        futures.sort(key=lambda future: future.begins)
        # Times that lie outside may be moved into what is asked for.
        reach = max((abs(future.shift) + future.length for future in futures), default=NOTHING)
        found: list[tuple[Component, Span]] = []  # added at the end, so that a broken event adds nothing
        for span in times.spans(self._since - reach, self._until + reach, self._work):
            if span in replaced:
                continue
            event, moved = _moved(master, span, futures, self._work)
            if is_busy(event) and self._is_asked_for(moved):
                found.append((event, moved))
                self._check_room(len(found))
        names = {id(event): summary_of(event) for event in (master, *(future.event for future in futures))}
        self.busy += [Busy(span.starts_at, span.ends_at, names[id(event)]) for event, span in found]

    def _is_asked_for(self, span: Span) -> bool:
        """Say whether a time lasts at all and overlaps what is asked for."""
        return span.starts_at < span.ends_at and span.starts_at < self._until and span.ends_at > self._since

    def _check_room(self, more: int) -> None:
        if len(self.busy) + more > TIMES_MAX:
            raise Invalid(
                "calendar.too_many_times", N_("The calendar has more than %(limit)s busy times."), limit=TIMES_MAX
            )


def is_busy(event: Component) -> bool:
    """Say whether an event takes its owner's time; who is there tentatively does not count as free."""
    return (
        event.text("TRANSP").upper() != "TRANSPARENT"
        and event.text("STATUS").upper() != "CANCELLED"
        and event.text("X-MICROSOFT-CDO-BUSYSTATUS").upper() != "FREE"
    )


def summary_of(event: Component) -> str:
    """Return what an event is called, in one line that fits its column."""
    return one_line(unescaped(event.text("SUMMARY")))[:SUMMARY_LENGTH]


def _moved(master: Component, span: Span, futures: list[Future], work: Work) -> tuple[Component, Span]:
    """Return which event holds at a time of a series, and when it takes place then."""
    event, moved = master, span
    for future in futures:
        work.spend()
        if span.starts_at >= future.begins:
            starts_at = span.starts_at + future.shift
            event, moved = future.event, Span(span.local, starts_at, starts_at + future.length)
    return event, moved


def _by_uid(events: Iterable[Component]) -> Iterator[list[Component]]:
    """Yield the events that belong together; one without a UID belongs to none."""
    together: dict[object, list[Component]] = {}
    for event in events:
        together.setdefault(event.text("UID") or id(event), []).append(event)
    yield from together.values()


def _newest_masters(events: list[Component]) -> list[Component]:
    """Return the events that are no overrides; of several versions those with the highest SEQUENCE."""
    masters = [event for event in events if not event.text("RECURRENCE-ID")]
    newest = max((_sequence(event) for event in masters), default=0)
    return [event for event in masters if _sequence(event) == newest]


def _newest_overrides(events: list[Component]) -> list[Component]:
    """Return the newest version of each override."""
    newest: dict[str, Component] = {}
    for event in events:
        named = event.text("RECURRENCE-ID")
        if named and (named not in newest or _sequence(event) >= _sequence(newest[named])):
            newest[named] = event
    return list(newest.values())


def _sequence(event: Component) -> int:
    text = event.text("SEQUENCE")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
