"""The register of a lecture: points, minutes connected and people, as separate figures. Pure.

One connection is one hall, so minutes belong to points and the number of people is what the
point's operator declared: the two are never mixed into one figure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol

from attendance.evidence import Evidence, PollRecord
from attendance.presence import Span, class_span, clip, length_ms, overlap, spans, visits
from core.errors import N_

Remark = tuple[str, dict[str, int]]  # an English sentence for translation, and the values of its places

TOLERANCE_MS = 5 * 60_000  # up to five minutes after the start is not late, before the end not early


class LectureFacts(Protocol):
    """What the register needs to know of a scheduled lecture."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def topic_title(self) -> str: ...  # noqa: D102
    @property
    def lecturer_id(self) -> str: ...  # noqa: D102
    @property
    def lecturer_name(self) -> str: ...  # noqa: D102
    @property
    def main_point_id(self) -> str: ...  # noqa: D102
    @property
    def point_ids(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def starts_at(self) -> datetime: ...  # noqa: D102
    @property
    def ends_at(self) -> datetime: ...  # noqa: D102
    @property
    def zone(self) -> str: ...  # noqa: D102


class PollWords(Protocol):
    """The words of a poll, and whose it is."""

    @property
    def lecture_id(self) -> str: ...  # noqa: D102
    @property
    def question(self) -> str: ...  # noqa: D102
    @property
    def options(self) -> Sequence[str]: ...  # noqa: D102


@dataclass(frozen=True)
class Words:
    """What ordinary tables know and the journal does not."""

    names: Mapping[str, str]  # of points and people, by id
    polls: Mapping[str, PollWords]
    hands: Mapping[str, Mapping[str, Sequence[int]]]  # poll -> point -> hands per option
    organisations: Mapping[str, str]  # of points, as they were called when the lecture began


def whole_minutes(span_ms: int) -> int:
    """Return milliseconds as whole minutes, half a minute rounded up."""
    return (span_ms + 30_000) // 60_000


@dataclass(frozen=True)
class PointLine:
    """One bridge point of the register. Times are milliseconds since 1970 UTC, lengths milliseconds."""

    point_id: str
    name: str
    is_main: bool
    people: int | None  # None: nobody declared it
    people_by: str
    class_ms: int  # connected while the class ran
    total_ms: int  # connected from the lobby on
    first_ms: int | None
    last_ms: int | None
    visits: int
    late_ms: int  # of the class that had passed when it first connected; 0: in time
    early_ms: int  # of the class that was left when it was last connected; 0: stayed to the end
    speaking_ms: int
    turns: int
    organisation: str  # as it was when the lecture began

    @property
    def is_absent(self) -> bool:
        """Return whether it was never connected while the class ran."""
        return self.class_ms == 0

    @property
    def is_late(self) -> bool:
        """Return whether it came noticeably after the start."""
        return not self.is_absent and self.late_ms > TOLERANCE_MS

    @property
    def is_early(self) -> bool:
        """Return whether it left noticeably before the end."""
        return not self.is_absent and self.early_ms > TOLERANCE_MS


@dataclass(frozen=True)
class PollLine:
    """One poll of the register."""

    poll_id: str
    question: str
    options: tuple[str, ...]
    counts: tuple[int, ...]  # phones and hands together
    phones: int
    hands: tuple[tuple[str, tuple[int, ...]], ...]  # (point name, hands per option), only points that entered any
    opened_ms: int
    closed_ms: int | None

    @property
    def answers(self) -> int:
        """Return how many answers there are."""
        return sum(self.counts)

    @property
    def rows(self) -> list[tuple[str, int, int]]:
        """Return (option, answers, whole percent of all answers) per option."""
        return [
            (text, count, round(100 * count / self.answers) if self.answers else 0)
            for text, count in zip(self.options, self.counts, strict=True)
        ]


@dataclass(frozen=True)
class Register:
    """All figures of one lecture, and the journal row up to which they hold."""

    lecture: LectureFacts
    started_ms: int | None
    ended_ms: int | None
    class_ms: int
    lines: tuple[PointLine, ...]
    polls: tuple[PollLine, ...]
    seq: int
    head_hash: str

    @cached_property
    def points_planned(self) -> int:
        """Return how many points were to take part."""
        return len(self.lines)

    @cached_property
    def points_connected(self) -> int:
        """Return how many points were connected while the class ran."""
        return sum(not line.is_absent for line in self.lines)

    @cached_property
    def points_declared(self) -> int:
        """Return how many points declared their people."""
        return sum(line.people is not None for line in self.lines)

    @cached_property
    def people(self) -> int:
        """Return how many people the points declared together."""
        return sum(line.people or 0 for line in self.lines)

    @cached_property
    def connected_ms(self) -> int:
        """Return the milliseconds all points were connected while the class ran, added up."""
        return sum(line.class_ms for line in self.lines)

    def remarks(self, line: PointLine) -> list[Remark]:
        """Return what is worth a remark about a point; nothing before the class has begun."""
        if self.started_ms is None:
            return []
        if line.is_absent:
            return [(N_("Never connected"), {})]
        found: list[tuple[bool, Remark]] = [
            (line.is_late, (N_("Came %(n)s min late"), {"n": whole_minutes(line.late_ms)})),
            (
                line.is_early and self.ended_ms is not None,
                (N_("Left %(n)s min early"), {"n": whole_minutes(line.early_ms)}),
            ),
            (line.visits > 1, (N_("Connected %(n)s times"), {"n": line.visits})),
        ]
        return [remark for so, remark in found if so]

    @property
    def head_short(self) -> str:
        """Return the journal's head hash as it is printed: four groups of four hex digits."""
        return " ".join(self.head_hash[i : i + 4] for i in range(0, 16, 4))


@dataclass(frozen=True)
class _Presence:
    here: Mapping[str, list[Span]]
    floor: Mapping[str, list[Span]]
    lesson: Span | None


def build(evidence: Evidence, lecture: LectureFacts, words: Words, now_ms: int) -> Register:
    """Make the register.

    evidence: what the journal says; lecture: the plan; words: names, questions, hand-counts;
    now_ms: where a class that still runs is cut, milliseconds since 1970 UTC.
    """
    stays = evidence.sheet.stays
    presence = _Presence(
        spans(stays, "here", now_ms), spans(stays, "floor", now_ms), class_span(evidence.sheet, now_ms)
    )
    main = evidence.main_point or lecture.main_point_id
    points = dict.fromkeys((main, *(evidence.points or lecture.point_ids)))
    return Register(
        lecture=lecture,
        started_ms=evidence.sheet.started_ms,
        ended_ms=evidence.sheet.ended_ms,
        class_ms=length_ms([presence.lesson]) if presence.lesson else 0,
        lines=tuple(_point_line(point, point == main, evidence, words, presence) for point in points),
        polls=tuple(_poll_line(poll, words) for poll in evidence.polls),
        seq=evidence.seq,
        head_hash=evidence.head_hash,
    )


def _point_line(point_id: str, is_main: bool, evidence: Evidence, words: Words, presence: _Presence) -> PointLine:
    here = presence.here.get(point_id, [])
    lesson = presence.lesson
    in_class = clip(here, lesson) if lesson else []
    # Only what was really here can have spoken: a floor is taken back some seconds after a connection is lost.
    speaking = overlap(presence.floor.get(point_id, []), here)
    declared = evidence.people.get(point_id)
    return PointLine(
        point_id=point_id,
        name=words.names.get(point_id, point_id),
        is_main=is_main,
        people=declared.people if declared else None,
        people_by=words.names.get(declared.by, "") if declared else "",
        class_ms=length_ms(in_class),
        total_ms=length_ms(here),
        first_ms=here[0][0] if here else None,
        last_ms=here[-1][1] if here else None,
        visits=visits(here),
        late_ms=in_class[0][0] - lesson[0] if lesson and in_class else 0,
        early_ms=lesson[1] - in_class[-1][1] if lesson and in_class else 0,
        speaking_ms=length_ms(speaking),
        turns=len(speaking),
        organisation=words.organisations.get(point_id, ""),
    )


def _poll_line(poll: PollRecord, words: Words) -> PollLine:
    known = words.polls.get(poll.poll_id)
    hands = words.hands.get(poll.poll_id, {})
    return PollLine(
        poll_id=poll.poll_id,
        question=known.question if known else "",
        options=tuple(known.options) if known else tuple(str(n + 1) for n in range(len(poll.counts))),
        counts=poll.counts,
        phones=poll.phones,
        hands=tuple((words.names.get(point, point), tuple(counts)) for point, counts in hands.items()),
        opened_ms=poll.opened_ms,
        closed_ms=poll.closed_ms,
    )
