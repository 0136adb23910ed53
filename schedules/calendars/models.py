"""Tables of calendars: those of other bodies that count as busy, and letters with invitations that go out."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime
from schedules.models import ID, NAME


class Subscription(Base):
    """A calendar of another body: while one of its events lasts, a resource of ours is busy."""

    __tablename__ = "subscriptions"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    kind: Mapped[str] = mapped_column(String(20))  # of the resource: as in bookings
    resource_id: Mapped[str] = mapped_column(ID, index=True)
    url: Mapped[str | None] = mapped_column(Text)  # None: the file was uploaded
    made_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    etag: Mapped[str] = mapped_column(NAME, default="")
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the last time all went well
    error: Mapped[str] = mapped_column(NAME, default="")  # code of what went wrong the last time, empty: nothing


class BusyTime(Base):
    """One event of a subscribed calendar, from `starts_at` up to, not including, `ends_at`."""

    __tablename__ = "busy_times"
    __table_args__ = (Index("ix_busy_times_resource_id_starts_at", "resource_id", "starts_at"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    resource_id: Mapped[str] = mapped_column(ID)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    summary: Mapped[str] = mapped_column(NAME)


class Letter(Base):
    """A mail with an invitation, kept until it is sent, and afterwards as proof."""

    __tablename__ = "letters"
    __table_args__ = (UniqueConstraint("lecture_id", "address", "method", "sequence"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    lecture_id: Mapped[str] = mapped_column(ForeignKey("lectures.id"), index=True)
    address: Mapped[str] = mapped_column(NAME)
    method: Mapped[str] = mapped_column(String(10))  # REQUEST | CANCEL
    sequence: Mapped[int] = mapped_column(Integer)  # the lecture's, so that nobody gets the same twice
    message: Mapped[bytes] = mapped_column(LargeBinary)  # RFC 5322, ready to send
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)  # None: sent, or given up
    tries: Mapped[int] = mapped_column(Integer, default=0)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str] = mapped_column(NAME, default="")
