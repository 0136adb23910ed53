"""What pages show of organisations that are abolished or hung elsewhere, and to whom."""

import csv
import io
import re
from typing import Any

import pytest
from flask import Flask

from schedules.records import LectureView
from tests.builders import PASSWORD, School, make_user
from tests.fakes import FakeClock

Browser = Any


class Past:
    """A lecture of the centre's two points and lecturer that was held, and one a week later that is still planned."""

    def __init__(self, app: Flask, school: School, clock: FakeClock) -> None:
        self.app, self.school, self.clock = app, school, clock
        self.registry, self.schedules = app.extensions["registry"], school.schedules
        self.other = self.schedules.add_organisation("Tỉnh Quảng Bình")
        self.lecturer = make_user(self.schedules, "mai", school.centre, "lecturer", name="Hồ Thị Mai")
        self.held = self.lecture("Buổi đã học")
        clock.advance(days=7)
        self.coming = self.lecture("Buổi sắp tới")
        clock.advance(days=-7)
        rooms = app.extensions["rooms"]
        rooms.open(self.held.id, self.lecturer.id, school.a.id, (school.b.id,))
        self.schedules.mark(self.held.id, "open")
        rooms.join(self.held.id, self.lecturer.id, "lecturer", "c-lecturer")
        rooms.start(self.held.id, self.lecturer.id, "lecturer")
        rooms.join(self.held.id, school.a.id, "point", "c-a")
        rooms.count_people(self.held.id, school.operator.id, "operator", school.a.id, 41)
        rooms.count_people(self.held.id, school.operator.id, "operator", school.a.id, 43)
        clock.advance(minutes=90)
        rooms.end(self.held.id, self.lecturer.id, "lecturer")
        clock.advance(days=1)

    def lecture(self, title: str) -> LectureView:
        a, b = self.school.a.id, self.school.b.id
        return self.school.lecture(
            self.clock.now(), title=title, main_point_id=a, point_ids=(b,), lecturer_id=self.lecturer.id
        )


@pytest.fixture
def past(app: Flask, school: School, clock: FakeClock) -> Past:
    return Past(app, school, clock)


def text(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
    return str(answer.get_data(as_text=True))


def options(page: str, name: str) -> str:
    return re.search(rf'<select[^>]*name="{name}".*?</select>', page, re.DOTALL)[0]  # type: ignore[index]


def test_an_observer_sees_what_their_organisation_was_above_then(past: Past, login: Any) -> None:
    make_user(past.schedules, "dusat2", past.other, "observer")
    before, after = login("dusat", PASSWORD), login("dusat2", PASSWORD)

    def statuses(browser: Browser) -> list[int]:
        return [browser.get(f"/lectures/{one.id}/register").status_code for one in (past.held, past.coming)]

    assert (statuses(before), statuses(after)) == ([200, 200], [403, 403])
    past.schedules.move_organisation(past.school.centre, past.other)
    assert (statuses(before), statuses(after)) == ([200, 403], [403, 200])


def test_the_timetable_of_an_abolished_unit_has_its_past(past: Past, login: Any) -> None:
    past.registry.organisations.abolish(past.school.centre, past.other, move=True)
    browser = login("tochuc", PASSWORD)

    def board(org_id: str, day: str) -> str:
        return text(browser.get(f"/timetable?org={org_id}&date={day}"))

    then, later = "2026-03-02", "2026-03-09"
    page = board(past.school.centre, then)
    assert "Buổi đã học" in page
    assert "Hướng Hóa" in re.search(r'id="board-scroll".*', page, re.DOTALL)[0], "the row of its point"
    assert "Trung tâm Chính trị Đông Hà (đã giải thể)" in page
    assert "Buổi đã học" in board(past.school.province, then)
    page = board(past.other, later)
    assert "Buổi sắp tới" in page
    for org_id, day, title in (
        (past.other, then, "Buổi đã học"),
        (past.school.centre, later, "Buổi sắp tới"),
        (past.school.province, later, "Buổi sắp tới"),
    ):
        listed = re.sub(r"<script.*?</script>", "", board(org_id, day), flags=re.DOTALL)
        assert title not in listed, (org_id, day)


def test_the_register_names_the_organisations_of_the_day(past: Past, login: Any) -> None:
    past.registry.organisations.abolish(past.school.centre, past.other, move=True)
    browser = login("tochuc", PASSWORD)
    page = text(browser.get(f"/lectures/{past.held.id}/register"))
    assert page.count("Trung tâm Chính trị Đông Hà") == 2
    assert "Tỉnh Quảng Bình" not in page
    answer = browser.get(f"/lectures/{past.held.id}/register.csv")
    table = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))
    assert [(row[1], row[13]) for row in table[:3]] == [
        ("Điểm cầu", "Đơn vị"),
        ("Hướng Hóa", "Trung tâm Chính trị Đông Hà"),
        ("Đakrông", "Trung tâm Chính trị Đông Hà"),
    ]


def test_an_abolished_unit_is_offered_for_the_past_only(past: Past, login: Any) -> None:
    centre, browser = past.school.centre, login("tochuc", PASSWORD)
    data = {
        "title": "Lớp quý II", "org_id": centre, "year": "2026", "lectures": "2",
        "opens_on": "2026-04-01", "due_on": "2026-06-30",
    }  # fmt: skip
    assert browser.post("/year", data=data).status_code == 303
    [(line, _)] = past.app.extensions["years"].lines(2026)
    past.registry.organisations.abolish(centre, past.other, move=True)
    for path, name in (("/timetable", "org"), ("/year", "org"), ("/calendars", "of")):
        shown = options(text(browser.get(path)), name)
        offered, _, abolished = shown.partition('<optgroup label="Đã giải thể">')
        assert centre not in offered
        assert centre in abolished, path
    page = text(browser.get("/year"))
    assert centre not in options(page, "org_id")
    assert centre not in options(text(browser.get(f"/courses/{past.school.course.id}")), "org")
    page = text(browser.post("/year", data=data), 409)
    assert "“Trung tâm Chính trị Đông Hà” đã giải thể." in page
    path = f"/year/{line.id}"
    assert "Trung tâm Chính trị Đông Hà (đã giải thể)" in options(text(browser.get(path)), "org_id")
    assert browser.post(path, data={**data, "title": "Lớp quý hai"}).status_code == 303


def test_the_page_of_a_unit_reports_what_it_took_part_in(past: Past, login: Any) -> None:
    path = f"/registry/organisations/{past.school.centre}"
    browser = login("quantri", PASSWORD)
    for abolished in (False, True):
        if abolished:
            past.registry.organisations.abolish(past.school.centre, past.other, move=True)
        page = text(browser.get(path))
        section = page[page.index('id="taken-part"') :]
        assert re.findall(r'stat-value">(.*?)<', section) == ["1", "1.5", "2", "43"]
        assert "Buổi đã học" in section
        assert f'href="/lectures/{past.held.id}/register"' in section
        assert "Buổi sắp tới" not in section
    assert "Đơn vị chưa dự buổi học nào." in text(browser.get(f"/registry/organisations/{past.other}"))
    assert "Buổi đã học" in text(browser.get(f"{path}?year=1999")), "the latest year instead"
