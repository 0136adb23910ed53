"""Who and where there is: organisations, people, points, equipment, courses. The only SQL on their tables."""

from collections.abc import Collection, Iterable
from typing import TypeVar, cast

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.bus import EventBus
from core.clock import Clock
from core.db import Base, Database
from core.errors import N_, Conflict, Invalid, NotFound
from core.ids import new_id, new_key
from core.permissions import Role
from schedules.models import (
    BridgePoint,
    Course,
    Enrolment,
    Equipment,
    Lecture,
    Organisation,
    PointOperator,
    Topic,
    User,
)
from schedules.names import person_key, place_key, search_key
from schedules.records import (
    CourseView,
    Credentials,
    EquipmentView,
    NewUser,
    OrganisationView,
    PointView,
    TopicView,
    UserView,
)
from schedules.registry import history_service


class Directory:
    """Organisations, people, bridge points, equipment, courses."""

    def __init__(self, db: Database, bus: EventBus, clock: Clock) -> None:
        """Use `db` for every transaction, tell `bus` what changed, ask `clock` for the time."""
        self._db = db
        self._bus = bus
        self._clock = clock

    # ---- organisations ----

    def add_organisation(self, name: str, parent_id: str | None = None) -> str:
        """Add an organisation below another, or a new root.  Returns its id."""
        row = Organisation(id=new_id("org"), name=name, parent_id=parent_id)
        with self._db.transaction() as s:
            if parent_id is not None:
                check_home(s, parent_id)
            s.add(row)
            s.flush()
            history_service.begin(s, row, self._clock.now())
        return row.id

    def move_organisation(self, org_id: str, parent_id: str | None) -> None:
        """Hang an organisation, with all below it, elsewhere in the tree.

        Raises Conflict when the new parent lies below it.
        """
        with self._db.transaction() as s:
            row = found(s, Organisation, org_id)
            if parent_id is not None:
                check_home(s, parent_id)
            history_service.change(s, row, self._clock.now(), row.name, row.tier or "", parent_id)

    def organisations(self) -> list[OrganisationView]:
        """Return the whole tree, each parent before its children, children by name."""
        with self._db.reading() as s:
            rows = sorted(s.scalars(select(Organisation)), key=lambda row: place_key(row.name))
        children: dict[str | None, list[Organisation]] = {}
        for row in rows:
            children.setdefault(row.parent_id, []).append(row)
        ordered: list[OrganisationView] = []
        stack = [(row, 0) for row in reversed(children.get(None, []))]
        while stack:
            row, depth = stack.pop()
            ordered.append(OrganisationView(row.id, row.name, row.parent_id, depth, row.abolished_at is not None))
            stack.extend((child, depth + 1) for child in reversed(children.get(row.id, [])))
        return ordered

    # ---- people ----

    def add_user(self, new: NewUser) -> UserView:
        """Add a person.  Raises Conflict when the login is taken."""
        login = new.login.strip().lower()
        if not login or not new.name.strip():
            raise Invalid("user.no_name", N_("A person needs a login and a name."))
        row = User(
            id=new_id("usr"),
            login=login,
            password_hash=new.password_hash,
            name=new.name,
            org_id=new.org_id,
            roles=sorted(new.roles),
            locale=new.locale,
            calendar_key=new_key(),
            search_key=search_key(new.name),
        )
        with self._db.transaction() as s:
            check_home(s, new.org_id)
            if s.scalar(select(User.id).where(User.login == login)):
                raise Conflict("user.login_taken", N_("The login “%(login)s” is already in use."), login=login)
            s.add(row)
        return user_view(row)

    def user(self, user_id: str) -> UserView:
        """Return a person.  Raises NotFound."""
        with self._db.reading() as s:
            return user_view(found(s, User, user_id))

    def users(self, role: Role | None = None) -> list[UserView]:
        """Return everybody who has not left, or everybody of these with a role, by given name."""
        query = select(User).where(or_(User.left_at.is_(None), User.left_at > self._clock.now()))
        with self._db.reading() as s:
            rows = sorted(s.scalars(query), key=lambda row: person_key(row.name))
            return [user_view(row) for row in rows if role is None or role in row.roles]

    def user_by_login(self, login: str) -> UserView | None:
        """Return who signs in with this name, or None."""
        credentials = self.credentials(login)
        return credentials.user if credentials else None

    def credentials(self, login: str) -> Credentials | None:
        """Return what checking a password needs, or None for an unknown login and for somebody who has left."""
        with self._db.reading() as s:
            return self._credentials(s.scalar(select(User).where(User.login == login.strip().lower())))

    def credentials_of(self, user_id: str) -> Credentials | None:
        """Return the same by the person's id, or None for an unknown one."""
        with self._db.reading() as s:
            return self._credentials(s.get(User, user_id))

    def _credentials(self, row: User | None) -> Credentials | None:
        if row is None or (row.left_at is not None and row.left_at <= self._clock.now()):
            return None
        return Credentials(user_view(row), row.password_hash)

    # ---- bridge points and equipment ----

    def add_point(self, name: str, org_id: str, place: str = "", capacity: int = 0) -> PointView:
        """Add a bridge point.  place: where it is, in words; capacity: seats."""
        row = BridgePoint(
            id=new_id("bp"), name=name, place=place, capacity=capacity, org_id=org_id, calendar_key=new_key()
        )
        with self._db.transaction() as s:
            check_home(s, org_id)
            s.add(row)
        return self.point(row.id)

    def set_operators(self, point_id: str, user_ids: Collection[str]) -> None:
        """Say who looks after a point, from now on these and nobody else."""
        with self._db.transaction() as s:
            found(s, BridgePoint, point_id)
            for old in s.scalars(select(PointOperator).where(PointOperator.point_id == point_id)):
                if old.user_id not in user_ids:
                    s.delete(old)
            for user_id in user_ids:
                found(s, User, user_id)
                s.merge(PointOperator(point_id=point_id, user_id=user_id))

    def operates(self, user_id: str, point_id: str) -> bool:
        """Return whether this person is an operator of this point."""
        with self._db.reading() as s:
            return s.get(PointOperator, (point_id, user_id)) is not None

    def point(self, point_id: str) -> PointView:
        """Return a point.  Raises NotFound."""
        with self._db.reading() as s:
            return self._point_views(s, [found(s, BridgePoint, point_id)])[0]

    def points(self) -> list[PointView]:
        """Return all points in use by name."""
        query = select(BridgePoint).where(
            or_(BridgePoint.retired_at.is_(None), BridgePoint.retired_at > self._clock.now())
        )
        with self._db.reading() as s:
            rows = sorted(s.scalars(query), key=lambda row: place_key(row.name))
            return self._point_views(s, rows)

    def _point_views(self, s: Session, rows: Iterable[BridgePoint]) -> list[PointView]:
        organisations = {o.id: o.name for o in s.scalars(select(Organisation))}
        operators: dict[str, list[str]] = {}
        for row in s.scalars(select(PointOperator).order_by(PointOperator.user_id)):
            operators.setdefault(row.point_id, []).append(row.user_id)
        return [
            PointView(
                r.id, r.name, r.place, r.capacity, r.org_id, organisations[r.org_id], tuple(operators.get(r.id, ()))
            )
            for r in rows
        ]

    def add_equipment(self, name: str, point_id: str | None) -> EquipmentView:
        """Add a set of devices that stands at a point, or nowhere yet."""
        row = Equipment(id=new_id("eq"), name=name, point_id=point_id)
        with self._db.transaction() as s:
            if point_id is not None:
                found(s, BridgePoint, point_id)
            s.add(row)
        return EquipmentView(row.id, row.name, row.point_id)

    def equipment(self, point_id: str | None = None) -> list[EquipmentView]:
        """Return all sets in use, or those that stand at one point, by name."""
        query = select(Equipment).where(Equipment.retired_at.is_(None)).order_by(Equipment.name)
        if point_id is not None:
            query = query.where(Equipment.point_id == point_id)
        with self._db.reading() as s:
            return [EquipmentView(r.id, r.name, r.point_id) for r in s.scalars(query)]

    # ---- courses ----

    def add_course(self, title: str, org_id: str, audience: str = "", topics: Iterable[str] = ()) -> CourseView:
        """Add a course with its topics in order."""
        if not title.strip():
            raise Invalid("course.no_title", N_("Please give the course a title."))
        row = Course(id=new_id("crs"), title=title, org_id=org_id, audience=audience)
        with self._db.transaction() as s:
            check_home(s, org_id)
            s.add(row)
            s.flush()
            for position, words in enumerate(topics):
                s.add(Topic(id=new_id("top"), course_id=row.id, position=position, title=words))
        return self.course(row.id)

    def add_topic(self, course_id: str, title: str) -> TopicView:
        """Add a topic at the end of a course."""
        if not title.strip():
            raise Invalid("topic.no_title", N_("Please give the topic a title."))
        with self._db.transaction() as s:
            found(s, Course, course_id)
            last = s.scalar(select(func.max(Topic.position)).where(Topic.course_id == course_id))
            position = 0 if last is None else last + 1
            row = Topic(id=new_id("top"), course_id=course_id, position=position, title=title)
            s.add(row)
        return TopicView(row.id, row.course_id, row.title)

    def course(self, course_id: str) -> CourseView:
        """Return a course with its topics.  Raises NotFound."""
        with self._db.reading() as s:
            return self._course_views(s, [found(s, Course, course_id)])[0]

    def courses(self) -> list[CourseView]:
        """Return all courses by title."""
        with self._db.reading() as s:
            return self._course_views(s, s.scalars(select(Course).order_by(Course.title)).all())

    def _course_views(self, s: Session, rows: Iterable[Course]) -> list[CourseView]:
        topics: dict[str, list[TopicView]] = {}
        for t in s.scalars(select(Topic).order_by(Topic.position)):
            topics.setdefault(t.course_id, []).append(TopicView(t.id, t.course_id, t.title))
        counts = select(Enrolment.course_id, func.count()).group_by(Enrolment.course_id)
        enrolled = {course_id: count for course_id, count in s.execute(counts)}
        return [
            CourseView(r.id, r.title, r.audience, r.org_id, tuple(topics.get(r.id, ())), enrolled.get(r.id, 0))
            for r in rows
        ]

    def enrol(self, user_id: str, course_id: str) -> None:
        """Put a person on the roster of a course; twice is once."""
        with self._db.transaction() as s:
            found(s, User, user_id)
            found(s, Course, course_id)
            known = select(Enrolment.id).where(Enrolment.user_id == user_id, Enrolment.course_id == course_id)
            if s.scalar(known) is None:
                s.add(Enrolment(id=new_id("enr"), course_id=course_id, user_id=user_id))

    def enrolled(self, user_id: str, course_id: str) -> bool:
        """Return whether a person is on the roster of a course."""
        query = select(Enrolment.id).where(Enrolment.user_id == user_id, Enrolment.course_id == course_id)
        with self._db.reading() as s:
            return s.scalar(query) is not None

    # ---- names ----

    def labels(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the names of people, points and equipment; unknown ids are absent."""
        wanted = set(ids)
        if not wanted:
            return {}
        names: dict[str, str] = {}
        with self._db.reading() as s:
            for table in (User, BridgePoint, Equipment):
                names.update(
                    (i, name) for i, name in s.execute(select(table.id, table.name).where(table.id.in_(wanted)))
                )
        return names


NO_SUCH: dict[type[Base], str] = {
    Organisation: N_("There is no such organisation."),
    User: N_("There is no such person."),
    BridgePoint: N_("There is no such bridge point."),
    Equipment: N_("There is no such equipment."),
    Course: N_("There is no such course."),
    Topic: N_("There is no such topic."),
    Lecture: N_("There is no such lecture."),
}
CODES: dict[type[Base], str] = {
    Organisation: "organisation.unknown",
    User: "user.unknown",
    BridgePoint: "point.unknown",
    Equipment: "equipment.unknown",
    Course: "course.unknown",
    Topic: "topic.unknown",
    Lecture: "lecture.unknown",
}


Row = TypeVar("Row", bound=Base)


def found(s: Session, table: type[Row], row_id: str) -> Row:
    """Return a row by its id.  Raises NotFound with the table's own code and sentence."""
    row = s.get(table, row_id)
    if row is None:
        raise NotFound(CODES[table], NO_SUCH[table])
    return row


def check_home(s: Session, org_id: str) -> None:
    """Raise NotFound or Conflict unless something new can belong to this organisation."""
    row = found(s, Organisation, org_id)
    if row.abolished_at is not None:
        raise Conflict("organisation.abolished", N_("“%(name)s” has been abolished."), name=row.name)


def held_still(s: Session, table: type[Row], row_id: str) -> Row:
    """Return a row as it is now, which nobody else changes before this transaction ends.  Raises as `found`.

    What is decided from the row is still so when it is written. SQLite has one writer anyway.
    """
    return s.get(table, row_id, with_for_update={"key_share": True}) or found(s, table, row_id)


def user_view(row: User) -> UserView:
    """Return what others may know of a person."""
    roles = frozenset(cast(list[Role], row.roles))
    return UserView(row.id, row.login, row.name, row.org_id, roles, row.locale)
