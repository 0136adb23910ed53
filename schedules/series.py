"""The lectures of a series, one by one. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from core.errors import N_, Invalid
from schedules.records import LectureDraft, SeriesDraft
from schedules.zones import check_year, from_local, to_local

MOST = 200  # lectures in one series: weekly for almost four years
LONGEST_DAYS = 1500  # from the first to the last

_Pairs = tuple[tuple[str, str], ...]


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
    return share_margins(drafts)


def moved(draft: LectureDraft, by: timedelta, length: timedelta, zone: str) -> LectureDraft:
    """Return a draft moved on the wall clock and lasting `length`.

    by: how much later, as the difference of two naive local times; zone: IANA name of that clock.
    """
    wall = to_local(draft.starts_at, zone).replace(tzinfo=None) + by
    start = from_local(wall, zone)
    return replace(draft, starts_at=start, ends_at=start + length)


def changed_alike(before: Mapping[str, LectureDraft], lecture_id: str, wished: LectureDraft) -> dict[str, LectureDraft]:
    """Return the new plans of lectures of a series, one of which is to be as wished; that one comes first.

    before: the plans of all that change alike, by id. One that would stay as it is is left out.
    """
    first = before[lecture_id]
    after = {lecture_id: wished}
    after |= {i: merged(theirs, first, wished) for i, theirs in before.items() if i != lecture_id}
    if (wished.setup_min, wished.teardown_min) != (first.setup_min, first.teardown_min) and len(after) > 1:
        in_order = sorted(after, key=lambda i: after[i].starts_at)
        after |= dict(zip(in_order, share_margins([after[i] for i in in_order]), strict=True))
    return {i: draft for i, draft in after.items() if i == lecture_id or draft != before[i]}


def merged(theirs: LectureDraft, before: LectureDraft, wished: LectureDraft) -> LectureDraft:
    """Return another lecture of a series changed as one of them was, from `before` to `wished`.

    It takes what was changed where it was like `before`, and keeps what is its own. It is moved by as much
    on the wall clock.
    """
    changes = {name: getattr(wished, name) for name in _PLAIN if getattr(theirs, name) == getattr(before, name)}
    alike = replace(theirs, **changes)
    main, points = _taking_part(theirs, before, wished)
    alike = replace(
        alike,
        main_point_id=main,
        point_ids=points,
        equipment=_merged_pairs((main, *points), wished, theirs.equipment, before.equipment, wished.equipment),
        operators=_merged_pairs((main, *points), wished, theirs.operators, before.operators, wished.operators),
    )
    by = _wall(wished.starts_at, wished.zone) - _wall(before.starts_at, wished.zone)
    length = theirs.ends_at - theirs.starts_at
    if length == before.ends_at - before.starts_at:
        length = wished.ends_at - wished.starts_at
    if not by:  # the wall clock does not tell apart the two hours when clocks go back
        return replace(alike, ends_at=theirs.starts_at + length)
    return moved(alike, by, length, alike.zone)


_PLAIN = ("title", "topic_id", "lecturer_id", "description", "zone", "setup_min", "teardown_min")


def _taking_part(theirs: LectureDraft, before: LectureDraft, wished: LectureDraft) -> tuple[str, tuple[str, ...]]:
    """Return (main point, joining points) of another lecture; none is lost that only changes its role."""
    main = wished.main_point_id if theirs.main_point_id == before.main_point_id else theirs.main_point_id
    points = wished.point_ids if set(theirs.point_ids) == set(before.point_ids) else theirs.point_ids
    here = (theirs.main_point_id, *theirs.point_ids)
    stay = [point for point in here if point in (wished.main_point_id, *wished.point_ids)]
    joining = tuple(point for point in dict.fromkeys((*points, *stay)) if point != main)
    return (main, joining) if joining else (theirs.main_point_id, theirs.point_ids)


def _merged_pairs(points: Sequence[str], draft: LectureDraft, theirs: _Pairs, before: _Pairs, wished: _Pairs) -> _Pairs:
    """Return what another lecture has at each of its points; what was at a point that is gone is left out.

    draft: with the points of which `wished` speaks.
    """
    own, was, wish = dict(theirs), dict(before), dict(wished)
    for point in (draft.main_point_id, *draft.point_ids):
        if own.get(point) == was.get(point):
            own[point] = wish.get(point, "")
    return tuple((point, own[point]) for point in points if own.get(point))


def _wall(at: datetime, zone: str) -> datetime:
    return to_local(at, zone).replace(tzinfo=None)


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


def share_margins(drafts: Sequence[LectureDraft]) -> list[LectureDraft]:
    """Return drafts whose margins share the pause between two: in a pause nobody clears what the next part needs.

    drafts: earliest first.
    """
    shared = list(drafts)
    for n in range(1, len(shared)):
        before, after = shared[n - 1], shared[n]
        if not {before.main_point_id, *before.point_ids} & {after.main_point_id, *after.point_ids}:
            continue
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
