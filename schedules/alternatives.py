"""Other times for a lecture whose time is taken. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from schedules.conflicts import Hold, Taken
from schedules.records import ResourceKind
from schedules.zones import from_wall, to_local

FIRST_START, LAST_END = time(7), time(21, 30)  # on the wall clock: nobody wants to be offered a night
GRID = timedelta(minutes=30)
SAME_DAY, OTHER_DAYS = 3, 4  # how many are offered


@dataclass(frozen=True)
class Span:
    """An interval that is offered."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Swap:
    """What could be taken instead of what is taken.

    point_id: of the point it is for; instead_of: the id of what is taken; organisation: whose it is.
    """

    kind: ResourceKind
    point_id: str
    instead_of: str
    id: str
    name: str
    organisation: str


@dataclass(frozen=True)
class Offers:
    """What is free instead: other times, the nearest first, other points and other sets of equipment."""

    times: tuple[Span, ...] = ()
    points: tuple[Swap, ...] = ()
    equipment: tuple[Swap, ...] = ()


def free_times(
    wishes: Sequence[Hold],
    taken: Taken,
    span: Span,
    zone: str,
    now: datetime,
    may_teach: Callable[[datetime, datetime], bool],
) -> list[Span]:
    """Return free times as long as `span`: the nearest on its day, then the best of each other day of its week.

    wishes: what is needed at `span`; it is needed as much earlier or later at another time. may_teach:
    whether an interval lies within the lecturer's hours.
    """
    wanted = to_local(span.starts_at, zone)

    def is_free(at: Span) -> bool:
        by = at.starts_at - span.starts_at
        return (
            at.starts_at > now
            and at.starts_at != span.starts_at
            and all(taken.is_free(w._replace(starts_at=w.starts_at + by, ends_at=w.ends_at + by)) for w in wishes)
            and may_teach(at.starts_at, at.ends_at)
        )

    same_day: list[Span] = []
    others: list[tuple[int, Span]] = []
    monday = wanted.date() - timedelta(days=wanted.weekday())
    for n in range(7):
        away = abs(n - wanted.weekday())
        near = sorted(_starts(monday + timedelta(days=n), span, zone), key=lambda at: _apart(at, wanted, zone))
        found = (at for at in near if is_free(at))
        if away == 0:
            same_day = [at for at, _ in zip(found, range(SAME_DAY), strict=False)]
        elif (best := next(found, None)) is not None:
            others.append((away, best))
    others.sort(key=lambda pair: (pair[0], pair[1].starts_at))
    return same_day + [at for _, at in others[:OTHER_DAYS]]


def _starts(day: date, span: Span, zone: str) -> Iterator[Span]:
    """Yield the spans of a day on the grid, within waking hours; a lecture that is longer than that has none."""
    at = datetime.combine(day, FIRST_START)
    end = datetime.combine(day, LAST_END)
    length = span.ends_at - span.starts_at
    while at + length <= end:
        start = from_wall(at, zone)
        yield Span(start, start + length)
        at += GRID


def _apart(at: Span, wanted: datetime, zone: str) -> tuple[float, datetime]:
    """Return how far two times of day are apart, for sorting."""
    local = to_local(at.starts_at, zone)
    minutes = (local.hour - wanted.hour) * 60 + local.minute - wanted.minute
    return abs(minutes), at.starts_at
