"""The bridge carries plans until they stick, and the node's events back."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from core.errors import N_, NotFound, Unavailable
from media.client import NodeLost, Stream
from media.control import DownOffer, Hello, RecorderState, RoomPlan, RoomStatus, SlotSwitched
from rooms.events import LectureEnded, ParticipantJoined, ParticipantLeft, RoomChanged, RoomEvent
from rooms.state import Presence, RoomState
from signaling import media_bridge
from signaling.media_bridge import Background, MediaBridge


class Node:
    """A node in memory that can be away."""

    def __init__(self) -> None:
        self.epoch, self.away = "epoch_1", 0
        self.moves_to = ""  # the next plan makes this the epoch
        self.plans: dict[str, RoomPlan] = {}
        self.calls: list[str] = []
        self.shown: dict[str, str] = {}

    def _call(self, name: str) -> None:
        if self.away > 0:
            self.away -= 1
            raise Unavailable("media.unavailable", N_("away"))
        self.calls.append(name)

    def put_plan(self, room: str, plan: RoomPlan) -> RoomStatus:
        self._call(f"put {plan.version}")
        self.plans[room] = plan
        self.epoch, self.moves_to = self.moves_to or self.epoch, ""
        return RoomStatus(version=plan.version, peers=[], publications=[], shown=self.shown, recording=plan.recording)

    def delete_room(self, room: str) -> None:
        self._call("delete room")
        self.plans.pop(room, None)

    def delete_peer(self, room: str, peer: str) -> None:
        self._call(f"delete {peer}")

    def up(self, room: str, peer: str, sdp: str) -> str:
        if room not in self.plans:
            raise NotFound("media.not_found", N_("?"))
        self._call(f"up {peer}")
        return "answer"

    def down(self, room: str, peer: str, slots: Any) -> DownOffer:
        self._call(f"down {peer}")
        return DownOffer(leg="leg_1", sdp="offer", slots=list(slots))

    def down_answer(self, room: str, peer: str, leg: str, sdp: str) -> None:
        self._call(f"answer {leg}")

    def epoch_of(self, room: str) -> str:
        return self.epoch

    def streams(self) -> list[Stream]:
        return []


class Rooms:
    def __init__(self) -> None:
        self.now = state()
        self.told: list[tuple[object, ...]] = []

    def active(self) -> list[str]:
        return ["lec_1"] if self.now.phase in ("lobby", "live") else []

    def ended_lately(self) -> list[str]:
        return ["lec_1"] if self.now.phase == "ended" else []

    def state(self, lecture: str) -> RoomState:
        return self.now

    def slot_switched(self, *told: object) -> None:
        self.told.append(("slot", *told))

    def recording(self, *told: object) -> None:
        self.told.append(("recording", *told))


def state(*present: str, seq: int = 1, phase: str = "live") -> RoomState:
    here = {p: Presence(role="point", since_ms=1) for p in present}
    return RoomState(lecture="lec_1", seq=seq, phase=phase, lecturer="usr_l", points=("bp_a", "bp_b"), present=here)


SDP = "v=0\r\ns=-\r\nm=audio 9 X 111\r\n"
JOINED = ParticipantJoined(participant="bp_a", role="point")


class Lab:
    """A bridge whose background work runs in threads; `settle` waits until all of it has ended."""

    def __init__(self) -> None:
        self.node, self.rooms, self.resets = Node(), Rooms(), []
        self.threads: list[threading.Thread] = []
        self.bridge = MediaBridge(self.node, self.rooms, Background(self.spawn, self.pause), self.reset)

    def reset(self, lecture: str, epoch: str) -> None:
        self.resets.append((lecture, epoch))

    def spawn(self, function: Callable[..., object], *args: object) -> None:
        thread = threading.Thread(target=function, args=args)
        self.threads.append(thread)
        thread.start()

    def pause(self, seconds: float) -> None:
        time.sleep(0 if seconds > 0.02 else 0.001)

    def settle(self) -> None:
        while self.threads:
            self.threads.pop().join(5)

    def change(self, new: RoomState, event: RoomEvent = JOINED) -> None:
        self.rooms.now = new
        self.bridge.room_changed(RoomChanged("lec_1", new.seq, 0, event, new))
        self.settle()


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_a_changed_room_is_put_to_the_node(lab: Lab) -> None:
    lab.change(state("bp_a", seq=3))
    assert lab.node.plans["lec_1"].publishers == ["bp_a"]


def test_a_change_that_asks_nothing_new_of_the_node_is_not_put_again(lab: Lab) -> None:
    lab.change(state("bp_a", seq=3))
    lab.change(state("bp_a", seq=4))
    assert lab.node.calls == ["put 3"]


def test_a_plan_is_put_until_it_sticks(lab: Lab) -> None:
    lab.node.away = 5
    lab.change(state("bp_a", seq=3))
    assert lab.node.calls == ["put 3"]


def test_the_newest_plan_wins_over_one_that_comes_late(lab: Lab) -> None:
    lab.change(state("bp_a", "bp_b", seq=8))
    lab.change(state("bp_a", seq=7))
    assert lab.node.plans["lec_1"].version == 8


def test_who_left_is_dropped_from_the_node(lab: Lab) -> None:
    lab.change(state("bp_a", "bp_b", seq=3))
    lab.change(state("bp_a", seq=4), ParticipantLeft(participant="bp_b", reason="lost", since_ms=1))
    assert lab.node.calls == ["put 3", "put 4", "delete bp_b"]


def test_who_came_back_before_the_node_heard_of_it_is_not_dropped(lab: Lab) -> None:
    lab.rooms.now = state("bp_a", seq=4)
    gone = state(seq=3)
    lab.bridge.room_changed(
        RoomChanged("lec_1", 3, 0, ParticipantLeft(participant="bp_a", reason="lost", since_ms=1), gone)
    )
    lab.settle()
    assert "delete bp_a" not in lab.node.calls


def test_a_leg_waits_for_the_plan_even_if_the_process_was_just_started(lab: Lab) -> None:
    lab.rooms.now = state("bp_a", seq=5)
    assert lab.bridge.up("lec_1", "bp_a", SDP) == "answer"
    assert lab.node.calls == ["put 5", "up bp_a"]


def test_a_node_that_forgot_the_room_gets_the_plan_again_within_the_same_request(lab: Lab) -> None:
    lab.change(state("bp_a", seq=5))
    lab.node.plans.clear()
    assert lab.bridge.up("lec_1", "bp_a", SDP) == "answer"
    assert lab.node.calls == ["put 5", "put 5", "up bp_a"]


def test_a_leg_is_refused_after_a_while_when_there_is_no_node(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_bridge, "READY_S", 0.05)
    lab.rooms.now = state("bp_a")
    lab.node.away = 10**9
    with pytest.raises(Unavailable):
        lab.bridge.down("lec_1", "bp_a", "point")
    lab.node.away = 0
    lab.settle()


def test_another_life_of_the_node_gets_all_plans_and_the_browsers_are_told(lab: Lab) -> None:
    lab.bridge.node_event(Hello(epoch="epoch_1"))
    lab.change(state("bp_a", seq=3))
    lab.node.epoch = "epoch_2"
    lab.bridge.node_event(Hello(epoch="epoch_2"))
    lab.settle()
    assert lab.node.calls == ["put 3", "put 3"]
    assert lab.resets == [("lec_1", "epoch_2")]


def test_a_node_that_ended_takes_its_rooms_elsewhere_at_once(lab: Lab) -> None:
    lab.change(state("bp_a", seq=3))
    lab.node.epoch = ""
    lab.node.moves_to = "epoch_of_another"
    lab.bridge.node_event(NodeLost("epoch_1"))
    lab.settle()
    assert lab.node.calls == ["put 3", "put 3"]
    assert lab.resets == [("lec_1", "epoch_of_another")]


def test_what_happens_to_another_node_touches_no_room_here(lab: Lab) -> None:
    lab.change(state("bp_a", seq=3))
    lab.bridge.node_event(NodeLost("epoch_of_another"))
    lab.bridge.node_event(Hello(epoch="epoch_of_a_third"))
    lab.settle()
    assert (lab.node.calls, lab.resets) == (["put 3"], [])


def test_a_room_that_came_to_another_node_with_a_changed_plan_is_told_and_reconciled_too(lab: Lab) -> None:
    lab.change(state("bp_a", seq=3))
    lab.node.epoch, lab.node.shown = "epoch_2", {"stage": "usr_l/camera"}
    lab.change(state("bp_a", "bp_b", seq=4))
    assert lab.resets == [("lec_1", "epoch_2")]
    assert ("slot", "lec_1", "stage", "usr_l/camera", 0) in lab.rooms.told


def test_who_came_in_before_the_room_had_a_place_is_told_the_epoch_once(lab: Lab) -> None:
    lab.node.epoch = ""
    assert lab.bridge.epoch_of("lec_1") == ""
    lab.node.moves_to = "epoch_1"
    lab.change(state("bp_a", seq=3))
    lab.change(state("bp_a", "bp_b", seq=4))
    assert lab.resets == [("lec_1", "epoch_1")]
    assert lab.bridge.epoch_of("lec_1") == "epoch_1"


def test_who_comes_in_while_the_room_is_being_placed_waits_for_its_epoch(lab: Lab) -> None:
    lab.bridge.start()
    lab.node.epoch, lab.node.away, lab.node.moves_to = "", 20, "epoch_1"
    lab.rooms.now = state("bp_a", seq=3)
    lab.bridge.room_changed(RoomChanged("lec_1", 3, 0, JOINED, lab.rooms.now))
    assert lab.bridge.epoch_of("lec_1") == "epoch_1"
    lab.settle()
    lab.bridge.stop()


def test_the_same_life_of_the_node_disturbs_no_browser(lab: Lab) -> None:
    lab.bridge.node_event(Hello(epoch="epoch_1"))
    lab.bridge.node_event(Hello(epoch="epoch_1"))
    assert lab.resets == []


def test_what_the_node_switched_while_nobody_listened_is_journalled_on_the_first_put(lab: Lab) -> None:
    lab.node.shown = {"stage": "usr_l/camera"}
    lab.change(state("usr_l", seq=3))
    assert lab.rooms.told[0] == ("slot", "lec_1", "stage", "usr_l/camera", 0)


def test_node_events_reach_the_room(lab: Lab) -> None:
    lab.bridge.node_event(SlotSwitched(room="lec_1", slot="guest", publication="bp_a/camera", latency_ms=40))
    lab.bridge.node_event(RecorderState(room="lec_1", state="started"))
    assert lab.rooms.told == [("slot", "lec_1", "guest", "bp_a/camera", 40), ("recording", "lec_1", True)]


def test_a_recorder_that_cannot_write_is_no_recording(lab: Lab) -> None:
    for said in ("stalled", "resumed"):
        lab.bridge.node_event(RecorderState(room="lec_1", state=said))
    assert lab.rooms.told == [("recording", "lec_1", False), ("recording", "lec_1", True)]


def test_a_room_is_closed_when_the_class_and_its_recording_have_ended(lab: Lab) -> None:
    lab.change(state("bp_a", seq=3))
    lab.rooms.now = state("bp_a", seq=4, phase="ended")
    lab.bridge.room_changed(RoomChanged("lec_1", 4, 0, LectureEnded(by="usr_l", reason="ended"), lab.rooms.now))
    lab.bridge.node_event(RecorderState(room="lec_1", state="finished"))
    lab.settle()
    assert ("recording", "lec_1", False) in lab.rooms.told
    assert lab.node.calls.count("delete room") == 1


def test_a_closed_room_is_not_made_again_by_a_late_event(lab: Lab) -> None:
    ended = state(seq=4, phase="ended")
    lab.change(ended)
    assert lab.node.calls == []


def test_a_class_that_ended_with_the_last_process_is_closed_at_the_node(lab: Lab) -> None:
    lab.rooms.now, lab.node.away = state(seq=9, phase="ended"), 2
    lab.bridge.start()
    lab.settle()
    assert lab.node.calls == ["delete room"]
    lab.bridge.stop()
