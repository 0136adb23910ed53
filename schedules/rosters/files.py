"""Files of rosters that are given out: the roster, the rows that were refused, and an empty sheet. Pure."""

from collections.abc import Callable, Iterable, Sequence

from core.errors import N_
from schedules.rosters.nominations import RowProblem
from schedules.rosters.records import RosterLine
from schedules.sheets.table import Table
from schedules.sheets.writer import SheetColumn, csv_of, workbook_of
from schedules.zones import to_local

Say = Callable[..., str]  # translates an English sentence, with the values of its places

HEADINGS = (  # the import knows each of them again, in both languages
    N_("Full name"),
    N_("Staff code"),
    N_("Position"),
    N_("Email"),
    N_("Phone number"),
    N_("Bridge point"),
    N_("Organisation"),
)
WIDTHS = (32, 16, 28, 30, 18, 28, 36)  # characters


def roster_csv(lines: Iterable[RosterLine], zone: str, say: Say) -> bytes:
    """Return a roster as a file, in the columns that the import reads, then when they came and what they accepted."""
    head = [say(heading) for heading in (*HEADINGS, N_("Enrolled on"), N_("Rules accepted on"), N_("Version"))]
    rows = [
        [
            line.name,
            line.code or "",
            line.position,
            line.email,
            line.phone,
            line.point_name,
            line.org_name,
            _day(line.enrolled_at and to_local(line.enrolled_at, zone)),
            _day(line.rules_accepted_at and to_local(line.rules_accepted_at, zone)),
            str(line.rules_version) if line.rules_accepted_at else "",
        ]
        for line in lines
    ]
    return csv_of([head, *rows])


def problems_csv(problems: Iterable[RowProblem], table: Table, say: Say) -> bytes:
    """Return what is wrong, a row for each thing, each with the whole row of the sheet beside it."""
    rows = {row.number: row.cells for row in table.rows}
    head = [say(N_("Row")), say(N_("Column")), say(N_("What is wrong")), *table.header]
    told = (
        [
            str(problem.row) if problem.row else "",
            problem.column,
            say(problem.message, **problem.params),
            *rows.get(problem.row, ()),
        ]
        for problem in problems
    )
    return csv_of([head, *told])


def template_csv(say: Say) -> bytes:
    """Return an empty sheet of nominations."""
    return csv_of([[say(heading) for heading in HEADINGS]])


def template_xlsx(points: Sequence[str], organisations: Sequence[str], say: Say) -> bytes:
    """Return an empty workbook of nominations; bridge points and organisations are chosen from a second sheet."""
    choices = {HEADINGS.index("Bridge point"): points, HEADINGS.index("Organisation"): organisations}
    columns = [
        SheetColumn(say(heading), width, choices.get(place))
        for place, (heading, width) in enumerate(zip(HEADINGS, WIDTHS, strict=True))
    ]
    return workbook_of(say(N_("Nominations")), columns, say(N_("Lists")))


def _day(at: object) -> str:
    """Return a local moment as ISO 8601 without zone, which spreadsheets read as a date and time."""
    return f"{at:%Y-%m-%d %H:%M}" if at else ""
