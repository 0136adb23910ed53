"""Time, injected so that tests can stand still."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time."""

    def now(self) -> datetime:
        """Return the present moment as an aware UTC datetime."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment as an aware UTC datetime."""
        return datetime.now(UTC)


def to_ms(at: datetime) -> int:
    """Return an aware datetime as whole milliseconds since 1970-01-01 UTC."""
    return round(at.timestamp() * 1000)


def from_ms(at_ms: int) -> datetime:
    """Return milliseconds since 1970-01-01 UTC as an aware UTC datetime."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
