"""Whose lecture and whose point it must be, beside what the permission table says. Pure."""

from collections.abc import Set
from dataclasses import dataclass

from attendance.register import LectureFacts
from core.errors import N_, NotAllowed, NotFound
from core.permissions import Action, Role, may

_ALL_LECTURES: frozenset[Role] = frozenset({"admin", "organiser"})


@dataclass(frozen=True)
class Viewer:
    """The person who asks."""

    id: str
    org_id: str
    roles: frozenset[Role]


@dataclass(frozen=True)
class Ties:
    """What ties a viewer to a lecture."""

    operates: Set[str]  # the lecture's points that the viewer operates
    organisations: Set[str]  # those that take part and all above them


def points_of(lecture: LectureFacts) -> tuple[str, ...]:
    """Return all points of a lecture, the main one first."""
    return tuple(dict.fromkeys((lecture.main_point_id, *lecture.point_ids)))


def check_register(viewer: Viewer, lecture: LectureFacts, ties: Ties) -> None:
    """Let pass who may see this lecture's register; raises NotAllowed otherwise.

    Admins and organisers see all; a lecturer their own lectures; an operator those their points take
    part in; an observer those their organisation takes part in.
    """
    roles = {role for role in viewer.roles if may(role, "register.view")}
    seen = (
        bool(roles & _ALL_LECTURES)
        or ("lecturer" in roles and lecture.lecturer_id == viewer.id)
        or ("operator" in roles and bool(ties.operates))
        or ("observer" in roles and viewer.org_id in ties.organisations)
    )
    if not seen:
        raise NotAllowed("register.not_yours", N_("You may only see registers of lectures you take part in."))


def role_at_point(viewer: Viewer, lecture: LectureFacts, point_id: str, ties: Ties, action: Action) -> Role:
    """Return in which role a viewer does something for a point.

    Raises NotFound if the point is not the lecture's, NotAllowed if it is not the viewer's.
    """
    if point_id not in points_of(lecture):
        raise NotFound("point.not_in_lecture", N_("This point does not take part in this lecture."))
    if "operator" in viewer.roles and point_id in ties.operates and may("operator", action):
        return "operator"
    for role in ("organiser", "admin"):
        if role in viewer.roles and may(role, action):
            return role
    raise NotAllowed("point.not_yours", N_("You may only do this for points that you operate."))
