"""No day that anybody can type, from the year 1 to 9999, breaks a page or a calendar."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import icalendar
import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from core.errors import Invalid
from schedules.models import Lecture, User
from schedules.records import LectureView, Part, SeriesDraft
from tests.builders import PASSWORD, School
from tests.fakes import FakeClock

Browser = Any
UTMOST = [date(1, 1, 1), date(1, 12, 31), date(1969, 12, 31), date(1970, 1, 1), date(2100, 12, 31), date(2101, 1, 1),
          date(9998, 12, 31), date(9999, 12, 30), date(9999, 12, 31)]  # fmt: skip
days = st.one_of(st.sampled_from(UTMOST), st.dates())
clocks = st.sampled_from(["00:00", "00:30", "08:00", "23:59"])
zones = st.sampled_from(["Asia/Ho_Chi_Minh", "America/New_York", "Pacific/Kiritimati", "UTC"])
many = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture
def organiser(login: Callable[..., Browser], school: School) -> Browser:
    return login("tochuc", PASSWORD)


@pytest.fixture
def lecture(school: School, clock: FakeClock) -> LectureView:
    return school.lecture(clock.now() + timedelta(days=1))


def iso(day: date) -> str:
    return f"{day.year:04}-{day.month:02}-{day.day:02}"


def vietnamese(day: date) -> str:
    return f"{day.day:02}/{day.month:02}/{day.year:04}"


def form(school: School, **changes: object) -> dict[str, object]:
    return {
        "title": "Chuyển đổi số", "topic_id": school.course.topics[0].id, "lecturer_id": school.lecturer.id,
        "main_point_id": school.main.id, "point_ids": [school.a.id], "starts_at": "2026-03-03T08:00",
        "ends_at": "2026-03-03T09:30", "zone": "Asia/Ho_Chi_Minh", "setup_min": "30", "teardown_min": "15", **changes,
    }  # fmt: skip


def fine(answer: Any) -> None:
    assert answer.status_code < 500, answer.get_data(as_text=True)[-2000:]


@many
@example(date(1, 1, 1), date(1, 1, 1), "08:00", "Asia/Ho_Chi_Minh")
@example(date(9999, 12, 31), date(9999, 12, 31), "23:59", "America/New_York")
@given(days, days, clocks, zones)
def test_the_form_of_a_lecture_takes_or_refuses_every_day(
    organiser: Browser, school: School, lecture: LectureView, day: date, other: date, clock_time: str, zone: str
) -> None:
    at, other_at = f"{iso(day)}T{clock_time}", f"{iso(other)}T{clock_time}"
    wishes: list[dict[str, object]] = [
        {"starts_at": at, "ends_at": other_at, "zone": zone},
        {"starts_at": at, "ends_at": f"{iso(day)}T23:59", "zone": zone, "repeat": "weekly", "count": "3"},
        {"starts_at": at, "ends_at": f"{iso(day)}T23:59", "repeat": "weekly", "until": iso(other), "interval": "52"},
        {"repeat": "weekly", "count": "2", "without": vietnamese(day)},
        {"repeat": "dates", "dates": f"{vietnamese(day)}\n{iso(other)}", "zone": zone},
        {"repeat": "agenda", "parts": f"{vietnamese(day)} {clock_time}-00:15 Qua đêm", "zone": zone},
        {"look": "1", "starts_at": at, "ends_at": f"{iso(day)}T23:59", "zone": zone},
        {"take": f"time:{iso(day)}T{clock_time}+00:00/{iso(other)}T{clock_time}", "zone": zone},
    ]
    for wish in wishes:
        fine(organiser.post("/lectures/new", data=form(school, **wish)))
        fine(organiser.post(f"/lectures/{lecture.id}/edit", data=form(school, **wish)))


@many
@example(date(1, 1, 1), date(9999, 12, 31), "23:59", 9999, 52)
@example(date(9999, 12, 31), date(1, 1, 1), "00:00", 1, 1)
@given(days, days, clocks, st.integers(0, 9999), st.integers(0, 60))
def test_the_timetable_and_the_blocks_take_or_refuse_every_day(
    organiser: Browser,
    school: School,
    lecture: LectureView,
    day: date,
    other: date,
    clock_time: str,
    year: int,
    week: int,
) -> None:
    wish = {"lecture": lecture.id, "starts_at": f"{iso(day)}T{clock_time}", "ends_at": f"{iso(other)}T23:59"}
    fine(organiser.post("/timetable/check", json=wish))
    fine(organiser.post("/timetable/move", json={**wish, "scope": "all"}))
    fine(organiser.get(f"/timetable?week={year:04}-W{week:02}"))
    fine(organiser.get(f"/timetable?date={iso(day)}&view=month"))
    fine(organiser.get(f"/blocks?from={iso(day)}&until={iso(other)}"))
    block = {"resource": f"point:{school.b.id}", "starts_at": wish["starts_at"], "ends_at": wish["ends_at"]}
    fine(organiser.post("/blocks", data={**block, "reason": "Sửa chữa"}))


@many
@example(date(1, 1, 1), date(9999, 12, 31), 9999)
@given(days, days, st.integers(0, 10**9))
def test_the_registry_and_the_plan_of_the_year_take_or_refuse_every_day(
    login: Callable[..., Browser], school: School, day: date, other: date, year: int
) -> None:
    admin = login("quantri", PASSWORD)
    line = {"title": "Bồi dưỡng", "org_id": school.province, "of": school.course.id, "lectures": "2"}
    for said in (year, day.year):
        fine(admin.post("/year", data={**line, "year": said, "opens_on": iso(day), "due_on": iso(other)}))
        fine(admin.get(f"/year?year={said}"))
    fine(admin.get(f"/registry/organisations?day={iso(day)}"))
    new = {"name": "Xã mới", "parent": school.province, "code": "", "tier": "xã", "at": iso(day)}
    fine(admin.post("/registry/organisations/new", data=new))
    fine(admin.post(f"/registry/organisations/{school.centre}", data=new))
    fine(admin.post(f"/registry/organisations/{school.centre}/abolish", data={"at": iso(day)}))
    person = {"name": "Hồ Văn Khiêm", "org": school.centre, "roles": ["learner"], "login": "hocvien"}
    fine(admin.post(f"/registry/people/{school.learner.id}", data={**person, "last_day": iso(day)}))


def test_what_is_too_far_away_is_said(organiser: Browser, school: School, lecture: LectureView) -> None:
    for wish in (
        {"starts_at": "0001-01-01T08:00"},
        {"repeat": "dates", "dates": "01/01/0001"},
        {"repeat": "agenda", "parts": "31/12/9999 23:00-00:30"},
        {"starts_at": "9999-12-30T08:00", "ends_at": "9999-12-30T09:00", "repeat": "weekly", "count": "5"},
    ):
        answer = organiser.post("/lectures/new", data=form(school, **wish))
        assert answer.status_code == 422
        assert "1970" in answer.get_data(as_text=True)
    wish = {"lecture": lecture.id, "starts_at": "0001-01-01T08:00", "ends_at": "0001-01-01T09:00"}
    answer = organiser.post("/timetable/check", json=wish)
    assert (answer.status_code, answer.json["code"]) == (422, "date.out_of_range")


@pytest.mark.parametrize("year", [2, 1969, 2101, 9998])
def test_no_way_leads_a_far_lecture_into_the_timetable(school: School, lecture: LectureView, year: int) -> None:
    far = lecture.starts_at.replace(year=year)
    draft = school.draft(far)
    ways: list[Callable[[], object]] = [
        lambda: school.schedules.create_lecture(draft, school.organiser.id),
        lambda: school.schedules.check(draft),
        lambda: school.schedules.update_lecture(lecture.id, draft, school.organiser.id),
        lambda: school.schedules.create_series(SeriesDraft(draft, "weekly", count=3), school.organiser.id),
        lambda: school.schedules.create_series(
            SeriesDraft(school.draft(lecture.starts_at), "agenda", parts=(Part(far, far + timedelta(hours=1)),)),
            school.organiser.id,
        ),
        lambda: school.schedules.bookings.block(
            "point", school.a.id, far, far + timedelta(hours=1), "Sửa", school.organiser.id, "UTC"
        ),
    ]
    for way in ways:
        with pytest.raises(Invalid) as refused:
            way()
        assert refused.value.code == "date.out_of_range"


@pytest.mark.parametrize("year", [2, 9999])
def test_a_far_lecture_of_earlier_times_spoils_no_calendar(
    app: Flask, school: School, clock: FakeClock, year: int
) -> None:
    near = school.lecture(clock.now() + timedelta(days=1))
    far = school.lecture(clock.now() + timedelta(days=2))
    at = datetime(year, 6, 1, 8, tzinfo=clock.now().tzinfo)
    with app.extensions["db"].transaction() as s:
        s.execute(update(Lecture).where(Lecture.id == far.id).values(starts_at=at, ends_at=at + timedelta(hours=1)))
    kinds = {
        "point": school.a.id, "lecturer": school.lecturer.id, "course": school.course.id,
        "organisation": school.province, "person": school.learner.id, "lecture": far.id,
    }  # fmt: skip
    for kind, of_id in kinds.items():
        key = school.schedules.calendar_key(kind, of_id)  # type: ignore[arg-type]
        answer = app.test_client().get(f"/calendars/{kind}/{of_id}.ics?key={key}")
        assert answer.status_code == 200
        told = {str(event["UID"]) for event in icalendar.Calendar.from_ical(answer.data).walk("VEVENT")}
        assert (far if kind == "lecture" else near).uid in told
    services = app.extensions["services"]
    with services.db.transaction() as s:
        s.execute(update(User).where(User.id == school.lecturer.id).values(email="minh@example.vn"))
    assert services.letters.write(school.schedules.lecture(far.id)) == (1 if year > 2026 else 0)
