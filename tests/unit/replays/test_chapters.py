"""Chapters and the page's timeline from a journal."""

from core.journal import Entry
from replays.chapters import Chapter, Moment, chapters
from replays.timeline import ids_of, moments, wire
from rooms.events import (
    FloorGranted,
    FloorReleased,
    LectureEnded,
    LectureOpened,
    LectureStarted,
    ParticipantJoined,
    PollClosed,
    PollOpened,
    RoomEvent,
    SlotSwitched,
)


def told(*events: tuple[int, RoomEvent]) -> list[Moment]:
    return [Moment(at_s * 1000, event) for at_s, event in events]


def test_the_turns_of_a_class_become_chapters() -> None:
    found = chapters(
        told(
            (0, LectureOpened(lecturer="usr_1", main_point="bp_0", points=["bp_1"])),
            (10, LectureStarted(by="usr_1")),
            (12, ParticipantJoined(participant="bp_1", role="point")),
            (60, FloorGranted(participant="bp_1", by="usr_1")),
            (90, FloorReleased(participant="bp_1", by="bp_1", reason="released")),
            (120, PollOpened(poll="pol_1", options=2, by="usr_1")),
            (150, PollClosed(poll="pol_1", counts=[1, 2], phones=3, by="usr_1")),
            (180, LectureEnded(by="usr_1", reason="ended")),
        )
    )
    assert found == [
        Chapter("start", 10_000),
        Chapter("floor", 60_000, "bp_1"),
        Chapter("lecturer", 90_000),
        Chapter("poll", 120_000, "pol_1"),
        Chapter("result", 150_000, "pol_1"),
        Chapter("end", 180_000),
    ]


def test_a_floor_passed_on_is_one_turn_after_the_other() -> None:
    found = chapters(
        told(
            (10, FloorGranted(participant="bp_1", by="usr_1")),
            (30, FloorReleased(participant="bp_1", by="usr_1", reason="passed")),
            (30, FloorGranted(participant="bp_2", by="usr_1")),
            (50, FloorReleased(participant="bp_2", by="bp_2", reason="released")),
            (52, FloorGranted(participant="bp_1", by="usr_1")),
        )
    )
    assert [(chapter.kind, chapter.subject) for chapter in found] == [
        ("floor", "bp_1"),
        ("floor", "bp_2"),
        ("floor", "bp_1"),
    ]


def test_a_poll_that_the_end_closed_has_no_result_chapter() -> None:
    found = chapters(
        told(
            (10, PollOpened(poll="pol_1", options=2, by="usr_1")),
            (20, PollClosed(poll="pol_1", counts=[0, 0], phones=0, by=None)),
            (20, LectureEnded(by=None, reason="expired")),
        )
    )
    assert [chapter.kind for chapter in found] == ["poll", "end"]


def test_the_page_gets_every_known_entry_and_the_ids_in_it() -> None:
    opened = LectureOpened(lecturer="usr_1", main_point="bp_0", points=["bp_1", "bp_2"])
    switched = SlotSwitched(slot="guest", publication="bp_1/camera", latency_ms=80)
    numbered = moments(
        [
            Entry("lec_1", 1, 1000, opened.type, opened.body()),
            Entry("lec_1", 2, 2000, "comet.sighted", {"tail": True}),
            Entry("lec_1", 3, 3000, switched.type, switched.body()),
        ]
    )
    assert [entry["seq"] for entry in wire(numbered)] == [1, 3]
    assert wire(numbered)[1] == {
        "seq": 3,
        "at_ms": 3000,
        "event": {"type": "slot.switched", "slot": "guest", "publication": "bp_1/camera", "latency_ms": 80},
    }
    assert {"usr_1", "bp_0", "bp_1", "bp_2"} <= ids_of(numbered)
