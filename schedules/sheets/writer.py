"""Tables that are given out: CSV, and workbooks to be filled in. Pure.

CSV is UTF-8 with a byte order mark, because spreadsheets guess wrong without one, and has CRLF line ends.
**Source:** RFC 4180; ECMA-376 part 1, section 18.3.1.33 (a list of what a cell may hold).
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from core.cells import safe_cell
from schedules.sheets.limits import ROWS_MAX

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LIST_WIDTH = 36  # characters
TEXT = "@"  # the number format of text: leading zeros stay
WHOLE = "0"  # of whole numbers, without thousands


@dataclass(frozen=True)
class SheetColumn:
    """A column of a workbook to be filled in.

    width: characters; choices: offered in each cell, anything else may be typed too; None: nothing is offered.
    """

    heading: str
    width: int
    choices: Sequence[str] | None = None
    numbers: bool = False


def csv_of(rows: Iterable[Iterable[str]]) -> bytes:
    """Return rows, the header first, as a file for spreadsheets."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for row in rows:
        writer.writerow([safe_cell(cell) for cell in row])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def workbook_of(
    title: str, columns: Sequence[SheetColumn], lists_title: str, examples: Iterable[Sequence[str]] = ()
) -> bytes:
    """Return a workbook to be filled in; what its cells offer stands on a second sheet.

    title, lists_title: of its sheets; examples: rows below the header.
    """
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = title
    sheet.append([column.heading for column in columns])
    sheet.freeze_panes = "A2"
    for number, column in enumerate(columns, 1):
        letter = get_column_letter(number)
        sheet[f"{letter}1"].font = Font(bold=True)
        sheet.column_dimensions[letter].width = column.width
        sheet.column_dimensions[letter].number_format = WHOLE if column.numbers else TEXT
    for row, cells in enumerate(examples, 2):
        for number, (column, words) in enumerate(zip(columns, cells, strict=True), 1):
            cell = sheet.cell(row, number, int(words) if column.numbers and words else safe_cell(words) or None)
            cell.number_format = WHOLE if column.numbers else TEXT  # a cell does not take it from its column
            cell.font = Font(italic=True)
    offering = [(number, column) for number, column in enumerate(columns, 1) if column.choices is not None]
    if offering:
        lists = book.create_sheet(lists_title)
        for place, (number, column) in enumerate(offering, 1):
            _offer(sheet, get_column_letter(number), lists, place, column)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _offer(sheet: Worksheet, letter: str, lists: Worksheet, place: int, column: SheetColumn) -> None:
    """Write a column's choices on the sheet of lists, and let its cells be chosen from them."""
    source = get_column_letter(place)
    lists.cell(1, place, column.heading).font = Font(bold=True)
    lists.column_dimensions[source].width = LIST_WIDTH
    choices = column.choices or ()
    for row, name in enumerate(choices, 2):
        lists.cell(row, place, safe_cell(name)).number_format = TEXT
    if choices:
        allowed = f"'{lists.title}'!${source}$2:${source}${len(choices) + 1}"
        choice = DataValidation(type="list", formula1=allowed, allow_blank=True, showErrorMessage=False)
        choice.add(f"{letter}2:{letter}{ROWS_MAX + 1}")
        sheet.add_data_validation(choice)
