"""What schedules takes in and gives out: frozen, without a database behind it."""

from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Literal

from core.permissions import Role

Status = Literal["planned", "open", "live", "ended", "cancelled"]
Purpose = Literal["ingest", "playback"]
ResourceKind = Literal["point", "equipment", "lecturer", "operator"]
SeriesKind = Literal["weekly", "dates", "agenda"]
Scope = Literal["one", "following", "all"]  # of a series: this lecture, this and what comes after, every one


@dataclass(frozen=True)
class OrganisationView:
    """An organisation; depth 0 is a root of the tree."""

    id: str
    name: str
    parent_id: str | None
    depth: int
    is_abolished: bool = False


@dataclass(frozen=True)
class UserView:
    """A person, without the secret parts."""

    id: str
    login: str
    name: str
    org_id: str
    roles: frozenset[Role]
    locale: str


@dataclass(frozen=True)
class Credentials:
    """What signing in needs; never shown."""

    user: UserView
    password_hash: str = field(repr=False)


@dataclass(frozen=True)
class NewUser:
    """A person to add.  login: stored in lower case; password_hash: encoded, as made by the caller."""

    login: str
    password_hash: str = field(repr=False)
    name: str
    org_id: str
    roles: frozenset[Role]
    locale: str = "vi"


@dataclass(frozen=True)
class PointView:
    """A bridge point with who looks after it."""

    id: str
    name: str
    place: str
    capacity: int  # seats
    org_id: str
    org_name: str
    operator_ids: tuple[str, ...]


@dataclass(frozen=True)
class EquipmentView:
    """A set of devices and where it stands."""

    id: str
    name: str
    point_id: str | None


@dataclass(frozen=True)
class TopicView:
    """A unit of content."""

    id: str
    course_id: str
    title: str


@dataclass(frozen=True)
class CourseView:
    """A course with its topics in order."""

    id: str
    title: str
    audience: str
    org_id: str
    topics: tuple[TopicView, ...]
    enrolled: int  # people on the roster


@dataclass(frozen=True)
class DeviceView:
    """A paired device."""

    id: str
    point_id: str
    paired_at: datetime
    paired_by: str
    seen_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class StreamTokenView:
    """A stream's token, without the token."""

    id: str
    lecture: str
    point: str
    purpose: Purpose
    made_at: datetime
    made_by: str
    used_at: datetime | None
    session: str | None  # the one that runs on it
    etag: str | None


@dataclass(frozen=True)
class LectureDraft:
    """A lecture as somebody wishes it.

    starts_at, ends_at: aware; zone: IANA name, for calendars and screens;
    point_ids: joining points in their order, without the main one.
    equipment: (point, equipment) pairs where another set than the point's own is brought along.
    operators: (point, person) pairs of who looks after a point this time.
    setup_min, teardown_min: minutes before and after for which points, equipment and operators are held too.
    """

    title: str
    topic_id: str
    lecturer_id: str
    main_point_id: str
    point_ids: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    zone: str
    description: str = ""
    equipment: tuple[tuple[str, str], ...] = ()
    operators: tuple[tuple[str, str], ...] = ()
    setup_min: int = 0
    teardown_min: int = 0


@dataclass(frozen=True)
class Part:
    """One part of an agenda; what is None is as in the series' first lecture."""

    starts_at: datetime
    ends_at: datetime
    title: str | None = None
    topic_id: str | None = None
    lecturer_id: str | None = None


@dataclass(frozen=True)
class SeriesDraft:
    """Lectures that are planned together, all or none; `first` is the first of them and the model of the rest.

    weekly: every `interval` weeks on `weekdays` (0 Monday … 6 Sunday; none: the first one's), until there
    are `count`, or up to and including the day `until`. dates: on each of `dates`, at the first one's
    time of day. agenda: the `parts`, the first of which may be `first` itself. Days in `without` are left out.
    """

    first: LectureDraft
    kind: SeriesKind
    interval: int = 1
    weekdays: tuple[int, ...] = ()
    count: int | None = None
    until: date | None = None
    dates: tuple[date, ...] = ()
    without: tuple[date, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class BlockView:
    """A resource that is taken out of the timetable by hand."""

    id: str
    kind: ResourceKind
    resource_id: str
    resource: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    made_by: str
    made_at: datetime


@dataclass(frozen=True)
class LectureLine:
    """What a list says of a lecture; zone: IANA name."""

    id: str
    title: str
    starts_at: datetime
    ends_at: datetime
    zone: str


@dataclass(frozen=True)
class LectureView:
    """A scheduled lecture with the names that pages and calendars show."""

    id: str
    title: str
    description: str
    course_id: str
    course_title: str
    topic_id: str
    topic_title: str
    lecturer_id: str
    lecturer_name: str
    main_point_id: str
    main_point_name: str
    point_ids: tuple[str, ...]  # joining points in the order of the plan
    point_names: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    zone: str
    status: Status
    uid: str
    sequence: int
    changed_at: datetime
    setup_min: int = 0
    teardown_min: int = 0
    equipment: tuple[tuple[str, str], ...] = ()  # (point, equipment) that is brought along
    operators: tuple[tuple[str, str], ...] = ()  # (point, person)
    released: tuple[str, ...] = ()  # points that were given free because nobody came
    cancelled_because: str = ""
    series_id: str | None = None
    series_uid: str | None = None  # in calendars
    recurrence_at: datetime | None = None  # its first start in the series
    org_ids: tuple[str, ...] = ()  # to which the points belong when it begins, in the order of `all_point_ids`
    lecturer_org_id: str = ""  # the same of the lecturer

    @property
    def all_point_ids(self) -> tuple[str, ...]:
        """Return the main point and the joining ones."""
        return (self.main_point_id, *self.point_ids)

    @property
    def plan(self) -> LectureDraft:
        """Return it as somebody would wish for it."""
        return LectureDraft(**{each.name: getattr(self, each.name) for each in fields(LectureDraft)})
