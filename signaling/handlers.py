"""What each request of a browser does: one call of a service each.

Who asks is the connection's member; a message never says who sends it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.clock import Clock, to_ms
from core.errors import N_, NotAllowed
from core.permissions import Action, may
from rooms.encoder import may_publish
from rooms.service import RoomService
from rooms.state import RoomState
from signaling.broadcast import Words, ids_of_state
from signaling.connections import Member, TokenClaims
from signaling.media_bridge import MediaBridge
from signaling.messages import (
    Answer,
    FloorGrant,
    FloorWithdraw,
    IceNames,
    Joined,
    Media,
    MediaDownAnswer,
    MediaRestart,
    MediaSize,
    MediaUp,
    Message,
    Offer,
    PointReport,
    PollClose,
    PollOpen,
    Snapshot,
)
from signaling.turn import Turn

Reply = dict[str, Any]


@dataclass(frozen=True)
class Parts:
    """What the handlers may use."""

    rooms: RoomService
    media: MediaBridge
    verify_token: Callable[[str], TokenClaims]  # raises NotAllowed
    words: Words
    clock: Clock
    turn: Turn


Handler = Callable[[Parts, Member, Any], Reply]


def _allow(who: Member, action: Action) -> None:
    if not may(who.role, action):
        raise NotAllowed("permission.denied", N_("You are not allowed to do this."), action=action)


def _snapshot(parts: Parts, state: RoomState) -> Reply:
    return {
        "state": state.model_dump(mode="json"),
        "labels": parts.words(sorted(ids_of_state(state))),
        "server_ms": to_ms(parts.clock.now()),
    }


def joined(parts: Parts, who: Member, state: RoomState) -> Joined:
    """Return the ack of `room.join`: the whole state, and what is needed to negotiate."""
    publishes = may(who.role, "media.publish")
    media = Media(
        epoch=parts.media.epoch_of(who.lecture),
        publish=["mic", "camera", "screen"] if publishes else [],
        ice=parts.turn.ice(who.participant),
    )
    return Joined(**_snapshot(parts, state), you=who.participant, role=who.role, media=media)


def room_snapshot(parts: Parts, who: Member, message: Message) -> Reply:
    """Give the whole state again."""
    return Snapshot(**_snapshot(parts, parts.rooms.state(who.lecture))).model_dump()


def media_ice(parts: Parts, who: Member, message: Message) -> Reply:
    """Give servers and fresh credentials for the next connection."""
    _allow(who, "media.subscribe")
    return parts.turn.ice(who.participant).model_dump()


def media_up(parts: Parts, who: Member, message: MediaUp) -> Reply:
    """Negotiate the publishing leg.  Raises Conflict while an encoder publishes for this point."""
    _allow(who, "media.publish")
    may_publish(parts.rooms.state(who.lecture), who.participant)
    return Answer(sdp=parts.media.up(who.lecture, who.participant, message.sdp)).model_dump()


def media_down(parts: Parts, who: Member, message: Message) -> Reply:
    """Begin to negotiate the receiving leg."""
    _allow(who, "media.subscribe")
    offer = parts.media.down(who.lecture, who.participant, who.role)
    return Offer(leg=offer.leg, sdp=offer.sdp, slots=offer.slots).model_dump()


def media_down_answer(parts: Parts, who: Member, message: MediaDownAnswer) -> Reply:
    """Finish negotiating the receiving leg."""
    _allow(who, "media.subscribe")
    parts.media.down_answer(who.lecture, who.participant, message.leg, message.sdp)
    return {}


def media_size(parts: Parts, who: Member, message: MediaSize) -> Reply:
    """Take how high a page shows its pictures."""
    _allow(who, "media.subscribe")
    parts.media.resize(who.lecture, who.participant, message.heights)
    return {}


def media_restart(parts: Parts, who: Member, message: MediaRestart) -> Reply:
    """Give one of the page's own legs fresh ICE names.  Raises Conflict while the publishing leg is an encoder's."""
    _allow(who, "media.publish" if message.leg == "up" else "media.subscribe")
    if message.leg == "up":
        may_publish(parts.rooms.state(who.lecture), who.participant)
    ice = parts.media.restart_ice(who.lecture, who.participant, message.leg, message.ufrag)
    return IceNames(ufrag=ice.ufrag, pwd=ice.pwd).model_dump()


def lecture_start(parts: Parts, who: Member, message: Message) -> Reply:
    """Go live."""
    parts.rooms.start(who.lecture, who.participant, who.role)
    return {}


def lecture_end(parts: Parts, who: Member, message: Message) -> Reply:
    """End the class."""
    parts.rooms.end(who.lecture, who.participant, who.role)
    return {}


def floor_request(parts: Parts, who: Member, message: Message) -> Reply:
    """Raise the hand."""
    parts.rooms.request_floor(who.lecture, who.participant, who.role)
    return {}


def floor_withdraw(parts: Parts, who: Member, message: FloorWithdraw) -> Reply:
    """Lower one's own hand, or as the chair somebody's."""
    parts.rooms.withdraw_floor(who.lecture, who.participant, who.role, message.participant or who.participant)
    return {}


def floor_grant(parts: Parts, who: Member, message: FloorGrant) -> Reply:
    """Give the floor."""
    parts.rooms.grant_floor(who.lecture, who.participant, who.role, message.participant)
    return {}


def floor_release(parts: Parts, who: Member, message: Message) -> Reply:
    """Give the floor back."""
    parts.rooms.release_floor(who.lecture, who.participant, who.role)
    return {}


def floor_revoke(parts: Parts, who: Member, message: Message) -> Reply:
    """Take the floor from whoever has it."""
    parts.rooms.revoke_floor(who.lecture, who.participant, who.role)
    return {}


def poll_open(parts: Parts, who: Member, message: PollOpen) -> Reply:
    """Put a question to the class.  The ack carries the poll's id."""
    poll = parts.rooms.open_poll(who.lecture, who.participant, who.role, message.question, message.options)
    return {"poll": poll}


def poll_close(parts: Parts, who: Member, message: PollClose) -> Reply:
    """Close the open poll."""
    parts.rooms.close_poll(who.lecture, who.participant, who.role, message.poll)
    return {}


def point_report(parts: Parts, who: Member, message: PointReport) -> Reply:
    """Keep what a point's own test found."""
    parts.rooms.report_point(who.lecture, who.participant, who.role, message.camera, message.microphone)
    return {}


HANDLERS: dict[str, Handler] = {
    "room.snapshot": room_snapshot,
    "media.ice": media_ice,
    "media.up": media_up,
    "media.down": media_down,
    "media.down_answer": media_down_answer,
    "media.size": media_size,
    "media.restart": media_restart,
    "lecture.start": lecture_start,
    "lecture.end": lecture_end,
    "floor.request": floor_request,
    "floor.withdraw": floor_withdraw,
    "floor.grant": floor_grant,
    "floor.release": floor_release,
    "floor.revoke": floor_revoke,
    "poll.open": poll_open,
    "poll.close": poll_close,
    "point.report": point_report,
}
