"""What the start page tells who plans: classes that have not begun, and a plan of the year that is late."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask

from app.wiring import Wiring
from schedules.plans.records import YearDraft
from tests.builders import PASSWORD, School
from tests.fakes import FakeClock

TOLD = "Buổi học chưa bắt đầu"


@pytest.fixture
def wiring(app: Flask) -> Wiring:
    made: Wiring = app.extensions["wiring"]
    return made


def page_of(browser: Any, path: str = "/") -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    return str(answer.get_data(as_text=True))


def test_a_class_that_does_not_begin_is_told_to_who_plans_and_can_be_called_off(
    login: Any, school: School, wiring: Wiring, clock: FakeClock
) -> None:
    lecture = school.lecture(clock.now())
    organiser, lecturer = login("tochuc", PASSWORD), login("giangvien", PASSWORD)
    wiring.ticker.tick()
    clock.advance(minutes=29)
    assert TOLD not in page_of(organiser)
    assert "is-unbegun" not in page_of(organiser, "/timetable")
    clock.advance(minutes=1)
    wiring.ticker.tick()
    page = page_of(organiser)
    assert TOLD in page
    assert "Chưa bắt đầu dù giờ học là 08:00." in page
    assert "Điểm cầu chính chưa có ai kết nối." in page
    assert "chưa bắt đầu từ 08:00" in page_of(organiser, "/timetable")
    assert page_of(organiser, "/timetable?view=day").count("is-unbegun") == 3
    assert TOLD not in page_of(lecturer)
    assert "is-unbegun" not in page_of(lecturer, "/timetable")
    assert school.schedules.lecture(lecture.id).status == "open", "nothing is called off by itself"
    path = f"/lectures/{lecture.id}/cancel"
    assert f'href="{path}"' in page
    assert organiser.post(path, data={"sequence": str(lecture.sequence)}).status_code == 303
    assert TOLD not in page_of(organiser)


def test_a_hall_that_waits_is_told_and_a_class_that_begins_is_no_alarm(
    login: Any, school: School, wiring: Wiring, clock: FakeClock
) -> None:
    lecture = school.lecture(clock.now())
    organiser = login("tochuc", PASSWORD)
    wiring.ticker.tick()
    wiring.services.rooms.join(lecture.id, school.main.id, "point", "c1")
    clock.advance(minutes=30)
    assert "Điểm cầu chính đã kết nối." in page_of(organiser)
    wiring.services.rooms.disconnected(lecture.id, school.main.id, "c1")
    clock.advance(minutes=1)
    wiring.services.rooms.sweep()
    assert school.main.id not in wiring.services.rooms.state(lecture.id).present
    assert "Điểm cầu chính đã kết nối." in page_of(organiser)  # it has been
    wiring.services.rooms.join(lecture.id, school.lecturer.id, "lecturer", "c2")
    wiring.services.rooms.start(lecture.id, school.lecturer.id, "lecturer")
    assert TOLD not in page_of(organiser)


def test_which_lectures_have_not_begun(school: School, wiring: Wiring, clock: FakeClock) -> None:
    now = clock.now()
    lecture = school.lecture(now)
    school.lecture(now + timedelta(hours=3))
    not_begun = school.schedules.not_begun
    assert [x.id for x in not_begun(now + timedelta(minutes=30), 30)] == [lecture.id]
    assert not_begun(now + timedelta(minutes=29), 30) == []
    assert not_begun(now + timedelta(minutes=30), 0) == []  # NO_SHOW_MINUTES=0: nobody wants to know
    assert not_begun(now + timedelta(minutes=90 + 30), 30) == []  # given up


def test_home_names_the_worst_lines_of_the_year(login: Any, school: School, app: Flask) -> None:
    years = app.extensions["years"]
    organiser, learner = login("tochuc", PASSWORD), login("hocvien", PASSWORD)
    assert "cần chú ý" not in page_of(organiser)

    def line(title: str, opens: date, due: date) -> str:
        draft = YearDraft(2026, school.province, title, opens, due, lectures=2, course_id=school.course.id)
        return str(years.add(draft, school.organiser.id))

    short = [line(f"Thiếu {n}", date(2026, 5, 1), date(2026, 6, n)) for n in range(1, 4)]
    late = line("Trễ", date(2026, 1, 5), date(2026, 2, 1))
    page = page_of(organiser)
    assert re.findall(r'href="/year\?year=2026#([^"]+)"', page) == [late, *short[:2]]
    assert "4 mục cần chú ý" in page
    assert "và 1 mục khác" in page
    assert "/year?year=2026#" in page_of(login("dusat", PASSWORD))
    assert "/year?year=2026#" not in page_of(learner)
