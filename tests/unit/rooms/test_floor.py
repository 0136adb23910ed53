"""One holder at a time, raised hands in their order."""

import pytest

from core.errors import AppError, Conflict, NotAllowed
from rooms import floor, room
from rooms.actor import Actor
from rooms.events import FloorGranted, FloorReleased, FloorRequested, FloorWithdrawn
from tests.unit.rooms.stories import CHAIR, DONG_HA, LECTURER, MAIN, ORGANISER, TAM_DUONG, THAI_THUY, live, opened

HELPER = Actor(ORGANISER, "organiser")


def point(name: str) -> Actor:
    return Actor(name, "point")


def code(error: pytest.ExceptionInfo[AppError]) -> str:
    return error.value.code


def test_hands_wait_in_the_order_in_which_they_were_raised() -> None:
    story = live().do(floor.request, point(THAI_THUY)).wait(10).do(floor.request, point(DONG_HA))
    assert [waiting.participant for waiting in story.state.floor.queue] == [THAI_THUY, DONG_HA]


def test_a_raised_hand_is_raised_once() -> None:
    story = live().do(floor.request, point(DONG_HA))
    assert floor.request(story.state, point(DONG_HA)) == []
    story.do(floor.grant, CHAIR, DONG_HA)
    assert floor.request(story.state, point(DONG_HA)) == []


def test_the_floor_passes_from_one_point_to_another_in_one_batch() -> None:
    story = live().do(floor.grant, CHAIR, DONG_HA).do(floor.request, point(TAM_DUONG))
    assert floor.grant(story.state, CHAIR, TAM_DUONG) == [
        FloorReleased(participant=DONG_HA, by=LECTURER, reason="passed"),
        FloorGranted(participant=TAM_DUONG, by=LECTURER),
    ]


def test_a_granted_hand_is_down() -> None:
    story = live().do(floor.request, point(DONG_HA)).do(floor.grant, CHAIR, DONG_HA)
    assert story.state.floor.queue == ()
    assert story.state.floor.holder == DONG_HA


def test_a_point_that_has_not_asked_may_be_given_the_floor() -> None:
    assert floor.grant(live().state, HELPER, MAIN) == [FloorGranted(participant=MAIN, by=ORGANISER)]


def test_granting_to_the_holder_changes_nothing() -> None:
    assert floor.grant(live().do(floor.grant, CHAIR, MAIN).state, CHAIR, MAIN) == []


def test_an_absent_point_cannot_be_given_the_floor() -> None:
    with pytest.raises(Conflict) as refused:
        floor.grant(live(DONG_HA).state, CHAIR, TAM_DUONG)
    assert code(refused) == "floor.not_in_room"


def test_the_lecturer_is_heard_anyway_and_is_not_given_the_floor() -> None:
    with pytest.raises(Conflict) as refused:
        floor.grant(live().state, CHAIR, LECTURER)
    assert code(refused) == "floor.cannot_speak"


def test_there_is_no_floor_before_the_class_is_live() -> None:
    story = opened().do(room.join, CHAIR, 0).come(DONG_HA)
    for attempt in (
        lambda: floor.request(story.state, point(DONG_HA)),
        lambda: floor.grant(story.state, CHAIR, DONG_HA),
    ):
        with pytest.raises(Conflict) as refused:
            attempt()
        assert code(refused) == "lecture.not_live"


def test_a_point_lowers_its_own_hand_only() -> None:
    state = live().do(floor.request, point(DONG_HA)).state
    assert floor.withdraw(state, point(DONG_HA), DONG_HA) == [FloorWithdrawn(participant=DONG_HA, by=DONG_HA)]
    assert floor.withdraw(state, CHAIR, DONG_HA) == [FloorWithdrawn(participant=DONG_HA, by=LECTURER)]
    assert floor.withdraw(state, CHAIR, TAM_DUONG) == []
    with pytest.raises(NotAllowed) as refused:
        floor.withdraw(state, point(TAM_DUONG), DONG_HA)
    assert code(refused) == "floor.not_yours"


def test_only_the_holder_gives_the_floor_back() -> None:
    state = live().do(floor.grant, CHAIR, DONG_HA).state
    assert floor.release(state, point(DONG_HA)) == [FloorReleased(participant=DONG_HA, by=DONG_HA, reason="released")]
    with pytest.raises(Conflict) as refused:
        floor.release(state, point(TAM_DUONG))
    assert code(refused) == "floor.not_holder"


def test_taking_the_floor_from_nobody_changes_nothing() -> None:
    story = live().do(floor.grant, CHAIR, DONG_HA)
    assert floor.revoke(story.state, HELPER) == [FloorReleased(participant=DONG_HA, by=ORGANISER, reason="revoked")]
    assert floor.revoke(story.do(floor.revoke, HELPER).state, HELPER) == []


@pytest.mark.parametrize(
    "attempt",
    [
        lambda s: floor.request(s, Actor("usr_observer", "observer")),
        lambda s: floor.request(s, CHAIR),
        lambda s: floor.grant(s, point(DONG_HA), DONG_HA),
        lambda s: floor.revoke(s, point(DONG_HA)),
        lambda s: floor.release(s, CHAIR),
        lambda s: floor.withdraw(s, Actor("usr_observer", "observer"), DONG_HA),
    ],
)
def test_who_may_not_is_told_so(attempt: object) -> None:
    with pytest.raises(NotAllowed) as refused:
        attempt(live().state)  # type: ignore[operator]
    assert code(refused) == "permission.denied"


def test_the_lecturer_of_another_class_has_no_say_here() -> None:
    with pytest.raises(NotAllowed) as refused:
        floor.grant(live().state, Actor("usr_other", "lecturer"), DONG_HA)
    assert code(refused) == "lecture.not_yours"


def test_who_leaves_loses_hand_and_floor() -> None:
    story = live().do(floor.grant, CHAIR, DONG_HA).do(floor.request, point(TAM_DUONG))
    story.do(room.leave, DONG_HA, "lost", story.at_ms).do(room.leave, TAM_DUONG, "lost", story.at_ms)
    kinds = [what.type for *_, what, _ in story.steps[-4:]]
    assert kinds == ["floor.released", "participant.left", "floor.withdrawn", "participant.left"]
    assert (story.state.floor.holder, story.state.floor.queue) == (None, ())
    assert room.leave(story.state, DONG_HA, "lost", story.at_ms) == []


def test_a_request_by_an_absent_point_is_refused() -> None:
    with pytest.raises(Conflict) as refused:
        floor.request(live(DONG_HA).state, point(TAM_DUONG))
    assert code(refused) == "floor.not_in_room"
    assert floor.request(live(DONG_HA).state, point(DONG_HA)) == [FloorRequested(participant=DONG_HA)]
