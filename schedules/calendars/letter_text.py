"""What letters say, beside the calendar entry in them. Pure: a lecture in, words out."""

from collections.abc import Callable
from typing import Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date

from core.errors import N_
from schedules.ical import LinkLabels, links_of, one_line
from schedules.records import LectureView

Occasion = Literal["invited", "changed", "cancelled", "uninvited"]
Translate = Callable[[str], str]

SUBJECTS: dict[Occasion, str] = {
    "invited": N_("Invitation: %(title)s, %(when)s"),
    "changed": N_("Changed: %(title)s, %(when)s"),
    "cancelled": N_("Cancelled: %(title)s, %(when)s"),
    "uninvited": N_("No longer invited: %(title)s, %(when)s"),
}
OPENINGS: dict[Occasion, str] = {
    "invited": N_("You are invited to this lecture."),
    "changed": N_("The plan of this lecture has changed. This is how it is now."),
    "cancelled": N_("This lecture has been cancelled."),
    "uninvited": N_("You are no longer needed at this lecture. It takes place without you."),
}


def link_labels(translate: Translate) -> LinkLabels:
    """Return what an invitation's links are called in the language of `translate`."""
    return LinkLabels(
        join=translate(N_("Join the class")),
        kiosk=translate(N_("Screen of the hall")),
        replay=translate(N_("Recording afterwards")),
    )


def subject(lecture: LectureView, occasion: Occasion, translate: Translate) -> str:
    """Return a letter's subject: what has happened, to which lecture, and when that is."""
    local = lecture.starts_at.astimezone(ZoneInfo(lecture.zone))
    return translate(SUBJECTS[occasion]) % {"title": one_line(lecture.title), "when": f"{local:%d/%m/%Y %H:%M}"}


def body(
    lecture: LectureView, occasion: Occasion, name: str, public_url: str, translate: Translate, locale: str
) -> str:
    """Return a letter's text.

    name: the reader's, may be empty; public_url: without a final slash; locale: of the date, such as `vi`.
    """
    greeting = translate(N_("Dear %(name)s,")) % {"name": one_line(name)} if one_line(name) else ""
    points = " · ".join(one_line(point) for point in (lecture.main_point_name, *lecture.point_names))
    facts = (
        (N_("Lecture"), one_line(lecture.title)),
        (N_("Course"), one_line(lecture.course_title)),
        (N_("Topic"), one_line(lecture.topic_title)),
        (N_("Time"), _when(lecture, locale)),
        (N_("Lecturer"), one_line(lecture.lecturer_name)),
        (N_("Bridge points"), points),
    )
    parts = [greeting, translate(OPENINGS[occasion])]
    parts.append("\n".join(f"{translate(label)}: {value}" for label, value in facts))
    if occasion in ("invited", "changed"):
        links = links_of(lecture, public_url, link_labels(translate))
        parts.append("\n".join(f"{label}: {link}" for label, link in links))
    return "\n\n".join(part for part in parts if part) + "\n"


def _when(lecture: LectureView, locale: str) -> str:
    zone = ZoneInfo(lecture.zone)
    start, end = lecture.starts_at.astimezone(zone), lecture.ends_at.astimezone(zone)
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%H:%M}, {format_date(end, 'full', locale)}"
    return f"{format_date(start, 'full', locale)}, {start:%H:%M}–{until} ({lecture.zone})"
