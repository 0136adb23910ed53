"""Where things stand on the board: days as lanes, minutes from left to right. Pure.

A lane shows the hours from OPENS to CLOSES. Templates may not carry a style, so a place is a handful
of classes (`fh1 fm30`: an hour and a half after OPENS), which `static/css/board.css` turns into lengths.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zlib import crc32

OPENS, CLOSES = 7 * 60, 21 * 60 + 30  # minutes after midnight, as the times that are offered
SPAN = CLOSES - OPENS
EDGE = 20  # minutes as wide as which a lane shows what lies wholly outside its hours
GRID = 5  # minutes: finer than that nobody sees, and classes are few
HUES = 8  # colours of courses in tokens.css
TIGHT = 240  # minutes of room; in a week's lane words are cut to pieces below that, and left out
MOST_TRACKS = 3  # beside each other in a lane; more lie on each other


@dataclass(frozen=True)
class Piece:
    """What one lane shows of an interval: minutes after OPENS.

    before, after: whether it goes on to the left or right of what the lane shows.
    """

    day: date
    start: int
    length: int
    before: bool = False
    after: bool = False


@dataclass(frozen=True)
class Placed:
    """A piece with its place among the others of its lane; `what` is the lecture it stands for.

    room: minutes from its start until something else begins on its track; its words may use them.
    before: the words of an evening have no room after their start; these end where the piece begins.
    """

    what: object
    piece: Piece
    room: int
    track: int
    tracks: int
    before: bool = False

    @property
    def css(self) -> str:
        """Return the classes that put it there."""
        said = f"{place(self.piece.start, self.piece.length)} rh{self.room // 60} rm{self.room % 60}"
        if self.tracks > 1:
            said += f" t{self.track} of{self.tracks}"
        if self.room < TIGHT:
            said += " is-tight"
        if self.before:
            said += " words-before"
        if self.piece.before:
            said += " goes-before"
        return said + (" goes-after" if self.piece.after else "")


def place(start: int, length: int) -> str:
    """Return the classes for a start and a length in minutes on the grid."""
    return f"fh{start // 60} fm{start % 60} lh{length // 60} lm{length % 60}"


def pieces(start: datetime, end: datetime, days: Iterable[date]) -> list[Piece]:
    """Return what the lanes of `days` show of an interval: one piece for each day that it touches.

    start, end: on the wall clock. What lies wholly before or after a lane's hours stands at its edge.
    """
    return [
        _piece(day, start, end)
        for day in days
        if start < datetime.combine(day, time.min) + timedelta(days=1) and end > datetime.combine(day, time.min)
    ]


def _piece(day: date, start: datetime, end: datetime) -> Piece:
    opening = datetime.combine(day, time.min) + timedelta(minutes=OPENS)
    first = round((start.replace(tzinfo=None) - opening).total_seconds() / 60 / GRID) * GRID
    last = round((end.replace(tzinfo=None) - opening).total_seconds() / 60 / GRID) * GRID
    if last <= 0:
        return Piece(day, 0, EDGE, before=True)
    if first >= SPAN:
        return Piece(day, SPAN - EDGE, EDGE, after=True)
    shown, until = max(first, 0), min(last, SPAN)
    return Piece(day, min(shown, SPAN - GRID), max(until - shown, GRID), first < 0, last > SPAN)


def lane(items: Iterable[tuple[object, Piece]]) -> list[Placed]:
    """Return the pieces of one lane, each with a track on which it overlaps nothing, and its room."""
    ordered = sorted(items, key=lambda item: (item[1].start, -item[1].length))
    ends: list[int] = []  # of the last piece on each track
    tracks: list[int] = []
    for _, piece in ordered:
        free = next((n for n, end in enumerate(ends) if end <= piece.start), None)
        if free is None and len(ends) < MOST_TRACKS:
            ends.append(0)
            free = len(ends) - 1
        track = free if free is not None else MOST_TRACKS - 1
        ends[track] = max(ends[track], piece.start + piece.length)
        tracks.append(track)
    placed: list[Placed] = []
    last: dict[int, int] = {}  # place in `placed` of the last piece on each track
    for n, (what, piece) in enumerate(ordered):
        following = (p.start for (_, p), t in zip(ordered[n + 1 :], tracks[n + 1 :], strict=True) if t == tracks[n])
        room = max(next(following, SPAN) - piece.start, piece.length)
        placed.append(Placed(what, piece, room, tracks[n], len(ends)))
        if room < TIGHT:
            _turn_words(placed, last.get(tracks[n]))
        last[tracks[n]] = n
    return placed


def _turn_words(placed: list[Placed], before: int | None) -> None:
    """Let the words of the last piece stand before it, where the one before on its track leaves them room."""
    own, other = placed[-1], placed[before] if before is not None else None
    free_from = 0
    if other is not None:
        free_from = other.piece.start + max(other.piece.length, 0 if other.before else TIGHT)
    room = own.piece.start - free_from
    if room < TIGHT:
        return
    placed[-1] = replace(own, room=room, before=True)
    if other is not None and before is not None and not other.before:
        placed[before] = replace(other, room=free_from - other.piece.start)


@dataclass(frozen=True)
class Hatch:
    """Time that is held and is no lecture: a block, an event of another body, or the margins of a lecture.

    reason: empty for margins; busy: whether it is in the calendar of another body.
    """

    piece: Piece
    reason: str = ""
    busy: bool = False

    @property
    def css(self) -> str:
        """Return the classes that put it there and say what it is."""
        what = " hatch-busy" if self.busy else " hatch-block" if self.reason else ""
        return f"{place(self.piece.start, self.piece.length)}{what}"


@dataclass(frozen=True)
class Cell:
    """One resource on one day."""

    day: date
    resource: str
    placed: Sequence[Placed]
    hatches: Sequence[Hatch]


@dataclass(frozen=True)
class Row:
    """A line of the board: a resource, or a day of the only resource; `key` is the resource's id or empty."""

    key: str
    name: str
    note: str
    cells: Sequence[Cell]


Spot = tuple[str, date]  # a resource on a day


def rows_of(
    resources: Sequence[tuple[str, str, str]],
    days: Sequence[date],
    items: Mapping[Spot, Sequence[tuple[object, Piece]]],
    hatches: Mapping[Spot, Sequence[Hatch]],
) -> list[Row]:
    """Return a row for each resource, with a cell for each day.

    resources: (id, name, note); items: what stands where; hatches: what is held where.
    """

    def cell(resource: str, day: date) -> Cell:
        return Cell(day, resource, lane(items.get((resource, day), ())), hatches.get((resource, day), ()))

    return [Row(i, name, note, [cell(i, day) for day in days]) for i, name, note in resources]


def days_as_rows(row: Row, words: Mapping[date, str]) -> list[Row]:
    """Return a row for each day of the only resource.  words: what each day is called."""
    return [Row("", words[cell.day], "", [cell]) for cell in row.cells]


def hues_of(course_ids: Iterable[str]) -> dict[str, int]:
    """Return a colour from 1 to HUES for each course, here no two alike if it can be, elsewhere mostly the same."""
    hues: dict[str, int] = {}
    used: set[int] = set()
    for course_id in sorted(set(course_ids)):
        hue = crc32(course_id.encode()) % HUES
        if len(used) < HUES:
            while hue in used:
                hue = (hue + 1) % HUES
        used.add(hue)
        hues[course_id] = hue + 1
    return hues
