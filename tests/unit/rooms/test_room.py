"""Who comes in, when the class begins and ends, what points say of themselves."""

from collections.abc import Callable

import pytest

from core.errors import AppError, Conflict, NotAllowed
from rooms import floor, poll, room
from rooms.actor import Actor
from rooms.connected import Connected, Missed
from rooms.events import RoomEvent
from rooms.state import RoomState
from tests.unit.rooms.stories import (
    CHAIR,
    DONG_HA,
    LECTURE,
    LECTURER,
    MAIN,
    OPERATOR,
    ORGANISER,
    POINTS,
    START_MS,
    TAM_DUONG,
    live,
    opened,
)

NOTHING = RoomState(lecture=LECTURE)
KIOSK = Actor(DONG_HA, "point")


def refusal(attempt: Callable[[], object]) -> str:
    with pytest.raises(AppError) as refused:
        attempt()
    return refused.value.code


def kinds(events: list[RoomEvent]) -> list[str]:
    return [event.type for event in events]


def test_a_room_opens_once_and_each_point_is_named_once() -> None:
    (event,) = room.open_lobby(NOTHING, LECTURER, MAIN, [DONG_HA, MAIN, DONG_HA, TAM_DUONG])
    assert event.body() == {"lecturer": LECTURER, "main_point": MAIN, "points": [DONG_HA, TAM_DUONG]}
    assert room.open_lobby(opened().state, LECTURER, MAIN, POINTS) == []


def test_nobody_comes_in_before_the_lobby_opens_or_after_the_end() -> None:
    for actor in (CHAIR, KIOSK):
        assert refusal(lambda who=actor: room.join(NOTHING, who, 0)) == "lecture.not_open"
    over = live().do(room.end, LECTURER, "ended", None, START_MS).state
    assert refusal(lambda: room.join(over, KIOSK, 0)) == "lecture.ended"


def test_only_points_of_the_plan_and_the_class_s_own_lecturer_come_in() -> None:
    assert refusal(lambda: room.join(opened().state, Actor("bp_other", "point"), 0)) == "room.not_invited"
    assert refusal(lambda: room.join(opened().state, Actor("usr_other", "lecturer"), 0)) == "lecture.not_yours"
    assert refusal(lambda: room.join(opened().state, Actor("usr_learner", "learner"), 0)) == "permission.denied"
    assert kinds(room.join(opened().state, Actor(MAIN, "point"), 0)) == ["participant.joined"]


def test_who_is_here_in_the_same_role_says_nothing_new() -> None:
    assert room.join(live().state, KIOSK, 0) == []


def test_who_comes_back_in_another_role_leaves_the_first() -> None:
    state = live().do(room.join, Actor(ORGANISER, "observer"), 0).state
    events = room.join(state, Actor(ORGANISER, "organiser"), 5)
    assert kinds(events) == ["participant.left", "participant.joined"]


def test_an_administrator_helps_as_an_organiser() -> None:
    (event,) = room.join(opened().state, Actor("usr_admin", "admin"), 0)
    assert event.body()["role"] == "organiser"


def test_going_live_starts_the_recording_with_it() -> None:
    state = opened().do(room.join, CHAIR, 0).state
    assert kinds(room.start(state, CHAIR)) == ["lecture.started", "recording.started"]


def test_going_live_twice_changes_nothing() -> None:
    assert room.start(live().state, CHAIR) == []


def test_only_the_lecturer_who_is_here_goes_live_and_only_from_the_lobby() -> None:
    assert refusal(lambda: room.start(NOTHING, CHAIR)) == "lecture.not_open"
    assert refusal(lambda: room.start(opened().state, CHAIR)) == "room.not_joined"
    assert refusal(lambda: room.start(opened().state, Actor("usr_other", "lecturer"))) == "lecture.not_yours"
    assert refusal(lambda: room.start(opened().state, Actor(ORGANISER, "organiser"))) == "permission.denied"
    over = live().do(room.end, LECTURER, "ended", None, 0).state
    assert refusal(lambda: room.start(over, CHAIR)) == "lecture.ended"


def test_the_end_takes_floor_poll_and_recording_and_makes_everybody_leave() -> None:
    story = live(DONG_HA, TAM_DUONG).do(floor.grant, CHAIR, DONG_HA).do(poll.open_poll, CHAIR, "pol_1", 2)
    events = room.end(story.state, LECTURER, "ended", poll.Count((3, 1), 4), START_MS + 5)
    assert kinds(events) == [
        "floor.released",
        "poll.closed",
        "recording.stopped",
        "lecture.ended",
        *["participant.left"] * 3,
    ]
    state = story.say(*events).state
    assert (state.phase, state.present, state.recording, state.poll) == ("ended", {}, False, None)
    assert state.results[0].counts == (3, 1)
    assert room.end(state, LECTURER, "ended", None, 0) == []


def test_the_clock_closes_a_lobby_in_which_nobody_went_live() -> None:
    (event, *_) = room.end(opened().state, None, "expired", None, 0)
    assert event.body() == {"by": None, "reason": "expired"}
    assert room.end(NOTHING, None, "expired", None, 0) == []


def test_a_person_ends_a_class_that_is_live() -> None:
    assert refusal(lambda: room.may_end(opened().state, CHAIR)) == "lecture.not_live"
    assert refusal(lambda: room.may_end(live().state, KIOSK)) == "permission.denied"
    assert refusal(lambda: room.may_end(live().state, Actor("usr_other", "lecturer"))) == "lecture.not_yours"
    room.may_end(live().state, Actor("usr_admin", "admin"))


def test_people_are_counted_by_an_operator_at_a_point_of_the_plan() -> None:
    operator = Actor(OPERATOR, "operator")
    story = opened().do(room.count_people, operator, DONG_HA, 42)
    assert story.state.people == {DONG_HA: 42}
    assert room.count_people(story.state, operator, DONG_HA, 42) == []
    assert refusal(lambda: room.count_people(story.state, operator, "bp_other", 1)) == "point.not_in_lecture"
    assert refusal(lambda: room.count_people(story.state, KIOSK, DONG_HA, 1)) == "permission.denied"
    assert refusal(lambda: room.count_people(NOTHING, operator, DONG_HA, 1)) == "lecture.not_open"


def test_a_point_reports_of_itself_when_something_changed() -> None:
    story = live().do(room.report, KIOSK, "ok", "denied")
    assert story.state.reports[DONG_HA].microphone == "denied"
    assert room.report(story.state, KIOSK, "ok", "denied") == []
    assert kinds(room.report(story.state, KIOSK, "ok", "ok")) == ["point.reported"]
    assert refusal(lambda: room.report(opened().state, KIOSK, "ok", "ok")) == "room.not_joined"
    assert refusal(lambda: room.report(live().state, CHAIR, "ok", "ok")) == "permission.denied"


def test_slots_are_journalled_when_they_change_and_tiles_never() -> None:
    story = live().do(room.switched, "guest", f"{DONG_HA}/camera", 120)
    assert story.state.slots["guest"].publication == f"{DONG_HA}/camera"
    assert room.switched(story.state, "guest", f"{DONG_HA}/camera", 3) == []
    assert kinds(room.switched(story.state, "guest", None, 0)) == ["slot.switched"]
    assert room.switched(story.state, "tile-0", f"{DONG_HA}/camera", 10) == []
    assert room.switched(story.state, "stage", None, 0) == []


def test_only_a_live_class_is_recorded() -> None:
    state = live().state
    assert room.recording(state, True) == []
    assert kinds(room.recording(state, False)) == ["recording.stopped"]
    assert room.recording(opened().state, True) == []
    assert room.recording(opened().state, False) == []


def test_a_participant_has_one_line_and_the_newest_wins() -> None:
    lines = Connected()
    assert lines.take(DONG_HA, "one") is None
    assert lines.take(DONG_HA, "one") is None
    assert lines.take(DONG_HA, "two") == "one"
    lines.lose(DONG_HA, "one", 100, 8_000)
    assert lines.overdue(10**9) == []


def test_a_lost_line_is_overdue_when_its_grace_is_over_and_not_before() -> None:
    lines = Connected()
    lines.take(DONG_HA, "one")
    lines.lose(DONG_HA, "one", 100, 8_000)
    lines.lose(DONG_HA, "one", 5_000, 8_000)
    assert lines.overdue(8_099) == []
    assert lines.overdue(8_100) == [Missed(DONG_HA, 100, 8_100)]
    lines.take(DONG_HA, "two")
    assert lines.overdue(8_100) == []


def test_after_a_restart_those_on_no_line_are_waited_for() -> None:
    lines = Connected()
    lines.take(DONG_HA, "new")
    lines.expect([DONG_HA, TAM_DUONG], 50, 1_000)
    assert [missed.participant for missed in lines.overdue(1_050)] == [TAM_DUONG]
    lines.forget(TAM_DUONG)
    assert lines.overdue(10**9) == []


def test_a_refusal_is_a_sentence_with_a_stable_code() -> None:
    with pytest.raises(Conflict) as refused:
        room.start(NOTHING, CHAIR)
    assert str(refused.value) == "lecture.not_open: This class is not open yet."
    with pytest.raises(NotAllowed):
        room.join(opened().state, Actor("bp_other", "point"), 0)
