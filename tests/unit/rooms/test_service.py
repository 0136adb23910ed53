"""Decide, journal, publish: with real journals, several writers, lost connections and restarts."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from core.bus import EventBus
from core.clock import to_ms
from core.db import Database
from core.errors import AppError, NotAllowed, Unavailable
from core.journal import Behind, Entry, Journal, JournalRow
from rooms.events import EVENT, RoomChanged
from rooms.fold import fold_all
from rooms.models import Poll
from rooms.service import TRIES, RoomService
from rooms.state import RoomState
from tests.fakes import FakeClock
from tests.unit.rooms.stories import (
    DONG_HA,
    LECTURE,
    LECTURER,
    MAIN,
    OPERATOR,
    ORGANISER,
    POINTS,
    TAM_DUONG,
    THAI_THUY,
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


@pytest.fixture
def house(db: Database, clock: FakeClock) -> House:
    return House(db, clock)


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


# ---- decide, journal, publish --------------------------------------------------------------


def test_every_entry_is_published_in_order_with_the_state_right_after_it(house: House) -> None:
    house.live(DONG_HA, TAM_DUONG)
    house.rooms.grant_floor(LECTURE, LECTURER, "lecturer", DONG_HA)
    house.rooms.grant_floor(LECTURE, LECTURER, "lecturer", TAM_DUONG)
    assert [change.seq for change in house.published] == list(range(1, len(house.published) + 1))
    assert all(change.state.seq == change.seq for change in house.published)
    passed, granted = house.published[-2:]
    assert (passed.event.type, passed.state.floor.holder) == ("floor.released", None)
    assert (granted.event.type, granted.state.floor.holder) == ("floor.granted", TAM_DUONG)


def test_a_refused_request_leaves_no_trace(house: House) -> None:
    house.live(DONG_HA)
    before = len(house.published)
    assert refusal(lambda: house.rooms.grant_floor(LECTURE, LECTURER, "lecturer", TAM_DUONG)) == "floor.not_in_room"
    with pytest.raises(NotAllowed):
        house.rooms.grant_floor(LECTURE, DONG_HA, "point", DONG_HA)
    assert len(house.rooms.entries(LECTURE)) == len(house.published) == before


def test_what_is_so_already_is_not_journalled_again(house: House) -> None:
    house.live(DONG_HA)
    assert kinds(house.rooms.request_floor(LECTURE, DONG_HA, "point")) == ["floor.requested"]
    assert house.rooms.request_floor(LECTURE, DONG_HA, "point") == []
    assert house.rooms.start(LECTURE, LECTURER, "lecturer") == []
    assert house.open().rooms.recording(LECTURE, True) == []
    assert house.rooms.slot_switched(LECTURE, "tile-0", f"{DONG_HA}/camera", 9) == []


def test_if_the_journal_refuses_nothing_is_said(house: House) -> None:
    house.live(DONG_HA)
    before = list(house.published)
    with house.db.transaction() as session:
        session.execute(text("CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(FAIL, 'disk full'); END"))
    with pytest.raises((Unavailable, Behind)):
        house.rooms.request_floor(LECTURE, DONG_HA, "point")
    assert house.published == before
    assert house.state.floor.queue == ()


def test_a_database_that_is_gone_is_said_to_be_unavailable(house: House) -> None:
    house.live(DONG_HA)
    with house.db.transaction() as session:
        session.execute(text("ALTER TABLE journal RENAME TO gone"))
    assert refusal(lambda: house.rooms.request_floor(LECTURE, DONG_HA, "point")) == "journal.unavailable"
    with house.db.transaction() as session:
        session.execute(text("ALTER TABLE gone RENAME TO journal"))
    assert kinds(house.rooms.request_floor(LECTURE, DONG_HA, "point")) == ["floor.requested"]


def test_a_listener_that_fails_vetoes_nothing(house: House, caplog: pytest.LogCaptureFixture) -> None:
    def broken(change: RoomChanged) -> None:
        raise RuntimeError("a listener's own trouble")

    house.bus.subscribe(RoomChanged, broken)
    house.live(DONG_HA)
    assert house.state.phase == "live"
    assert house.kinds[-1] == "recording.started"
    assert "listener failed" in caplog.text


def test_a_listener_may_act_on_the_same_room_and_order_is_kept(house: House) -> None:
    def applaud(change: RoomChanged) -> None:
        if change.event.type == "lecture.started":
            house.rooms.request_floor(LECTURE, DONG_HA, "point")

    seen: list[int] = []
    house.bus.subscribe(RoomChanged, applaud)
    house.bus.subscribe(RoomChanged, lambda change: seen.append(change.seq))
    house.live(DONG_HA)
    assert house.kinds[-3:] == ["lecture.started", "recording.started", "floor.requested"]
    assert seen == list(range(1, len(seen) + 1))


def test_time_in_a_journal_never_goes_back(house: House) -> None:
    house.live(DONG_HA)
    house.clock.advance(-90)
    house.rooms.request_floor(LECTURE, DONG_HA, "point")
    times = [entry.at_ms for entry in house.rooms.entries(LECTURE)]
    assert times == sorted(times)


def test_a_lecture_without_a_journal_is_a_room_that_is_not_open(house: House) -> None:
    assert house.rooms.state("lec_unknown") == RoomState(lecture="lec_unknown")
    assert house.rooms.entries("lec_unknown") == []
    assert house.rooms.active() == []


# ---- several writers -----------------------------------------------------------------------


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


# ---- lost connections and restarts ---------------------------------------------------------


def test_a_reconnect_within_the_grace_says_nothing(house: House) -> None:
    house.live(DONG_HA)
    before = house.state
    house.rooms.disconnected(LECTURE, DONG_HA, f"sid-{DONG_HA}")
    house.clock.advance(GRACE_S - 0.001)
    house.rooms.sweep()
    assert house.rooms.join(LECTURE, DONG_HA, "point", "sid-new").replaced_connection is None
    house.clock.advance(GRACE_S)
    assert house.rooms.sweep() == []
    assert house.state == before


def test_who_does_not_come_back_has_left_when_last_seen_and_loses_the_floor(house: House) -> None:
    house.live(DONG_HA)
    house.rooms.grant_floor(LECTURE, LECTURER, "lecturer", DONG_HA)
    seen = house.clock.advance(5)
    house.rooms.disconnected(LECTURE, DONG_HA, f"sid-{DONG_HA}")
    house.clock.advance(GRACE_S)
    released, left = house.rooms.sweep()
    assert released.body == {"participant": DONG_HA, "by": None, "reason": "left"}
    assert left.body == {"participant": DONG_HA, "reason": "lost", "since_ms": to_ms(seen)}
    assert house.rooms.sweep() == []
    assert house.come(DONG_HA).kinds[-1] == "participant.joined"


def test_the_same_participant_elsewhere_takes_the_place(house: House) -> None:
    house.live(DONG_HA)
    assert house.rooms.join(LECTURE, DONG_HA, "point", "sid-other").replaced_connection == f"sid-{DONG_HA}"
    house.rooms.disconnected(LECTURE, DONG_HA, f"sid-{DONG_HA}")
    house.clock.advance(60)
    assert house.rooms.sweep() == []
    assert DONG_HA in house.state.present


def test_a_join_tells_the_state_it_has_made(house: House) -> None:
    house.open()
    result = house.rooms.join(LECTURE, DONG_HA, "point", "sid")
    assert result.state == house.state
    assert result.state.present[DONG_HA].role == "point"


def test_a_restarted_service_goes_on_where_the_last_one_was_killed(house: House) -> None:
    house.live(DONG_HA, TAM_DUONG)
    house.rooms.grant_floor(LECTURE, LECTURER, "lecturer", DONG_HA)
    poll = house.ask()
    after = House(house.db, house.clock)
    after.rooms.resume()
    assert after.state == house.state
    assert after.rooms.active() == [LECTURE]
    after.rooms.tally(poll, [1, 0], 1)
    after.rooms.join(LECTURE, LECTURER, "lecturer", "new-1")
    after.rooms.join(LECTURE, DONG_HA, "point", "new-2")
    assert after.kinds == ["poll.tallied"], "who is back was never away"


def test_after_a_restart_who_stays_away_is_let_go_and_nobody_before(house: House) -> None:
    house.live(DONG_HA, TAM_DUONG)
    after = House(house.db, house.clock)
    after.rooms.resume()
    back = to_ms(house.clock.now())
    house.clock.advance(GRACE_S)
    after.rooms.join(LECTURE, LECTURER, "lecturer", "new-1")
    after.rooms.join(LECTURE, DONG_HA, "point", "new-2")
    assert after.rooms.sweep() == []
    house.clock.advance(GRACE_S)
    (left,) = after.rooms.sweep()
    assert left.body == {"participant": TAM_DUONG, "reason": "lost", "since_ms": back}


def test_an_ended_class_is_not_taken_up_again(house: House) -> None:
    house.live(DONG_HA).rooms.end(LECTURE, LECTURER, "lecturer")
    after = House(house.db, house.clock)
    after.rooms.resume()
    house.clock.advance(3600)
    assert (after.rooms.sweep(), after.rooms.active(), after.state.phase) == ([], [], "ended")


def test_a_sweep_that_cannot_be_journalled_is_made_up_for_by_the_next(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.live(DONG_HA)
    house.rooms.disconnected(LECTURE, DONG_HA, f"sid-{DONG_HA}")
    house.clock.advance(GRACE_S)
    with house.db.transaction() as session:
        session.execute(text("ALTER TABLE journal RENAME TO gone"))
    assert house.rooms.sweep() == []
    assert "participant not let go" in caplog.text
    with house.db.transaction() as session:
        session.execute(text("ALTER TABLE gone RENAME TO journal"))
    assert kinds(house.rooms.sweep()) == ["participant.left"]


# ---- the end -------------------------------------------------------------------------------


def test_the_end_is_one_batch_and_everybody_is_out(house: House) -> None:
    house.live(DONG_HA)
    house.rooms.grant_floor(LECTURE, LECTURER, "lecturer", DONG_HA)
    entries = house.rooms.end(LECTURE, LECTURER, "lecturer")
    assert kinds(entries) == ["floor.released", "recording.stopped", "lecture.ended", *["participant.left"] * 2]
    assert {entry.at_ms for entry in entries} == {house.state.ended_ms}
    house.rooms.disconnected(LECTURE, DONG_HA, f"sid-{DONG_HA}")
    assert house.rooms.slot_switched(LECTURE, "stage", None, 0) == []
    assert house.rooms.recording(LECTURE, False) == []
    assert refusal(lambda: house.come(DONG_HA)) == "lecture.ended"
    assert refusal(lambda: house.rooms.request_floor(LECTURE, DONG_HA, "point")) == "lecture.not_live"


def test_the_clock_ends_what_nobody_ended(house: House) -> None:
    house.live(DONG_HA)
    ended = [entry for entry in house.rooms.expire(LECTURE) if entry.type == "lecture.ended"]
    assert [entry.body for entry in ended] == [{"by": None, "reason": "expired"}]
    assert house.rooms.expire(LECTURE) == []
    assert house.rooms.expire("lec_unknown") == []


def test_an_organiser_who_is_not_in_the_room_may_end_the_class(house: House) -> None:
    house.live(DONG_HA)
    assert house.rooms.end(LECTURE, ORGANISER, "organiser")
    assert house.rooms.end(LECTURE, ORGANISER, "organiser") == []


# ---- polls ---------------------------------------------------------------------------------


def test_the_words_of_a_poll_are_in_the_table_and_not_in_the_journal(house: House) -> None:
    poll = house.live().ask("Nguyễn Thị Hạnh giảng có dễ hiểu không?")
    words = house.rooms.labels_of_polls([poll, "pol_unknown"])
    assert list(words) == [poll]
    assert (words[poll].lecture_id, words[poll].options) == (LECTURE, ("Đã rõ", "Chưa rõ"))
    with house.db.reading() as session:
        assert not [row.body for row in session.query(JournalRow) if "Hạnh" in row.body or "rõ" in row.body]


def test_a_poll_s_words_are_there_when_the_class_hears_of_it(house: House) -> None:
    seen = []
    house.live().bus.subscribe(RoomChanged, lambda c: seen.append(house.rooms.labels_of_polls([c.event.poll])))
    poll = house.ask()
    assert list(seen[0]) == [poll]


def test_a_poll_that_is_refused_leaves_no_words(house: House) -> None:
    house.live().ask()
    assert refusal(house.ask) == "poll.already_open"
    assert refusal(lambda: house.rooms.open_poll(LECTURE, LECTURER, "lecturer", " ", ["a", "b"])) == "poll.no_question"
    with house.db.reading() as session:
        assert session.query(Poll).count() == 1


def test_a_closing_poll_takes_its_last_count_from_the_sealed_box(house: House) -> None:
    poll = house.live().ask()
    house.rooms.count_ballots = lambda asked: ([5, 2], 4) if asked == poll else ([0, 0], 0)
    house.rooms.tally(poll, [4, 2], 3)
    (closed,) = house.rooms.close_poll(LECTURE, LECTURER, "lecturer", poll)
    assert closed.body == {"poll": poll, "counts": [5, 2], "phones": 4, "by": LECTURER}
    assert refusal(lambda: house.rooms.close_poll(LECTURE, LECTURER, "lecturer", poll)) == "poll.closed"
    assert refusal(lambda: house.rooms.tally(poll, [9, 9], 9)) == "poll.closed"
    assert refusal(lambda: house.rooms.tally("pol_unknown", [9, 9], 9)) == "poll.unknown"
    with house.db.reading() as session:
        assert session.get_one(Poll, poll).closed_at == house.clock.now()


def test_a_box_is_sealed_only_by_who_may_close_the_poll(house: House) -> None:
    poll = house.live(DONG_HA).ask()
    sealed: list[str] = []

    def seal(asked: str) -> tuple[list[int], int]:
        sealed.append(asked)
        return [0, 0], 0

    house.rooms.count_ballots = seal
    assert refusal(lambda: house.rooms.close_poll(LECTURE, DONG_HA, "point", poll)) == "permission.denied"
    assert refusal(lambda: house.rooms.close_poll(LECTURE, LECTURER, "lecturer", "pol_other")) == "poll.closed"
    assert refusal(lambda: house.rooms.end(LECTURE, DONG_HA, "point")) == "permission.denied"
    assert sealed == []


@pytest.mark.parametrize("answer", [lambda poll: 1 / 0, lambda poll: ([1], 0)])
def test_a_class_ends_even_when_its_poll_cannot_be_counted(
    house: House, answer: Callable[[str], object], caplog: pytest.LogCaptureFixture
) -> None:
    poll = house.live().ask()
    house.rooms.tally(poll, [2, 1], 3)
    house.rooms.count_ballots = answer  # type: ignore[assignment]
    house.rooms.end(LECTURE, LECTURER, "lecturer")
    assert (house.state.phase, house.state.results[0].counts) == ("ended", (2, 1))
    assert "no final count" in caplog.text


# ---- facts ---------------------------------------------------------------------------------


def test_facts_come_into_the_journal(house: House) -> None:
    house.live(DONG_HA)
    house.rooms.count_people(LECTURE, OPERATOR, "operator", THAI_THUY, 31)
    house.rooms.report_point(LECTURE, DONG_HA, "point", "ok", "silent")
    house.rooms.slot_switched(LECTURE, "stage", f"{LECTURER}/camera", 88)
    house.rooms.recording(LECTURE, False)
    house.rooms.recording(LECTURE, True)
    assert house.kinds[-5:] == [
        "people.counted",
        "point.reported",
        "slot.switched",
        "recording.stopped",
        "recording.started",
    ]
    assert house.state == rebuilt(house.db)


@pytest.fixture
def many(house: House) -> Iterator[House]:
    house.live(DONG_HA)
    for number in range(600):
        house.rooms.state(f"lec_{number:03}")
    yield house


def test_asking_for_rooms_that_do_not_exist_drives_out_none_that_is_on(many: House) -> None:
    many.rooms.disconnected(LECTURE, DONG_HA, f"sid-{DONG_HA}")
    many.clock.advance(GRACE_S)
    assert kinds(many.rooms.sweep()) == ["participant.left"]
    assert len(many.rooms._rooms) <= 257
