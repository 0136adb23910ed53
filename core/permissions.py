"""Who may do what: one table, role x action.

A role here answers "may such a person do such a thing at all"; whether it is *their* lecture,
point or organisation is checked beside the object, by the service that owns it.
"""

from typing import Literal, get_args

from core.errors import N_, NotAllowed

Role = Literal["admin", "organiser", "lecturer", "operator", "learner", "observer", "point"]
ROLES: tuple[Role, ...] = get_args(Role)

Action = Literal[
    # planning
    "timetable.view", "lecture.plan", "course.manage", "organisation.manage", "user.manage", "point.manage",
    "point.pair", "calendar.view",
    # lesson plans and the plan of the year
    "plan.view", "plan.upload", "plan.review", "year.view", "year.plan",
    # the live room
    "room.join", "media.publish", "media.subscribe", "lecture.start", "lecture.end",
    "floor.request", "floor.withdraw", "floor.grant", "floor.release", "floor.revoke",
    "poll.open", "poll.close", "poll.hand_count", "point.people", "point.report",
    # afterwards
    "register.view", "replay.view", "journal.verify",
]  # fmt: skip
ACTIONS: tuple[Action, ...] = get_args(Action)

_EVERYONE: frozenset[Role] = frozenset({"admin", "organiser", "lecturer", "operator", "learner", "observer"})

TABLE: dict[Action, frozenset[Role]] = {
    "timetable.view": _EVERYONE,
    "lecture.plan": frozenset({"admin", "organiser"}),
    "course.manage": frozenset({"admin", "organiser"}),
    "organisation.manage": frozenset({"admin"}),
    "user.manage": frozenset({"admin"}),
    "point.manage": frozenset({"admin", "organiser"}),
    "point.pair": frozenset({"admin", "organiser", "operator"}),
    "calendar.view": _EVERYONE,
    "plan.view": frozenset({"admin", "organiser", "lecturer", "observer"}),
    "plan.upload": frozenset({"lecturer", "organiser"}),
    "plan.review": frozenset({"organiser", "admin"}),
    "year.view": frozenset({"admin", "organiser", "lecturer", "observer"}),
    "year.plan": frozenset({"organiser", "admin"}),
    "room.join": frozenset({"admin", "organiser", "lecturer", "observer", "point"}),
    "media.publish": frozenset({"lecturer", "point"}),
    "media.subscribe": frozenset({"admin", "organiser", "lecturer", "observer", "point"}),
    "lecture.start": frozenset({"lecturer"}),
    "lecture.end": frozenset({"lecturer", "organiser", "admin"}),
    "floor.request": frozenset({"point"}),
    "floor.withdraw": frozenset({"point", "lecturer", "organiser"}),
    "floor.grant": frozenset({"lecturer", "organiser"}),
    "floor.release": frozenset({"point"}),
    "floor.revoke": frozenset({"lecturer", "organiser"}),
    "poll.open": frozenset({"lecturer", "organiser"}),
    "poll.close": frozenset({"lecturer", "organiser"}),
    "poll.hand_count": frozenset({"operator", "organiser", "admin"}),
    "point.people": frozenset({"operator", "organiser", "admin"}),
    "point.report": frozenset({"point"}),
    "register.view": frozenset({"admin", "organiser", "lecturer", "operator", "observer"}),
    "replay.view": _EVERYONE,
    "journal.verify": frozenset({"admin"}),
}


def may(role: Role, action: Action) -> bool:
    """Return whether the table lets this role do this."""
    return role in TABLE[action]


def any_may(roles: "frozenset[Role] | set[Role] | tuple[Role, ...]", action: Action) -> bool:
    """Return whether at least one of a person's roles lets them do this."""
    return any(may(role, action) for role in roles)


def require(roles: "frozenset[Role] | set[Role] | tuple[Role, ...]", action: Action) -> None:
    """Raise NotAllowed unless one of the roles may do this.

    roles: what the asking person is, empty when nobody is signed in.
    """
    if not any_may(roles, action):
        raise NotAllowed("permission.denied", N_("You are not allowed to do this."), action=action)
