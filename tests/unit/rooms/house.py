"""A room service under test: what it publishes, verbs for what people do, and the truth to compare with."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from core.bus import EventBus
from core.db import Database
from core.errors import AppError
from core.journal import Entry, Journal
from rooms.events import EVENT, RoomChanged
from rooms.fold import fold_all
from rooms.service import RoomService
from rooms.state import RoomState
from tests.fakes import FakeClock
from tests.unit.rooms.stories import (
    LECTURE,
    LECTURER,
    MAIN,
    POINTS,
)

GRACE_S = 8.0


@dataclass
class House:
    """A service, what it has published, and verbs for what people do."""

    db: Database
    clock: FakeClock
    bus: EventBus = field(default_factory=EventBus)
    published: list[RoomChanged] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rooms = RoomService(self.db, self.bus, self.clock, GRACE_S)
        self.bus.subscribe(RoomChanged, self.published.append)

    def open(self) -> "House":
        self.rooms.open(LECTURE, LECTURER, MAIN, POINTS)
        return self

    def come(self, *points: str) -> "House":
        for point in points:
            self.rooms.join(LECTURE, point, "point", f"sid-{point}")
        return self

    def live(self, *points: str) -> "House":
        self.open().rooms.join(LECTURE, LECTURER, "lecturer", "sid-lecturer")
        self.come(*points).rooms.start(LECTURE, LECTURER, "lecturer")
        return self

    def ask(self, question: str = "Đồng chí đã rõ chưa?") -> str:
        return self.rooms.open_poll(LECTURE, LECTURER, "lecturer", question, ["Đã rõ", "Chưa rõ"])

    @property
    def state(self) -> RoomState:
        return self.rooms.state(LECTURE)

    @property
    def kinds(self) -> list[str]:
        return [change.event.type for change in self.published]


def rebuilt(db: Database) -> RoomState:
    entries = Journal(db).read(LECTURE)
    folded = ((e.seq, e.at_ms, EVENT.validate_python({**e.body, "type": e.type})) for e in entries)
    return fold_all(RoomState(lecture=LECTURE), folded)


def refusal(attempt: Callable[[], object]) -> str:
    with pytest.raises(AppError) as refused:
        attempt()
    return refused.value.code


def kinds(entries: list[Entry]) -> list[str]:
    return [entry.type for entry in entries]
