"""The timetable: plan, change and cancel lectures, hold what they need. The only SQL on these tables."""

import hmac
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from core.bus import EventBus
from core.clock import Clock
from core.db import Database
from core.errors import N_, NotFound
from core.ids import new_id, new_key
from schedules.alternatives_service import Alternatives
from schedules.booking_service import Bookings
from schedules.conflicts import BookingClash, NamedClash
from schedules.directory_service import Directory, found, held_still
from schedules.events import LectureCancelled, LectureChanged, LectureScheduled
from schedules.lifecycle import OVERRUN, check_draft, check_step
from schedules.models import (
    BridgePoint,
    Course,
    Enrolment,
    Equipment,
    Lecture,
    LecturePoint,
    Organisation,
    PointOperator,
    Series,
    Topic,
    User,
)
from schedules.pairing_service import PairingService
from schedules.planning_service import Change, Planner, in_series
from schedules.records import DeviceView, LectureDraft, LectureView, Scope, SeriesDraft, Status
from schedules.registry.belonging_service import heirs_of_courses, lineage_of, within
from schedules.registry.lineage import Lineage, Period
from schedules.series import changed_alike
from schedules.stream_service import StreamService

__all__ = ["BookingClash", "DeviceView", "LectureDraft", "LectureView", "ScheduleService"]

CalendarKind = Literal["lecture", "point", "lecturer", "course", "organisation", "person"]
CALENDAR_BACK = timedelta(days=90)  # a feed tells what was, so far back; clients keep what they have seen


class ScheduleService(Directory):
    """The timetable, and the directory of everything it speaks of.

    `pairing` has the halls' devices, `streams` the keys of encoders and players, `bookings` what is
    held and blocked, `alternatives` what would be free instead.
    """

    def __init__(self, db: Database, bus: EventBus, clock: Clock) -> None:
        """Use `db` for every transaction, tell `bus` what changed, ask `clock` for the time."""
        super().__init__(db, bus, clock)
        self.pairing = PairingService(db, clock)
        self.streams = StreamService(db, bus, clock)
        self.bookings = Bookings(db, clock)
        self.alternatives = Alternatives(db, clock)
        self._planner = Planner(db, clock, self.bookings)

    def device(self, token: str) -> DeviceView | None:
        """Return the paired device of a token, or None for a wrong or revoked one."""
        return self.pairing.device(token)

    # ---- planning ----

    def create_lecture(self, draft: LectureDraft, by: str) -> LectureView:
        """Plan a lecture and hold all it needs, or nothing at all.

        by: the person's id.  Returns the lecture.  Raises Invalid or NotFound for a draft that makes no
        sense, BookingClash naming what is taken.
        """
        return self._told(self._planner.create([draft], by), by)[0]

    def create_series(self, series: SeriesDraft, by: str) -> list[LectureView]:
        """Plan all lectures of a series and hold all they need, or nothing at all.

        Returns them, earliest first.  Raises what `create_lecture` raises, and Invalid for a series that has
        no end, no lecture or too many.
        """
        return self._told(self._planner.create(self._planner.expand(series), by, series), by)

    def update_lecture(
        self, lecture_id: str, draft: LectureDraft, by: str, sequence: int | None = None, scope: Scope = "one"
    ) -> LectureView:
        """Change the plan of a lecture that has not begun; its calendar entry's SEQUENCE rises.

        sequence: the one that the person has seen, so that nobody overwrites what somebody else has
        changed meanwhile; None: whatever it is. scope: of a series, which lectures change alike: those
        are moved by as much on the wall clock, and keep what is their own; see `series.merged`.
        Raises what `create_lecture` raises, and Conflict when a lecture has begun or was changed
        meanwhile; then nothing changes.
        """
        return self.change_alike(lecture_id, draft, by, sequence, scope)[0][1]

    def change_alike(
        self, lecture_id: str, draft: LectureDraft, by: str, sequence: int | None = None, scope: Scope = "one"
    ) -> list[tuple[LectureView, LectureView]]:
        """Do what `update_lecture` does.  Returns (before, after) of all that changed, the lecture itself first."""
        check_draft(draft)  # before others are moved by as much
        before = self._with_alike(lecture_id, scope)
        drafts = changed_alike({i: view.plan for i, view in before.items()}, lecture_id, draft)
        if sequence is None and len(drafts) > 1:
            sequence = before[lecture_id].sequence  # how the others change follows from how this one was
        seen = {**{i: view.sequence for i, view in before.items()}, lecture_id: sequence}
        return self._change([Change(i, wish, seen[i]) for i, wish in drafts.items()], before, by)

    def change_each(self, changes: Sequence[Change], by: str) -> list[LectureView]:
        """Give lectures that have not begun a plan each, all or none.  Returns them.  Raises as `update_lecture`."""
        before = {change.lecture_id: self.lecture(change.lecture_id) for change in changes}
        return [after for _, after in self._change(changes, before, by)]

    def _change(
        self, changes: Sequence[Change], before: Mapping[str, LectureView], by: str
    ) -> list[tuple[LectureView, LectureView]]:
        self._planner.change(changes)
        changed = [(before[change.lecture_id], self.lecture(change.lecture_id)) for change in changes]
        for was, now in changed:
            self._bus.publish(LectureChanged(now, was, by))
        return changed

    def cancel_lecture(
        self, lecture_id: str, by: str, because: str = "", sequence: int | None = None, scope: Scope = "one"
    ) -> LectureView:
        """Call a lecture off and free what it holds.

        because: the reason; sequence, scope: as in `update_lecture`.  Raises Conflict when it is live or over.
        """
        for cancelled in self._planner.cancel(list(self._with_alike(lecture_id, scope)), because, sequence):
            self._bus.publish(LectureCancelled(self.lecture(cancelled), by))
        return self.lecture(lecture_id)

    def check(self, draft: LectureDraft, lecture_id: str | None = None) -> list[NamedClash]:
        """Return what stands in the way of a draft, and store nothing.

        lecture_id: of the lecture that would be moved; it is never in its own way.  Raises Invalid, NotFound.
        """
        return self._planner.clashes({lecture_id or new_id("lec"): draft})

    def check_change(self, lecture_id: str, draft: LectureDraft, scope: Scope) -> list[NamedClash]:
        """Return what stands in the way of a change as `update_lecture` would make it, and store nothing."""
        return self._planner.clashes(self.plans_after(lecture_id, draft, scope))

    def plans_after(self, lecture_id: str, draft: LectureDraft, scope: Scope) -> dict[str, LectureDraft]:
        """Return the plans after `update_lecture` of all in its scope, by id, that of the lecture itself first."""
        check_draft(draft)
        before = {i: view.plan for i, view in self._with_alike(lecture_id, scope).items()}
        return before | changed_alike(before, lecture_id, draft)

    def check_series(self, series: SeriesDraft) -> tuple[list[LectureDraft], list[NamedClash]]:
        """Return (drafts, what stands in their way) of a series, and store nothing.  Raises Invalid, NotFound."""
        drafts = self.plans_of(series)
        return drafts, self._planner.clashes({new_id("lec"): draft for draft in drafts})

    def plans_of(self, series: SeriesDraft) -> list[LectureDraft]:
        """Return the drafts of a series' lectures, earliest first.  Raises Invalid."""
        return self._planner.expand(series)

    def mark(self, lecture_id: str, status: Status) -> None:
        """Follow the room: open, live, ended; saying it twice does no harm.

        A lecture that ends frees what it holds at once.  Raises Conflict for a step that does not exist.
        """
        with self._db.transaction() as s:
            row = held_still(s, Lecture, lecture_id)
            if not check_step(cast(Status, row.status), status):
                return
            row.status = status
            if status == "ended":
                self.bookings.shorten(s, lecture_id, self._clock.now())

    def release_point(self, lecture_id: str, point_id: str) -> bool:
        """Give a joining point free, with its equipment and operator, because nobody came.

        The lecture goes on without it. Returns False when it was free already, or is the main point.
        """
        now = self._clock.now()
        with self._db.transaction() as s:
            row = held_still(s, Lecture, lecture_id)
            place = next((p for p in row.places if p.point_id == point_id and p.position > 0), None)
            if place is None or place.released_at is not None or row.status != "live":
                return False
            place.released_at = now
            staying = {p.operator_id for p in row.places if p.released_at is None}
            resources = {point_id, place.equipment_id, place.operator_id if place.operator_id not in staying else None}
            if place.equipment_id is None:
                brought = {p.equipment_id for p in row.places}
                standing = s.scalars(select(Equipment.id).where(Equipment.point_id == point_id))
                resources |= set(standing) - brought
            self.bookings.shorten(s, lecture_id, now, [resource for resource in resources if resource])
        return True

    def _told(self, ids: Sequence[str], by: str) -> list[LectureView]:
        views = [self.lecture(lecture_id) for lecture_id in ids]
        for view in views:
            self._bus.publish(LectureScheduled(view, by))
        return views

    def _with_alike(self, lecture_id: str, scope: Scope) -> dict[str, LectureView]:
        """Return a lecture first, also one that has begun, then the planned ones of its series in a scope, by id."""
        lecture = self.lecture(lecture_id)
        if scope == "one" or lecture.series_id is None:
            return {lecture_id: lecture}
        with self._db.reading() as s:
            alike = _views(s, in_series(s, lecture.series_id, lecture.starts_at if scope == "following" else None))
        return {lecture_id: lecture} | {other.id: other for other in alike}

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

    def not_begun(self, now: datetime, minutes: int) -> list[LectureView]:
        """Return the lectures that are not live so many minutes after their start, and not given up yet.

        minutes: 0 for none: nobody wants to be told.
        """
        query = select(Lecture).where(
            Lecture.status.in_(("planned", "open")),
            Lecture.starts_at <= now - timedelta(minutes=minutes),
            Lecture.ends_at > now - OVERRUN,
        )
        with self._db.reading() as s:
            return _views(s, s.scalars(query.order_by(Lecture.starts_at, Lecture.id))) if minutes else []

    def live(self) -> list[LectureView]:
        """Return the lectures that are live."""
        with self._db.reading() as s:
            return _views(s, s.scalars(select(Lecture).where(Lecture.status == "live").order_by(Lecture.starts_at)))

    def lecture_for_point(self, point_id: str, now: datetime) -> LectureView | None:
        """Return what is open or live at a point, else what comes next there, else None."""
        current, following = self.at_point(point_id, now)
        return current or following

    def at_point(self, point_id: str, now: datetime) -> tuple[LectureView | None, LectureView | None]:
        """Return (what is open or live at a point, what is planned next there), each may be None.

        When one lecture runs over into the lobby of the next, the one that began first is current; one from which
        the point was released, because nobody came, is so only while nothing else is.
        """
        mine = select(Lecture).join(LecturePoint).where(LecturePoint.point_id == point_id)
        mine = mine.order_by(LecturePoint.released_at.is_not(None), Lecture.starts_at, Lecture.id).limit(1)
        with self._db.reading() as s:
            current = _views(s, s.scalars(mine.where(Lecture.status.in_(("open", "live")))))
            following = _views(s, s.scalars(mine.where(Lecture.status == "planned", Lecture.ends_at > now)))
        return (current[0] if current else None), (following[0] if following else None)

    def organisations_of_lecture(self, lecture_id: str) -> set[str]:
        """Return the organisations that take part: of the lecturer, and of every point, when it begins."""
        with self._db.reading() as s:
            return _taking_part(found(s, Lecture, lecture_id))

    def organisations_over_lecture(self, lecture_id: str) -> set[str]:
        """Return the organisations that take part and all above them when it begins: whose observers may look."""
        with self._db.reading() as s:
            row = found(s, Lecture, lecture_id)
            return lineage_of(s).above(_taking_part(row), row.starts_at)

    def point_organisations(self, lecture_id: str) -> dict[str, str]:
        """Return what the organisation of each point is called when a lecture begins, by the point's id."""
        with self._db.reading() as s:
            row = found(s, Lecture, lecture_id)
            lineage = lineage_of(s)
            return {place.point_id: lineage.name(place.org_id, row.starts_at) for place in row.places}

    def lineage(self) -> Lineage:
        """Return the trees of organisations of all moments, to ask for many lectures."""
        with self._db.reading() as s:
            return lineage_of(s)

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

        Raises the same NotFound for an unknown id, for a wrong key and for somebody who has left, so that ids
        cannot be probed.
        """
        with self._db.reading() as s:
            row = s.get(_CALENDARS[kind], of_id)
            stored = row.calendar_key if row else ""
            has_left = isinstance(row, User) and row.left_at is not None and row.left_at <= self._clock.now()
            if row is None or has_left or not hmac.compare_digest(stored.encode(), key.encode()):
                raise NotFound("calendar.unknown", N_("There is no such calendar, or its address has changed."))
            name = str(row.title if isinstance(row, Lecture | Course) else row.name)
        if kind == "lecture":
            return name, [self.lecture(of_id)]
        query = select(Lecture).where(Lecture.ends_at > self._clock.now() - CALENDAR_BACK)
        with self._db.reading() as s:
            query = query.where(_concerns(s, kind, of_id)).order_by(Lecture.starts_at, Lecture.id)
            return name, _views(s, s.scalars(query))


_CALENDARS: dict[CalendarKind, type[Any]] = {
    "lecture": Lecture,
    "point": BridgePoint,
    "lecturer": User,
    "course": Course,
    "organisation": Organisation,
    "person": User,
}


def _concerns(s: Session, kind: CalendarKind, of_id: str) -> ColumnElement[bool]:
    """Return the condition for the lectures in a calendar.

    An organisation's has what its points, those of all that is below it when the lecture begins, and its courses
    take part in; a person's what they teach, look after or are enrolled in.
    """
    if kind == "point":
        return Lecture.places.any(LecturePoint.point_id == of_id)
    if kind == "course":
        return Lecture.topic_id.in_(select(Topic.id).where(Topic.course_id == of_id))
    if kind == "organisation":
        heirs = heirs_of_courses(s)
        return or_(*(_below_takes_part(period, heirs) for period in lineage_of(s).periods(of_id)))
    teaches = Lecture.lecturer_id == of_id
    if kind == "lecturer":
        return teaches
    operated = select(PointOperator.point_id).where(PointOperator.user_id == of_id)
    attended = select(Topic.id).join(Enrolment, Enrolment.course_id == Topic.course_id)
    return or_(
        teaches,
        Lecture.places.any(or_(LecturePoint.point_id.in_(operated), LecturePoint.operator_id == of_id)),
        Lecture.topic_id.in_(attended.where(Enrolment.user_id == of_id)),
    )


def _below_takes_part(period: Period, heirs: Mapping[str, Sequence[Period]]) -> ColumnElement[bool]:
    points = Lecture.places.any(LecturePoint.org_id.in_(period.below))
    courses = [_of_courses(period.below - heirs.keys())]
    for org_id, spans in heirs.items():
        courses += [within(span, _of_courses({org_id})) for span in spans if span.below <= period.below]
    return within(period, or_(points, *courses))


def _of_courses(org_ids: Collection[str]) -> ColumnElement[bool]:
    topics = select(Topic.id).join(Course, Course.id == Topic.course_id)
    return Lecture.topic_id.in_(topics.where(Course.org_id.in_(org_ids)))


def _taking_part(row: Lecture) -> set[str]:
    return {row.lecturer_org_id, *(place.org_id for place in row.places)}


def _views(s: Session, rows: Iterable[Lecture]) -> list[LectureView]:
    """Return lectures with all their names, in a few queries however many they are."""
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
    series = {lecture.series_id for lecture in lectures if lecture.series_id}
    if series:
        names.update((i, uid) for i, uid in s.execute(select(Series.id, Series.uid).where(Series.id.in_(series))))
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
        setup_min=row.setup_min,
        teardown_min=row.teardown_min,
        equipment=tuple((place.point_id, place.equipment_id) for place in row.places if place.equipment_id),
        operators=tuple((place.point_id, place.operator_id) for place in row.places if place.operator_id),
        released=tuple(place.point_id for place in row.places if place.released_at),
        cancelled_because=row.cancelled_because,
        series_id=row.series_id,
        series_uid=names[row.series_id] if row.series_id else None,
        recurrence_at=row.recurrence_at,
        org_ids=tuple(place.org_id for place in row.places),
        lecturer_org_id=row.lecturer_org_id,
    )
