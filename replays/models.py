"""The one table of replays: what was recorded lies in the recording's folder, not here."""

from datetime import datetime

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime


class WatchPosition(Base):
    """Where somebody stopped watching a lecture's replay."""

    __tablename__ = "watch_positions"

    user_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    lecture_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    position_ms: Mapped[int] = mapped_column(Integer)  # on the recording's own line
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
