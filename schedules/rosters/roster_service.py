"""Rosters of courses: sheets of nominations in, people by given name out; target groups, quotas, rules."""

import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Database
from core.errors import N_, Conflict, Invalid, NotFound
from core.ids import new_id
from schedules.directory_service import check_home, found
from schedules.models import BridgePoint, Course, Enrolment, Lecture, Organisation, Quota, TargetGroup, Topic, User
from schedules.names import person_key, place_key, search_key
from schedules.rosters.nomination_service import make_plan, write_plan
from schedules.rosters.nominations import read_nominations
from schedules.rosters.records import (
    CourseLecture,
    ImportReport,
    QuotaView,
    RosterLine,
    RulesView,
    TargetGroupView,
)
from schedules.sheets.table import Table

log = logging.getLogger(__name__)

RULES_MAX = 20_000  # characters
SEATS_MAX = 1_000_000
NAME_MAX = 200
CODE_MAX = 60


class RosterService:
    """Who is on which course's roster, how they came there, and what they have accepted."""

    def __init__(self, db: Database, clock: Clock) -> None:
        """Use `db` for every transaction, ask `clock` when somebody was enrolled."""
        self._db = db
        self._clock = clock

    # ---- sheets of nominations ----

    def preview(self, course_id: str, table: Table) -> ImportReport:
        """Return what `import_sheet` would do and say.  Writes nothing.  Raises NotFound for the course."""
        sheet = read_nominations(table)
        with self._db.reading() as s:
            plan = make_plan(s, found(s, Course, course_id), sheet)
            return plan.report(False, sheet.columns.unknown)

    def import_sheet(self, course_id: str, table: Table, by: str) -> ImportReport:
        """Put everybody in a sheet on the roster of a course, or nobody at all.

        table: as `read_table` gave it; by: the importing person's id.  People are known again by staff code,
        else by e-mail address; new ones become learners who cannot sign in.  The same sheet again changes nothing.

        Returns the counts; when there is any problem `imported` is False and nothing was written.  Raises
        NotFound for the course, Conflict when somebody else wrote the same people meanwhile.
        """
        sheet = read_nominations(table)
        try:
            with self._db.transaction() as s:
                course = s.get(Course, course_id, with_for_update=True)  # one import of a course at a time
                course = course or found(s, Course, course_id)
                found(s, User, by)
                plan = make_plan(s, course, sheet)
                if not plan.problems:
                    write_plan(s, course, plan, self._clock.now())
        except IntegrityError as error:
            raise Conflict(
                "roster.meanwhile", N_("Somebody else was adding the same people. Please try again.")
            ) from error
        report = plan.report(not plan.problems, sheet.columns.unknown)
        if report.imported:
            log.info("%s imported a roster of %s: %d added, %d updated", by, course_id, report.added, report.updated)
        return report

    # ---- the roster ----

    def roster(self, course_id: str) -> list[RosterLine]:
        """Return everybody on the roster, by given name as Vietnamese sorts.  Raises NotFound for the course."""
        return self._lines(course_id, ())

    def find(self, course_id: str, words: str) -> list[RosterLine]:
        """Return those on the roster whose name or staff code has all the words; marks and case do not matter."""
        keys = search_key(words).split()
        lower_code = func.lower(func.coalesce(User.code, ""))
        return self._lines(
            course_id,
            [
                or_(User.search_key.contains(key, autoescape=True), lower_code.contains(key, autoescape=True))
                for key in keys
            ],
        )

    def _lines(self, course_id: str, conditions: Iterable[ColumnElement[bool]]) -> list[RosterLine]:
        query = (
            select(*_LINE)
            .join(User, User.id == Enrolment.user_id)
            .outerjoin(BridgePoint, BridgePoint.id == Enrolment.point_id)
            .outerjoin(Organisation, Organisation.id == Enrolment.org_id)
            .where(Enrolment.course_id == course_id, *conditions)
        )
        with self._db.reading() as s:
            found(s, Course, course_id)
            lines = [_line(row) for row in s.execute(query)]
        return sorted(lines, key=lambda line: (_order(line.name), line.user_id))

    def line(self, course_id: str, user_id: str) -> RosterLine:
        """Return one person of the roster.  Raises NotFound for the course, and for who is not on it."""
        lines = self._lines(course_id, [User.id == user_id])
        if not lines:
            raise _not_on_roster()
        return lines[0]

    def enrol(self, course_id: str, words: str, point_id: str | None = None) -> RosterLine:
        """Put one person on the roster by hand.

        words: their login or their staff code, in any case; point_id: where they attend.  Their organisation sends
        them.  Raises NotFound when nobody has the words or there is no such point, Conflict when several people
        have them, when the person has left or is on the roster already.
        """
        words = words.strip()
        with self._db.transaction() as s:
            found(s, Course, course_id)
            user = _person(s, words)
            if user.left_at is not None:
                raise Conflict("roster.left", N_("%(known)s has left."), known=user.name)
            if _enrolment(s, course_id, user.id) is not None:
                raise Conflict("roster.already", N_("%(known)s is on the roster already."), known=user.name)
            point = _open_point(s, point_id)
            s.add(
                Enrolment(
                    id=new_id("enr"),
                    course_id=course_id,
                    user_id=user.id,
                    point_id=point,
                    org_id=user.org_id,
                    enrolled_at=self._clock.now(),
                )
            )
        return self.line(course_id, user.id)

    def remove(self, course_id: str, user_id: str, by: str) -> None:
        """Take a person off the roster; the person stays.  by: who does it.  Raises NotFound."""
        with self._db.transaction() as s:
            found(s, Course, course_id)
            enrolment = _enrolment(s, course_id, user_id)
            if enrolment is None:
                raise _not_on_roster()
            s.delete(enrolment)
        log.info("%s took %s off the roster of %s", by, user_id, course_id)

    def set_point(self, course_id: str, user_id: str, point_id: str | None) -> None:
        """Say where a person attends; None: not said.  Raises NotFound, Conflict for a point that was given up."""
        with self._db.transaction() as s:
            found(s, Course, course_id)
            enrolment = _enrolment(s, course_id, user_id)
            if enrolment is None:
                raise _not_on_roster()
            if point_id != enrolment.point_id:
                enrolment.point_id = _open_point(s, point_id)

    def open_points(self) -> list[tuple[str, str]]:
        """Return (id, name) of every point that people can attend at, by name."""
        query = select(BridgePoint.id, BridgePoint.name).where(BridgePoint.retired_at.is_(None))
        with self._db.reading() as s:
            rows = [(point_id, name) for point_id, name in s.execute(query)]
        return sorted(rows, key=lambda row: place_key(row[1]))

    # ---- about the course ----

    def lectures(self, course_id: str) -> list[CourseLecture]:
        """Return the lectures on a course's topics, earliest first.  Raises NotFound."""
        query = (
            select(Lecture.id, Lecture.title, Lecture.starts_at, Lecture.zone, Lecture.status, User.name)
            .join(Topic, Topic.id == Lecture.topic_id)
            .join(User, User.id == Lecture.lecturer_id)
            .where(Topic.course_id == course_id)
            .order_by(Lecture.starts_at, Lecture.id)
        )
        with self._db.reading() as s:
            found(s, Course, course_id)
            return [CourseLecture(*row) for row in s.execute(query)]

    def set_audience(self, course_id: str, audience: str) -> None:
        """Say in words whom a course is for.  Raises Invalid for more than 200 characters, NotFound."""
        audience = " ".join(audience.split())
        if len(audience) > NAME_MAX:
            raise Invalid("course.audience", N_("This is longer than %(limit)s characters."), limit=NAME_MAX)
        with self._db.transaction() as s:
            found(s, Course, course_id).audience = audience

    def target_group(self, course_id: str) -> str | None:
        """Return the id of the group that a course is for.  Raises NotFound."""
        with self._db.reading() as s:
            return found(s, Course, course_id).target_group_id

    # ---- target groups ----

    def add_target_group(self, name: str, description: str = "") -> TargetGroupView:
        """Add a group of people whom content is for.  Raises Invalid without a name, Conflict when it is there."""
        with self._db.transaction() as s:
            row = TargetGroup(id=new_id("tgr"), name=_free_name(s, name, None), description=description.strip())
            s.add(row)
        return TargetGroupView(row.id, row.name, row.description, 0)

    def rename_target_group(self, group_id: str, name: str, description: str | None = None) -> None:
        """Give a group another name, and another description unless None.  Raises as `add_target_group`, NotFound."""
        with self._db.transaction() as s:
            row = _group(s, group_id)
            row.name = _free_name(s, name, group_id)
            if description is not None:
                row.description = description.strip()

    def target_groups(self) -> list[TargetGroupView]:
        """Return all groups by name."""
        counts = select(Course.target_group_id, func.count()).group_by(Course.target_group_id)
        with self._db.reading() as s:
            courses = {group_id: count for group_id, count in s.execute(counts)}
            rows = sorted(s.scalars(select(TargetGroup)), key=lambda row: place_key(row.name))
        return [TargetGroupView(row.id, row.name, row.description, courses.get(row.id, 0)) for row in rows]

    def courses_by_group(self) -> dict[str, list[tuple[str, str]]]:
        """Return (id, title) of the courses that each group has, by title; groups without any are absent."""
        query = select(Course.target_group_id, Course.id, Course.title).where(Course.target_group_id.is_not(None))
        groups: dict[str, list[tuple[str, str]]] = {}
        with self._db.reading() as s:
            for group_id, course_id, title in s.execute(query):
                groups.setdefault(str(group_id), []).append((course_id, title))
        return {group_id: sorted(rows, key=lambda row: place_key(row[1])) for group_id, rows in groups.items()}

    def set_target_group(self, course_id: str, group_id: str | None) -> None:
        """Say whom a course is for; None: nobody in particular.  Raises NotFound."""
        with self._db.transaction() as s:
            course = found(s, Course, course_id)
            course.target_group_id = _group(s, group_id).id if group_id is not None else None

    # ---- rules of the class ----

    def set_rules(self, course_id: str, text: str) -> RulesView:
        """Lay down the rules of a class; everybody has to accept them anew when the text is another.

        Raises Invalid for more than 20,000 characters, NotFound.
        """
        text = text.replace("\r\n", "\n").strip()
        if len(text) > RULES_MAX:
            raise Invalid("rules.too_long", N_("The rules are longer than %(limit)s characters."), limit=RULES_MAX)
        with self._db.transaction() as s:
            course = found(s, Course, course_id)
            if course.rules != text:
                course.rules, course.rules_version = text, course.rules_version + 1
        return RulesView(course.rules, course.rules_version)

    def rules(self, course_id: str) -> RulesView:
        """Return the rules of a class.  Raises NotFound."""
        with self._db.reading() as s:
            course = found(s, Course, course_id)
            return RulesView(course.rules, course.rules_version)

    def accept_rules(self, course_id: str, user_id: str, version: int | None = None) -> None:
        """Note that somebody on the roster accepts the rules; twice is once, and the first time counts.

        version: the one they have read; None: the present one.  Raises Conflict when the rules were changed
        since, NotFound for somebody who is not on the roster.
        """
        with self._db.transaction() as s:
            course = found(s, Course, course_id)
            enrolment = _enrolment(s, course_id, user_id)
            if enrolment is None:
                raise _not_on_roster()
            if version is not None and version != course.rules_version:
                raise Conflict("rules.changed", N_("The rules were changed. Please read them again."))
            if enrolment.rules_version != course.rules_version:
                enrolment.rules_version = course.rules_version
                enrolment.rules_accepted_at = self._clock.now()

    def needs_to_accept(self, course_id: str, user_id: str) -> bool:
        """Return whether somebody on the roster has yet to accept the present rules; false where there are none."""
        with self._db.reading() as s:
            course = found(s, Course, course_id)
            enrolment = _enrolment(s, course_id, user_id)
            return bool(course.rules) and enrolment is not None and enrolment.rules_version != course.rules_version

    # ---- quotas ----

    def set_quota(self, course_id: str, org_id: str, seats: int | None) -> None:
        """Say how many people an organisation is to send to a course; None: no quota.

        Raises Invalid for less than nobody, NotFound, Conflict for an abolished organisation.
        """
        if seats is not None and not 0 <= seats <= SEATS_MAX:
            raise Invalid("quota.seats", N_("A quota is a number of people from 0 to %(limit)s."), limit=SEATS_MAX)
        with self._db.transaction() as s:
            found(s, Course, course_id)
            found(s, Organisation, org_id)
            row = s.get(Quota, (course_id, org_id))
            if seats is not None:
                check_home(s, org_id)
            if seats is None:
                if row is not None:
                    s.delete(row)
            elif row is None:
                s.add(Quota(course_id=course_id, org_id=org_id, seats=seats))
            else:
                row.seats = seats

    def quotas(self, course_id: str) -> list[QuotaView]:
        """Return the quotas of a course, by the organisations' names.  Raises NotFound."""
        counts = select(Enrolment.org_id, func.count()).where(Enrolment.course_id == course_id)
        query = (
            select(Quota, Organisation.name)
            .join(Organisation, Organisation.id == Quota.org_id)
            .where(Quota.course_id == course_id)
        )
        with self._db.reading() as s:
            found(s, Course, course_id)
            taken = {org_id: count for org_id, count in s.execute(counts.group_by(Enrolment.org_id))}
            rows = sorted(s.execute(query), key=lambda row: place_key(row[1]))
        return [QuotaView(quota.org_id, name, quota.seats, taken.get(quota.org_id, 0)) for quota, name in rows]


def _enrolment(s: Session, course_id: str, user_id: str) -> Enrolment | None:
    return s.scalar(select(Enrolment).where(Enrolment.course_id == course_id, Enrolment.user_id == user_id))


def _group(s: Session, group_id: str) -> TargetGroup:
    row = s.get(TargetGroup, group_id)
    if row is None:
        raise NotFound("target_group.unknown", N_("There is no such target group."))
    return row


def _free_name(s: Session, name: str, own_id: str | None) -> str:
    """Return the name as one line.  Raises Invalid or Conflict when a group cannot have it."""
    name = " ".join(name.split())
    if not name or len(name) > NAME_MAX:
        raise Invalid(
            "target_group.name", N_("A target group needs a name of at most %(limit)s characters."), limit=NAME_MAX
        )
    for row in s.scalars(select(TargetGroup)):
        if row.id != own_id and row.name.casefold() == name.casefold():
            raise Conflict("target_group.taken", N_("There is already a target group “%(name)s”."), name=row.name)
    return name


_LINE = (
    User.id,
    User.name,
    User.code,
    User.position,
    User.email,
    User.phone,
    Enrolment.point_id,
    func.coalesce(BridgePoint.name, ""),
    Enrolment.org_id,
    func.coalesce(Organisation.name, ""),
    Enrolment.enrolled_at,
    Enrolment.rules_version,
    Enrolment.rules_accepted_at,
)  # in the order of RosterLine


def _line(row: Any) -> RosterLine:
    return RosterLine(*row)


# A roster of 5,000 is sorted for every page that is turned; the keys of its names take most of that.
_order = lru_cache(maxsize=50_000)(person_key)


def _person(s: Session, words: str) -> User:
    """Return who has a login or staff code.  Raises NotFound, Conflict when two people have them."""
    lower = words.lower()
    same = or_(User.login == lower, User.code == words, func.lower(User.code) == lower)
    people = s.scalars(select(User).where(same)).all() if words else ()
    if len(people) > 1:
        raise Conflict("roster.ambiguous", N_("Several people have this. Which one is meant?"))
    if not people:
        raise NotFound("roster.nobody", N_("Nobody has the login or staff code “%(words)s”."), words=words[:CODE_MAX])
    return people[0]


def _open_point(s: Session, point_id: str | None) -> str | None:
    if point_id is None:
        return None
    point = found(s, BridgePoint, point_id)
    if point.retired_at is not None:
        raise Conflict("point.retired", N_("The bridge point %(point)s was given up."), point=point.name)
    return point.id


def _not_on_roster() -> NotFound:
    return NotFound("enrolment.unknown", N_("This person is not on the roster of the course."))
