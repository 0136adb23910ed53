"""Sheets of the registry to be filled in: the headings that the import knows, and two rows as examples. Pure."""

from collections.abc import Callable, Mapping, Sequence

from core.errors import N_
from schedules.registry.columns import COLUMNS, Column
from schedules.registry.records import Kind
from schedules.sheets.writer import SheetColumn, csv_of, workbook_of

Say = Callable[..., str]  # translates an English sentence
TITLES: dict[Kind, str] = {
    "organisations": N_("Organisations"),
    "points": N_("Bridge points"),
    "equipment": N_("Equipment"),
    "people": N_("Persons"),
}


def template_csv(kind: Kind, say: Say) -> bytes:
    """Return the headings of a kind of things with two rows as examples."""
    return csv_of([[say(column.title) for column in _columns(kind)], *_rows(kind, say)])


def template_xlsx(kind: Kind, choices: Mapping[str, Sequence[str]], say: Say) -> bytes:
    """Return the same as a workbook whose cells offer what there is.

    choices: names of organisations and points that the registry has, by the column that they go into.
    """
    columns = [
        SheetColumn(
            say(column.title),
            column.width,
            choices.get(column.name) or [say(word) for word in column.choices] or None,
            column.whole,
        )
        for column in _columns(kind)
    ]
    return workbook_of(say(TITLES[kind]), columns, say(N_("Lists")), _rows(kind, say))


def _columns(kind: Kind) -> list[Column]:
    return [column for column in COLUMNS[kind] if column.width]


def _rows(kind: Kind, say: Say) -> list[list[str]]:
    return [
        [say(words) if (words := column.examples[n]) else "" for column in _columns(kind)]  # "" is the header of a .mo
        for n in range(2)
    ]
