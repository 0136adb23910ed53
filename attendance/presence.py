"""Who was here, and who spoke, when: a pure fold of a lecture's journal.

A reconnect within the room's grace period writes nothing in the journal, so most lost connections
never come here. A longer one ends a stay and begins another: minutes are the union of the stays,
so time away is never counted, and `visits` says how often somebody really went away and came back.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rooms.events import (
    FloorGranted,
    FloorReleased,
    LectureEnded,
    LectureOpened,
    LectureStarted,
    ParticipantJoined,
    ParticipantLeft,
    RoomEvent,
)

StayKind = Literal["here", "floor"]
Span = tuple[int, int]  # start, end in milliseconds since 1970 UTC, start <= end

SAME_VISIT_MS = 60_000  # a gap up to this long is one visit interrupted, not two visits

RELEVANT = (
    LectureOpened,
    LectureStarted,
    LectureEnded,
    ParticipantJoined,
    ParticipantLeft,
    FloorGranted,
    FloorReleased,
)


@dataclass(frozen=True)
class Stay:
    """One uninterrupted time in which a participant was here, or had the floor."""

    participant: str
    role: str  # the room role when it began; "" for the floor
    kind: StayKind
    seq: int  # of the journal entry that began it
    start_ms: int
    end_ms: int | None = None  # None: not over yet


@dataclass(frozen=True)
class Sheet:
    """What a journal says about presence, up to its entry `seq`."""

    seq: int = 0
    opened_ms: int | None = None
    started_ms: int | None = None
    ended_ms: int | None = None
    over: tuple[Stay, ...] = ()  # stays that have ended, in the order in which they did
    going_on: tuple[Stay, ...] = ()  # stays that have not

    @property
    def stays(self) -> list[Stay]:
        """Return all stays in the order in which they began."""
        return sorted((*self.over, *self.going_on), key=lambda stay: (stay.seq, stay.kind))


def fold(sheet: Sheet, seq: int, at_ms: int, event: RoomEvent) -> Sheet:
    """Return the sheet after one more journal entry.

    seq: the entry's number, greater than the sheet's; at_ms: its time, milliseconds since 1970 UTC.
    An event that makes no sense here (a second join, a leave without a join) changes nothing but seq.
    """
    sheet = replace(sheet, seq=seq)
    match event:
        case LectureOpened():
            return replace(sheet, opened_ms=at_ms)
        case LectureStarted():
            return replace(sheet, started_ms=at_ms)
        case LectureEnded():
            return _end(replace(sheet, ended_ms=at_ms), lambda stay: True, at_ms)
        case ParticipantJoined():
            return _begin(sheet, Stay(event.participant, event.role, "here", seq, at_ms))
        case ParticipantLeft():
            return _end(sheet, lambda stay: stay.participant == event.participant, min(event.since_ms, at_ms))
        case FloorGranted():
            free = _end(sheet, lambda stay: stay.kind == "floor", at_ms)
            return _begin(free, Stay(event.participant, "", "floor", seq, at_ms))
        case FloorReleased():
            return _end(sheet, lambda s: (s.kind, s.participant) == ("floor", event.participant), at_ms)
        case _:
            return sheet


def _begin(sheet: Sheet, stay: Stay) -> Sheet:
    already = any((s.kind, s.participant) == (stay.kind, stay.participant) for s in sheet.going_on)
    if already or sheet.ended_ms is not None:
        return sheet
    return replace(sheet, going_on=(*sheet.going_on, stay))


def _end(sheet: Sheet, which: Callable[[Stay], bool], end_ms: int) -> Sheet:
    ended = tuple(replace(s, end_ms=max(s.start_ms, end_ms)) for s in sheet.going_on if which(s))
    if not ended:
        return sheet
    return replace(sheet, over=(*sheet.over, *ended), going_on=tuple(s for s in sheet.going_on if not which(s)))


def spans(stays: Iterable[Stay], kind: StayKind, now_ms: int) -> dict[str, list[Span]]:
    """Return, per participant, when they were here (or had the floor): sorted, disjoint, none empty.

    now_ms: where a stay that is not over yet is cut, milliseconds since 1970 UTC.
    """
    found: dict[str, list[Span]] = defaultdict(list)
    for stay in stays:
        if stay.kind == kind:
            end_ms = now_ms if stay.end_ms is None else stay.end_ms
            found[stay.participant].append((stay.start_ms, max(stay.start_ms, end_ms)))
    return {participant: merge(several) for participant, several in found.items()}


def merge(given: Iterable[Span], gap_ms: int = 0) -> list[Span]:
    """Return the union of spans, sorted and disjoint, without empty ones.

    gap_ms: spans that are at most this far apart become one.
    """
    merged: list[Span] = []
    for start, end in sorted(span for span in given if span[0] < span[1]):
        if merged and start <= merged[-1][1] + gap_ms:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def clip(given: Iterable[Span], within: Span) -> list[Span]:
    """Return the parts of disjoint spans that lie in `within`, none empty."""
    low, high = within
    return [(max(a, low), min(b, high)) for a, b in given if max(a, low) < min(b, high)]


def overlap(some: Sequence[Span], others: Iterable[Span]) -> list[Span]:
    """Return what two lists of disjoint spans have in common, sorted."""
    return merge(part for span in others for part in clip(some, span))


def length_ms(given: Iterable[Span]) -> int:
    """Return the milliseconds that disjoint spans cover."""
    return sum(end - start for start, end in given)


def visits(given: Iterable[Span]) -> int:
    """Return how many times somebody came: gaps up to SAME_VISIT_MS are interruptions, not visits."""
    return len(merge(given, SAME_VISIT_MS))


def class_span(sheet: Sheet, now_ms: int) -> Span | None:
    """Return from when to when the class ran (to now if it still does), or None before it started."""
    if sheet.started_ms is None:
        return None
    end = now_ms if sheet.ended_ms is None else sheet.ended_ms
    return sheet.started_ms, max(sheet.started_ms, end)
