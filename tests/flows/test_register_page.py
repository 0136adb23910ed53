"""The register of a class: on the screen, on paper and as a file."""

import csv
import io
from typing import Any

import pytest
from flask import Flask

from tests.fakes import FakeClock
from tests.flows.attendance_day import Day, make_day


@pytest.fixture
def day(app: Flask, clock: FakeClock, login: Any) -> Day:
    return make_day(app, clock, login)


def held(day: Day) -> str:
    """One class: `a` is there all the time, `b` comes 20 minutes late, a poll is answered."""
    day.open().start()
    day.connect(day.school.main.id)
    day.connect(day.school.a.id)
    day.rooms.count_people(day.lecture.id, day.school.operator.id, "operator", day.school.a.id, 52)
    poll = day.ask()
    phone = day.phone()
    phone.get(f"/p/{poll}")
    phone.post(f"/p/{poll}", data={"choice": "2"})
    day.attendance.enter_hand_count(poll, day.school.a.id, [30, 12, 0], day.school.operator.id)
    day.close(poll)
    day.clock.advance(minutes=20)
    day.connect(day.school.b.id)
    day.clock.advance(minutes=60)
    day.end()
    return poll


def rows(answer: Any) -> list[list[str]]:
    assert answer.data.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


def test_points_minutes_and_people_are_separate_figures(day):
    held(day)
    answer = day.browser("tochuc").get(f"/lectures/{day.lecture.id}/register.csv")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    table = rows(answer)
    points = {row[1]: row for row in table[1:4]}
    assert [points[name][3:6] for name in ("Đông Hà", "Hướng Hóa", "Đakrông")] == [
        ["", "80", "4800"],
        ["52", "80", "4800"],
        ["", "60", "3600"],
    ]
    assert points["Đakrông"][9] == "20"
    assert points["Hướng Hóa"][6] == "2026-03-02 08:00:00"
    assert ["Hướng Hóa", "30", "12", "0", "42"] in table


def test_the_page_shows_the_closed_result_and_the_journals_seal(day):
    held(day)
    page = day.browser("giangvien").get(f"/lectures/{day.lecture.id}/register").get_data(as_text=True)
    register = day.attendance.register(day.lecture.id)
    for shown in ("Nội dung nào cần trao đổi thêm?", "Hướng Hóa", "Nguyễn Thị Minh", register.head_short):
        assert shown in page
    assert register.head_hash.startswith(register.head_short.replace(" ", ""))
    assert (register.points_connected, register.points_planned, register.people) == (3, 3, 52)


def test_before_the_class_the_register_is_empty_and_says_so(day):
    browser = day.browser("tochuc")
    assert browser.get(f"/lectures/{day.lecture.id}/register").status_code == 200
    assert len(rows(browser.get(f"/lectures/{day.lecture.id}/register.csv"))) > 3


def test_while_the_class_runs_the_register_is_as_of_now(day):
    day.open().start()
    day.connect(day.school.a.id)
    day.clock.advance(minutes=7)
    assert day.browser("tochuc").get(f"/lectures/{day.lecture.id}/register").status_code == 200
    line = day.attendance.register(day.lecture.id).lines[1]
    assert line.class_ms == 7 * 60_000


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("quantri", 200),
        ("tochuc", 200),
        ("giangvien", 200),
        ("giangvien2", 403),
        ("phutrach", 200),
        ("dusat", 200),
        ("hocvien", 403),
    ],
)
def test_a_register_is_seen_by_those_who_took_part(day, who, status):
    browser = day.open().browser(who)
    for address in ("register", "register.csv"):
        assert browser.get(f"/lectures/{day.lecture.id}/{address}").status_code == status


def test_an_operator_of_a_point_elsewhere_does_not_see_it(day):
    elsewhere = day.school.lecture(day.clock.now().replace(hour=9), point_ids=(day.school.b.id,))
    assert day.browser("phutrach").get(f"/lectures/{elsewhere.id}/register").status_code == 403


def test_names_that_look_like_formulas_are_neutral_in_the_file(day):
    day.open().start()
    poll = day.ask("=HYPERLINK(0)", "+1", "@SUM(A1)")
    day.close(poll)
    table = rows(day.browser("tochuc").get(f"/lectures/{day.lecture.id}/register.csv"))
    cells = [cell for row in table for cell in row]
    assert "'=HYPERLINK(0)" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
