"""Nominations against the database: whom a row means, what it changes; then all of it is written at once."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from core.errors import N_
from core.ids import new_id, new_key
from schedules.models import BridgePoint, Course, Enrolment, Organisation, Quota, User
from schedules.names import search_key
from schedules.rosters.nominations import Columns, Field, Nomination, RowProblem, Sheet
from schedules.rosters.records import ImportReport

CHUNK = 500  # keys in one query; SQLite takes 32,766 values in a statement, some builds 999
TOLD: tuple[Field, ...] = ("position", "email", "phone")  # what a sheet may say anew of a person


@dataclass
class Step:
    """What one row does.  user, enrolment: those that are there already; the dicts: columns to be set anew."""

    nomination: Nomination
    user: User | None
    enrolment: Enrolment | None
    person: dict[str, Any] = field(default_factory=dict)
    place: dict[str, Any] = field(default_factory=dict)


@dataclass
class Plan:
    """What a sheet does to a course."""

    steps: list[Step] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    warnings: list[RowProblem] = field(default_factory=list)

    def report(self, imported: bool, unknown_columns: tuple[str, ...]) -> ImportReport:
        """Return the counts and everything worth saying, by row."""
        added = [step for step in self.steps if step.enrolment is None]
        updated = sum(bool(step.person or step.place) for step in self.steps if step.enrolment is not None)
        return ImportReport(
            imported=imported,
            added=len(added),
            updated=updated,
            unchanged=len(self.steps) - len(added) - updated,
            new_people=sum(step.user is None for step in added),
            problems=tuple(sorted(self.problems, key=lambda problem: problem.row)),
            warnings=tuple(sorted(self.warnings, key=lambda warning: warning.row)),
            unknown_columns=unknown_columns,
        )


class _Wrong(Exception):
    """A row cannot be taken."""

    def __init__(self, name: Field, code: str, message: str, **params: Any) -> None:
        super().__init__(code)
        self.name, self.code, self.message, self.params = name, code, message, params

    def problem(self, row: int, columns: Columns) -> RowProblem:
        return RowProblem(row, columns.heading(self.name), f"roster.{self.code}", self.message, self.params)


class Names:
    """Points, organisations or people by the words that are written: code, name, name without marks."""

    def __init__(self, rows: Sequence[BridgePoint] | Sequence[Organisation] | Sequence[User]) -> None:
        """Know these; of equals, none is known by that word."""
        self._by: list[defaultdict[str, list[Any]]] = [defaultdict(list) for _ in range(3)]
        for row in rows:
            if row.code:
                self._by[0][row.code.casefold()].append(row)
            self._by[1][_folded(row.name)].append(row)
            self._by[2][search_key(row.name)].append(row)

    def find(self, words: str) -> list[Any]:
        """Return what the words mean: one row, none, or several that cannot be told apart."""
        for by, key in zip(self._by, (words.casefold(), _folded(words), search_key(words)), strict=True):
            if found := by.get(key):
                return found
        return []


def make_plan(s: Session, course: Course, sheet: Sheet) -> Plan:
    """Return what a sheet would do to a course.  Reads only, in some ten queries and one more each 500 rows."""
    return _Planner(s, course, sheet).plan()


class _Planner:
    def __init__(self, s: Session, course: Course, sheet: Sheet) -> None:
        self._s, self._course, self._sheet = s, course, sheet
        self._points = Names(s.scalars(select(BridgePoint)).all())
        organisations = s.scalars(select(Organisation)).all()
        self._organisations = Names(organisations)
        self._org_names = {row.id: row.name for row in organisations}
        enrolments = s.scalars(select(Enrolment).where(Enrolment.course_id == course.id))
        self._enrolments = {row.user_id: row for row in enrolments}
        self._by_code: defaultdict[str, list[User]] = defaultdict(list)
        self._by_email: defaultdict[str, list[User]] = defaultdict(list)
        self._by_name: defaultdict[str, list[User]] = defaultdict(list)

    def plan(self) -> Plan:
        plan = Plan(problems=list(self._sheet.problems))
        self._load_people()
        repeated = {problem.row for problem in self._sheet.problems if problem.code == "nomination.repeated"}
        rows: dict[str, int] = {}  # user id -> row
        for one in self._sheet.nominations:
            try:
                step = self._step(one, plan)
            except _Wrong as wrong:
                plan.problems.append(wrong.problem(one.row, self._sheet.columns))
                continue
            if step is None:
                continue
            plan.steps.append(step)
            first = rows.setdefault(step.user.id, one.row) if step.user is not None else one.row
            if step.user is not None and first != one.row and one.row not in repeated:
                plan.problems.append(self._same_person(one.row, first, step.user))
        plan.warnings += self._over_quota(plan.steps)
        return plan

    def _same_person(self, row: int, first: int, user: User) -> RowProblem:
        """Two rows name one person by different keys, such as a staff code here and an e-mail address there."""
        message = N_("Rows %(first)s and %(second)s have the same person: %(value)s.")
        params = {"first": first, "second": row, "value": user.name}
        return RowProblem(row, self._sheet.columns.heading("name"), "roster.repeated", message, params)

    # ---- whom a row means ----

    def _load_people(self) -> None:
        nominations = self._sheet.nominations
        codes = {one.code for one in nominations if one.code}
        # SQLite's lower() knows ASCII only, so codes such as ĐH01 are also looked for as they are written.
        same_code = {user.id: user for user in self._people(User.code, codes)}
        same_code |= {user.id: user for user in self._people(func.lower(User.code), {code.lower() for code in codes})}
        for user in same_code.values():
            self._by_code[(user.code or "").casefold()].append(user)
        for user in self._people(func.lower(User.email), {one.email for one in nominations if one.email}):
            self._by_email[user.email.lower()].append(user)
        nameless = {search_key(one.name) for one in nominations if not one.code and not one.email}
        for user in self._people(User.search_key, nameless):
            self._by_name[user.search_key].append(user)

    def _people(self, column: ColumnElement[Any] | Any, keys: Collection[str]) -> Iterator[User]:
        ordered = sorted(keys)
        for start in range(0, len(ordered), CHUNK):
            yield from self._s.scalars(select(User).where(column.in_(ordered[start : start + CHUNK])))

    def _who(self, one: Nomination, org_id: str) -> User | None:
        """Return the person by code, else by e-mail, else by name; None for somebody new.  Raises _Wrong."""
        by_code = self._by_code.get(one.code.casefold(), []) if one.code else []
        by_email = self._by_email.get(one.email, []) if one.email else []
        if len(by_code) > 1 or (not by_code and len(by_email) > 1):
            raise _Wrong(
                "code" if by_code else "email", "ambiguous", N_("Several people have this. Which one is meant?")
            )
        user = by_code[0] if by_code else by_email[0] if by_email else None
        if user is None:
            return None if one.code or one.email else self._by_name_alone(one, org_id)
        column: Field = "code" if by_code else "email"
        others = [other for other in by_email if other is not user]
        if others:
            message = N_("The staff code is %(known)s's, the e-mail address is %(other)s's.")
            raise _Wrong("email", "two_people", message, known=user.name, other=others[0].name)
        if one.code and user.code and not by_code:
            message = N_("%(known)s has this e-mail address and another staff code.")
            raise _Wrong("code", "other_code", message, known=user.name)
        if search_key(user.name) != search_key(one.name):
            message = N_("This belongs to %(known)s, not to %(stated)s.")
            raise _Wrong(column, "other_name", message, known=user.name, stated=one.name)
        return user

    def _by_name_alone(self, one: Nomination, org_id: str) -> User | None:
        """Return somebody whom an earlier sheet put on this very roster as barely as this row does.

        Of anybody else of that name and organisation nobody can say whether it is the same person.
        """
        same = [user for user in self._by_name.get(search_key(one.name), []) if _folded(user.name) == _folded(one.name)]
        here = [user for user in same if self._org_of(user) == org_id]
        bare = [user for user in here if user.id in self._enrolments and not user.code and not user.email]
        if len(here) == 1 and bare:
            return bare[0]
        if here:
            message = N_("%(known)s is known already. Please give a staff code or an e-mail address.")
            raise _Wrong("name", "ambiguous", message, known=one.name)
        return None

    def _org_of(self, user: User) -> str:
        enrolment = self._enrolments.get(user.id)
        return enrolment.org_id if enrolment is not None and enrolment.org_id else user.org_id

    # ---- what a row changes ----

    def _step(self, one: Nomination, plan: Plan) -> Step | None:
        """Return what a row does, None when its places are wrong: both are told.  Raises _Wrong for the person."""
        places: dict[str, str | None] = {}
        for name, find in (("org_id", self._org), ("point_id", self._point)):
            try:
                places[name] = find(one)
            except _Wrong as wrong:
                plan.problems.append(wrong.problem(one.row, self._sheet.columns))
        if len(places) < 2:
            return None
        user = self._who(one, places["org_id"] or self._course.org_id)
        if user is not None and user.left_at is not None:
            raise _Wrong("name", "left", N_("%(known)s has left."), known=user.name)
        enrolment = self._enrolments.get(user.id) if user is not None else None
        step = Step(one, user, enrolment)
        at_home = user.org_id if user is not None else self._course.org_id
        if enrolment is None:
            step.place = {"org_id": places["org_id"] or at_home, "point_id": places["point_id"]}
        else:  # what the sheet does not say stays
            places["org_id"] = places["org_id"] or enrolment.org_id or at_home
            step.place = {name: value for name, value in places.items() if value and value != getattr(enrolment, name)}
        if user is not None:
            step.person = self._person(one, user, plan.warnings)
        return step

    def _person(self, one: Nomination, user: User, warnings: list[RowProblem]) -> dict[str, Any]:
        """Return what the row says anew of a person; of one who can sign in nothing, a sheet is no proof."""
        told: dict[str, str] = {name: getattr(one, name) for name in TOLD}
        changes = {name: value for name, value in told.items() if value and value != _known(user, name)}
        if not user.password_hash:
            return changes | ({"code": one.code} if one.code and not user.code else {})
        columns = self._sheet.columns
        for name in TOLD:
            if name in changes and getattr(user, name):
                message = N_("%(known)s has an account that says otherwise; it stays as it is.")
                params = {"known": user.name}
                warnings.append(RowProblem(one.row, columns.heading(name), "roster.kept", message, params))
        return {}

    def _org(self, one: Nomination) -> str | None:
        if not one.org:
            return None
        found = self._organisations.find(one.org)
        if len(found) > 1:
            message = N_("Several organisations are called “%(value)s”. Please write its code.")
            raise _Wrong("org", "which_org", message, value=one.org)
        if not found:
            raise _Wrong("org", "unknown_org", N_("There is no organisation “%(value)s”."), value=one.org)
        if found[0].abolished_at is not None:
            successor = self._org_names.get(found[0].successor_id or "", "–")
            message = N_("“%(value)s” was abolished. Its successor: %(successor)s.")
            raise _Wrong("org", "abolished_org", message, value=one.org, successor=successor)
        return str(found[0].id)

    def _point(self, one: Nomination) -> str | None:
        if not one.point:
            return None
        found = [point for point in self._points.find(one.point) if point.retired_at is None]
        if len(found) > 1:
            message = N_("Several bridge points are called “%(value)s”. Please write its code.")
            raise _Wrong("point", "which_point", message, value=one.point)
        if not found:
            raise _Wrong("point", "unknown_point", N_("There is no bridge point “%(value)s”."), value=one.point)
        return str(found[0].id)

    # ---- quotas ----

    def _over_quota(self, steps: Sequence[Step]) -> Iterator[RowProblem]:
        """Yield a warning for each organisation of the sheet that would have more people than seats, or no seats."""
        rows = self._s.scalars(select(Quota).where(Quota.course_id == self._course.id)).all()
        if not rows:
            return
        seats = {row.org_id: row.seats for row in rows}
        orgs = {user_id: enrolment.org_id for user_id, enrolment in self._enrolments.items()}
        touched = set()
        for n, step in enumerate(steps):
            key = step.user.id if step.user is not None else f"new {n}"
            orgs[key] = step.place.get("org_id") or orgs.get(key)
            touched.add(orgs[key])
        taken = Counter(orgs.values())
        for org_id in sorted((org_id for org_id in touched if org_id), key=lambda i: self._org_names[i]):
            params = {"org": self._org_names[org_id], "taken": taken[org_id], "seats": seats.get(org_id, 0)}
            heading = self._sheet.columns.heading("org")
            if org_id not in seats:
                message = N_("%(org)s sends %(taken)s and has no quota in this course.")
                yield RowProblem(0, heading, "roster.no_quota", message, params)
            elif taken[org_id] > seats[org_id]:
                message = N_("%(org)s would have %(taken)s on the roster; its quota is %(seats)s.")
                yield RowProblem(0, heading, "roster.over_quota", message, params)


def write_plan(s: Session, course: Course, plan: Plan, now: datetime) -> None:
    """Write a plan without problems.  now: when the people were enrolled."""
    people: list[User] = []
    enrolments: list[Enrolment] = []
    for step in plan.steps:
        user = step.user
        if user is None:
            user = _new_user(step.nomination, step.place["org_id"])
            people.append(user)
        for name, value in step.person.items():
            setattr(user, name, value)
        if step.enrolment is None:
            made = Enrolment(id=new_id("enr"), course_id=course.id, user_id=user.id, enrolled_at=now, **step.place)
            enrolments.append(made)
        else:
            for name, value in step.place.items():
                setattr(step.enrolment, name, value)
    s.add_all(people)
    s.flush()  # people first: the enrolments name them
    s.add_all(enrolments)
    s.flush()


def _new_user(one: Nomination, org_id: str) -> User:
    user_id = new_id("usr")
    return User(
        id=user_id,
        login=user_id,  # nobody chose one yet, and no name that somebody may want later is used up
        password_hash="",  # cannot sign in
        name=one.name,
        org_id=org_id,
        roles=["learner"],
        calendar_key=new_key(),
        code=one.code or None,
        email=one.email,
        phone=one.phone,
        position=one.position,
        search_key=search_key(one.name),
    )


def _known(user: User, name: str) -> str:
    value = str(getattr(user, name))
    return value.lower() if name == "email" else value


def _folded(words: str) -> str:
    return " ".join(words.casefold().split())
