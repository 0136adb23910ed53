"""A room lives through whatever people, time and kills do to it: a state machine over real journals."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.bus import EventBus
from core.db import Base, Database
from core.errors import AppError
from core.journal import Journal
from rooms.events import RoomChanged
from rooms.service import RoomService
from tests.fakes import FakeClock
from tests.unit.rooms.house import rebuilt
from tests.unit.rooms.stories import LECTURE, LECTURER, MAIN, OPERATOR, POINTS
from tests.unit.rooms.test_fold import makes_sense

GRACE_S = 8.0
points = st.sampled_from((MAIN, *POINTS))
lines = st.sampled_from(("one", "two"))


class RoomLife(RuleBasedStateMachine):
    """Two services on one journal, as two web processes would be; one may be killed and started again."""

    @initialize(live=st.booleans())
    def begin(self, live: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.db = Database(f"sqlite:///{Path(self.folder.name) / 'life.sqlite3'}")
        Base.metadata.create_all(self.db.engine)
        self.clock = FakeClock()
        self.published: list[RoomChanged] = []
        self.services = [self.service(), self.service()]
        self.services[0].open(LECTURE, LECTURER, MAIN, POINTS)
        if live:
            self.lecturer_joins("one")
            self.start()
            self.join(0, POINTS[0], "one")
            self.join(1, POINTS[1], "one")

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.db.engine.dispose()
            self.folder.cleanup()

    def service(self) -> RoomService:
        bus = EventBus()
        bus.subscribe(RoomChanged, self.published.append)
        return RoomService(self.db, bus, self.clock, GRACE_S)

    def act(self, which: int, method: str, *args: object) -> None:
        """A refusal is an answer as good as any, as long as nothing has changed by it."""
        before = len(self.published)
        try:
            getattr(self.services[which], method)(LECTURE, *args)
        except AppError as error:
            assert error.code not in ("room.busy", "journal.unavailable")
            assert len(self.published) == before

    @rule(which=st.integers(0, 1), point=points, line=lines)
    def join(self, which: int, point: str, line: str) -> None:
        self.act(which, "join", point, "point", line)

    @rule(line=lines)
    def lecturer_joins(self, line: str) -> None:
        self.act(0, "join", LECTURER, "lecturer", line)

    @rule(which=st.integers(0, 1), point=points, line=lines)
    def disconnect(self, which: int, point: str, line: str) -> None:
        self.act(which, "disconnected", point, line)

    @rule()
    def start(self) -> None:
        self.act(0, "start", LECTURER, "lecturer")

    @rule(which=st.integers(0, 1), point=points)
    def raise_hand(self, which: int, point: str) -> None:
        self.act(which, "request_floor", point, "point")

    @rule(which=st.integers(0, 1), point=points)
    def grant(self, which: int, point: str) -> None:
        self.act(which, "grant_floor", LECTURER, "lecturer", point)

    @rule(point=points)
    def release(self, point: str) -> None:
        self.act(1, "release_floor", point, "point")

    @rule()
    def revoke(self) -> None:
        self.act(0, "revoke_floor", LECTURER, "lecturer")

    @rule(point=points, people=st.integers(0, 3))
    def count_people(self, point: str, people: int) -> None:
        self.act(1, "count_people", OPERATOR, "operator", point, people)

    @rule()
    def ask(self) -> None:
        self.act(0, "open_poll", LECTURER, "lecturer", "?", ["a", "b"])

    @rule(which=st.integers(0, 1), counts=st.tuples(st.integers(-1, 9), st.integers(0, 9)), phones=st.integers(0, 9))
    def tally(self, which: int, counts: tuple[int, int], phones: int) -> None:
        state = self.services[which].state(LECTURE)
        if state.poll:
            try:
                self.services[which].tally(state.poll.poll, counts, phones)
            except AppError as error:
                assert error.code == "poll.bad_count"

    @rule()
    def close_poll(self) -> None:
        poll = self.services[0].state(LECTURE).poll
        self.act(0, "close_poll", LECTURER, "lecturer", poll.poll if poll else "pol_none")

    @rule(slot=st.sampled_from(("stage", "guest", "tile-1")), point=st.none() | points)
    def switch(self, slot: str, point: str | None) -> None:
        self.act(0, "slot_switched", slot, point and f"{point}/camera", 40)

    @rule(seconds=st.sampled_from((0.5, 5.0, GRACE_S, 2 * GRACE_S)))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for service in self.services:
            service.sweep()

    @rule(which=st.integers(0, 1))
    def kill_and_restart(self, which: int) -> None:
        self.services[which] = self.service()
        self.services[which].resume()

    @precondition(lambda self: len(self.published) > 25)
    @rule()
    def end(self) -> None:
        self.act(1, "end", LECTURER, "lecturer")

    @invariant()
    def live_state_is_the_rebuilt_state(self) -> None:
        truth = rebuilt(self.db)
        assert [service.state(LECTURE) for service in self.services] == [truth, truth]
        makes_sense(truth)

    @invariant()
    def everything_was_published_once_and_in_order(self) -> None:
        assert [change.seq for change in self.published] == list(range(1, len(self.published) + 1))
        if self.published:
            assert self.published[-1].state == rebuilt(self.db)

    @invariant()
    def floor_and_queue_are_people_who_are_here(self) -> None:
        state = self.services[0].state(LECTURE)
        assert state.floor.holder is None or state.floor.holder in state.present
        assert all(request.participant in state.present for request in state.floor.queue)

    @invariant()
    def the_chain_is_whole(self) -> None:
        assert Journal(self.db).verify(LECTURE) is None


RoomLife.TestCase.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestARoomLivesThroughEverything = RoomLife.TestCase
