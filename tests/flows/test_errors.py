"""What people and programs are told when something is wrong."""

from typing import Any

import pytest
from flask import Flask

from core.errors import Conflict, Invalid, NotFound, Unavailable
from tests.builders import PASSWORD, School


@pytest.fixture
def broken(app: Flask) -> Flask:
    """The app with pages that fail in every way."""
    errors = {
        "invalid": Invalid("x.invalid", "There is no such language."),
        "conflict": Conflict("x.conflict", "This lecture was cancelled."),
        "missing": NotFound("x.missing", "There is no such lecture."),
        "later": Unavailable("x.later", "Too many attempts. Please wait %(seconds)s seconds.", seconds=7),
        "bug": RuntimeError("the secret inside"),
    }

    def fail(how: str) -> str:
        raise errors[how]

    app.add_url_rule("/fail/<how>", "fail", fail)
    app.add_url_rule("/api/fail/<how>", "api_fail", fail)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("invalid", 422, "x.invalid"),
        ("conflict", 409, "x.conflict"),
        ("missing", 404, "x.missing"),
        ("later", 503, "x.later"),
    ],
)
def test_each_kind_of_error_has_its_status_in_html_and_json(broken: Flask, how: str, status: int, code: str) -> None:
    client = broken.test_client()
    page, problem = client.get(f"/fail/{how}"), client.get(f"/api/fail/{how}")
    assert (page.status_code, page.mimetype) == (status, "text/html")
    assert code in page.get_data(as_text=True)
    assert (problem.status_code, problem.mimetype) == (status, "application/problem+json")
    assert problem.get_json()["code"] == code and problem.get_json()["status"] == status


def test_a_program_that_asks_for_json_gets_json_anywhere(broken: Flask) -> None:
    answer = broken.test_client().get("/fail/conflict", headers={"Accept": "application/json"})
    assert answer.get_json()["code"] == "x.conflict"


def test_an_error_speaks_the_language_of_the_request(broken: Flask) -> None:
    client = broken.test_client()
    vietnamese = client.get("/api/fail/later").get_json()["detail"]
    client.get("/language/en")
    english = client.get("/api/fail/later").get_json()["detail"]
    assert english == "Too many attempts. Please wait 7 seconds."
    assert "7" in vietnamese and vietnamese != english


def test_a_bug_shows_a_number_and_logs_the_rest(broken: Flask, caplog: pytest.LogCaptureFixture) -> None:
    answer = broken.test_client().get("/fail/bug")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 500
    assert "secret inside" not in page
    (record,) = [r for r in caplog.records if r.message == "unexpected error"]
    assert record.error_id in page  # type: ignore[attr-defined]


def test_an_unknown_address_and_a_wrong_method_have_pages_too(client: Any) -> None:
    assert client.get("/nowhere").status_code == 404
    wrong = client.delete("/kiosk")
    assert wrong.status_code == 405 and "GET" in wrong.headers["Allow"]


def test_a_body_that_is_too_large_is_refused(login: Any, school: School) -> None:
    answer = login("tochuc", PASSWORD).post("/courses", data={"title": "x" * 2_000_000})
    assert answer.status_code == 413


def test_an_unknown_lecture_is_not_found(login: Any, school: School) -> None:
    browser = login("tochuc", PASSWORD)
    assert browser.get("/lectures/lec_unknown").status_code == 404
    assert browser.post("/api/lectures/lec_unknown/token", json={}).get_json()["code"] == "lecture.unknown"


def test_a_cancelled_lecture_lets_nobody_in(login: Any, school: School, clock: Any) -> None:
    lecture = school.lecture(clock.now())
    school.schedules.cancel_lecture(lecture.id, by=school.organiser.id)
    answer = login("giangvien", PASSWORD).post(f"/api/lectures/{lecture.id}/token", json={})
    assert answer.get_json()["code"] == "lecture.cancelled"
