"""Room events to everybody in the room, each with the words for ids that are new in it."""

from collections.abc import Callable, Iterable
from typing import Any

from flask_socketio import SocketIO

from rooms.events import LectureOpened, ParticipantJoined, PollOpened, RoomChanged, RoomEvent
from rooms.state import RoomState
from signaling.messages import MediaReset, RoomEventMessage, RoomReplaced, RoomSignals

Words = Callable[[Iterable[str]], dict[str, Any]]
ID_FIELDS = ("lecturer", "main_point", "point", "participant", "by", "poll")


class Broadcast:
    """Says things to rooms and to single connections."""

    def __init__(self, socketio: SocketIO, words: Words) -> None:
        """Use `words(ids)` for the names of people and points and the texts of polls."""
        self._socketio, self._words = socketio, words

    def room_changed(self, change: RoomChanged) -> None:
        """Tell a room what happened in it."""
        new = sorted(ids_of_event(change.event) - known_before(change.event, change.state))
        message = RoomEventMessage(
            seq=change.seq,
            at_ms=change.at_ms,
            event=change.event.model_dump(mode="json"),
            labels=self._words(new) if new else {},
        )
        self._socketio.emit(message.type, message.model_dump(), to=change.lecture)

    def media_reset(self, lecture: str, epoch: str) -> None:
        """Tell a room that it is on another media node, or on another life of its node."""
        self._socketio.emit(MediaReset.type, MediaReset(epoch=epoch).model_dump(), to=lecture)

    def signals(self, connection: str, message: RoomSignals) -> None:
        """Tell a connection what is new about lines and voices in its room."""
        self._socketio.emit(message.type, message.model_dump(), to=connection)

    def replaced(self, connection: str) -> None:
        """Tell a connection that its participant came in elsewhere."""
        self._socketio.emit(RoomReplaced.type, RoomReplaced().model_dump(), to=connection)


def ids_of_event(event: RoomEvent) -> set[str]:
    """Return the ids of people, points and polls in an event."""
    ids = {str(value) for name in ID_FIELDS if (value := getattr(event, name, None))}
    return ids | set(event.points) if isinstance(event, LectureOpened) else ids


def ids_of_state(state: RoomState) -> set[str]:
    """Return the ids of people, points and polls a screen needs words for."""
    ids = {*state.points, *state.present, *state.people, *state.reports}
    ids |= {request.participant for request in state.floor.queue}
    ids |= {result.poll for result in state.results}
    ids |= {shown.publication.partition("/")[0] for shown in state.slots.values()}
    ids |= {i for i in (state.lecturer, state.main_point, state.floor.holder) if i}
    return ids | ({state.poll.poll} if state.poll else set())


def known_before(event: RoomEvent, after: RoomState) -> set[str]:
    """Return the ids whose words every browser in the room has already had.

    after: the state right after the event, so what the event itself brought is taken out.
    """
    if isinstance(event, LectureOpened):
        return set()
    known = ids_of_state(after)
    if isinstance(event, ParticipantJoined):
        return known - {event.participant}
    return known - {event.poll} if isinstance(event, PollOpened) else known
