"""Calendars that other programs subscribe to, and invitations. Pure: lectures in, bytes out.

A weekly series has one UID, by which each of its lectures is an instance, told apart by RECURRENCE-ID.
RFC 5545 and RFC 5546 (section 3.2.2) allow such an instance without the event that has the rule, but
programs do not all bear it: Nextcloud throws away the other instances when a lone one comes by mail
(nextcloud/server issue 60159), khal could not read one (pimutils/khal issue 447), stores that keep one
object for each UID let the last instance overwrite the others (etesync/etesync-web issue 67), and
Exchange makes an exception of it only when the recurring event with its UID is in the same VCALENDAR
([MS-OXCICAL] 2.1.3.1.1.20.20). So:

- an invitation is about one lecture and uses the lecture's own UID, for ever, without RECURRENCE-ID;
- a feed with two or more lectures of a series has the series' event with an RRULE first, then an
  instance for each lecture, with the series' UID and RECURRENCE-ID; RELATED-TO names the lecture's own
  UID, the one in invitations;
- an RRULE with EXDATEs, never RDATEs alone: Exchange wants an RRULE beside every RDATE
  ([MS-OXCICAL] 2.1.3.1.1.20.18). Lectures that no weekly rule describes keep their own UIDs.

**Source:** RFC 5545 (iCalendar), RFC 7986 (NAME, REFRESH-INTERVAL, CONFERENCE), RFC 5546 section
2.1.5 (SEQUENCE and DTSTAMP decide which of two versions is the newer), 3.2.2 (REQUEST), 3.2.5 (CANCEL).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from math import gcd
from typing import Literal
from zoneinfo import ZoneInfo

from icalendar import Calendar, Component, Event, Parameters, vCalAddress, vDuration, vText, vUri

from schedules.records import LectureView, Status
from schedules.zone_rules import zone_rules

PRODUCT = "-//Diem Cau//Schedules//VI"
REFRESH = timedelta(minutes=15)
WEEK = timedelta(weeks=1)
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
WEEKS_MAX = 530  # of a rule, about ten years: what is longer is no series but a slip of the pen
FIRST_YEAR, LAST_YEAR = 1970, 2038  # of zone rules, when the lectures themselves do not reach further
STATUS: dict[Status, str] = {
    "planned": "CONFIRMED",
    "open": "CONFIRMED",
    "live": "CONFIRMED",
    "ended": "CONFIRMED",
    "cancelled": "CANCELLED",
}

Method = Literal["REQUEST", "CANCEL"]
AttendeeRole = Literal["CHAIR", "REQ-PARTICIPANT", "OPT-PARTICIPANT"]


@dataclass(frozen=True)
class Attendee:
    """Who is invited.  address: of e-mail, ASCII, without `mailto:`."""

    name: str
    address: str
    role: AttendeeRole = "REQ-PARTICIPANT"


@dataclass(frozen=True)
class LinkLabels:
    """What the links of an event are called, in the reader's language."""

    join: str  # to the class, on a computer or a phone
    kiosk: str  # to the hall's screen
    replay: str  # to the recording, afterwards


@dataclass(frozen=True)
class WeeklyRule:
    """When the lectures of a series were first meant to be, in the zone where that is every week alike."""

    zone: str
    first: datetime  # aware, in that zone
    rrule: dict[str, object]
    exceptions: tuple[datetime, ...]  # that the rule names, but no lecture has


def feed(name: str, lectures: Iterable[LectureView], public_url: str, labels: LinkLabels) -> bytes:
    """Return an iCalendar object with one VEVENT a lecture and a VTIMEZONE for each zone used.

    name: the calendar's; public_url: of the product, without a final slash.  Lines are at most 75 octets
    and end in CRLF.  The lectures of a weekly series follow one more VEVENT, which has the rule.
    """
    planned = list(lectures)
    calendar = _calendar("PUBLISH")
    calendar.add("name", vText(one_line(name)))
    calendar.add("x-wr-calname", vText(one_line(name)))
    calendar.add("refresh-interval", vDuration(REFRESH), {"VALUE": "DURATION"})
    _add_zones(calendar, planned)
    series = _series(planned)
    for uid, (rule, members) in series.items():
        calendar.add_component(_whole_series(uid, rule, members, public_url, labels))
    for lecture in planned:
        event = _event(lecture, public_url, labels)
        if lecture.series_uid in series and lecture.recurrence_at is not None:
            _make_instance(event, lecture.series_uid, series[lecture.series_uid][0], lecture.recurrence_at)
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def invitation(
    lecture: LectureView,
    method: Method,
    organiser: Attendee,
    attendees: Sequence[Attendee],
    at: datetime,
    public_url: str,
    labels: LinkLabels,
) -> bytes:
    """Return an iTIP object that invites to one lecture, tells its change, or calls it off.

    method: REQUEST also for a change, the lecture's SEQUENCE makes it the newer; CANCEL of a lecture that
    is not cancelled tells `attendees`, and only them, that they are no longer invited; organiser: who gets
    the answers, its role is not used; at: when it is made, aware; public_url: without a final slash.
    """
    calendar = _calendar(method)
    _add_zones(calendar, [lecture])
    event = _event(lecture, public_url, labels)
    _put(event, "dtstamp", at.astimezone(UTC).replace(microsecond=0))
    if method == "CANCEL" and lecture.status != "cancelled":
        del event["status"]  # RFC 5546 3.2.5: it would call the whole event off
    event.add("organizer", vCalAddress.new(organiser.address, cn=_name(organiser)))
    for person in attendees:
        if method == "REQUEST":
            asked = vCalAddress.new(
                person.address, cn=_name(person), role=person.role, partstat="NEEDS-ACTION", rsvp=True
            )
        else:
            asked = vCalAddress.new(person.address, cn=_name(person), role=person.role)
        event.add("attendee", asked)
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def links_of(lecture: LectureView, public_url: str, labels: LinkLabels) -> tuple[tuple[str, str], ...]:
    """Return (label, address) of the ways to a lecture: the class, the hall's screen, the recording.

    They are no secrets: the class and its recording need a sign-in, the screen has to be paired.
    """
    url = f"{public_url}/lectures/{lecture.id}"
    return ((labels.join, url), (labels.kiosk, f"{public_url}/kiosk"), (labels.replay, f"{url}/replay"))


def clean(text: str) -> str:
    """Return text without the control characters that RFC 5545 section 3.1 forbids; line ends stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in lines if c in "\n\t" or (ord(c) >= 32 and ord(c) != 127))


def one_line(text: str) -> str:
    """Return text as one line without control characters, for names and titles."""
    return " ".join(clean(text).split())


def newest_change(lectures: Iterable[LectureView]) -> datetime | None:
    """Return when any of the lectures was last changed, or None when there are none."""
    return max((lecture.changed_at for lecture in lectures), default=None)


def weekly_rule(starts: Sequence[datetime], zone: str) -> WeeklyRule | None:
    """Return the rule that gives these starts, or None when they are not at one time of day in the zone.

    starts: aware, at least one, each once.  The rule has as many weeks between as all of them allow, and
    exceptions where it says more than they do.
    """
    place = ZoneInfo(zone)
    local = sorted(start.astimezone(place).replace(tzinfo=None) for start in starts)
    first, last = local[0], local[-1]
    if len({at.time() for at in local}) > 1 or last - first > WEEKS_MAX * WEEK:
        return None
    monday = first - timedelta(days=first.weekday())
    weekdays = sorted({at.weekday() for at in local})
    interval = gcd(*((at - monday) // WEEK for at in local)) or 1
    rrule: dict[str, object] = {"FREQ": "WEEKLY", "UNTIL": last.replace(tzinfo=place).astimezone(UTC)}
    if interval > 1:
        rrule |= {"INTERVAL": interval, "WKST": "MO"}
    if len(weekdays) > 1:
        rrule["BYDAY"] = [DAYS[day] for day in weekdays]
    weeks = range(0, (last - monday) // WEEK + 1, interval)
    said = [monday + week * WEEK + timedelta(days=day) for week in weeks for day in weekdays]
    held = set(local)
    missing = [at for at in takewhile(lambda at: at <= last, said) if at >= first and at not in held]
    return WeeklyRule(zone, first.replace(tzinfo=place), rrule, tuple(at.replace(tzinfo=place) for at in missing))


# ---- parts -------------------------------------------------------------------------------------


def _calendar(method: str) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    return calendar


def _event(lecture: LectureView, public_url: str, labels: LinkLabels) -> Event:
    zone = ZoneInfo(lecture.zone)
    links = links_of(lecture, public_url, labels)
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
    event.add("description", clean(_description(lecture, *(f"{label}: {link}" for label, link in links))))
    event.add("url", vUri(links[0][1]))
    for label, link in links[:2]:  # a recording is nothing to come to
        event.add("conference", vUri(link), _conference(label))
    event.add("categories", [vText(one_line(lecture.course_title))])
    return event


def _conference(label: str) -> Parameters:
    return Parameters({"VALUE": "URI", "FEATURE": ["AUDIO", "VIDEO"], "LABEL": one_line(label).replace('"', "'")})


def _description(lecture: LectureView, *links: str) -> str:
    """Return the text that programs show which know no CONFERENCE."""
    lines = [lecture.topic_title, lecture.lecturer_name, " · ".join((lecture.main_point_name, *lecture.point_names))]
    return "\n".join([*lines, lecture.description, *links] if lecture.description else [*lines, *links])


def _name(person: Attendee) -> str:
    """Return a name for CN: a double quote can only stand there in the escape of RFC 6868, which few know."""
    return one_line(person.name).replace('"', "'") or person.address


def _add_zones(calendar: Calendar, lectures: Iterable[LectureView]) -> None:
    """Add the rules for all years that matter; always the same ones where possible, for who keeps them by name."""
    years: dict[str, set[int]] = {}
    for lecture in lectures:
        moments = (lecture.starts_at, lecture.ends_at, lecture.recurrence_at or lecture.starts_at)
        years.setdefault(lecture.zone, set()).update(at.year for at in moments)
    for zone in sorted(years.keys() - {"UTC"}):
        rules = zone_rules(zone, min(FIRST_YEAR, *years[zone]) - 1, max(LAST_YEAR, *years[zone]) + 1)
        calendar.add_component(Component.from_ical(rules.decode()))


def _series(lectures: Iterable[LectureView]) -> dict[str, tuple[WeeklyRule, list[LectureView]]]:
    """Return the rule and lectures of each series that is to be one in this calendar."""
    together: dict[str, dict[datetime, LectureView]] = {}
    doubtful: set[str] = set()
    for lecture in lectures:
        if lecture.series_uid and lecture.recurrence_at:
            known = together.setdefault(lecture.series_uid, {})
            if lecture.recurrence_at in known:
                doubtful.add(lecture.series_uid)  # two lectures cannot be the same instance
            known[lecture.recurrence_at] = lecture
    rules: dict[str, tuple[WeeklyRule, list[LectureView]]] = {}
    for uid, by_start in together.items():
        zones = Counter(lecture.zone for lecture in by_start.values())
        tried = (weekly_rule(list(by_start), zone) for zone, _ in zones.most_common())
        rule = next((rule for rule in tried if rule), None)
        if rule and len(by_start) > 1 and uid not in doubtful:
            rules[uid] = (rule, [by_start[at] for at in sorted(by_start)])
    return rules


def _whole_series(uid: str, rule: WeeklyRule, members: list[LectureView], public_url: str, labels: LinkLabels) -> Event:
    """Return the event with the rule; what it says besides is the first lecture's and each instance overrides it."""
    first = members[0]
    event = _event(first, public_url, labels)
    _put(event, "uid", uid)
    _put(event, "sequence", max(lecture.sequence for lecture in members))
    newest = max(lecture.changed_at for lecture in members).astimezone(UTC).replace(microsecond=0)
    _put(event, "dtstamp", newest)
    _put(event, "last-modified", newest)
    _put(event, "status", "CONFIRMED")  # each instance says itself when it is cancelled
    _put(event, "dtstart", rule.first)
    _put(event, "dtend", rule.first + (first.ends_at - first.starts_at))
    event.add("rrule", rule.rrule)
    for missing in rule.exceptions:
        event.add("exdate", missing)  # a line each, as with RDATE in zone rules
    return event


def _put(event: Event, name: str, value: object) -> None:
    """Say a property anew; `add` alone would say it twice."""
    event.pop(name, None)
    event.add(name, value)


def _make_instance(event: Event, uid: str, rule: WeeklyRule, recurrence_at: datetime) -> None:
    own = str(event["uid"])
    _put(event, "uid", uid)
    event.add("recurrence-id", recurrence_at.astimezone(ZoneInfo(rule.zone)))
    event.add("related-to", own, {"RELTYPE": "SIBLING"})
