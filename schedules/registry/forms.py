"""What the registry's forms send, parsed into drafts; and drafts as the values that forms show. Pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, cast

from werkzeug.datastructures import MultiDict

from core.errors import N_, Invalid
from core.permissions import ROLES, Role
from schedules.hours import Window
from schedules.registry.records import (
    EquipmentDraft,
    HallDraft,
    OrganisationDraft,
    PersonDraft,
    PointDraft,
    Profile,
)
from schedules.zones import check_year

MORE_HALLS = 3  # empty lines below the halls that there are
WEEKDAYS = (
    N_("Monday"), N_("Tuesday"), N_("Wednesday"), N_("Thursday"), N_("Friday"), N_("Saturday"), N_("Sunday"),
)  # fmt: skip
_HOURS = re.compile(r"(\d{1,2})(?:[:h.](\d{2})?)?\s*[-–—]\s*(\d{1,2})(?:[:h.](\d{2})?)?")
_SPACES = re.compile(r"\s+")


Form = MultiDict[str, str]  # what a browser sent


def line_of(form: Form, name: str) -> str:
    """Return a field as one line without spaces at its ends."""
    return _SPACES.sub(" ", form.get(name, "")).strip()


def number_of(words: str) -> int | None:
    """Return a field's number, None when it is empty.  Raises Invalid for anything else."""
    words = words.strip()
    if not words:
        return None
    if not (words.isascii() and words.isdigit() and len(words) <= 9):
        raise Invalid("registry.number", N_("“%(value)s” is not a number."), value=words[:30])
    return int(words)


def day_of(words: str) -> date | None:
    """Return a field's day, None when it is empty.  Raises Invalid for anything but `2026-07-01`, and if far away."""
    if not words.strip():
        return None
    try:
        found = date.fromisoformat(words.strip())
    except ValueError as error:
        raise Invalid("registry.day", N_("Please give a day, such as 01/07/2026.")) from error
    check_year(found)
    return found


def organisation_of(form: Form) -> OrganisationDraft:
    """Return the organisation of a form."""
    return OrganisationDraft(
        line_of(form, "name"), form.get("parent", "") or None, line_of(form, "code"), line_of(form, "tier")
    )


def point_of(form: Form) -> PointDraft:
    """Return the bridge point of a form.  Raises Invalid for seats that are no number."""
    halls = [
        HallDraft(_SPACES.sub(" ", name).strip(), number_of(seats) or 0)
        for name, seats in zip(form.getlist("hall"), form.getlist("hall_seats"), strict=False)
        if name.strip() or seats.strip()
    ]
    return PointDraft(
        name=line_of(form, "name"),
        org_id=form.get("org", ""),
        place=line_of(form, "place"),
        capacity=number_of(form.get("capacity", "")) or 0,
        code=line_of(form, "code"),
        zone=line_of(form, "zone"),
        contact_name=line_of(form, "contact_name"),
        contact_phone=line_of(form, "contact_phone"),
        contact_email=line_of(form, "contact_email").lower(),
        halls=tuple(halls),
        operator_ids=tuple(dict.fromkeys(form.getlist("operators"))),
    )


def equipment_of(form: Form) -> EquipmentDraft:
    """Return the set of devices of a form."""
    note = form.get("note", "").replace("\r\n", "\n").strip()
    return EquipmentDraft(line_of(form, "name"), form.get("point", "") or None, line_of(form, "code"), note)


def person_of(form: Form, zone: str) -> PersonDraft:
    """Return the person of a form.  zone: of the hours of the week.  Raises Invalid for what cannot be read."""
    return PersonDraft(
        name=line_of(form, "name"),
        org_id=form.get("org", ""),
        roles=frozenset(cast(list[Role], form.getlist("roles"))),
        login=line_of(form, "login").lower(),
        email=line_of(form, "email").lower(),
        phone=line_of(form, "phone"),
        position=line_of(form, "position"),
        code=line_of(form, "code"),
        last_day=day_of(form.get("last_day", "")),
        profile=Profile(
            "part" if form.get("employment", "") == "part" else "full",
            form.get("qualification", "").replace("\r\n", "\n").strip(),
            number_of(form.get("hours_max", "")),
            tuple(dict.fromkeys(form.getlist("topics"))),
            tuple(window for day in range(7) for window in windows_of(form.get(f"hours{day}", ""), day, zone)),
        ),
    )


def windows_of(words: str, weekday: int, zone: str) -> Iterable[Window]:
    """Yield the hours of one weekday: `07:30–11:30, 13h30-17h`.  Raises Invalid for anything else."""
    for part in filter(None, (part.strip() for part in re.split(r"[,;]", words))):
        match = _HOURS.fullmatch(part)
        if not match:
            raise Invalid(
                "hours.unreadable", N_("“%(value)s” is no time span. Please write 07:30–11:30, 13:30–17:00."),
                value=part[:30],
            )  # fmt: skip
        start, end = (int(match[n]) * 60 + int(match[n + 1] or 0) for n in (1, 3))
        if not (start < end <= 1440 and all(int(match[n] or 0) < 60 for n in (2, 4))):
            raise Invalid("hours.order", N_("A window of hours must end after it starts, on the same day."))
        yield Window(weekday, start, end, zone)


def hours_words(windows: Iterable[Window], weekday: int) -> str:
    """Return the hours of one weekday as `windows_of` reads them."""
    return ", ".join(
        f"{w.starts_min // 60:02}:{w.starts_min % 60:02}–{w.ends_min // 60:02}:{w.ends_min % 60:02}"
        for w in windows
        if w.weekday == weekday
    )


def organisation_values(draft: OrganisationDraft) -> Mapping[str, Any]:
    """Return what the form of an organisation shows."""
    return {"name": draft.name, "parent": draft.parent_id or "", "code": draft.code, "tier": draft.tier}


def point_values(draft: PointDraft) -> Mapping[str, Any]:
    """Return what the form of a point shows."""
    names = ("name", "place", "code", "zone", "contact_name", "contact_phone", "contact_email")
    return {
        **{name: getattr(draft, name) for name in names},
        "org": draft.org_id,
        "capacity": str(draft.capacity or ""),
        "hall": [hall.name for hall in draft.halls],
        "hall_seats": [str(hall.capacity) for hall in draft.halls],
        "operators": list(draft.operator_ids),
    }


def equipment_values(draft: EquipmentDraft) -> Mapping[str, Any]:
    """Return what the form of a set of devices shows."""
    return {"name": draft.name, "point": draft.point_id or "", "code": draft.code, "note": draft.note}


def person_values(draft: PersonDraft) -> Mapping[str, Any]:
    """Return what the form of a person shows."""
    profile = draft.profile
    names = ("name", "login", "email", "phone", "position", "code")
    return {
        **{name: getattr(draft, name) for name in names},
        "org": draft.org_id,
        "roles": [role for role in ROLES if role in draft.roles],
        "last_day": draft.last_day.isoformat() if draft.last_day else "",
        "employment": profile.employment,
        "qualification": profile.qualification,
        "hours_max": "" if profile.hours_max is None else str(profile.hours_max),
        "topics": list(profile.topic_ids),
        **{f"hours{day}": hours_words(profile.windows, day) for day in range(7)},
    }
