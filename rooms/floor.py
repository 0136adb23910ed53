"""Who may be seen and heard besides the lecturer: one holder at a time, asked for by raised hands.

Decisions only: each returns the events that follow from a request in a state, none when what is
asked for is so already, and raises when it cannot be. Source: RFC 8855 (BFCP) for the words.
"""

from core.errors import N_, Conflict, NotAllowed
from core.permissions import may
from rooms.actor import Actor, allow, must_be_live
from rooms.events import FloorGranted, FloorReleased, FloorRequested, FloorWithdrawn, RoomEvent
from rooms.state import RoomState


def request(state: RoomState, actor: Actor) -> list[RoomEvent]:
    """Raise the actor's hand.  Raises NotAllowed, Conflict lecture.not_live or floor.not_in_room."""
    allow(state, actor, "floor.request")
    must_be_live(state)
    _must_be_present(state, actor.id)
    if has_hand_up(state, actor.id) or state.floor.holder == actor.id:
        return []
    return [FloorRequested(participant=actor.id)]


def withdraw(state: RoomState, actor: Actor, participant: str) -> list[RoomEvent]:
    """Lower a hand: the actor's own, or for the chair anybody's.  Raises NotAllowed."""
    allow(state, actor, "floor.withdraw")
    if participant != actor.id and not may(actor.role, "floor.grant"):
        raise NotAllowed("floor.not_yours", N_("Only the lecturer lowers somebody else's hand."))
    if not has_hand_up(state, participant):
        return []
    return [FloorWithdrawn(participant=participant, by=actor.id)]


def grant(state: RoomState, actor: Actor, participant: str) -> list[RoomEvent]:
    """Give the floor, taking it from whoever has it.  The hand need not be up.

    Raises NotAllowed; Conflict lecture.not_live, floor.not_in_room, floor.cannot_speak.
    """
    allow(state, actor, "floor.grant")
    must_be_live(state)
    _must_be_present(state, participant)
    if state.present[participant].role != "point":
        raise Conflict("floor.cannot_speak", N_("Only a bridge point can be given the floor."))
    if state.floor.holder == participant:
        return []
    passed = _released(state, actor.id, "passed")
    return [*passed, FloorGranted(participant=participant, by=actor.id)]


def release(state: RoomState, actor: Actor) -> list[RoomEvent]:
    """Give the actor's own floor back.  Raises NotAllowed, Conflict floor.not_holder."""
    allow(state, actor, "floor.release")
    if state.floor.holder != actor.id:
        raise Conflict("floor.not_holder", N_("You do not have the floor."))
    return _released(state, actor.id, "released")


def revoke(state: RoomState, actor: Actor) -> list[RoomEvent]:
    """Take the floor from whoever has it.  Raises NotAllowed."""
    allow(state, actor, "floor.revoke")
    return _released(state, actor.id, "revoked")


def leave(state: RoomState, participant: str) -> list[RoomEvent]:
    """Take hand and floor from somebody who is gone."""
    if state.floor.holder == participant:
        return _released(state, None, "left")
    return [FloorWithdrawn(participant=participant, by=None)] if has_hand_up(state, participant) else []


def end(state: RoomState, by: str | None) -> list[RoomEvent]:
    """Take the floor from whoever has it: the class ends."""
    return _released(state, by, "ended")


def has_hand_up(state: RoomState, participant: str) -> bool:
    """Return whether a participant waits for the floor."""
    return any(waiting.participant == participant for waiting in state.floor.queue)


def _released(state: RoomState, by: str | None, reason: str) -> list[RoomEvent]:
    holder = state.floor.holder
    return [FloorReleased(participant=holder, by=by, reason=reason)] if holder else []  # type: ignore[arg-type]


def _must_be_present(state: RoomState, participant: str) -> None:
    if participant not in state.present:
        raise Conflict("floor.not_in_room", N_("This bridge point is not connected."))
