"""Signing in and out, and what another site's page cannot do in one's name."""

from typing import Any

import pytest
from flask import Flask

from app.auth import DEVICE_COOKIE, FAILURES
from tests.builders import PASSWORD, School
from tests.fakes import FakeClock


def test_one_signs_in_and_lands_where_one_wanted_to_go(client: Any, school: School) -> None:
    asked = client.get("/timetable?week=2026-W10")
    assert asked.headers["Location"] == "/login?next=/timetable?week%3D2026-W10"
    answer = client.post("/login", data={"login": " TOCHUC ", "password": PASSWORD, "next": "/timetable?week=2026-W10"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/timetable?week=2026-W10")
    assert client.get("/timetable").status_code == 200


def test_a_wrong_password_and_an_unknown_name_say_the_same(client: Any, school: School) -> None:
    answers = [client.post("/login", data={"login": name, "password": "x"}) for name in ("tochuc", "khongcoai")]
    assert [a.status_code for a in answers] == [422, 422]
    pages = [
        a.get_data(as_text=True).replace(name, "") for a, name in zip(answers, ("tochuc", "khongcoai"), strict=True)
    ]
    assert [len(page) for page in pages] == [len(pages[0])] * 2


def test_guessing_is_slowed_down_and_the_right_password_works_later(
    client: Any, school: School, clock: FakeClock
) -> None:
    for _ in range(FAILURES):
        client.post("/login", data={"login": "tochuc", "password": "x"})
    refused = client.post("/login", data={"login": "tochuc", "password": PASSWORD})
    assert refused.status_code == 429
    clock.advance(60)
    assert client.post("/login", data={"login": "tochuc", "password": PASSWORD}).status_code == 302


def test_signing_out_ends_the_visit(login: Any, school: School) -> None:
    browser = login("tochuc", PASSWORD)
    browser.post("/logout")
    assert browser.get("/timetable").status_code == 302


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: Any, school: School) -> None:
    answer = client.post("/login", data={"login": "tochuc", "password": PASSWORD})
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("session="))
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie


def test_a_signed_cookie_of_another_installation_is_worth_nothing(app: Flask, login: Any, school: School) -> None:
    browser = login("tochuc", PASSWORD)
    app.secret_key = "another installation " * 3
    assert browser.get("/timetable").status_code == 302


@pytest.mark.parametrize(
    ("path", "data"),
    [("/login", {"login": "tochuc", "password": PASSWORD}), ("/logout", {}), ("/courses", {"title": "Lớp mới"})],
)
def test_a_form_without_its_token_is_refused(login: Any, school: School, path: str, data: dict[str, str]) -> None:
    answer = login("tochuc", PASSWORD).post(path, data=data, csrf=False)
    assert answer.status_code == 400
    assert "request.csrf" in answer.get_data(as_text=True)
    assert len(school.schedules.courses()) == 1


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "http://localhost:9", "null"])
def test_a_request_from_another_site_is_refused_even_with_the_token(login: Any, school: School, origin: str) -> None:
    browser = login("tochuc", PASSWORD)
    answer = browser.post("/courses", data={"title": "Lớp mới"}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert len(school.schedules.courses()) == 1


def test_our_own_origin_is_fine(login: Any, school: School) -> None:
    browser = login("tochuc", PASSWORD)
    answer = browser.post(
        "/courses", data={"title": "Lớp mới", "topics": "Một"}, headers={"Origin": "http://localhost"}
    )
    assert answer.status_code == 303


def test_another_site_gets_no_room_token_with_our_cookies(app: Flask, school: School, clock: FakeClock) -> None:
    lecture = school.lecture(clock.now())
    browser = app.test_client()
    browser.set_cookie(DEVICE_COOKIE, school.paired_device(school.a.id)[1])
    path = f"/api/lectures/{lecture.id}/token"
    plain = browser.post(path, data="{}", content_type="text/plain", csrf=False)
    foreign = browser.post(path, json={}, headers={"Origin": "https://elsewhere.example"})
    ours = browser.post(path, json={}, headers={"Origin": "http://localhost"})
    assert (plain.status_code, foreign.status_code, ours.status_code) == (400, 403, 200)
    assert foreign.get_json()["code"] == "request.foreign_origin"


@pytest.mark.parametrize("path", ["/", "/login", "/timetable", "/kiosk", "/kiosk/state", "/nowhere"])
def test_no_shared_cache_may_keep_a_page(login: Any, school: School, path: str) -> None:
    answer = login("tochuc", PASSWORD).get(path)
    assert "Cookie" in answer.headers["Vary"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_every_page_says_what_a_browser_may_do_with_it(client: Any) -> None:
    headers = client.get("/kiosk").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert "unsafe-inline" not in headers["Content-Security-Policy"]
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert "camera=(self)" in headers["Permissions-Policy"] and "geolocation=()" in headers["Permissions-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_each_answer_has_a_nonce_of_its_own(client: Any) -> None:
    policies = {client.get("/login").headers["Content-Security-Policy"] for _ in range(3)}
    assert len(policies) == 3


@pytest.mark.parametrize("path", ["/", "/login", "/kiosk", "/timetable", "/points", "/courses", "/lectures/new"])
def test_pages_carry_no_script_or_style_that_the_policy_forbids(login: Any, school: School, path: str) -> None:
    page = login("tochuc", PASSWORD).get(path).get_data(as_text=True)
    assert " style=" not in page
    assert " onclick=" not in page and " onsubmit=" not in page
    assert "http://cdn" not in page and "https://" not in page
