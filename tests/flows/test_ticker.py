"""What time does: lobbies open, lost points leave, tallies are told, forgotten classes end."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.wiring import Wiring
from rooms.events import PollTallied, RoomChanged
from tests.builders import School
from tests.fakes import FakeClock


@pytest.fixture
def wiring(app: Flask) -> Wiring:
    made: Wiring = app.extensions["wiring"]
    return made


def status(school: School, lecture_id: str) -> str:
    return school.schedules.lecture(lecture_id).status


def test_the_lobby_opens_fifteen_minutes_before_the_start(wiring: Wiring, school: School, clock: FakeClock) -> None:
    lecture = school.lecture(clock.now() + timedelta(minutes=20))
    wiring.ticker.tick()
    assert status(school, lecture.id) == "planned"
    clock.advance(minutes=5)
    wiring.ticker.tick()
    assert status(school, lecture.id) == "open"
    state = wiring.services.rooms.state(lecture.id)
    assert (state.phase, state.points) == ("lobby", (school.a.id, school.b.id))


def test_a_tick_that_is_done_twice_changes_nothing(wiring: Wiring, school: School, clock: FakeClock) -> None:
    lecture = school.lecture(clock.now())
    wiring.ticker.tick()
    wiring.ticker.tick()
    assert wiring.services.rooms.state(lecture.id).seq == 1


def test_a_tick_that_died_between_room_and_timetable_is_made_good(
    wiring: Wiring, school: School, clock: FakeClock
) -> None:
    lecture = school.lecture(clock.now())
    wiring.services.rooms.open(lecture.id, lecture.lecturer_id, lecture.main_point_id, lecture.point_ids)
    assert status(school, lecture.id) == "planned"
    wiring.ticker.tick()
    assert status(school, lecture.id) == "open"
    assert wiring.services.rooms.state(lecture.id).seq == 1


def go_live(wiring: Wiring, school: School, clock: FakeClock) -> str:
    lecture = school.lecture(clock.now())
    wiring.ticker.tick()
    rooms = wiring.services.rooms
    rooms.join(lecture.id, school.lecturer.id, "lecturer", "c1")
    rooms.join(lecture.id, school.a.id, "point", "c2")
    rooms.start(lecture.id, school.lecturer.id, "lecturer")
    return lecture.id


def test_the_timetable_follows_the_class(wiring: Wiring, school: School, clock: FakeClock) -> None:
    lecture = go_live(wiring, school, clock)
    assert status(school, lecture) == "live"
    wiring.services.rooms.end(lecture, school.lecturer.id, "lecturer")
    assert status(school, lecture) == "ended"


def test_a_class_that_nobody_ends_ends_half_an_hour_late(wiring: Wiring, school: School, clock: FakeClock) -> None:
    lecture = go_live(wiring, school, clock)
    clock.advance(minutes=90 + 29)
    wiring.ticker.tick()
    assert status(school, lecture) == "live"
    clock.advance(minutes=1)
    wiring.ticker.tick()
    assert status(school, lecture) == "ended"
    assert wiring.services.rooms.state(lecture).phase == "ended"


def test_a_point_that_is_lost_leaves_after_the_grace(wiring: Wiring, school: School, clock: FakeClock) -> None:
    lecture = go_live(wiring, school, clock)
    rooms = wiring.services.rooms
    rooms.disconnected(lecture, school.a.id, "c2")
    clock.advance(7.9)
    wiring.ticker.tick()
    assert school.a.id in rooms.state(lecture).present
    clock.advance(0.1)
    wiring.ticker.tick()
    assert school.a.id not in rooms.state(lecture).present


def test_many_ballots_between_two_rounds_are_one_tally(wiring: Wiring, school: School, clock: FakeClock) -> None:
    lecture = go_live(wiring, school, clock)
    poll = wiring.services.rooms.open_poll(lecture, school.lecturer.id, "lecturer", "Rõ chưa?", ["Rõ", "Chưa"])
    heard: list[Any] = []
    wiring.services.bus.subscribe(RoomChanged, lambda change: heard.append(change.event))
    for n in range(20):
        wiring.services.attendance.cast(poll, f"ph_{n}", n % 2)
    wiring.ticker.tally()
    wiring.ticker.tally()
    assert [event for event in heard if isinstance(event, PollTallied)] == [
        PollTallied(poll=poll, counts=[10, 10], phones=20)
    ]


def test_the_last_answers_before_the_close_are_in_the_result(wiring: Wiring, school: School, clock: FakeClock) -> None:
    lecture = go_live(wiring, school, clock)
    rooms = wiring.services.rooms
    poll = rooms.open_poll(lecture, school.lecturer.id, "lecturer", "Rõ chưa?", ["Rõ", "Chưa"])
    wiring.services.attendance.cast(poll, "ph_1", 1)
    rooms.close_poll(lecture, school.lecturer.id, "lecturer", poll)
    (result,) = rooms.state(lecture).results
    assert (result.counts, result.phones) == ((0, 1), 1)
    wiring.ticker.tally()  # comes too late, harms nothing


def test_a_point_where_nobody_came_is_given_free_and_may_still_come(
    wiring: Wiring, school: School, clock: FakeClock
) -> None:
    lecture = go_live(wiring, school, clock)
    clock.advance(minutes=29)
    wiring.ticker.tick()
    assert school.schedules.lecture(lecture).released == ()
    wiring.services.rooms.disconnected(lecture, school.a.id, "c2")  # who was here once has come
    clock.advance(minutes=1)
    wiring.ticker.tick()
    assert school.schedules.lecture(lecture).released == (school.b.id,)
    elsewhere = school.draft(clock.now(), main_point_id=school.b.id, point_ids=(school.a.id,))
    assert {clash.resource_id for clash in school.schedules.check(elsewhere)} == {school.a.id, school.lecturer.id}
    wiring.services.rooms.join(lecture, school.b.id, "point", "c9")
    assert school.b.id in wiring.services.rooms.state(lecture).present


def test_cancelling_sends_the_lobby_home(wiring: Wiring, school: School, clock: FakeClock) -> None:
    lecture = school.lecture(clock.now())
    wiring.ticker.tick()
    school.schedules.cancel_lecture(lecture.id, by=school.organiser.id)
    assert wiring.services.rooms.state(lecture.id).phase == "ended"
    assert status(school, lecture.id) == "cancelled"


def test_a_step_that_fails_does_not_stop_the_others(
    wiring: Wiring, school: School, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lecture = go_live(wiring, school, clock)

    def fail() -> None:
        raise OSError("disk full")

    monkeypatch.setattr(wiring.ticker, "open_due", fail)
    clock.advance(hours=3)
    wiring.ticker.tick()
    assert "ticker step failed" in caplog.text
    assert status(school, lecture) == "ended"
