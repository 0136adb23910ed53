"""Topics and hours of lecturers are remarked on where lectures are planned; nothing is refused for them."""

from datetime import timedelta
from typing import Any

import pytest

from schedules.records import SeriesDraft
from tests.builders import PASSWORD, ZONE, School
from tests.fakes import FakeClock

TOPIC = "Nguyễn Thị Minh chưa được phân công dạy chuyên đề “Chuyển đổi số”."
HOURS = "Như vậy Nguyễn Thị Minh dạy {} giờ trong năm 2026, vượt định mức 2 giờ."


@pytest.fixture
def organiser(login: Any, school: School) -> Any:
    """Plan with a lecturer who has the other topic and two hours a year."""
    profile = {"hours_max": "2", "topics": [school.course.topics[1].id]}
    person = {"name": "Nguyễn Thị Minh", "org": school.province, "roles": ["lecturer"], "login": "giangvien"}
    admin = login("quantri", PASSWORD)
    assert admin.post(f"/registry/people/{school.lecturer.id}", data={**person, **profile}).status_code == 303
    return login("tochuc", PASSWORD)


def form(school: School, **more: object) -> dict[str, object]:
    return {
        "title": "Chuyển đổi số ở cơ sở", "topic_id": school.course.topics[0].id, "lecturer_id": school.lecturer.id,
        "main_point_id": school.main.id, "point_ids": [school.a.id], "starts_at": "2026-03-03T08:00",
        "ends_at": "2026-03-03T09:30", "zone": ZONE, "setup_min": "0", "teardown_min": "0", **more,
    }  # fmt: skip


def said(answer: Any, status: int = 200) -> str:
    page = str(answer.get_data(as_text=True))
    assert answer.status_code == status, page
    return page


def test_the_check_and_the_page_after_saving_remark_on_topic_and_hours(organiser: Any, school: School) -> None:
    page = said(organiser.post("/lectures/new", data=form(school, look="1")))
    assert TOPIC in page
    assert "vượt định mức" not in page
    assert "Chưa lưu gì" in page
    longer = form(school, ends_at="2026-03-03T10:30")
    page = said(organiser.post("/lectures/new", data={**longer, "look": "1"}))
    assert TOPIC in page
    assert HOURS.format("2,5") in page
    page = said(organiser.post("/lectures/new", data=longer, follow_redirects=True))
    assert TOPIC in page
    assert HOURS.format("2,5") in page
    page = said(
        organiser.post("/lectures/new", data={**longer, "lecturer_id": school.other_lecturer.id, "look": "1"}), 409
    )
    assert "vượt định mức" not in page
    page = said(organiser.post("/lectures/new", data={**longer, "look": "1"}), 409)
    assert TOPIC in page  # beside what is in the way


def test_a_change_counts_the_lecture_once_and_a_series_all_its_lectures(
    organiser: Any, school: School, clock: FakeClock
) -> None:
    first, second = school.schedules.create_series(
        SeriesDraft(school.draft(clock.now() + timedelta(days=1), minutes=60), "weekly", count=2), school.organiser.id
    )
    path = f"/lectures/{first.id}/edit"
    same = form(school, ends_at="2026-03-03T09:00", point_ids=[school.a.id, school.b.id], sequence="0")
    assert "vượt định mức" not in said(organiser.post(path, data={**same, "look": "1"}))
    longer = {**same, "ends_at": "2026-03-03T09:30"}
    assert HOURS.format("2,5") in said(organiser.post(path, data={**longer, "look": "1"}))
    assert HOURS.format("3") in said(organiser.post(path, data={**longer, "scope": "all", "look": "1"}))
    page = said(organiser.post(path, data={**longer, "scope": "all"}, follow_redirects=True))
    assert HOURS.format("3") in page
    assert TOPIC in page
    assert school.schedules.lecture(second.id).ends_at - second.starts_at == timedelta(minutes=90)
    weekly = form(school, repeat="weekly", count="3", starts_at="2026-03-04T08:00", ends_at="2026-03-04T08:30")
    assert HOURS.format("4,5") in said(organiser.post("/lectures/new", data=weekly, follow_redirects=True))


def test_people_show_the_hours_of_operators(login: Any, school: School, clock: FakeClock) -> None:
    school.lecture(clock.now() + timedelta(days=1), setup_min=30)
    admin = login("quantri", PASSWORD)
    page = said(admin.get("/registry/people?role=operator"))
    assert "2 giờ" in page
    assert "tính cả chuẩn bị và thu dọn" in page
    assert "tính cả chuẩn bị và thu dọn" in said(admin.get(f"/registry/people/{school.operator.id}"))
    assert "tính cả chuẩn bị và thu dọn" not in said(admin.get("/registry/people?role=observer"))
