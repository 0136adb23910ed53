"""Hours of lecturers and operators in a calendar year, and what of it a planner should know before planning more."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from core.db import Database
from core.errors import N_
from schedules.models import Lecture, LecturePoint, LecturerProfile, LecturerTopic, PointOperator, Topic, User
from schedules.records import LectureDraft, LectureView
from schedules.zones import midnight, to_local

HOUR_S = 3600
NOT_NAMED = N_("%(name)s has not been named for the topic “%(topic)s”.")
TOO_MANY_HOURS = N_("With this, %(name)s teaches %(hours)s of %(most)s hours in %(year)s.")

Hours = dict[str, tuple[float, float]]  # (held, planned) hours by person
Taught = Mapping[str, LectureDraft | LectureView]  # by the lecture's id, or anything else while it has none


@dataclass(frozen=True)
class Remark:
    """What a planner should know; nothing is refused for it.

    sentence: with places for `words` and for `figures`, which are written as the reader writes numbers.
    """

    sentence: str
    words: Mapping[str, str]
    figures: Mapping[str, float]


class Remarks:
    """Holds what is planned against what lecturers are named for and how much they are to teach."""

    def __init__(self, db: Database, zone: str) -> None:
        """Use `db`; zone: of calendar years, an IANA name."""
        self._db, self._zone = db, zone

    def about(self, lectures: Taught) -> list[Remark]:
        """Return what there is to say of lectures that are, or would be, planned as given; stored ones by their id."""
        people = {lecture.lecturer_id for lecture in lectures.values()}
        with self._db.reading() as s:
            names = {i: name for i, name in s.execute(select(User.id, User.name).where(User.id.in_(people)))}
            return [*_not_named(s, lectures, names), *self._too_many_hours(s, lectures, names)]

    def _too_many_hours(self, s: Session, lectures: Taught, names: Mapping[str, str]) -> list[Remark]:
        profiles = select(LecturerProfile).where(LecturerProfile.user_id.in_(names))
        limits = {row.user_id: row.hours_max for row in s.scalars(profiles) if row.hours_max is not None}
        wished: defaultdict[tuple[int, str], float] = defaultdict(float)
        for lecture in lectures.values():
            year = to_local(lecture.starts_at, self._zone).year
            wished[year, lecture.lecturer_id] += _hours(lecture.starts_at, lecture.ends_at)
        said = []
        for (year, user_id), hours in sorted(wished.items()):
            if user_id not in limits:
                continue
            others = hours_taught(s, {user_id}, year, self._zone, without=lectures).get(user_id, (0.0, 0.0))
            if sum(others, hours) > limits[user_id]:
                words = {"name": names[user_id], "year": str(year)}
                said.append(Remark(TOO_MANY_HOURS, words, {"hours": sum(others, hours), "most": limits[user_id]}))
        return said


def _not_named(s: Session, lectures: Taught, names: Mapping[str, str]) -> list[Remark]:
    named: defaultdict[str, set[str]] = defaultdict(set)
    for row in s.scalars(select(LecturerTopic).where(LecturerTopic.user_id.in_(names))):
        named[row.user_id].add(row.topic_id)
    wished = {(each.lecturer_id, each.topic_id) for each in lectures.values()}
    others = {(user, topic) for user, topic in wished if named[user] and topic not in named[user]}
    topics = select(Topic.id, Topic.title).where(Topic.id.in_({topic for _, topic in others}))
    titles = {i: title for i, title in s.execute(topics)}
    known = sorted((names[user], titles[topic]) for user, topic in others if topic in titles)
    return [Remark(NOT_NAMED, {"name": name, "topic": title}, {}) for name, title in known]


def hours_taught(s: Session, ids: Collection[str], year: int, zone: str, without: Iterable[str] = ()) -> Hours:
    """Return the hours that lecturers teach in a calendar year of a zone; who teaches none is absent.

    without: lectures that do not count.
    """
    start, end = _year(year, zone)
    query = select(Lecture.id, Lecture.lecturer_id, Lecture.starts_at, Lecture.ends_at, Lecture.status).where(
        Lecture.lecturer_id.in_(ids), Lecture.status != "cancelled", Lecture.starts_at >= start, Lecture.starts_at < end
    )
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    left_out = set(without)
    for lecture_id, lecturer_id, starts_at, ends_at, status in s.execute(query):
        if lecture_id not in left_out:
            sums[lecturer_id][status != "ended"] += _hours(starts_at, ends_at)
    return {user_id: (held, planned) for user_id, (held, planned) in sums.items()}


def hours_on_duty(s: Session, ids: Collection[str], year: int, zone: str) -> Hours:
    """Return the hours that operators look after points in a calendar year of a zone, set-up and tear-down too.

    As with invitations: where the plan names somebody for a point, the point's other operators are not needed.
    Two points at the same lecture count once.
    """
    usual: defaultdict[str, set[str]] = defaultdict(set)
    for point_id, user_id in s.execute(
        select(PointOperator.point_id, PointOperator.user_id).where(PointOperator.user_id.in_(ids))
    ):
        usual[point_id].add(user_id)
    start, end = _year(year, zone)
    theirs = or_(
        LecturePoint.operator_id.in_(ids), and_(LecturePoint.operator_id.is_(None), LecturePoint.point_id.in_(usual))
    )
    query = (
        select(LecturePoint.point_id, LecturePoint.operator_id, Lecture)
        .join(Lecture, Lecture.id == LecturePoint.lecture_id)
        .where(theirs, LecturePoint.released_at.is_(None), Lecture.status != "cancelled")
        .where(Lecture.starts_at >= start, Lecture.starts_at < end)
    )
    lectures: dict[str, Lecture] = {}
    needed: defaultdict[str, set[str]] = defaultdict(set)
    for point_id, operator_id, lecture in s.execute(query):
        lectures[lecture.id] = lecture
        needed[lecture.id] |= {operator_id} if operator_id else usual[point_id]
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for lecture_id, people in needed.items():
        lecture = lectures[lecture_id]
        hours = _hours(lecture.starts_at, lecture.ends_at) + (lecture.setup_min + lecture.teardown_min) / 60
        for user_id in people - {lecture.lecturer_id}:
            sums[user_id][lecture.status != "ended"] += hours
    return {user_id: (held, planned) for user_id, (held, planned) in sums.items()}


def _year(year: int, zone: str) -> tuple[datetime, datetime]:
    return midnight(date(year, 1, 1), zone), midnight(date(year, 12, 31) + timedelta(days=1), zone)


def _hours(starts_at: datetime, ends_at: datetime) -> float:
    return (ends_at - starts_at).total_seconds() / HOUR_S
