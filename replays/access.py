"""Who may watch a replay, beside what the permission table says. Pure."""

from collections.abc import Set
from dataclasses import dataclass

from core.permissions import Role, may

_ALL_LECTURES: frozenset[Role] = frozenset({"admin", "organiser"})


@dataclass(frozen=True)
class Viewer:
    """The person who asks."""

    id: str
    org_id: str
    roles: frozenset[Role]


@dataclass(frozen=True)
class Ties:
    """What may tie a viewer to a lecture."""

    lecturer_id: str
    organisations: Set[str]  # those that took part
    organisations_over: Set[str]  # and all above them
    is_enrolled: bool  # in the lecture's course


def may_watch(viewer: Viewer, ties: Ties) -> bool:
    """Return whether this person may see this lecture's replay.

    Admins and organisers see all; everybody else those they taught, are enrolled for, or that their
    organisation took part in; an observer also those that an organisation below theirs took part in.
    """
    roles = {role for role in viewer.roles if may(role, "replay.view")}
    return bool(roles) and (
        bool(roles & _ALL_LECTURES)
        or viewer.id == ties.lecturer_id
        or ties.is_enrolled
        or viewer.org_id in ties.organisations
        or ("observer" in roles and viewer.org_id in ties.organisations_over)
    )


class Decisions:
    """Remembers answers for a short while: a player asks for a segment every two seconds."""

    KEPT_S = 30.0
    MOST = 10_000

    def __init__(self) -> None:
        """Start with none."""
        self._known: dict[tuple[Viewer, str], tuple[float, bool]] = {}

    def recall(self, viewer: Viewer, lecture_id: str, now_s: float) -> bool | None:
        """Return an answer that is not older than `KEPT_S`, or None."""
        at_s, answer = self._known.get((viewer, lecture_id), (now_s - self.KEPT_S - 1, False))
        return answer if abs(now_s - at_s) <= self.KEPT_S else None

    def keep(self, viewer: Viewer, lecture_id: str, now_s: float, answer: bool) -> None:
        """Remember an answer.  now_s: seconds of any steady line."""
        if len(self._known) >= self.MOST:
            self._known.clear()
        self._known[viewer, lecture_id] = (now_s, answer)
