"""Sheets of the registry: headings to fields, everything wrong by row and column. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.errors import N_
from core.permissions import Role
from schedules.names import search_key
from schedules.registry.columns import COLUMNS, NUMBERS
from schedules.registry.records import HallDraft, Kind
from schedules.rosters.nominations import EMAIL, PHONE, Columns, RowProblem, match_columns, phone_number
from schedules.sheets.table import Row, Table

ROLE_WORDS: dict[Role, str] = {
    "admin": "quan tri, quan tri vien, quan tri he thong, admin, administrator",
    "organiser": "to chuc, nguoi to chuc, can bo to chuc, to chuc lop, organiser, organizer",
    "lecturer": "giang vien, bao cao vien, lecturer, teacher",
    "operator": "phu trach, nguoi phu trach, phu trach diem cau, ky thuat, ky thuat vien, can bo ky thuat, operator",
    "learner": "hoc vien, learner, student",
    "observer": "quan sat, quan sat vien, du gio, thanh tra, observer",
}
_EMPLOYMENT_WORDS = {
    **dict.fromkeys(("co huu", "full", "full time", "chuyen trach", "chinh thuc"), "full"),
    **dict.fromkeys(("kiem chuc", "part", "part time", "kiem nhiem", "thinh giang"), "part"),
}
_ROLE_OF: dict[str, Role] = {word: role for role, words in ROLE_WORDS.items() for word in words.split(", ")}
LIMITS = {"code": 60, "name": 200, "tier": 60, "place": 200, "position": 200, "login": 100, "contact_name": 200,
          "note": 2000, "qualification": 2000, "halls": 2000, "operators": 2000, "topics": 4000,
          "windows": 1000}  # fmt: skip
_HALL = re.compile(r"(?P<name>.{1,150}?)\s*\(\s*(?P<seats>[0-9]{1,5})\s*(?:chỗ|ghế|seats)?\s*\)")
_NUMBER = re.compile(r"[0-9]+(?:[ .][0-9]{3})*(?:\.0)?")  # 1.200 is written for 1200, 12.5 is no whole number
NUMBER_MAX = 100_000
LISTS = ("halls", "operators", "topics", "windows", "roles")


@dataclass(frozen=True)
class Line:
    """A row of a sheet by its fields; a field that the sheet does not say is absent."""

    row: int
    values: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Return what the row says of a field, empty for nothing."""
        return self.values.get(name, "")


@dataclass(frozen=True)
class RegistrySheet:
    """A read sheet: the good rows, what is wrong with the others, which columns there are."""

    kind: Kind
    lines: tuple[Line, ...]
    problems: tuple[RowProblem, ...]
    columns: Columns


def read_sheet(kind: Kind, table: Table) -> RegistrySheet:
    """Return the rows of a table of one kind of things, and every problem of its rows in their order.

    Codes of problems are `import.…`; a table without columns of codes and names gives problems and no rows.
    """
    field_of = {heading: column.name for column in COLUMNS[kind] for heading in column.words.split(", ")}
    columns, problems = match_columns(table.header, field_of)
    if "code" not in columns.places:
        message = N_("No column has codes. Its heading should be “Mã” or “Code”.")
        problems.append(RowProblem(0, "", "import.no_code_column", message))
    if "name" not in columns.places:
        message = N_("No column has names. Its heading should be “Tên” or “Name”.")
        problems.append(RowProblem(0, "", "import.no_name_column", message))
    if not problems and not table.rows:
        problems.append(RowProblem(0, "", "import.no_rows", N_("There is nothing below the headings of this sheet.")))
    if problems:
        return RegistrySheet(kind, (), tuple(problems), columns)
    good: list[Line] = []
    first: dict[str, int] = {}
    for row in table.rows:
        line, wrong = _line(row, columns)
        code = str(line["code"]).casefold()
        if code and first.setdefault(code, row.number) != row.number:
            message = N_("Rows %(first)s and %(second)s have the same code: %(value)s.")
            params = {"first": first[code], "second": row.number, "value": line["code"]}
            wrong.append(RowProblem(row.number, columns.heading("code"), "import.repeated", message, params))
        problems += wrong
        if not wrong:
            good.append(line)
    return RegistrySheet(kind, tuple(good), tuple(problems), columns)


def _line(row: Row, columns: Columns) -> tuple[Line, list[RowProblem]]:
    values: dict[str, Any] = {}
    wrong: list[RowProblem] = []
    for name in columns.places:
        words = _lines(row, columns.places[name]) if name in LISTS else columns.cell(row, name)
        if not words:
            continue
        try:
            values[name] = _value(name, words)
        except _Unreadable as error:
            wrong.append(RowProblem(row.number, columns.heading(name), error.code, error.message, error.params))
    if "family" in values:
        values["name"] = f"{values.pop('family')} {values.get('name', '')}".strip()
    for name, code, message in (
        ("code", "no_code", N_("The code is missing.")),
        ("name", "no_name", N_("The name is missing.")),
    ):
        if not values.get(name) and not any(p.column == columns.heading(name) for p in wrong):
            wrong.append(RowProblem(row.number, columns.heading(name), f"import.{code}", message))
    return Line(row.number, values), wrong


def _lines(row: Row, place: int) -> str:
    """Return a cell whose lines are things of their own: people write them so instead of semicolons."""
    return "\n".join(filter(None, (" ".join(line.split()) for line in row.cells[place].split("\n"))))


class _Unreadable(Exception):
    def __init__(self, code: str, message: str, **params: Any) -> None:
        super().__init__(code)
        self.code, self.message, self.params = f"import.{code}", message, params


def _value(name: str, words: str) -> Any:
    """Return what a cell says.  Raises _Unreadable."""
    if len(words) > LIMITS.get(name, 200):
        raise _Unreadable("too_long", N_("This is longer than %(limit)s characters."), limit=LIMITS.get(name, 200))
    if name in ("email", "contact_email"):
        if not EMAIL.fullmatch(words):
            raise _Unreadable("email", N_("“%(value)s” is not an e-mail address."), value=words)
        return words.lower()
    if name in ("phone", "contact_phone"):
        phone = phone_number(words)
        if not PHONE.fullmatch(phone):
            raise _Unreadable("phone", N_("“%(value)s” is not a phone number."), value=words)
        return phone
    if name in NUMBERS:
        digits = re.sub(r"[ .]", "", words.removesuffix(".0"))
        if not (_NUMBER.fullmatch(words) and int(digits[:9]) <= NUMBER_MAX):
            message = N_("“%(value)s” is not a number from 0 to %(most)s.")
            raise _Unreadable("number", message, value=words, most=NUMBER_MAX)
        return int(digits)
    if name == "roles":
        return frozenset(_roles(words))
    if name == "employment":
        if (kind := _EMPLOYMENT_WORDS.get(search_key(words).replace("-", " "))) is None:
            raise _Unreadable("employment", N_("“%(value)s” is neither full-time nor part-time."), value=words)
        return kind
    if name == "halls":
        return tuple(_halls(words))
    if name in ("operators", "topics"):
        return tuple(dict.fromkeys(part.strip() for part in re.split(r"[;\n]", words) if part.strip()))
    return words.lower() if name == "login" else words


def _halls(words: str) -> Iterator[HallDraft]:
    """Yield the rooms of `Hội trường A (120); Phòng 2 (40)`.  Raises _Unreadable."""
    for part in filter(str.strip, re.split(r"[;\n]", words)):
        match = _HALL.fullmatch(part.strip())
        if match is None:
            message = N_("“%(value)s” is no hall. Please write its name and its seats: Hội trường A (120).")
            raise _Unreadable("hall", message, value=part.strip())
        yield HallDraft(match["name"].strip(), int(match["seats"]))


def _roles(words: str) -> Iterator[Role]:
    for word in re.split(r"[,;/\n]", words):
        if key := search_key(word):
            if key not in _ROLE_OF:
                raise _Unreadable("role", N_("There is no role “%(value)s”."), value=word.strip())
            yield _ROLE_OF[key]
