"""Two independent parsers (icalendar, vobject) read what we write; two more, in other languages, once."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import icalendar
import pytest
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import to_ms
from schedules.ical import LinkLabels, feed, newest_change, one_line, weekly_rule
from schedules.records import LectureView
from tests.unit.schedules.calendar_readers import has_libical, has_node, with_ical_js, with_libical
from tests.unit.schedules.plans import EIGHT, plan

URL = "https://lop.example.vn"
LABELS = LinkLabels("Vào lớp", "Màn hình hội trường", "Xem lại")
WEEK = timedelta(weeks=1)

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
    body = feed("Lịch", [lecture], URL, LABELS)
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
    body = feed(title, [plan(title=title, description=description)], URL, LinkLabels(title, title, title))
    assert body.endswith(b"\r\n")
    for line in body.split(b"\r\n"):
        assert len(line) <= 75
        assert b"\n" not in line
        line.decode("utf-8")


@given(words)
@settings(deadline=None, max_examples=60)
def test_no_text_can_add_a_line_of_its_own(title: str) -> None:
    hostile = f"{title}\r\nSTATUS:CANCELLED\r\nEND:VEVENT\nBEGIN:VEVENT"
    event = event_of(
        feed(
            hostile,
            [plan(title=hostile, main_point_name=hostile, course_title=hostile)],
            URL,
            LinkLabels(hostile, hostile, hostile),
        )
    )
    assert str(event["STATUS"]) == "CONFIRMED"


def test_the_zone_comes_with_its_rules() -> None:
    calendar = icalendar.Calendar.from_ical(feed("Lịch", [plan()], URL, LABELS))
    (zone,) = calendar.walk("VTIMEZONE")
    assert str(zone["TZID"]) == "Asia/Ho_Chi_Minh"
    assert calendar.get_missing_tzids() == set()
    assert event_of(feed("Lịch", [plan()], URL, LABELS))["DTSTART"].params["TZID"] == "Asia/Ho_Chi_Minh"


def test_the_way_into_the_class_is_told_three_times_for_programs_that_know_only_one() -> None:
    labels = LinkLabels('Vào "lớp"', "Màn hình hội trường", "Xem lại")
    event = event_of(feed("Lịch", [plan()], URL, labels))
    address = f"{URL}/lectures/{plan().id}"
    conference, screen = event["CONFERENCE"]
    assert str(conference) == str(event["URL"]) == address
    assert str(screen) == f"{URL}/kiosk"
    assert str(event["LOCATION"]) == "Đông Hà"
    for each, label in ((conference, "Vào 'lớp'"), (screen, "Màn hình hội trường")):
        assert each.params["VALUE"] == "URI"
        assert each.params["FEATURE"] == ["AUDIO", "VIDEO"]
        assert each.params["LABEL"] == label


def test_a_feed_says_the_way_to_the_hall_s_screen_to_the_phone_and_to_the_recording() -> None:
    for event in icalendar.Calendar.from_ical(feed("Lịch", a_series(), URL, LABELS)).walk("VEVENT"):
        *_, join, screen, replay = str(event["DESCRIPTION"]).splitlines()
        assert join.startswith(f"Vào lớp: {URL}/lectures/lec_")
        assert screen == f"Màn hình hội trường: {URL}/kiosk"
        assert replay == f"{join.replace('Vào lớp', 'Xem lại')}/replay"
        assert "?" not in f"{join}{screen}{replay}"  # no key, no token


def test_a_cancelled_lecture_stays_in_the_calendar_and_says_so() -> None:
    event = event_of(feed("Lịch", [plan(status="cancelled", sequence=3)], URL, LABELS))
    assert (str(event["STATUS"]), int(event["SEQUENCE"])) == ("CANCELLED", 3)


def test_an_empty_calendar_is_a_calendar() -> None:
    calendar = icalendar.Calendar.from_ical(feed("Lịch", [], URL, LABELS))
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
    read = [event_of(feed("Lịch", [version], URL, LABELS)) for version in versions]
    assert len({str(event["UID"]) for event in read}) == 1
    newest = max(read, key=lambda event: (int(event["SEQUENCE"]), event["DTSTAMP"].dt))
    assert newest.start == versions[-1].starts_at
    sequences = [int(event["SEQUENCE"]) for event in read]
    assert sequences == sorted(set(sequences))


@pytest.mark.skipif(not has_node(), reason="node is not installed")
def test_a_javascript_program_reads_it_too() -> None:
    lectures = [
        plan(title="Kỹ năng; số, “một”", description="hai\ndòng"),
        plan(id="lec_2", uid="lec_2@diem-cau", zone="Europe/Berlin", status="cancelled", sequence=2),
    ]
    first, second = with_ical_js(feed("Lịch", lectures, URL, LABELS))
    assert (first["summary"], first["location"]) == ("Kỹ năng; số, “một”", "Đông Hà")
    assert "hai\ndòng" in first["description"]
    assert (first["starts_ms"], first["ends_ms"]) == (to_ms(EIGHT), to_ms(EIGHT) + 90 * 60_000)
    assert (first["tzid"], second["tzid"]) == ("Asia/Ho_Chi_Minh", "Europe/Berlin")
    assert second["starts_ms"] == to_ms(EIGHT)
    assert (second["status"], second["sequence"]) == ("CANCELLED", 2)
    assert first["conference"] == f"{URL}/lectures/{lectures[0].id}"
    assert first["features"] == "AUDIO,VIDEO"


@pytest.mark.skipif(not has_libical(), reason="libical is not installed (make test installs it)")
def test_libical_reads_it_too() -> None:
    lectures = [
        plan(title="Kỹ năng; số, “một”", sequence=3),
        plan(id="lec_2", uid="lec_2@diem-cau", zone="Europe/Berlin", status="cancelled"),
    ]
    read = with_libical(feed("Lịch", lectures, URL, LABELS))
    assert (read["errors"], read["method"]) == (0, "PUBLISH")
    first, second = read["events"]
    assert (first["uid"], first["sequence"], first["summary"]) == (lectures[0].uid, 3, "Kỹ năng; số, “một”")
    assert (first["tzid"], first["starts"], first["starts_s"]) == (
        "Asia/Ho_Chi_Minh",
        "20260302T080000",
        EIGHT.timestamp(),
    )
    assert (second["tzid"], second["starts"], second["starts_s"]) == (
        "Europe/Berlin",
        "20260302T020000",
        EIGHT.timestamp(),
    )
    assert (first["status"], second["status"]) == ("CONFIRMED", "CANCELLED")


# ---- a weekly series ----


def in_series(week: int, **changes: object) -> LectureView:
    """The lecture of a week of a series; no week 3."""
    own = {"id": f"lec_{week}", "uid": f"lec_{week}@diem-cau", "starts_at": EIGHT + week * WEEK}
    return plan(**{**own, "series_uid": "ser_1@diem-cau", "recurrence_at": EIGHT + week * WEEK, **changes})


def a_series() -> list[LectureView]:
    """Weeks 0, 1, 2 and 4; the third is an hour later and the last is cancelled."""
    moved = in_series(2, starts_at=EIGHT + 2 * WEEK + timedelta(hours=1), sequence=1)
    return [in_series(0), in_series(1), moved, in_series(4, status="cancelled", sequence=2)]


def test_a_feed_has_a_series_as_one_uid_with_a_rule_and_an_instance_for_each_lecture() -> None:
    whole, *instances = icalendar.Calendar.from_ical(feed("Lịch", a_series(), URL, LABELS)).walk("VEVENT")
    assert {str(event["UID"]) for event in (whole, *instances)} == {"ser_1@diem-cau"}
    assert whole["RRULE"].to_ical() == b"FREQ=WEEKLY;UNTIL=20260330T010000Z"
    assert [at.dt for at in whole["EXDATE"].dts] == [EIGHT + 3 * WEEK]
    assert (int(whole["SEQUENCE"]), str(whole["STATUS"]), whole.start) == (2, "CONFIRMED", EIGHT)
    assert [event["RECURRENCE-ID"].dt for event in instances] == [EIGHT + n * WEEK for n in (0, 1, 2, 4)]
    assert {event["RECURRENCE-ID"].params["TZID"] for event in instances} == {"Asia/Ho_Chi_Minh"}
    assert [str(event["RELATED-TO"]) for event in instances] == [lecture.uid for lecture in a_series()]
    assert [int(event["SEQUENCE"]) for event in instances] == [0, 0, 1, 2]
    assert [str(event["STATUS"]) for event in instances] == ["CONFIRMED"] * 3 + ["CANCELLED"]
    assert instances[2].start == EIGHT + 2 * WEEK + timedelta(hours=1)


def test_vobject_expands_the_series_to_its_weeks() -> None:
    whole = vobject.readOne(feed("Lịch", a_series(), URL, LABELS).decode()).vevent_list[0]
    assert [at.astimezone(UTC) for at in whole.rruleset] == [EIGHT + n * WEEK for n in (0, 1, 2, 4)]


@pytest.mark.skipif(not has_node(), reason="node is not installed")
def test_a_javascript_program_sees_each_lecture_of_the_series_once_and_where_it_was_moved() -> None:
    whole, *instances = with_ical_js(feed("Lịch", a_series(), URL, LABELS))
    assert whole["occurrences_ms"] == [to_ms(lecture.starts_at) for lecture in a_series()]
    assert [event["recurrence_ms"] for event in instances] == [to_ms(EIGHT + n * WEEK) for n in (0, 1, 2, 4)]


@pytest.mark.skipif(not has_libical(), reason="libical is not installed (make test installs it)")
def test_libical_reads_the_rule_and_the_instances() -> None:
    read = with_libical(feed("Lịch", a_series(), URL, LABELS))
    whole, *instances = read["events"]
    assert read["errors"] == 0
    assert whole["rule"] == "FREQ=WEEKLY;UNTIL=20260330T010000Z"
    assert [event["recurrence"] for event in instances] == [f"202603{day}T080000" for day in ("02", "09", "16", "30")]
    assert instances[2]["starts"] == "20260316T090000"


def test_a_lone_lecture_of_a_series_keeps_its_own_uid() -> None:
    """Programs do not all bear an instance without the event that has the rule."""
    event = event_of(feed("Lịch", [in_series(1)], URL, LABELS))
    assert str(event["UID"]) == "lec_1@diem-cau"
    assert "RECURRENCE-ID" not in event and "RELATED-TO" not in event


def test_lectures_that_no_weekly_rule_describes_keep_their_own_uids() -> None:
    other_hour = in_series(1, recurrence_at=EIGHT + WEEK + timedelta(hours=2))
    same_instance = in_series(1, recurrence_at=EIGHT)
    for second in (other_hour, same_instance):
        events = icalendar.Calendar.from_ical(feed("Lịch", [in_series(0), second], URL, LABELS)).walk("VEVENT")
        assert [str(event["UID"]) for event in events] == ["lec_0@diem-cau", "lec_1@diem-cau"]


def test_the_zone_of_the_series_is_the_one_in_which_every_week_is_alike() -> None:
    """One lecture was put into another zone; the weeks were planned in Berlin, over a change of the clocks."""
    before, after = datetime(2026, 3, 23, 8, tzinfo=UTC), datetime(2026, 3, 30, 7, tzinfo=UTC)  # 9 o'clock there
    lectures = [
        in_series(0, starts_at=before, recurrence_at=before),
        in_series(1, starts_at=after, recurrence_at=after, zone="Europe/Berlin"),
    ]
    whole, *instances = icalendar.Calendar.from_ical(feed("Lịch", lectures, URL, LABELS)).walk("VEVENT")
    assert {event["RECURRENCE-ID"].params["TZID"] for event in instances} == {"Europe/Berlin"}
    assert [event["RECURRENCE-ID"].dt for event in instances] == [before, after]
    assert whole["DTSTART"].params["TZID"] == "Europe/Berlin"


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(
        lambda at: at.replace(hour=9, second=0, microsecond=0)
    ),
    st.sets(st.integers(0, 60), min_size=1, max_size=12),
    st.sets(st.integers(0, 6), max_size=2),
    zones,
)
@settings(deadline=None, max_examples=60)
def test_a_rule_gives_exactly_the_starts_it_was_made_of(
    first: datetime, weeks: set[int], days: set[int], zone: str
) -> None:
    local = {first + week * WEEK + timedelta(days=day) for week in weeks for day in {0, *days}}
    starts = {at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for at in local}
    rule = weekly_rule(sorted(starts), zone)
    assert rule is not None
    event = icalendar.Event()
    event.add("dtstart", rule.first)
    event.add("rrule", rule.rrule)
    for missing in rule.exceptions:
        event.add("exdate", missing)
    expanded = vobject.readOne(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{event.to_ical().decode()}END:VCALENDAR\r\n")
    said = {at.replace(tzinfo=None) for at in islice(expanded.vevent.rruleset, 600)}
    assert said == local


def test_starts_more_than_ten_years_apart_are_no_series() -> None:
    assert weekly_rule([EIGHT, EIGHT + 600 * WEEK], "Asia/Ho_Chi_Minh") is None
