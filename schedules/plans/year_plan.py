"""A line of the plan of a year held against the lectures that fulfil it: done, on its way, or late. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from core.errors import N_, Invalid
from schedules.plans.records import YearDraft

Standing = Literal["done", "on_track", "short", "late_start", "late"]
TITLE_MAX = 200  # characters
NOTE_MAX = 2000  # characters
LECTURES_MAX = 1000
PEOPLE_MAX = 1_000_000
YEARS = (2000, 2100)


@dataclass(frozen=True)
class LectureDay:
    """A lecture that counts.  on: its local day; held: whether it has taken place, or is on now."""

    on: date
    held: bool


@dataclass(frozen=True)
class Progress:
    """How far a line is.  held, planned: lectures; missing: those that nobody has planned by the due day."""

    held: int
    planned: int
    missing: int
    standing: Standing


def progress(lectures: int, opens_on: date, due_on: date, days: Iterable[LectureDay], today: date) -> Progress:
    """Return how far a line is on a day.

    lectures: how many there shall be; days: every lecture that counts, the cancelled ones left out.
    late: the due day has passed without all of them; late_start: the opening day has passed without the first;
    short: too few are planned up to the due day, or none up to the opening day.
    """
    all_days = list(days)
    held = sum(day.held for day in all_days)
    coming = [day for day in all_days if not day.held and day.on >= today]
    missing = max(0, lectures - held - sum(day.on <= due_on for day in coming))
    standing: Standing = "on_track"
    if held >= lectures:
        standing = "done"
    elif today > due_on:
        standing = "late"
    elif held == 0 and today > opens_on:
        standing = "late_start"
    elif missing or (held == 0 and not any(day.on <= opens_on for day in coming)):
        standing = "short"
    return Progress(held, len(coming), missing, standing)


def checked(draft: YearDraft) -> YearDraft:
    """Return a draft that makes sense.  Raises Invalid with a sentence of its own for each way it does not."""
    if not draft.title.strip():
        raise Invalid("year.no_title", N_("Please say what is planned."))
    if len(draft.title) > TITLE_MAX:
        raise Invalid("year.long_title", N_("The title has more than %(most)s characters."), most=TITLE_MAX)
    if len(draft.note) > NOTE_MAX:
        raise Invalid("year.long_note", N_("The note has more than %(most)s characters."), most=NOTE_MAX)
    if not YEARS[0] <= draft.year <= YEARS[1]:
        raise Invalid("year.no_year", N_("Please give a year between %(first)s and %(last)s."), first=2000, last=2100)
    if draft.opens_on > draft.due_on:
        raise Invalid("year.order", N_("The first lecture cannot be due after the last one."))
    if not draft.opens_on.year == draft.due_on.year == draft.year:
        raise Invalid("year.other_year", N_("Both days must lie in the year %(year)s."), year=draft.year)
    if not 1 <= draft.lectures <= LECTURES_MAX:
        raise Invalid("year.lectures", N_("Please give a number of lectures from 1 to %(most)s."), most=LECTURES_MAX)
    if not 0 <= draft.people <= PEOPLE_MAX:
        raise Invalid("year.people", N_("Please give a number of people from 0 to %(most)s."), most=PEOPLE_MAX)
    return draft
