"""Calendars of everybody, of courses and organisations, and of other bodies that count as busy."""

import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest
from flask import Flask
from sqlalchemy import update

from schedules.calendars.models import Subscription
from schedules.models import User
from tests.browsing import multipart, unread_body
from tests.builders import PASSWORD, School
from tests.fakes import FakeClock

EIGHT = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)  # Tuesday 08:00 in Vietnam
MEETING = b"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//EN
BEGIN:VEVENT
UID:1@example.vn
DTSTAMP:20260101T000000Z
DTSTART:20260303T010000Z
DTEND:20260303T030000Z
SUMMARY:H\xe1\xbb\x8dp giao ban
END:VEVENT
END:VCALENDAR
""".replace(b"\n", b"\r\n")


def followed(school: School, **more: object) -> dict[str, object]:
    return {"name": "Lịch UBND", "resource": f"point:{school.a.id}", "url": "", **more}


def uids(app: Flask, school: School, kind: Any, of_id: str) -> set[str]:
    key = school.schedules.calendar_key(kind, of_id)
    answer = app.test_client().get(f"/calendars/{kind}/{of_id}.ics?key={key}")
    assert answer.status_code == 200
    return {str(event["UID"]) for event in icalendar.Calendar.from_ical(answer.data).walk("VEVENT")}


def test_each_calendar_has_what_concerns_whom_it_is_of(app: Flask, school: School) -> None:
    far = school.schedules.add_organisation("Tỉnh Lai Châu")
    hall = school.schedules.add_point("Mường Tè", far)
    other = school.schedules.add_course("Khóa khác", far, topics=("Chuyên đề",))
    mine = school.lecture(EIGHT, point_ids=(school.a.id,))
    theirs = school.lecture(
        EIGHT, topic_id=other.topics[0].id, lecturer_id=school.other_lecturer.id, main_point_id=hall.id,
        point_ids=(school.b.id,),
    )  # fmt: skip
    both = {mine.uid, theirs.uid}
    assert uids(app, school, "course", school.course.id) == {mine.uid}
    assert uids(app, school, "course", other.id) == {theirs.uid}
    assert uids(app, school, "organisation", school.province) == both  # the centre below it has point b
    assert uids(app, school, "organisation", far) == {theirs.uid}
    assert uids(app, school, "person", school.learner.id) == {mine.uid}  # enrolled
    assert uids(app, school, "person", school.operator.id) == {mine.uid}  # looks after point a
    assert uids(app, school, "person", school.other_lecturer.id) == {theirs.uid}
    assert uids(app, school, "person", school.observer.id) == set()


def test_who_has_left_reads_their_calendar_no_more(app: Flask, school: School, clock: FakeClock) -> None:
    school.lecture(EIGHT)
    with app.extensions["db"].transaction() as s:
        s.execute(update(User).where(User.id == school.lecturer.id).values(left_at=clock.now() + timedelta(hours=1)))
    keys = {kind: school.schedules.calendar_key(kind, school.lecturer.id) for kind in ("person", "lecturer")}
    for kind, key in keys.items():
        assert app.test_client().get(f"/calendars/{kind}/{school.lecturer.id}.ics?key={key}").status_code == 200
    clock.advance(hours=1)
    for kind, key in keys.items():
        answer = app.test_client().get(f"/calendars/{kind}/{school.lecturer.id}.ics?key={key}")
        wrong = app.test_client().get(f"/calendars/{kind}/{school.lecturer.id}.ics?key=x")
        assert (answer.status_code, answer.data) == (404, wrong.data)


def test_the_page_offers_to_subscribe_at_the_very_address_of_the_feed(app: Flask, login: Any, school: School) -> None:
    lecture = school.lecture(EIGHT)
    page = login("giangvien", PASSWORD).get("/calendars").get_data(as_text=True)
    (link,) = re.findall(r'href="webcals?://([^"]+)"', page)
    public = app.extensions["config"].public_url.partition("://")[2]
    assert link.startswith(f"{public}/calendars/person/")
    answer = app.test_client().get(link.removeprefix(public))
    assert answer.mimetype == "text/calendar"
    assert lecture.uid in answer.get_data(as_text=True)


def test_everybody_finds_and_renews_their_own(login: Any, school: School, app: Flask) -> None:
    learner = login("hocvien", PASSWORD)
    key = school.schedules.calendar_key("person", school.learner.id)
    assert key in learner.get("/calendars").get_data(as_text=True)
    assert learner.post(f"/calendars/person/{school.learner.id}/renew").status_code == 303
    assert app.test_client().get(f"/calendars/person/{school.learner.id}.ics?key={key}").status_code == 404
    assert learner.post(f"/calendars/person/{school.lecturer.id}/renew").status_code == 403
    assert learner.post(f"/calendars/course/{school.course.id}/renew").status_code == 403


def test_an_organiser_finds_the_calendar_of_a_course(login: Any, school: School) -> None:
    page = login("tochuc", PASSWORD).get(f"/calendars?of=course:{school.course.id}").get_data(as_text=True)
    assert school.schedules.calendar_key("course", school.course.id) in page


def test_an_uploaded_calendar_keeps_lectures_out_until_it_is_removed(login: Any, school: School) -> None:
    organiser = login("tochuc", PASSWORD)
    sent = followed(school, file=(io.BytesIO(MEETING), "lich.ics"))
    assert organiser.post("/calendars", data=sent, content_type="multipart/form-data").status_code == 303
    (clash,) = school.schedules.check(school.draft(EIGHT))
    assert (clash.resource, clash.by) == ("Hướng Hóa", "Họp giao ban")
    page = organiser.get("/calendars").get_data(as_text=True)
    remove = re.search(r'action="(/calendars/followed/[^"]+/remove)"', page)
    assert remove
    assert organiser.post(remove[1]).status_code == 303
    assert school.schedules.check(school.draft(EIGHT)) == []


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"resource": ""}, 422),
        ({"url": "http://127.0.0.1/lich.ics"}, 422),
        ({"url": "https://10.0.0.8/lich.ics"}, 422),
        ({"url": "file:///etc/passwd"}, 422),
        ({"file": (io.BytesIO(b"MZ\x90\x00 not a calendar"), "lich.ics")}, 422),
        ({"resource": "point:bp_0", "file": (io.BytesIO(MEETING), "lich.ics")}, 404),
    ],
)
def test_what_cannot_be_followed_is_said_and_nothing_is_kept(
    login: Any, school: School, app: Flask, more: dict[str, object], status: int
) -> None:
    answer = login("tochuc", PASSWORD).post(
        "/calendars", data=followed(school, **more), content_type="multipart/form-data"
    )
    page = answer.get_data(as_text=True)
    assert answer.status_code == status
    assert 'role="alert"' in page
    assert "Lịch UBND" in page
    assert app.extensions["subscriptions"].subscriptions() == []


def of_size(size: int) -> bytes:
    """Return a calendar with one event, whose description makes it so large."""
    line = b"DESCRIPTION:" + b"x" * 62 + b"\r\n"
    head, tail = MEETING.split(b"SUMMARY")
    return head + (size // len(line)) * line + b"SUMMARY" + tail


def test_a_large_calendar_is_read_up_to_its_limit_and_what_was_typed_beside_a_larger_one_stays(
    login: Any, school: School, app: Flask
) -> None:
    organiser = login("tochuc", PASSWORD)
    sent = followed(school, file=(io.BytesIO(of_size(2_500_000)), "lich.ics"))
    answer = organiser.post("/calendars", **multipart(sent))
    page = answer.get_data(as_text=True)
    assert answer.status_code == 413
    assert re.search(r'role="alert"><p>[^<]*2 MB', page)
    assert 'value="Lịch UBND"' in page
    assert app.extensions["subscriptions"].subscriptions() == []
    sent = followed(school, file=(io.BytesIO(of_size(1_500_000)), "lich.ics"))
    assert organiser.post("/calendars", **multipart(sent)).status_code == 303
    assert [each.busy_times for each in app.extensions["subscriptions"].subscriptions()] == [1]


def test_a_huge_calendar_is_refused_unread_and_the_form_is_shown_again(login: Any, school: School) -> None:
    huge = unread_body(200_000_000)
    answer = login("tochuc", PASSWORD).post("/calendars", **huge)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 413
    assert re.search(r'role="alert"><p>[^<]*2 MB', page)
    assert 'name="resource"' in page
    assert login("hocvien", PASSWORD).post("/calendars", **huge).status_code == 403


def test_why_a_followed_calendar_could_not_be_read_is_said_and_what_is_known_stays(
    login: Any, school: School, app: Flask
) -> None:
    organiser = login("tochuc", PASSWORD)
    sent = followed(school, file=(io.BytesIO(MEETING), "lich.ics"))
    organiser.post("/calendars", data=sent, content_type="multipart/form-data")
    (kept,) = app.extensions["subscriptions"].subscriptions()
    with app.extensions["db"].transaction() as s:
        s.execute(update(Subscription).values(url="http://127.0.0.1/lich.ics"))
    assert organiser.post(f"/calendars/followed/{kept.id}/refresh").status_code == 303
    page = organiser.get("/calendars").get_data(as_text=True)
    assert "Máy chủ không còn nằm trên mạng internet công cộng." in page
    assert app.extensions["subscriptions"].subscription(kept.id).error
    assert [clash.by for clash in school.schedules.check(school.draft(EIGHT))] == ["Họp giao ban"]
