"""A room that journals whatever it is told, so that attendance meets every order of events."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.bus import EventBus
from core.clock import Clock, to_ms
from core.db import Database
from core.journal import Journal
from rooms.events import (
    LectureEnded,
    LectureOpened,
    LectureStarted,
    PeopleCounted,
    PollClosed,
    PollOpened,
    RoomChanged,
    RoomEvent,
)
from rooms.state import OpenPoll, RoomState

LECTURE, MAIN, QUANG_TRI, LAI_CHAU = "lec_1", "bp_main", "bp_quangtri", "bp_laichau"
STARTS_AT = datetime.fromisoformat("2026-03-02T08:00+07:00")
LECTURER, OPERATOR = "usr_lecturer", "usr_operator"


@dataclass(frozen=True)
class Lecture:
    id: str = LECTURE
    title: str = "Lớp bồi dưỡng lý luận chính trị"
    topic_title: str = "Xây dựng Đảng ở cơ sở"
    lecturer_id: str = LECTURER
    lecturer_name: str = "Nguyễn Thị Hạnh"
    main_point_id: str = MAIN
    point_ids: tuple[str, ...] = (QUANG_TRI, LAI_CHAU)
    starts_at: datetime = STARTS_AT
    ends_at: datetime = STARTS_AT + timedelta(hours=2)
    zone: str = "Asia/Ho_Chi_Minh"


@dataclass(frozen=True)
class PollText:
    lecture_id: str
    question: str
    options: tuple[str, ...]


@dataclass
class PlainTimetable:
    names: dict[str, str] = field(
        default_factory=lambda: {
            MAIN: "Hội trường Tỉnh ủy",
            QUANG_TRI: "Điểm cầu Đông Hà",
            LAI_CHAU: "Điểm cầu Tam Đường",
            OPERATOR: "Lò Văn Pún",
        }
    )

    def lecture(self, lecture_id: str) -> Lecture:
        return Lecture(id=lecture_id)

    def labels(self, ids: Iterable[str]) -> dict[str, str]:
        return {i: self.names[i] for i in ids if i in self.names}

    def point_organisations(self, lecture_id: str) -> dict[str, str]:
        return {MAIN: "Tỉnh ủy Quảng Trị", QUANG_TRI: "Thành phố Đông Hà", LAI_CHAU: "Huyện Tam Đường"}


class PlainRoom:
    def __init__(self, db: Database, bus: EventBus, clock: Clock) -> None:
        self.journal, self.bus, self.clock = Journal(db), bus, clock
        self.texts: dict[str, PollText] = {}
        self._state = RoomState(lecture=LECTURE)

    def say(self, *events: RoomEvent) -> None:
        for event in events:
            at_ms = to_ms(self.clock.now())
            self.journal.append(LECTURE, self._state.seq, at_ms, [(event.type, event.body())])
            self._state = _after(self._state, at_ms, event)
            self.bus.publish(RoomChanged(LECTURE, self._state.seq, at_ms, event, self._state))

    def open(self) -> None:
        self.say(LectureOpened(lecturer=LECTURER, main_point=MAIN, points=[QUANG_TRI, LAI_CHAU]))

    def start(self) -> None:
        self.say(LectureStarted(by=LECTURER))

    def ask(self, poll: str, question: str = "Đồng chí đã rõ nội dung chưa?", *options: str) -> None:
        options = options or ("Đã rõ", "Chưa rõ")
        self.texts[poll] = PollText(LECTURE, question, options)
        self.say(PollOpened(poll=poll, options=len(options), by=LECTURER))

    def close(self, poll: str, counts: tuple[int, ...], phones: int) -> None:
        self.say(PollClosed(poll=poll, counts=list(counts), phones=phones, by=LECTURER))

    def end(self) -> None:
        self.say(LectureEnded(by=LECTURER, reason="ended"))

    def state(self, lecture: str) -> RoomState:
        return self._state

    def labels_of_polls(self, polls: Iterable[str]) -> dict[str, PollText]:
        return {poll: self.texts[poll] for poll in polls if poll in self.texts}

    def count_people(self, lecture: str, by: str, role: str, point: str, people: int) -> None:
        self.say(PeopleCounted(point=point, people=people, by=by))


def _after(state: RoomState, at_ms: int, event: RoomEvent) -> RoomState:
    change: dict[str, object] = {"seq": state.seq + 1}
    match event:
        case LectureStarted():
            change["phase"] = "live"
        case LectureEnded():
            change["phase"] = "ended"
        case PollOpened():
            counts = (0,) * event.options
            change["poll"] = OpenPoll(poll=event.poll, counts=counts, phones=0, opened_ms=at_ms)
        case PollClosed():
            change["poll"] = None
        case PeopleCounted():
            change["people"] = {**state.people, event.point: event.people}
        case _:
            pass
    return state.model_copy(update=change)
