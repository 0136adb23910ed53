"""Planning, pairing and calendars through the pages, as people and programs use them."""

import re
from collections.abc import Callable
from typing import Any

import icalendar
import pytest
from flask import Flask

from schedules.demo import PASSWORD as DEMO_PASSWORD
from schedules.demo import ZONE, demo_logins, make_demo
from schedules.records import LectureView
from schedules.zones import to_local
from tests.builders import PASSWORD, School, make_school
from tests.fakes import FakeClock

Browser = Any  # Flask's test client


@pytest.fixture
def school(app: Flask) -> School:
    return make_school(app.extensions["schedules"])


@pytest.fixture
def sign_in(login: Callable[..., Browser], school: School) -> Callable[[str], Browser]:
    return lambda name: login(name, PASSWORD)


@pytest.fixture
def lecture(school: School, clock: FakeClock) -> LectureView:
    """On Monday from 09:00 to 10:30."""
    return school.lecture(clock.advance(hours=1), title="Cải cách hành chính")


def form(school: School, **changes: object) -> dict[str, object]:
    return {
        "title": "Chuyển đổi số",
        "topic_id": school.course.topics[0].id,
        "lecturer_id": school.lecturer.id,
        "main_point_id": school.main.id,
        "point_ids": [school.a.id, school.b.id],
        "starts_at": "2026-03-04T08:00",
        "ends_at": "2026-03-04T09:30",
        "zone": "Asia/Ho_Chi_Minh",
        **changes,
    }


def alerts(page: str) -> str:
    return " ".join(re.findall(r'role="alert">(.*?)</div>', page, re.DOTALL))


def test_an_organiser_plans_a_lecture_and_finds_it_in_the_week(
    sign_in: Callable[[str], Browser], school: School
) -> None:
    organiser = sign_in("tochuc")
    assert organiser.get("/lectures/new").status_code == 200
    answer = organiser.post("/lectures/new", data=form(school))
    assert answer.status_code == 303
    page = organiser.get(answer.location).get_data(as_text=True)
    assert "08:00–09:30" in page
    link = f'href="{answer.location}"'
    assert link in organiser.get("/timetable?week=2026-W10").get_data(as_text=True)
    assert link not in organiser.get("/timetable?week=2026-W11").get_data(as_text=True)
    assert link not in organiser.get(f"/timetable?lecturer={school.other_lecturer.id}").get_data(as_text=True)


def test_a_clash_is_explained_and_the_form_keeps_what_was_typed(
    sign_in: Callable[[str], Browser], school: School, lecture: LectureView
) -> None:
    organiser = sign_in("tochuc")
    wish = form(school, starts_at="2026-03-02T10:00", ends_at="2026-03-02T11:00")
    answer = organiser.post("/lectures/new", data=wish)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Hướng Hóa" in alerts(page)
    assert "Cải cách hành chính" in alerts(page)
    assert "09:00–10:30, 02/03/2026" in alerts(page)
    assert 'value="2026-03-02T10:00"' in page
    assert page.count(" checked><span>") == 3  # two points, and that it takes place once


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"ends_at": "2026-03-04T08:00"}, 422),
        ({"ends_at": "2026-03-04T07:00"}, 422),
        ({"zone": "Asia/Hanoi"}, 422),
        ({"zone": "Europe/Berlin", "starts_at": "2026-03-29T02:30", "ends_at": "2026-03-29T04:00"}, 422),
        ({"starts_at": "ngày mai"}, 422),
        ({"starts_at": ""}, 422),
        ({"title": ""}, 422),
        ({"title": "x" * 300}, 422),
        ({"point_ids": []}, 422),
        ({"topic_id": "top_none"}, 404),
        ({"main_point_id": "bp_none"}, 404),
        ({"point_ids": ["bp_none"]}, 404),
    ],
)
def test_a_form_that_makes_no_sense_is_answered_with_a_sentence(
    sign_in: Callable[[str], Browser], school: School, changes: dict[str, object], status: int
) -> None:
    answer = sign_in("tochuc").post("/lectures/new", data=form(school, **changes))
    assert answer.status_code == status
    assert alerts(answer.get_data(as_text=True)).strip()


def test_a_lecture_is_moved_and_called_off(
    sign_in: Callable[[str], Browser], school: School, lecture: LectureView
) -> None:
    organiser = sign_in("tochuc")
    page = organiser.get(f"/lectures/{lecture.id}/edit").get_data(as_text=True)
    assert 'value="2026-03-02T09:00"' in page
    organiser.post(f"/lectures/{lecture.id}/edit", data=form(school))
    assert school.schedules.lecture(lecture.id).sequence == 1
    assert organiser.get(f"/lectures/{lecture.id}/cancel").status_code == 200
    organiser.post(f"/lectures/{lecture.id}/cancel")
    assert school.schedules.lecture(lecture.id).status == "cancelled"


@pytest.mark.parametrize("name", ["giangvien", "phutrach", "hocvien", "dusat"])
def test_who_does_not_plan_cannot_plan(
    sign_in: Callable[[str], Browser], school: School, lecture: LectureView, name: str
) -> None:
    browser = sign_in(name)
    assert browser.get("/timetable").status_code == 200
    assert browser.get(f"/lectures/{lecture.id}").status_code == 200
    assert browser.post("/lectures/new", data=form(school)).status_code == 403
    assert browser.post(f"/lectures/{lecture.id}/edit", data=form(school)).status_code == 403
    assert browser.post(f"/lectures/{lecture.id}/cancel").status_code == 403
    assert browser.post("/courses", data={"title": "Lớp mới"}).status_code == 403
    assert school.schedules.lecture(lecture.id) == lecture


def test_a_hall_pairs_once_and_then_knows_who_it_is(
    app: Flask, sign_in: Callable[[str], Browser], school: School, lecture: LectureView
) -> None:
    screen, operator = app.test_client(), sign_in("phutrach")
    assert screen.get("/kiosk/state").json["paired"] is False
    shown = screen.post("/kiosk/pairing", json={}).json
    assert screen.post("/kiosk/pairing", json={}).json["code"] == shown["code"]  # a reload shows the same
    assert screen.get("/kiosk/state").json["code"] == shown["code"]
    assert operator.get(f"/points/{school.a.id}").status_code == 200
    assert operator.post(f"/points/{school.a.id}/pairing", data={"code": shown["code"]}).status_code == 303

    told = screen.get("/kiosk/state")
    assert told.json["point"] == {"id": school.a.id, "name": "Hướng Hóa"}
    assert (told.json["lecture"], told.json["next"]["id"]) == (None, lecture.id)
    (cookie,) = [line for line in told.headers.getlist("Set-Cookie") if line.startswith("device=")]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    school.schedules.mark(lecture.id, "open")
    assert screen.get("/kiosk/state").json["lecture"]["status"] == "open"
    assert screen.post("/kiosk/pairing", json={}).json == {"paired": True}


def test_a_revoked_screen_shows_a_code_again(app: Flask, sign_in: Callable[[str], Browser], school: School) -> None:
    device_id, token = school.paired_device(school.a.id)
    screen = app.test_client()
    screen.set_cookie("device", token)
    assert screen.get("/kiosk/state").json["paired"] is True
    operator = sign_in("phutrach")
    assert operator.post(f"/points/{school.a.id}/devices/{device_id}/revoke").status_code == 303
    assert screen.get("/kiosk/state").json["paired"] is False
    assert screen.post("/kiosk/pairing", json={}).json["code"]


def test_an_operator_looks_after_their_own_points_only(
    app: Flask, sign_in: Callable[[str], Browser], school: School
) -> None:
    operator, code = sign_in("phutrach"), app.test_client().post("/kiosk/pairing", json={}).json["code"]
    assert operator.get(f"/points/{school.b.id}").status_code == 403
    assert operator.post(f"/points/{school.b.id}/pairing", data={"code": code}).status_code == 403
    device_id, _ = school.paired_device(school.b.id)
    assert operator.post(f"/points/{school.b.id}/devices/{device_id}/revoke").status_code == 403
    assert operator.post(f"/points/{school.a.id}/devices/{device_id}/revoke").status_code == 404
    assert len(school.schedules.pairing.devices(school.b.id)) == 1
    assert sign_in("tochuc").get(f"/points/{school.b.id}").status_code == 200
    assert sign_in("hocvien").get(f"/points/{school.a.id}").status_code == 403


def test_a_wrong_code_is_told_on_the_page(sign_in: Callable[[str], Browser], school: School) -> None:
    answer = sign_in("phutrach").post(f"/points/{school.a.id}/pairing", data={"code": "12"})
    assert answer.status_code == 422
    assert alerts(answer.get_data(as_text=True)).strip()


def test_a_calendar_is_read_without_signing_in_by_who_knows_its_key(
    app: Flask, school: School, lecture: LectureView
) -> None:
    of = {"lecture": lecture.id, "point": school.a.id, "lecturer": school.lecturer.id}
    for kind, of_id in of.items():
        key = school.schedules.calendar_key(kind, of_id)  # type: ignore[arg-type]
        answer = app.test_client().get(f"/calendars/{kind}/{of_id}.ics?key={key}")
        assert answer.mimetype == "text/calendar"
        (event,) = icalendar.Calendar.from_ical(answer.data).walk("VEVENT")
        assert (str(event["UID"]), event.start) == (lecture.uid, lecture.starts_at)
        again = app.test_client().get(
            answer.request.path + f"?key={key}", headers={"If-None-Match": answer.headers["ETag"]}
        )
        assert again.status_code == 304


@pytest.mark.parametrize("key", ["", "wrong", "Đ", "x" * 5000])
def test_a_calendar_with_a_wrong_key_does_not_exist(app: Flask, school: School, lecture: LectureView, key: str) -> None:
    answers = [
        app.test_client().get(f"/calendars/{kind}/{of_id}.ics", query_string={"key": key})
        for kind, of_id in (("lecture", lecture.id), ("lecture", "lec_none"), ("point", lecture.id))
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]


def test_a_new_address_makes_the_old_one_worthless(
    app: Flask, sign_in: Callable[[str], Browser], school: School, lecture: LectureView
) -> None:
    key = school.schedules.calendar_key("lecturer", school.lecturer.id)
    assert sign_in("giangvien2").post(f"/calendars/lecturer/{school.lecturer.id}/renew").status_code == 403
    assert sign_in("giangvien").post(f"/calendars/lecturer/{school.lecturer.id}/renew").status_code == 303
    assert app.test_client().get(f"/calendars/lecturer/{school.lecturer.id}.ics?key={key}").status_code == 404


def test_a_course_is_added_with_its_topics(sign_in: Callable[[str], Browser], school: School) -> None:
    organiser = sign_in("tochuc")
    organiser.post("/courses", data={"title": "Kỹ năng số", "audience": "Cán bộ xã", "topics": "Một\n\n Hai \n"})
    (added,) = [course for course in school.schedules.courses() if course.title == "Kỹ năng số"]
    assert [topic.title for topic in added.topics] == ["Một", "Hai"]
    assert organiser.post("/courses", data={"title": " "}).status_code == 422


def test_the_demo_has_a_lecture_now_two_later_and_a_login_for_every_role(
    app: Flask, login: Callable[..., Browser], clock: FakeClock
) -> None:
    service, hashed = app.extensions["schedules"], app.extensions["passwords"].hash
    made = make_demo(service, hashed, clock.now())
    assert len(made.point_ids) == 8
    assert all(len(service.equipment(point)) == 1 for point in made.point_ids)
    assert {account.role for account in demo_logins()} == {
        "admin", "organiser", "lecturer", "operator", "learner", "observer",
    }  # fmt: skip
    (course,) = service.courses()
    assert len(course.topics) == 3
    first, second, third = service.lectures_between(clock.now(), clock.now().replace(month=12))
    assert (first.id, first.starts_at) == (made.lecture_id, clock.now())
    assert [to_local(x.starts_at, ZONE).hour for x in (second, third)] == [8, 14]
    for account in demo_logins():
        assert login(account.login, DEMO_PASSWORD).get("/timetable").status_code == 200


def test_the_demo_can_be_planned_anew_on_another_day(app: Flask, clock: FakeClock) -> None:
    service, hashed = app.extensions["schedules"], app.extensions["passwords"].hash
    make_demo(service, hashed, clock.now())
    again = make_demo(service, hashed, clock.now())
    assert len(service.points()) == 8
    later = make_demo(service, hashed, clock.advance(days=9))
    assert later.lecture_id != again.lecture_id
    assert service.lecture(later.lecture_id or "").starts_at == clock.now()
