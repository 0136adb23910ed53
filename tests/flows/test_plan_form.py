"""The form of lectures: margins, extras, series, what is free instead, and two who edit at once."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schedules.records import LectureView
from tests.builders import PASSWORD, School

EIGHT = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)  # Tuesday 08:00 in Vietnam


@pytest.fixture
def organiser(login: Any, school: School) -> Any:
    return login("tochuc", PASSWORD)


def form(school: School, **changes: object) -> dict[str, object]:
    return {
        "title": "Chuyển đổi số", "topic_id": school.course.topics[0].id, "lecturer_id": school.lecturer.id,
        "main_point_id": school.main.id, "point_ids": [school.a.id], "starts_at": "2026-03-03T08:00",
        "ends_at": "2026-03-03T09:30", "zone": "Asia/Ho_Chi_Minh", "setup_min": "30", "teardown_min": "15", **changes,
    }  # fmt: skip


def planned(school: School) -> list[LectureView]:
    return school.schedules.lectures_between(EIGHT - timedelta(days=30), EIGHT + timedelta(days=400))


def takes(page: str) -> list[str]:
    """Return the alternatives that a page offers."""
    return re.findall(r'name="take" value="([^"]+)"', page)


def test_margins_equipment_and_operators_are_kept_and_shown_again(organiser: Any, school: School) -> None:
    spare = school.schedules.add_equipment("Bộ lưu động", None)
    sent = form(school, **{f"equipment-{school.a.id}": spare.id, f"operator-{school.a.id}": school.operator.id})
    answer = organiser.post("/lectures/new", data=sent)
    (lecture,) = planned(school)
    assert answer.headers["Location"] == f"/lectures/{lecture.id}"
    assert (lecture.setup_min, lecture.teardown_min) == (30, 15)
    assert lecture.equipment == ((school.a.id, spare.id),)
    assert lecture.operators == ((school.a.id, school.operator.id),)
    page = organiser.get(f"/lectures/{lecture.id}").get_data(as_text=True)
    assert "Bộ lưu động" in page
    assert "Lê Thị Hoa" in page
    edit = organiser.get(f"/lectures/{lecture.id}/edit").get_data(as_text=True)
    assert f'value="{spare.id}" selected' in edit
    assert 'name="sequence" value="0"' in edit


@pytest.mark.parametrize(
    ("changes", "days"),
    [
        ({"repeat": "weekly", "count": "3", "without": "10/03/2026"}, ["03/03", "17/03"]),
        ({"repeat": "weekly", "until": "2026-03-12", "weekdays": ["1", "3"]}, ["03/03", "05/03", "10/03", "12/03"]),
        ({"repeat": "dates", "dates": "03/03/2026\n2026-04-30, 1-5-2026"}, ["03/03", "30/04", "01/05"]),
        (
            {"repeat": "agenda", "parts": "03/03/2026 08:00-11:00 Phần một\n4/3/2026 13h30 – 16h00\n"},
            ["03/03", "04/03"],
        ),
    ],
)
def test_a_series_is_planned_from_one_form(
    organiser: Any, school: School, changes: dict[str, object], days: list[str]
) -> None:
    answer = organiser.post("/lectures/new", data=form(school, **changes))
    assert answer.status_code == 303, answer.get_data(as_text=True)
    assert [f"{lecture.starts_at + timedelta(hours=7):%d/%m}" for lecture in planned(school)] == days


def test_an_agenda_part_over_midnight_ends_on_the_next_day(organiser: Any, school: School) -> None:
    organiser.post("/lectures/new", data=form(school, repeat="agenda", parts="31/12/2026 23:00-00:30 Giao thừa"))
    (lecture,) = planned(school)
    assert (lecture.title, lecture.ends_at - lecture.starts_at) == ("Giao thừa", timedelta(minutes=90))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"setup_min": "nửa giờ"}, "không phải là số nguyên"),
        ({"setup_min": "999"}, "240"),
        ({"repeat": "weekly"}, "có bao nhiêu buổi học"),
        ({"repeat": "weekly", "count": "3", "without": "30/02/2026"}, "30/02/2026"),
        ({"repeat": "dates", "dates": "hôm nay"}, "hôm nay"),
        ({"repeat": "agenda", "parts": "03/03/2026 sáng"}, "03/03/2026 sáng"),
        ({"repeat": "fortnightly"}, ""),
    ],
)
def test_what_cannot_be_read_is_said_and_everything_typed_stays(
    organiser: Any, school: School, changes: dict[str, object], said: str
) -> None:
    answer = organiser.post("/lectures/new", data=form(school, title="Tên đã gõ", **changes))
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert said in page
    assert "Tên đã gõ" in page
    assert planned(school) == []


def test_a_refusal_offers_times_and_points_and_a_click_is_only_a_look(organiser: Any, school: School) -> None:
    taken = school.lecture(EIGHT, point_ids=(school.a.id,), title="Cải cách hành chính")
    sent = form(school, lecturer_id=school.other_lecturer.id, main_point_id=school.b.id)
    answer = organiser.post("/lectures/new", data=sent)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Cải cách hành chính" in page
    offered = takes(page)
    times = [offer for offer in offered if offer.startswith("time:")]
    assert len(times) >= 4
    looked = organiser.post("/lectures/new", data={**sent, "take": times[0]})
    words = looked.get_data(as_text=True)
    assert looked.status_code == 200
    assert "Chưa lưu gì" in words
    start = re.search(r'name="starts_at"[^>]*value="([^"]+)"', words)
    assert start
    assert start[1] != "2026-03-03T08:00"
    assert [lecture.id for lecture in planned(school)] == [taken.id]


def test_another_point_is_taken_with_a_click_and_then_stored(organiser: Any, school: School) -> None:
    near = school.schedules.add_point("Cam Lộ", school.centre)
    school.lecture(EIGHT, point_ids=(school.a.id,))
    sent = form(school, lecturer_id=school.other_lecturer.id, main_point_id=school.b.id)
    page = organiser.post("/lectures/new", data=sent).get_data(as_text=True)
    offer = f"point:{school.a.id}:{near.id}"
    assert offer in takes(page)
    looked = organiser.post("/lectures/new", data={**sent, "take": offer})
    assert looked.status_code == 200
    assert f'value="{near.id}" checked' in looked.get_data(as_text=True)
    assert organiser.post("/lectures/new", data={**sent, "point_ids": [near.id]}).status_code == 303


@pytest.mark.parametrize(
    "take", ["time:now/then", "time:", "point:bp_1", "nonsense", "equipment:bp_0:eq_0", "time:2026-01-01/2026-01-02"]
)
def test_a_made_up_alternative_stores_nothing(organiser: Any, school: School, take: str) -> None:
    answer = organiser.post("/lectures/new", data=form(school, take=take))
    assert answer.status_code in (200, 404, 409, 422)
    assert planned(school) == []


def test_asking_whether_it_is_free_stores_nothing(organiser: Any, school: School) -> None:
    answer = organiser.post("/lectures/new", data=form(school, look="1", repeat="weekly", count="5"))
    assert answer.status_code == 200
    assert "Chưa lưu gì" in answer.get_data(as_text=True)
    assert planned(school) == []


def test_the_second_of_two_editors_is_told_and_can_load_the_lecture_again(organiser: Any, school: School) -> None:
    lecture = school.lecture(EIGHT, point_ids=(school.a.id,))
    first = organiser.post(f"/lectures/{lecture.id}/edit", data=form(school, title="Một", sequence="0"))
    second = organiser.post(f"/lectures/{lecture.id}/edit", data=form(school, title="Hai", sequence="0"))
    assert (first.status_code, second.status_code) == (303, 409)
    assert "người khác đã sửa" in second.get_data(as_text=True)
    assert school.schedules.lecture(lecture.id).title == "Một"
    assert organiser.post(f"/lectures/{lecture.id}/cancel", data={"sequence": "0"}).status_code == 409
    assert organiser.post(f"/lectures/{lecture.id}/cancel", data={"sequence": "1", "because": "Bão"}).status_code == 303
    assert "Bão" in organiser.get(f"/lectures/{lecture.id}").get_data(as_text=True)


def test_a_whole_series_is_moved_and_called_off_from_one_of_its_pages(organiser: Any, school: School) -> None:
    organiser.post("/lectures/new", data=form(school, repeat="weekly", count="3"))
    first, second, third = planned(school)
    page = organiser.get(f"/lectures/{second.id}/edit").get_data(as_text=True)
    assert 'name="scope" value="following"' in page
    moved = form(school, starts_at="2026-03-10T09:00", ends_at="2026-03-10T10:30", sequence="0", scope="following")
    assert organiser.post(f"/lectures/{second.id}/edit", data=moved).status_code == 303
    assert [lecture.starts_at.hour for lecture in planned(school)] == [1, 2, 2]
    organiser.post(f"/lectures/{first.id}/cancel", data={"scope": "all", "sequence": "0"})
    assert {lecture.status for lecture in planned(school)} == {"cancelled"}
    assert third.series_id


def test_a_series_is_offered_only_what_is_free_on_all_its_days(organiser: Any, school: School) -> None:
    once, always = (school.schedules.add_point(name, school.centre) for name in ("Cam Lộ", "Gio Linh"))
    other = {"lecturer_id": school.other_lecturer.id, "main_point_id": school.b.id}
    school.lecture(EIGHT + timedelta(weeks=4), point_ids=(school.a.id, once.id), **other)
    sent = form(school, repeat="weekly", count="5")
    answer = organiser.post("/lectures/new", data=sent)
    assert answer.status_code == 409
    assert takes(answer.get_data(as_text=True)) == [f"point:{school.a.id}:{always.id}"]
    assert organiser.post("/lectures/new", data={**sent, "point_ids": [always.id]}).status_code == 303

    # the same when a whole series is changed; a look at it looks at all of it
    first = next(lecture for lecture in planned(school) if lecture.series_id)
    change = form(school, sequence="0", scope="all")
    answer = organiser.post(f"/lectures/{first.id}/edit", data={**change, "look": "1"})
    assert answer.status_code == 409
    offers = takes(answer.get_data(as_text=True))
    assert f"point:{school.a.id}:{always.id}" in offers
    assert not any(once.id in offer or offer.startswith("time:") for offer in offers)
    looked = organiser.post(f"/lectures/{first.id}/edit", data={**change, "scope": "one", "look": "1"})
    assert looked.status_code == 200
