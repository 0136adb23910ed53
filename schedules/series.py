"""The lectures of a series, one by one. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from core.errors import N_, Invalid
from schedules.records import LectureDraft, SeriesDraft
from schedules.zones import check_year, from_local, to_local

MOST = 200  # lectures in one series: weekly for almost four years
LONGEST_DAYS = 1500  # from the first to the last


def expand(series: SeriesDraft) -> list[LectureDraft]:
    """Return the drafts of all lectures of a series, earliest first; the time on the wall clock stays the same.

    Raises Invalid for a series that has none, has more than 200, or makes no sense by itself, and for a
    day on which clocks skip its time.
    """
    times = [(series.first.starts_at, series.first.ends_at), *((part.starts_at, part.ends_at) for part in series.parts)]
    for start, end in times:
        check_year(start)
        check_year(end)
    drafts = _agenda(series) if series.kind == "agenda" else [_on(series.first, day) for day in _days(series)]
    drafts.sort(key=lambda draft: draft.starts_at)
    if not drafts:
        raise Invalid("series.empty", N_("There is no lecture left in this series."))
    if len({draft.starts_at for draft in drafts}) != len(drafts):
        raise Invalid("series.twice", N_("Two lectures of the series start at the same time."))
    return _share_margins(drafts)


def moved(draft: LectureDraft, by: timedelta, length: timedelta, zone: str) -> LectureDraft:
    """Return a draft moved on the wall clock and lasting `length`.

    by: how much later, as the difference of two naive local times; zone: IANA name of that clock.
    """
    wall = to_local(draft.starts_at, zone).replace(tzinfo=None) + by
    start = from_local(wall, zone)
    return replace(draft, starts_at=start, ends_at=start + length)


def _days(series: SeriesDraft) -> list[date]:
    days = set(series.dates) if series.kind == "dates" else set(_weekly(series))
    days -= set(series.without)
    if len(days) > MOST:
        raise _too_many()
    if days and (max(days) - min(days)).days > LONGEST_DAYS:
        raise _too_long()
    return sorted(days)


def _weekly(series: SeriesDraft) -> Iterator[date]:
    if (series.count is None) == (series.until is None):
        raise Invalid("series.no_end", N_("Please say how many lectures there are, or until which day."))
    if not 1 <= series.interval <= 52 or (series.count is not None and series.count < 1):
        raise Invalid("series.interval", N_("A series repeats every 1 to 52 weeks, at least once."))
    if series.count is not None and series.count > MOST:
        raise _too_many()
    first = to_local(series.first.starts_at, series.first.zone).date()
    weekdays = sorted(set(series.weekdays) or {first.weekday()})
    if not all(0 <= weekday <= 6 for weekday in weekdays):
        raise Invalid("series.weekday", N_("There is no such day of the week."))
    monday, given = first - timedelta(days=first.weekday()), 0
    last = first + timedelta(weeks=52 * MOST) if series.until is None else series.until
    if series.until is not None and (last - first).days > LONGEST_DAYS:
        raise _too_long()
    while monday <= last and (series.count is None or given < series.count):
        for weekday in weekdays:
            day = monday + timedelta(days=weekday)
            # a day left out counts: who plans ten Mondays and leaves one out has nine
            if first <= day <= last and (series.count is None or given < series.count):
                given += 1
                yield day
        monday += timedelta(weeks=series.interval)


def _on(first: LectureDraft, day: date) -> LectureDraft:
    start = to_local(first.starts_at, first.zone).replace(tzinfo=None)
    by = datetime.combine(day, start.time()) - start
    return moved(first, by, first.ends_at - first.starts_at, first.zone)


def _agenda(series: SeriesDraft) -> list[LectureDraft]:
    if len(series.parts) > MOST:
        raise _too_many()
    first = series.first
    return [
        replace(
            first,
            starts_at=part.starts_at,
            ends_at=part.ends_at,
            title=part.title or first.title,
            topic_id=part.topic_id or first.topic_id,
            lecturer_id=part.lecturer_id or first.lecturer_id,
        )
        for part in series.parts
        if to_local(part.starts_at, first.zone).date() not in series.without
    ]


def _share_margins(drafts: Sequence[LectureDraft]) -> list[LectureDraft]:
    """Return drafts whose margins share the pause between two: in a pause nobody clears what the next part needs."""
    shared = list(drafts)
    for n in range(1, len(shared)):
        before, after = shared[n - 1], shared[n]
        pause = int((after.starts_at - before.ends_at).total_seconds() // 60)
        if 0 <= pause < before.teardown_min + after.setup_min:
            teardown = min(before.teardown_min, pause)
            shared[n - 1] = replace(before, teardown_min=teardown)
            shared[n] = replace(after, setup_min=pause - teardown)
    return shared


def _too_many() -> Invalid:
    return Invalid("series.too_many", N_("A series has at most %(most)s lectures."), most=MOST)


def _too_long() -> Invalid:
    return Invalid("series.too_long", N_("A series ends within four years of its start."))
