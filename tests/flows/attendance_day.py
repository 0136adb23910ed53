"""A lecture that is on, in the whole application, for the flows of attendance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask

from attendance.service import AttendanceService
from rooms.service import RoomService
from schedules.records import LectureView
from tests.builders import PASSWORD, School, make_school
from tests.fakes import FakeClock


@dataclass
class Day:
    app: Flask
    clock: FakeClock
    school: School
    lecture: LectureView
    sign_in: Callable[..., Any]

    @property
    def rooms(self) -> RoomService:
        return self.app.extensions["rooms"]

    @property
    def attendance(self) -> AttendanceService:
        return self.app.extensions["attendance"]

    @property
    def point_url(self) -> str:
        return f"/lectures/{self.lecture.id}/points/{self.school.a.id}"

    def browser(self, login: str) -> Any:
        return self.sign_in(login, PASSWORD)

    def phone(self) -> Any:
        return self.app.test_client()

    def open(self) -> "Day":
        lecture = self.lecture
        self.rooms.open(lecture.id, lecture.lecturer_id, lecture.main_point_id, lecture.point_ids)
        return self

    def start(self) -> "Day":
        self.rooms.join(self.lecture.id, self.school.lecturer.id, "lecturer", "c-lecturer")
        self.rooms.start(self.lecture.id, self.school.lecturer.id, "lecturer")
        return self

    def connect(self, point: str) -> None:
        self.rooms.join(self.lecture.id, point, "point", f"c-{point}")

    def ask(self, question: str = "Nội dung nào cần trao đổi thêm?", *options: str) -> str:
        options = options or ("Chuyển đổi số", "Cải cách hành chính", "Đã rõ cả hai")
        return self.rooms.open_poll(self.lecture.id, self.school.lecturer.id, "lecturer", question, options)

    def close(self, poll: str) -> None:
        self.rooms.close_poll(self.lecture.id, self.school.lecturer.id, "lecturer", poll)

    def end(self) -> None:
        self.rooms.end(self.lecture.id, self.school.lecturer.id, "lecturer")


def make_day(app: Flask, clock: FakeClock, sign_in: Callable[..., Any]) -> Day:
    school = make_school(app.extensions["schedules"])
    return Day(app, clock, school, school.lecture(clock.now()), sign_in)
