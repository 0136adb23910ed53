"""Two independent parsers (icalendar, vobject) read what we write; a third, in another language, once."""

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import pytest
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import to_ms
from schedules.ical import feed, newest_change, one_line
from schedules.records import LectureView
from tests.unit.schedules.plans import EIGHT, plan

URL = "https://lop.example.vn"
ROOT = Path(__file__).resolve().parents[3]

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)
plain_words = words.filter(one_line)  # a title has at least one visible character
moments = st.one_of(
    st.datetimes(datetime(1950, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(
        [
            datetime(2026, 3, 29, 0, 59, tzinfo=UTC),  # the last minute before Berlin's clocks go forward
            datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),  # 02:30 for the first time
            datetime(1975, 6, 12, 16, 0, tzinfo=UTC),  # Vietnam leaves +08
            datetime(1974, 12, 31, 23, 0, tzinfo=UTC),
        ]
    ),
).map(lambda at: at.replace(second=0, microsecond=0))
zones = st.sampled_from(["Asia/Ho_Chi_Minh", "UTC", "Europe/Berlin"])


def event_of(body: bytes) -> icalendar.Event:
    (event,) = icalendar.Calendar.from_ical(body).walk("VEVENT")
    return event


def second_pass(at: datetime, zone: str) -> bool:
    """Whether it lies in the hour that comes twice, the second time: iCalendar's local times cannot say so."""
    return at.astimezone(ZoneInfo(zone)).fold == 1


@settings(deadline=None, max_examples=60)
@given(moments, zones, st.integers(1, 1440), plain_words, words)
def test_two_parsers_read_back_what_was_planned(
    starts_at: datetime, zone: str, minutes: int, title: str, description: str
) -> None:
    ends_at = starts_at + timedelta(minutes=minutes)
    lecture = plan(
        starts_at=starts_at, ends_at=ends_at, zone=zone, title=title, description=description, main_point_name=title
    )
    body = feed("Lịch", [lecture], URL, "Vào lớp")
    first = event_of(body)
    if zone != "UTC":  # vobject keeps the first VTIMEZONE of a name for ever
        getattr(vobject.icalendar, "__tzidMap").pop(zone, None)
    second = vobject.readOne(body.decode(), validate=True).vevent
    for read in (
        (str(first["SUMMARY"]), first.start, first.end, str(first["UID"])),
        (second.summary.value, second.dtstart.value, second.dtend.value, second.uid.value),
    ):
        summary, start, end, uid = read
        assert summary == one_line(title)
        assert uid == lecture.uid
        if not second_pass(starts_at, zone):
            assert start.astimezone(UTC) == starts_at
        if not second_pass(ends_at, zone):
            assert end.astimezone(UTC) == ends_at


@given(words, words)
@settings(deadline=None, max_examples=60)
def test_no_line_is_longer_than_75_octets_and_each_is_whole_utf8(title: str, description: str) -> None:
    body = feed(title, [plan(title=title, description=description)], URL, title)
    assert body.endswith(b"\r\n")
    for line in body.split(b"\r\n"):
        assert len(line) <= 75
        assert b"\n" not in line
        line.decode("utf-8")


@given(words)
@settings(deadline=None, max_examples=60)
def test_no_text_can_add_a_line_of_its_own(title: str) -> None:
    hostile = f"{title}\r\nSTATUS:CANCELLED\r\nEND:VEVENT\nBEGIN:VEVENT"
    event = event_of(feed(hostile, [plan(title=hostile, main_point_name=hostile, course_title=hostile)], URL, hostile))
    assert str(event["STATUS"]) == "CONFIRMED"


def test_the_zone_comes_with_its_rules() -> None:
    calendar = icalendar.Calendar.from_ical(feed("Lịch", [plan()], URL, "Vào lớp"))
    (zone,) = calendar.walk("VTIMEZONE")
    assert str(zone["TZID"]) == "Asia/Ho_Chi_Minh"
    assert calendar.get_missing_tzids() == set()
    assert event_of(feed("Lịch", [plan()], URL, "Vào lớp"))["DTSTART"].params["TZID"] == "Asia/Ho_Chi_Minh"


def test_the_way_into_the_class_is_told_three_times_for_programs_that_know_only_one() -> None:
    event = event_of(feed("Lịch", [plan()], URL, 'Vào "lớp"'))
    address = f"{URL}/lectures/{plan().id}"
    conference = event["CONFERENCE"]
    assert str(conference) == str(event["URL"]) == address
    assert address in str(event["DESCRIPTION"])
    assert str(event["LOCATION"]) == "Đông Hà"
    assert conference.params["VALUE"] == "URI"
    assert conference.params["FEATURE"] == ["AUDIO", "VIDEO"]
    assert conference.params["LABEL"] == "Vào 'lớp'"


def test_a_cancelled_lecture_stays_in_the_calendar_and_says_so() -> None:
    event = event_of(feed("Lịch", [plan(status="cancelled", sequence=3)], URL, "Vào lớp"))
    assert (str(event["STATUS"]), int(event["SEQUENCE"])) == ("CANCELLED", 3)


def test_an_empty_calendar_is_a_calendar() -> None:
    calendar = icalendar.Calendar.from_ical(feed("Lịch", [], URL, "Vào lớp"))
    assert calendar.walk("VEVENT") == []
    assert str(calendar["NAME"]) == "Lịch"
    assert newest_change([]) is None


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=8))
@settings(deadline=None, max_examples=20)
def test_through_any_chain_of_changes_the_uid_stays_and_the_last_version_wins(shifts: list[int]) -> None:
    versions: list[LectureView] = [plan()]
    for n, minutes in enumerate(shifts, 1):
        moved = EIGHT + timedelta(minutes=minutes)
        versions.append(plan(starts_at=moved, sequence=n, changed_at=versions[-1].changed_at + timedelta(seconds=1)))
    read = [event_of(feed("Lịch", [version], URL, "Vào lớp")) for version in versions]
    assert len({str(event["UID"]) for event in read}) == 1
    newest = max(read, key=lambda event: (int(event["SEQUENCE"]), event["DTSTAMP"].dt))
    assert newest.start == versions[-1].starts_at
    sequences = [int(event["SEQUENCE"]) for event in read]
    assert sequences == sorted(set(sequences))


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_a_javascript_program_reads_it_too() -> None:
    lectures = [
        plan(title="Kỹ năng; số, “một”", description="hai\ndòng"),
        plan(id="lec_2", uid="lec_2@diem-cau", zone="Europe/Berlin", status="cancelled", sequence=2),
    ]
    read = subprocess.run(
        ["node", str(Path(__file__).with_name("read_calendar.mjs"))],
        input=feed("Lịch", lectures, URL, "Vào lớp"),
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    first, second = json.loads(read.stdout)
    assert (first["summary"], first["location"]) == ("Kỹ năng; số, “một”", "Đông Hà")
    assert "hai\ndòng" in first["description"]
    assert (first["starts_ms"], first["ends_ms"]) == (to_ms(EIGHT), to_ms(EIGHT) + 90 * 60_000)
    assert (first["tzid"], second["tzid"]) == ("Asia/Ho_Chi_Minh", "Europe/Berlin")
    assert second["starts_ms"] == to_ms(EIGHT)
    assert (second["status"], second["sequence"]) == ("CANCELLED", 2)
    assert first["conference"] == f"{URL}/lectures/{lectures[0].id}"
    assert first["features"] == "AUDIO,VIDEO"
