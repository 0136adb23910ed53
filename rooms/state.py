"""The folded state of a room: plain, frozen, the same shape in Python, in JSON and in state.js."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Phase = Literal["none", "lobby", "live", "ended"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Presence(_Part):
    """A participant who is here."""

    role: str
    since_ms: int


class Report(_Part):
    """The last self-test of a point."""

    camera: str
    microphone: str
    at_ms: int


class Request(_Part):
    """A raised hand."""

    participant: str
    at_ms: int


class Floor(_Part):
    """Who has the floor, and who asks for it, oldest first."""

    holder: str | None = None
    since_ms: int | None = None
    queue: tuple[Request, ...] = ()


class Shown(_Part):
    """What a slot shows since when."""

    publication: str
    since_ms: int


class OpenPoll(_Part):
    """The poll that is open."""

    poll: str
    counts: tuple[int, ...]
    phones: int
    opened_ms: int


class PollResult(_Part):
    """A poll that is closed."""

    poll: str
    counts: tuple[int, ...]
    phones: int
    opened_ms: int
    closed_ms: int


class RoomState(_Part):
    """Everything a screen needs to paint a room, and nothing that a fold of the journal cannot give."""

    lecture: str
    seq: int = 0
    phase: Phase = "none"
    lecturer: str | None = None
    main_point: str | None = None
    points: tuple[str, ...] = ()
    opened_ms: int | None = None
    started_ms: int | None = None
    ended_ms: int | None = None
    present: dict[str, Presence] = {}
    reports: dict[str, Report] = {}
    people: dict[str, int] = {}
    encoders: tuple[str, ...] = ()  # points whose encoder publishes
    floor: Floor = Floor()
    slots: dict[str, Shown] = {}  # only slots that show something
    poll: OpenPoll | None = None
    results: tuple[PollResult, ...] = ()
    recording: bool = False
