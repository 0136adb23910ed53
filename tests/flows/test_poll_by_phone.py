"""A phone answers a poll over the page the QR code leads to."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from tests.fakes import FakeClock
from tests.flows.attendance_day import Day, make_day

WEIGHT_MAX = 30_000  # bytes of everything a phone loads, so that it is quick on a slow line


@pytest.fixture
def day(app: Flask, clock: FakeClock, login: Any) -> Day:
    return make_day(app, clock, login).open().start()


def text(answer: Any) -> str:
    return answer.get_data(as_text=True)


def vote(phone: Any, poll: str, choice: object) -> Any:
    return phone.post(f"/p/{poll}", data={"choice": choice})


def test_a_phone_answers_with_one_tap_and_is_told_what_it_chose(day):
    poll, phone = day.ask(), day.phone()
    page = phone.get(f"/p/{poll}")
    assert page.status_code == 200
    assert "Nội dung nào cần trao đổi thêm?" in text(page)
    assert re.findall(r'name="choice" value="(\d)"', text(page)) == ["0", "1", "2"]
    answered = vote(phone, poll, 1)
    assert answered.status_code == 303
    thanks = text(phone.get(answered.headers["Location"]))
    assert "<b>Cải cách hành chính</b>" in thanks
    assert 'name="choice"' not in thanks
    assert day.attendance.tally(poll) == ((0, 1, 0), 1)


def test_a_second_answer_from_one_phone_is_refused_and_shows_the_first(day):
    poll, phone = day.ask(), day.phone()
    phone.get(f"/p/{poll}")
    vote(phone, poll, 0)
    again = vote(phone, poll, 2)
    assert again.status_code == 409
    assert "<b>Chuyển đổi số</b>" in text(again)
    assert day.attendance.tally(poll) == ((1, 0, 0), 1)


def test_an_answer_to_a_closed_poll_is_refused_with_one_clear_sentence(day):
    poll, phone = day.ask(), day.phone()
    phone.get(f"/p/{poll}")
    day.close(poll)
    late = vote(phone, poll, 0)
    assert late.status_code == 409
    assert text(late).count(day_sentence(day, "This poll is closed; no more answers are taken.")) == 1
    assert 'name="choice"' not in text(phone.get(f"/p/{poll}"))
    assert day.attendance.tally(poll) == ((0, 0, 0), 0)


def day_sentence(day: Day, english: str) -> str:
    from flask_babel import gettext

    with day.app.test_request_context():
        return str(gettext(english))


def test_once_the_class_is_over_the_question_is_no_longer_shown(day):
    poll = day.ask()
    day.end()
    page = day.phone().get(f"/p/{poll}")
    assert page.status_code == 410
    assert "Nội dung nào" not in text(page)


def test_an_unknown_poll_is_not_found(day):
    assert day.phone().get("/p/pol_0000000000000000").status_code == 404
    assert day.phone().get("/p/pol_0000000000000000/qr.svg").status_code == 404


@pytest.mark.parametrize("choice", ["", "3", "-1", "1.5", "x", "99999999999999999999", "١"])
def test_an_answer_that_was_not_offered_is_refused(day, choice):
    poll, phone = day.ask(), day.phone()
    phone.get(f"/p/{poll}")
    assert vote(phone, poll, choice).status_code == 422
    assert day.attendance.tally(poll) == ((0, 0, 0), 0)


def test_two_answers_in_one_form_are_no_answer(day):
    poll, phone = day.ask(), day.phone()
    phone.get(f"/p/{poll}")
    assert vote(phone, poll, ["0", "1"]).status_code == 422
    assert day.attendance.tally(poll) == ((0, 0, 0), 0)


def test_a_phone_cannot_say_it_is_another(day):
    poll, phone = day.ask(), day.phone()
    phone.get(f"/p/{poll}")
    vote(phone, poll, 0)
    forger = day.phone()
    for forged in ("ph_aaaaaaaaaaaaaaaa", "ph_aaaaaaaaaaaaaaaa.c2lnbmVk", "", "\x7f"):
        forger.set_cookie("phone", forged, path="/p")
        assert vote(forger, poll, 1).status_code == 422
    assert day.attendance.tally(poll) == ((1, 0, 0), 1)


def test_a_browser_that_keeps_no_cookie_is_told_so(day):
    answer = vote(day.phone(), day.ask(), 0)
    assert answer.status_code == 422
    assert "cookie" in text(answer)


def test_a_hundred_answers_at_once_from_one_phone_are_one_ballot(day):
    poll, phone = day.ask(), day.phone()
    phone.get(f"/p/{poll}")
    kept = phone.get_cookie("phone", path="/p").value

    def once(n: int) -> int:
        same = day.phone()
        same.set_cookie("phone", kept, path="/p")
        return vote(same, poll, n % 3).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(once, range(100)))
    assert sorted(set(statuses)) == [303, 409]
    assert statuses.count(303) == 1
    counts, phones = day.attendance.tally(poll)
    assert (sum(counts), phones) == (1, 1)


def test_a_form_from_another_site_is_refused(day):
    poll, phone = day.ask(), day.phone()
    phone.get(f"/p/{poll}")
    foreign = phone.post(f"/p/{poll}", data={"choice": "0"}, headers={"Origin": "https://elsewhere.example"})
    assert foreign.status_code == 403
    assert phone.post(f"/p/{poll}", data={"choice": "0"}, csrf=False).status_code == 400
    assert day.attendance.tally(poll) == ((0, 0, 0), 0)


def test_the_page_is_light_needs_no_script_and_is_kept_by_no_cache(day):
    poll, phone = day.ask(), day.phone()
    page = phone.get(f"/p/{poll}")
    assert "<script" not in text(page)
    assert "no-store" in page.headers["Cache-Control"]
    assert "Cookie" in page.headers["Vary"]
    styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', text(page))
    loaded = [phone.get(style) for style in styles]
    assert len(page.data) + sum(len(style.data) for style in loaded) < WEIGHT_MAX
    for style in loaded:
        style.close()


def test_words_of_a_question_are_text_and_never_markup(day):
    poll = day.ask("<script>alert(1)</script>?", '"><img src=x>', "B")
    page = text(day.phone().get(f"/p/{poll}"))
    assert "<script" not in page
    assert "<img" not in page


def test_the_code_is_a_drawing_with_its_quiet_zone(day):
    drawing = day.phone().get(f"/p/{day.ask()}/qr.svg")
    assert drawing.mimetype == "image/svg+xml"
    assert "public" in drawing.headers["Cache-Control"]
    size = int(re.search(r'viewBox="0 0 (\d+) \1"', text(drawing)).group(1))
    assert "#fff" in text(drawing)
    assert (size - 8 - 17) % 4 == 0  # a whole QR version and four modules of quiet zone on each side
