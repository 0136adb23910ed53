"""Attendance: ballots and hand-counts are kept here, presence is projected from the journal."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from attendance.ballots import Tally, checked_choice, checked_hand_count, checked_people, tally
from attendance.evidence import from_journal
from attendance.models import Ballot, BallotBox, HandCount, PresenceCursor, PresenceInterval
from attendance.presence import RELEVANT, Sheet, Stay, StayKind, fold
from attendance.register import LectureFacts, PollWords, Register, Words, build
from core.bus import EventBus
from core.clock import Clock, to_ms
from core.db import Database
from core.errors import N_, Conflict, NotFound
from core.journal import Entry, Journal
from rooms.events import PollClosed, RoomChanged, parse
from rooms.state import RoomState

log = logging.getLogger(__name__)


class Rooms(Protocol):
    """What attendance asks of the live rooms."""

    def state(self, lecture: str, /) -> RoomState:
        """Return the folded state of a lecture's room."""
        ...

    def labels_of_polls(self, polls: Iterable[str], /) -> Mapping[str, PollWords]:
        """Return the words of those of the polls that exist."""
        ...

    def count_people(self, lecture: str, by: str, role: Any, point: str, people: int, /) -> Any:
        """Journal a point's declared head-count."""
        ...


class Schedules(Protocol):
    """What attendance asks of the timetable."""

    def lecture(self, lecture_id: str, /) -> LectureFacts:
        """Return a lecture's plan; raises NotFound."""
        ...

    def labels(self, ids: Iterable[str], /) -> Mapping[str, str]:
        """Return the names of users and points."""
        ...

    def point_organisations(self, lecture_id: str, /) -> Mapping[str, str]:
        """Return what the organisation of each point was called when the lecture began, by the point's id."""
        ...


@dataclass(frozen=True)
class BallotsChanged:
    """Published on the bus when a poll has more answers than before."""

    poll: str
    lecture: str


@dataclass(frozen=True)
class Question:
    """A poll as those who answer see it."""

    poll_id: str
    lecture_id: str
    text: str
    options: tuple[str, ...]
    is_open: bool
    is_live: bool  # whether its class still runs


class AttendanceService:
    """Presence, declared people, answers and registers of all lectures."""

    def __init__(self, db: Database, bus: EventBus, clock: Clock, rooms: Rooms, schedules: Schedules) -> None:
        """Tell `bus` of new answers; ask `rooms` and `schedules` for what they own; follow rooms by `room_changed`."""
        self._db = db
        self._bus = bus
        self._clock = clock
        self._rooms = rooms
        self._schedules = schedules
        self._journal = Journal(db)

    # ---- people ----------------------------------------------------------------------------

    def declare_people(self, lecture_id: str, point_id: str, people: int, by: str, role: str) -> None:
        """Journal how many people sit at a point.

        people: 0 to 100 000; by: the operator's id; role: as in the permission table.
        Raises Invalid people.out_of_range, and what the room refuses.
        """
        self._rooms.count_people(lecture_id, by, role, point_id, checked_people(people))

    def people_declared(self, lecture_ids: Iterable[str]) -> dict[tuple[str, str], int]:
        """Return how many people were declared last, by (lecture, point); where nobody declared any it is absent."""
        entries = self._journal.entries_of("people.counted", lecture_ids)
        return {(entry.lecture_id, entry.body["point"]): entry.body["people"] for entry in entries}

    # ---- ballots ---------------------------------------------------------------------------

    def question(self, poll_id: str) -> Question:
        """Return a poll.  Raises NotFound poll.unknown."""
        words = self._rooms.labels_of_polls([poll_id]).get(poll_id)
        if words is None:
            raise NotFound("poll.unknown", N_("There is no such poll. Please scan the code on the screen again."))
        state = self._rooms.state(words.lecture_id)
        is_live = state.phase == "live"
        is_open = is_live and state.poll is not None and state.poll.poll == poll_id
        return Question(poll_id, words.lecture_id, words.question, tuple(words.options), is_open, is_live)

    def cast(self, poll_id: str, phone_id: str, choice: int) -> None:
        """Take one phone's answer.

        phone_id: the random id the phone was given; choice: zero-based option.
        Raises NotFound poll.unknown, Conflict poll.closed or poll.already_answered, Invalid poll.bad_choice.
        """
        question = self._open_question(poll_id)
        checked_choice(choice, len(question.options))
        try:
            with self._db.transaction() as session:
                self._open_box(session, poll_id)
                session.add(Ballot(poll_id=poll_id, phone_id=phone_id, choice=choice))
        except IntegrityError as error:
            raise Conflict("poll.already_answered", N_("This phone has already answered.")) from error
        self._bus.publish(BallotsChanged(poll_id, question.lecture_id))

    def answer_of(self, poll_id: str, phone_id: str) -> int | None:
        """Return what a phone chose (zero-based), or None."""
        with self._db.reading() as session:
            return session.scalar(select(Ballot.choice).where(Ballot.poll_id == poll_id, Ballot.phone_id == phone_id))

    def enter_hand_count(self, poll_id: str, point_id: str, counts: Sequence[int], by: str) -> None:
        """Take the hands counted at a point; they replace what it entered before.

        counts: hands per option; by: the operator's id.
        Raises NotFound poll.unknown, Conflict poll.closed, Invalid hand_count.shape,
        hand_count.out_of_range or hand_count.more_than_people.
        """
        question = self._open_question(poll_id)
        people = self._rooms.state(question.lecture_id).people.get(point_id)
        checked = checked_hand_count(counts, len(question.options), people)
        with self._db.transaction() as session:
            self._open_box(session, poll_id)
            session.merge(
                HandCount(
                    poll_id=poll_id,
                    point_id=point_id,
                    counts=list(checked),
                    counted_by=by,
                    counted_at=self._clock.now(),
                )
            )
        self._bus.publish(BallotsChanged(poll_id, question.lecture_id))

    def hand_count(self, poll_id: str, point_id: str) -> tuple[int, ...] | None:
        """Return the hands per option that a point entered, or None."""
        with self._db.reading() as session:
            row = session.get(HandCount, (poll_id, point_id))
            return tuple(row.counts) if row else None

    def tally(self, poll_id: str) -> tuple[tuple[int, ...], int]:
        """Return (answers per option, how many of them came from phones) so far."""
        options = len(self.question(poll_id).options)
        with self._db.reading() as session:
            found = _tally(session, poll_id, options)
        return found.counts, found.phones

    def seal(self, poll_id: str) -> tuple[tuple[int, ...], int]:
        """Take no more answers and return the final (counts, phones).

        An answer that was accepted is in them, one that comes later is refused.
        """
        question = self.question(poll_id)
        self._ensure_box(question)
        with self._db.transaction() as session:
            box = session.get_one(BallotBox, poll_id, with_for_update=True)
            box.sealed_at = box.sealed_at or self._clock.now()
            session.flush()
            found = _tally(session, poll_id, box.options)
        return found.counts, found.phones

    def _open_question(self, poll_id: str) -> Question:
        question = self.question(poll_id)
        if not question.is_open:
            raise _closed()
        self._ensure_box(question)
        return question

    def _ensure_box(self, question: Question) -> None:
        with self._db.reading() as session:
            if session.get(BallotBox, question.poll_id):
                return
        try:
            with self._db.transaction() as session:
                options = len(question.options)
                session.add(BallotBox(poll_id=question.poll_id, lecture_id=question.lecture_id, options=options))
        except IntegrityError:
            log.debug("somebody else made the ballot box first", extra={"poll": question.poll_id})

    def _open_box(self, session: Session, poll_id: str) -> None:
        """Hold the box open until the transaction ends: sealing waits for it, and it for sealing."""
        box = session.scalar(
            select(BallotBox).where(BallotBox.poll_id == poll_id).with_for_update(read=True, of=BallotBox)
        )
        if box is None or box.sealed_at is not None:
            raise _closed()

    # ---- the register ----------------------------------------------------------------------

    def register(self, lecture_id: str) -> Register:
        """Return a lecture's register, folded from its journal.  Raises NotFound for an unknown lecture."""
        lecture = self._schedules.lecture(lecture_id)
        # The head first: rows that come meanwhile are left out, so figures and hash belong together.
        seq, head_hash = self._journal.head(lecture_id)
        entries = [entry for entry in self._journal.read(lecture_id) if entry.seq <= seq]
        evidence = from_journal(entries, head_hash)
        ids = {lecture.main_point_id, *lecture.point_ids, *evidence.points, *evidence.people}
        ids |= {declared.by for declared in evidence.people.values()}
        if evidence.main_point:
            ids.add(evidence.main_point)
        polls = [poll.poll_id for poll in evidence.polls]
        words = Words(
            names=self._schedules.labels(sorted(ids)),
            polls=self._rooms.labels_of_polls(polls),
            hands=self._hands(polls),
            organisations=self._schedules.point_organisations(lecture_id),
        )
        return build(evidence, lecture, words, to_ms(self._clock.now()))

    def _hands(self, polls: Iterable[str]) -> dict[str, dict[str, list[int]]]:
        found: dict[str, dict[str, list[int]]] = {}
        with self._db.reading() as session:
            rows = select(HandCount).where(HandCount.poll_id.in_(list(polls))).order_by(HandCount.point_id)
            for row in session.scalars(rows):
                found.setdefault(row.poll_id, {})[row.point_id] = row.counts
        return found

    # ---- the projection --------------------------------------------------------------------

    def rebuild(self, lecture_id: str) -> None:
        """Throw the presence rows of a lecture away and make them again from its journal."""
        entries = self._journal.read(lecture_id)
        with self._db.transaction() as session:
            session.execute(delete(PresenceInterval).where(PresenceInterval.lecture_id == lecture_id))
            session.execute(delete(PresenceCursor).where(PresenceCursor.lecture_id == lecture_id))
            _project(session, lecture_id, entries)

    def catch_up(self, lecture_id: str) -> None:
        """Bring the presence rows of a lecture up to the end of its journal."""
        with self._db.reading() as session:
            seq = session.scalar(select(PresenceCursor.seq).where(PresenceCursor.lecture_id == lecture_id)) or 0
        entries = self._journal.read(lecture_id, seq)
        if entries:
            with self._db.transaction() as session:
                _project(session, lecture_id, entries)

    def intervals(self, lecture_id: str) -> list[Stay]:
        """Return the presence rows of a lecture in the order in which the stays began."""
        with self._db.reading() as session:
            rows = (
                select(PresenceInterval).where(PresenceInterval.lecture_id == lecture_id).order_by(PresenceInterval.seq)
            )
            return [_stay(row) for row in session.scalars(rows)]

    def room_changed(self, changed: RoomChanged) -> None:
        """Follow a room. What is missed here is caught up with the next event, or by `rebuild`."""
        if isinstance(changed.event, PollClosed):
            self.seal(changed.event.poll)
        if isinstance(changed.event, RELEVANT):
            self.catch_up(changed.lecture)


def _closed() -> Conflict:
    return Conflict("poll.closed", N_("This poll is closed; no more answers are taken."))


def _tally(session: Session, poll_id: str, options: int) -> Tally:
    by_phone = select(Ballot.choice, func.count()).where(Ballot.poll_id == poll_id).group_by(Ballot.choice)
    phones = {choice: count for choice, count in session.execute(by_phone)}
    hands = session.scalars(select(HandCount.counts).where(HandCount.poll_id == poll_id))
    return tally(options, phones, hands)


def _project(session: Session, lecture_id: str, entries: Iterable[Entry]) -> None:
    """Fold entries into the rows; those that are folded already are passed over."""
    cursor = session.get(PresenceCursor, lecture_id, with_for_update=True)
    sheet = _sheet(session, cursor) if cursor else Sheet()
    for entry in entries:
        if entry.seq > sheet.seq:
            sheet = fold(sheet, entry.seq, entry.at_ms, parse(entry.type, entry.body))
    session.merge(
        PresenceCursor(
            lecture_id=lecture_id,
            seq=sheet.seq,
            opened_ms=sheet.opened_ms,
            started_ms=sheet.started_ms,
            ended_ms=sheet.ended_ms,
        )
    )
    for stay in sheet.stays:
        session.merge(
            PresenceInterval(
                lecture_id=lecture_id,
                seq=stay.seq,
                participant=stay.participant,
                role=stay.role,
                kind=stay.kind,
                start_ms=stay.start_ms,
                end_ms=stay.end_ms,
            )
        )


def _sheet(session: Session, cursor: PresenceCursor) -> Sheet:
    """Return the sheet as far as it can still change: stays that are over are in their rows for good."""
    going_on = (
        select(PresenceInterval)
        .where(PresenceInterval.lecture_id == cursor.lecture_id, PresenceInterval.end_ms.is_(None))
        .order_by(PresenceInterval.seq)
    )
    return Sheet(
        seq=cursor.seq,
        opened_ms=cursor.opened_ms,
        started_ms=cursor.started_ms,
        ended_ms=cursor.ended_ms,
        going_on=tuple(_stay(row) for row in session.scalars(going_on)),
    )


def _stay(row: PresenceInterval) -> Stay:
    return Stay(row.participant, row.role, cast(StayKind, row.kind), row.seq, row.start_ms, row.end_ms)
