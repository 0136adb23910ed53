"""Tables of lesson plans and of the plan of the year."""

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime
from schedules.models import ID, NAME, SHA256


class LessonPlan(Base):
    """Slides and material of a lecture with their state of review."""

    __tablename__ = "lesson_plans"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    lecture_id: Mapped[str] = mapped_column(ForeignKey("lectures.id"), unique=True)
    state: Mapped[str] = mapped_column(String(20))  # draft | submitted | approved | returned
    version: Mapped[int] = mapped_column(Integer, default=0)  # the newest; 0: nothing uploaded yet
    approved_version: Mapped[int | None] = mapped_column(Integer)
    approved_digest: Mapped[str | None] = mapped_column(SHA256)  # of all files of that version
    approved_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PlanFile(Base):
    """A file of one version of a plan; a new version takes along what did not change."""

    __tablename__ = "plan_files"
    __table_args__ = (UniqueConstraint("plan_id", "version", "position"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("lesson_plans.id"), index=True)
    version: Mapped[int] = mapped_column(Integer)
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(NAME)  # as its owner called it; never a path of ours
    kind: Mapped[str] = mapped_column(String(10))  # pdf | pptx | docx, as found in the bytes
    size: Mapped[int] = mapped_column(Integer)  # bytes
    sha256: Mapped[str] = mapped_column(SHA256)  # under which the bytes are kept
    pdf_sha256: Mapped[str | None] = mapped_column(SHA256)  # what it was converted to; its own when it is a PDF
    pages: Mapped[int | None] = mapped_column(Integer)
    problem: Mapped[str] = mapped_column(NAME, default="")  # code of why there is no PDF of it
    added_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PlanStep(Base):
    """One step of a plan's way through review: who, when, what, and in which words."""

    __tablename__ = "plan_steps"
    __table_args__ = (Index("ix_plan_steps_plan_id_at", "plan_id", "at"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("lesson_plans.id"))
    # upload, remove, submit, withdraw, approve, return, reopen, comment
    action: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))  # afterwards
    version: Mapped[int] = mapped_column(Integer)
    words: Mapped[str] = mapped_column(Text, default="")
    by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Waiver(Base):
    """A lecture may go live without an approved plan, and who says so and why."""

    __tablename__ = "waivers"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    lecture_id: Mapped[str] = mapped_column(ForeignKey("lectures.id"), index=True)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class YearItem(Base):
    """One line of an organisation's plan of the year: so many lectures on a topic, done by a day."""

    __tablename__ = "year_items"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    year: Mapped[int] = mapped_column(Integer, index=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    title: Mapped[str] = mapped_column(NAME)
    course_id: Mapped[str | None] = mapped_column(ForeignKey("courses.id"), index=True)  # what fulfils it
    topic_id: Mapped[str | None] = mapped_column(ForeignKey("topics.id"))  # narrower: lectures on this one only
    opens_on: Mapped[date] = mapped_column(Date)  # the first lecture takes place by this day
    due_on: Mapped[date] = mapped_column(Date)  # the last one
    lectures: Mapped[int] = mapped_column(Integer)
    people: Mapped[int] = mapped_column(Integer, default=0)
    note: Mapped[str] = mapped_column(Text, default="")
