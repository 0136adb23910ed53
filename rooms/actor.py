"""Who acts in a room, and whether they may."""

from dataclasses import dataclass

from core.errors import N_, Conflict, NotAllowed
from core.permissions import Action, Role, require
from rooms.state import RoomState


@dataclass(frozen=True)
class Actor:
    """The participant or operator a request comes from."""

    id: str
    role: Role


def allow(state: RoomState, actor: Actor, action: Action) -> None:
    """Raise NotAllowed unless the actor may do this in this room.

    A lecturer has a say only in their own class: `lecture.not_yours`. Whose it is is known from
    the lobby on; before that nothing can be done in a room anyway.
    """
    require((actor.role,), action)
    if actor.role == "lecturer" and state.phase != "none" and actor.id != state.lecturer:
        raise NotAllowed("lecture.not_yours", N_("This class is given by somebody else."))


def must_be_live(state: RoomState) -> None:
    """Raise Conflict `lecture.not_live` unless the class runs."""
    if state.phase != "live":
        raise Conflict("lecture.not_live", N_("This class is not live."))


def must_be_open(state: RoomState) -> None:
    """Raise Conflict `lecture.ended` or `lecture.not_open` unless the lobby or the class is open."""
    if state.phase == "ended":
        raise Conflict("lecture.ended", N_("This class has ended."))
    if state.phase == "none":
        raise Conflict("lecture.not_open", N_("This class is not open yet."))


def is_point(state: RoomState, point: str) -> bool:
    """Return whether a bridge point takes part in this lecture."""
    return point == state.main_point or point in state.points
