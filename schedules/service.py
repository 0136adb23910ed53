"""The timetable: plan, change and cancel lectures, hold what they need. The only SQL on these tables."""

import hmac
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import delete, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.bus import EventBus
from core.clock import Clock
from core.db import Database
from core.errors import N_, Invalid, NotFound
from core.ids import new_id, new_key
from schedules.conflicts import BookingClash, Clash, Hold, find_clashes, name_clash
from schedules.directory_service import Directory, found
from schedules.events import LectureCancelled, LectureChanged, LectureScheduled
from schedules.lifecycle import OVERRUN, check_draft, check_editable, check_step
from schedules.models import Booking, BridgePoint, Course, Equipment, Lecture, LecturePoint, Organisation, Topic, User
from schedules.pairing_service import PairingService
from schedules.records import DeviceView, LectureDraft, LectureView, ResourceKind, Status
from schedules.stream_service import StreamService

__all__ = ["BookingClash", "DeviceView", "LectureDraft", "LectureView", "ScheduleService"]

CalendarKind = Literal["lecture", "point", "lecturer"]
CALENDAR_BACK = timedelta(days=90)  # a feed tells what was, so far back; clients keep what they have seen
BOOKING_LOCK = 0x6469656D  # "diem": PostgreSQL's advisory lock for whoever books


class ScheduleService(Directory):
    """The timetable, and the directory of everything it speaks of.

    `pairing` has the halls' devices, `streams` the keys of encoders and players.
    """

    def __init__(self, db: Database, bus: EventBus, clock: Clock) -> None:
        """Use `db` for every transaction, tell `bus` what changed, ask `clock` for the time."""
        super().__init__(db, bus, clock)
        self.pairing = PairingService(db, clock)
        self.streams = StreamService(db, bus, clock)

    def device(self, token: str) -> DeviceView | None:
        """Return the paired device of a token, or None for a wrong or revoked one."""
        return self.pairing.device(token)

    # ---- planning ----

    def create_lecture(self, draft: LectureDraft, by: str) -> LectureView:
        """Plan a lecture and hold all it needs, or nothing at all.

        by: the person's id.  Returns the lecture.  Raises Invalid or NotFound for a draft that makes no
        sense, BookingClash naming what is taken.
        """
        check_draft(draft)
        lecture_id = new_id("lec")

        def write(s: Session) -> None:
            row = Lecture(
                id=lecture_id,
                status="planned",
                uid=f"{lecture_id}@diem-cau",
                sequence=0,
                calendar_key=new_key(),
                created_by=by,
            )
            self._fill(s, row, draft)
            s.add(row)
            s.flush()
            self._book(s, lecture_id, draft)

        self._write_or_name_the_clash(write, lecture_id, draft)
        view = self.lecture(lecture_id)
        self._bus.publish(LectureScheduled(view, by))
        return view

    def update_lecture(self, lecture_id: str, draft: LectureDraft, by: str) -> LectureView:
        """Change the plan of a lecture that has not begun; its calendar entry's SEQUENCE rises.

        Raises what `create_lecture` raises, and Conflict when the lecture has begun; then nothing changes.
        """
        check_draft(draft)
        before = self.lecture(lecture_id)

        def write(s: Session) -> None:
            row = found(s, Lecture, lecture_id)
            check_editable(cast(Status, row.status))
            s.execute(delete(Booking).where(Booking.lecture_id == lecture_id))
            s.execute(delete(LecturePoint).where(LecturePoint.lecture_id == lecture_id))
            s.expire(row, ["places"])
            self._fill(s, row, draft)
            row.sequence += 1
            s.flush()
            self._book(s, lecture_id, draft)

        self._write_or_name_the_clash(write, lecture_id, draft)
        view = self.lecture(lecture_id)
        self._bus.publish(LectureChanged(view, before, by))
        return view

    def cancel_lecture(self, lecture_id: str, by: str) -> LectureView:
        """Call a lecture off and free what it holds.  Raises Conflict when it is live or over."""
        with self._db.transaction() as s:
            row = found(s, Lecture, lecture_id)
            changed = check_step(cast(Status, row.status), "cancelled")
            if changed:
                row.status, row.sequence, row.changed_at = "cancelled", row.sequence + 1, self._clock.now()
                s.execute(delete(Booking).where(Booking.lecture_id == lecture_id))
        view = self.lecture(lecture_id)
        if changed:
            self._bus.publish(LectureCancelled(view, by))
        return view

    def mark(self, lecture_id: str, status: Status) -> None:
        """Follow the room: open, live, ended; saying it twice does no harm.

        A lecture that ends frees what it holds at once.  Raises Conflict for a step that does not exist.
        """
        now = self._clock.now()
        with self._db.transaction() as s:
            row = found(s, Lecture, lecture_id)
            if not check_step(cast(Status, row.status), status):
                return
            row.status = status
            if status == "ended":
                for hold in s.scalars(select(Booking).where(Booking.lecture_id == lecture_id)):
                    hold.ends_at = max(hold.starts_at, min(hold.ends_at, now))

    def _fill(self, s: Session, row: Lecture, draft: LectureDraft) -> None:
        found(s, Topic, draft.topic_id)
        if "lecturer" not in found(s, User, draft.lecturer_id).roles:
            raise Invalid("lecture.not_a_lecturer", N_("The person chosen is not a lecturer."))
        points = (draft.main_point_id, *draft.point_ids)
        for point_id in points:
            found(s, BridgePoint, point_id)
        row.title, row.description = draft.title.strip(), draft.description
        row.topic_id, row.lecturer_id, row.zone = draft.topic_id, draft.lecturer_id, draft.zone
        row.starts_at, row.ends_at, row.changed_at = draft.starts_at, draft.ends_at, self._clock.now()
        row.places = [
            LecturePoint(lecture_id=row.id, point_id=point_id, position=n) for n, point_id in enumerate(points)
        ]

    # ---- holding resources ----

    def _write_or_name_the_clash(self, write: Callable[[Session], None], lecture_id: str, draft: LectureDraft) -> None:
        """Do all of it in one transaction while nobody else books."""
        try:
            with self._db.transaction() as s:
                if not self._db.is_sqlite:  # there the transaction has already made us the only writer
                    s.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": BOOKING_LOCK})
                write(s)
        except IntegrityError:
            # A writer that did not take the lock was faster; the exclusion constraint saw it.
            with self._db.reading() as s:
                self._refuse_clashes(s, _wishes(s, lecture_id, draft), draft.zone)
            raise

    def _book(self, s: Session, lecture_id: str, draft: LectureDraft) -> None:
        wishes = _wishes(s, lecture_id, draft)
        self._refuse_clashes(s, wishes, draft.zone)
        for wish in wishes:
            s.add(
                Booking(
                    id=new_id("bkg"),
                    lecture_id=lecture_id,
                    kind=wish.kind,
                    resource_id=wish.resource_id,
                    starts_at=wish.starts_at,
                    ends_at=wish.ends_at,
                )
            )

    def _refuse_clashes(self, s: Session, wishes: list[Hold], zone: str) -> None:
        clashes = find_clashes(wishes, _held(s, wishes))
        if clashes:
            names = _names_of(s, clashes)
            raise BookingClash(
                [name_clash(c, names[c.held.resource_id], names[c.held.lecture_id], zone) for c in clashes]
            )

    # ---- asking ----

    def lecture(self, lecture_id: str) -> LectureView:
        """Return a lecture.  Raises NotFound."""
        with self._db.reading() as s:
            return _views(s, [found(s, Lecture, lecture_id)])[0]

    def lectures_between(
        self, start: datetime, end: datetime, point_id: str | None = None, lecturer_id: str | None = None
    ) -> list[LectureView]:
        """Return the lectures that share a moment with [start, end), earliest first, cancelled ones too.

        point_id, lecturer_id: only those with this point, of this lecturer.
        """
        query = select(Lecture).where(Lecture.starts_at < end, Lecture.ends_at > start)
        if point_id is not None:
            query = query.where(Lecture.places.any(LecturePoint.point_id == point_id))
        if lecturer_id is not None:
            query = query.where(Lecture.lecturer_id == lecturer_id)
        with self._db.reading() as s:
            return _views(s, s.scalars(query.order_by(Lecture.starts_at, Lecture.id)))

    def due(self, now: datetime, lobby_minutes: float) -> list[LectureView]:
        """Return the planned lectures whose lobby should be open: it opens that long before the start."""
        query = select(Lecture).where(
            Lecture.status == "planned",
            Lecture.starts_at <= now + timedelta(minutes=lobby_minutes),
            Lecture.ends_at > now,
        )
        with self._db.reading() as s:
            return _views(s, s.scalars(query.order_by(Lecture.starts_at, Lecture.id)))

    def overdue(self, now: datetime) -> list[LectureView]:
        """Return the open and live lectures that should have ended half an hour ago or more."""
        query = select(Lecture).where(Lecture.status.in_(("open", "live")), Lecture.ends_at <= now - OVERRUN)
        with self._db.reading() as s:
            return _views(s, s.scalars(query.order_by(Lecture.ends_at, Lecture.id)))

    def lecture_for_point(self, point_id: str, now: datetime) -> LectureView | None:
        """Return what is open or live at a point, else what comes next there, else None."""
        current, following = self.at_point(point_id, now)
        return current or following

    def at_point(self, point_id: str, now: datetime) -> tuple[LectureView | None, LectureView | None]:
        """Return (what is open or live at a point, what is planned next there), each may be None.

        When one lecture runs over into the lobby of the next, the one that began first is current.
        """
        mine = select(Lecture).where(Lecture.places.any(LecturePoint.point_id == point_id))
        mine = mine.order_by(Lecture.starts_at, Lecture.id).limit(1)
        with self._db.reading() as s:
            current = _views(s, s.scalars(mine.where(Lecture.status.in_(("open", "live")))))
            following = _views(s, s.scalars(mine.where(Lecture.status == "planned", Lecture.ends_at > now)))
        return (current[0] if current else None), (following[0] if following else None)

    def organisations_of_lecture(self, lecture_id: str) -> set[str]:
        """Return the organisations that take part: of the lecturer, and of every point."""
        with self._db.reading() as s:
            row = found(s, Lecture, lecture_id)
            points = [place.point_id for place in row.places]
            taking_part = set(s.scalars(select(BridgePoint.org_id).where(BridgePoint.id.in_(points))))
            return taking_part | {s.get_one(User, row.lecturer_id).org_id}

    def organisations_over_lecture(self, lecture_id: str) -> set[str]:
        """Return the organisations that take part and all above them: whose observers may look."""
        with self._db.reading() as s:
            parents = {row.id: row.parent_id for row in s.execute(select(Organisation.id, Organisation.parent_id))}
        climbing: list[str | None] = list(self.organisations_of_lecture(lecture_id))
        reached: set[str] = set()
        while climbing:
            org_id = climbing.pop()
            if org_id is not None and org_id not in reached:
                reached.add(org_id)
                climbing.append(parents[org_id])
        return reached

    # ---- calendars ----

    def calendar_key(self, kind: CalendarKind, of_id: str) -> str:
        """Return the secret in a calendar's address.  Raises NotFound."""
        with self._db.reading() as s:
            return str(found(s, _CALENDARS[kind], of_id).calendar_key)

    def renew_calendar_key(self, kind: CalendarKind, of_id: str) -> str:
        """Give a calendar a new address; the old one is worthless from now on."""
        with self._db.transaction() as s:
            row = found(s, _CALENDARS[kind], of_id)
            row.calendar_key = key = new_key()
        return key

    def calendar(self, kind: CalendarKind, of_id: str, key: str) -> tuple[str, list[LectureView]]:
        """Return (name, lectures) of a calendar.

        Raises the same NotFound for an unknown id and for a wrong key, so that ids cannot be probed.
        """
        with self._db.reading() as s:
            row = s.get(_CALENDARS[kind], of_id)
            stored = row.calendar_key if row else ""
            if row is None or not hmac.compare_digest(stored.encode(), key.encode()):
                raise NotFound("calendar.unknown", N_("There is no such calendar, or its address has changed."))
            name = str(row.title if isinstance(row, Lecture) else row.name)
        if kind == "lecture":
            return name, [self.lecture(of_id)]
        since, until = self._clock.now() - CALENDAR_BACK, datetime.max.replace(tzinfo=self._clock.now().tzinfo)
        wanted = {"point_id": of_id} if kind == "point" else {"lecturer_id": of_id}
        return name, self.lectures_between(since, until, **wanted)


_CALENDARS: dict[CalendarKind, type[Any]] = {
    "lecture": Lecture,
    "point": BridgePoint,
    "lecturer": User,
}


def _wishes(s: Session, lecture_id: str, draft: LectureDraft) -> list[Hold]:
    """Return every resource that a draft needs: its points, the equipment there, the lecturer."""
    points = (draft.main_point_id, *draft.point_ids)
    brought = dict(draft.equipment)
    for point_id, equipment_id in brought.items():
        if point_id not in points:
            raise Invalid("lecture.equipment_elsewhere", N_("Equipment was chosen for a point that does not join."))
        found(s, Equipment, equipment_id)
    standing = s.execute(
        select(Equipment.id).where(Equipment.point_id.in_([p for p in points if p not in brought]))
    ).scalars()
    resources: list[tuple[ResourceKind, str]] = [("point", point_id) for point_id in points]
    resources += [("equipment", equipment_id) for equipment_id in (*brought.values(), *standing)]
    resources.append(("lecturer", draft.lecturer_id))
    return [
        Hold(kind, resource_id, draft.starts_at, draft.ends_at, lecture_id) for kind, resource_id in sorted(resources)
    ]


def _held(s: Session, wishes: list[Hold]) -> list[Hold]:
    """Return what could stand in the way; the pure core decides what does."""
    query = select(Booking).where(
        Booking.resource_id.in_([w.resource_id for w in wishes]),
        Booking.starts_at < wishes[0].ends_at,
        Booking.ends_at > wishes[0].starts_at,
    )
    return [
        Hold(cast(ResourceKind, b.kind), b.resource_id, b.starts_at, b.ends_at, b.lecture_id or "")
        for b in s.scalars(query)
    ]


def _names_of(s: Session, clashes: list[Clash]) -> dict[str, str]:
    """Return the names of the resources and lectures in clashes."""
    resources = {c.held.resource_id for c in clashes}
    names: dict[str, str] = {}
    for table in (User, BridgePoint, Equipment):
        names.update((i, name) for i, name in s.execute(select(table.id, table.name).where(table.id.in_(resources))))
    lectures = {c.held.lecture_id for c in clashes}
    names.update((i, name) for i, name in s.execute(select(Lecture.id, Lecture.title).where(Lecture.id.in_(lectures))))
    return names


def _views(s: Session, rows: Iterable[Lecture]) -> list[LectureView]:
    """Return lectures with all their names, in four queries however many they are."""
    lectures = list(rows)
    topics = {row.id: row for row in s.scalars(select(Topic).where(Topic.id.in_({x.topic_id for x in lectures})))}
    lecturers = {lecture.lecturer_id for lecture in lectures}
    points = {place.point_id for lecture in lectures for place in lecture.places}
    names = {i: value for i, value in s.execute(select(User.id, User.name).where(User.id.in_(lecturers)))}
    names.update(
        (i, name) for i, name in s.execute(select(BridgePoint.id, BridgePoint.name).where(BridgePoint.id.in_(points)))
    )
    courses = {topic.course_id for topic in topics.values()}
    names.update((i, name) for i, name in s.execute(select(Course.id, Course.title).where(Course.id.in_(courses))))
    return [_view(lecture, topics[lecture.topic_id], names) for lecture in lectures]


def _view(row: Lecture, topic: Topic, names: dict[str, str]) -> LectureView:
    main, *joining = [place.point_id for place in row.places]
    return LectureView(
        id=row.id,
        title=row.title,
        description=row.description,
        course_id=topic.course_id,
        course_title=names[topic.course_id],
        topic_id=topic.id,
        topic_title=topic.title,
        lecturer_id=row.lecturer_id,
        lecturer_name=names[row.lecturer_id],
        main_point_id=main,
        main_point_name=names[main],
        point_ids=tuple(joining),
        point_names=tuple(names[point_id] for point_id in joining),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        zone=row.zone,
        status=cast(Status, row.status),
        uid=row.uid,
        sequence=row.sequence,
        changed_at=row.changed_at,
    )
