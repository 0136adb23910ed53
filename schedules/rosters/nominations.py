"""Sheets of nominations: headings to fields, rows to people, everything wrong by row and column. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.errors import N_
from schedules.names import search_key
from schedules.sheets.table import Row, Table

Field = Literal["name", "family", "code", "position", "email", "phone", "point", "org"]

# Without marks, signs and brackets, as `heading_key` gives them.
HEADINGS: dict[Field, str] = {
    "name": "ho va ten, ho ten, ten, ho va ten hoc vien, ho ten hoc vien, ten hoc vien, ho va ten can bo, hoc vien, "
    "full name, fullname, name, given name, first name",
    "family": "ho, ho dem, ho lot, ho va ten dem, ho va chu dem, family name, last name, surname",
    "code": "ma can bo, ma cb, ma cbcc, ma cong chuc, ma vien chuc, ma nhan vien, ma nv, ma hoc vien, ma hv, ma so, "
    "ma so can bo, ma, so hieu, so hieu can bo, so hieu cong chuc, "
    "staff code, staff number, staff id, employee code, employee id, code",
    "position": "chuc vu, chuc danh, chuc vu chuc danh, vi tri, vi tri cong tac, position, title, job title",
    "email": "email, e mail, thu dien tu, dia chi email, hop thu, email address, mail",
    "phone": "dien thoai, so dien thoai, sdt, dt, di dong, so di dong, dien thoai di dong, "
    "phone, phone number, mobile, telephone, tel",
    "point": "diem cau, diem hoc, diem cau tham du, diem du, bridge point, point, site",
    "org": "don vi, don vi cong tac, co quan, co quan don vi, co quan cong tac, noi cong tac, to chuc, "
    "organisation, organization, unit, office",
}
UNUSED = ("stt", "so tt", "tt", "thu tu", "no", "ghi chu", "note", "notes", "remark", "remarks")  # needs no word

NAME_MAX = 200
CODE_MAX = 60
_FIELD_OF: dict[str, str] = {heading: name for name, headings in HEADINGS.items() for heading in headings.split(", ")}
_IN_BRACKETS = re.compile(r"\([^)]*\)")
_NO_WORD = re.compile(r"[^\w]+|_")
EMAIL = re.compile(r"[^@\s,;<>]{1,64}@[^@\s,;<>]+\.[^@\s,;<>.]{2,}")
PHONE_SIGNS = re.compile(r"[\s.()/-]+")
PHONE = re.compile(r"\+?[0-9]{8,15}")
LOST_ZERO = re.compile(r"[35789][0-9]{8}")  # a mobile number that a spreadsheet took for a quantity


@dataclass(frozen=True)
class RowProblem:
    """What is wrong with a row, or worth knowing.

    row: as the spreadsheet shows it, 0 for the whole table; column: its heading, empty for the whole row;
    code: stable, for programs; message: an English sentence with `%(name)s` places filled from params.
    """

    row: int
    column: str
    code: str
    message: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Nomination:
    """A person whom somebody wishes on the roster; an empty text is what the sheet does not say."""

    row: int
    name: str
    code: str = ""
    position: str = ""
    email: str = ""  # lower case
    phone: str = ""  # digits, perhaps after a +
    point: str = ""  # its name or code
    org: str = ""  # its name or code


@dataclass(frozen=True)
class Columns:
    """Which column has which field, by index from 0; and the headings that nobody understood."""

    places: Mapping[str, int]
    headings: tuple[str, ...]
    unknown: tuple[str, ...]

    def cell(self, row: Row, name: str) -> str:
        """Return a row's cell as one line, empty when there is no such column."""
        place = self.places.get(name)
        return "" if place is None else " ".join(row.cells[place].split())

    def heading(self, name: str) -> str:
        """Return the heading of a field as the sheet has it, empty when there is no such column."""
        place = self.places.get(name)
        return "" if place is None else self.headings[place]


@dataclass(frozen=True)
class Sheet:
    """A read sheet: the good rows, what is wrong with the others, which columns there are."""

    nominations: tuple[Nomination, ...]
    problems: tuple[RowProblem, ...]
    columns: Columns


def heading_key(heading: str) -> str:
    """Return a heading as headings are compared: `Họ và tên (*)` is `ho va ten`."""
    plain = _IN_BRACKETS.sub(" ", search_key(heading))
    return " ".join(_NO_WORD.sub(" ", plain).split())


def read_nominations(table: Table) -> Sheet:
    """Return the nominations of a table and every problem of its rows, in their order.

    Problems have the codes `nomination.…`.  A table without a column of names gives one problem and no rows.
    """
    columns, problems = _columns(table.header)
    if problems:
        return Sheet((), tuple(problems), columns)
    if not table.rows:
        problem = RowProblem(0, "", "nomination.no_rows", N_("There is nobody in this sheet."))
        return Sheet((), (problem,), columns)
    good: list[Nomination] = []
    for row in table.rows:
        nomination = _nomination(row, columns)
        wrong = list(_problems(nomination, columns))
        problems += wrong
        if not wrong:
            good.append(nomination)
    problems += _repeated(good, columns)
    return Sheet(tuple(good), tuple(sorted(problems, key=lambda problem: problem.row)), columns)


def _columns(header: tuple[str, ...]) -> tuple[Columns, list[RowProblem]]:
    columns, problems = match_columns(header, _FIELD_OF)
    if "name" not in columns.places:
        message = N_("No column has people's names. Its heading should be “Họ và tên” or “Full name”.")
        problems.append(RowProblem(0, "", "nomination.no_name_column", message))
    return columns, problems


def match_columns(header: tuple[str, ...], field_of: Mapping[str, str]) -> tuple[Columns, list[RowProblem]]:
    """Return which column has which field, and a problem for each field that has two.

    field_of: headings, as `heading_key` gives them, to fields.
    """
    places: dict[str, int] = {}
    unknown: list[str] = []
    problems: list[RowProblem] = []
    for place, heading in enumerate(header):
        key = heading_key(heading)
        name = field_of.get(key)
        if name is None:
            if key and key not in UNUSED:
                unknown.append(heading)
        elif name in places:
            message = N_("The columns “%(first)s” and “%(second)s” mean the same. Please leave one out.")
            params = {"first": header[places[name]], "second": heading}
            problems.append(RowProblem(0, heading, "nomination.same_column", message, params))
        else:
            places[name] = place
    return Columns(places, header, tuple(unknown)), problems


def _nomination(row: Row, columns: Columns) -> Nomination:
    def cell(name: Field) -> str:
        return columns.cell(row, name)

    return Nomination(
        row=row.number,
        name=f"{cell('family')} {cell('name')}".strip(),
        code=cell("code"),
        position=cell("position"),
        email=cell("email").lower(),
        phone=phone_number(cell("phone")),
        point=cell("point"),
        org=cell("org"),
    )


def phone_number(words: str) -> str:
    """Return a phone number without signs, and with the 0 that a spreadsheet takes from a mobile one."""
    phone = PHONE_SIGNS.sub("", words)
    return "0" + phone if LOST_ZERO.fullmatch(phone) else phone


def _problems(one: Nomination, columns: Columns) -> Iterator[RowProblem]:
    def problem(name: Field, code: str, message: str, **params: Any) -> RowProblem:
        return RowProblem(one.row, columns.heading(name), f"nomination.{code}", message, params)

    if not one.name:
        yield problem("name", "no_name", N_("The name is missing."))
    elif not any(c.isalpha() for c in one.name):
        yield problem("name", "not_a_name", N_("“%(value)s” is not a name."), value=one.name)
    if one.email and not EMAIL.fullmatch(one.email):
        yield problem("email", "email", N_("“%(value)s” is not an e-mail address."), value=one.email)
    if one.phone and not PHONE.fullmatch(one.phone):
        yield problem("phone", "phone", N_("“%(value)s” is not a phone number."), value=one.phone)
    limits: tuple[tuple[Field, str, int], ...] = (
        ("name", one.name, NAME_MAX),
        ("code", one.code, CODE_MAX),
        ("position", one.position, NAME_MAX),
        ("email", one.email, NAME_MAX),
    )
    for name, value, limit in limits:
        if len(value) > limit:
            yield problem(name, "too_long", N_("This is longer than %(limit)s characters."), limit=limit)


def _repeated(nominations: list[Nomination], columns: Columns) -> list[RowProblem]:
    """Return a problem for each row that has the person of an earlier one."""
    seen: dict[Field, dict[str, int]] = defaultdict(dict)
    problems: list[RowProblem] = []
    for one in nominations:
        for name, key, value in _keys(one):
            first = seen[name].setdefault(key, one.row)
            if first != one.row:
                message = N_("Rows %(first)s and %(second)s have the same person: %(value)s.")
                params = {"first": first, "second": one.row, "value": value}
                problems.append(RowProblem(one.row, columns.heading(name), "nomination.repeated", message, params))
                break
    return problems


def _keys(one: Nomination) -> Iterator[tuple[Field, str, str]]:
    """Yield by what a person is known: code and e-mail address, or the name when the sheet has neither."""
    if one.code:
        yield "code", one.code.casefold(), one.code
    if one.email:
        yield "email", one.email, one.email
    if not one.code and not one.email:
        yield "name", f"{one.name.casefold()}\n{one.org.casefold()}", one.name
