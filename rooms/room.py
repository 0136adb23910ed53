"""The class itself: who may come in, when it begins and ends, what points say of themselves.

Decisions only, as in `rooms.floor`: no I/O, no clock; each returns the events that follow.
"""

from collections.abc import Sequence

from core.errors import N_, Conflict, NotAllowed, NotFound
from rooms import floor, poll
from rooms.actor import Actor, allow, is_point, must_be_live, must_be_open
from rooms.events import (
    DeviceState,
    LectureEnded,
    LectureOpened,
    LectureStarted,
    ParticipantJoined,
    ParticipantLeft,
    PeopleCounted,
    PointReported,
    RecordingStarted,
    RecordingStopped,
    RoomEvent,
    RoomRole,
    SlotSwitched,
)
from rooms.poll import Count
from rooms.state import RoomState

JOURNALLED_SLOTS = ("stage", "guest", "screen", "audio-0", "audio-1", "audio-2")


def open_lobby(state: RoomState, lecturer: str, main_point: str, points: Sequence[str]) -> list[RoomEvent]:
    """Let participants in; nothing when the room was opened before.

    points: the joining ones in the order of the plan; the main point is left out of them.
    """
    if state.phase != "none":
        return []
    joining = [point for point in dict.fromkeys(points) if point != main_point]
    return [LectureOpened(lecturer=lecturer, main_point=main_point, points=joining)]


def join(state: RoomState, actor: Actor, now_ms: int) -> list[RoomEvent]:
    """Let somebody in; nothing when they are here already in the same role.

    Raises Conflict lecture.not_open or lecture.ended; NotAllowed lecture.not_yours,
    room.not_invited or permission.denied.
    """
    allow(state, actor, "room.join")  # a stranger learns no more than that
    must_be_open(state)
    if actor.role == "point" and not is_point(state, actor.id):
        raise NotAllowed("room.not_invited", N_("This bridge point does not take part in this class."))
    before = state.present.get(actor.id)
    if before and before.role == actor.role:
        return []
    left = leave(state, actor.id, "left", now_ms)
    return [*left, ParticipantJoined(participant=actor.id, role=_room_role(actor))]


def leave(state: RoomState, participant: str, reason: str, since_ms: int) -> list[RoomEvent]:
    """Take somebody out, with hand and floor; nothing when they are not here.

    reason: left, lost or ended; since_ms: when they were last seen, milliseconds since 1970 UTC.
    """
    if participant not in state.present:
        return []
    gone = ParticipantLeft(participant=participant, reason=reason, since_ms=since_ms)  # type: ignore[arg-type]
    return [*floor.leave(state, participant), gone]


def start(state: RoomState, actor: Actor) -> list[RoomEvent]:
    """Go live, and keep what is shown from here on; nothing when it is live already.

    Raises NotAllowed; Conflict lecture.not_open, lecture.ended or room.not_joined.
    """
    allow(state, actor, "lecture.start")
    must_be_open(state)
    if actor.id not in state.present:
        raise Conflict("room.not_joined", N_("Join the room first."))
    if state.phase == "live":
        return []
    return [LectureStarted(by=actor.id), RecordingStarted()]


def may_end(state: RoomState, actor: Actor) -> None:
    """Raise NotAllowed or Conflict lecture.not_live unless the actor may end the class now."""
    allow(state, actor, "lecture.end")
    if state.phase != "ended":
        must_be_live(state)


def end(state: RoomState, by: str | None, reason: str, count: Count | None, now_ms: int) -> list[RoomEvent]:
    """End the class for everybody: floor, poll and recording first, then all leave.

    by: None when the clock ends it; reason: ended or expired; count: the final one of the open
    poll, if known.  Nothing when the room is not open.
    """
    if state.phase not in ("lobby", "live"):
        return []
    over = LectureEnded(by=by, reason=reason)  # type: ignore[arg-type]
    stopped: list[RoomEvent] = [RecordingStopped()] if state.recording else []
    leaving = [ParticipantLeft(participant=who, reason="ended", since_ms=now_ms) for who in state.present]
    return [*floor.end(state, by), *poll.close(state, None, count), *stopped, over, *leaving]


def count_people(state: RoomState, actor: Actor, point: str, people: int) -> list[RoomEvent]:
    """Take a point's declared head-count; nothing when it is the same as before.

    Raises NotAllowed, NotFound point.not_in_lecture, Conflict lecture.not_open or lecture.ended.
    """
    allow(state, actor, "point.people")
    must_be_open(state)
    if not is_point(state, point):
        raise NotFound("point.not_in_lecture", N_("This bridge point does not take part in this class."))
    if state.people.get(point) == people:
        return []
    return [PeopleCounted(point=point, people=people, by=actor.id)]


def report(state: RoomState, actor: Actor, camera: DeviceState, microphone: DeviceState) -> list[RoomEvent]:
    """Take a point's own test of its equipment; nothing when it found the same as before.

    Raises NotAllowed, Conflict room.not_joined.
    """
    allow(state, actor, "point.report")
    if actor.id not in state.present:
        raise Conflict("room.not_joined", N_("Join the room first."))
    last = state.reports.get(actor.id)
    if last and (last.camera, last.microphone) == (camera, microphone):
        return []
    return [PointReported(point=actor.id, camera=camera, microphone=microphone)]


def switched(state: RoomState, slot: str, publication: str | None, latency_ms: int) -> list[RoomEvent]:
    """Note what a slot really shows; nothing when that is known, and nothing for tiles.

    Tiles are a chair's overview: paged at will, seen by one person, of no weight as evidence, and
    sixty-four points would fill the journal with them.
    """
    shown = state.slots.get(slot)
    known = (shown.publication if shown else None) == publication
    if known or slot not in JOURNALLED_SLOTS or state.phase not in ("lobby", "live"):
        return []
    return [SlotSwitched(slot=slot, publication=publication, latency_ms=max(0, latency_ms))]


def recording(state: RoomState, on: bool) -> list[RoomEvent]:
    """Note that the program is kept, or is not; only a live class is recorded."""
    if on == state.recording or (on and state.phase != "live"):
        return []
    return [RecordingStarted() if on else RecordingStopped()]


def _room_role(actor: Actor) -> RoomRole:
    match actor.role:
        case "lecturer" | "point" | "observer" as role:
            return role
        case _:
            return "organiser"  # an administrator helps as one
