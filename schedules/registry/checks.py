"""What may be typed into the registry: each refusal in a sentence of its own. Pure."""

import re

from core.errors import N_, Invalid
from core.permissions import ROLES
from schedules.registry.records import EquipmentDraft, OrganisationDraft, PersonDraft, PointDraft
from schedules.rosters.nominations import CODE_MAX, EMAIL, NAME_MAX
from schedules.zones import zone_named

TIER_MAX = 60  # characters
PHONE_MAX = 40
NOTE_MAX = 2000
LOGIN_MAX = 100
SEATS_MAX = 100_000
HOURS_MAX = 8784  # of a leap year
PASSWORD_MIN, PASSWORD_MAX = 10, 200  # characters; a longer one costs time to hash
_LOGIN = re.compile(r"[^\s\x00-\x1f]+")
NO_ACCOUNT: tuple[str, ...] = ("point",)  # the role of a hall's screen, never of a person


def check_organisation(draft: OrganisationDraft) -> None:
    """Raise Invalid for an organisation that makes no sense by itself."""
    _named(draft.name, N_("Please give the organisation a name."))
    _short(draft.code, CODE_MAX)
    _short(draft.tier, TIER_MAX)


def check_point(draft: PointDraft) -> None:
    """Raise Invalid for a point that makes no sense by itself."""
    _named(draft.name, N_("Please give the bridge point a name."))
    _short(draft.code, CODE_MAX)
    for words in (draft.place, draft.contact_name, draft.contact_email):
        _short(words, NAME_MAX)
    _short(draft.contact_phone, PHONE_MAX)
    _email(draft.contact_email)
    if draft.zone:
        zone_named(draft.zone)
    for seats in (draft.capacity, *(hall.capacity for hall in draft.halls)):
        if not 0 <= seats <= SEATS_MAX:
            raise Invalid("point.seats", N_("Seats are a number from 0 to %(most)s."), most=SEATS_MAX)
    names = [hall.name.casefold() for hall in draft.halls]
    for hall in draft.halls:
        _named(hall.name, N_("Please give every hall a name."))
        if names.count(hall.name.casefold()) > 1:
            raise Invalid("point.hall_twice", N_("There are two halls “%(name)s”."), name=hall.name)


def check_equipment(draft: EquipmentDraft) -> None:
    """Raise Invalid for a set of devices that makes no sense by itself."""
    _named(draft.name, N_("Please give the equipment a name."))
    _short(draft.code, CODE_MAX)
    _short(draft.note, NOTE_MAX)


def check_person(draft: PersonDraft) -> None:
    """Raise Invalid for a person who makes no sense by themselves."""
    _named(draft.name, N_("Please give the person a name."))
    _short(draft.code, CODE_MAX)
    _short(draft.position, NAME_MAX)
    _short(draft.email, NAME_MAX)
    _short(draft.phone, PHONE_MAX)
    _email(draft.email)
    if draft.login and (len(draft.login) > LOGIN_MAX or not _LOGIN.fullmatch(draft.login)):
        raise Invalid(
            "user.login", N_("A login has no spaces and at most %(most)s characters: %(login)s"),
            most=LOGIN_MAX, login=draft.login[:LOGIN_MAX],
        )  # fmt: skip
    if not draft.roles:
        raise Invalid("user.no_role", N_("Please choose at least one role."))
    if not draft.roles <= set(ROLES) - set(NO_ACCOUNT):
        raise Invalid("user.role", N_("There is no such role."))
    most = draft.profile.hours_max
    if most is not None and not 0 <= most <= HOURS_MAX:
        raise Invalid("user.hours_max", N_("Hours of a year are a number from 0 to %(most)s."), most=HOURS_MAX)
    _short(draft.profile.qualification, NOTE_MAX)
    for window in draft.profile.windows:
        if not (0 <= window.weekday <= 6 and 0 <= window.starts_min < window.ends_min <= 1440):
            raise Invalid("hours.order", N_("A window of hours must end after it starts, on the same day."))


def check_password(words: str) -> None:
    """Raise Invalid for a password that is too short or too long."""
    if len(words) < PASSWORD_MIN:
        raise Invalid("user.short_password", N_("A password has at least %(least)s characters."), least=PASSWORD_MIN)
    if len(words) > PASSWORD_MAX:
        raise Invalid("user.long_password", N_("A password has at most %(most)s characters."), most=PASSWORD_MAX)


def _named(name: str, sentence: str) -> None:
    if not any(c.isalnum() for c in name):
        raise Invalid("registry.no_name", sentence)
    _short(name, NAME_MAX)


def _short(words: str, most: int) -> None:
    if len(words) > most:
        raise Invalid(
            "registry.too_long", N_("“%(words)s…” is longer than %(most)s characters."), words=words[:30], most=most
        )


def _email(words: str) -> None:
    if words and not EMAIL.fullmatch(words):
        raise Invalid("registry.email", N_("“%(value)s” is not an e-mail address."), value=words)
