"""Everything a register says that comes from the journal: presence, declared people, polls. Pure.

The register is folded from the very rows whose last hash is printed at its foot, so a signature
under it binds the figures to the journal.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from attendance.presence import Sheet, fold
from core.journal import GENESIS, Entry
from rooms.events import (
    LectureOpened,
    PeopleCounted,
    PollClosed,
    PollOpened,
    PollTallied,
    RoomEvent,
    parse,
)


@dataclass(frozen=True)
class Declared:
    """A point's head-count, as its operator last declared it."""

    people: int
    by: str
    at_ms: int


@dataclass(frozen=True)
class PollRecord:
    """A poll and its last count in the journal."""

    poll_id: str
    opened_ms: int
    counts: tuple[int, ...]
    phones: int = 0
    closed_ms: int | None = None  # None: still open, the counts are not final


@dataclass(frozen=True)
class Evidence:
    """What the journal says, up to the row with this seq and hash."""

    seq: int = 0
    head_hash: str = GENESIS
    sheet: Sheet = field(default_factory=Sheet)
    lecturer: str | None = None
    main_point: str | None = None
    points: tuple[str, ...] = ()
    people: dict[str, Declared] = field(default_factory=dict)
    polls: tuple[PollRecord, ...] = ()


def from_journal(entries: Iterable[Entry], head_hash: str) -> Evidence:
    """Fold a lecture's journal.

    entries: from its first on, in order; head_hash: of the last of them, 64 hex digits.
    """
    evidence = Evidence(head_hash=head_hash)
    for entry in entries:
        event = parse(entry.type, entry.body)
        sheet = fold(evidence.sheet, entry.seq, entry.at_ms, event)
        evidence = _fold(replace(evidence, seq=entry.seq, sheet=sheet), entry.at_ms, event)
    return evidence


def _fold(evidence: Evidence, at_ms: int, event: RoomEvent) -> Evidence:
    match event:
        case LectureOpened():
            return replace(evidence, lecturer=event.lecturer, main_point=event.main_point, points=tuple(event.points))
        case PeopleCounted():
            declared = Declared(event.people, event.by, at_ms)
            return replace(evidence, people={**evidence.people, event.point: declared})
        case PollOpened():
            opened = PollRecord(event.poll, at_ms, (0,) * event.options)
            return replace(evidence, polls=(*evidence.polls, opened))
        case PollTallied():
            return _with_counts(evidence, event, None)
        case PollClosed():
            return _with_counts(evidence, event, at_ms)
        case _:
            return evidence


def _with_counts(evidence: Evidence, event: PollTallied | PollClosed, closed_ms: int | None) -> Evidence:
    return replace(
        evidence,
        polls=tuple(
            replace(poll, counts=tuple(event.counts), phones=event.phones, closed_ms=closed_ms)
            if poll.poll_id == event.poll
            else poll
            for poll in evidence.polls
        ),
    )
