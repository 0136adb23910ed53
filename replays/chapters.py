"""Where a viewer may want to go: the turns of a class, from its journal. Pure.

A chapter carries ids only; its title is made when it is painted, in the viewer's language and with
the names that ids have then.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rooms.events import FloorGranted, FloorReleased, LectureEnded, LectureStarted, PollClosed, PollOpened, RoomEvent

ChapterKind = Literal["start", "floor", "lecturer", "poll", "result", "end"]
SHORTEST_MS = 5_000  # a chapter of its own needs this long: a floor passed on at once is one turn


@dataclass(frozen=True)
class Moment:
    """An event and its time: a journal entry as chapters need it."""

    at_ms: int
    event: RoomEvent


@dataclass(frozen=True)
class Chapter:
    """A turn of the class."""

    kind: ChapterKind
    at_ms: int  # wall clock since 1970
    subject: str | None = None  # id of the participant or of the poll


def chapters(moments: Iterable[Moment]) -> list[Chapter]:
    """Return the chapters of a class in order.

    moments: the journal's entries in order.  "lecturer" is where the floor went back to the
    lecturer; it is left out when somebody else got it, or the class ended, right afterwards.
    """
    found = [chapter for moment in moments if (chapter := _chapter(moment)) is not None]
    kept = []
    for index, chapter in enumerate(found):
        lasts_ms = found[index + 1].at_ms - chapter.at_ms if index + 1 < len(found) else SHORTEST_MS
        if chapter.kind != "lecturer" or lasts_ms >= SHORTEST_MS:
            kept.append(chapter)
    return kept


def _chapter(moment: Moment) -> Chapter | None:
    match moment.event:
        case LectureStarted():
            return Chapter("start", moment.at_ms)
        case FloorGranted(participant=participant):
            return Chapter("floor", moment.at_ms, participant)
        case FloorReleased(reason="released" | "revoked" | "left"):
            return Chapter("lecturer", moment.at_ms)
        case PollOpened(poll=poll):
            return Chapter("poll", moment.at_ms, poll)
        case PollClosed(poll=poll, by=by) if by is not None:
            return Chapter("result", moment.at_ms, poll)
        case LectureEnded():
            return Chapter("end", moment.at_ms)
    return None
