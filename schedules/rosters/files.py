"""Files of rosters that are given out: the roster, the rows that were refused, and an empty sheet. Pure.

UTF-8 with a byte order mark, because spreadsheets guess wrong without one, and CRLF line ends.
**Source:** RFC 4180; ECMA-376 part 1, section 18.3.1.33 (a list of what a cell may hold).
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from core.cells import safe_cell
from core.errors import N_
from schedules.rosters.nominations import RowProblem
from schedules.rosters.records import RosterLine
from schedules.sheets.limits import ROWS_MAX
from schedules.sheets.table import Table
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
CHOSEN = {"F": "A", "G": "B"}  # column of the sheet: column of the list that it is chosen from
TEXT = "@"  # the number format of text: leading zeros stay


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
    return _csv([head, *rows])


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
    return _csv([head, *told])


def template_csv(say: Say) -> bytes:
    """Return an empty sheet of nominations."""
    return _csv([[say(heading) for heading in HEADINGS]])


def template_xlsx(points: Sequence[str], organisations: Sequence[str], say: Say) -> bytes:
    """Return an empty workbook of nominations; bridge points and organisations are chosen from a second sheet."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = say(N_("Nominations"))
    sheet.append([say(heading) for heading in HEADINGS])
    sheet.freeze_panes = "A2"
    for number, width in enumerate(WIDTHS, 1):
        letter = get_column_letter(number)
        sheet[f"{letter}1"].font = Font(bold=True)
        sheet.column_dimensions[letter].width = width
        sheet.column_dimensions[letter].number_format = TEXT
    lists = book.create_sheet(say(N_("Lists")))
    for column, (heading, names) in enumerate(((HEADINGS[5], points), (HEADINGS[6], organisations)), 1):
        lists.cell(1, column, say(heading)).font = Font(bold=True)
        lists.column_dimensions[get_column_letter(column)].width = max(WIDTHS)
        for row, name in enumerate(names, 2):
            lists.cell(row, column, safe_cell(name)).number_format = TEXT
    for column_letter, source in CHOSEN.items():
        count = len(points if source == "A" else organisations)
        if count:
            allowed = f"'{lists.title}'!${source}$2:${source}${count + 1}"
            choice = DataValidation(type="list", formula1=allowed, allow_blank=True, showErrorMessage=False)
            choice.add(f"{column_letter}2:{column_letter}{ROWS_MAX + 1}")
            sheet.add_data_validation(choice)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for row in rows:
        writer.writerow([safe_cell(cell) for cell in row])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _day(at: object) -> str:
    """Return a local moment as ISO 8601 without zone, which spreadsheets read as a date and time."""
    return f"{at:%Y-%m-%d %H:%M}" if at else ""
