"""An invitation is understood by four parsers, and means what RFC 5546 says."""

from datetime import UTC, datetime, timedelta

import icalendar
import pytest
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.ical import Attendee, LinkLabels, Method, feed, invitation
from schedules.records import LectureView
from tests.unit.schedules.calendar_readers import has_libical, has_node, with_ical_js, with_libical
from tests.unit.schedules.plans import EIGHT, plan

URL = "https://lop.example.vn"
AT = datetime(2026, 2, 21, 3, 4, 5, 678, tzinfo=UTC)
CENTRE = Attendee("Trung tâm Chính trị Đông Hà", "lich@example.vn")
LECTURER = Attendee("Nguyễn Thị Minh", "minh@example.vn", "CHAIR")
OPERATOR = Attendee("Lê, Hoa; “phụ trách”: A", "hoa@example.vn")
CONTACT = Attendee("", "dakrong@example.vn", "OPT-PARTICIPANT")
LABELS = LinkLabels("Vào buổi học", "Màn hình hội trường", "Xem lại")


def invite(
    lecture: LectureView, method: Method = "REQUEST", people: tuple[Attendee, ...] = (LECTURER, OPERATOR, CONTACT)
) -> bytes:
    return invitation(lecture, method, CENTRE, people, AT, URL, LABELS)


def read(body: bytes) -> tuple[icalendar.Calendar, icalendar.Event]:
    calendar = icalendar.Calendar.from_ical(body)
    (event,) = calendar.walk("VEVENT")
    return calendar, event


def test_a_request_names_the_lecture_who_asks_and_who_is_asked() -> None:
    calendar, event = read(invite(plan(sequence=2)))
    assert str(calendar["METHOD"]) == "REQUEST"
    assert (str(event["UID"]), int(event["SEQUENCE"])) == (plan().uid, 2)
    assert event["DTSTAMP"].dt == AT.replace(microsecond=0)
    assert str(event["STATUS"]) == "CONFIRMED"
    assert (str(event["ORGANIZER"]), event["ORGANIZER"].params["CN"]) == ("mailto:lich@example.vn", CENTRE.name)
    lecturer, operator, contact = event["ATTENDEE"]
    assert [str(person) for person in (lecturer, operator, contact)] == [
        "mailto:minh@example.vn",
        "mailto:hoa@example.vn",
        "mailto:dakrong@example.vn",
    ]
    assert [person.params["CN"] for person in (lecturer, operator, contact)] == [
        "Nguyễn Thị Minh",
        "Lê, Hoa; “phụ trách”: A",
        "dakrong@example.vn",
    ]
    assert [person.params["ROLE"] for person in (lecturer, operator, contact)] == [
        "CHAIR",
        "REQ-PARTICIPANT",
        "OPT-PARTICIPANT",
    ]
    assert {(person.params["PARTSTAT"], person.params["RSVP"]) for person in event["ATTENDEE"]} == {
        ("NEEDS-ACTION", "TRUE")
    }


def test_a_request_says_the_way_to_the_hall_s_screen_to_the_phone_and_to_the_recording() -> None:
    _, event = read(invite(plan()))
    lines = str(event["DESCRIPTION"]).splitlines()
    assert f"Vào buổi học: {URL}/lectures/{plan().id}" in lines
    assert f"Màn hình hội trường: {URL}/kiosk" in lines
    assert f"Xem lại: {URL}/lectures/{plan().id}/replay" in lines
    conference, screen = event["CONFERENCE"]
    assert str(screen) == f"{URL}/kiosk"
    assert str(conference) == f"{URL}/lectures/{plan().id}"
    assert (conference.params["VALUE"], conference.params["FEATURE"]) == ("URI", ["AUDIO", "VIDEO"])


def test_calling_the_lecture_off_cancels_it() -> None:
    calendar, event = read(invite(plan(status="cancelled", sequence=3), "CANCEL"))
    assert (str(calendar["METHOD"]), str(event["STATUS"]), int(event["SEQUENCE"])) == ("CANCEL", "CANCELLED", 3)
    assert "PARTSTAT" not in event["ATTENDEE"][0].params
    assert "RSVP" not in event["ATTENDEE"][0].params


def test_who_is_no_longer_invited_is_not_told_that_the_lecture_is_off() -> None:
    """RFC 5546 3.2.5: then there must be no STATUS, and only those let go are named."""
    calendar, event = read(invite(plan(sequence=1), "CANCEL", (OPERATOR,)))
    assert str(calendar["METHOD"]) == "CANCEL"
    assert "STATUS" not in event
    assert str(event["ATTENDEE"]) == "mailto:hoa@example.vn"


def test_a_lecture_of_a_series_is_invited_to_under_its_own_uid() -> None:
    lecture = plan(series_uid="ser_1@diem-cau", recurrence_at=EIGHT)
    _, event = read(invite(lecture))
    assert str(event["UID"]) == lecture.uid
    assert "RECURRENCE-ID" not in event


def test_invitation_and_feed_agree_on_what_programs_compare() -> None:
    _, invited = read(invite(plan(sequence=1)))
    _, fed = read(feed("Lịch", [plan(sequence=1)], URL, LABELS))
    for name in ("UID", "SEQUENCE", "SUMMARY", "LOCATION", "STATUS", "URL", "DESCRIPTION"):
        assert str(invited[name]) == str(fed[name])
    assert [str(way) for way in invited["CONFERENCE"]] == [str(way) for way in fed["CONFERENCE"]]
    assert (invited.start, invited.end) == (fed.start, fed.end)


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@given(names, names)
@settings(deadline=None, max_examples=80)
def test_no_name_adds_a_line_a_parameter_or_a_person(name: str, title: str) -> None:
    hostile = f'{name}";RSVP=FALSE:mailto:x@y.vn\r\nATTENDEE:mailto:eve@example.vn\nSTATUS:CANCELLED'
    body = invitation(
        plan(title=f"{title}\r\nMETHOD:CANCEL"), "REQUEST", CENTRE, [Attendee(hostile, "a@b.vn")], AT, URL, LABELS
    )
    calendar, event = read(body)
    assert str(calendar["METHOD"]) == "REQUEST"
    assert str(event["STATUS"]) == "CONFIRMED"
    assert (str(event["ATTENDEE"]), event["ATTENDEE"].params["RSVP"]) == ("mailto:a@b.vn", "TRUE")
    for line in body.split(b"\r\n"):
        assert len(line) <= 75
        line.decode("utf-8")


def test_vobject_reads_the_same() -> None:
    lecture = plan(zone="Europe/Berlin", sequence=4)
    calendar = vobject.readOne(invite(lecture).decode(), validate=True)
    event = calendar.vevent
    assert calendar.method.value == "REQUEST"
    assert (event.uid.value, event.sequence.value, event.summary.value) == (lecture.uid, "4", lecture.title)
    assert event.dtstart.value.astimezone(UTC) == EIGHT
    assert event.dtend.value.astimezone(UTC) == EIGHT + timedelta(minutes=90)
    assert next(person.params["CN"] for person in event.attendee_list) == ["Nguyễn Thị Minh"]


@pytest.mark.skipif(not has_node(), reason="node is not installed")
def test_a_javascript_program_reads_the_same() -> None:
    (event,) = with_ical_js(invite(plan(sequence=4)))
    assert (event["uid"], event["sequence"], event["summary"]) == (plan().uid, 4, plan().title)
    assert (event["tzid"], event["starts_ms"]) == ("Asia/Ho_Chi_Minh", EIGHT.timestamp() * 1000)
    assert event["attendees"] == [
        [LECTURER.name, "mailto:minh@example.vn"],
        [OPERATOR.name, "mailto:hoa@example.vn"],
        [CONTACT.address, "mailto:dakrong@example.vn"],
    ]


@pytest.mark.skipif(not has_libical(), reason="libical is not installed (make test installs it)")
@pytest.mark.parametrize("zone", ["Asia/Ho_Chi_Minh", "Europe/Berlin", "UTC"])
def test_libical_reads_the_same(zone: str) -> None:
    found = with_libical(invite(plan(sequence=4, zone=zone, status="cancelled"), "CANCEL"))
    assert (found["method"], found["errors"]) == ("CANCEL", 0)
    (event,) = found["events"]
    assert (event["uid"], event["sequence"], event["summary"]) == (plan().uid, 4, plan().title)
    assert (event["tzid"], event["starts_s"], event["status"]) == (zone, EIGHT.timestamp(), "CANCELLED")
    assert event["attendees"][0] == [LECTURER.name, "mailto:minh@example.vn"]
