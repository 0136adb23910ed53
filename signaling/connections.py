"""Who is behind each connection. Ids come from here, never from a message."""

import threading
from dataclasses import dataclass

from rooms.events import RoomRole


@dataclass(frozen=True)
class TokenClaims:
    """What a signed room token says."""

    lecture: str
    participant: str
    role: RoomRole


@dataclass(frozen=True)
class Member:
    """A connection that has joined a room."""

    connection: str  # Socket.IO sid
    lecture: str
    participant: str
    role: RoomRole


class Connections:
    """The members this process serves."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._members: dict[str, Member] = {}
        self._lock = threading.Lock()

    def add(self, member: Member) -> None:
        """Remember who a connection is."""
        with self._lock:
            self._members[member.connection] = member

    def get(self, connection: str) -> Member | None:
        """Return who a connection is, None before it has joined."""
        return self._members.get(connection)

    def remove(self, connection: str) -> Member | None:
        """Forget a connection.  Returns who it was."""
        with self._lock:
            return self._members.pop(connection, None)

    def members(self) -> list[Member]:
        """Return all members this process serves."""
        with self._lock:
            return list(self._members.values())
