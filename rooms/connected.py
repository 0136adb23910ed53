"""Which connections each participant of a room is on, and until when a lost one is waited for. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Missed:
    """Somebody whose connection is gone; times in milliseconds since 1970 UTC."""

    participant: str
    since_ms: int  # when it was last seen
    until_ms: int  # it may come back before this as if nothing had happened


class Connected:
    """The lines of one room. A participant has one of each kind at most: a new one takes the place of the old.

    A point may be here with its page and with its encoder; it is gone when both are.
    """

    def __init__(self) -> None:
        """Begin with nobody."""
        self._lines: dict[str, dict[str, str]] = {}  # participant -> kind of line -> connection
        self._missed: dict[str, Missed] = {}

    def take(self, participant: str, connection: str, line: str = "page") -> str | None:
        """Put a participant on a connection.  Returns another one that lost its place by it, if any."""
        gone = self._missed.pop(participant, None)
        lines = {} if gone else self._lines.get(participant, {})
        before = lines.get(line)
        self._lines[participant] = {**lines, line: connection}
        return before if before != connection else None

    def lose(self, participant: str, connection: str, now_ms: int, grace_ms: int) -> None:
        """Note that a connection is gone; one that was replaced before is nobody's any more."""
        lines = self._lines.get(participant, {})
        if connection not in lines.values():
            return
        if len(lines) > 1:
            self._lines[participant] = {line: other for line, other in lines.items() if other != connection}
        else:
            self._missed.setdefault(participant, Missed(participant, now_ms, now_ms + grace_ms))

    def has(self, participant: str, connection: str) -> bool:
        """Return whether a participant is on this connection, and it is not lost."""
        return participant not in self._missed and connection in self._lines.get(participant, {}).values()

    def expect(self, participants: Iterable[str], now_ms: int, grace_ms: int) -> None:
        """Wait for participants who are in the room but on no connection: we were restarted."""
        for participant in participants:
            if participant not in self._lines:
                self._missed.setdefault(participant, Missed(participant, now_ms, now_ms + grace_ms))

    def overdue(self, now_ms: int) -> list[Missed]:
        """Return who has not come back in time."""
        return [missed for missed in self._missed.values() if missed.until_ms <= now_ms]

    def forget(self, participant: str) -> None:
        """Drop a participant's line: they have left."""
        self._lines.pop(participant, None)
        self._missed.pop(participant, None)

    def forget_all(self) -> None:
        """Drop all lines: the class has ended."""
        self._lines.clear()
        self._missed.clear()
