"""Cells of the spreadsheets that are given out: none of them runs as a formula. Pure."""

# A cell that begins so is run as a formula by spreadsheets; the wide forms are turned into these by some.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
UNSEEN = dict.fromkeys([0, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])  # NUL and bidirectional overrides


def safe_cell(text: str) -> str:
    """Return text that no spreadsheet takes for a formula and that shows what it holds."""
    text = text.translate(UNSEEN)
    return "'" + text if text.startswith(FORMULA_STARTS) else text
