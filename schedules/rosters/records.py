"""What rosters take in and give out: frozen, without a database behind it."""

from dataclasses import dataclass
from datetime import datetime

from schedules.rosters.nominations import RowProblem


@dataclass(frozen=True)
class ImportReport:
    """What a sheet of nominations did, or would do.

    imported: whether it was written; with problems nothing is, and the counts are of the good rows only.
    added + updated + unchanged is the number of good rows; new_people, of those added, were unknown before.
    """

    imported: bool
    added: int
    updated: int
    unchanged: int
    new_people: int
    problems: tuple[RowProblem, ...]
    warnings: tuple[RowProblem, ...]
    unknown_columns: tuple[str, ...]  # headings that nobody understood: their cells were not read


@dataclass(frozen=True)
class RosterLine:
    """A person on a roster."""

    user_id: str
    name: str
    code: str | None
    position: str
    email: str
    phone: str
    point_id: str | None  # where they attend
    point_name: str
    org_id: str | None  # who sent them
    org_name: str
    enrolled_at: datetime | None
    rules_version: int | None  # the one accepted
    rules_accepted_at: datetime | None


@dataclass(frozen=True)
class CourseLecture:
    """A lecture as a course's page lists it."""

    id: str
    title: str
    starts_at: datetime
    zone: str
    status: str
    lecturer_name: str


@dataclass(frozen=True)
class TargetGroupView:
    """Whom content is for, and how many courses say so."""

    id: str
    name: str
    description: str
    courses: int


@dataclass(frozen=True)
class RulesView:
    """The rules of a class.  version: rises with each change; 0 when there never were any."""

    text: str
    version: int


@dataclass(frozen=True)
class QuotaView:
    """How many people an organisation is to send to a course, and how many it has."""

    org_id: str
    org_name: str
    seats: int
    taken: int
