"""Rosters of courses: sheets of nominations in, people by given name out; target groups, quotas, rules."""

import logging
from collections.abc import Iterable

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Database
from core.errors import N_, Conflict, Invalid, NotFound
from core.ids import new_id
from schedules.directory_service import found
from schedules.models import BridgePoint, Course, Enrolment, Organisation, Quota, TargetGroup, User
from schedules.names import person_key, place_key, search_key
from schedules.rosters.nomination_service import make_plan, write_plan
from schedules.rosters.nominations import read_nominations
from schedules.rosters.records import ImportReport, QuotaView, RosterLine, RulesView, TargetGroupView
from schedules.sheets.table import Table

log = logging.getLogger(__name__)

RULES_MAX = 20_000  # characters
SEATS_MAX = 1_000_000
NAME_MAX = 200


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
            select(Enrolment, User, BridgePoint.name, Organisation.name)
            .join(User, User.id == Enrolment.user_id)
            .outerjoin(BridgePoint, BridgePoint.id == Enrolment.point_id)
            .outerjoin(Organisation, Organisation.id == Enrolment.org_id)
            .where(Enrolment.course_id == course_id, *conditions)
        )
        with self._db.reading() as s:
            found(s, Course, course_id)
            rows = sorted(s.execute(query), key=lambda row: (person_key(row[1].name), row[1].id))
        return [_line(enrolment, user, point or "", org or "") for enrolment, user, point, org in rows]

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
                raise NotFound("enrolment.unknown", N_("This person is not on the roster of the course."))
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

        Raises Invalid for less than nobody, NotFound.
        """
        if seats is not None and not 0 <= seats <= SEATS_MAX:
            raise Invalid("quota.seats", N_("A quota is a number of people from 0 to %(limit)s."), limit=SEATS_MAX)
        with self._db.transaction() as s:
            found(s, Course, course_id)
            found(s, Organisation, org_id)
            row = s.get(Quota, (course_id, org_id))
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


def _line(enrolment: Enrolment, user: User, point_name: str, org_name: str) -> RosterLine:
    return RosterLine(
        user_id=user.id,
        name=user.name,
        code=user.code,
        position=user.position,
        email=user.email,
        phone=user.phone,
        point_id=enrolment.point_id,
        point_name=point_name,
        org_id=enrolment.org_id,
        org_name=org_name,
        enrolled_at=enrolment.enrolled_at,
        rules_version=enrolment.rules_version,
        rules_accepted_at=enrolment.rules_accepted_at,
    )
