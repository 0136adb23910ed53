"""Workbooks: the first visible sheet that has anything in it, as rows of text. Pure.

**Source:** ECMA-376 part 1, section 18.3.1.4: a cell has a type, a value, perhaps a formula and its last result.
"""

import io
import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any
from zipfile import BadZipFile, ZipFile

from openpyxl import load_workbook

from core.errors import N_, AppError, Invalid
from schedules.sheets.limits import RawRow, clean, column_letters, unreadable
from schedules.sheets.package import check_package
from schedules.sheets.survey import Survey, survey

WHOLE_MAX = 1e15  # a float below this is a whole number exactly, when it looks like one
_ZEROS = re.compile(r"0{2,30}")  # a number format that shows leading zeros, as for staff numbers
_ESCAPE = re.compile(r"_x00([01][0-9A-Fa-f])_")  # how a control character is written in such a file


def rows_of_workbook(data: bytes) -> tuple[list[RawRow], Survey]:
    """Return the rows that are not blank with their numbers, and what else was seen on that sheet.

    Raises Invalid for a file that is damaged, dangerous or too large, and for a cell that shows an error.
    """
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            check_package(archive)
    except (BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise unreadable() from error
    try:
        return _read(data)
    except AppError:
        raise
    except Exception as error:  # the library has no base of its errors: a bad part ends in any of some twenty kinds
        raise unreadable() from error


def _read(data: bytes) -> tuple[list[RawRow], Survey]:
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    try:
        for sheet in book.worksheets:
            if sheet.sheet_state != "visible":
                continue
            with sheet._get_source() as source:  # no public way leads to the XML; the version is pinned
                seen = survey(source)
            if seen.last_row:
                return list(_rows(sheet, seen)), seen
    finally:
        book.close()
    return [], Survey()


def _rows(sheet: Any, seen: Survey) -> Iterator[RawRow]:
    found = 0
    sheet.reset_dimensions()  # what a file says of its own size is often wrong
    rows = sheet.iter_rows(max_row=seen.last_row, max_col=seen.last_column)
    for number, cells in enumerate(islice(rows, seen.last_row), 1):
        texts = tuple(_text(cell, number, column) for column, cell in enumerate(cells, 1))
        while texts and not texts[-1]:
            texts = texts[:-1]
        if texts:
            found += 1
            yield number, texts
    if not found and seen.rows > len(seen.uncomputed):  # another dialect of the format, of which nothing was read
        raise unreadable()


def _text(cell: Any, row: int, column: int) -> str:
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "e":
        raise Invalid(
            "sheet.cell_error",
            N_("Row %(row)s, column %(column)s shows the error %(value)s instead of a value."),
            row=row,
            column=column_letters(column),
            value=clean(str(value)),
        )
    if isinstance(value, str):
        return clean(_ESCAPE.sub(lambda found: chr(int(found[1], 16)), value))
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value, str(cell.number_format or ""))
    return _moment(value)


def _number(value: int | float, number_format: str) -> str:
    """Return 12.0 as “12”, and 42 under the format “0000” as “0042”, which is what people see."""
    if isinstance(value, float) and value.is_integer() and abs(value) < WHOLE_MAX:
        value = int(value)
    if isinstance(value, int) and value >= 0 and _ZEROS.fullmatch(number_format):
        return str(value).zfill(len(number_format))
    return str(value)


def _moment(value: object) -> str:
    """Return a date, a time or both in ISO 8601; midnight is taken for no time at all."""
    if isinstance(value, datetime):
        if value.time() == time():
            return value.date().isoformat()
        return value.replace(microsecond=0).isoformat()
    if isinstance(value, time):
        return value.replace(microsecond=0).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return clean(str(value))
