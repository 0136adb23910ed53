"""The timetable's page and what it asks while a lecture is dragged."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from schedules.records import LectureView, SeriesDraft
from schedules.zones import from_local
from tests.builders import PASSWORD, ZONE, School, make_point
from tests.fakes import FakeClock

Browser = Any  # Flask's test client


@pytest.fixture
def organiser(login: Callable[..., Browser], school: School) -> Browser:
    return login("tochuc", PASSWORD)


@pytest.fixture
def lecture(school: School, clock: FakeClock) -> LectureView:
    """On Monday from 09:00 to 10:30."""
    return school.lecture(clock.now() + timedelta(hours=1), title="Cải cách hành chính")


@pytest.fixture
def other(school: School, clock: FakeClock) -> LectureView:
    """On Tuesday from 09:00 to 10:30, at the same points."""
    return school.lecture(clock.now() + timedelta(hours=25), title="Dân vận khéo")


def shown(browser: Browser, query: str = "") -> list[str]:
    """Return the lectures of the page's bars, each as often as it has one."""
    answer = browser.get(f"/timetable?{query}")
    assert answer.status_code == 200
    return re.findall(r'<a class="lec [^>]*data-lecture="([^"]+)"', answer.get_data(as_text=True))


def wish(lecture: LectureView, starts_at: str, ends_at: str, **more: object) -> dict[str, object]:
    return {"lecture": lecture.id, "starts_at": starts_at, "ends_at": ends_at, "sequence": lecture.sequence, **more}


def test_a_lecture_stands_in_the_row_of_each_of_its_points(organiser: Browser, lecture: LectureView) -> None:
    assert shown(organiser) == [lecture.id] * 3
    assert shown(organiser, "date=2026-03-09") == []
    assert shown(organiser, "rows=lecturers") == [lecture.id]
    assert shown(organiser, "view=day&date=2026-03-02") == [lecture.id] * 3
    assert shown(organiser, "view=day&date=2026-03-03") == []
    assert shown(organiser, "view=month&date=2026-03-31") == [lecture.id]


def test_the_filter_leaves_out_what_is_not_asked_for(organiser: Browser, school: School, lecture: LectureView) -> None:
    elsewhere = school.schedules.add_organisation("Tỉnh Lai Châu")
    topic = school.course.topics
    assert shown(organiser, f"point={school.a.id}") == [lecture.id]
    assert shown(organiser, f"lecturer={school.lecturer.id}") == [lecture.id]
    assert shown(organiser, f"lecturer={school.other_lecturer.id}") == []
    assert shown(organiser, f"org={school.centre}") == [lecture.id] * 2, "the main point is not the centre's"
    assert shown(organiser, f"org={school.province}") == [lecture.id] * 3, "all that lies below it counts"
    assert shown(organiser, f"org={elsewhere}") == []
    assert shown(organiser, f"course={school.course.id}&topic={topic[0].id}") == [lecture.id] * 3
    assert shown(organiser, f"topic={topic[1].id}") == []
    assert shown(organiser, "point=bp_none&view=day") == []


def test_what_was_called_off_is_in_the_list_and_not_on_the_board(
    organiser: Browser, school: School, lecture: LectureView
) -> None:
    school.schedules.cancel_lecture(lecture.id, by=school.organiser.id)
    assert shown(organiser) == []
    assert "slot-cancelled" in organiser.get("/timetable").get_data(as_text=True)


def test_a_lecture_over_midnight_goes_on_the_next_day(organiser: Browser, school: School) -> None:
    night = school.lecture(from_local(datetime(2026, 3, 2, 21), ZONE), 240)
    assert shown(organiser, f"lecturer={school.lecturer.id}") == [night.id] * 2


def test_blocks_and_margins_are_hatched(organiser: Browser, school: School, clock: FakeClock) -> None:
    start = clock.now() + timedelta(hours=2)
    school.lecture(start, setup_min=30, teardown_min=15)
    school.schedules.bookings.block(
        "point",
        school.b.id,
        start + timedelta(days=1),
        start + timedelta(days=2),
        "Sửa điện",
        school.organiser.id,
        ZONE,
    )
    page = organiser.get("/timetable").get_data(as_text=True)
    assert page.count('<i class="hatch ') == 3 * 2 + 2
    assert page.count('title="Sửa điện"') == 2


@pytest.mark.parametrize("name", ["giangvien", "phutrach", "hocvien", "dusat"])
def test_who_does_not_plan_sees_the_board_without_what_moving_needs(
    login: Callable[..., Browser], lecture: LectureView, name: str
) -> None:
    browser = login(name, PASSWORD)
    assert shown(browser) == [lecture.id] * 3
    assert "page-data" not in browser.get("/timetable").get_data(as_text=True)
    assert (
        browser.post("/timetable/move", json=wish(lecture, "2026-03-02T13:00", "2026-03-02T14:30")).status_code == 403
    )


def test_the_page_knows_what_is_held_also_by_what_the_filter_leaves_out(
    organiser: Browser, school: School, lecture: LectureView
) -> None:
    page = organiser.get(f"/timetable?lecturer={school.other_lecturer.id}").get_data(as_text=True)
    data = json.loads(re.findall(r'id="page-data">(.*?)</script>', page)[0])
    assert [one["id"] for one in data["lectures"]] == [lecture.id]
    assert data["names"][school.a.id] == "Hướng Hóa"


def test_a_lecture_is_moved_and_stretched(organiser: Browser, school: School, lecture: LectureView) -> None:
    answer = organiser.post("/timetable/move", json=wish(lecture, "2026-03-04T13:00", "2026-03-04T15:00"))
    assert answer.status_code == 200
    told = answer.json["lecture"]
    assert (told["starts_at"], told["ends_at"], told["sequence"]) == ("2026-03-04T13:00", "2026-03-04T15:00", 1)
    moved = school.schedules.lecture(lecture.id)
    assert (moved.starts_at, moved.ends_at) == (
        from_local(moved.starts_at.replace(tzinfo=None, hour=13), ZONE),
        moved.starts_at + timedelta(hours=2),
    )
    assert (moved.title, moved.point_ids, moved.description) == (lecture.title, lecture.point_ids, "")


def test_what_is_in_the_way_is_said_before_and_at_the_drop(
    organiser: Browser, school: School, lecture: LectureView, other: LectureView
) -> None:
    wanted = wish(lecture, "2026-03-03T10:00", "2026-03-03T11:30")
    checked = organiser.post("/timetable/check", json=wanted)
    assert checked.status_code == 200
    assert {clash["kind"] for clash in checked.json["clashes"]} == {"lecturer", "point"}
    assert all("Dân vận khéo" in clash["sentence"] for clash in checked.json["clashes"])
    assert {clash["holder"] for clash in checked.json["clashes"]} == {other.id}
    refused = organiser.post("/timetable/move", json=wanted)
    assert (refused.status_code, refused.json["code"]) == (409, "booking.clash")
    assert refused.json["sentences"] == [clash["sentence"] for clash in checked.json["clashes"]]
    assert refused.json["offers"] == checked.json["offers"]
    assert school.schedules.lecture(lecture.id) == lecture


def test_a_time_that_is_offered_can_be_taken(
    organiser: Browser, school: School, lecture: LectureView, other: LectureView
) -> None:
    refused = organiser.post("/timetable/move", json=wish(lecture, "2026-03-03T10:00", "2026-03-03T11:30"))
    offer = refused.json["offers"]["times"][0]
    taken = organiser.post("/timetable/move", json=wish(lecture, offer["starts_at"], offer["ends_at"]))
    assert taken.status_code == 200
    assert taken.json["lecture"]["starts_at"] == offer["starts_at"]


def test_a_point_that_is_offered_can_be_taken_and_given_back(
    organiser: Browser, school: School, lecture: LectureView
) -> None:
    spare = make_point(school.schedules, "Khe Sanh", school.centre)
    block = school.schedules.bookings.block(
        "point", school.b.id, lecture.starts_at + timedelta(days=1), lecture.ends_at + timedelta(days=1),
        "Sửa điện", school.organiser.id, ZONE,
    )  # fmt: skip
    tuesday = wish(lecture, "2026-03-03T09:00", "2026-03-03T10:30")
    (offer,) = organiser.post("/timetable/move", json=tuesday).json["offers"]["points"]
    assert (offer["instead_of"], offer["id"]) == (school.b.id, spare.id)
    points = [school.main.id, school.a.id, spare.id]
    assert organiser.post("/timetable/check", json={**tuesday, "points": points}).json["clashes"] == []
    taken = organiser.post("/timetable/move", json={**tuesday, "points": points})
    assert taken.json["lecture"]["points"] == points
    school.schedules.bookings.lift(block)
    back = wish(lecture, "2026-03-02T09:00", "2026-03-02T10:30", points=list(lecture.all_point_ids)) | {"sequence": 1}
    assert organiser.post("/timetable/move", json=back).status_code == 200
    assert school.schedules.lecture(lecture.id).all_point_ids == lecture.all_point_ids


def test_who_has_not_seen_the_newest_plan_changes_nothing(
    organiser: Browser, school: School, lecture: LectureView
) -> None:
    wanted = wish(lecture, "2026-03-04T13:00", "2026-03-04T15:00")
    assert organiser.post("/timetable/move", json=wanted).status_code == 200
    late = organiser.post("/timetable/move", json=wish(lecture, "2026-03-05T13:00", "2026-03-05T15:00"))
    assert (late.status_code, late.json["code"]) == (409, "lecture.changed_meanwhile")
    assert late.json["sentences"]
    assert school.schedules.lecture(lecture.id).sequence == 1


@pytest.mark.parametrize(("scope", "moved"), [("one", 1), ("following", 2), ("all", 3)])
def test_of_a_series_as_many_are_moved_as_is_said(
    organiser: Browser, school: School, clock: FakeClock, scope: str, moved: int
) -> None:
    first = school.draft(clock.now() + timedelta(hours=1))
    series = school.schedules.create_series(SeriesDraft(first, "weekly", count=3), school.organiser.id)
    answer = organiser.post(
        "/timetable/move", json=wish(series[1], "2026-03-10T09:00", "2026-03-10T10:30", scope=scope)
    )
    assert answer.status_code == 200
    later = [school.schedules.lecture(x.id).starts_at - x.starts_at for x in series]
    assert later.count(timedelta(days=1)) == moved
    assert later[1] == timedelta(days=1)


def test_undoing_puts_back_exactly_what_was_moved(organiser: Browser, school: School, clock: FakeClock) -> None:
    first = school.draft(clock.now() + timedelta(days=21, hours=1))
    series = school.schedules.create_series(SeriesDraft(first, "weekly", count=4), school.organiser.id)
    own = replace(series[3].plan, ends_at=series[3].ends_at - timedelta(minutes=30))  # is as long as the others then
    school.schedules.update_lecture(series[3].id, own, school.organiser.id)
    before = [school.schedules.lecture(lecture.id).plan for lecture in series]
    # two weeks earlier, before the first ones, and half an hour shorter
    earlier = wish(series[2], "2026-03-16T14:00", "2026-03-16T15:00", scope="following")
    answer = organiser.post("/timetable/move", json=earlier)
    assert answer.status_code == 200
    assert [each["lecture"] for each in answer.json["back"]] == [series[2].id, series[3].id]
    now = [school.schedules.lecture(lecture.id) for lecture in series]
    assert [plan.starts_at - was.starts_at for plan, was in zip(now, before, strict=True)] == [
        timedelta(0), timedelta(0), timedelta(days=-21, hours=5), timedelta(days=-21, hours=5),
    ]  # fmt: skip
    undone = organiser.post("/timetable/back", json={"lectures": answer.json["back"]})
    assert undone.status_code == 200
    assert [school.schedules.lecture(lecture.id).plan for lecture in series] == before
    again = organiser.post("/timetable/back", json={"lectures": answer.json["back"]})
    assert (again.status_code, again.json["code"]) == (409, "lecture.changed_meanwhile")


def test_undoing_all_or_nothing_gives_back_points_and_sets(
    organiser: Browser, school: School, lecture: LectureView, other: LectureView
) -> None:
    to = wish(lecture, "2026-03-04T09:00", "2026-03-04T10:30", points=[school.main.id, school.b.id])
    (back,) = organiser.post("/timetable/move", json=to).json["back"]
    assert back["points"] == [school.main.id, school.a.id, school.b.id]
    second = organiser.post("/timetable/move", json=wish(other, "2026-03-05T09:00", "2026-03-05T10:30")).json["back"]
    school.schedules.cancel_lecture(other.id, by=school.organiser.id)
    refused = organiser.post("/timetable/back", json={"lectures": [back, *second]})
    assert refused.status_code == 409
    assert school.schedules.lecture(lecture.id).point_ids == (school.b.id,)
    assert organiser.post("/timetable/back", json={"lectures": [back]}).status_code == 200
    assert school.schedules.lecture(lecture.id).plan == lecture.plan


@pytest.mark.parametrize("wrong", [[], {}, {"lectures": []}, {"lectures": ["x"]}, {"lectures": 3}])
def test_a_way_back_that_cannot_be_read_moves_nothing(organiser: Browser, lecture: LectureView, wrong: object) -> None:
    back = {"lecture": lecture.id, "starts_at": "2026-03-04T09:00", "ends_at": "2026-03-04T10:00+07:00"}
    for said in (wrong, {"lectures": [back]}, {"lectures": [back | {"starts_at": "2026-03-04T09:00+07:00"}] * 2}):
        answer = organiser.post("/timetable/back", json=said)
        assert (answer.status_code, answer.json["code"]) == (422, "request.unreadable")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"lecture": "lec_none"}, 404),
        ({"ends_at": "2026-03-02T09:00"}, 422),
        ({"starts_at": "x"}, 422),
    ],
)
def test_what_makes_no_sense_is_answered_with_a_sentence(
    organiser: Browser, lecture: LectureView, changes: dict[str, object], status: int
) -> None:
    for path in ("/timetable/check", "/timetable/move"):
        answer = organiser.post(path, json=wish(lecture, "2026-03-02T09:00", "2026-03-02T10:00") | changes)
        assert answer.status_code == status
        assert answer.json["detail"]


def test_a_point_that_does_not_exist_is_not_taken(organiser: Browser, school: School, lecture: LectureView) -> None:
    wanted = wish(lecture, "2026-03-02T09:00", "2026-03-02T10:00", points=["bp_none", "bp_nowhere"])
    assert organiser.post("/timetable/move", json=wanted).status_code == 404
    assert school.schedules.lecture(lecture.id) == lecture


def test_another_site_cannot_move_anything(organiser: Browser, lecture: LectureView) -> None:
    wanted = wish(lecture, "2026-03-04T13:00", "2026-03-04T15:00")
    assert (
        organiser.post("/timetable/move", json=wanted, headers={"Origin": "https://elsewhere.example"}).status_code
        == 403
    )


def test_a_lecture_that_has_begun_stays_where_it_is(
    app: Flask, organiser: Browser, school: School, lecture: LectureView
) -> None:
    school.schedules.mark(lecture.id, "open")
    answer = organiser.post("/timetable/move", json=wish(lecture, "2026-03-04T13:00", "2026-03-04T15:00"))
    assert (answer.status_code, answer.json["code"]) == (409, "lecture.not_planned")
