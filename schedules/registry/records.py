"""What the registry takes in and gives out: frozen, without a database behind it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal, Protocol

from core.permissions import Role
from schedules.hours import Window

BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)  # of what nobody dated: earlier than any lecture
Employment = Literal["full", "part"]
Kind = Literal["organisations", "points", "equipment", "people"]


@dataclass(frozen=True)
class Node:
    """An organisation in the tree of one day; depth 0 is a root."""

    id: str
    name: str
    tier: str
    parent_id: str | None
    depth: int = 0


@dataclass(frozen=True)
class Past:
    """What an organisation was called and belonged to from one moment up to, not including, another; None: now."""

    org_id: str
    name: str
    tier: str
    parent_id: str | None
    from_at: datetime
    until_at: datetime | None


@dataclass(frozen=True)
class OrganisationDraft:
    """An organisation as somebody wishes it.  code: its own, by which sheets know it again, or empty."""

    name: str
    parent_id: str | None = None
    code: str = ""
    tier: str = ""


@dataclass(frozen=True)
class OrganisationLine:
    """An organisation as it is now, with what belongs to it; abolished ones have an end and perhaps a successor."""

    id: str
    name: str
    code: str
    tier: str
    parent_id: str | None
    depth: int
    abolished_at: datetime | None
    successor_id: str | None
    points: int  # in use
    people: int  # who have not left


@dataclass(frozen=True)
class TakenPart:
    """A lecture that an organisation took part in; point_ids: its points in it, none when it only taught."""

    lecture_id: str
    title: str
    starts_at: datetime
    ends_at: datetime
    zone: str
    point_ids: tuple[str, ...]


class HeadCounts(Protocol):
    """Knows how many people sat at points; attendance has it."""

    def people_declared(self, lecture_ids: Iterable[str], /) -> Mapping[tuple[str, str], int]:
        """Return how many people were declared, by (lecture, point)."""
        ...


@dataclass(frozen=True)
class Report:
    """What an organisation took part in.  years: (year, lectures); people: by lecture, absent where nobody said."""

    years: Sequence[tuple[int, int]]
    year: int
    lectures: Sequence[TakenPart]
    people: Mapping[str, int]

    @property
    def hours(self) -> float:
        """Return the hours of the year, as they were planned."""
        return sum((x.ends_at - x.starts_at).total_seconds() for x in self.lectures) / 3600

    @property
    def points(self) -> int:
        """Return how many points took part in the year."""
        return len({point_id for lecture in self.lectures for point_id in lecture.point_ids})


@dataclass(frozen=True)
class HallDraft:
    """A room of a point.  capacity: seats."""

    name: str
    capacity: int


@dataclass(frozen=True)
class PointDraft:
    """A bridge point as somebody wishes it.

    place: its address; capacity: seats; zone: IANA name, empty: the installation's; operator_ids: who looks after it.
    """

    name: str
    org_id: str
    place: str = ""
    capacity: int = 0
    code: str = ""
    zone: str = ""
    contact_name: str = ""
    contact_phone: str = ""
    contact_email: str = ""
    halls: tuple[HallDraft, ...] = ()
    operator_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class PointLine:
    """A bridge point with the names that pages show."""

    id: str
    draft: PointDraft
    org_name: str
    operators: tuple[str, ...]  # names
    equipment: tuple[str, ...]  # names of what stands there
    retired_at: datetime | None


@dataclass(frozen=True)
class EquipmentDraft:
    """A set of devices as somebody wishes it.  point_id: where it stands, None: in store."""

    name: str
    point_id: str | None = None
    code: str = ""
    note: str = ""


@dataclass(frozen=True)
class EquipmentLine:
    """A set of devices with the name of where it stands, empty for in store."""

    id: str
    draft: EquipmentDraft
    point_name: str
    retired_at: datetime | None


@dataclass(frozen=True)
class Profile:
    """What is known of a lecturer.

    hours_max: to teach in a calendar year, None: no limit; topic_ids: none: any topic; windows: none: always.
    """

    employment: Employment = "full"
    qualification: str = ""
    hours_max: int | None = None
    topic_ids: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True)
class PersonDraft:
    """A person as somebody wishes them.

    login: lower case, empty: cannot sign in yet; last_day: the last one at work, None: none is known;
    profile: of lecturers.
    """

    name: str
    org_id: str
    roles: frozenset[Role]
    login: str = ""
    email: str = ""
    phone: str = ""
    position: str = ""
    code: str = ""
    last_day: date | None = None
    profile: Profile = field(default_factory=Profile)


@dataclass(frozen=True)
class Load:
    """Hours of a person in one calendar year.  held, planned: hours; most: to teach in it, None: no limit."""

    held: float
    planned: float
    most: int | None

    @property
    def hours(self) -> float:
        """Return all hours of the year."""
        return self.held + self.planned

    @property
    def over(self) -> bool:
        """Return whether it is more than the lecturer is to teach."""
        return self.most is not None and self.hours > self.most

    def share(self, hours: float, busiest: float = 0) -> int:
        """Return how much of the bar some hours fill, in hundredths; the whole bar is what is to be taught.

        busiest: hours that fill it where there is no limit, so that bars above each other can be compared.
        """
        whole = max(self.hours, busiest if self.most is None else self.most)
        return round(100 * hours / whole) if whole else 0


@dataclass(frozen=True)
class PersonLine:
    """A person with the name of their organisation.

    load: of lecturers, teaching; duty: of operators, looking after points.
    """

    id: str
    draft: PersonDraft
    org_name: str
    may_sign_in: bool  # has a password and has not left
    left: bool
    load: Load | None
    duty: Load | None = None


@dataclass(frozen=True)
class Overview:
    """How many there are: of organisations, points, sets and people in use; blocks from now on."""

    organisations: int
    points: int
    seats: int
    equipment: int
    people: int
    lecturers: int
    blocks: int
