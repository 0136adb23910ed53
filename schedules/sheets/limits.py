"""How large an uploaded table may be, and what a cell's text is cleaned of. Pure."""

import re
import unicodedata

from core.cells import UNSEEN
from core.errors import N_, Invalid, TooLarge

UPLOAD_MAX = 10 * 1024 * 1024  # bytes
ROWS_MAX = 20_000  # below the header
COLUMNS_MAX = 60
LAST_ROW = 1_048_576  # that spreadsheets have; blank rows count towards this only
CELL_MAX = 32_767  # characters; what a cell holds in the programs that write .xlsx
HEADER_WITHIN = 20  # rows from the top that may be titles above the header

_BLANK = re.compile(r"[^\S\n]+")  # white space, line ends excepted
_ZERO_WIDTH = dict.fromkeys([0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF])
RawRow = tuple[int, tuple[str, ...]]  # the number that the spreadsheet shows, the cells from column A on


def too_large() -> TooLarge:
    """Return the error for a file over UPLOAD_MAX, of which nothing was read."""
    return TooLarge("upload.too_large", N_("The file is larger than %(limit)s MB."), limit=UPLOAD_MAX // 1024**2)


def clean(text: str) -> str:
    """Return a cell's text composed (NFC), without control characters, spaces single and none at the ends.

    Line ends within stay, as line feeds.  A leading = + - or @ stays too: it is data.
    """
    if text.isascii() and text.isalnum():
        return text  # most cells of most tables
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(UNSEEN).translate(_ZERO_WIDTH)
    kept = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    return unicodedata.normalize("NFC", _BLANK.sub(" ", kept)).strip()


def column_letters(number: int) -> str:
    """Return what a spreadsheet writes above a column: 1 is A, 27 is AA."""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def unreadable() -> Invalid:
    """Return the error for a file that is damaged or is not what it looks like."""
    return Invalid("sheet.unreadable", N_("The table cannot be read: the file is damaged. Please save it again."))


def not_a_table() -> Invalid:
    """Return the error for a file of quite another kind."""
    return Invalid("sheet.not_a_table", N_("This file is not a table. Please save it as .xlsx or .csv."))


def too_many_rows() -> Invalid:
    """Return the error for a table that is too long."""
    return Invalid("sheet.too_many_rows", N_("The table has more than %(limit)s rows."), limit=ROWS_MAX)


def too_many_columns() -> Invalid:
    """Return the error for a table that is too wide."""
    return Invalid("sheet.too_many_columns", N_("The table has more than %(limit)s columns."), limit=COLUMNS_MAX)
