"""Lines and voices: what a page is told, when, and what is left out."""

import pytest

from media.control import PeerDown, Quality, Speaking
from signaling.connections import Member
from signaling.messages import RoomSignals, Signal
from signaling.signals import Signals, level_of

LECTURER = Member("c_lecturer", "lec_1", "usr_l", "lecturer")
POINT = Member("c_a", "lec_1", "bp_a", "point")
OBSERVER = Member("c_o", "lec_1", "usr_o", "observer")
ELSEWHERE = Member("c_x", "lec_2", "usr_x", "organiser")


def report(peer: str = "bp_a", leg: str = "down", room: str = "lec_1", **more: object) -> Quality:
    usual = {"loss": 0.0, "rtt_ms": 40, "jitter_ms": 3, "layer": 360, "bitrate_kbps": 700, "audio_only": False}
    return Quality.model_validate({"room": room, "peer": peer, "leg": leg, **usual, **more})


class Lab:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.members = [LECTURER, POINT, OBSERVER, ELSEWHERE]
        self.sent: list[tuple[str, dict[str, Signal | None]]] = []
        self.signals = Signals(lambda: self.members, self.send, lambda: self.now_s)

    def send(self, connection: str, message: RoomSignals) -> None:
        self.sent.append((connection, message.signals))

    def tick(self, *reports: Quality) -> list[tuple[str, dict[str, Signal | None]]]:
        """Let 2 s go by with these reports.  Returns what was sent."""
        self.now_s += 2
        for each in reports:
            self.signals.node_event(each)
        self.sent = []
        self.signals.tick()
        return self.sent


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.mark.parametrize(
    ("figures", "level"),
    [
        ({}, "good"),
        ({"rtt_ms": None}, "good"),
        ({"loss": 0.029, "rtt_ms": 299, "jitter_ms": 49}, "good"),
        ({"loss": 0.03}, "weak"),
        ({"rtt_ms": 300}, "weak"),
        ({"jitter_ms": 50}, "weak"),
        ({"loss": 0.1}, "poor"),
        ({"rtt_ms": 800}, "poor"),
        ({"jitter_ms": 150, "loss": 0.03}, "poor"),
        ({"audio_only": True}, "sound"),
    ],
)
def test_a_report_has_one_of_four_levels(figures: dict[str, object], level: str) -> None:
    assert level_of(report(**figures)) == level


def test_chairs_hear_of_everybody_in_their_room_and_others_of_themselves(lab: Lab) -> None:
    good = Signal(level="good", rtt_ms=50)
    sent = lab.tick(report("bp_a"), report("bp_b"), report("bp_z", room="lec_2"))
    assert sent == [
        ("c_lecturer", {"bp_a": good, "bp_b": good}),
        ("c_a", {"bp_a": Signal(level="good")}),
        ("c_x", {"bp_z": good}),
    ]


def test_a_line_that_stays_as_it_is_is_told_once(lab: Lab) -> None:
    lab.tick(report(rtt_ms=41, loss=0.001))
    assert lab.tick(report(rtt_ms=44, loss=0.003)) == []


def test_a_line_is_worse_at_once_and_better_after_three_reports(lab: Lab) -> None:
    lab.tick(report())
    levels = []
    for loss in (0.2, 0.0, 0.0, 0.0, 0.0):
        lab.tick(report(loss=loss))
        levels += [row["bp_a"].level for to, row in lab.sent if to == "c_a" and row["bp_a"]]
    assert levels == ["poor", "good"]
    assert lab.tick(report()) == []


def test_the_worse_of_both_legs_counts(lab: Lab) -> None:
    lab.tick(report(leg="up", loss=0.12, rtt_ms=None), report(leg="down", rtt_ms=120))
    assert lab.sent[0] == ("c_lecturer", {"bp_a": Signal(level="poor", loss_percent=12, rtt_ms=100)})


def test_only_sound_is_told_to_the_hall_itself(lab: Lab) -> None:
    lab.tick(report())
    assert ("c_a", {"bp_a": Signal(level="sound")}) in lab.tick(report(audio_only=True))


def test_who_speaks_is_told_at_once_and_to_chairs_only(lab: Lab) -> None:
    lab.tick(report())
    lab.sent = []
    lab.signals.node_event(Speaking(room="lec_1", peer="bp_a", speaking=True))
    assert lab.sent == [("c_lecturer", {"bp_a": Signal(level="good", rtt_ms=50, speaking=True)})]
    lab.signals.node_event(Speaking(room="lec_1", peer="bp_a", speaking=False))
    assert lab.sent[-1] == ("c_lecturer", {"bp_a": Signal(level="good", rtt_ms=50)})


def test_a_voice_before_the_first_report_has_no_level_yet(lab: Lab) -> None:
    lab.signals.node_event(Speaking(room="lec_1", peer="bp_a", speaking=True))
    assert lab.sent == [("c_lecturer", {"bp_a": Signal(speaking=True)}), ("c_a", {"bp_a": Signal()})]
    assert lab.tick(report()) != [] and lab.sent[0][1]["bp_a"] == Signal(level="good", rtt_ms=50, speaking=True)


def test_who_comes_in_late_is_told_all_there_is(lab: Lab) -> None:
    lab.tick(report("bp_a"), report("bp_b", loss=0.05))
    lab.members.append(Member("c_late", "lec_1", "usr_org", "organiser"))
    assert [(to, sorted(rows)) for to, rows in lab.tick()] == [("c_late", ["bp_a", "bp_b"])]


def test_who_left_is_told_as_gone(lab: Lab) -> None:
    lab.tick(report(leg="up"), report(leg="down"))
    for leg in ("up", "down"):
        lab.signals.node_event(PeerDown(room="lec_1", peer="bp_a", leg=leg, reason="left"))
    assert lab.tick() == [("c_lecturer", {"bp_a": None}), ("c_a", {"bp_a": None})]
    lab.signals.node_event(PeerDown(room="lec_9", peer="bp_a", leg="up", reason="left"))


def test_a_leg_that_nobody_reports_on_is_gone_after_a_while_and_nothing_is_kept(lab: Lab) -> None:
    lab.tick(report())
    for _ in range(4):
        assert lab.tick() == []
    assert lab.tick() == [("c_lecturer", {"bp_a": None}), ("c_a", {"bp_a": None})]
    lab.members.clear()
    lab.tick()
    assert (lab.signals._rooms, lab.signals._told) == ({}, {})
