"""What is free instead of what is taken; reads only."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Database
from schedules.alternatives import Offers, Span, Swap, free_times
from schedules.booking_service import held, held_between, hours_of, standing_at, wishes_of
from schedules.conflicts import Hold, NamedClash, Taken
from schedules.hours import within_hours
from schedules.models import BridgePoint, Equipment, Organisation
from schedules.records import LectureDraft, ResourceKind
from schedules.zones import to_local

MOST_SWAPS = 3  # offered for each thing that is taken
WEEK = timedelta(days=7)


class Alternatives:
    """Finds other times, other points and other equipment."""

    def __init__(self, db: Database, clock: Clock) -> None:
        """Read from `db`, and ask `clock` so that nothing past is offered."""
        self._db = db
        self._clock = clock

    def offers(
        self,
        draft: LectureDraft,
        clashes: Collection[NamedClash],
        lecture_id: str = "lec_new",
        others: Mapping[str, LectureDraft] = MappingProxyType({}),
    ) -> Offers:
        """Return what is free instead of what clashes.

        lecture_id: of the lecture that would be moved; what it holds itself counts as free. others: the drafts
        that are planned with it, by the ids of their lectures; what is offered is free for them too, and no
        other times are offered.
        """
        drafts = {lecture_id: draft, **others}
        with self._db.reading() as s:
            return Offers(
                times=() if others else tuple(self._times(s, draft, lecture_id)),
                points=tuple(self._points(s, draft, clashes, drafts)),
                equipment=tuple(self._equipment(s, draft, clashes, drafts)),
            )

    def _times(self, s: Session, draft: LectureDraft, lecture_id: str) -> list[Span]:
        wishes = wishes_of(lecture_id, draft, standing_at(s, [draft]))
        monday = draft.starts_at - timedelta(days=to_local(draft.starts_at, draft.zone).weekday() + 1)
        kinds = {wish.resource_id: wish.kind for wish in wishes}
        taken = Taken(held_between(s, kinds, monday - WEEK, monday + 2 * WEEK))
        hours = hours_of(s, {draft.lecturer_id}).get(draft.lecturer_id, [])
        return free_times(
            wishes,
            taken,
            Span(draft.starts_at, draft.ends_at),
            draft.zone,
            self._clock.now(),
            lambda start, end: within_hours(start, end, hours),
        )

    def _points(
        self, s: Session, draft: LectureDraft, clashes: Collection[NamedClash], drafts: Mapping[str, LectureDraft]
    ) -> list[Swap]:
        taken_points = [c.resource_id for c in clashes if c.kind == "point" and c.resource_id in _points_of([draft])]
        if not taken_points:
            return []
        joining = _points_of(drafts.values())
        every = {point.id: point for point in s.scalars(select(BridgePoint))}
        standing: dict[str, list[str]] = {}
        for row in s.scalars(select(Equipment).where(Equipment.retired_at.is_(None))):
            standing.setdefault(row.point_id or "", []).append(row.id)
        others = [p for p in every.values() if p.id not in joining and _in_use(p, drafts)]
        kinds: dict[str, ResourceKind] = {p.id: "point" for p in others}
        kinds.update((equipment_id, "equipment") for p in others for equipment_id in standing.get(p.id, ()))
        free_ids = _free(s, kinds, drafts)
        free = [p for p in others if free_ids.issuperset((p.id, *standing.get(p.id, ())))]
        tree = _Tree(s)
        swaps = []
        for point_id in dict.fromkeys(taken_points):
            nearest = sorted(free, key=lambda p: (tree.apart(p.org_id, every[point_id].org_id), p.name, p.id))
            swaps += [
                Swap("point", point_id, point_id, p.id, p.name, tree.names[p.org_id]) for p in nearest[:MOST_SWAPS]
            ]
        return swaps

    def _equipment(
        self, s: Session, draft: LectureDraft, clashes: Collection[NamedClash], drafts: Mapping[str, LectureDraft]
    ) -> list[Swap]:
        needed = {i for kind, i in standing_at(s, [draft]).needs(draft) if kind == "equipment"}
        taken_sets = [c.resource_id for c in clashes if c.kind == "equipment" and c.resource_id in needed]
        if not taken_sets:
            return []
        joining = _points_of(drafts.values())
        brought = {equipment_id: point_id for point_id, equipment_id in draft.equipment}
        elsewhere = {equipment_id for each in drafts.values() for _, equipment_id in each.equipment}
        sets = {row.id: row for row in s.scalars(select(Equipment))}
        others = [
            row
            for row in sets.values()
            if row.point_id not in joining and row.id not in elsewhere and _in_use(row, drafts)
        ]
        free_ids = _free(s, {row.id: "equipment" for row in others}, drafts)
        free = [row for row in others if row.id in free_ids]
        owners = {i: org_id for i, org_id in s.execute(select(BridgePoint.id, BridgePoint.org_id))}
        tree = _Tree(s)
        swaps = []
        for equipment_id in dict.fromkeys(taken_sets):
            point_id = brought.get(equipment_id) or sets[equipment_id].point_id or ""
            for row in sorted(free, key=lambda row: (_distance(tree, owners, row, point_id), row.name, row.id))[
                :MOST_SWAPS
            ]:
                owner = tree.names[owners[row.point_id]] if row.point_id else ""
                swaps.append(Swap("equipment", point_id, equipment_id, row.id, row.name, owner))
        return swaps


class _Tree:
    """How far organisations are apart in their tree."""

    def __init__(self, s: Session) -> None:
        rows = s.execute(select(Organisation.id, Organisation.parent_id, Organisation.name)).all()
        self.names: dict[str, str] = {row.id: row.name for row in rows}
        self._parents: dict[str, str | None] = {row.id: row.parent_id for row in rows}

    def apart(self, one: str, other: str) -> int:
        """Return the number of steps from one to the other; from one tree to another it is far."""
        above = {org_id: steps for steps, org_id in enumerate(self._up(one))}
        for steps, org_id in enumerate(self._up(other)):
            if org_id in above:
                return above[org_id] + steps
        return len(self.names) + 1

    def _up(self, org_id: str) -> list[str]:
        path = []
        current: str | None = org_id
        while current is not None:
            path.append(current)
            current = self._parents[current]
        return path


def _distance(tree: _Tree, owners: Mapping[str, str], row: Equipment, point_id: str) -> int:
    if row.point_id is None:
        return -1  # it stands nowhere: whoever needs it may have it
    return tree.apart(owners[row.point_id], owners[point_id]) if point_id in owners else 0


def _points_of(drafts: Iterable[LectureDraft]) -> set[str]:
    return {point_id for draft in drafts for point_id in (draft.main_point_id, *draft.point_ids)}


def _in_use(row: BridgePoint | Equipment, drafts: Mapping[str, LectureDraft]) -> bool:
    return row.retired_at is None or row.retired_at > max(draft.ends_at for draft in drafts.values())


def _needed(draft: LectureDraft) -> tuple[datetime, datetime]:
    return (
        draft.starts_at - timedelta(minutes=draft.setup_min),
        draft.ends_at + timedelta(minutes=draft.teardown_min),
    )


def _free(s: Session, kinds: Mapping[str, ResourceKind], drafts: Mapping[str, LectureDraft]) -> set[str]:
    """Return which resources are free for every draft; what the drafts' own lectures hold counts as free."""
    wishes = [
        Hold(kind, resource_id, *_needed(draft), lecture_id)
        for lecture_id, draft in drafts.items()
        for resource_id, kind in kinds.items()
    ]
    taken = Taken(hold for hold in held(s, wishes) if hold.holder_id not in drafts)
    return set(kinds) - {wish.resource_id for wish in wishes if not taken.is_free(wish)}
