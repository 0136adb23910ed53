"""From the end of the class to the replay page and its files."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from core.clock import to_ms
from core.errors import Invalid
from media.playlist import Segment, init_name, master, playlist
from schedules.records import LectureView
from tests.builders import PASSWORD, School, make_school, make_user
from tests.fakes import FakeClock

SEGMENT = bytes(range(256)) * 8


@pytest.fixture
def school(app: Flask) -> School:
    return make_school(app.extensions["schedules"])


@pytest.fixture
def held(app: Flask, school: School, clock: FakeClock) -> LectureView:
    """A class of one minute in which a point had the floor; its first 50 s were recorded."""
    lecture = school.lecture(clock.now() + timedelta(minutes=5))
    rooms = app.extensions["rooms"]
    rooms.open(lecture.id, lecture.lecturer_id, lecture.main_point_id, lecture.point_ids)
    rooms.join(lecture.id, school.lecturer.id, "lecturer", "c0")
    rooms.join(lecture.id, school.a.id, "point", "c1")
    rooms.start(lecture.id, school.lecturer.id, "lecturer")
    keep_recording(app, lecture.id, to_ms(clock.now()))
    clock.advance(20)
    rooms.grant_floor(lecture.id, school.lecturer.id, "lecturer", school.a.id)
    clock.advance(40)
    rooms.end(lecture.id, school.lecturer.id, "lecturer")
    return lecture


def keep_recording(app: Flask, lecture_id: str, start_ms: int) -> None:
    folder = app.extensions["config"].recordings_dir / lecture_id
    (folder / "program").mkdir(parents=True)
    pieces = [Segment(n, start_ms + n * 2000, 2000, 0) for n in range(25)]
    for piece in pieces:
        (folder / "program" / piece.name).write_bytes(SEGMENT)
    (folder / "program" / init_name(0)).write_bytes(b"init")
    (folder / "program.m3u8").write_text(playlist(pieces, ended=True))
    (folder / "master.m3u8").write_text(master([], 500_000))
    (folder / "secret.txt").write_text("not for viewers")


def page_data(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', html, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found.group(1))
    return data


def test_the_page_has_chapters_names_and_what_was_lost(
    login: Callable[..., Any], held: LectureView, school: School
) -> None:
    answer = login("hocvien", PASSWORD).get(f"/lectures/{held.id}/replay")
    assert answer.status_code == 200
    data = page_data(answer.get_data(as_text=True))
    assert [chapter["kind"] for chapter in data["chapters"]] == ["start", "floor", "end"]
    assert data["chapters"][1]["subject"] == school.a.id and data["labels"][school.a.id] == school.a.name
    assert [duration for _, duration in data["stretches"]] == [50_000]
    assert data["entries"][0]["event"]["type"] == "lecture.opened"
    assert "10" in re.sub(r"<[^>]+>", "", answer.get_data(as_text=True).split("replay-kept")[1].split("</p>")[0])


def test_segments_come_whole_in_ranges_and_only_once(login: Callable[..., Any], held: LectureView) -> None:
    browser = login("hocvien", PASSWORD)
    listed = browser.get(f"/recordings/{held.id}/program.m3u8", buffered=True)
    assert listed.mimetype == "application/vnd.apple.mpegurl" and "no-cache" in listed.headers["Cache-Control"]
    name = next(line for line in listed.get_data(as_text=True).splitlines() if line.endswith(".m4s"))
    whole = browser.get(f"/recordings/{held.id}/{name}", buffered=True)
    assert whole.data == SEGMENT
    assert "private" in whole.headers["Cache-Control"] and "immutable" in whole.headers["Cache-Control"]
    part = browser.get(f"/recordings/{held.id}/{name}", headers={"Range": "bytes=100-199"}, buffered=True)
    assert part.status_code == 206 and part.data == SEGMENT[100:200]
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(SEGMENT)}"
    beyond = browser.get(f"/recordings/{held.id}/{name}", headers={"Range": "bytes=999999-"}, buffered=True)
    assert beyond.status_code == 416
    again = browser.get(
        f"/recordings/{held.id}/{name}", headers={"If-None-Match": whole.headers["ETag"]}, buffered=True
    )
    assert again.status_code == 304


@pytest.mark.parametrize(
    "name",
    [
        "secret.txt",
        "program/../secret.txt",
        "program/..%2f..%2ftest.sqlite3",
        "..%2f..%2ftest.sqlite3",
        "program/init_9.mp4",
        "program",
        "program.m3u8%00",
        "program/000000_1_1_0.m4s.tmp",
    ],
)
def test_nothing_but_the_recordings_own_files_is_given(login: Callable[..., Any], held: LectureView, name: str) -> None:
    assert login("hocvien", PASSWORD).get(f"/recordings/{held.id}/{name}").status_code == 404


def test_who_had_no_part_gets_neither_page_nor_files(
    app: Flask, login: Callable[..., Any], client: Any, held: LectureView
) -> None:
    schedules = app.extensions["schedules"]
    make_user(schedules, "nguoila", schedules.add_organisation("Tỉnh khác"), "learner")
    stranger = login("nguoila", PASSWORD)
    for path in (f"/lectures/{held.id}/replay", f"/recordings/{held.id}/program.m3u8"):
        assert stranger.get(path).status_code == 403
        assert client.get(path).status_code in (302, 403)
    assert stranger.put(f"/lectures/{held.id}/replay/position", json={"position_ms": 1}).status_code == 403
    assert stranger.get("/lectures/lec_0000000000000000/replay").status_code == 404


def test_a_viewer_goes_on_where_they_stopped(login: Callable[..., Any], held: LectureView) -> None:
    browser, url = login("hocvien", PASSWORD), f"/lectures/{held.id}/replay/position"
    assert browser.get(url).json == {"position_ms": 0}
    assert browser.put(url, json={"position_ms": 20_000}).status_code == 204
    assert browser.put(url, json={"position_ms": 31_500}).status_code == 204
    assert browser.get(url).json == {"position_ms": 31_500}
    assert page_data(browser.get(f"/lectures/{held.id}/replay").get_data(as_text=True))["positionMs"] == 31_500
    assert login("giangvien", PASSWORD).get(url).json == {"position_ms": 0}, "everybody has their own place"


@pytest.mark.parametrize(
    "body", [{}, [], {"position_ms": -1}, {"position_ms": 1.5}, {"position_ms": True}, {"position_ms": 10**12},
             {"position_ms": "1"}, {"position_ms": 1, "user_id": "usr_1"}],
)  # fmt: skip
def test_a_place_that_cannot_be_is_refused(login: Callable[..., Any], held: LectureView, body: object) -> None:
    browser, url = login("hocvien", PASSWORD), f"/lectures/{held.id}/replay/position"
    answer = browser.put(url, json=body)
    assert answer.status_code == Invalid.status and answer.json["code"] == "replay.bad_position"
    assert browser.get(url).json == {"position_ms": 0}


def test_before_the_end_the_page_says_when_the_replay_comes(
    app: Flask, login: Callable[..., Any], school: School, clock: FakeClock
) -> None:
    lecture = school.lecture(clock.now() + timedelta(minutes=5))
    answer = login("hocvien", PASSWORD).get(f"/lectures/{lecture.id}/replay")
    assert answer.status_code == 200 and "page-data" not in answer.get_data(as_text=True)
    assert login("hocvien", PASSWORD).get(f"/recordings/{lecture.id}/program.m3u8").status_code == 404
