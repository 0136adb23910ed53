"""Several writers on one journal: who comes second decides again, and no number is left out."""

import threading
from collections.abc import Callable

from core.db import Database
from core.journal import Journal
from rooms.service import TRIES, RoomService
from tests.fakes import FakeClock
from tests.unit.rooms.house import House, rebuilt, refusal
from tests.unit.rooms.stories import (
    DONG_HA,
    LECTURE,
    LECTURER,
    MAIN,
    OPERATOR,
    POINTS,
    TAM_DUONG,
)


def test_two_processes_on_one_journal_see_and_respect_each_other(db: Database, clock: FakeClock) -> None:
    here, there = House(db, clock), House(db, clock)
    here.live(DONG_HA)
    there.come(TAM_DUONG)
    assert here.state == there.state == rebuilt(db)
    here.rooms.grant_floor(LECTURE, LECTURER, "lecturer", TAM_DUONG)
    assert there.rooms.release_floor(LECTURE, TAM_DUONG, "point")[0].type == "floor.released"
    assert here.state.floor.holder is None
    assert "floor.granted" not in there.kinds, "each entry is published where it was written"


def test_who_comes_second_decides_again_on_what_came_first(db: Database, clock: FakeClock) -> None:
    here, there = House(db, clock), House(db, clock)
    here.live(DONG_HA, TAM_DUONG)
    here.rooms.grant_floor(LECTURE, LECTURER, "lecturer", DONG_HA)
    raced = Overtaken(here.rooms, lambda: there.rooms.grant_floor(LECTURE, LECTURER, "lecturer", MAIN), times=1)
    there.come(MAIN)
    with raced:
        here.rooms.grant_floor(LECTURE, LECTURER, "lecturer", TAM_DUONG)
    holders = [e.body["participant"] for e in here.rooms.entries(LECTURE) if e.type == "floor.granted"]
    passed = [e.body["participant"] for e in here.rooms.entries(LECTURE) if e.type == "floor.released"]
    assert (holders, passed) == ([DONG_HA, MAIN, TAM_DUONG], [DONG_HA, MAIN])
    assert here.state == there.state == rebuilt(db)


def test_who_is_overtaken_without_end_gives_up(db: Database, clock: FakeClock) -> None:
    here, there = House(db, clock), House(db, clock)
    here.live(DONG_HA)
    numbers = iter(range(1, 100))
    overtake = Overtaken(
        here.rooms, lambda: there.rooms.count_people(LECTURE, OPERATOR, "operator", MAIN, next(numbers))
    )
    with overtake:
        assert refusal(lambda: here.rooms.request_floor(LECTURE, DONG_HA, "point")) == "room.busy"
    assert overtake.count == TRIES
    assert here.state == rebuilt(db)


class Overtaken:
    """Lets somebody else write between a service's decision and its append."""

    def __init__(self, rooms: RoomService, first: Callable[[], object], times: int = 99) -> None:
        self.journal, self.first, self.times, self.count = rooms._journal, first, times, 0
        self.append = rooms._journal.append

    def __enter__(self) -> None:
        def late(*args: object) -> object:
            if self.count < self.times:
                self.count += 1
                self.first()
            return self.append(*args)  # type: ignore[arg-type]

        self.journal.append = late  # type: ignore[method-assign, assignment]

    def __exit__(self, *failure: object) -> None:
        self.journal.append = self.append  # type: ignore[method-assign]


def hammer(house: House, each: int, *targets: RoomService) -> None:
    """Raise and lower hands from one thread per target, all starting together."""
    start, failures = threading.Barrier(len(targets)), []

    def beat(rooms: RoomService, point: str) -> None:
        try:
            start.wait(10)
            for _ in range(each):
                rooms.request_floor(LECTURE, point, "point")
                rooms.withdraw_floor(LECTURE, point, "point", point)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=beat, args=pair) for pair in zip(targets, POINTS, strict=False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_two_threads_on_one_service_leave_no_gap_and_publish_in_order(any_db: Database, clock: FakeClock) -> None:
    house = House(any_db, clock).live(*POINTS)
    begun = len(house.published)
    hammer(house, 25, house.rooms, house.rooms)
    seqs = [change.seq for change in house.published]
    assert seqs == list(range(1, begun + 2 * 25 * 2 + 1))
    assert [entry.seq for entry in house.rooms.entries(LECTURE)] == seqs
    assert house.state == house.published[-1].state == rebuilt(any_db)
    assert Journal(any_db).verify(LECTURE) is None


def test_two_services_on_one_journal_leave_no_gap(any_db: Database, clock: FakeClock) -> None:
    here, there = House(any_db, clock).live(*POINTS), House(any_db, clock)
    begun = len(here.published)
    hammer(here, 15, here.rooms, there.rooms)
    seqs = [entry.seq for entry in here.rooms.entries(LECTURE)]
    assert seqs == list(range(1, begun + 2 * 15 * 2 + 1))
    assert sorted(change.seq for change in here.published + there.published) == seqs
    assert here.state == there.state == rebuilt(any_db)
    assert Journal(any_db).verify(LECTURE) is None
