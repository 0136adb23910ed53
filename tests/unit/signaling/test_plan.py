"""The rule of who is seen and heard where."""

import pytest

from rooms.state import Floor, Presence, RoomState
from signaling.media_bridge import is_session_description, plan_of, slots_for

POINTS = tuple(f"bp_{letter}" for letter in "bcdefghijk")


def room(*present: str, phase: str = "live", holder: str | None = None, seq: int = 9) -> RoomState:
    return RoomState(
        lecture="lec_1", seq=seq, phase=phase, lecturer="usr_l", main_point="bp_a", points=POINTS,
        present={p: Presence(role="x", since_ms=1) for p in present}, floor=Floor(holder=holder),
    )  # fmt: skip


def test_the_lecturer_is_on_stage_while_the_class_is_live() -> None:
    plan = plan_of(room("usr_l"))
    assert plan.slots == {"stage": "usr_l/camera", "audio-0": "usr_l/mic", "screen": "usr_l/screen"}
    assert (plan.publishers, plan.boost, plan.recording, plan.version) == (["usr_l"], ["usr_l"], True, 9)


def test_nobody_is_on_stage_in_the_lobby_but_the_points_can_be_seen_in_the_tiles() -> None:
    plan = plan_of(room("usr_l", "bp_b", phase="lobby"))
    assert plan.slots == {"tile-0": "bp_b/camera"}
    assert plan.publishers == ["usr_l", "bp_b"]
    assert not plan.recording


def test_who_has_the_floor_is_the_guest() -> None:
    plan = plan_of(room("usr_l", "bp_c", holder="bp_c"))
    assert (plan.slots["guest"], plan.slots["audio-1"]) == ("bp_c/camera", "bp_c/mic")
    assert plan.boost == ["usr_l", "bp_c"]


def test_a_point_without_the_floor_is_heard_by_nobody() -> None:
    plan = plan_of(room("usr_l", "bp_c", "bp_d", holder="bp_c"))
    assert "bp_d/mic" not in plan.slots.values()


def test_a_holder_who_is_not_here_leaves_the_guest_slot_empty() -> None:
    assert "guest" not in plan_of(room("usr_l", holder="bp_c")).slots


def test_tiles_show_the_points_that_are_here_the_main_point_first_in_the_order_of_the_plan() -> None:
    plan = plan_of(room("bp_d", "bp_b", "bp_a"))
    assert [plan.slots[f"tile-{i}"] for i in range(3)] == ["bp_a/camera", "bp_b/camera", "bp_d/camera"]


def test_there_are_at_most_eight_tiles_but_every_point_may_publish() -> None:
    plan = plan_of(room("bp_a", *POINTS))
    assert sum(slot.startswith("tile-") for slot in plan.slots) == 8
    assert len(plan.publishers) == 11


def test_a_visitor_may_never_publish() -> None:
    assert plan_of(room("usr_visitor", "usr_l")).publishers == ["usr_l"]


@pytest.mark.parametrize("phase", ["none", "ended"])
def test_nothing_is_forwarded_or_kept_outside_a_class(phase: str) -> None:
    plan = plan_of(room("usr_l", "bp_b", phase=phase, holder="bp_b"))
    assert (plan.slots, plan.publishers, plan.boost, plan.recording) == ({}, [], [], False)


def test_chairs_receive_tiles_and_halls_do_not() -> None:
    assert "tile-0" in slots_for("lecturer") and "tile-0" in slots_for("organiser")
    assert "tile-0" not in slots_for("point") and "tile-0" not in slots_for("observer")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 X 111\r\n", True),
        ("v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nm=audio 9 X 111", True),
        ("v=0\r\ns=-\r\nt=0 0\r\n", False),
        ("v=1\r\nm=audio 9 X 111\r\n", False),
        ("v=0\r\nhello\r\nm=audio 9 X 111\r\n", False),
        ("v=0\r\ns=\x00\r\nm=audio 9 X 111\r\n", False),
        ("GET / HTTP/1.1\r\n\r\n", False),
    ],
)
def test_only_what_looks_like_sdp_goes_to_the_node(text: str, verdict: bool) -> None:
    assert is_session_description(text) is verdict
