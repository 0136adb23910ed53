"""Tables of schedules: who and where there is, what is planned, and what is taken for how long."""

from datetime import datetime

from sqlalchemy import DDL, JSON, CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint, event
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.db import Base, UtcDateTime
from core.ids import new_key

ID = String(40)
CODE = String(60)
NAME = String(200)
SHA256 = String(64)  # hex digits


class Organisation(Base):
    """A node of the tree of organisations; how deep the tree is, is data."""

    __tablename__ = "organisations"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("organisations.id"), index=True)
    code: Mapped[str | None] = mapped_column(CODE, unique=True)  # the unit's own, by which imports know it again
    tier: Mapped[str] = mapped_column(String(60), default="")  # in the words of its country: tỉnh, xã, …
    abolished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    successor_id: Mapped[str | None] = mapped_column(ForeignKey("organisations.id"))  # who took it over
    calendar_key: Mapped[str] = mapped_column(String(40), default=new_key)


class OrganisationPast(Base):
    """What an organisation was called and belonged to from one moment up to, not including, another.

    The present is such a row too, with no end: the tree of any day can be read from these alone.
    """

    __tablename__ = "organisation_past"
    __table_args__ = (Index("ix_organisation_past_org_id_from_at", "org_id", "from_at"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[str] = mapped_column(NAME)
    tier: Mapped[str] = mapped_column(String(60), default="")
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("organisations.id"))
    from_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class User(Base):
    """A person; one without a password cannot sign in."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    login: Mapped[str] = mapped_column(String(100), unique=True)  # lower case
    password_hash: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(NAME)
    org_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    roles: Mapped[list[str]] = mapped_column(JSON)
    locale: Mapped[str] = mapped_column(String(10), default="vi")
    calendar_key: Mapped[str] = mapped_column(String(40))
    code: Mapped[str | None] = mapped_column(CODE, unique=True)  # staff number, by which imports know them again
    email: Mapped[str] = mapped_column(NAME, default="")
    phone: Mapped[str] = mapped_column(String(40), default="")
    position: Mapped[str] = mapped_column(NAME, default="")  # chức vụ
    search_key: Mapped[str] = mapped_column(NAME, default="", index=True)  # the name without marks, lower case
    left_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # who has left can neither sign in nor be planned


class LecturerProfile(Base):
    """What is known of a lecturer besides being a person."""

    __tablename__ = "lecturer_profiles"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    employment: Mapped[str] = mapped_column(String(10), default="full")  # full | part
    qualification: Mapped[str] = mapped_column(Text, default="")
    hours_max: Mapped[int | None] = mapped_column(Integer)  # to teach in a calendar year; None: no limit


class LecturerTopic(Base):
    """A lecturer can teach a topic; who has none may be planned for any."""

    __tablename__ = "lecturer_topics"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    topic_id: Mapped[str] = mapped_column(ForeignKey("topics.id"), primary_key=True, index=True)


class Availability(Base):
    """A weekly window in which a lecturer can teach; who has none is always available."""

    __tablename__ = "availabilities"
    __table_args__ = (CheckConstraint("starts_min < ends_min", name="ck_availabilities_order"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    weekday: Mapped[int] = mapped_column(Integer)  # 0 Monday … 6 Sunday
    starts_min: Mapped[int] = mapped_column(Integer)  # minutes after local midnight
    ends_min: Mapped[int] = mapped_column(Integer)  # up to 1440
    zone: Mapped[str] = mapped_column(String(60))


class BridgePoint(Base):
    """A hall that can join lectures."""

    __tablename__ = "bridge_points"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    place: Mapped[str] = mapped_column(NAME, default="")
    capacity: Mapped[int] = mapped_column(Integer, default=0)  # seats
    org_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    calendar_key: Mapped[str] = mapped_column(String(40))
    code: Mapped[str | None] = mapped_column(CODE, unique=True)
    zone: Mapped[str] = mapped_column(String(60), default="")  # IANA name; empty: the installation's
    contact_name: Mapped[str] = mapped_column(NAME, default="")
    contact_phone: Mapped[str] = mapped_column(String(40), default="")
    contact_email: Mapped[str] = mapped_column(NAME, default="")
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Hall(Base):
    """A room of a bridge point; the point joins with one camera, whichever of them is used."""

    __tablename__ = "halls"
    __table_args__ = (UniqueConstraint("point_id", "name"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    point_id: Mapped[str] = mapped_column(ForeignKey("bridge_points.id"))
    name: Mapped[str] = mapped_column(NAME)
    capacity: Mapped[int] = mapped_column(Integer)  # seats


class PointOperator(Base):
    """A person looks after a point."""

    __tablename__ = "point_operators"

    point_id: Mapped[str] = mapped_column(ForeignKey("bridge_points.id"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)


class Equipment(Base):
    """A set of devices that stands at one point and can be moved: two points cannot use it at once."""

    __tablename__ = "equipment"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    point_id: Mapped[str | None] = mapped_column(ForeignKey("bridge_points.id"), index=True)  # where it stands
    code: Mapped[str | None] = mapped_column(CODE, unique=True)
    note: Mapped[str] = mapped_column(Text, default="")
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Device(Base):
    """The computer of a hall, paired with its point until revoked."""

    __tablename__ = "devices"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    point_id: Mapped[str] = mapped_column(ForeignKey("bridge_points.id"), index=True)
    token_hash: Mapped[str | None] = mapped_column(SHA256, unique=True)  # None until the device fetched its token
    paired_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    paired_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PairingCode(Base):
    """Six digits on a hall's screen, waiting for an operator to type them."""

    __tablename__ = "pairing_codes"

    code: Mapped[str] = mapped_column(String(6), primary_key=True)
    secret_hash: Mapped[str] = mapped_column(SHA256, unique=True)  # of the secret in that browser's cookie
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    device_id: Mapped[str | None] = mapped_column(ForeignKey("devices.id"))  # once claimed


class PairingFailure(Base):
    """A wrong code was typed: counted, so that codes cannot be guessed."""

    __tablename__ = "pairing_failures"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class StreamToken(Base):
    """An encoder may send, or a player watch, a lecture for a point, until the lecture is over or this is revoked."""

    __tablename__ = "stream_tokens"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    lecture_id: Mapped[str] = mapped_column(ForeignKey("lectures.id"), index=True)
    point_id: Mapped[str] = mapped_column(ForeignKey("bridge_points.id"))
    purpose: Mapped[str] = mapped_column(String(10))  # ingest | playback
    token_hash: Mapped[str] = mapped_column(SHA256, unique=True)
    made_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    session: Mapped[str | None] = mapped_column(ID)  # the one that runs on it
    etag: Mapped[str | None] = mapped_column(ID)  # of that session's ICE names


class Course(Base):
    """A cohort with its topics, roster and lectures."""

    __tablename__ = "courses"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    title: Mapped[str] = mapped_column(NAME)
    audience: Mapped[str] = mapped_column(NAME, default="")  # whom it is for, in words
    org_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    code: Mapped[str | None] = mapped_column(CODE, unique=True)
    target_group_id: Mapped[str | None] = mapped_column(ForeignKey("target_groups.id"), index=True)
    rules: Mapped[str] = mapped_column(Text, default="")  # of the class, accepted on entry
    rules_version: Mapped[int] = mapped_column(Integer, default=0)  # rises with each change of the rules
    calendar_key: Mapped[str] = mapped_column(String(40), default=new_key)


class TargetGroup(Base):
    """Whom content is for."""

    __tablename__ = "target_groups"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME, unique=True)
    description: Mapped[str] = mapped_column(Text, default="")


class Topic(Base):
    """A unit of content of a course."""

    __tablename__ = "topics"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    title: Mapped[str] = mapped_column(NAME)


class Enrolment(Base):
    """A person is on the roster of a course."""

    __tablename__ = "enrolments"
    __table_args__ = (UniqueConstraint("course_id", "user_id"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    point_id: Mapped[str | None] = mapped_column(ForeignKey("bridge_points.id"), index=True)  # where they attend
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organisations.id"), index=True)  # who sent them
    enrolled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rules_accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rules_version: Mapped[int | None] = mapped_column(Integer)  # the one accepted


class Quota(Base):
    """How many people an organisation is to send to a course."""

    __tablename__ = "quotas"

    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), primary_key=True)
    seats: Mapped[int] = mapped_column(Integer)


class Series(Base):
    """Lectures that were planned together: weekly, on a list of dates, or the parts of an agenda."""

    __tablename__ = "series"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))  # weekly | dates | agenda
    rule: Mapped[dict[str, object]] = mapped_column(JSON)  # as it was wished for: interval, count, exceptions, …
    uid: Mapped[str] = mapped_column(String(120), unique=True)  # of a weekly series in calendars, for ever
    zone: Mapped[str] = mapped_column(String(60))
    made_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Lecture(Base):
    """One scheduled live class."""

    __tablename__ = "lectures"
    __table_args__ = (Index("ix_lectures_status_starts_at", "status", "starts_at"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    title: Mapped[str] = mapped_column(NAME)
    description: Mapped[str] = mapped_column(Text, default="")
    topic_id: Mapped[str] = mapped_column(ForeignKey("topics.id"), index=True)
    lecturer_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    lecturer_org_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)  # at its start
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    zone: Mapped[str] = mapped_column(String(60))
    status: Mapped[str] = mapped_column(String(20))
    uid: Mapped[str] = mapped_column(String(120), unique=True)  # in calendars, for ever
    sequence: Mapped[int] = mapped_column(Integer, default=0)  # rises with every change that calendars must follow
    calendar_key: Mapped[str] = mapped_column(String(40))
    created_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    series_id: Mapped[str | None] = mapped_column(ForeignKey("series.id"), index=True)
    recurrence_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # its first start in the series: RECURRENCE-ID
    setup_min: Mapped[int] = mapped_column(Integer, default=0)  # held before the start, of places and equipment
    teardown_min: Mapped[int] = mapped_column(Integer, default=0)  # and after the end
    cancelled_because: Mapped[str] = mapped_column(NAME, default="")
    places: Mapped[list["LecturePoint"]] = relationship(
        order_by="LecturePoint.position", cascade="all, delete-orphan", lazy="selectin"
    )


class LecturePoint(Base):
    """A point takes part in a lecture; position 0 is the main point, then the joining ones."""

    __tablename__ = "lecture_points"

    lecture_id: Mapped[str] = mapped_column(ForeignKey("lectures.id"), primary_key=True)
    point_id: Mapped[str] = mapped_column(ForeignKey("bridge_points.id"), primary_key=True, index=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)  # the point's at the start
    position: Mapped[int] = mapped_column(Integer)
    equipment_id: Mapped[str | None] = mapped_column(ForeignKey("equipment.id"))  # brought; None: what stands there
    operator_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))  # who looks after it this time
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # nobody came: free again since then


class Block(Base):
    """A resource is taken out of the timetable by hand, from `starts_at` up to, not including, `ends_at`."""

    __tablename__ = "blocks"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))  # as in bookings
    resource_id: Mapped[str] = mapped_column(ID, index=True)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(NAME)
    made_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lifted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Booking(Base):
    """One resource is held, for a lecture or by a block, from `starts_at` up to, not including, `ends_at`.

    Margins for set-up and tear-down are within.
    """

    __tablename__ = "bookings"
    __table_args__ = (
        Index("ix_bookings_resource_id_starts_at", "resource_id", "starts_at"),
        # for many resources at a few moments, as a series asks: half the time of the other on PostgreSQL
        Index("ix_bookings_starts_at_ends_at", "starts_at", "ends_at"),
        CheckConstraint("(lecture_id IS NULL) <> (block_id IS NULL)", name="ck_bookings_one_holder"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    lecture_id: Mapped[str | None] = mapped_column(ForeignKey("lectures.id"), index=True)
    block_id: Mapped[str | None] = mapped_column(ForeignKey("blocks.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))  # point | equipment | lecturer | operator
    resource_id: Mapped[str] = mapped_column(ID)  # its prefix tells kinds apart: bp_, eq_, usr_
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)


# The second line of defence on PostgreSQL, should a writer ever forget to look first. SQLite has no
# such thing; there BEGIN IMMEDIATE lets one writer look and write at a time. Migrations need the
# same two statements.
NO_OVERLAP_SQL = (
    "CREATE EXTENSION IF NOT EXISTS btree_gist",
    "ALTER TABLE bookings ADD CONSTRAINT bookings_no_overlap "
    "EXCLUDE USING gist (resource_id WITH =, tstzrange(starts_at, ends_at) WITH &&)",
)
for statement in NO_OVERLAP_SQL:
    event.listen(Booking.__table__, "after_create", DDL(statement).execute_if(dialect="postgresql"))  # type: ignore[no-untyped-call]
