"""To which organisations lectures belong: of each point and of the lecturer, as it is when the lecture begins."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, update
from sqlalchemy.orm import Session

from schedules.booking_service import wait_for_planners
from schedules.models import Course, Lecture, LecturePoint, Organisation
from schedules.registry import history_service
from schedules.registry.lineage import Lineage, Period


def lineage_of(s: Session) -> Lineage:
    """Return the trees of all moments."""
    return Lineage(history_service.past_rows(s))


def follow_points(s: Session, point_ids: Collection[str], org_id: str, at: datetime) -> None:
    """Let points take part for another organisation in what starts at a moment or later and has not begun."""
    wait_for_planners(s)  # who may have read the organisation of before
    s.execute(
        update(LecturePoint)
        .where(LecturePoint.point_id.in_(point_ids), LecturePoint.lecture_id.in_(_to_come(at)))
        .values(org_id=org_id)
        .execution_options(synchronize_session=False)
    )


def follow_lecturers(s: Session, user_ids: Collection[str], org_id: str, at: datetime) -> None:
    """Let lecturers teach for another organisation in what starts at a moment or later and has not begun."""
    wait_for_planners(s)  # who may have read the organisation of before
    s.execute(
        update(Lecture)
        .where(Lecture.lecturer_id.in_(user_ids), Lecture.id.in_(_to_come(at)))
        .values(lecturer_org_id=org_id)
        .execution_options(synchronize_session=False)
    )


def within(period: Period, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return a condition for the lectures that start in a period."""
    edges = [condition]
    if period.from_at is not None:
        edges.append(Lecture.starts_at >= period.from_at)
    if period.until_at is not None:
        edges.append(Lecture.starts_at < period.until_at)
    return and_(*edges)


def takes_part(period: Period) -> ColumnElement[bool]:
    """Return a condition for the lectures of a period that an organisation, or one below it, took part in.

    A point that was given free because nobody came did not.
    """
    # `in`, not `exists`: the few rows of these organisations are found first, by their index
    places = select(LecturePoint.lecture_id).where(
        LecturePoint.org_id.in_(period.below), LecturePoint.released_at.is_(None)
    )
    return within(period, or_(Lecture.id.in_(places), Lecture.lecturer_org_id.in_(period.below)))


def heirs_of_courses(s: Session) -> dict[str, list[Period]]:
    """Return whose the courses of abolished organisations were and are, by the organisation that a course names.

    A course names one organisation for ever: from the day of its end on it counts for the successor.
    """
    query = select(Organisation.id, Organisation.abolished_at, Organisation.successor_id)
    ended = s.execute(query.where(Organisation.successor_id.is_not(None)))
    ends = {org_id: (at, heir) for org_id, at, heir in ended if at is not None and heir is not None}
    if not ends:
        return {}
    holders = s.scalars(select(Course.org_id).where(Course.org_id.in_(ends)).distinct()).all()
    return {org_id: _holders(org_id, ends) for org_id in holders}


def _holders(org_id: str, ends: Mapping[str, tuple[datetime, str]]) -> list[Period]:
    found: list[Period] = []
    since: datetime | None = None
    while org_id in ends:  # a successor was there when it took over, so this way ends
        at, heir = ends[org_id]
        at = max(at, since or at)  # its own end may have been entered for an earlier day
        found.append(Period(since, at, frozenset({org_id})))
        since, org_id = at, heir
    return [*found, Period(since, None, frozenset({org_id}))]


def _to_come(at: datetime) -> Select[Any]:
    # one whose lobby is open has not begun either
    return select(Lecture.id).where(Lecture.status.in_(("planned", "open")), Lecture.starts_at >= at)
