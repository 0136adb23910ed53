"""The fold: a room's state after one more journal entry. `static/js/state.js` is the same in JavaScript.

It never refuses: what is in the journal has happened. An event that contradicts the state (a
second start, a tally of a closed poll, a release by somebody who has no floor) changes only seq.
"""

from collections.abc import Callable, Iterable
from typing import Any

from rooms.events import (
    EncoderStarted,
    EncoderStopped,
    FloorGranted,
    FloorReleased,
    FloorRequested,
    FloorWithdrawn,
    LectureEnded,
    LectureOpened,
    LectureStarted,
    ParticipantJoined,
    ParticipantLeft,
    PeopleCounted,
    PointReported,
    PollClosed,
    PollOpened,
    PollTallied,
    RecordingStarted,
    RecordingStopped,
    RoomEvent,
    SlotSwitched,
)
from rooms.state import Floor, OpenPoll, PollResult, Presence, Report, Request, RoomState, Shown

Change = dict[str, Any]  # fields of RoomState that become something else


def fold(state: RoomState, entry_seq: int, at_ms: int, event: RoomEvent) -> RoomState:
    """Return the state after an entry.

    entry_seq: the entry's number; one that is in the state already (≤ state.seq) changes nothing.
    at_ms: its time, milliseconds since 1970 UTC.
    """
    if entry_seq <= state.seq:
        return state
    change = _RULES[type(event)](state, at_ms, event)
    return state.model_copy(update={**change, "seq": entry_seq})


def fold_all(state: RoomState, entries: Iterable[tuple[int, int, RoomEvent]]) -> RoomState:
    """Return the state after several (seq, at_ms, event) in order."""
    for seq, at_ms, event in entries:
        state = fold(state, seq, at_ms, event)
    return state


# ---- the class --------------------------------------------------------------------------------


def _opened(state: RoomState, at_ms: int, event: LectureOpened) -> Change:
    if state.phase != "none":
        return {}
    return {
        "phase": "lobby",
        "opened_ms": at_ms,
        "lecturer": event.lecturer,
        "main_point": event.main_point,
        "points": tuple(event.points),
    }


def _started(state: RoomState, at_ms: int, event: LectureStarted) -> Change:
    return {"phase": "live", "started_ms": at_ms} if state.phase == "lobby" else {}


def _ended(state: RoomState, at_ms: int, event: LectureEnded) -> Change:
    if state.phase == "ended":
        return {}
    over: Change = {
        "phase": "ended",
        "ended_ms": at_ms,
        "floor": Floor(),
        "slots": {},
        "encoders": (),
        "recording": False,
    }
    return {**over, **_without_poll(state, at_ms)}


def _recording_started(state: RoomState, at_ms: int, event: RecordingStarted) -> Change:
    return {"recording": state.phase != "ended"}


def _recording_stopped(state: RoomState, at_ms: int, event: RecordingStopped) -> Change:
    return {"recording": False}


def _switched(state: RoomState, at_ms: int, event: SlotSwitched) -> Change:
    others = {slot: shown for slot, shown in state.slots.items() if slot != event.slot}
    if event.publication is None or state.phase == "ended":
        return {"slots": others}
    return {"slots": {**others, event.slot: Shown(publication=event.publication, since_ms=at_ms)}}


# ---- who is here ------------------------------------------------------------------------------


def _joined(state: RoomState, at_ms: int, event: ParticipantJoined) -> Change:
    before = state.present.get(event.participant)
    since_ms = before.since_ms if before else at_ms
    return {"present": {**state.present, event.participant: Presence(role=event.role, since_ms=since_ms)}}


def _left(state: RoomState, at_ms: int, event: ParticipantLeft) -> Change:
    gone = event.participant
    holder = {} if state.floor.holder != gone else {"holder": None, "since_ms": None}
    return {
        "present": {who: presence for who, presence in state.present.items() if who != gone},
        "floor": state.floor.model_copy(update={"queue": _queue_without(state, gone), **holder}),
        "encoders": _encoders_without(state, gone),
    }


def _encoders_without(state: RoomState, point: str) -> tuple[str, ...]:
    return tuple(other for other in state.encoders if other != point)


def _encoder_started(state: RoomState, at_ms: int, event: EncoderStarted) -> Change:
    if state.phase == "ended":
        return {}
    return {"encoders": (*_encoders_without(state, event.point), event.point)}


def _encoder_stopped(state: RoomState, at_ms: int, event: EncoderStopped) -> Change:
    return {"encoders": _encoders_without(state, event.point)}


def _reported(state: RoomState, at_ms: int, event: PointReported) -> Change:
    report = Report(camera=event.camera, microphone=event.microphone, at_ms=at_ms)
    return {"reports": {**state.reports, event.point: report}}


def _counted(state: RoomState, at_ms: int, event: PeopleCounted) -> Change:
    return {"people": {**state.people, event.point: event.people}}


# ---- the floor --------------------------------------------------------------------------------


def _queue_without(state: RoomState, participant: str) -> tuple[Request, ...]:
    return tuple(request for request in state.floor.queue if request.participant != participant)


def _requested(state: RoomState, at_ms: int, event: FloorRequested) -> Change:
    waiting = any(request.participant == event.participant for request in state.floor.queue)
    if waiting or state.floor.holder == event.participant or state.phase == "ended":
        return {}
    queue = (*state.floor.queue, Request(participant=event.participant, at_ms=at_ms))
    return {"floor": state.floor.model_copy(update={"queue": queue})}


def _withdrawn(state: RoomState, at_ms: int, event: FloorWithdrawn) -> Change:
    return {"floor": state.floor.model_copy(update={"queue": _queue_without(state, event.participant)})}


def _granted(state: RoomState, at_ms: int, event: FloorGranted) -> Change:
    if state.floor.holder == event.participant or state.phase == "ended":
        return {}
    return {"floor": Floor(holder=event.participant, since_ms=at_ms, queue=_queue_without(state, event.participant))}


def _released(state: RoomState, at_ms: int, event: FloorReleased) -> Change:
    if state.floor.holder != event.participant:
        return {}
    return {"floor": state.floor.model_copy(update={"holder": None, "since_ms": None})}


# ---- the poll ---------------------------------------------------------------------------------


def _without_poll(state: RoomState, at_ms: int) -> Change:
    """Close the open poll, if there is one, with the counts it has."""
    if state.poll is None:
        return {}
    result = PollResult(**state.poll.model_dump(), closed_ms=at_ms)
    return {"poll": None, "results": (*state.results, result)}


def _poll_opened(state: RoomState, at_ms: int, event: PollOpened) -> Change:
    if state.phase == "ended":
        return {}
    fresh = OpenPoll(poll=event.poll, counts=(0,) * event.options, phones=0, opened_ms=at_ms)
    return {**_without_poll(state, at_ms), "poll": fresh}


def _poll_tallied(state: RoomState, at_ms: int, event: PollTallied | PollClosed) -> Change:
    if state.poll is None or state.poll.poll != event.poll:
        return {}
    counted = {"counts": tuple(event.counts), "phones": event.phones}
    return {"poll": state.poll.model_copy(update=counted)}


def _poll_closed(state: RoomState, at_ms: int, event: PollClosed) -> Change:
    counted = _poll_tallied(state, at_ms, event)
    return _without_poll(state.model_copy(update=counted), at_ms) if counted else {}


_RULES: dict[type[Any], Callable[[RoomState, int, Any], Change]] = {
    LectureOpened: _opened,
    LectureStarted: _started,
    LectureEnded: _ended,
    RecordingStarted: _recording_started,
    RecordingStopped: _recording_stopped,
    SlotSwitched: _switched,
    ParticipantJoined: _joined,
    ParticipantLeft: _left,
    PointReported: _reported,
    PeopleCounted: _counted,
    FloorRequested: _requested,
    FloorWithdrawn: _withdrawn,
    FloorGranted: _granted,
    FloorReleased: _released,
    PollOpened: _poll_opened,
    PollTallied: _poll_tallied,
    PollClosed: _poll_closed,
    EncoderStarted: _encoder_started,
    EncoderStopped: _encoder_stopped,
}
