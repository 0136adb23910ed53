"""Every Socket.IO message, one frozen class each; unknown fields are refused.

The event name on the wire is the class's `type`; the payload is one JSON object with the other
fields. Every request is acknowledged with `{ok: true, ...}` or
`{ok: false, error: {code, message}}`. `docs/protocol.md` and `static/js/messages.d.ts` are
generated from this file by `make protocol`.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from media.control import SlotId
from rooms.events import DeviceState, Id

MAX_SDP = 60_000  # characters; the largest real offer seen is 12 kB (15 m-lines)
Sdp = Annotated[str, Field(min_length=20, max_length=MAX_SDP)]
Level = Literal["good", "weak", "poor", "sound"]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class Message(BaseModel):
    """Parent of all wire messages."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    type: ClassVar[str]


# ---- browser -> server --------------------------------------------------------------------


class RoomJoin(Message):
    """Come in, or come back after a lost connection; the ack is `Joined`."""

    type = "room.join"
    token: Annotated[str, Field(min_length=10, max_length=2000)]  # signed by the page, says who and where


class RoomSnapshot(Message):
    """Ask for the whole state again after a gap in seq; the ack is `Snapshot`."""

    type = "room.snapshot"


class MediaIce(Message):
    """Ask for servers and fresh credentials before a peer connection is made; the ack is `Ice`."""

    type = "media.ice"


class MediaUp(Message):
    """Offer the publishing leg: mic, camera, screen m-lines; the ack is `Answer`."""

    type = "media.up"
    sdp: Sdp


class MediaDown(Message):
    """Ask for the receiving leg; the ack is `Offer`."""

    type = "media.down"


class MediaDownAnswer(Message):
    """Answer the node's offer."""

    type = "media.down_answer"
    leg: Annotated[str, Field(max_length=40)]  # from `Offer`, so that an old answer cannot meet a new offer
    sdp: Sdp


class MediaSize(Message):
    """Tell how high each picture is shown, so that nobody is sent more than that; what is not named stays as it was.

    For the present receiving leg: a page that has negotiated a new one says it again.
    """

    type = "media.size"
    heights: Annotated[  # by slot: pixels a page can use, 0: it shows nothing of it
        dict[SlotId, Annotated[int, Field(ge=0, le=4320)]], Field(max_length=40)
    ]


class MediaRestart(Message):
    """Restart ICE of a leg after a change of network; DTLS and subscriptions stay. The ack is `IceNames`."""

    type = "media.restart"
    leg: Literal["up", "down"]
    ufrag: Annotated[str, Field(min_length=4, max_length=256)] | None = None  # the page's new one, if it is known yet


class LectureStart(Message):
    """Go live."""

    type = "lecture.start"


class LectureEnd(Message):
    """End the class for everybody."""

    type = "lecture.end"


class FloorRequest(Message):
    """Raise the hand."""

    type = "floor.request"


class FloorWithdraw(Message):
    """Lower a hand: one's own, or, for the chair, somebody's."""

    type = "floor.withdraw"
    participant: Id | None = None


class FloorGrant(Message):
    """Give the floor; whoever had it loses it."""

    type = "floor.grant"
    participant: Id


class FloorRelease(Message):
    """Give the floor back."""

    type = "floor.release"


class FloorRevoke(Message):
    """Take the floor away from whoever has it."""

    type = "floor.revoke"


class PollOpen(Message):
    """Put a single-choice question to the class; the ack carries `poll`."""

    type = "poll.open"
    question: Text
    options: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=2, max_length=10)]


class PollClose(Message):
    """Close the open poll."""

    type = "poll.close"
    poll: Id


class PointReport(Message):
    """What a point's own test of its equipment found."""

    type = "point.report"
    camera: DeviceState
    microphone: DeviceState


REQUESTS: dict[str, type[Message]] = {
    m.type: m
    for m in (
        RoomJoin, RoomSnapshot, MediaIce, MediaUp, MediaDown, MediaDownAnswer, MediaSize, MediaRestart, LectureStart,
        LectureEnd, FloorRequest, FloorWithdraw, FloorGrant, FloorRelease, FloorRevoke, PollOpen, PollClose,
        PointReport,
    )
}  # fmt: skip


# ---- acks ---------------------------------------------------------------------------------


class IceServer(Message):
    """One entry of a browser's `iceServers`."""

    type = "ice_server"
    urls: list[str]
    username: str
    credential: str


class Ice(Message):
    """Ack of `media.ice`: what a peer connection is made with."""

    type = "ice"
    servers: list[IceServer]  # empty where there is no relay
    ttl_s: int  # a connection made later than this needs fresh ones


class Media(Message):
    """What a browser needs to know before it negotiates."""

    type = "media"
    epoch: str  # changes when the room is on another media node: negotiate both legs again; empty: not known yet
    publish: list[Literal["mic", "camera", "screen"]]  # empty: receive only
    ice: Ice


class Snapshot(Message):
    """The state up to and including its own `seq`, and the words for the ids in it."""

    type = "snapshot"
    state: dict[str, Any]  # rooms.state.RoomState as JSON
    labels: dict[str, Any]  # id -> name of a person or point; poll id -> {question, options}
    server_ms: int


class Joined(Snapshot):
    """Ack of `room.join`."""

    type = "joined"
    you: str  # participant id
    role: str
    media: Media


class Answer(Message):
    """Ack of `media.up`."""

    type = "answer"
    sdp: str


class Offer(Message):
    """Ack of `media.down`: the slots are the m-lines, `a=msid` names each slot."""

    type = "offer"
    leg: str
    sdp: str
    slots: list[str]


class IceNames(Message):
    """Ack of `media.restart`: the node's names, in place of those in the description that the page has."""

    type = "ice_names"
    ufrag: str
    pwd: str


# ---- server -> browser --------------------------------------------------------------------


class RoomEventMessage(Message):
    """One journal entry, as it happened."""

    type = "room.event"
    seq: int
    at_ms: int
    event: dict[str, Any]  # rooms.events.RoomEvent as JSON, with its type
    labels: dict[str, Any]  # words for ids that first appear in this event


class MediaReset(Message):
    """The room is on another media node, or its node was restarted: negotiate both legs again."""

    type = "media.reset"
    epoch: str


class RoomReplaced(Message):
    """The same participant came in elsewhere; this connection has no part in the room any more."""

    type = "room.replaced"


class Signal(Message):
    """How good a participant's line is, and whether they speak."""

    type = "signal"
    level: Level | None = None  # the worst of the last 6 s; sound: pictures are left out; null: not known yet
    loss_percent: int = 0  # of packets, before repair
    rtt_ms: int | None = None  # in steps of 50
    speaking: bool = False


class RoomSignals(Message):
    """What is new about lines and voices, at most every 2 s but for who speaks; not in the journal."""

    type = "room.signals"
    signals: dict[str, Signal | None]  # by participant: chairs get everybody, others themselves; null: gone


PUSHES: tuple[type[Message], ...] = (RoomEventMessage, MediaReset, RoomReplaced, RoomSignals)
