"""Organisations, points, equipment and people from sheets: all of a sheet, or nothing of it."""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Database
from core.errors import N_, AppError, Conflict, Invalid
from core.ids import new_id, new_key
from schedules.booking_service import hours_of, write_hours
from schedules.hours import Window
from schedules.models import (
    Availability,
    BridgePoint,
    Course,
    Equipment,
    LecturerProfile,
    LecturerTopic,
    Organisation,
    OrganisationPast,
    PointOperator,
    Topic,
    User,
)
from schedules.models import Hall as HallRow
from schedules.names import place_key, search_key
from schedules.registry import history_service
from schedules.registry.checks import check_equipment, check_organisation, check_person, check_point
from schedules.registry.forms import windows_of
from schedules.registry.organisation_service import refuse_abolished
from schedules.registry.people_service import person_draft, refuse_needed, refuse_no_admin, write_person
from schedules.registry.place_service import point_draft, write_equipment, write_point
from schedules.registry.records import (
    BEGINNING,
    EquipmentDraft,
    HallDraft,
    Kind,
    OrganisationDraft,
    PersonDraft,
    PointDraft,
    Profile,
)
from schedules.registry.sheets import Line, RegistrySheet, read_sheet
from schedules.registry.tree import in_circle, ordered
from schedules.rosters.nomination_service import Names
from schedules.rosters.nominations import RowProblem
from schedules.sheets.table import Table

log = logging.getLogger(__name__)

Outcome = Literal["added", "updated", "unchanged"]
WRITTEN = (  # all tables that an import may write to
    Organisation, OrganisationPast, BridgePoint, HallRow, PointOperator, Equipment, User, LecturerProfile,
    LecturerTopic, Availability,
)  # fmt: skip
COLUMN_OF = {"registry.code_taken": "code", "user.login_taken": "login", "registry.booked": "point"}


@dataclass(frozen=True)
class Taken:
    """What a row did, or would do."""

    row: int
    code: str
    name: str
    outcome: Outcome


@dataclass(frozen=True)
class Report:
    """What a sheet did, or would do.

    imported: whether it was written; with problems nothing is, and `taken` has the good rows only.
    """

    imported: bool
    taken: tuple[Taken, ...]
    problems: tuple[RowProblem, ...]
    unknown_columns: tuple[str, ...]  # headings that nobody understood: their cells were not read

    def count(self, outcome: Outcome) -> int:
        """Return how many rows had this outcome."""
        return sum(one.outcome == outcome for one in self.taken)


class _Undo(Exception):
    """Nothing of it is to be written."""


class _Wrong(Invalid):
    """A cell cannot be taken."""

    def __init__(self, name: str, code: str, message: str, **params: Any) -> None:
        super().__init__(f"import.{code}", message, **params)
        self.field = name


class Imports:
    """Fills the registry from sheets; rows are known again by their codes."""

    def __init__(self, db: Database, clock: Clock, zone: str) -> None:
        """Use `db` for every transaction, ask `clock` for the time; zone: the installation's."""
        self._db = db
        self._clock = clock
        self._zone = zone

    def preview(self, kind: Kind, table: Table) -> Report:
        """Return what `take` would do and say.  Writes nothing."""
        return self._run(kind, table, write=False)

    def take(self, kind: Kind, table: Table, by: str) -> Report:
        """Take everything of a sheet, or nothing at all.

        table: as `read_table` gave it; by: the importing person's id.  What a cell leaves empty stays as it is.
        The same sheet again changes nothing.  Raises Conflict when somebody else wrote the same meanwhile.
        """
        report = self._run(kind, table, write=True)
        if report.imported:
            log.info("%s imported %s: %d new, %d changed", by, kind, report.count("added"), report.count("updated"))
        return report

    def _run(self, kind: Kind, table: Table, write: bool) -> Report:
        sheet = read_sheet(kind, table)
        book = _Book(sheet, list(sheet.problems))
        try:
            with self._db.transaction() if write else self._db.trying(WRITTEN) as s:
                _IMPORTERS[kind](s, sheet, book, self._clock, self._zone)
                if book.problems or not write:
                    raise _Undo
        except _Undo:
            pass
        except IntegrityError as error:
            raise Conflict(
                "import.meanwhile", N_("Somebody else was changing the same things. Please try again.")
            ) from error
        problems = tuple(sorted(book.problems, key=lambda problem: problem.row))
        return Report(write and not problems, tuple(book.taken), problems, sheet.columns.unknown)


@dataclass
class _Book:
    """What became of the rows so far."""

    sheet: RegistrySheet
    problems: list[RowProblem]
    taken: list[Taken] = field(default_factory=list)

    def enter(self, line: Line, do: Callable[[], Outcome]) -> None:
        """Do what a row wants; what is wrong with it is told by row and column."""
        try:
            self.taken.append(Taken(line.row, line["code"], line["name"], do()))
        except AppError as error:
            name = error.field if isinstance(error, _Wrong) else COLUMN_OF.get(error.code, "")
            self.problems.append(
                RowProblem(line.row, self.sheet.columns.heading(name), error.code, error.message, error.params)
            )


def _by_code(s: Session, table: type[Any]) -> dict[str, Any]:
    return {row.code.casefold(): row for row in s.scalars(select(table).where(table.code.is_not(None)))}


def _changed(line: Line, **names: str) -> dict[str, Any]:
    """Return what a row says, by the names of a draft; names: of a draft's fields whose column is called otherwise."""
    return {name: line.values[column] for name, column in names.items() if column in line.values}


# ---- organisations ----


def _organisations(s: Session, sheet: RegistrySheet, book: _Book, clock: Clock, zone: str) -> None:
    history_service.backfill(s)
    known = _by_code(s, Organisation)
    everybody = {row.id: row for row in s.scalars(select(Organisation))}
    rows: dict[int, Organisation] = {}
    for line in sheet.lines:
        rows[line.row] = known.get(line["code"].casefold()) or Organisation(
            id=new_id("org"), code=line["code"], name=line["name"], tier=line["tier"]
        )
    new = [row for row in rows.values() if row.id not in everybody]
    # a row may name its parent as this very sheet calls it
    called = [Organisation(id=rows[line.row].id, code=rows[line.row].code, name=line["name"]) for line in sheet.lines]
    names = Names([*everybody.values(), *called])
    drafts: dict[str, OrganisationDraft] = {}
    for line in sheet.lines:
        row = rows[line.row]

        def read(line: Line = line, row: Organisation = row) -> Outcome:
            refuse_abolished(row)
            parent = _org(names, everybody, line["parent"], "parent") if line["parent"] else row.parent_id
            draft = OrganisationDraft(line["name"], parent, line["code"], line["tier"] or row.tier or "")
            check_organisation(draft)
            drafts[row.id] = draft
            if row.id not in everybody:
                return "added"
            same = (row.name, row.tier or "", row.parent_id) == (draft.name, draft.tier, parent)
            return "unchanged" if same else "updated"

        book.enter(line, read)
    parents = {row.id: row.parent_id for row in everybody.values()} | {i: d.parent_id for i, d in drafts.items()}
    for line in sheet.lines:
        if rows[line.row].id in drafts and in_circle(parents, rows[line.row].id):
            message = N_("An organisation cannot be placed below one of its own parts.")
            column = sheet.columns.heading("parent")
            book.problems.append(RowProblem(line.row, column, "organisation.circle", message))
    if book.problems:
        return
    s.add_all(new)
    s.flush()  # before anything names them as parents
    for row, _ in ordered(rows.values(), lambda o: o.id, lambda o: parents[o.id], lambda o: o.name):
        draft = drafts[row.id]
        if row.id in everybody:  # parents come first, so that no circle arises on the way
            now = clock.now()
            history_service.change(s, row, now, draft.name, draft.tier, draft.parent_id, zone, checked=True)
        else:
            row.parent_id = draft.parent_id
            s.flush()
            history_service.begin(s, row, BEGINNING)


def _org(names: Names, everybody: dict[str, Organisation], words: str, column: str) -> str:
    """Return the id of the organisation that words mean.  Raises _Wrong."""
    ids = {row.id for row in names.find(words)}
    if len(ids) > 1:
        message = N_("Several organisations are called “%(value)s”. Please write its code.")
        raise _Wrong(column, "which_org", message, value=words)
    if not ids:
        raise _Wrong(column, "unknown_org", N_("There is no organisation “%(value)s”."), value=words)
    org_id = str(ids.pop())
    row = everybody.get(org_id)
    if row is not None and row.abolished_at is not None:
        successor = everybody.get(row.successor_id or "")
        message = N_("“%(value)s” was abolished. Its successor: %(successor)s.")
        raise _Wrong(column, "abolished_org", message, value=words, successor=successor.name if successor else "–")
    return org_id


class _Homes:
    """The organisations that points and people can belong to."""

    def __init__(self, s: Session) -> None:
        rows = s.scalars(select(Organisation)).all()
        self._all = {row.id: row for row in rows}
        self._names = Names(rows)

    def of(self, line: Line, before: str | None) -> str:
        """Return the id of a row's organisation, as before where the row has none.  Raises _Wrong."""
        if line["org"]:
            return _org(self._names, self._all, line["org"], "org")
        if before is None:
            raise _Wrong("org", "no_org", N_("The organisation is missing."))
        return before


# ---- bridge points ----


def _points(s: Session, sheet: RegistrySheet, book: _Book, clock: Clock, zone: str) -> None:
    known, homes = _by_code(s, BridgePoint), _Homes(s)
    people = Names([row for row in s.scalars(select(User)) if row.left_at is None])

    def write(line: Line) -> Outcome:
        row = known.get(line["code"].casefold())
        before = PointDraft("", "") if row is None else _whole_point(s, row)
        org_id = homes.of(line, row.org_id if row is not None else None)
        fields = ("name", "place", "capacity", "zone", "contact_name", "contact_phone", "contact_email")
        told = _changed(line, **dict(zip(fields, fields, strict=True)))
        if line["halls"]:
            told["halls"] = tuple(sorted(line["halls"], key=lambda hall: place_key(hall.name)))
        if line["operators"]:
            told["operator_ids"] = tuple(sorted({_person(people, words) for words in line["operators"]}))
        draft = replace(before, org_id=org_id, code=before.code or line["code"], **told)
        if draft == before:
            return "unchanged"
        check_point(draft)
        write_point(s, clock, row or BridgePoint(id=new_id("bp"), calendar_key=new_key()), draft)
        return "added" if row is None else "updated"

    for line in sheet.lines:
        book.enter(line, lambda line=line: write(line))  # type: ignore[misc]


def _whole_point(s: Session, row: BridgePoint) -> PointDraft:
    rooms = s.scalars(select(HallRow).where(HallRow.point_id == row.id))
    halls = [HallDraft(hall.name, hall.capacity) for hall in rooms]
    operators = s.scalars(select(PointOperator.user_id).where(PointOperator.point_id == row.id)).all()
    return point_draft(row, halls, sorted(operators))


def _person(people: Names, words: str) -> str:
    rows = people.find(words)
    if len(rows) > 1:
        message = N_("Several people are called “%(value)s”. Please write their code.")
        raise _Wrong("operators", "which_person", message, value=words)
    if not rows:
        raise _Wrong("operators", "unknown_person", N_("There is nobody called “%(value)s”."), value=words)
    return str(rows[0].id)


# ---- equipment ----


def _equipment(s: Session, sheet: RegistrySheet, book: _Book, clock: Clock, zone: str) -> None:
    known = _by_code(s, Equipment)
    points = Names([row for row in s.scalars(select(BridgePoint)) if row.retired_at is None])

    def write(line: Line) -> Outcome:
        row = known.get(line["code"].casefold())
        before = (
            EquipmentDraft("")
            if row is None
            else EquipmentDraft(row.name, row.point_id, row.code or "", row.note or "")
        )
        draft = replace(before, code=before.code or line["code"], **_changed(line, name="name", note="note"))
        if line["point"]:
            draft = replace(draft, point_id=_point(points, line["point"]))
        if draft == before:
            return "unchanged"
        check_equipment(draft)
        write_equipment(s, clock, row or Equipment(id=new_id("eq")), draft)
        return "added" if row is None else "updated"

    for line in sheet.lines:
        book.enter(line, lambda line=line: write(line))  # type: ignore[misc]


def _point(points: Names, words: str) -> str:
    rows = points.find(words)
    if len(rows) > 1:
        message = N_("Several bridge points are called “%(value)s”. Please write its code.")
        raise _Wrong("point", "which_point", message, value=words)
    if not rows:
        raise _Wrong("point", "unknown_point", N_("There is no bridge point “%(value)s”."), value=words)
    return str(rows[0].id)


# ---- people ----


def _people(s: Session, sheet: RegistrySheet, book: _Book, clock: Clock, zone: str) -> None:
    known, homes = _by_code(s, User), _Homes(s)
    topics = _Topics(s)

    def write(line: Line) -> Outcome:
        row = known.get(line["code"].casefold())
        before = PersonDraft("", "", frozenset({"learner"})) if row is None else _whole_person(s, row, zone)
        profile = replace(
            before.profile,
            **_changed(line, employment="employment", qualification="qualification", hours_max="hours_max"),
        )
        if line["topics"]:
            profile = replace(profile, topic_ids=tuple(sorted({topics.of(words) for words in line["topics"]})))
        if line["windows"]:
            profile = replace(profile, windows=tuple(_windows(line["windows"], zone)))
        fields = ("name", "roles", "login", "email", "phone", "position")
        draft = replace(
            before,
            org_id=homes.of(line, row.org_id if row is not None else None),
            code=before.code or line["code"],
            profile=profile,
            **_changed(line, **dict(zip(fields, fields, strict=True))),
        )
        if draft == before:
            return "unchanged"
        check_person(draft)
        if row is not None:
            refuse_needed(s, clock, row, draft, zone)
        person = row or User(id=new_id("usr"), password_hash="", calendar_key=new_key())
        write_person(s, clock, person, draft, zone)
        if profile.windows != before.profile.windows:
            write_hours(s, person.id, profile.windows)
        if row is not None and "admin" in before.roles and "admin" not in draft.roles:
            refuse_no_admin(s, clock)
        return "added" if row is None else "updated"

    for line in sheet.lines:
        book.enter(line, lambda line=line: write(line))  # type: ignore[misc]


def _whole_person(s: Session, row: User, zone: str) -> PersonDraft:
    """Return a person as a draft that would change nothing."""
    known = s.get(LecturerProfile, row.id)
    topics = tuple(sorted(s.scalars(select(LecturerTopic.topic_id).where(LecturerTopic.user_id == row.id))))
    windows = tuple(hours_of(s, {row.id}).get(row.id, ()))
    if known is None:
        return person_draft(row, Profile(topic_ids=topics, windows=windows), zone)
    employment: Literal["full", "part"] = "part" if known.employment == "part" else "full"
    return person_draft(row, Profile(employment, known.qualification, known.hours_max, topics, windows), zone)


class _Topics:
    """Topics by the words that people write: the title, or `course: title` where several are called so."""

    def __init__(self, s: Session) -> None:
        self._by: dict[str, set[str]] = {}
        rows = s.execute(select(Topic.id, Topic.title, Course.title).join(Course, Course.id == Topic.course_id))
        for topic_id, title, course in rows:
            for words in (title, f"{course}: {title}"):
                self._by.setdefault(search_key(words), set()).add(topic_id)

    def of(self, words: str) -> str:
        """Return the id of a topic.  Raises _Wrong."""
        ids = self._by.get(search_key(words), set())
        if len(ids) > 1:
            message = N_("Several topics are called “%(value)s”. Please write its course too: course: topic.")
            raise _Wrong("topics", "which_topic", message, value=words)
        if not ids:
            raise _Wrong("topics", "unknown_topic", N_("There is no topic “%(value)s”."), value=words)
        return next(iter(ids))


def _windows(words: str, zone: str) -> Iterator[Window]:
    """Yield the hours of `T2 07:30–11:30, 13:30–17:00; CN 08:00–10:00`.  Raises _Wrong."""
    for part in filter(str.strip, re.split(r";|(?<!,)\n", words)):  # a line may end between two hours of one day
        day, rest = next(
            ((n, part.strip()[len(name) :]) for n, name in _DAYS if _begins(search_key(part), name)), (None, "")
        )
        if day is None or not rest.strip(" :"):
            message = N_("“%(value)s” does not begin with a day of the week and hours: T2 07:30–11:30.")
            raise _Wrong("windows", "weekday", message, value=part.strip()[:60])
        try:
            yield from windows_of(rest.strip(" :"), day, zone)
        except Invalid as error:
            raise _Wrong("windows", "hours", error.message, **error.params) from error


def _begins(part: str, day: str) -> bool:
    """Return whether a part begins with a day: “thu 2” does not begin “Thu 20:00–21:00” nor “Thu 2:30–4:00”."""
    return part.startswith(day) and not (day[-1].isdigit() and re.match(r"\d|[:.h]\d", part[len(day) :]))


# Without marks. “thu” alone is Thursday in English: it is tried after the Vietnamese days, which are longer.
_DAYS = (
    (0, "thu hai"), (0, "thu 2"), (0, "t2"), (0, "mon"), (1, "thu ba"), (1, "thu 3"), (1, "t3"), (1, "tue"),
    (2, "thu tu"), (2, "thu 4"), (2, "t4"), (2, "wed"), (3, "thu nam"), (3, "thu 5"), (3, "t5"), (4, "thu sau"),
    (4, "thu 6"), (4, "t6"), (4, "fri"), (5, "thu bay"), (5, "thu 7"), (5, "t7"), (5, "sat"), (6, "chu nhat"),
    (6, "cn"), (6, "sun"), (3, "thu"),
)  # fmt: skip

_IMPORTERS: dict[Kind, Callable[[Session, RegistrySheet, _Book, Clock, str], None]] = {
    "organisations": _organisations,
    "points": _points,
    "equipment": _equipment,
    "people": _people,
}
