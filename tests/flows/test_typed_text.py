"""Control characters in what people type: none is stored, none breaks a page, on either database."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import String, Text, select

from app.tables import metadata
from core.config import Config
from core.db import Database
from core.plain import is_plain
from schedules.registry.carry import pack
from schedules.sheets.table import Row, Table
from tests.browsing import Browser
from tests.builders import PASSWORD, School
from tests.conftest import postgres_schema
from tests.fakes import FakeClock

ODD = "".join(chr(n) for n in (*range(32), 127))  # the tab and both line ends are among them
EIGHT = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def app(request: pytest.FixtureRequest, config: Config, clock: FakeClock, translations: None) -> Iterator[Flask]:
    """The application on each database."""
    from app import create_app

    schema = postgres_schema() if request.param == "postgresql" else iter([""])
    made = create_app(replace(config, database_url=next(schema)), clock=clock)
    database: Database = made.extensions["db"]
    metadata().create_all(database.engine)
    made.test_client_class = Browser
    yield made
    database.engine.dispose()
    next(schema, None)


def odd(words: str) -> str:
    return f"{words[:3]}\x00\x01{words[3:]}\x1f\x7f"


def stored(app: Flask) -> list[str]:
    """Return every text in the database."""
    db: Database = app.extensions["db"]
    texts = []
    with db.reading() as s:
        for table in metadata().sorted_tables:
            for column in table.columns:
                if isinstance(column.type, String | Text):
                    texts += [each for each in s.scalars(select(column)) if each]
    return texts


def forms(school: School, lecture: str) -> list[tuple[str, dict[str, Any]]]:
    """Return every form in which people type text, each with control characters in it."""
    course, person = school.course.id, school.learner.id
    lines = {
        "title": odd("Chuyển đổi"), "description": odd("Mang máy"), "topic_id": school.course.topics[0].id,
        "lecturer_id": school.lecturer.id, "main_point_id": school.main.id, "point_ids": [school.a.id],
        "starts_at": "2026-03-05T08:00", "ends_at": "2026-03-05T09:30", "zone": "Asia/Ho_Chi_Minh",
    }  # fmt: skip
    year = {"title": odd("Kế hoạch"), "year": "2026", "org_id": school.province, "of": course, "lectures": "2"}
    sheet = Table(("Mã đơn vị", "Tên đơn vị"), (Row(2, ("XM1", odd("Xã mới"))),))
    return [
        ("/lectures/new", lines),
        ("/lectures/new", {**lines, "repeat": "agenda", "parts": f"06/03/2026 08:00-09:00 {odd('Phần một')}"}),
        (f"/lectures/{lecture}/edit", {**lines, "starts_at": "2026-03-04T08:00", "ends_at": "2026-03-04T09:00"}),
        ("/courses", {"title": odd("Khóa mới"), "audience": odd("Công chức"), "topics": odd("Một")}),
        (f"/courses/{course}/topics", {"title": odd("Chuyên đề")}),
        (f"/courses/{course}/about", {"audience": odd("Công chức")}),
        (f"/courses/{course}/rules", {"text": odd("Đúng giờ") + ODD}),
        (f"/courses/{course}/people", {"who": odd("giangvien")}),
        ("/target-groups", {"name": odd("Nhóm mới"), "description": odd("Ai?") + ODD}),
        (f"/lectures/{lecture}/plan/comment", {"words": odd("Được")}),
        (f"/lectures/{lecture}/plan/waive", {"words": odd("Gấp quá")}),
        ("/year", {**year, "opens_on": "2026-05-01", "due_on": "2026-06-01", "note": odd("Chú ý") + ODD}),
        ("/blocks", {"resource": f"point:{school.b.id}", "reason": odd("Sửa chữa"),
                     "starts_at": "2026-04-05T08:00", "ends_at": "2026-04-05T09:30"}),
        ("/registry/organisations/new", {"name": odd("Xã mới"), "parent": school.province, "code": odd("XMM"),
                                         "tier": odd("xã đảo")}),
        ("/registry/points/new", {"name": odd("Điểm mới"), "org": school.province, "place": odd("Số 1"),
                                  "zone": "Asia/Ho_Chi_Minh", "hall": odd("Hội trường"), "hall_seats": "40",
                                  "contact_name": odd("Hoa Lê"), "contact_phone": odd("0233")}),
        ("/registry/equipment/new", {"name": odd("Bộ mới"), "note": odd("Để tủ") + ODD, "code": odd("TBM")}),
        ("/registry/people/new", {"name": odd("Lê Văn Tám"), "org": school.centre, "roles": ["lecturer"],
                                  "login": odd("levantam"), "position": odd("Trưởng"), "qualification": odd("Thạc sĩ"),
                                  "password": odd("mật khẩu dài")}),
        (f"/registry/people/{person}", {"name": odd("Hồ Văn Khiêm"), "org": school.centre, "roles": ["learner"],
                                        "login": "hocvien"}),
        ("/registry/import/organisations", {"table": pack(sheet)}),
        ("/login", {"login": odd("hocvien"), "password": odd("gì đó")}),
        ("/calendars", {"name": odd("Lịch UBND"), "resource": f"point:{school.a.id}", "url": "",
                        "file": (io.BytesIO(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"), odd("lịch.ics"))}),
        (f"/lectures/{lecture}/cancel", {"because": odd("Bão")}),
    ]  # fmt: skip


def test_no_form_stores_a_control_character(app: Flask, school: School, login: Callable[..., Any]) -> None:
    admin = login("quantri", PASSWORD)
    lecture = school.lecture(EIGHT)
    taken = []
    for path, data in forms(school, lecture.id):
        answer = admin.post(path, data=data, content_type="multipart/form-data")
        assert answer.status_code < 500, (path, answer.get_data(as_text=True)[-500:])
        if answer.status_code in (302, 303):
            taken.append(path)
    texts = stored(app)
    assert [text for text in texts if not is_plain(text)] == []
    refused = {path for path, _ in forms(school, lecture.id)} - set(taken)
    assert refused <= {"/login", f"/courses/{school.course.id}/people"}, refused
    for words in ("Chuyển đổi", "Phần một", "Bão", "Sửa chữa", "Xã mới", "Lê Văn Tám", "Kế hoạch", "Lịch UBND"):
        assert any(words in text for text in texts), words


def test_no_address_breaks_a_page(app: Flask, school: School, login: Callable[..., Any]) -> None:
    admin = login("quantri", PASSWORD)
    school.lecture(EIGHT)
    asked = 0
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if not rule.methods or "GET" not in rule.methods:
                continue
            takes = rule._converters.items()  # some take a few words only
            chosen = {name: next(iter(getattr(one, "items", ["a\x00"]))) for name, one in takes}
            path = app.url_map.bind("").build(rule.endpoint, chosen)
            query = "&".join(f"{name}=%00" for name in ("q", "of", "org", "point", "lecturer", "course", "key", "date",
                                                        "week", "from", "until", "day", "role", "resource", "parent",
                                                        "year", "page", "next"))  # fmt: skip
            answer = admin.get(f"{path}?{query}")
            assert answer.status_code < 500 or answer.status_code == 503, (path, answer.status_code)
            assert "%00" not in path or answer.status_code == 404, (path, answer.status_code)
            asked += 1
    assert asked > 40


def test_json_is_made_plain_too(app: Flask, school: School, login: Callable[..., Any]) -> None:
    organiser, lecture = login("tochuc", PASSWORD), school.lecture(EIGHT)
    wish: dict[str, Any] = {"lecture": lecture.id, "starts_at": "2026-03-03T08:00", "ends_at": "2026-03-03T09:30"}
    for point in ("bp\x00", "bp\ud800", school.a.id + "\x00"):
        said = json.dumps({**wish, "points": [school.main.id, point]})
        answer = organiser.post("/timetable/check", data=said, content_type="application/json")
        assert answer.status_code == (200 if school.a.id in point else 404), answer.get_data(as_text=True)
    nested = "[" * 100_000 + "]" * 100_000
    assert organiser.post("/timetable/check", data=nested, content_type="application/json").status_code < 500
    for odd_number in ("Infinity", "NaN", "1e999", "[]"):
        said = f'{{"lecture": "{lecture.id}", "starts_at": "2026-03-03T08:00", "ends_at": "2026-03-03T09:30", "sequence": {odd_number}}}'
        assert organiser.post("/timetable/check", data=said, content_type="application/json").status_code == 422
