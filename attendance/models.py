"""Tables of attendance. Presence can be thrown away and rebuilt from the journal; ballots cannot."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime


class PresenceCursor(Base):
    """How far into a lecture's journal its presence rows are, and when its class ran."""

    __tablename__ = "presence_cursors"

    lecture_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer)
    opened_ms: Mapped[int | None] = mapped_column(BigInteger)
    started_ms: Mapped[int | None] = mapped_column(BigInteger)
    ended_ms: Mapped[int | None] = mapped_column(BigInteger)


class PresenceInterval(Base):
    """One uninterrupted time in which a participant was here, or had the floor."""

    __tablename__ = "presence_intervals"

    lecture_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # the entry that began it
    participant: Mapped[str] = mapped_column(String(40), index=True)
    role: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(10))  # here | floor
    start_ms: Mapped[int] = mapped_column(BigInteger)
    end_ms: Mapped[int | None] = mapped_column(BigInteger)


class BallotBox(Base):
    """Where the answers to one poll are collected until it is sealed."""

    __tablename__ = "ballot_boxes"

    poll_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    lecture_id: Mapped[str] = mapped_column(String(40), index=True)
    options: Mapped[int] = mapped_column(Integer)
    sealed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Ballot(Base):
    """One phone's answer. The phone is a random number that it was given; nothing else is kept of it."""

    __tablename__ = "ballots"

    poll_id: Mapped[str] = mapped_column(ForeignKey("ballot_boxes.poll_id"), primary_key=True)
    phone_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    choice: Mapped[int] = mapped_column(Integer)


class HandCount(Base):
    """The hands that a point's operator counted; entering it again replaces it."""

    __tablename__ = "hand_counts"

    poll_id: Mapped[str] = mapped_column(ForeignKey("ballot_boxes.poll_id"), primary_key=True)
    point_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    counts: Mapped[list[int]] = mapped_column(JSON)
    counted_by: Mapped[str] = mapped_column(String(40))
    counted_at: Mapped[datetime] = mapped_column(UtcDateTime)
