"""What other bodies' calendars and weekly hours mean for lectures that are planned already: organisers are told."""

import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from core.bus import EventBus
from core.db import Database
from schedules.calendars.fetch import Fetcher
from schedules.calendars.subscription_service import SubscriptionService
from schedules.hours import Window
from schedules.service import ScheduleService
from tests.builders import PASSWORD, ZONE, School, make_school
from tests.fakes import FakeClock

EIGHT = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)  # Tuesday 08:00 in Vietnam
TOLD = "Số buổi học đã xếp trùng giờ với lịch này: 1."
TODAY = "view=day&date=2026-03-03"


def meeting(*hours: str, title: str = "Họp giao ban") -> bytes:
    """Return a calendar with an event on Tuesday 3 March for each `0800-1000`, in Vietnam."""
    events = "".join(
        f"BEGIN:VEVENT\r\nUID:{span}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID={ZONE}:20260303T{span[:4]}00\r\n"
        f"DTEND;TZID={ZONE}:20260303T{span[5:]}00\r\nSUMMARY:{title}\r\nEND:VEVENT\r\n"
        for span in hours
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{events}END:VCALENDAR\r\n".encode()


def upload(browser: Any, resource: str, data: bytes) -> str:
    """Upload a calendar and return the page that follows."""
    sent = {"name": "Lịch UBND", "resource": resource, "url": "", "file": (io.BytesIO(data), "lich.ics")}
    answer = browser.post("/calendars", data=sent, content_type="multipart/form-data", follow_redirects=True)
    assert answer.status_code == 200
    return str(answer.get_data(as_text=True))


def busy_on(page: str) -> list[str]:
    return re.findall(r'<i class="hatch [^"]*hatch-busy" title="([^"]*)"', page)


def page_of(browser: Any, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    return str(answer.get_data(as_text=True))


@pytest.fixture
def organiser(login: Any, school: School) -> Any:
    return login("tochuc", PASSWORD)


def test_the_timetable_shows_the_meetings_of_other_bodies_and_dragging_knows_them(
    organiser: Any, login: Any, school: School
) -> None:
    upload(organiser, f"point:{school.a.id}", meeting("0800-1000"))
    upload(organiser, f"lecturer:{school.lecturer.id}", meeting("1400-1500", title="Khám bệnh"))
    words = ["Họp giao ban (lịch “Lịch UBND”)"]
    for query in ("date=2026-03-03", TODAY, f"point={school.a.id}&date=2026-03-03", f"point={school.a.id}&{TODAY}"):
        page = page_of(organiser, f"/timetable?{query}")
        assert busy_on(page) == words, query
        assert "Trong lịch của cơ quan khác" in page
    theirs = ["Khám bệnh (lịch “Lịch UBND”)"]
    assert busy_on(page_of(organiser, f"/timetable?rows=lecturers&{TODAY}")) == theirs
    assert busy_on(page_of(organiser, f"/timetable?lecturer={school.lecturer.id}&date=2026-03-03")) == theirs
    page = page_of(organiser, f"/timetable?{TODAY}")
    assert f'"resource": "{school.a.id}", "starts_at": "2026-03-03T08:00", "title": "Họp giao ban"' in page
    assert busy_on(page_of(organiser, "/timetable?view=day&date=2026-03-04")) == []
    # who does not plan sees that somebody is busy, not with what; one's own one knows
    learner = login("hocvien", PASSWORD)
    assert busy_on(page_of(learner, f"/timetable?rows=lecturers&{TODAY}")) == ["Bận (lịch “Lịch UBND”)"]
    lecturer = login("giangvien", PASSWORD)
    assert busy_on(page_of(lecturer, f"/timetable?rows=lecturers&{TODAY}")) == theirs


def test_whoever_adds_a_calendar_is_told_which_planned_lectures_it_is_in_the_way_of(
    organiser: Any, login: Any, school: School
) -> None:
    lecture = school.lecture(EIGHT)
    later = school.lecture(EIGHT + timedelta(hours=3), title="Bài buổi trưa")
    page = upload(organiser, f"point:{school.a.id}", meeting("0900-1000"))
    assert page.count(TOLD) == 2  # as a notice, and beside the calendar
    assert f"{TOLD} Danh sách ở ngay bên cạnh lịch." in page
    assert f'href="/lectures/{lecture.id}"' in page
    assert f'href="/lectures/{later.id}"' not in page
    again = upload(organiser, f"point:{school.b.id}", meeting("1800-1900"))
    assert again.count(TOLD) == 1  # beside the first; the second is in nobody's way
    school.schedules.cancel_lecture(lecture.id, by=school.organiser.id)
    assert TOLD not in page_of(organiser, "/calendars")
    assert TOLD not in page_of(login("giangvien", PASSWORD), "/calendars")


def test_home_tells_planners_of_lectures_that_a_calendar_read_since_is_in_the_way_of(
    organiser: Any, login: Any, school: School
) -> None:
    told = "Số buổi học đã xếp trùng giờ với lịch của cơ quan khác: 1."
    school.lecture(EIGHT)
    assert told not in page_of(organiser, "/")
    upload(organiser, f"point:{school.a.id}", meeting("0900-1000"))
    assert told in page_of(organiser, "/")
    assert told not in page_of(login("giangvien", PASSWORD), "/")


def test_what_is_in_the_way_is_found_by_what_lectures_hold(any_db: Database, bus: EventBus, clock: FakeClock) -> None:
    school = make_school(ScheduleService(any_db, bus, clock))
    service = SubscriptionService(any_db, clock, Fetcher(), ZONE)
    early = school.lecture(EIGHT, setup_min=30)
    late = school.lecture(EIGHT + timedelta(hours=6), lecturer_id=school.other_lecturer.id)
    (equipment,) = school.schedules.equipment(school.b.id)

    def follow(kind: Any, resource_id: str, *hours: str) -> list[str]:
        made = service.subscribe_file("Lịch", kind, resource_id, meeting(*hours), school.organiser.id)
        return [line.id for line in service.in_the_way().get(made.id, [])]

    assert follow("point", school.main.id, "0745-0800") == [early.id]  # set-up counts
    assert follow("lecturer", school.lecturer.id, "0745-0800") == []  # but not for who teaches
    assert follow("lecturer", school.lecturer.id, "0745-0801", "1400-1500") == [early.id]
    assert follow("equipment", equipment.id, "0600-2000") == [early.id, late.id]
    assert follow("point", school.b.id, "0930-1400") == []  # end and start are no clash
    clock.advance(minutes=48 * 60)
    assert service.in_the_way() == {}  # what is over is in nobody's way


def test_an_uploaded_file_says_until_when_it_counts_and_warns_before(
    organiser: Any, school: School, clock: FakeClock, app: Flask
) -> None:
    warned = "Tệp không được đọc lại"
    page = upload(organiser, f"point:{school.a.id}", meeting("0900-1000"))
    assert "tệp: tính đến 3/3/2028" in page
    assert warned not in page
    (made,) = app.extensions["subscriptions"].subscriptions()
    assert made.counts_until is not None
    for days, soon in ((-31, False), (-30, True), (1, True)):
        assert made.ends_soon(made.counts_until + timedelta(days=days)) is soon
    clock.advance(minutes=(2 * 366 - 30) * 24 * 60)
    later = page_of(login_again(app), "/calendars")
    assert warned in later
    assert "sắp hết hạn" in later


def login_again(app: Flask) -> Any:
    browser = app.test_client()
    browser.post("/login", data={"login": "tochuc", "password": PASSWORD})
    return browser


def test_new_weekly_hours_tell_which_planned_lectures_lie_outside(login: Any, school: School, app: Flask) -> None:
    told = "Số buổi học đã xếp nằm ngoài giờ dạy trong tuần: 1."
    lecture = school.lecture(EIGHT)
    inside = school.lecture(EIGHT + timedelta(hours=6))
    admin = login("quantri", PASSWORD)
    path = f"/registry/people/{school.lecturer.id}"
    data = {"name": "Nguyễn Thị Minh", "org": school.province, "roles": ["lecturer"], "login": "giangvien"}
    answer = admin.post(path, data={**data, "hours1": "13:00-17:00"}, follow_redirects=True)
    page = answer.get_data(as_text=True)
    assert page.count(told) == 2  # as a notice, and above the form
    assert f'href="/lectures/{lecture.id}"' in page
    assert f'href="/lectures/{inside.id}"' not in page
    again = admin.post(path, data={**data, "hours1": "13:00-17:00"})
    assert again.headers["Location"].endswith("/registry/people")  # nothing new to tell
    assert told in page_of(admin, path)
    admin.post(path, data={**data, "hours1": ""})
    assert told not in page_of(admin, path)


def test_hours_are_held_against_planned_lectures_alone(any_db: Database, bus: EventBus, clock: FakeClock) -> None:
    school = make_school(ScheduleService(any_db, bus, clock))
    bookings = school.schedules.bookings
    called_off, early = school.lecture(EIGHT + timedelta(days=7)), school.lecture(EIGHT)
    school.schedules.cancel_lecture(called_off.id, by=school.organiser.id)
    assert bookings.planned_outside_hours(school.lecturer.id) == []
    bookings.set_hours(school.lecturer.id, [Window(1, 8 * 60 + 1, 600, ZONE)])
    assert [line.id for line in bookings.planned_outside_hours(school.lecturer.id)] == [early.id]
    bookings.set_hours(school.lecturer.id, [Window(1, 480, 600, ZONE)])
    assert bookings.planned_outside_hours(school.lecturer.id) == []
