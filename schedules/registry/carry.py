"""A table on its way through a page: packed into a form's field, so that a preview need not be stored. Pure."""

import base64
import binascii
import json
import zlib

from core.errors import N_, Invalid
from core.plain import plain
from schedules.sheets.limits import UPLOAD_MAX
from schedules.sheets.table import Row, Table

PACKED_MAX = 4 * 1024 * 1024  # characters in the form's field
UNPACKED_MAX = 4 * UPLOAD_MAX  # bytes; what is larger was not packed by us


def pack(table: Table) -> str:
    """Return a table as text for a form's field."""
    plain = json.dumps([table.header, [[row.number, row.cells] for row in table.rows]], ensure_ascii=False)
    return base64.b64encode(zlib.compress(plain.encode())).decode()


def unpack(text: str) -> Table:
    """Return the table that `pack` made text of.  Raises Invalid for anything else: browsers may send anything."""
    try:
        inflate = zlib.decompressobj()
        plain = inflate.decompress(base64.b64decode(text.encode("ascii"), validate=True), UNPACKED_MAX)
        header, rows = json.loads(plain)
        table = Table(tuple(map(_text, header)), tuple(_row(number, cells, len(header)) for number, cells in rows))
    except (ValueError, TypeError, zlib.error, binascii.Error, RecursionError) as error:
        raise Invalid("import.lost", N_("The table was lost on its way. Please choose the file again.")) from error
    return table


def _row(number: object, cells: list[object], width: int) -> Row:
    if type(number) is not int or len(cells) != width:
        raise ValueError("no row of ours")
    return Row(number, tuple(map(_text, cells)))


def _text(cell: object) -> str:
    if not isinstance(cell, str):
        raise TypeError("no text")
    return plain(cell)
