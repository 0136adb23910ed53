"""The service on a real database, beside a room that journals whatever it is told."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings

from attendance.service import AttendanceService, BallotsChanged
from core.bus import EventBus
from core.db import Base, Database
from core.errors import AppError, Conflict, Invalid, NotFound
from rooms.events import ParticipantJoined, ParticipantLeft, RoomChanged, SlotSwitched
from tests.fakes import FakeClock
from tests.unit.attendance.plain_room import LAI_CHAU, LECTURE, MAIN, OPERATOR, QUANG_TRI, PlainRoom, PlainTimetable
from tests.unit.attendance.test_presence import histories

POLL = "pol_1"


class Class:
    def __init__(self, db: Database) -> None:
        self.clock, self.bus = FakeClock(), EventBus()
        self.room = PlainRoom(db, self.bus, self.clock)
        self.attendance = AttendanceService(db, self.bus, self.clock, self.room, PlainTimetable())
        self.bus.subscribe(RoomChanged, self.attendance.room_changed)
        self.heard: list[BallotsChanged] = []
        self.bus.subscribe(BallotsChanged, self.heard.append)

    def live(self) -> "Class":
        self.room.open()
        self.room.start()
        return self

    def joins(self, point: str) -> None:
        self.room.say(ParticipantJoined(participant=point, role="point"))


@pytest.fixture
def lesson(any_db: Database) -> Class:
    return Class(any_db).live()


def code_of(act) -> str:
    with pytest.raises(AppError) as refused:
        act()
    return refused.value.code


def test_a_poll_takes_one_answer_a_phone(lesson):
    lesson.room.ask(POLL)
    lesson.attendance.cast(POLL, "phone-a", 1)
    assert code_of(lambda: lesson.attendance.cast(POLL, "phone-a", 0)) == "poll.already_answered"
    assert lesson.attendance.answer_of(POLL, "phone-a") == 1
    assert lesson.attendance.tally(POLL) == ((0, 1), 1)
    assert lesson.heard == [BallotsChanged(POLL, LECTURE)]


def test_a_hundred_answers_at_once_from_one_phone_are_one_ballot(lesson):
    lesson.room.ask(POLL)

    def vote(n: int) -> str:
        try:
            lesson.attendance.cast(POLL, "phone-a", n % 2)
        except Conflict as refused:
            return refused.code
        return "taken"

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(vote, range(100)))
    assert answers.count("taken") == 1
    assert answers.count("poll.already_answered") == 99
    counts, phones = lesson.attendance.tally(POLL)
    assert (sum(counts), phones) == (1, 1)


def test_every_answer_that_was_accepted_is_in_the_sealed_count(lesson):
    lesson.room.ask(POLL)

    def vote(n: int) -> bool:
        try:
            lesson.attendance.cast(POLL, f"phone-{n}", 0)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        votes = [pool.submit(vote, n) for n in range(60)]
        sealed = pool.submit(lesson.attendance.seal, POLL).result()
    accepted = sum(v.result() for v in votes)
    assert sealed == ((accepted, 0), accepted) == lesson.attendance.tally(POLL)


def test_a_closed_poll_takes_nothing_more(lesson):
    lesson.room.ask(POLL)
    lesson.room.close(POLL, (0, 0), 0)
    assert code_of(lambda: lesson.attendance.cast(POLL, "phone-a", 1)) == "poll.closed"
    assert code_of(lambda: lesson.attendance.enter_hand_count(POLL, QUANG_TRI, [1, 2], OPERATOR)) == "poll.closed"


def test_a_sealed_box_takes_nothing_even_before_the_room_says_closed(lesson):
    lesson.room.ask(POLL)
    lesson.attendance.cast(POLL, "phone-a", 1)
    assert lesson.attendance.seal(POLL) == ((0, 1), 1)
    assert code_of(lambda: lesson.attendance.cast(POLL, "phone-b", 1)) == "poll.closed"
    assert lesson.attendance.seal(POLL) == ((0, 1), 1)


def test_a_poll_of_an_ended_class_takes_nothing(lesson):
    lesson.room.ask(POLL)
    lesson.room.end()
    assert code_of(lambda: lesson.attendance.cast(POLL, "phone-a", 1)) == "poll.closed"


def test_an_unknown_poll_and_an_answer_that_was_not_offered_are_refused(lesson):
    lesson.room.ask(POLL)
    with pytest.raises(NotFound, match=r"poll\.unknown"):
        lesson.attendance.cast("pol_other", "phone-a", 0)
    with pytest.raises(Invalid, match=r"poll\.bad_choice"):
        lesson.attendance.cast(POLL, "phone-a", 2)


def test_a_hand_count_replaces_the_one_before_and_adds_to_the_phones(lesson):
    lesson.room.ask(POLL)
    lesson.attendance.cast(POLL, "phone-a", 1)
    lesson.attendance.enter_hand_count(POLL, QUANG_TRI, [30, 12], OPERATOR)
    lesson.attendance.enter_hand_count(POLL, QUANG_TRI, [31, 11], OPERATOR)
    lesson.attendance.enter_hand_count(POLL, LAI_CHAU, [5, 5], OPERATOR)
    assert lesson.attendance.hand_count(POLL, QUANG_TRI) == (31, 11)
    assert lesson.attendance.hand_count(POLL, MAIN) is None
    assert lesson.attendance.tally(POLL) == ((36, 17), 1)


def test_more_hands_than_people_are_refused(lesson):
    lesson.room.ask(POLL)
    lesson.attendance.declare_people(LECTURE, QUANG_TRI, 40, OPERATOR, "operator")
    act = lambda: lesson.attendance.enter_hand_count(POLL, QUANG_TRI, [30, 11], OPERATOR)  # noqa: E731
    assert code_of(act) == "hand_count.more_than_people"
    lesson.attendance.enter_hand_count(POLL, QUANG_TRI, [30, 10], OPERATOR)


def test_people_out_of_range_are_not_journalled(lesson):
    before = lesson.room.state(LECTURE).seq
    act = lambda: lesson.attendance.declare_people(LECTURE, QUANG_TRI, -1, OPERATOR, "operator")  # noqa: E731
    assert code_of(act) == "people.out_of_range"
    assert lesson.room.state(LECTURE).seq == before


def test_presence_follows_the_room_and_a_missed_event_is_caught_up_with_the_next(lesson):
    lesson.joins(QUANG_TRI)
    deaf = lesson.bus._listeners.copy()
    lesson.bus._listeners.clear()  # as if the listener had failed
    lesson.clock.advance(60)
    lesson.joins(LAI_CHAU)
    lesson.bus._listeners.update(deaf)
    lesson.room.say(SlotSwitched(slot="stage", publication=None, latency_ms=3))
    assert len(lesson.attendance.intervals(LECTURE)) == 1
    lesson.clock.advance(60)
    lesson.room.end()
    kept = lesson.attendance.intervals(LECTURE)
    assert [(s.participant, s.end_ms - s.start_ms) for s in kept] == [(QUANG_TRI, 120_000), (LAI_CHAU, 60_000)]


def test_the_register_shows_points_minutes_and_people_apart(lesson):
    lesson.joins(QUANG_TRI)
    lesson.attendance.declare_people(LECTURE, QUANG_TRI, 52, OPERATOR, "operator")
    lesson.room.ask(POLL)
    lesson.attendance.enter_hand_count(POLL, QUANG_TRI, [30, 12], OPERATOR)
    lesson.room.close(POLL, *lesson.attendance.seal(POLL))
    lesson.clock.advance(minutes=45)
    left_ms = round(lesson.clock.now().timestamp() * 1000)
    lesson.room.say(ParticipantLeft(participant=QUANG_TRI, reason="lost", since_ms=left_ms))
    lesson.clock.advance(minutes=45)
    lesson.room.end()
    register = lesson.attendance.register(LECTURE)
    assert [line.name for line in register.lines] == ["Hội trường Tỉnh ủy", "Điểm cầu Đông Hà", "Điểm cầu Tam Đường"]
    assert (register.points_planned, register.points_connected, register.people) == (3, 1, 52)
    line = register.lines[1]
    assert (line.class_ms, line.people, line.people_by) == (45 * 60_000, 52, "Lò Văn Pún")
    assert (line.is_late, line.is_early) == (False, True)
    assert register.polls[0].rows == [("Đã rõ", 30, 71), ("Chưa rõ", 12, 29)]
    assert register.polls[0].hands == (("Điểm cầu Đông Hà", (30, 12)),)
    assert (register.seq, register.head_hash) == lesson.room.journal.head(LECTURE)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
def test_rebuilding_gives_what_following_gave(tmp_path_factory, happened):
    db = Database(f"sqlite:///{tmp_path_factory.mktemp('rebuild') / 'x.sqlite3'}")
    Base.metadata.create_all(db.engine)
    try:
        lesson = Class(db)
        for at_ms, event in happened:
            lesson.clock.advance(max(0, at_ms / 1000 - lesson.clock.now().timestamp()))
            lesson.room.say(event)
        followed = lesson.attendance.intervals(LECTURE)
        lesson.attendance.rebuild(LECTURE)
        assert lesson.attendance.intervals(LECTURE) == followed
    finally:
        db.engine.dispose()
