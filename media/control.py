"""Every message between the web process and a media node, one frozen class each.

HTTP/JSON on loopback with a bearer token:

- `PUT /rooms/{room}` RoomPlan -> RoomStatus          declarative and idempotent
- `DELETE /rooms/{room}` -> 204
- `POST /rooms/{room}/peers/{peer}/up` UpOffer -> UpAnswer
- `POST /rooms/{room}/peers/{peer}/down` DownRequest -> DownOffer
- `PUT /rooms/{room}/peers/{peer}/down` DownAnswer -> 204
- `PATCH /rooms/{room}/peers/{peer}/up|down` IceRestart -> IceRestarted
- `PUT /rooms/{room}/peers/{peer}/sizes` Sizes -> 204
- `DELETE /rooms/{room}/peers/{peer}` -> 204
- `GET /events` NDJSON, one NodeEvent a line, a Heartbeat at least every 2 s
- `GET /metrics` Prometheus text, `GET /healthz` Health

Errors are `{"error": {"code", "message"}}` with status 401, 404, 409, 422 or 503. Nothing here
names a library of the node: another engine can stand behind the same messages.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

RoomId = Annotated[str, Field(pattern=r"^[a-z]+_[0-9a-z]+$", max_length=40)]
PeerId = Annotated[str, Field(pattern=r"^[a-z]+_[0-9a-z]+$", max_length=40)]
Kind = Literal["mic", "camera", "screen"]
PublicationId = Annotated[str, Field(pattern=r"^[a-z]+_[0-9a-z]+/(mic|camera|screen)$")]
SlotId = Annotated[str, Field(pattern=r"^(stage|guest|screen|audio-[0-2]|tile-[0-9]{1,2})$")]
Sdp = Annotated[str, Field(min_length=20, max_length=60_000)]

HALL_SLOTS: tuple[str, ...] = ("audio-0", "audio-1", "audio-2", "stage", "guest", "screen")
TILES = 8
CHAIR_SLOTS: tuple[str, ...] = HALL_SLOTS + tuple(f"tile-{i}" for i in range(TILES))


class Message(BaseModel):
    """Parent of all control messages."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RoomPlan(Message):
    """What a room shall be, whole: put again it changes nothing."""

    version: int  # the journal seq it was made from; an older plan than the one in force is ignored
    slots: dict[SlotId, PublicationId]  # a slot that is not named is empty
    publishers: list[PeerId]  # who may have a publishing leg; others' packets are dropped
    boost: list[PeerId] = []  # whose upload may use full quality (lecturer, floor holder); others idle low
    recording: bool = False  # keep the program in the room's recording folder


class RoomStatus(Message):
    """What a room is."""

    version: int
    peers: list[str]
    publications: list[str]
    shown: dict[str, str]  # slot -> publication that is really forwarded now
    recording: bool


class UpOffer(Message):
    """The browser's offer of its publishing leg; m-lines mic, camera, screen in this order."""

    sdp: Sdp


class UpAnswer(Message):
    """The node's answer."""

    sdp: str


class DownRequest(Message):
    """Which slots the receiving leg shall have, in the order of its m-lines."""

    slots: Annotated[list[SlotId], Field(min_length=1, max_length=40)]


class DownOffer(Message):
    """The node's offer; `leg` must come back with the answer."""

    leg: str
    sdp: str
    slots: list[str]


class DownAnswer(Message):
    """The browser's answer."""

    leg: Annotated[str, Field(max_length=40)]
    sdp: Sdp


class IceRestart(Message):
    """The peer's network changed: both sides take fresh ICE names, DTLS and subscriptions stay."""

    ufrag: Annotated[str, Field(min_length=4, max_length=256)] | None = None  # the peer's new one, if known


class IceRestarted(Message):
    """The node's fresh names."""

    ufrag: str
    pwd: str


class Sizes(Message):
    """How many pixels of height a page can use of each slot; 0: it shows nothing of it."""

    heights: dict[SlotId, Annotated[int, Field(ge=0, le=4320)]]


class Health(Message):
    """That the node lives, and which life it is."""

    ok: bool
    epoch: str  # new at every start of the node
    rooms: int
    peers: int


# ---- events of the node --------------------------------------------------------------------


class Hello(Message):
    """First line of every event stream."""

    type: Literal["hello"] = "hello"
    epoch: str


class Heartbeat(Message):
    """Nothing happened, and the node lives."""

    type: Literal["heartbeat"] = "heartbeat"
    epoch: str


class PeerUp(Message):
    """A leg's DTLS handshake is done."""

    type: Literal["peer.up"] = "peer.up"
    room: str
    peer: str
    leg: Literal["up", "down"]


class PeerDown(Message):
    """A leg is gone."""

    type: Literal["peer.down"] = "peer.down"
    room: str
    peer: str
    leg: Literal["up", "down"]
    reason: str


class TrackStarted(Message):
    """First packets of a publication arrived."""

    type: Literal["track.started"] = "track.started"
    room: str
    publication: str
    codec: str


class TrackStopped(Message):
    """A publication has sent nothing for a while or its leg is gone."""

    type: Literal["track.stopped"] = "track.stopped"
    room: str
    publication: str


class SlotSwitched(Message):
    """A slot now really shows this publication, or nothing."""

    type: Literal["slot.switched"] = "slot.switched"
    room: str
    slot: str
    publication: str | None
    latency_ms: int  # plan received -> first packet of the new source forwarded


class SegmentClosed(Message):
    """A piece of the recording is safe on disk."""

    type: Literal["segment.closed"] = "segment.closed"
    room: str
    track: Literal["program", "screen"]
    name: str
    started_ms: int
    duration_ms: int


class RecorderState(Message):
    """The recorder started, ended, was lost (and is being started again), or cannot write, or can again."""

    type: Literal["recorder.state"] = "recorder.state"
    room: str
    state: Literal["started", "finished", "lost", "stalled", "resumed"]


class Quality(Message):
    """How well a leg is served, every 2 s."""

    type: Literal["quality"] = "quality"
    room: str
    peer: str
    leg: Literal["up", "down"]
    loss: float  # share of packets, 0-1, before repair
    rtt_ms: int | None  # None: not measured yet
    jitter_ms: int
    layer: int  # pixels of height of the largest picture that flows, 0: none
    bitrate_kbps: int
    audio_only: bool  # pictures are left out because the line does not carry them


class Speaking(Message):
    """Somebody began or stopped to speak."""

    type: Literal["speaking"] = "speaking"
    room: str
    peer: str
    speaking: bool


NodeEvent = Annotated[
    Hello
    | Heartbeat
    | PeerUp
    | PeerDown
    | TrackStarted
    | TrackStopped
    | SlotSwitched
    | SegmentClosed
    | RecorderState
    | Quality
    | Speaking,
    Field(discriminator="type"),
]
NODE_EVENT: TypeAdapter[NodeEvent] = TypeAdapter(NodeEvent)
