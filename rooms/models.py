"""Table of the rooms: the words of polls. Everything else is in the journal."""

from datetime import datetime

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime


class Poll(Base):
    """A question's words; the journal has only its id, so that words can be erased."""

    __tablename__ = "polls"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    lecture_id: Mapped[str] = mapped_column(String(40), index=True)
    question: Mapped[str] = mapped_column(Text)
    options: Mapped[list[str]] = mapped_column(JSON)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
