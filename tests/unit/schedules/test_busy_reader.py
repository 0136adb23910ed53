"""Files of other programs, in the shapes they have, and files that mean harm."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import AppError, Invalid
from schedules.calendars.busy_reader import TIMES_MAX, Read, read_busy
from schedules.calendars.recurrence import STEPS_MAX, Work

ZONE = "Asia/Ho_Chi_Minh"
SINCE, UNTIL = datetime(2025, 3, 2, tzinfo=UTC), datetime(2028, 3, 2, tzinfo=UTC)
ONE_STEP_MAX = 24 * 60 * 60  # what is paid for at once: the times of one day

OUTLOOK = r"""BEGIN:VCALENDAR
PRODID:-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN
VERSION:2.0
METHOD:PUBLISH
X-MS-OLK-FORCEINSPECTOROPEN:TRUE
BEGIN:VTIMEZONE
TZID:SE Asia Standard Time
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+0700
TZOFFSETTO:+0700
END:STANDARD
END:VTIMEZONE
BEGIN:VTIMEZONE
TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:16011028T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010325T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
CLASS:PUBLIC
DTSTART;TZID="SE Asia Standard Time":20260302T080000
DTEND;TZID="SE Asia Standard Time":20260302T093000
RRULE:FREQ=WEEKLY;COUNT=3;BYDAY=MO
EXDATE;TZID="SE Asia Standard Time":20260309T080000
SUMMARY;LANGUAGE=vi:Giao ban tuần\, phòng họp
  lớn
TRANSP:OPAQUE
UID:040000008200E00074C5B7101A82E00801
X-MICROSOFT-CDO-BUSYSTATUS:BUSY
BEGIN:VALARM
TRIGGER:-PT15M
ACTION:DISPLAY
DESCRIPTION:Reminder
DURATION:PT5M
END:VALARM
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID="Customized Time Zone":20260320T090000
DTEND;TZID="Customized Time Zone":20260320T100000
RRULE:FREQ=WEEKLY;UNTIL=20260403T070000Z
SUMMARY:Họp với Berlin
UID:040000008200E00074C5B7101A82E00802
X-MICROSOFT-CDO-BUSYSTATUS:OOF
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID="SE Asia Standard Time":20260303T080000
DTEND;TZID="SE Asia Standard Time":20260303T170000
SUMMARY:Rảnh
UID:040000008200E00074C5B7101A82E00803
X-MICROSOFT-CDO-BUSYSTATUS:FREE
END:VEVENT
END:VCALENDAR
"""

GOOGLE = """BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:PUBLISH
X-WR-CALNAME:Hội trường
X-WR-TIMEZONE:Asia/Ho_Chi_Minh
BEGIN:VTIMEZONE
TZID:Asia/Ho_Chi_Minh
X-LIC-LOCATION:Asia/Ho_Chi_Minh
BEGIN:STANDARD
TZOFFSETFROM:+0700
TZOFFSETTO:+0700
TZNAME:+07
DTSTART:19700101T000000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
DTSTART;TZID=Asia/Ho_Chi_Minh:20260302T140000
DTEND;TZID=Asia/Ho_Chi_Minh:20260302T150000
RRULE:FREQ=DAILY;UNTIL=20260305T165959Z
UID:abc@google.com
STATUS:CONFIRMED
SUMMARY:Lớp bồi dưỡng
TRANSP:OPAQUE
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID=Asia/Ho_Chi_Minh:20260303T160000
DTEND;TZID=Asia/Ho_Chi_Minh:20260303T180000
UID:abc@google.com
RECURRENCE-ID;TZID=Asia/Ho_Chi_Minh:20260303T140000
STATUS:CONFIRMED
SUMMARY:Lớp bồi dưỡng (dời giờ)
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID=Asia/Ho_Chi_Minh:20260304T140000
DTEND;TZID=Asia/Ho_Chi_Minh:20260304T150000
UID:abc@google.com
RECURRENCE-ID:20260304T070000Z
STATUS:CANCELLED
SUMMARY:Lớp bồi dưỡng
END:VEVENT
BEGIN:VEVENT
DTSTART:20260310T010000Z
DTEND:20260310T020000Z
UID:free@google.com
SUMMARY:Nhắc việc
TRANSP:TRANSPARENT
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20260430
DTEND;VALUE=DATE:20260502
UID:days@google.com
SUMMARY:Nghỉ lễ
END:VEVENT
END:VCALENDAR
"""

THUNDERBIRD = """BEGIN:VCALENDAR
PRODID:-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN
VERSION:2.0
BEGIN:VTIMEZONE
TZID:/mozilla.org/20050126_1/Europe/Berlin
BEGIN:STANDARD
DTSTART:20051030T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:6f1a
SUMMARY:Họp trực tuyến
DTSTART;TZID=/mozilla.org/20050126_1/Europe/Berlin:20260701T090000
DURATION:PT1H30M
RDATE;TZID=/mozilla.org/20050126_1/Europe/Berlin;VALUE=PERIOD:20260708T090000/PT2H,20260709T090000/20260709T093000
END:VEVENT
BEGIN:VTODO
UID:todo
DTSTART:20260701T090000Z
END:VTODO
BEGIN:VEVENT
UID:6f1b
SUMMARY:Giờ treo
DTSTART:20260702T090000
DTEND:20260702T100000
END:VEVENT
END:VCALENDAR
"""


def read(text: str, work: Work | None = None) -> Read:
    return read_busy(text.replace("\n", "\r\n").encode(), SINCE, UNTIL, ZONE, work)


def calendar(*events: str) -> str:
    inside = "".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{inside}END:VCALENDAR\n"


def starts(text: str) -> list[str]:
    """When each busy time begins, as a local clock in Vietnam shows it."""
    found = read(text)
    assert found.skipped == 0, found.problems
    return [f"{busy.starts_at + timedelta(hours=7):%d/%m %H:%M}" for busy in found.busy]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def test_outlook_windows_zones_customised_rules_and_free_time() -> None:
    found = read(OUTLOOK)
    assert found.skipped == 0
    assert [(b.starts_at, b.ends_at, b.summary) for b in found.busy] == [
        (utc(2026, 3, 2, 1), utc(2026, 3, 2, 2, 30), "Giao ban tuần, phòng họp lớn"),
        (utc(2026, 3, 16, 1), utc(2026, 3, 16, 2, 30), "Giao ban tuần, phòng họp lớn"),
        (utc(2026, 3, 20, 8), utc(2026, 3, 20, 9), "Họp với Berlin"),
        (utc(2026, 3, 27, 8), utc(2026, 3, 27, 9), "Họp với Berlin"),
        (utc(2026, 4, 3, 7), utc(2026, 4, 3, 8), "Họp với Berlin"),  # summer time, by the file's own rules
    ]


def test_google_overrides_cancelled_ones_and_whole_days() -> None:
    found = read(GOOGLE)
    assert found.skipped == 0
    assert [(b.starts_at, b.ends_at, b.summary) for b in found.busy] == [
        (utc(2026, 3, 2, 7), utc(2026, 3, 2, 8), "Lớp bồi dưỡng"),
        (utc(2026, 3, 3, 9), utc(2026, 3, 3, 11), "Lớp bồi dưỡng (dời giờ)"),
        (utc(2026, 3, 5, 7), utc(2026, 3, 5, 8), "Lớp bồi dưỡng"),
        (utc(2026, 4, 29, 17), utc(2026, 5, 1, 17), "Nghỉ lễ"),
    ]


def test_thunderbird_prefixed_zones_durations_periods_and_floating_times() -> None:
    found = read(THUNDERBIRD)
    assert found.skipped == 0
    assert [(b.starts_at, b.ends_at) for b in found.busy] == [
        (utc(2026, 7, 1, 7), utc(2026, 7, 1, 8, 30)),
        (utc(2026, 7, 2, 2), utc(2026, 7, 2, 3)),  # on the clock of the zone that was given
        (utc(2026, 7, 8, 7), utc(2026, 7, 8, 9)),
        (utc(2026, 7, 9, 7), utc(2026, 7, 9, 7, 30)),
    ]


@pytest.mark.parametrize(
    ("tzid", "hour"),
    [
        ('"SE Asia Standard Time"', 1),
        ("SE Asia Standard Time", 1),
        ("W. Europe Standard Time", 7),
        ("Europe/Berlin", 7),
        ("/freeassociation.sourceforge.net/America/Argentina/Salta", 11),
    ],
)
def test_zones_without_a_vtimezone(tzid: str, hour: int) -> None:
    event = f"UID:1\nDTSTART;TZID={tzid}:20260302T080000\nDURATION:PT1H"
    assert [b.starts_at for b in read(calendar(event)).busy] == [utc(2026, 3, 2, hour)]


def test_a_zone_nobody_explains_is_counted_not_guessed() -> None:
    found = read(calendar("UID:1\nSUMMARY:Họp\nDTSTART;TZID=Nơi nào đó:20260302T080000\nDURATION:PT1H"))
    assert (found.busy, found.skipped) == ([], 1)
    assert [(p.code, p.summary, p.line) for p in found.problems] == [("calendar.unknown_zone", "Họp", 3)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("RRULE:FREQ=WEEKLY;COUNT=3", ["02/03 08:00", "09/03 08:00", "16/03 08:00"]),
        ("RRULE:FREQ=DAILY;UNTIL=20260304", ["02/03 08:00", "03/03 08:00", "04/03 08:00"]),
        ("RRULE:FREQ=DAILY;UNTIL=20260303T080000", ["02/03 08:00", "03/03 08:00"]),
        ("RRULE:FREQ=MONTHLY;BYDAY=1MO,-1FR;COUNT=3", ["02/03 08:00", "27/03 08:00", "06/04 08:00"]),
        ("RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2", ["02/03 08:00", "31/03 08:00", "30/04 08:00"]),
        ("RRULE:FREQ=DAILY;COUNT=3\nEXDATE:20260303T010000Z", ["02/03 08:00", "04/03 08:00"]),
        ("RRULE:FREQ=DAILY;COUNT=3\nEXDATE;VALUE=DATE:20260303,20260302", ["04/03 08:00"]),
        ("RRULE:FREQ=DAILY;COUNT=3\nEXRULE:FREQ=DAILY;INTERVAL=2", ["03/03 08:00"]),
        ("RDATE:20260305T080000,20260306T090000", ["02/03 08:00", "05/03 08:00", "06/03 09:00"]),
        ("RRULE:FREQ=HOURLY;INTERVAL=3;COUNT=2", ["02/03 08:00", "02/03 11:00"]),
        ("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31", ["02/03 08:00"]),
        ("STATUS:CANCELLED", []),
        ("STATUS:TENTATIVE", ["02/03 08:00"]),
        ("TRANSP:transparent", []),
    ],
)
def test_when_an_event_takes_place(lines: str, expected: list[str]) -> None:
    event = f"UID:1\nDTSTART;TZID={ZONE}:20260302T080000\nDTEND;TZID={ZONE}:20260302T090000\n{lines}"
    assert starts(calendar(event)) == expected


def test_an_event_of_no_length_takes_nobodys_time() -> None:
    assert starts(calendar("UID:1\nDTSTART:20260302T080000", "DTSTART:20260302T080000\nDTEND:20260302T080000")) == []


def test_whole_days_recur_and_one_without_an_end_lasts_a_day() -> None:
    found = read(calendar("UID:1\nDTSTART;VALUE=DATE:20260302\nRRULE:FREQ=DAILY;COUNT=2", "DTSTART:20260401"))
    assert [(b.starts_at, b.ends_at) for b in found.busy] == [
        (utc(2026, 3, 1, 17), utc(2026, 3, 2, 17)),
        (utc(2026, 3, 2, 17), utc(2026, 3, 3, 17)),
        (utc(2026, 3, 31, 17), utc(2026, 4, 1, 17)),
    ]


def test_a_day_on_the_clock_is_shorter_when_clocks_go_forward() -> None:
    at = "DTSTART;TZID=Europe/Berlin:20260328T120000\n"
    found = read(calendar(f"UID:1\n{at}DURATION:P1D", f"UID:2\n{at}DURATION:PT24H"))
    assert [b.ends_at - b.starts_at for b in found.busy] == [timedelta(hours=23), timedelta(hours=24)]


def test_this_and_all_that_follow_are_moved_and_a_later_one_moved_alone_stays_so() -> None:
    series = "UID:1\nSUMMARY:Cũ\nDTSTART:20260302T080000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=5"
    later = (
        "UID:1\nSUMMARY:Mới\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260304T080000\nDTSTART:20260304T100000\nDURATION:PT2H"
    )
    alone = "UID:1\nSUMMARY:Riêng\nRECURRENCE-ID:20260305T080000\nDTSTART:20260305T150000\nDURATION:PT1H"
    found = read(calendar(series, later, alone))
    told = [(f"{b.starts_at + timedelta(hours=7):%d %H}", b.summary, b.ends_at - b.starts_at) for b in found.busy]
    hour = timedelta(hours=1)
    assert told == [
        ("02 08", "Cũ", hour),
        ("03 08", "Cũ", hour),
        ("04 10", "Mới", 2 * hour),
        ("05 15", "Riêng", hour),
        ("06 10", "Mới", 2 * hour),
    ]


def test_all_that_follow_may_be_cancelled() -> None:
    series = "UID:1\nDTSTART:20260302T080000\nDURATION:PT1H\nRRULE:FREQ=DAILY"
    end = "UID:1\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260304T080000\nDTSTART:20260304T080000\nSTATUS:CANCELLED"
    assert starts(calendar(series, end)) == ["02/03 08:00", "03/03 08:00"]


def test_the_newest_version_of_an_event_counts() -> None:
    old = "UID:1\nSEQUENCE:1\nDTSTART:20260302T080000\nDURATION:PT1H"
    assert starts(calendar("UID:1\nSEQUENCE:2\nDTSTART:20260302T100000\nDURATION:PT1H", old)) == ["02/03 10:00"]


def test_only_what_overlaps_the_window_is_told_and_it_is_told_whole() -> None:
    events = ["20250301T120000Z/PT1H", "20250301T230000Z/PT2H", "20280301T230000Z/PT2H", "20280302T000000Z/PT2H"]
    found = read(calendar(*("DTSTART:{}\nDURATION:{}".format(*event.split("/")) for event in events)))
    assert [(b.starts_at, b.ends_at) for b in found.busy] == [
        (utc(2025, 3, 1, 23), utc(2025, 3, 2, 1)),
        (utc(2028, 3, 1, 23), utc(2028, 3, 2, 1)),
    ]


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ("SUMMARY:Không có giờ", "calendar.no_start"),
        ("DTSTART:20260231T080000", "calendar.bad_time"),
        ("DTSTART:hôm nay", "calendar.bad_time"),
        ("DTSTART:20260302T080000\nDTEND:20260302T070000", "calendar.ends_before_start"),
        ("DTSTART:20260302T080000\nDURATION:-PT1H", "calendar.bad_duration"),
        ("DTSTART:20260302T080000\nDURATION:PT1H\nRRULE:FREQ=DAILY;INTERVAL=0", "calendar.bad_rule"),
        ("DTSTART:20260302T080000\nDURATION:PT1H\nRRULE:BYDAY=MO", "calendar.bad_rule"),
        ("DTSTART:20260302T080000\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYHOUR=25", "calendar.bad_rule"),
        ("DTSTART:20260302T080000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=T2", "calendar.bad_rule"),
        ("DTSTART:20260302T080000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=mai", "calendar.bad_time"),
        ("DTSTART:00010101T000000\nDURATION:PT1H", "calendar.bad_time"),
    ],
)
def test_a_broken_event_is_counted_and_the_others_are_read(broken: str, code: str) -> None:
    found = read(calendar(broken, "UID:2\nDTSTART:20260302T080000\nDURATION:PT1H"))
    assert (len(found.busy), found.skipped, [p.code for p in found.problems]) == (1, 1, [code])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "calendar.not_a_calendar"),
        ("<!DOCTYPE html><title>Đăng nhập</title>", "calendar.not_a_calendar"),
        ("BEGIN:VCARD\nEND:VCARD\n", "calendar.not_a_calendar"),
        (GOOGLE[: len(GOOGLE) // 2], "calendar.cut_off"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", "calendar.bad_nesting"),
        (calendar() + "END:VCALENDAR\n", "calendar.not_a_calendar"),
        (calendar(*["DTSTART:20260302"] * 5000), "calendar.too_many_events"),
        ("BEGIN:VCALENDAR\n" + " " * 2_000_000, "calendar.too_large"),
    ],
)
def test_what_is_no_calendar_or_too_much_is_refused(text: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(text)
    assert refused.value.code == code
    assert str(refused.value)


def test_components_that_do_not_matter_may_be_as_deep_as_they_like() -> None:
    deep = "BEGIN:X-A\n" * 50_000 + "END:X-A\n" * 50_000
    assert read(f"BEGIN:VCALENDAR\n{deep}END:VCALENDAR\n").busy == []


BASE = "UID:1\nSUMMARY:Họp mãi\nDTSTART:{}T080000\nDURATION:PT1H\n"
HOSTILE = [
    BASE.format("20260302") + "RRULE:FREQ=SECONDLY;COUNT=1000000000",
    BASE.format("20260302") + "RRULE:FREQ=MINUTELY",
    BASE.format("00020101") + "RRULE:FREQ=DAILY;COUNT=1000000000",
    BASE.format("00020101") + "RRULE:FREQ=YEARLY;COUNT=9;BYYEARDAY=366;BYWEEKNO=1;BYDAY=MO;BYMONTHDAY=1",
    BASE.format("00020101") + "RRULE:FREQ=MONTHLY;COUNT=5;BYMONTHDAY=30;BYYEARDAY=1;BYDAY=MO;BYSETPOS=2",
    BASE.format("00020101") + "RRULE:FREQ=HOURLY;COUNT=5;INTERVAL=2;BYHOUR=9",
    "\n".join(
        [BASE.format("20260302") + "RRULE:FREQ=YEARLY;COUNT=5;BYHOUR={0};BYMINUTE={1};BYSECOND={1};BYSETPOS=366"] * 4
    ).format(",".join(map(str, range(24))), ",".join(map(str, range(60)))),
]


@pytest.mark.parametrize("event", HOSTILE)
def test_rules_that_never_end_are_stopped_after_so_many_steps(event: str) -> None:
    work = Work()
    with pytest.raises(Invalid) as refused:
        read(calendar(event), work)
    assert refused.value.code == "calendar.endless_rule"
    assert refused.value.params == {"summary": "Họp mãi", "line": 3}
    assert work.done <= STEPS_MAX + ONE_STEP_MAX


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYDAY=MO;BYSETPOS=3",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=4",
        "FREQ=WEEKLY;BYYEARDAY=366;BYDAY=MO;INTERVAL=99999999",
    ],
)
def test_rules_that_never_match_cost_no_more_than_their_window(rule: str) -> None:
    work = Work()
    assert len(read(calendar(BASE.format("20260302") + f"RRULE:{rule}"), work).busy) == 1
    assert work.done < 2_000


def test_there_is_an_end_to_busy_times() -> None:
    hourly = BASE.format("20250302") + "RRULE:FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24)))
    long = BASE.format("00020101").replace("PT1H", "P9999W") + "RRULE:FREQ=DAILY"
    with pytest.raises(Invalid):
        read(calendar(long))
    with pytest.raises(Invalid) as refused:
        read(calendar(hourly))
    assert (refused.value.code, refused.value.params) == ("calendar.too_many_times", {"limit": TIMES_MAX})


def test_many_hostile_events_share_one_bound() -> None:
    work = Work(10_000)
    events = [
        f"UID:{n}\nDTSTART:20260302T080000\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYMONTHDAY=31;BYMONTH=2" for n in range(50)
    ]
    with pytest.raises(Invalid) as refused:
        read(calendar(*events), work)
    assert refused.value.code == "calendar.endless_rule"
    assert work.done <= 10_001


def test_a_product_of_what_is_many_is_bounded_too() -> None:
    masters = ["UID:1\nSUMMARY:Họp mãi\nDTSTART:20260302T080000"] * 1000
    overrides = [f"UID:1\nRECURRENCE-ID:{n:04}0302T080000\nDTSTART:20260302T080000" for n in range(1000, 2000)]
    onsets = ",".join(["20260302T080000"] * 3000)
    part = (
        f"BEGIN:STANDARD\nDTSTART:20260302T080000\nRDATE:{onsets}\nTZOFFSETFROM:+0700\nTZOFFSETTO:+0700\nEND:STANDARD"
    )
    zone = f"BEGIN:VTIMEZONE\nTZID:Lạ\n{part}\nEND:VTIMEZONE\n"
    named = calendar(*["DTSTART;TZID=Lạ:20260302T080000"] * 1000)
    for text in (calendar(*masters, *overrides), named.replace("VERSION:2.0\n", zone)):
        work = Work()
        with pytest.raises(Invalid) as refused:
            read(text, work)
        assert refused.value.code == "calendar.endless_rule"
        assert work.done <= STEPS_MAX + 3000


PIECES = [
    b"", b"\r\n", b"\n ", b":", b";", b'"', b"\x00", b"\xff", b"0", b"99999999", b"-", b"T", b"Z", b"BEGIN:VEVENT\r\n", b"END:VEVENT\r\n",
    b"RRULE:FREQ=DAILY;COUNT=99999999\r\n", b"RRULE:FREQ=HOURLY\r\n", b"EXDATE:00010101T000000Z\r\n", b"DTSTART:99991231T235959Z\r\n",
    b"DURATION:P99999D\r\n", b"RECURRENCE-ID;RANGE=THISANDFUTURE:00010103T000000\r\n", b"TZOFFSETTO:+2359\r\n", b"FREQ=YEARLY", b"RDATE;VALUE=PERIOD:20260302T080000/\r\n",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([OUTLOOK, GOOGLE, THUNDERBIRD]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(PIECES)), min_size=1, max_size=8),
)
def test_whatever_is_done_to_a_file_only_an_apps_error_leaves(text: str, cuts: list[tuple[float, int, bytes]]) -> None:
    data, work = text.replace("\n", "\r\n").encode(), Work(20_000)
    for where, length, instead in cuts:
        at = int(where * len(data))
        data = data[:at] + instead + data[at + length :]
    try:
        found = read_busy(data, SINCE, UNTIL, ZONE, work)
    except AppError as error:
        assert error.code.startswith("calendar.")
        assert str(error)
    else:
        assert len(found.busy) <= TIMES_MAX
        assert all(b.starts_at < b.ends_at and b.starts_at < UNTIL and b.ends_at > SINCE for b in found.busy)
        assert all("\n" not in b.summary and "\x00" not in b.summary for b in found.busy)
    assert work.done <= 20_000 + ONE_STEP_MAX
