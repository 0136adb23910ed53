"""The operator of a point declares its people and enters the hands counted there."""

from typing import Any

import pytest
from flask import Flask

from tests.fakes import FakeClock
from tests.flows.attendance_day import Day, make_day


@pytest.fixture
def day(app: Flask, clock: FakeClock, login: Any) -> Day:
    return make_day(app, clock, login)


def text(answer: Any) -> str:
    return answer.get_data(as_text=True)


def test_an_operator_declares_people_and_corrects_them(day):
    day.open()
    operator = day.browser("phutrach")
    assert operator.get(day.point_url).status_code == 200
    assert operator.post(f"{day.point_url}/people", data={"people": "52"}).status_code == 303
    assert operator.post(f"{day.point_url}/people", data={"people": "54"}).status_code == 303
    assert 'value="54"' in text(operator.get(day.point_url))
    assert day.rooms.state(day.lecture.id).people == {day.school.a.id: 54}


@pytest.mark.parametrize("people", ["-1", "100001", "", "12,5", "many", "1e3"])
def test_people_that_cannot_be_are_refused_and_what_was_typed_stays(day, people):
    operator = day.open().browser("phutrach")
    refused = operator.post(f"{day.point_url}/people", data={"people": people})
    assert refused.status_code == 422
    assert 'role="alert"' in text(refused)
    assert f'value="{people}"' in text(refused)
    assert day.rooms.state(day.lecture.id).people == {}


def test_before_the_lobby_opens_there_is_nothing_to_enter(day):
    operator = day.browser("phutrach")
    page = operator.get(day.point_url)
    assert page.status_code == 200
    assert 'name="people"' not in text(page)
    assert operator.post(f"{day.point_url}/people", data={"people": "5"}).status_code == 409


def test_hands_are_entered_while_a_poll_is_open_and_add_to_the_phones(day):
    day.open().start()
    operator = day.browser("phutrach")
    assert 'name="hands"' not in text(operator.get(day.point_url))
    poll = day.ask()
    assert text(operator.get(day.point_url)).count('name="hands"') == 3
    phone = day.phone()
    phone.get(f"/p/{poll}")
    phone.post(f"/p/{poll}", data={"choice": "0"})
    url = f"{day.point_url}/hand-count"
    assert operator.post(url, data={"poll": poll, "hands": ["10", "5", ""]}).status_code == 303
    assert operator.post(url, data={"poll": poll, "hands": ["11", "5", ""]}).status_code == 303
    assert day.attendance.tally(poll) == ((12, 5, 0), 1)
    day.close(poll)
    assert day.rooms.state(day.lecture.id).results[-1].counts == (12, 5, 0)
    assert operator.post(url, data={"poll": poll, "hands": ["1", "1", "1"]}).status_code == 409


@pytest.mark.parametrize(
    ("hands", "status"),
    [(["1", "2"], 422), (["1", "2", "3", "4"], 422), (["x", "1", "1"], 422), (["-1", "0", "0"], 422)],
)
def test_a_hand_count_of_the_wrong_shape_is_refused(day, hands, status):
    poll = day.open().start().ask()
    answer = day.browser("phutrach").post(f"{day.point_url}/hand-count", data={"poll": poll, "hands": hands})
    assert answer.status_code == status
    assert day.attendance.tally(poll) == ((0, 0, 0), 0)


def test_hands_for_a_poll_of_another_lecture_are_refused(day):
    poll = day.open().start().ask()
    other = day.school.lecture(day.clock.now().replace(hour=9), point_ids=(day.school.a.id,))
    url = f"/lectures/{other.id}/points/{day.school.a.id}/hand-count"
    assert day.browser("phutrach").post(url, data={"poll": poll, "hands": ["1", "1", "1"]}).status_code == 404


def test_an_operator_acts_for_their_own_point_only(day):
    day.open()
    operator = day.browser("phutrach")
    other = f"/lectures/{day.lecture.id}/points/{day.school.b.id}"
    assert operator.get(other).status_code == 403
    assert operator.get(f"{other}/state").status_code == 403
    assert operator.post(f"{other}/people", data={"people": "5"}).status_code == 403
    assert operator.post(f"{other}/hand-count", data={"poll": "pol_1", "hands": ["5"]}).status_code == 403
    assert operator.get(f"/lectures/{day.lecture.id}/points/bp_elsewhere").status_code == 404
    assert operator.get("/lectures/lec_elsewhere/points/bp_elsewhere").status_code == 404


@pytest.mark.parametrize(("who", "status"), [("tochuc", 200), ("quantri", 200), ("giangvien", 403), ("hocvien", 403)])
def test_organisers_may_help_a_point_and_others_may_not(day, who, status):
    assert day.open().browser(who).get(day.point_url).status_code == status


def test_a_stranger_is_asked_to_sign_in(day):
    assert "/login" in day.phone().get(day.point_url).headers["Location"]


def test_the_page_can_ask_what_has_changed(day):
    day.open().start()
    operator = day.browser("phutrach")
    day.connect(day.school.a.id)
    poll = day.ask()
    state = operator.get(f"{day.point_url}/state").get_json()
    assert state == {"phase": "live", "connected": True, "poll": poll, "people": None}
