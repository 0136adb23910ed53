"""What the board asks for when a lecture is dragged: read from JSON, told in JSON. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast, get_args

from core.errors import N_, Invalid
from schedules.alternatives import Offers, Swap
from schedules.calendars.subscription_service import BusyView
from schedules.records import BlockView, LectureDraft, LectureView, Scope
from schedules.series import MOST
from schedules.zones import from_local, to_local

WALL = "%Y-%m-%dT%H:%M"
MOST_POINTS = 500  # in one wish; a lecture has some tens
UNREADABLE = (KeyError, TypeError, ValueError, OverflowError, AttributeError)
NOT_READ = N_("The request cannot be read.")

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Wish:
    """Where a lecture is to go.

    starts_at, ends_at: aware; sequence: the one that the page shows; points: the main one first, then the
    joining ones; None, as of equipment and operators: as they are.
    """

    lecture: str
    starts_at: datetime
    ends_at: datetime
    sequence: int | None = None
    scope: Scope = "one"
    points: tuple[str, ...] | None = None
    equipment: Pairs | None = None
    operators: Pairs | None = None


def wish_of(said: object, zone: str) -> Wish:
    """Return the wish that a page sent.

    said: parsed JSON; its times are on the wall clock of `zone`, an IANA name.
    Raises Invalid for what cannot be read, for a time that clocks skip and for one that is too far away.
    """
    try:
        return _read(cast(Mapping[str, Any], said), lambda time: from_local(datetime.strptime(time, WALL), zone))
    except UNREADABLE as error:
        raise Invalid("request.unreadable", NOT_READ) from error


def _read(said: Mapping[str, Any], moment: Callable[[str], datetime]) -> Wish:
    scope, sequence, points = said.get("scope", "one"), said.get("sequence"), said.get("points")
    if scope not in get_args(Scope) or not isinstance(said["lecture"], str):
        raise ValueError(scope)
    if points is not None:
        points = tuple(_words(point) for point in points[:MOST_POINTS])
        if not points:
            raise ValueError("no points")
    return Wish(
        lecture=said["lecture"],
        starts_at=moment(said["starts_at"]),
        ends_at=moment(said["ends_at"]),
        sequence=None if sequence is None else int(sequence),
        scope=scope,
        points=points,
        equipment=_pairs(said.get("equipment")),
        operators=_pairs(said.get("operators")),
    )


def _pairs(said: Any) -> Pairs | None:
    return None if said is None else tuple((_words(one), _words(other)) for one, other in said[:MOST_POINTS])


def _words(said: object) -> str:
    if not isinstance(said, str):
        raise TypeError(said)
    return said


def draft_of(lecture: LectureView, wish: Wish) -> LectureDraft:
    """Return the plan of a lecture as it would be; a point that no longer joins takes nothing along."""
    main, *joining = wish.points or lecture.all_point_ids
    points = {main, *joining}
    equipment = lecture.equipment if wish.equipment is None else wish.equipment
    operators = lecture.operators if wish.operators is None else wish.operators
    return replace(
        lecture.plan,
        main_point_id=main,
        point_ids=tuple(joining),
        starts_at=wish.starts_at,
        ends_at=wish.ends_at,
        equipment=tuple(pair for pair in equipment if pair[0] in points),
        operators=tuple(pair for pair in operators if pair[0] in points),
    )


def ways_back(changed: Iterable[tuple[LectureView, LectureView]]) -> list[dict[str, object]]:
    """Return what puts lectures back that were moved, for `wishes_back`; a page only keeps it.

    changed: (before, after) of each. What is None was not changed.
    """
    return [
        {
            "lecture": after.id,
            "sequence": after.sequence,
            "starts_at": before.starts_at.isoformat(),
            "ends_at": before.ends_at.isoformat(),
            "points": None if before.all_point_ids == after.all_point_ids else before.all_point_ids,
            "equipment": None if before.equipment == after.equipment else before.equipment,
            "operators": None if before.operators == after.operators else before.operators,
        }
        for before, after in changed
    ]


def wishes_back(said: object) -> list[Wish]:
    """Return the wishes in what `ways_back` gave out.  Raises Invalid for what cannot be read."""
    try:
        wishes = [_read(each, _moment) for each in cast(Mapping[str, Any], said)["lectures"]]
        if not 0 < len({wish.lecture for wish in wishes}) == len(wishes) <= MOST:
            raise ValueError("none, too many or one twice")
        return wishes
    except UNREADABLE as error:
        raise Invalid("request.unreadable", NOT_READ) from error


def _moment(said: str) -> datetime:
    moment = datetime.fromisoformat(said)
    if moment.tzinfo is None:
        raise ValueError("no moment without a zone")
    return moment


def in_place(lecture: LectureView, wish: Wish) -> Wish:
    """Return a wish whose unchanged times are exactly those stored: a page knows no seconds, nor which of
    two hours of the same name when clocks go back.
    """  # fmt: skip
    changes: dict[str, Any] = {}
    for name in ("starts_at", "ends_at"):
        stored, wished = getattr(lecture, name), getattr(wish, name)
        if wall(stored, lecture.zone) == wall(wished, lecture.zone):
            changes[name] = stored
    return replace(wish, **changes)


def wall(at: datetime, zone: str) -> str:
    """Return a moment as the page has it: `2026-03-02T08:00` on the wall clock of a zone."""
    return to_local(at, zone).strftime(WALL)


def lecture_json(lecture: LectureView, zone: str) -> dict[str, object]:
    """Return what the page knows of a lecture; its times are on the wall clock of `zone`."""
    return {
        "id": lecture.id,
        "title": lecture.title,
        "starts_at": wall(lecture.starts_at, zone),
        "ends_at": wall(lecture.ends_at, zone),
        "setup": lecture.setup_min,
        "teardown": lecture.teardown_min,
        "lecturer": lecture.lecturer_id,
        "points": lecture.all_point_ids,
        "released": lecture.released,
        "equipment": lecture.equipment,
        "operators": lecture.operators,
        "sequence": lecture.sequence,
        "series": lecture.series_id is not None,
        "movable": lecture.status == "planned",
    }


def block_json(block: BlockView, zone: str) -> dict[str, object]:
    """Return what the page knows of a block."""
    return {
        "resource": block.resource_id,
        "starts_at": wall(block.starts_at, zone),
        "ends_at": wall(block.ends_at, zone),
        "title": block.reason,
    }


def busy_json(busy: BusyView, zone: str) -> dict[str, object]:
    """Return what the page knows of an event in the calendar of another body: it is in the way as a block is."""
    return {
        "resource": busy.resource_id,
        "starts_at": wall(busy.starts_at, zone),
        "ends_at": wall(busy.ends_at, zone),
        "title": busy.summary,
    }


def offers_json(offers: Offers, zone: str) -> dict[str, object]:
    """Return what is free instead, as the page offers it."""
    times = [{"starts_at": wall(t.starts_at, zone), "ends_at": wall(t.ends_at, zone)} for t in offers.times]
    return {
        "times": times,
        "points": [_swap(swap) for swap in offers.points],
        "equipment": [_swap(swap) for swap in offers.equipment],
    }


def _swap(swap: Swap) -> dict[str, str]:
    return {
        "point": swap.point_id,
        "instead_of": swap.instead_of,
        "id": swap.id,
        "name": swap.name,
        "organisation": swap.organisation,
    }
