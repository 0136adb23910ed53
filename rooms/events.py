"""Everything that can happen in a room, one frozen class each.

These are the rows of the journal and, with their seq, what every browser is told. They carry ids,
never names. Times are not in the body: an entry's own `at_ms` says when.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from rooms.state import RoomState

Id = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z]+_[0-9a-z]+$")]
RoomRole = Literal["lecturer", "point", "organiser", "observer"]
SlotName = Annotated[str, Field(pattern=r"^(stage|guest|screen|audio-[0-2]|tile-[0-9]{1,2})$")]
Publication = Annotated[str, Field(pattern=r"^[a-z]+_[0-9a-z]+/(mic|camera|screen)$")]  # participant/kind
DeviceState = Literal["ok", "missing", "denied", "silent"]


class Event(BaseModel):
    """Parent of all room events."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    type: str

    def body(self) -> dict[str, Any]:
        """Return the event's fields as JSON, without its type."""
        return self.model_dump(mode="json", exclude={"type"})


class LectureOpened(Event):
    """The lobby opens: these may come in."""

    type: Literal["lecture.opened"] = "lecture.opened"
    lecturer: Id
    main_point: Id
    points: list[Id]  # joining points, in the order of the plan


class LectureStarted(Event):
    """The lecturer went live."""

    type: Literal["lecture.started"] = "lecture.started"
    by: Id


class LectureEnded(Event):
    """The class is over."""

    type: Literal["lecture.ended"] = "lecture.ended"
    by: Id | None  # None: the clock ended it
    reason: Literal["ended", "expired"]


class ParticipantJoined(Event):
    """Somebody's connection is here. A reconnect within the grace period says nothing."""

    type: Literal["participant.joined"] = "participant.joined"
    participant: Id  # a bridge point's id for its device, otherwise a person's id
    role: RoomRole


class ParticipantLeft(Event):
    """Somebody is gone, since `since_ms`: when the connection was last seen, not when we gave up."""

    type: Literal["participant.left"] = "participant.left"
    participant: Id
    reason: Literal["left", "lost", "ended"]
    since_ms: int


class PointReported(Event):
    """A point's own test of its equipment."""

    type: Literal["point.reported"] = "point.reported"
    point: Id
    camera: DeviceState
    microphone: DeviceState


class PeopleCounted(Event):
    """The operator declared how many people sit at a point."""

    type: Literal["people.counted"] = "people.counted"
    point: Id
    people: Annotated[int, Field(ge=0, le=100_000)]
    by: Id


class FloorRequested(Event):
    """A hand is up. Source: RFC 8855 section 5.3.1 (FloorRequest)."""

    type: Literal["floor.requested"] = "floor.requested"
    participant: Id


class FloorWithdrawn(Event):
    """A hand is down again without the floor."""

    type: Literal["floor.withdrawn"] = "floor.withdrawn"
    participant: Id
    by: Id | None  # None: it left


class FloorGranted(Event):
    """This participant is now seen and heard by everybody."""

    type: Literal["floor.granted"] = "floor.granted"
    participant: Id
    by: Id


class FloorReleased(Event):
    """The floor is free again."""

    type: Literal["floor.released"] = "floor.released"
    participant: Id
    by: Id | None
    reason: Literal["released", "revoked", "passed", "left", "ended"]


class SlotSwitched(Event):
    """The media node now really shows this in a slot (or nothing)."""

    type: Literal["slot.switched"] = "slot.switched"
    slot: SlotName
    publication: Publication | None
    latency_ms: Annotated[int, Field(ge=0)]  # command to first forwarded packet


class PollOpened(Event):
    """A question is put to the class; its words are in the `polls` table."""

    type: Literal["poll.opened"] = "poll.opened"
    poll: Id
    options: Annotated[int, Field(ge=2, le=10)]
    by: Id


class PollTallied(Event):
    """The count so far, at most twice a second."""

    type: Literal["poll.tallied"] = "poll.tallied"
    poll: Id
    counts: list[Annotated[int, Field(ge=0)]]  # one per option: phones and hand-counts together
    phones: Annotated[int, Field(ge=0)]  # how many of them came from phones


class PollClosed(Event):
    """The final count; nothing is accepted after it."""

    type: Literal["poll.closed"] = "poll.closed"
    poll: Id
    counts: list[Annotated[int, Field(ge=0)]]
    phones: Annotated[int, Field(ge=0)]
    by: Id | None  # None: the class ended


class EncoderStarted(Event):
    """A point's encoder publishes picture and sound (WHIP); the point's own page only watches."""

    type: Literal["encoder.started"] = "encoder.started"
    point: Id


class EncoderStopped(Event):
    """A point's encoder is gone: it said goodbye, was lost, or its token was revoked."""

    type: Literal["encoder.stopped"] = "encoder.stopped"
    point: Id
    reason: Literal["left", "lost", "revoked"]


class RecordingStarted(Event):
    """From here on the program is kept."""

    type: Literal["recording.started"] = "recording.started"


class RecordingStopped(Event):
    """Nothing more is kept; the replay is whole."""

    type: Literal["recording.stopped"] = "recording.stopped"


RoomEvent = Annotated[
    LectureOpened
    | LectureStarted
    | LectureEnded
    | ParticipantJoined
    | ParticipantLeft
    | PointReported
    | PeopleCounted
    | FloorRequested
    | FloorWithdrawn
    | FloorGranted
    | FloorReleased
    | SlotSwitched
    | PollOpened
    | PollTallied
    | PollClosed
    | EncoderStarted
    | EncoderStopped
    | RecordingStarted
    | RecordingStopped,
    Field(discriminator="type"),
]
EVENT: TypeAdapter[RoomEvent] = TypeAdapter(RoomEvent)


def parse(kind: str, body: dict[str, Any]) -> RoomEvent:
    """Return the event of a journal row.

    kind: the row's type; body: its JSON object.  Raises pydantic.ValidationError on anything else.
    """
    return EVENT.validate_python({**body, "type": kind})


@dataclass(frozen=True)
class RoomChanged:
    """Published on the bus for each journalled entry: the event, and the state right after it."""

    lecture: str
    seq: int
    at_ms: int
    event: RoomEvent
    state: RoomState
