"""Bridge points with their halls and operators, and equipment: kept, moved and retired."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Database
from core.errors import N_, Conflict
from core.ids import new_id, new_key
from schedules.booking_service import wait_for_planners
from schedules.directory_service import check_home, found
from schedules.models import Booking, BridgePoint, Equipment, Hall, Lecture, Organisation, PointOperator, User
from schedules.names import person_key, place_key
from schedules.registry.belonging_service import follow_points
from schedules.registry.checks import check_equipment, check_point
from schedules.registry.organisation_service import free_code
from schedules.registry.records import EquipmentDraft, EquipmentLine, HallDraft, PointDraft, PointLine

TOLD_MAX = 5  # lectures that a refusal names


class Points:
    """Bridge points."""

    def __init__(self, db: Database, clock: Clock) -> None:
        """Use `db` for every transaction, ask `clock` for the time."""
        self._db = db
        self._clock = clock

    def add(self, draft: PointDraft) -> str:
        """Add a bridge point.  Returns its id.

        Raises Invalid for a draft that makes no sense, NotFound, Conflict for a code that another has or an
        abolished organisation.
        """
        check_point(draft)
        row = BridgePoint(id=new_id("bp"), calendar_key=new_key())
        with self._db.transaction() as s:
            check_home(s, draft.org_id)
            write_point(s, self._clock, row, draft)
        return row.id

    def update(self, point_id: str, draft: PointDraft) -> None:
        """Let a point be as the draft says, with these halls and operators and no others.

        Of another organisation, lectures that are still to come follow it there.  Raises as `add`.
        """
        check_point(draft)
        with self._db.transaction() as s:
            row = found(s, BridgePoint, point_id)
            if draft.org_id != row.org_id:
                check_home(s, draft.org_id)
            write_point(s, self._clock, row, draft)

    def retire(self, point_id: str) -> None:
        """Take a point out of use now; the equipment that stands there goes into store.

        Raises Conflict naming the lectures that still need it.
        """
        now = self._clock.now()
        with self._db.transaction() as s:
            row = found(s, BridgePoint, point_id)
            refuse_booked(s, row.name, lectures_holding(s, self._clock, point_id))
            if row.retired_at is None:
                row.retired_at = now
            for equipment in s.scalars(select(Equipment).where(Equipment.point_id == point_id)).all():
                refuse_booked(s, equipment.name, lectures_holding(s, self._clock, equipment.id))
                equipment.point_id = None

    def restore(self, point_id: str) -> None:
        """Take a retired point into use again.  Raises NotFound, Conflict when its organisation was abolished."""
        with self._db.transaction() as s:
            row = found(s, BridgePoint, point_id)
            check_home(s, row.org_id)
            row.retired_at = None

    def line(self, point_id: str) -> PointLine:
        """Return a point.  Raises NotFound."""
        with self._db.reading() as s:
            return _point_lines(s, [found(s, BridgePoint, point_id)])[0]

    def lines(self, retired: bool = False) -> list[PointLine]:
        """Return all points by name.  retired: these too."""
        query = select(BridgePoint)
        if not retired:
            query = query.where(BridgePoint.retired_at.is_(None))
        with self._db.reading() as s:
            return _point_lines(s, sorted(s.scalars(query), key=lambda row: place_key(row.name)))


class EquipmentSets:
    """Sets of devices."""

    def __init__(self, db: Database, clock: Clock) -> None:
        """Use `db` for every transaction, ask `clock` for the time."""
        self._db = db
        self._clock = clock

    def add(self, draft: EquipmentDraft) -> str:
        """Add a set.  Returns its id.  Raises Invalid, NotFound, Conflict for a code that another has."""
        check_equipment(draft)
        row = Equipment(id=new_id("eq"))
        with self._db.transaction() as s:
            write_equipment(s, self._clock, row, draft)
        return row.id

    def update(self, equipment_id: str, draft: EquipmentDraft) -> None:
        """Let a set be as the draft says.

        Raises as `add`, and Conflict when it would stand elsewhere while lectures have it booked.
        """
        check_equipment(draft)
        with self._db.transaction() as s:
            write_equipment(s, self._clock, found(s, Equipment, equipment_id), draft)

    def retire(self, equipment_id: str) -> None:
        """Take a set out of use now.  Raises Conflict naming the lectures that still need it."""
        with self._db.transaction() as s:
            row = found(s, Equipment, equipment_id)
            refuse_booked(s, row.name, lectures_holding(s, self._clock, equipment_id))
            if row.retired_at is None:
                row.retired_at = self._clock.now()

    def restore(self, equipment_id: str) -> None:
        """Take a retired set into use again.  Raises NotFound."""
        with self._db.transaction() as s:
            found(s, Equipment, equipment_id).retired_at = None

    def line(self, equipment_id: str) -> EquipmentLine:
        """Return a set.  Raises NotFound."""
        with self._db.reading() as s:
            return _equipment_lines(s, [found(s, Equipment, equipment_id)])[0]

    def lines(self, retired: bool = False) -> list[EquipmentLine]:
        """Return all sets by name.  retired: these too."""
        query = select(Equipment)
        if not retired:
            query = query.where(Equipment.retired_at.is_(None))
        with self._db.reading() as s:
            return _equipment_lines(s, sorted(s.scalars(query), key=lambda row: place_key(row.name)))


def lectures_holding(s: Session, clock: Clock, resource_id: str) -> list[str]:
    """Return the titles of the lectures that hold a resource now or later, earliest first; no others come meanwhile."""
    wait_for_planners(s)
    query = (
        select(Lecture.title)
        .join(Booking, Booking.lecture_id == Lecture.id)
        .where(Booking.resource_id == resource_id, Booking.ends_at > clock.now(), Booking.starts_at < Booking.ends_at)
        .order_by(Booking.starts_at)
    )
    return list(s.scalars(query))


def refuse_booked(s: Session, name: str, titles: Collection[str]) -> None:
    """Raise Conflict naming the lectures, where there are any."""
    if titles:
        raise Conflict(
            "registry.booked",
            N_("“%(name)s” is still needed for %(count)s lectures: %(lectures)s. Please change these first."),
            name=name,
            count=len(titles),
            lectures=", ".join(f"“{title}”" for title in list(titles)[:TOLD_MAX])
            + ("…" if len(titles) > TOLD_MAX else ""),
        )


def write_equipment(s: Session, clock: Clock, row: Equipment, draft: EquipmentDraft) -> None:
    """Write a set of devices, new or known.  Raises NotFound, Conflict."""
    free_code(s, Equipment, draft.code, row.id)
    if draft.point_id is not None and draft.point_id != row.point_id:
        point = found(s, BridgePoint, draft.point_id)
        if point.retired_at is not None:
            raise Conflict("point.retired", N_("The bridge point %(point)s is not in use any more."), point=point.name)
    if row.name is not None and draft.point_id != row.point_id:
        refuse_booked(s, row.name, lectures_holding(s, clock, row.id))
    row.name, row.point_id, row.code, row.note = draft.name, draft.point_id, draft.code or None, draft.note
    s.add(row)
    s.flush()


def write_point(s: Session, clock: Clock, row: BridgePoint, draft: PointDraft) -> None:
    """Write a point, new or known, with these halls and operators and no others.  Raises NotFound, Conflict."""
    free_code(s, BridgePoint, draft.code, row.id)
    moved = row.org_id is not None and row.org_id != draft.org_id
    row.name, row.place, row.capacity, row.org_id = draft.name, draft.place, draft.capacity, draft.org_id
    row.code, row.zone = draft.code or None, draft.zone
    row.contact_name, row.contact_phone = draft.contact_name, draft.contact_phone
    row.contact_email = draft.contact_email
    s.add(row)
    s.flush()
    if moved:
        follow_points(s, [row.id], row.org_id, clock.now())
    wanted = {hall.name: hall.capacity for hall in draft.halls}
    for hall in s.scalars(select(Hall).where(Hall.point_id == row.id)).all():
        if hall.name in wanted:
            hall.capacity = wanted.pop(hall.name)
        else:
            s.delete(hall)
    s.flush()  # a hall that goes may have had, in another case, the name of one that comes
    s.add_all(Hall(id=new_id("hal"), point_id=row.id, name=name, capacity=seats) for name, seats in wanted.items())
    s.execute(
        delete(PointOperator).where(
            PointOperator.point_id == row.id, PointOperator.user_id.not_in(set(draft.operator_ids))
        )
    )
    for user_id in draft.operator_ids:
        found(s, User, user_id)
        s.merge(PointOperator(point_id=row.id, user_id=user_id))


def _point_lines(s: Session, rows: Collection[BridgePoint]) -> list[PointLine]:
    orgs = {i: name for i, name in s.execute(select(Organisation.id, Organisation.name))}
    ids = [row.id for row in rows]
    operators: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    query = select(PointOperator.point_id, User.id, User.name).join(User, User.id == PointOperator.user_id)
    for point_id, user_id, name in s.execute(query.where(PointOperator.point_id.in_(ids))):
        operators[point_id].append((user_id, name))
    halls: defaultdict[str, list[HallDraft]] = defaultdict(list)
    for hall in s.scalars(select(Hall).where(Hall.point_id.in_(ids))):
        halls[hall.point_id].append(HallDraft(hall.name, hall.capacity))
    standing: defaultdict[str, list[str]] = defaultdict(list)
    sets = select(Equipment).where(Equipment.point_id.in_(ids), Equipment.retired_at.is_(None))
    for equipment in s.scalars(sets.order_by(Equipment.name)):
        standing[equipment.point_id or ""].append(equipment.name)
    return [
        PointLine(
            id=row.id,
            draft=point_draft(row, halls[row.id], [i for i, _ in operators[row.id]]),
            org_name=orgs[row.org_id],
            operators=tuple(sorted((name for _, name in operators[row.id]), key=person_key)),
            equipment=tuple(standing[row.id]),
            retired_at=row.retired_at,
        )
        for row in rows
    ]


def point_draft(row: BridgePoint, halls: Iterable[HallDraft] = (), operator_ids: Iterable[str] = ()) -> PointDraft:
    """Return a point as a draft that would change nothing."""
    return PointDraft(
        name=row.name,
        org_id=row.org_id,
        place=row.place or "",
        capacity=row.capacity or 0,
        code=row.code or "",
        zone=row.zone or "",
        contact_name=row.contact_name or "",
        contact_phone=row.contact_phone or "",
        contact_email=row.contact_email or "",
        halls=tuple(sorted(halls, key=lambda hall: place_key(hall.name))),
        operator_ids=tuple(operator_ids),
    )


def _equipment_lines(s: Session, rows: Collection[Equipment]) -> list[EquipmentLine]:
    points = {i: name for i, name in s.execute(select(BridgePoint.id, BridgePoint.name))}
    return [
        EquipmentLine(
            row.id,
            EquipmentDraft(row.name, row.point_id, row.code or "", row.note or ""),
            points.get(row.point_id or "", ""),
            row.retired_at,
        )
        for row in rows
    ]
