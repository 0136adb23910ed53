"""What a worksheet's XML tells that the reader of values does not: its true size, formulas, merged cells. Pure.

**Source:** ECMA-376 part 1, sections 18.3.1.4 (c), 18.3.1.40 (f), 18.3.1.55 (mergeCell), 18.3.1.73 (row).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, NoReturn
from xml.parsers import expat

from schedules.sheets.limits import (
    COLUMNS_MAX,
    HEADER_WITHIN,
    LAST_ROW,
    ROWS_MAX,
    too_many_columns,
    too_many_rows,
    unreadable,
)

LAST_COLUMN = 16_384  # of the file format
MERGES_MAX = 10_000
CHUNK = 256 * 1024
_CELL = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")


@dataclass(frozen=True)
class Merge:
    """A range of merged cells: `ref` as written, the rows it lies in, 1-based and both within."""

    ref: str
    first_row: int
    last_row: int


@dataclass
class Survey:
    """Filled cells only: the last row and column that have one, how many rows do; what is in the way."""

    last_row: int = 0
    last_column: int = 0
    rows: int = 0
    uncomputed: list[tuple[int, int]] = field(default_factory=list)  # (row, column) of formulas without a value
    merges: list[Merge] = field(default_factory=list)


def survey(source: IO[bytes]) -> Survey:
    """Read a worksheet's XML once.  Raises Invalid when it is damaged or too large."""
    reader = _Reader()
    try:
        for chunk in _chunks(source):
            reader.parser.Parse(chunk, False)
        reader.parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise unreadable() from error
    return reader.survey


def column_number(letters: str) -> int:
    """Return 1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _chunks(source: IO[bytes]) -> Iterator[bytes]:
    while chunk := source.read(CHUNK):
        yield chunk


class _Reader:
    """Handlers of expat; names come as “namespace name”, since some programs write a prefix."""

    def __init__(self) -> None:
        self.survey = Survey()
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._doctype
        self._row = self._column = 0
        self._kind = ""
        self._formula = self._filled = self._row_filled = False

    def _doctype(self, *_: object) -> NoReturn:
        raise unreadable()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rsplit(" ", 1)[-1]
        if local == "c":
            self._start_cell(attributes)
        elif local in ("v", "t"):
            self.parser.CharacterDataHandler = self._text
        elif local == "f":
            self._formula = True
        elif local == "row":
            self._start_row(attributes)
        elif local == "mergeCell":
            self._merge(attributes.get("ref", ""))

    def _start_row(self, attributes: dict[str, str]) -> None:
        before = self._row
        self._row = int(attributes["r"]) if "r" in attributes else before + 1
        if not before < self._row <= LAST_ROW:  # out of order, the reader of values would leave it out
            raise unreadable()
        self._column, self._row_filled = 0, False

    def _start_cell(self, attributes: dict[str, str]) -> None:
        place = _CELL.fullmatch(attributes["r"]) if "r" in attributes else None
        if place is None and "r" in attributes:
            raise unreadable()
        self._column = column_number(place[1]) if place else self._column + 1
        if self._column > LAST_COLUMN or (place and int(place[2]) != self._row):
            raise unreadable()
        self._kind = attributes.get("t", "n")
        self._formula = self._filled = False

    def _text(self, text: str) -> None:
        if text.strip():
            self._filled = True

    def _end(self, name: str) -> None:
        local = name.rsplit(" ", 1)[-1]
        if local in ("v", "t"):
            self.parser.CharacterDataHandler = None
        elif local == "c":
            self._end_cell()

    def _end_cell(self) -> None:
        missing = self._formula and not self._filled and self._kind != "str"  # "str" may well be empty
        if missing and len(self.survey.uncomputed) <= COLUMNS_MAX:
            self.survey.uncomputed.append((self._row, self._column))
        if not (self._filled or missing):
            return
        if self._column > COLUMNS_MAX:
            raise too_many_columns()
        self.survey.last_row = self._row
        self.survey.last_column = max(self.survey.last_column, self._column)
        if not self._row_filled:
            self._row_filled = True
            self.survey.rows += 1
            if self.survey.rows > ROWS_MAX + HEADER_WITHIN:
                raise too_many_rows()

    def _merge(self, ref: str) -> None:
        first, _, last = ref.partition(":")
        start, end = _CELL.fullmatch(first), _CELL.fullmatch(last or first)
        if not start or not end or len(self.survey.merges) >= MERGES_MAX:
            raise unreadable()
        self.survey.merges.append(Merge(ref, int(start[2]), int(end[2])))
