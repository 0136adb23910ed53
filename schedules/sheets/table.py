"""An uploaded table, read with care: bytes in, a header and rows of text out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import N_, Invalid
from schedules.sheets.csv_file import rows_of_text
from schedules.sheets.legacy import Encoding, encoding_of_all, legacy_encoding, speaks_for
from schedules.sheets.limits import HEADER_WITHIN, ROWS_MAX, UPLOAD_MAX, RawRow, column_letters, too_many_rows
from schedules.sheets.package import ZIP_START
from schedules.sheets.survey import Survey
from schedules.sheets.syllables import words
from schedules.sheets.xlsx_file import rows_of_workbook

OLE_START = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # .xls, .doc, and .xlsx behind a password


@dataclass(frozen=True)
class Row:
    """A row below the header.  number: as the spreadsheet shows it, from 1; cells: one for each heading."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table with its headings, of which some may be empty but no two the same; blank rows are left out."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(data: bytes, filename: str) -> Table:
    """Return the table that an uploaded file holds.

    data: the file; filename: for the sentences of errors only: what the file is, its bytes tell.  Of an .xlsx
    the first visible sheet with anything in it is read; CSV may be in UTF-8, UTF-16 with a byte order mark or
    Windows-1258, with commas, semicolons or tabs.  Titles above the header are skipped.

    Raises Invalid (code `sheet.…`) naming the place for all that would make the table come in other than people
    see it: old encodings, formulas without a value, merged cells, the same heading twice.

    **Source:** RFC 4180 (CSV), ECMA-376 (.xlsx).
    """
    if len(data) > UPLOAD_MAX:
        raise Invalid(
            "sheet.too_large",
            N_("“%(filename)s” is larger than %(limit)s MB."),
            filename=filename,
            limit=UPLOAD_MAX // 1024**2,
        )
    legacy: Encoding | None = None
    seen = Survey()
    if data.startswith(OLE_START):
        raise Invalid(
            "sheet.old_excel",
            N_("“%(filename)s” is in an old format or has a password. Please save it as .xlsx without a password."),
            filename=filename,
        )
    if data.startswith(ZIP_START):
        rows, seen = rows_of_workbook(data)
    else:
        rows, legacy = rows_of_text(data)
    if not rows:
        raise Invalid("sheet.empty", N_("There is nothing in “%(filename)s”."), filename=filename)
    rows = rows[_header_at(rows) :]
    _check_in_the_way(seen, rows[0][0])
    _check_encoding(rows, legacy)
    return _table(rows)


def _header_at(rows: Sequence[RawRow]) -> int:
    """Return the index of the header: the first row three quarters as full as the fullest of the first 20.

    Above it stand the office's name, a motto, a title: one or two cells each.
    """
    filled = [sum(map(bool, cells)) for _, cells in rows[:HEADER_WITHIN]]
    return next(n for n, count in enumerate(filled) if count * 4 >= max(filled) * 3)


def _check_in_the_way(seen: Survey, header_row: int) -> None:
    """Raise Invalid for a merged range or a formula without a value in the header or below."""
    for merge in seen.merges:
        if merge.last_row >= header_row and merge.first_row <= seen.last_row:
            raise Invalid(
                "sheet.merged",
                N_("The cells %(range)s are merged. Please split them and fill in each one."),
                range=merge.ref,
            )
    for row, column in seen.uncomputed:
        if row >= header_row:
            raise Invalid(
                "sheet.formula",
                N_(
                    "Row %(row)s, column %(column)s has a formula without a result. "
                    "Please open the file in a spreadsheet program and save it again."
                ),
                row=row,
                column=column_letters(column),
            )


def _check_encoding(rows: Sequence[RawRow], legacy: Encoding | None) -> None:
    """Raise Invalid at the first cell in an old encoding.  legacy: what the whole file is known to be in."""
    for number, cells in rows:
        for column, cell in enumerate(cells, 1):
            if encoding := legacy_encoding(cell):
                raise _legacy(number, column, encoding)
    whole = legacy or encoding_of_all(cell for _, cells in rows for cell in cells)
    if whole is None:
        return
    for number, cells in rows:
        for column, cell in enumerate(cells, 1):
            if any(map(speaks_for, words(cell))):
                raise _legacy(number, column, whole)


def _legacy(row: int, column: int, encoding: Encoding) -> Invalid:
    return Invalid(
        "sheet.legacy_encoding",
        N_(
            "Row %(row)s, column %(column)s is in the old encoding %(encoding)s. "
            "Please convert the file to Unicode and upload it again."
        ),
        row=row,
        column=column_letters(column),
        encoding=encoding,
    )


def _table(rows: Sequence[RawRow]) -> Table:
    header = tuple(" ".join(cell.split()) for cell in rows[0][1])
    places: dict[str, int] = {}
    for column, heading in enumerate(header, 1):
        first = places.setdefault(heading.casefold(), column)
        if heading and first != column:
            raise Invalid(
                "sheet.same_heading",
                N_("The columns %(first)s and %(second)s have the same heading “%(heading)s”."),
                first=column_letters(first),
                second=column_letters(column),
                heading=heading,
            )
    if len(rows) - 1 > ROWS_MAX:
        raise too_many_rows()
    width = len(header)
    for number, cells in rows[1:]:
        if len(cells) > width:
            raise Invalid(
                "sheet.no_heading",
                N_("Row %(row)s has something in column %(column)s, which has no heading."),
                row=number,
                column=column_letters(len(cells)),
            )
    return Table(header, tuple(Row(number, cells + ("",) * (width - len(cells))) for number, cells in rows[1:]))
