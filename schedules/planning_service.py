"""Write lectures into the timetable and hold what they need, all or nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Database
from core.errors import N_, Conflict, Invalid
from core.ids import new_id, new_key
from schedules.booking_service import Bookings, Standing, standing_at, wishes_of
from schedules.conflicts import Hold, NamedClash
from schedules.directory_service import found, held_still
from schedules.lifecycle import REASON_MAX, check_draft, check_editable, check_step
from schedules.models import BridgePoint, Equipment, Lecture, LecturePoint, PointOperator, Series, Topic, User
from schedules.records import LectureDraft, SeriesDraft, Status
from schedules.series import expand


@dataclass(frozen=True)
class Change:
    """A lecture's new plan; `sequence` is the one that whoever changes it has seen, None: whatever it is."""

    lecture_id: str
    draft: LectureDraft
    sequence: int | None = None


@dataclass
class _Work:
    """What one transaction wants, for the sentence of its refusal."""

    zone: str
    wanted: list[Hold] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


class Planner:
    """Creates, changes and cancels lectures in the database; tells nobody."""

    def __init__(self, db: Database, clock: Clock, bookings: Bookings) -> None:
        """Use `db` and `clock`, and let `bookings` hold what lectures need."""
        self._db = db
        self._clock = clock
        self._bookings = bookings

    def create(self, drafts: Sequence[LectureDraft], by: str, series: SeriesDraft | None = None) -> list[str]:
        """Plan lectures, all or none; those of a series belong together.  Returns their ids in order.

        Raises Invalid or NotFound for a draft that makes no sense, BookingClash naming what is taken.
        """
        for draft in drafts:
            check_draft(draft)
        work = _Work(drafts[0].zone)
        ids = [new_id("lec") for _ in drafts]
        with self._bookings.writing(work.wanted, work.names, work.zone) as s:
            series_id = self._series(s, series, by) if series else None
            standing = standing_at(s, drafts)
            for lecture_id, draft in zip(ids, drafts, strict=True):
                row = Lecture(
                    id=lecture_id,
                    status="planned",
                    uid=f"{lecture_id}@diem-cau",
                    sequence=0,
                    calendar_key=new_key(),
                    created_by=by,
                    series_id=series_id,
                    recurrence_at=draft.starts_at if series_id else None,
                )
                self._fill(s, row, draft)
                s.add(row)
                _want(work, lecture_id, draft, standing)
            s.flush()
            self._bookings.hold(s, work.wanted, work.names, work.zone)
        return ids

    def change(self, changes: Sequence[Change]) -> None:
        """Give lectures that have not begun new plans, all or none; each one's SEQUENCE rises.

        Raises what `create` raises, and Conflict when one has begun or was changed by somebody else meanwhile.
        """
        for change in changes:
            check_draft(change.draft)
        work = _Work(changes[0].draft.zone)
        ids = [change.lecture_id for change in changes]
        with self._bookings.writing(work.wanted, work.names, work.zone) as s:
            standing = standing_at(s, [change.draft for change in changes])
            for change in changes:
                row = held_still(s, Lecture, change.lecture_id)
                _check_unchanged(row, change.sequence)
                check_editable(cast(Status, row.status))
                s.execute(delete(LecturePoint).where(LecturePoint.lecture_id == row.id))
                s.expire(row, ["places"])
                self._fill(s, row, change.draft)
                row.sequence += 1
                _want(work, row.id, change.draft, standing)
            kept = self._bookings.held_by(s, ids)
            self._bookings.free(s, ids)
            s.flush()
            self._bookings.hold(s, work.wanted, work.names, work.zone, kept)

    def cancel(self, ids: Sequence[str], because: str, sequence: int | None = None) -> list[str]:
        """Call lectures off, all or none, and free what they hold.  Returns those that were not off before.

        because: the reason, which everybody invited reads; may be empty. sequence: of the first one, as in `Change`.
        Raises Conflict when one is live or over, or the first was changed meanwhile.
        """
        because = " ".join(because.split())
        if len(because) > REASON_MAX:
            raise Invalid("lecture.long_reason", N_("The reason has more than %(most)s characters."), most=REASON_MAX)
        cancelled = []
        with self._bookings.writing([], {}, "UTC") as s:  # else who changes one now would hold things for it again
            for lecture_id in ids:
                row = held_still(s, Lecture, lecture_id)
                if not check_step(cast(Status, row.status), "cancelled"):
                    continue
                _check_unchanged(row, sequence if lecture_id == ids[0] else None)
                row.status, row.sequence, row.changed_at = "cancelled", row.sequence + 1, self._clock.now()
                row.cancelled_because = because
                cancelled.append(row.id)
            self._bookings.free(s, cancelled)
        return cancelled

    def clashes(self, drafts: Mapping[str, LectureDraft]) -> list[NamedClash]:
        """Return what stands in the way of drafts, and store nothing.

        drafts: by the id of the lecture, which need not exist yet.  Raises what `create` raises, but for clashes.
        """
        zone = next(iter(drafts.values())).zone
        work = _Work(zone)
        for draft in drafts.values():
            check_draft(draft)
        with self._db.reading() as s:
            standing = standing_at(s, drafts.values())
            for lecture_id, draft in drafts.items():
                _want(work, lecture_id, draft, standing)
            for draft in _latest_of_each_kind(drafts.values()):
                _check_known(s, draft)
            return self._bookings.clashes(s, work.wanted, work.names, zone, self._bookings.held_by(s, drafts.keys()))

    def expand(self, series: SeriesDraft) -> list[LectureDraft]:
        """Return the drafts of a series' lectures.  Raises Invalid."""
        return expand(series)

    # ---- inside a transaction ----

    def _fill(self, s: Session, row: Lecture, draft: LectureDraft) -> None:
        homes = _check_known(s, draft)
        brought, operators = dict(draft.equipment), dict(draft.operators)
        row.title, row.description = " ".join(draft.title.split()), draft.description
        row.topic_id, row.lecturer_id, row.zone = draft.topic_id, draft.lecturer_id, draft.zone
        row.lecturer_org_id = homes[draft.lecturer_id]
        row.starts_at, row.ends_at, row.changed_at = draft.starts_at, draft.ends_at, self._clock.now()
        row.setup_min, row.teardown_min = draft.setup_min, draft.teardown_min
        row.places = [
            LecturePoint(
                lecture_id=row.id,
                point_id=point_id,
                org_id=homes[point_id],
                position=n,
                equipment_id=brought.get(point_id),
                operator_id=operators.get(point_id),
            )
            for n, point_id in enumerate((draft.main_point_id, *draft.point_ids))
        ]

    def _series(self, s: Session, series: SeriesDraft, by: str) -> str:
        row = Series(
            id=new_id("ser"),
            kind=series.kind,
            rule=_rule(series),
            uid="",
            zone=series.first.zone,
            made_by=by,
            made_at=self._clock.now(),
        )
        row.uid = f"{row.id}@diem-cau"
        s.add(row)
        s.flush()
        return row.id


def _check_unchanged(row: Lecture, sequence: int | None) -> None:
    if sequence is not None and sequence != row.sequence:
        raise Conflict(
            "lecture.changed_meanwhile",
            N_("Somebody else has changed this lecture meanwhile. Look at it again before you change it."),
        )


def _latest_of_each_kind(drafts: Iterable[LectureDraft]) -> Iterable[LectureDraft]:
    """Return, of drafts that name the same, only the latest: what is in use then is in use before."""
    latest: dict[object, LectureDraft] = {}
    for draft in sorted(drafts, key=lambda draft: draft.starts_at):
        named = (draft.topic_id, draft.lecturer_id, draft.main_point_id, draft.point_ids)
        latest[named, draft.equipment, draft.operators] = draft
    return latest.values()


def _check_known(s: Session, draft: LectureDraft) -> dict[str, str]:
    """Raise NotFound or Invalid unless all that a draft names is there, in use, and what it should be.

    Returns the organisations of the lecturer and of the points, by their ids.
    """
    found(s, Topic, draft.topic_id)
    lecturer = found(s, User, draft.lecturer_id)
    if "lecturer" not in lecturer.roles or _gone(lecturer.left_at, draft):
        raise Invalid("lecture.not_a_lecturer", N_("The person chosen is not a lecturer."))
    points = (draft.main_point_id, *draft.point_ids)
    known = s.scalars(select(BridgePoint).where(BridgePoint.id.in_(points))).all()  # all in one query
    for point_id in points:
        point = next((p for p in known if p.id == point_id), None) or found(s, BridgePoint, point_id)
        if _gone(point.retired_at, draft):
            raise Invalid(
                "lecture.point_retired", N_("The bridge point %(point)s is not in use any more."), point=point.name
            )
    for _, equipment_id in draft.equipment:
        equipment = found(s, Equipment, equipment_id)
        if _gone(equipment.retired_at, draft):
            raise Invalid(
                "lecture.equipment_retired",
                N_("The equipment “%(equipment)s” is not in use any more."),
                equipment=equipment.name,
            )
    _check_operators(s, dict(draft.operators))
    return {lecturer.id: lecturer.org_id, **{point.id: point.org_id for point in known}}


def _check_operators(s: Session, operators: Mapping[str, str]) -> None:
    for point_id, user_id in operators.items():
        if s.get(PointOperator, (point_id, user_id)) is None:
            raise Invalid(
                "lecture.not_an_operator",
                N_("%(person)s does not look after the bridge point %(point)s."),
                person=found(s, User, user_id).name,
                point=found(s, BridgePoint, point_id).name,
            )


def _gone(since: datetime | None, draft: LectureDraft) -> bool:
    return since is not None and since <= draft.starts_at


def _want(work: _Work, lecture_id: str, draft: LectureDraft, standing: Standing) -> None:
    work.wanted.extend(wishes_of(lecture_id, draft, standing))
    work.names[lecture_id] = draft.title.strip()


def _rule(series: SeriesDraft) -> dict[str, object]:
    """Return the wish as it is kept: for pages that say “weekly on Mondays”, and for calendars."""
    return {
        "interval": series.interval,
        "weekdays": list(series.weekdays),
        "count": series.count,
        "until": series.until.isoformat() if series.until else None,
        "dates": [day.isoformat() for day in series.dates],
        "without": [day.isoformat() for day in series.without],
    }


def in_series(s: Session, series_id: str, since: datetime | None = None) -> Iterable[Lecture]:
    """Return the planned lectures of a series, earliest first; since: only those that start then or later."""
    query = select(Lecture).where(Lecture.series_id == series_id, Lecture.status == "planned")
    if since is not None:
        query = query.where(Lecture.starts_at >= since)
    return s.scalars(query.order_by(Lecture.starts_at, Lecture.id)).all()
