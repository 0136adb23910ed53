"""A hall's encoder: it publishes for its point, and while it does the point's page only watches.

Decisions only, as in `rooms.floor`.
"""

from typing import Literal

from core.errors import N_, Conflict
from rooms import room
from rooms.actor import Actor
from rooms.events import EncoderStarted, EncoderStopped, RoomEvent
from rooms.state import RoomState

Reason = Literal["left", "lost", "revoked"]


def start(state: RoomState, point: str, now_ms: int) -> list[RoomEvent]:
    """Let a point's encoder in, and its point with it; nothing when it is there already.

    Raises what `room.join` raises for the point.
    """
    joined = room.join(state, Actor(point, "point"), now_ms)
    return joined if point in state.encoders else [*joined, EncoderStarted(point=point)]


def stop(state: RoomState, point: str, reason: Reason) -> list[RoomEvent]:
    """Note that a point's encoder is gone; the point itself may still be here with its page."""
    return [EncoderStopped(point=point, reason=reason)] if point in state.encoders else []


def may_publish(state: RoomState, participant: str) -> None:
    """Raise Conflict `media.encoder_active` for the page of a point whose encoder publishes."""
    if participant in state.encoders:
        raise Conflict("media.encoder_active", N_("An encoder sends picture and sound of this bridge point."))
