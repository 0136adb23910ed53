"""What is held, by what, for how long: the only SQL on bookings, blocks and the hours of lecturers."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import and_, column, delete, insert, select, text, union_all, values
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Database, UtcDateTime
from core.errors import N_, Invalid, NotFound
from core.ids import new_id
from schedules.calendars.models import BusyTime
from schedules.conflicts import (
    BookingClash,
    Clash,
    Hold,
    NamedClash,
    clashes_among,
    find_clashes,
    name_clash,
    wanted_anew,
)
from schedules.directory_service import found
from schedules.hours import Window, within_hours
from schedules.lifecycle import LONGEST, MARGIN_MAX, REASON_MAX
from schedules.models import Availability, Block, Booking, BridgePoint, Equipment, Lecture, User
from schedules.records import BlockView, LectureDraft, LectureLine, ResourceKind
from schedules.zones import check_year

APART = timedelta(days=1)
LONGEST_HOLD = LONGEST + timedelta(minutes=2 * MARGIN_MAX)
BOOKING_LOCK = 0x6469656D  # "diem": PostgreSQL's advisory lock for whoever books
TABLES: dict[ResourceKind, type[Any]] = {
    "point": BridgePoint,
    "equipment": Equipment,
    "lecturer": User,
    "operator": User,
}
KIND_ORDER: dict[str, int] = {"lecturer": 0, "point": 1, "equipment": 2, "operator": 3}


class Bookings:
    """Holds resources for lectures and blocks, one writer at a time."""

    def __init__(self, db: Database, clock: Clock) -> None:
        """Use `db` for every transaction and ask `clock` for the time."""
        self._db = db
        self._clock = clock

    # ---- writing ----

    @contextmanager
    def writing(self, wanted: list[Hold], names: Mapping[str, str], zone: str) -> Iterator[Session]:
        """Yield a session in which nobody else books; all is committed together, or nothing is.

        wanted: filled by the caller inside; names: of lectures that are not stored yet; zone: in which a
        refusal tells its intervals.  Raises BookingClash when PostgreSQL's own constraint had to refuse.
        """
        try:
            with self._db.transaction() as s:
                wait_for_planners(s)
                yield s
        except IntegrityError:
            # A writer that did not take the lock was faster; the exclusion constraint saw it.
            with self._db.reading() as s:
                self.refuse_clashes(s, wanted, names, zone, self.held_by(s, {wish.holder_id for wish in wanted}))
            raise

    def hold(
        self, s: Session, wanted: Sequence[Hold], names: Mapping[str, str], zone: str, kept: Sequence[Hold] = ()
    ) -> None:
        """Hold all that is wanted.  kept: as in `clashes`.  Raises BookingClash naming what is taken."""
        self.refuse_clashes(s, wanted, names, zone, kept)
        if wanted:
            s.execute(insert(Booking), [_row(wish) for wish in wanted])

    def free(self, s: Session, lecture_ids: Collection[str]) -> None:
        """Let go of everything that lectures hold."""
        s.execute(delete(Booking).where(Booking.lecture_id.in_(lecture_ids)))

    def shorten(self, s: Session, lecture_id: str, now: datetime, resource_ids: Collection[str] | None = None) -> None:
        """End what a lecture holds now, all of it or these resources, where it would last longer."""
        query = select(Booking).where(Booking.lecture_id == lecture_id)
        if resource_ids is not None:
            query = query.where(Booking.resource_id.in_(resource_ids))
        for booking in s.scalars(query):
            booking.ends_at = max(booking.starts_at, min(booking.ends_at, now))

    def refuse_clashes(
        self, s: Session, wanted: Sequence[Hold], names: Mapping[str, str], zone: str, kept: Sequence[Hold] = ()
    ) -> None:
        """Raise BookingClash when anything wanted is taken, or two lectures wanted together want the same."""
        named = self.clashes(s, wanted, names, zone, kept)
        if named:
            raise BookingClash(named)

    # ---- asking ----

    def clashes(
        self, s: Session, wanted: Sequence[Hold], names: Mapping[str, str], zone: str, kept: Sequence[Hold] = ()
    ) -> list[NamedClash]:
        """Return what stands in the way of what is wanted, in words; nothing when all is free.

        kept: what the lectures hold, or held until just now: see `wanted_anew`.
        """
        clashes = [*find_clashes(wanted, held(s, wanted)), *clashes_among(wanted), *outside_hours(s, wanted)]
        clashes = wanted_anew(clashes, kept)
        return name_clashes(s, clashes, names, zone) if clashes else []

    def held_by(self, s: Session, lecture_ids: Collection[str]) -> list[Hold]:
        """Return all that lectures hold."""
        columns = (Booking.kind, Booking.resource_id, Booking.starts_at, Booking.ends_at, Booking.lecture_id)
        rows = s.execute(select(*columns).where(Booking.lecture_id.in_(lecture_ids)))
        return [Hold(cast(ResourceKind, kind), i, start, end, str(lecture)) for kind, i, start, end, lecture in rows]

    # ---- blocks ----

    def block(
        self,
        kind: ResourceKind,
        resource_id: str,
        starts_at: datetime,
        ends_at: datetime,
        reason: str,
        by: str,
        zone: str,
    ) -> str:
        """Take a resource out of the timetable for a while.

        reason: what those read who would have liked it; by: the person's id.  Returns the block's id.
        Raises BookingClash naming the lecture that holds it meanwhile, Invalid, NotFound.
        """
        reason = " ".join(reason.split())
        if not reason or len(reason) > REASON_MAX:
            raise Invalid(
                "block.no_reason", N_("Please give a reason, in at most %(most)s characters."), most=REASON_MAX
            )
        check_year(starts_at)
        check_year(ends_at)
        if ends_at <= starts_at:
            raise Invalid("block.ends_before_start", N_("The end must come after the start."))
        block_id = new_id("blk")
        wanted = [Hold(kind, resource_id, starts_at, ends_at, block_id)]
        with self.writing(wanted, {block_id: reason}, zone) as s:
            found(s, TABLES[kind], resource_id)
            # hours in which a lecturer does not teach anyway do not keep them from being away
            clashes = find_clashes(wanted, held(s, wanted))
            if clashes:
                raise BookingClash(name_clashes(s, clashes, {}, zone))
            s.add(
                Block(
                    id=block_id,
                    kind=kind,
                    resource_id=resource_id,
                    starts_at=starts_at,
                    ends_at=ends_at,
                    reason=reason,
                    made_by=by,
                    made_at=self._clock.now(),
                )
            )
            s.flush()
            s.execute(insert(Booking), [_row(wanted[0])])
        return block_id

    def lift(self, block_id: str) -> None:
        """End a block now, or before it begins; what it held is free.  Raises NotFound; twice is once."""
        now = self._clock.now()
        with self._db.transaction() as s:
            row = s.get(Block, block_id, with_for_update={"key_share": True})
            if row is None:
                raise NotFound("block.unknown", N_("There is no such block."))
            if row.lifted_at is None:
                row.lifted_at = now
                for booking in s.scalars(select(Booking).where(Booking.block_id == block_id)):
                    booking.ends_at = max(booking.starts_at, min(booking.ends_at, now))

    def blocks(self, start: datetime, end: datetime, resource_id: str | None = None) -> list[BlockView]:
        """Return the blocks that share a moment with [start, end) and were not lifted, earliest first."""
        query = select(Block).where(Block.starts_at < end, Block.ends_at > start, Block.lifted_at.is_(None))
        if resource_id is not None:
            query = query.where(Block.resource_id == resource_id)
        with self._db.reading() as s:
            rows = s.scalars(query.order_by(Block.starts_at, Block.id)).all()
            names = resource_names(s, {row.resource_id for row in rows})
        return [
            BlockView(
                row.id,
                cast(ResourceKind, row.kind),
                row.resource_id,
                names[row.resource_id],
                row.starts_at,
                row.ends_at,
                row.reason,
                row.made_by,
                row.made_at,
            )
            for row in rows
        ]

    # ---- hours of lecturers ----

    def set_hours(self, user_id: str, windows: Iterable[Window]) -> None:
        """Say when a lecturer can teach, from now on; no windows: always.  What is planned already stays."""
        with self._db.transaction() as s:
            found(s, User, user_id)
            write_hours(s, user_id, windows)

    def planned_outside_hours(self, user_id: str) -> list[LectureLine]:
        """Return the planned lectures of a lecturer at hours at which they do not teach, earliest first."""
        query = select(Lecture).where(
            Lecture.lecturer_id == user_id, Lecture.ends_at > self._clock.now(), Lecture.status.in_(("planned", "open"))
        )
        with self._db.reading() as s:
            windows = hours_of(s, {user_id}).get(user_id, ())
            return [
                LectureLine(row.id, row.title, row.starts_at, row.ends_at, row.zone)
                for row in s.scalars(query.order_by(Lecture.starts_at, Lecture.id))
                if not within_hours(row.starts_at, row.ends_at, windows)
            ]

    def hours(self, user_id: str) -> list[Window]:
        """Return when a lecturer can teach, by weekday; none: always."""
        with self._db.reading() as s:
            return hours_of(s, {user_id}).get(user_id, [])


def wait_for_planners(s: Session) -> None:
    """Let nobody plan until this transaction ends: what is decided from what is held is still so when it is written."""
    if s.get_bind().dialect.name == "postgresql":  # on SQLite the transaction has made us the only writer
        s.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": BOOKING_LOCK})


def write_hours(s: Session, user_id: str, windows: Iterable[Window]) -> None:
    """Let a lecturer have these hours and no others.  Raises Invalid."""
    s.execute(delete(Availability).where(Availability.user_id == user_id))
    for window in windows:
        if not (0 <= window.weekday <= 6 and 0 <= window.starts_min < window.ends_min <= 1440):
            raise Invalid("hours.order", N_("A window of hours must end after it starts, on the same day."))
        s.add(
            Availability(
                id=new_id("avl"),
                user_id=user_id,
                weekday=window.weekday,
                starts_min=window.starts_min,
                ends_min=window.ends_min,
                zone=window.zone,
            )
        )


class Standing:
    """The equipment that stands at points, and so what drafts need; lectures of a series mostly need the same."""

    def __init__(self, there: Mapping[str, Sequence[str]]) -> None:
        """Know which sets stand `there`, by point."""
        self._there = there
        self._needs: dict[object, list[tuple[ResourceKind, str]]] = {}

    def needs(self, draft: LectureDraft) -> list[tuple[ResourceKind, str]]:
        """Return what a draft needs at its points, in the order of kinds: points, equipment, operators."""
        named = (draft.main_point_id, draft.point_ids, draft.equipment, draft.operators, draft.lecturer_id)
        if named not in self._needs:
            self._needs[named] = self._list(draft)
        return self._needs[named]

    def _list(self, draft: LectureDraft) -> list[tuple[ResourceKind, str]]:
        points = (draft.main_point_id, *draft.point_ids)
        brought = dict(draft.equipment)
        there = [equipment_id for p in points if p not in brought for equipment_id in self._there.get(p, ())]
        needs: set[tuple[ResourceKind, str]] = {("point", point_id) for point_id in points}
        # a set that stands at one of the points and is brought to another is needed once
        needs |= {("equipment", equipment_id) for equipment_id in (*brought.values(), *there)}
        needs |= {("operator", user_id) for _, user_id in draft.operators if user_id != draft.lecturer_id}
        return sorted(needs, key=lambda need: (KIND_ORDER[need[0]], need[1]))


def standing_at(s: Session, drafts: Iterable[LectureDraft]) -> Standing:
    """Return what stands at the points of drafts."""
    points = {point_id for draft in drafts for point_id in (draft.main_point_id, *draft.point_ids)}
    query = select(Equipment.point_id, Equipment.id).where(
        Equipment.point_id.in_(points), Equipment.retired_at.is_(None)
    )
    standing: dict[str, list[str]] = {}
    for point_id, equipment_id in s.execute(query):
        standing.setdefault(str(point_id), []).append(equipment_id)
    return Standing(standing)


def wishes_of(lecture_id: str, draft: LectureDraft, standing: Standing) -> list[Hold]:
    """Return every resource that a draft needs: the lecturer, its points, the equipment there, its operators.

    Points, equipment and operators are needed during set-up and tear-down too.
    """
    early = draft.starts_at - timedelta(minutes=draft.setup_min)
    late = draft.ends_at + timedelta(minutes=draft.teardown_min)
    teaches = Hold("lecturer", draft.lecturer_id, draft.starts_at, draft.ends_at, lecture_id)
    return [teaches, *(Hold(kind, i, early, late, lecture_id) for kind, i in standing.needs(draft))]


def held(s: Session, wishes: Sequence[Hold]) -> list[Hold]:
    """Return what could stand in the way of wishes; the pure core decides what does."""
    kinds = {w.resource_id: w.kind for w in wishes}
    spans = _spans(wishes)
    holds = set(_of_lectures(s, kinds, spans))  # one may reach into two spans
    if spans:
        holds.update(_of_others(s, kinds, spans[0][0], max(end for _, end in spans)))
    return list(holds)


def _spans(wishes: Sequence[Hold]) -> list[tuple[datetime, datetime]]:
    """Return the times at which anything is wished for, those less than a day apart as one.

    A weekly class of a year asks for a few hours of each week; most of what is held need not be read.
    """
    spans: list[tuple[datetime, datetime]] = []
    for start, end in sorted({(w.starts_at, w.ends_at) for w in wishes}):
        if spans and start - spans[-1][1] < APART:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def held_between(s: Session, kinds: Mapping[str, ResourceKind], start: datetime, end: datetime) -> list[Hold]:
    """Return what is held of resources at any moment of [start, end): bookings, and events of other calendars.

    kinds: of each resource, by id.
    """
    return [*_of_lectures(s, kinds, [(start, end)]), *_of_others(s, kinds, start, end)]


def _of_lectures(
    s: Session, kinds: Mapping[str, ResourceKind], spans: Sequence[tuple[datetime, datetime]]
) -> list[Hold]:
    if not spans:
        return []
    moment = UtcDateTime()
    # no lecture holds anything for longer, so what began earlier is over: the index finds the few that remain
    rows = [(start - LONGEST_HOLD, start, end) for start, end in spans]
    span = values(column("low", moment), column("start", moment), column("end", moment)).data(rows).cte("span")
    query = (
        select(Booking.resource_id, Booking.starts_at, Booking.ends_at, Booking.lecture_id)
        .join(span, and_(Booking.starts_at > span.c.low, Booking.starts_at < span.c.end))
        .where(Booking.ends_at > span.c.start, Booking.resource_id.in_(kinds), Booking.lecture_id.is_not(None))
    )
    return [Hold(kinds[i], i, begin, until, str(lecture_id)) for i, begin, until, lecture_id in s.execute(query)]


def _of_others(s: Session, kinds: Mapping[str, ResourceKind], start: datetime, end: datetime) -> list[Hold]:
    # from the few blocks to their bookings: the other way would read everything that lectures hold
    blocks = (
        select(Booking.resource_id, Booking.starts_at, Booking.ends_at, Block.id)
        .join(Block, Block.id == Booking.block_id)
        .where(Block.resource_id.in_(kinds), Booking.starts_at < end, Booking.ends_at > start)
    )
    theirs = select(BusyTime.resource_id, BusyTime.starts_at, BusyTime.ends_at, BusyTime.id).where(
        BusyTime.resource_id.in_(kinds), BusyTime.starts_at < end, BusyTime.ends_at > start
    )
    return [
        Hold(kinds[i], i, begin, until, str(holder))
        for i, begin, until, holder in (*s.execute(blocks), *s.execute(theirs))
    ]


def outside_hours(s: Session, wishes: Sequence[Hold]) -> list[Clash]:
    """Return the wishes for lecturers at hours at which they do not teach."""
    lecturers = [wish for wish in wishes if wish.kind == "lecturer"]
    hours = hours_of(s, {wish.resource_id for wish in lecturers})
    return [
        Clash(wish, Hold("lecturer", wish.resource_id, wish.starts_at, wish.ends_at, wish.resource_id))
        for wish in lecturers
        if not within_hours(wish.starts_at, wish.ends_at, hours.get(wish.resource_id, ()))
    ]


def hours_of(s: Session, user_ids: Collection[str]) -> dict[str, list[Window]]:
    """Return when lecturers can teach; whoever has no windows, and always can, is absent."""
    query = select(Availability).where(Availability.user_id.in_(user_ids))
    hours: dict[str, list[Window]] = {}
    for row in s.scalars(query.order_by(Availability.weekday, Availability.starts_min)):
        hours.setdefault(row.user_id, []).append(Window(row.weekday, row.starts_min, row.ends_min, row.zone))
    return hours


def name_clashes(s: Session, clashes: Sequence[Clash], names: Mapping[str, str], zone: str) -> list[NamedClash]:
    """Put clashes into words.

    names: of holders that are not stored yet; zone: IANA name in which intervals are told.
    """
    known = {**resource_names(s, {c.wish.resource_id for c in clashes}), **names}
    holders = {c.held.holder_id for c in clashes} - known.keys()
    titles = union_all(
        select(Lecture.id, Lecture.title).where(Lecture.id.in_(holders)),
        select(Block.id, Block.reason).where(Block.id.in_(holders)),
        select(BusyTime.id, BusyTime.summary).where(BusyTime.id.in_(holders)),
    )
    known.update((i, title) for i, title in s.execute(titles))
    return [name_clash(c, known[c.wish.resource_id], known[c.held.holder_id], zone) for c in clashes]


def resource_names(s: Session, ids: Collection[str]) -> dict[str, str]:
    """Return the names of points, equipment and people."""
    query = union_all(*(select(t.id, t.name).where(t.id.in_(ids)) for t in (User, BridgePoint, Equipment)))
    return {i: name for i, name in s.execute(query)}


def _row(wish: Hold) -> dict[str, object]:
    block = wish.holder == "block"
    return {
        "id": new_id("bkg"),
        "lecture_id": None if block else wish.holder_id,
        "block_id": wish.holder_id if block else None,
        "kind": wish.kind,
        "resource_id": wish.resource_id,
        "starts_at": wish.starts_at,
        "ends_at": wish.ends_at,
    }
