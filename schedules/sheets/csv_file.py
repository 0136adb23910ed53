"""Tables of text: which encoding, which sign between cells, then the rows. Pure.

**Source:** RFC 4180; the line `sep=;` is a convention of spreadsheet programs.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from core.errors import N_, Invalid
from schedules.sheets.legacy import Encoding, encoding_of_bytes
from schedules.sheets.limits import (
    CELL_MAX,
    COLUMNS_MAX,
    HEADER_WITHIN,
    LAST_ROW,
    ROWS_MAX,
    RawRow,
    clean,
    not_a_table,
    too_many_columns,
    too_many_rows,
)

DELIMITERS = (",", ";", "\t")
OTHER_KINDS = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"{\\rtf", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"<")
LOOKED_AT = 4096  # bytes
NULS_PART = 10  # one byte in ten; a damaged export has a few NULs, UTF-16 without its mark has every other
_SEP = re.compile(r"sep=([,;\t])\r?\n", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")


def rows_of_text(data: bytes) -> tuple[list[RawRow], Encoding | None]:
    """Return the rows that are not blank, numbered as a spreadsheet numbers them, and the old encoding if any.

    Raises Invalid for what is no text or no table.
    """
    text, legacy = decode(data)
    if sep := _SEP.match(text):
        text, delimiter = text[sep.end() :], sep[1]
    else:
        delimiter = sniff(text)
    rows: list[RawRow] = []
    for number, record in _records(text, delimiter):
        if len(record) > COLUMNS_MAX and any(record[COLUMNS_MAX:]):
            raise too_many_columns()
        cells = tuple(clean(cell) for cell in record[:COLUMNS_MAX])
        while cells and not cells[-1]:
            cells = cells[:-1]
        if not cells:
            continue
        if len(rows) >= ROWS_MAX + HEADER_WITHIN:
            raise too_many_rows()
        rows.append((number, cells))
    return rows, legacy


def decode(data: bytes) -> tuple[str, Encoding | None]:
    """Return the text of UTF-8, UTF-16 with a byte order mark, or Windows-1258; and the old encoding if it has one.

    Text in an old encoding comes as Latin-1, in which its words can be recognised.
    """
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16").replace("\0", ""), None
        start = data[:LOOKED_AT].removeprefix(codecs.BOM_UTF8)
        if start.lstrip().startswith(OTHER_KINDS) or start.count(0) * NULS_PART > len(start):
            raise not_a_table()
        return data.decode("utf-8-sig").replace("\0", ""), None
    except UnicodeDecodeError:
        pass
    legacy = encoding_of_bytes(data)
    if legacy:
        return data.decode("latin-1").replace("\0", ""), legacy
    try:
        return data.decode("cp1258").replace("\0", ""), None
    except UnicodeDecodeError as error:
        raise Invalid(
            "sheet.encoding", N_("The encoding of this text is not known. Please save it as CSV in UTF-8.")
        ) from error


def sniff(text: str) -> str:
    """Return the sign between cells: the one that cuts most of the first rows into equally many, at least two.

    A comma within cells, as in “1,5”, cuts rows unequally.
    """
    best, most = DELIMITERS[0], (0, 0)
    for delimiter in DELIMITERS:
        try:
            first = list(islice(_records(text, delimiter), HEADER_WITHIN))
        except Invalid:
            continue
        widths = Counter(len(record) for _, record in first if len(record) > 1)
        score = max(((times, width) for width, times in widths.items()), default=(0, 0))
        if score > most:
            best, most = delimiter, score
    return best


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    lines = io.StringIO(_LINE_END.sub("\n", text), newline="")
    number = 0
    try:
        for number, record in enumerate(csv.reader(lines, delimiter=delimiter, strict=True), 1):
            if number > LAST_ROW:
                raise too_many_rows()
            if any(len(cell) > CELL_MAX for cell in record):
                raise csv.Error("cell too long")
            yield number, record
    except csv.Error as error:
        raise Invalid(
            "sheet.csv_broken",
            N_("Row %(row)s cannot be read: check its quotation marks."),
            row=number + 1,
        ) from error
