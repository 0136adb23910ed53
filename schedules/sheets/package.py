"""The zip around an .xlsx, looked through before anything in it is parsed. Pure.

A small upload may unfold to more than any memory, so the directory is summed up first; directories lie, so
each part is then unfolded once, counted and thrown away. No part of a spreadsheet has a DOCTYPE, and what
entities can do begins with one.

**Source:** ECMA-376 part 2, section 7.3.4 (stored or deflated, never encrypted) and section 8.1.4 (no DTD).
"""

import zlib
from typing import NoReturn
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from core.errors import N_, Invalid
from schedules.sheets.limits import not_a_table, unreadable

WORKBOOK = "xl/workbook.xml"
ZIP_START = b"PK\x03\x04"
UNFOLDED_MAX = 100 * 1024 * 1024  # bytes, of all parts together
OTHER_PART_MAX = 8 * 1024 * 1024  # bytes, of a part that is neither a sheet nor its words: it becomes many objects
RATIO_MAX = 200  # unfolded to folded; tables of one repeated word reach 100, deflate at its worst 1032
RATIO_FROM = 1024 * 1024  # bytes unfolded; below this the ratio harms nobody
PARTS_MAX = 1000
CHUNK = 256 * 1024
BIG_PARTS = ("xl/worksheets/", "xl/sharedStrings.xml", "xl/media/")


def check_package(archive: ZipFile) -> None:
    """Raise Invalid unless an archive is a spreadsheet that can be parsed without harm."""
    parts = archive.infolist()
    names = {part.filename for part in parts}
    if WORKBOOK not in names:
        raise not_a_table()
    if len(names) < len(parts) or len(parts) > PARTS_MAX:
        raise unreadable()
    if any(part.flag_bits & 1 or part.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for part in parts):
        raise unreadable()
    if sum(part.file_size for part in parts) > UNFOLDED_MAX or any(map(_unfolds_too_far, parts)):
        raise bomb()
    left = UNFOLDED_MAX
    for part in parts:
        left -= _read(archive, part, left)


def bomb() -> Invalid:
    """Return the error for an archive that unfolds to more than a table ever needs."""
    return Invalid("sheet.bomb", N_("The file unfolds to more than a table ever needs, so it was not opened."))


def _unfolds_too_far(part: ZipInfo) -> bool:
    if part.file_size > OTHER_PART_MAX and not part.filename.startswith(BIG_PARTS):
        return True
    return part.file_size > RATIO_FROM and part.file_size > part.compress_size * RATIO_MAX


def _read(archive: ZipFile, part: ZipInfo, left: int) -> int:
    """Unfold a part, look at the start of its XML, return its true size in bytes."""
    size, prolog = 0, _Prolog()
    is_xml = not part.filename.startswith("xl/media/")
    try:
        with archive.open(part) as source:
            while chunk := source.read(CHUNK):
                size += len(chunk)
                if size > left:
                    raise bomb()
                if is_xml:
                    prolog.feed(chunk)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise unreadable() from error
    return size


class _PrologOver(Exception):
    """The first element began, after which no DOCTYPE can come."""


class _Prolog:
    """Reads XML up to its first element, in whatever encoding it is."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._over
        self._done = False

    def feed(self, chunk: bytes) -> None:
        """Read on.  Raises Invalid at a DOCTYPE; what is not XML at all is left to whoever needs it."""
        if self._done:
            return
        try:
            self._parser.Parse(chunk, False)
        except (_PrologOver, expat.ExpatError, LookupError, ValueError):
            self._done = True

    def _doctype(self, *_: object) -> NoReturn:
        raise Invalid("sheet.entities", N_("The file declares entities, as no spreadsheet does, so it was not opened."))

    def _over(self, *_: object) -> NoReturn:
        raise _PrologOver
