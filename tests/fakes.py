"""Stand-ins for the two edges that tests may fake: the clock and the media node."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, at: datetime = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def advance(self, seconds: float = 0, **more: float) -> datetime:
        """Go forward; `more` is what timedelta takes (minutes=15, hours=2)."""
        self._at += timedelta(seconds=seconds, **more)
        return self._at

    def set(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)
