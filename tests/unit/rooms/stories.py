"""Stories of rooms, told event by event: the fixtures that Python and JavaScript fold alike.

`python -m tests.unit.rooms.stories` writes them to tests/fixtures/rooms/; a test checks that they are fresh.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from rooms import encoder, floor, poll, room
from rooms.actor import Actor
from rooms.events import (
    EncoderStarted,
    EncoderStopped,
    FloorGranted,
    FloorReleased,
    FloorRequested,
    FloorWithdrawn,
    LectureEnded,
    LectureOpened,
    LectureStarted,
    ParticipantJoined,
    ParticipantLeft,
    PeopleCounted,
    PointReported,
    PollClosed,
    PollOpened,
    PollTallied,
    RecordingStarted,
    RecordingStopped,
    RoomEvent,
    SlotSwitched,
)
from rooms.fold import fold
from rooms.poll import Count
from rooms.state import RoomState

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "rooms"

LECTURE, LECTURER, ORGANISER, OPERATOR = "lec_1", "usr_lecturer", "usr_organiser", "usr_operator"
MAIN, DONG_HA, TAM_DUONG, THAI_THUY = "bp_main", "bp_dongha", "bp_tamduong", "bp_thaithuy"
POINTS = (DONG_HA, TAM_DUONG, THAI_THUY)
CHAIR = Actor(LECTURER, "lecturer")
START_MS = 1_772_413_200_000  # 2 March 2026, 01:00 UTC


@dataclass
class Story:
    """A journal and the state after each of its entries."""

    state: RoomState = field(default_factory=lambda: RoomState(lecture=LECTURE))
    at_ms: int = START_MS
    steps: list[tuple[int, int, RoomEvent, RoomState]] = field(default_factory=list)

    def say(self, *events: RoomEvent) -> "Story":
        for event in events:
            seq = self.state.seq + 1
            self.state = fold(self.state, seq, self.at_ms, event)
            self.steps.append((seq, self.at_ms, event, self.state))
        return self

    def do(self, decide: Callable[..., list[RoomEvent]], *args: Any) -> "Story":
        """Say what a decision says in the present state."""
        return self.say(*decide(self.state, *args))

    def wait(self, ms: int) -> "Story":
        self.at_ms += ms
        return self

    def come(self, *points: str) -> "Story":
        for point in points:
            self.wait(350).do(room.join, Actor(point, "point"), self.at_ms)
        return self


def opened() -> Story:
    """A lobby with nobody in it."""
    return Story().do(room.open_lobby, LECTURER, MAIN, POINTS)


def live(*points: str) -> Story:
    """A class that runs, with the lecturer and these points (all, when none is named)."""
    story = opened().do(room.join, CHAIR, START_MS).come(*(points or (MAIN, *POINTS)))
    return story.wait(60_000).do(room.start, CHAIR)


def class_day() -> Story:
    """A whole class as it should be."""
    story = opened().do(room.join, CHAIR, START_MS).come(MAIN, *POINTS)
    for point in (MAIN, *POINTS):
        story.wait(200).do(room.report, Actor(point, "point"), "ok", "silent" if point == TAM_DUONG else "ok")
    story.do(room.report, Actor(TAM_DUONG, "point"), "ok", "ok")
    story.do(room.join, Actor(ORGANISER, "organiser"), story.at_ms)
    story.do(room.count_people, Actor(OPERATOR, "operator"), DONG_HA, 42)
    story.wait(60_000).do(room.start, CHAIR)
    for slot, kind in (("stage", "camera"), ("audio-0", "mic")):
        story.wait(90).do(room.switched, slot, f"{LECTURER}/{kind}", 84)
    story.wait(3_000).do(encoder.start, DONG_HA, story.at_ms)
    story.wait(40_000).do(floor.request, Actor(DONG_HA, "point"))
    story.wait(2_000).do(floor.request, Actor(THAI_THUY, "point"))
    story.wait(5_000).do(floor.grant, CHAIR, DONG_HA)
    story.wait(120).do(room.switched, "guest", f"{DONG_HA}/camera", 112)
    story.wait(1).do(room.switched, "audio-1", f"{DONG_HA}/mic", 30)
    story.wait(50_000).do(floor.grant, CHAIR, THAI_THUY)
    story.wait(130).do(room.switched, "guest", f"{THAI_THUY}/camera", 121)
    story.wait(500).do(encoder.stop, DONG_HA, "left")
    story.wait(9_000).do(floor.request, Actor(TAM_DUONG, "point"))
    story.wait(1_000).do(floor.withdraw, CHAIR, TAM_DUONG)
    story.wait(30_000).do(floor.release, Actor(THAI_THUY, "point"))
    story.wait(100).do(room.switched, "guest", None, 0).do(room.switched, "audio-1", None, 0)
    story.wait(10_000).do(poll.open_poll, CHAIR, "pol_1", 3)
    story.wait(500).do(poll.tally, "pol_1", Count((1, 0, 0), 1))
    story.wait(500).do(poll.tally, "pol_1", Count((9, 4, 30), 6))
    story.wait(4_000).do(poll.close, LECTURER, Count((10, 4, 30), 7))
    story.wait(20_000).do(floor.grant, CHAIR, TAM_DUONG)
    story.do(encoder.start, TAM_DUONG, story.at_ms)
    story.wait(8_000).do(room.leave, TAM_DUONG, "lost", story.at_ms - 8_000)
    story.wait(15_000).come(TAM_DUONG).do(floor.grant, CHAIR, MAIN)
    story.do(poll.open_poll, CHAIR, "pol_2", 2).do(encoder.start, THAI_THUY, story.at_ms)
    return story.wait(600_000).do(room.end, LECTURER, "ended", Count((3, 2), 5), story.at_ms)


def contradictions() -> Story:
    """Everything that a decision would have refused: the fold takes it calmly."""
    told = Story().say(
        LectureStarted(by=LECTURER),
        FloorReleased(participant=DONG_HA, by=None, reason="left"),
        PollTallied(poll="pol_0", counts=[1, 2], phones=3),
        PollClosed(poll="pol_0", counts=[1, 2], phones=3, by=None),
        ParticipantLeft(participant=DONG_HA, reason="lost", since_ms=START_MS),
        RecordingStopped(),
        EncoderStopped(point=DONG_HA, reason="lost"),
        LectureOpened(lecturer=LECTURER, main_point=MAIN, points=list(POINTS)),
        LectureOpened(lecturer=ORGANISER, main_point=DONG_HA, points=[]),
        FloorGranted(participant=DONG_HA, by=LECTURER),
        FloorRequested(participant=DONG_HA),
    )
    told.wait(1_000).say(
        ParticipantJoined(participant=DONG_HA, role="point"),
        ParticipantJoined(participant=DONG_HA, role="observer"),
        EncoderStarted(point=DONG_HA),
        EncoderStarted(point=DONG_HA),
        LectureStarted(by=LECTURER),
        LectureStarted(by=ORGANISER),
        FloorRequested(participant=TAM_DUONG),
        FloorRequested(participant=TAM_DUONG),
        FloorGranted(participant=TAM_DUONG, by=LECTURER),
        FloorGranted(participant=TAM_DUONG, by=ORGANISER),
        FloorReleased(participant=DONG_HA, by=None, reason="released"),
        FloorWithdrawn(participant=MAIN, by=None),
    )
    told.wait(1_000).say(
        PollOpened(poll="pol_1", options=2, by=LECTURER),
        PollTallied(poll="pol_9", counts=[7, 7], phones=7),
        PollTallied(poll="pol_1", counts=[2, 1], phones=0),
        PollOpened(poll="pol_2", options=4, by=LECTURER),
        PollClosed(poll="pol_1", counts=[9, 9], phones=9, by=LECTURER),
        SlotSwitched(slot="guest", publication=None, latency_ms=0),
        SlotSwitched(slot="tile-3", publication=f"{MAIN}/camera", latency_ms=5),
        PeopleCounted(point=MAIN, people=0, by=OPERATOR),
        PointReported(point=MAIN, camera="denied", microphone="missing"),
    )
    told.wait(1_000).say(
        LectureEnded(by=None, reason="expired"),
        LectureEnded(by=LECTURER, reason="ended"),
        RecordingStarted(),
        EncoderStarted(point=MAIN),
        PollOpened(poll="pol_3", options=2, by=LECTURER),
        PollClosed(poll="pol_2", counts=[1, 1, 1, 1], phones=0, by=None),
        FloorRequested(participant=MAIN),
        FloorGranted(participant=MAIN, by=LECTURER),
        SlotSwitched(slot="stage", publication=f"{LECTURER}/camera", latency_ms=1),
        LectureStarted(by=LECTURER),
        ParticipantLeft(participant=DONG_HA, reason="ended", since_ms=START_MS),
        LectureOpened(lecturer=LECTURER, main_point=MAIN, points=[]),
    )
    return told


def chance(seed: int, length: int = 80) -> Story:
    """Events by chance, each as likely as another; the same for the same seed."""
    random = Random(seed)

    def pick(several: tuple[Any, ...]) -> Any:
        return several[int(random.random() * len(several))]  # Random.choice may change from one Python to the next

    story = Story().say(LectureOpened(lecturer=LECTURER, main_point=MAIN, points=list(POINTS)))
    for number in range(length):
        who, poll_id, few = pick((MAIN, *POINTS)), f"pol_{int(random.random() * 3)}", int(random.random() * 50)
        several: tuple[RoomEvent, ...] = (
            ParticipantJoined(participant=who, role="point"),
            ParticipantLeft(participant=who, reason="lost", since_ms=story.at_ms),
            FloorRequested(participant=who),
            FloorWithdrawn(participant=who, by=LECTURER),
            FloorGranted(participant=who, by=LECTURER),
            FloorReleased(participant=who, by=None, reason="released"),
            PollOpened(poll=poll_id, options=2, by=LECTURER),
            PollTallied(poll=poll_id, counts=[few, 1], phones=few),
            PollClosed(poll=poll_id, counts=[few, 2], phones=few, by=LECTURER),
            SlotSwitched(slot="guest", publication=f"{who}/camera", latency_ms=90),
            SlotSwitched(slot="guest", publication=None, latency_ms=0),
            PeopleCounted(point=who, people=few, by=OPERATOR),
            PointReported(point=who, camera="ok", microphone="silent"),
            RecordingStarted(),
            RecordingStopped(),
            EncoderStarted(point=who),
            EncoderStopped(point=who, reason="left"),
        )
        story.wait(int(random.random() * 5_000)).say(pick(several))
        if number == length // 4:
            story.say(LectureStarted(by=LECTURER))
    return story.say(LectureEnded(by=LECTURER, reason="ended"))


STORIES: dict[str, Callable[[], Story]] = {
    "class_day": class_day,
    "contradictions": contradictions,
    "chance_1": lambda: chance(1),
    "chance_2": lambda: chance(2),
}


def as_json(story: Story) -> str:
    """Return a story as JSON text, a step a line so that a change can be read in a diff."""
    first = RoomState(lecture=LECTURE).model_dump(mode="json")
    lines = [
        json.dumps(
            {
                "entry": {"seq": seq, "at_ms": at_ms, "event": event.model_dump(mode="json")},
                "state": state.model_dump(mode="json"),
            },
            sort_keys=True,
        )
        for seq, at_ms, event, state in story.steps
    ]
    return f'{{"initial": {json.dumps(first, sort_keys=True)},\n"steps": [\n' + ",\n".join(lines) + "\n]}\n"


def files() -> Iterator[tuple[Path, str]]:
    """Give each fixture's path and what it should hold."""
    for name, tell in STORIES.items():
        yield FOLDER / f"{name}.json", as_json(tell())


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in files():
        path.write_text(text, "utf-8")
