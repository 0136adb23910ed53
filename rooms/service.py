"""The rooms that are on: decide, journal, publish, in that order, and nowhere else.

Every change takes the same way: read what others have journalled, ask the pure decision, append,
fold, publish. If another process appended first, the decision is made again. Listeners run
outside the room's lock and in the order of seq; they may act on the same room.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from core.bus import EventBus
from core.clock import Clock, to_ms
from core.db import Database
from core.errors import N_, AppError, NotFound, Unavailable
from core.ids import new_id
from core.journal import Behind, Entry, Journal
from core.permissions import Role
from rooms import encoder, floor, poll, room
from rooms.actor import Actor
from rooms.connected import Connected, Missed
from rooms.events import DeviceState, PollClosed, RoomChanged, RoomEvent, RoomRole, parse
from rooms.fold import fold
from rooms.models import Poll
from rooms.poll import Count
from rooms.state import RoomState

log = logging.getLogger(__name__)

LATELY_MS = 24 * 3_600_000
GRACE_S = 8.0
RESUME_GRACES = 2  # after our own restart all come back at once, and some browsers wait before they try
TRIES = 40  # decisions made again because another process wrote first; each time one of them got on
ROOMS_KEPT = 256  # rooms in memory; beyond it those that are not on are read again when asked for

Decision = Callable[[RoomState], list[RoomEvent]]


@dataclass(frozen=True)
class JoinResult:
    """The state after a join, and the connection that lost its place by it."""

    state: RoomState
    replaced_connection: str | None


@dataclass(frozen=True)
class PollWords:
    """What a poll's id stands for."""

    lecture_id: str
    question: str
    options: tuple[str, ...]


@dataclass
class _Room:
    """What this process knows of one lecture; `lock` guards all of it."""

    state: RoomState
    at_ms: int = 0  # of the last entry: time in a journal never goes back
    connected: Connected = field(default_factory=Connected)
    outbox: deque[RoomChanged] = field(default_factory=deque)
    publishing: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)

    def take_in(self, entries: Iterable[Entry]) -> list[RoomChanged]:
        changes = []
        for entry in entries:
            event = parse(entry.type, entry.body)
            self.state = fold(self.state, entry.seq, entry.at_ms, event)
            self.at_ms = max(self.at_ms, entry.at_ms)
            changes.append(RoomChanged(entry.lecture_id, entry.seq, entry.at_ms, event, self.state))
        return changes


class RoomService:
    """Applies to the rooms what people do and what the media node says.

    `by` and `role` say who acts. All methods that change a room return the entries written (none
    when it is so already) and raise NotAllowed for those who may not, Unavailable when the
    journal cannot be written; what else they raise is said by the decision they name.
    """

    def __init__(self, db: Database, bus: EventBus, clock: Clock, grace_s: float = GRACE_S) -> None:
        """Start with no room in memory; each is read from its journal when it is first needed.

        grace_s: seconds in which a lost connection may come back without having been away.
        """
        self.count_ballots: Callable[[str], tuple[Sequence[int], int]] | None = None
        """Seals a poll's box and returns its final (counts, phones); set where features are wired."""
        self.may_start: Callable[[str], None] | None = None
        """Raises Conflict for a lecture that may not go live yet; set where features are wired, None: all may."""
        self._db, self._bus, self._clock = db, bus, clock
        self._journal = Journal(db)
        self._grace_ms = round(grace_s * 1000)
        self._rooms: dict[str, _Room] = {}
        self._rooms_lock = threading.Lock()

    # ---- reading --------------------------------------------------------------------------

    def state(self, lecture: str) -> RoomState:
        """Return the fold of a lecture's journal up to now; phase `none` when there is no journal.

        Waits for no lock: a reader may hold a transaction of its own.
        """
        known = self._room(lecture)
        fresh = _Room(known.state)
        missed = self._journal.read(lecture, fresh.state.seq)
        fresh.take_in(missed)
        if missed and known.lock.acquire(blocking=False):
            try:
                known.take_in(missed)
            finally:
                known.lock.release()
        return fresh.state

    def entries(self, lecture: str, after_seq: int = 0) -> list[Entry]:
        """Return the journal's entries with seq > after_seq, in order."""
        return self._journal.read(lecture, after_seq)

    def active(self) -> list[str]:
        """Return the ids of the lectures in the lobby or live."""
        return self._journal.lectures_without("lecture.ended")

    def ended_lately(self) -> list[str]:
        """Return the ids of the lectures that ended within the last day."""
        return self._journal.lectures_with("lecture.ended", to_ms(self._clock.now()) - LATELY_MS)

    def labels_of_polls(self, ids: Iterable[str]) -> dict[str, PollWords]:
        """Return the words of polls by id; unknown ids are left out."""
        wanted = list(ids)
        if not wanted:
            return {}
        with self._db.reading() as session:
            rows = session.scalars(select(Poll).where(Poll.id.in_(wanted)))
            return {row.id: PollWords(row.lecture_id, row.question, tuple(row.options)) for row in rows}

    # ---- coming and going -----------------------------------------------------------------

    def open(self, lecture: str, lecturer: str, main_point: str, points: Sequence[str]) -> list[Entry]:
        """Open a lecture's lobby; see `room.open_lobby`."""
        return self._change(lecture, lambda s: room.open_lobby(s, lecturer, main_point, points))

    def join(self, lecture: str, participant: str, role: RoomRole, connection: str) -> JoinResult:
        """Let a participant in on a connection; an older one of theirs loses its place.

        A reconnect within the grace journals nothing.  Raises what `room.join` does.
        """
        actor, known = Actor(participant, role), self._room(lecture)
        with known.lock:
            self._write(lecture, known, lambda s: room.join(s, actor, self._now_ms()))
            result = JoinResult(known.state, known.connected.take(participant, connection))
        self._publish(known)
        return result

    def disconnected(self, lecture: str, participant: str, connection: str) -> None:
        """Note that a connection is gone; its participant has the grace to come back."""
        known = self._room(lecture)
        with known.lock:
            known.connected.lose(participant, connection, self._now_ms(), self._grace_ms)

    def start_encoder(self, lecture: str, point: str, connection: str) -> RoomState:
        """Let a point's encoder in on a connection of its own, beside the point's page; see `encoder.start`."""
        known = self._room(lecture)
        with known.lock:
            self._write(lecture, known, lambda s: encoder.start(s, point, self._now_ms()))
            known.connected.take(point, connection, "encoder")
            state = known.state
        self._publish(known)
        return state

    def stop_encoder(self, lecture: str, point: str, connection: str | None, reason: encoder.Reason) -> list[Entry]:
        """Note that a point's encoder is gone; nothing when another connection has taken its place.

        connection: None for one that this process never had: it was lost while nobody looked.
        """
        known = self._room(lecture)
        with known.lock:
            if connection and not known.connected.has(point, connection):
                return []
            written = self._write(lecture, known, lambda s: encoder.stop(s, point, reason))
            if connection:
                known.connected.lose(point, connection, self._now_ms(), self._grace_ms)
        self._publish(known)
        return written

    def sweep(self) -> list[Entry]:
        """Let those go whose grace is over; call about once a second.

        A room whose journal cannot be written is logged and tried again at the next sweep.
        """
        written = []
        for lecture, known in self._all_rooms():
            with known.lock:
                overdue = known.connected.overdue(self._now_ms())
            for missed in overdue:
                try:
                    written += self._let_go(lecture, known, missed)
                except AppError:
                    log.exception("participant not let go", extra={"lecture": lecture})
        return written

    def _let_go(self, lecture: str, known: _Room, missed: Missed) -> list[Entry]:
        with known.lock:
            if missed not in known.connected.overdue(self._now_ms()):
                return []  # back meanwhile
            written = self._write(lecture, known, lambda s: room.leave(s, missed.participant, "lost", missed.since_ms))
            known.connected.forget(missed.participant)
        self._publish(known)
        return written

    def resume(self) -> None:
        """Take up the rooms after a restart: all who were here have some graces to come back.

        Who does not was last seen, as far as we can know, when we came back.
        """
        for lecture in self.active():
            present, known = self.state(lecture).present, self._room(lecture)
            with known.lock:
                known.connected.expect(present, self._now_ms(), RESUME_GRACES * self._grace_ms)

    # ---- the class ------------------------------------------------------------------------

    def start(self, lecture: str, by: str, role: Role) -> list[Entry]:
        """Go live and record; see `room.start`.  Raises what `may_start` raises, unless it is live already."""

        def decide(state: RoomState) -> list[RoomEvent]:
            events = room.start(state, Actor(by, role))
            if events and self.may_start is not None:
                self.may_start(lecture)
            return events

        return self._change(lecture, decide)

    def end(self, lecture: str, by: str, role: Role) -> list[Entry]:
        """End the class for everybody; see `room.may_end` and `room.end`."""
        actor = Actor(by, role)
        return self._end(lecture, by, "ended", lambda s: room.may_end(s, actor))

    def expire(self, lecture: str) -> list[Entry]:
        """End a class, or close a lobby, that nobody ended."""
        return self._end(lecture, None, "expired", lambda s: None)

    def _end(self, lecture: str, by: str | None, reason: str, check: Callable[[RoomState], None]) -> list[Entry]:
        known = self._room(lecture)
        with known.lock:
            self._catch_up(lecture, known)
            check(known.state)
            count = self._last_count(known.state)
            now_ms = self._now_ms()
            written = self._write(lecture, known, lambda s: room.end(s, by, reason, count, now_ms))
            known.connected.forget_all()
        self._publish(known)
        return written

    def _last_count(self, state: RoomState) -> Count | None:
        """Return the final count of the open poll; a class ends even when it cannot be had."""
        try:
            count = self._sealed(state.poll.poll) if state.poll else None
            return poll.checked_count(state, count) if count else None
        except Exception:
            log.exception("no final count", extra={"lecture": state.lecture})
            return None

    # ---- the floor ------------------------------------------------------------------------

    def request_floor(self, lecture: str, by: str, role: Role) -> list[Entry]:
        """Raise one's hand; see `floor.request`."""
        return self._change(lecture, lambda s: floor.request(s, Actor(by, role)))

    def withdraw_floor(self, lecture: str, by: str, role: Role, participant: str) -> list[Entry]:
        """Lower one's own hand, or as the chair somebody's; see `floor.withdraw`."""
        return self._change(lecture, lambda s: floor.withdraw(s, Actor(by, role), participant))

    def grant_floor(self, lecture: str, by: str, role: Role, participant: str) -> list[Entry]:
        """Give the floor to a point; see `floor.grant`."""
        return self._change(lecture, lambda s: floor.grant(s, Actor(by, role), participant))

    def release_floor(self, lecture: str, by: str, role: Role) -> list[Entry]:
        """Give one's floor back; see `floor.release`."""
        return self._change(lecture, lambda s: floor.release(s, Actor(by, role)))

    def revoke_floor(self, lecture: str, by: str, role: Role) -> list[Entry]:
        """Take the floor from whoever has it; see `floor.revoke`."""
        return self._change(lecture, lambda s: floor.revoke(s, Actor(by, role)))

    # ---- polls ----------------------------------------------------------------------------

    def open_poll(self, lecture: str, by: str, role: Role, question: str, options: Sequence[str]) -> str:
        """Put a single-choice question to the class.  Returns the poll's id; see `poll.open_poll`."""
        actor, poll_id, text = Actor(by, role), new_id("pol"), poll.checked_text(question, options)

        def decide(state: RoomState) -> list[RoomEvent]:
            return poll.open_poll(state, actor, poll_id, len(text.options))

        decide(self.state(lecture))  # refuse before any word is stored
        with self._db.transaction() as session:  # first the words: whoever sees the event can read them
            words = {"question": text.question, "options": list(text.options), "opened_at": self._clock.now()}
            session.add(Poll(id=poll_id, lecture_id=lecture, **words))
        try:
            self._change(lecture, decide)
        except Exception:
            with self._db.transaction() as session:
                session.execute(delete(Poll).where(Poll.id == poll_id))
            raise
        return poll_id

    def tally(self, poll_id: str, counts: Sequence[int], phones: int) -> list[Entry]:
        """Tell the class the count so far; see `poll.tally`.  Raises NotFound poll.unknown.

        counts: one per option, phones and hand-counts together; phones: how many came from phones.
        """
        words = self.labels_of_polls([poll_id]).get(poll_id)
        if words is None:
            raise NotFound("poll.unknown", N_("There is no such poll. Please scan the code on the screen again."))
        return self._change(words.lecture_id, lambda s: poll.tally(s, poll_id, Count(tuple(counts), phones)))

    def close_poll(self, lecture: str, by: str, role: Role, poll_id: str) -> list[Entry]:
        """Close a poll: first its box, then the journal, so that no accepted answer is left out.

        Raises Conflict poll.closed unless this very poll is open.
        """
        actor, known = Actor(by, role), self._room(lecture)

        def decide(state: RoomState) -> list[RoomEvent]:
            poll.may_close(state, actor, poll_id)
            return poll.close(state, by, count)

        with known.lock:
            self._catch_up(lecture, known)
            poll.may_close(known.state, actor, poll_id)
            count = self._sealed(poll_id)
            written = self._write(lecture, known, decide)
        self._publish(known)
        return written

    def _sealed(self, poll_id: str) -> Count | None:
        if self.count_ballots is None:
            return None
        counts, phones = self.count_ballots(poll_id)
        return Count(tuple(counts), phones)

    # ---- facts ----------------------------------------------------------------------------

    def count_people(self, lecture: str, by: str, role: Role, point: str, people: int) -> list[Entry]:
        """Take a point's declared head-count; see `room.count_people`."""
        return self._change(lecture, lambda s: room.count_people(s, Actor(by, role), point, people))

    def report_point(
        self, lecture: str, by: str, role: Role, camera: DeviceState, microphone: DeviceState
    ) -> list[Entry]:
        """Take a point's own test of its equipment; see `room.report`."""
        return self._change(lecture, lambda s: room.report(s, Actor(by, role), camera, microphone))

    def slot_switched(self, lecture: str, slot: str, publication: str | None, latency_ms: int) -> list[Entry]:
        """Take the media node's word for what a slot shows; tiles are not journalled, see `room.switched`."""
        return self._change(lecture, lambda s: room.switched(s, slot, publication, latency_ms))

    def recording(self, lecture: str, on: bool) -> list[Entry]:
        """Take the media node's word for whether the program is kept; see `room.recording`."""
        return self._change(lecture, lambda s: room.recording(s, on))

    # ---- decide, journal, publish ---------------------------------------------------------

    def _change(self, lecture: str, decide: Decision) -> list[Entry]:
        known = self._room(lecture)
        with known.lock:
            written = self._write(lecture, known, decide)
        self._publish(known)
        return written

    def _write(self, lecture: str, known: _Room, decide: Decision) -> list[Entry]:
        """Decide and journal; the caller holds the room's lock and publishes afterwards."""
        try:
            for _ in range(TRIES):
                self._catch_up(lecture, known)
                events = decide(known.state)
                if not events:
                    return []
                try:
                    written = self._append(known, lecture, events)
                except Behind:
                    continue
                known.outbox.extend(known.take_in(written))
                self._note_closed_polls(events)
                return written
        except DBAPIError as error:  # locked for too long, disk full, server gone
            sentence = N_("This could not be saved. Please try again in a moment.")
            raise Unavailable("journal.unavailable", sentence) from error
        raise Unavailable("room.busy", N_("Too much is happening at the same moment. Please try again."))

    def _append(self, known: _Room, lecture: str, events: list[RoomEvent]) -> list[Entry]:
        at_ms = max(self._now_ms(), known.at_ms)
        return self._journal.append(lecture, known.state.seq, at_ms, [(event.type, event.body()) for event in events])

    def _catch_up(self, lecture: str, known: _Room) -> None:
        """Fold what other processes have journalled; they have published it."""
        known.take_in(self._journal.read(lecture, known.state.seq))

    def _publish(self, known: _Room) -> None:
        """Tell the bus, in the order of seq: one thread at a time empties the outbox, for all."""
        with known.lock:
            if known.publishing:
                return  # whoever is at it, perhaps this very thread further out, goes on with ours
            known.publishing = True
        try:
            while change := self._next(known):
                self._bus.publish(change)
        except BaseException:  # a thread that is killed must not silence the room
            known.publishing = False
            raise

    def _next(self, known: _Room) -> RoomChanged | None:
        with known.lock:
            if known.outbox:
                return known.outbox.popleft()
            known.publishing = False
            return None

    def _note_closed_polls(self, events: Iterable[RoomEvent]) -> None:
        """Keep the table's copy of the closing time; the journal has the truth, so a failure is only logged."""
        closed = [event.poll for event in events if isinstance(event, PollClosed)]
        if not closed:
            return
        try:
            with self._db.transaction() as session:
                session.execute(update(Poll).where(Poll.id.in_(closed)).values(closed_at=self._clock.now()))
        except DBAPIError:
            log.exception("closing time not kept", extra={"polls": closed})

    # ---- rooms in memory ------------------------------------------------------------------

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())

    def _room(self, lecture: str) -> _Room:
        with self._rooms_lock:
            if lecture not in self._rooms and len(self._rooms) >= ROOMS_KEPT:
                self._rooms = {name: r for name, r in self._rooms.items() if r.state.phase in ("lobby", "live")}
            return self._rooms.setdefault(lecture, _Room(RoomState(lecture=lecture)))

    def _all_rooms(self) -> list[tuple[str, _Room]]:
        with self._rooms_lock:
            return list(self._rooms.items())
