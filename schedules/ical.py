"""Calendars that other programs subscribe to. Pure: lectures in, bytes out.

**Source:** RFC 5545 (iCalendar), RFC 7986 (NAME, REFRESH-INTERVAL, CONFERENCE), RFC 5546 section
2.1.5 (SEQUENCE and DTSTAMP decide which of two versions is the newer).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar, Component, Event, Parameters, vDuration, vText, vUri

from schedules.records import LectureView, Status
from schedules.zone_rules import zone_rules

PRODUCT = "-//Diem Cau//Schedules//VI"
REFRESH = timedelta(minutes=15)
FIRST_YEAR, LAST_YEAR = 1970, 2038  # of zone rules, when the lectures themselves do not reach further
STATUS: dict[Status, str] = {
    "planned": "CONFIRMED",
    "open": "CONFIRMED",
    "live": "CONFIRMED",
    "ended": "CONFIRMED",
    "cancelled": "CANCELLED",
}


def feed(name: str, lectures: Iterable[LectureView], public_url: str, label: str) -> bytes:
    """Return an iCalendar object with one VEVENT a lecture and a VTIMEZONE for each zone used.

    name: the calendar's; public_url: of the product, without a final slash; label: of the link to the
    class, such as “Join the class”.  Lines are at most 75 octets and end in CRLF.
    """
    planned = list(lectures)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("name", vText(one_line(name)))
    calendar.add("x-wr-calname", vText(one_line(name)))
    calendar.add("refresh-interval", vDuration(REFRESH), {"VALUE": "DURATION"})
    for zone in sorted({lecture.zone for lecture in planned} - {"UTC"}):
        calendar.add_component(_zone(zone, [lecture for lecture in planned if lecture.zone == zone]))
    for lecture in planned:
        calendar.add_component(_event(lecture, public_url, label))
    return bytes(calendar.to_ical())


def clean(text: str) -> str:
    """Return text without the control characters that RFC 5545 section 3.1 forbids; line ends stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in lines if c in "\n\t" or (ord(c) >= 32 and ord(c) != 127))


def one_line(text: str) -> str:
    """Return text as one line without control characters, for names and titles."""
    return " ".join(clean(text).split())


def _event(lecture: LectureView, public_url: str, label: str) -> Event:
    zone = ZoneInfo(lecture.zone)
    url = f"{public_url}/lectures/{lecture.id}"
    event = Event()
    event.add("uid", lecture.uid)
    event.add("sequence", lecture.sequence)
    event.add("dtstamp", lecture.changed_at.astimezone(UTC).replace(microsecond=0))
    event.add("last-modified", lecture.changed_at.astimezone(UTC).replace(microsecond=0))
    event.add("dtstart", lecture.starts_at.astimezone(zone))
    event.add("dtend", lecture.ends_at.astimezone(zone))
    event.add("summary", one_line(lecture.title))
    event.add("location", one_line(lecture.main_point_name))
    event.add("status", STATUS[lecture.status])
    event.add("description", clean(_description(lecture, url)))
    event.add("url", vUri(url))
    parameters = Parameters({"VALUE": "URI", "FEATURE": ["AUDIO", "VIDEO"], "LABEL": one_line(label).replace('"', "'")})
    event.add("conference", vUri(url), parameters)
    event.add("categories", [vText(one_line(lecture.course_title))])
    return event


def _description(lecture: LectureView, url: str) -> str:
    """Return the text that programs show which know no CONFERENCE."""
    lines = [lecture.topic_title, lecture.lecturer_name, " · ".join((lecture.main_point_name, *lecture.point_names))]
    return "\n".join([*lines, lecture.description, url] if lecture.description else [*lines, url])


def _zone(name: str, lectures: list[LectureView]) -> Component:
    """Return the rules for all years that matter; always the same ones where possible, for who keeps them by name."""
    years = {at.year for lecture in lectures for at in (lecture.starts_at, lecture.ends_at)}
    rules = zone_rules(name, min(FIRST_YEAR, *years) - 1, max(LAST_YEAR, *years) + 1)
    return Component.from_ical(rules.decode())


def newest_change(lectures: Iterable[LectureView]) -> datetime | None:
    """Return when any of the lectures was last changed, or None when there are none."""
    return max((lecture.changed_at for lecture in lectures), default=None)
