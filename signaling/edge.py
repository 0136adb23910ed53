"""The edge to the browsers: parse once, say who it is, call the handler, acknowledge.

`register` puts it on a SocketIO made with `socket_options`. Handlers run one after another per
connection (`async_handlers` is off), in the language of the connection.
"""

import logging
import secrets
from collections.abc import Callable
from typing import Any

from flask import request
from flask_socketio import SocketIO, join_room, leave_room
from pydantic import ValidationError

from core.config import Config
from core.errors import N_, AppError, Conflict, Invalid, NotAllowed
from signaling.broadcast import Broadcast
from signaling.connections import Connections, Member
from signaling.frames import MAX_FRAME, Gate, StrictPacket
from signaling.handlers import HANDLERS, Parts, joined
from signaling.messages import REQUESTS, Message, RoomJoin

log = logging.getLogger(__name__)

PING_INTERVAL_S = 5
PING_TIMEOUT_S = 5  # a dead line is noticed after at most ten seconds


def socket_options(config: Config) -> dict[str, Any]:
    """Return the options of the SocketIO server: `SocketIO(app, **socket_options(config))`.

    Only pages of our own origin may connect; see `signaling.frames` for the packet class.
    """
    return {
        "async_mode": config.async_mode,
        "async_handlers": False,  # one connection's messages keep their order
        "manage_session": False,
        "message_queue": config.message_queue or None,
        "max_http_buffer_size": MAX_FRAME,
        "ping_interval": PING_INTERVAL_S,
        "ping_timeout": PING_TIMEOUT_S,
        "serializer": StrictPacket,
    }


def register(socketio: SocketIO, parts: Parts, broadcast: Broadcast, translate: Callable[[str], str] = str) -> "Edge":
    """Take the requests of a SocketIO server.

    socketio: already bound to the application; translate: gettext in the language of the request.
    Returns the edge; nothing else needs to be done with it.
    """
    edge = Edge(socketio, parts, broadcast, translate)
    Gate(socketio.server)  # type: ignore[attr-defined]
    socketio.on_event("*", edge.receive)
    socketio.on_event("disconnect", edge.disconnected)
    return edge


class Edge:
    """Parses requests and maps what they raise, in this one place."""

    def __init__(self, socketio: SocketIO, parts: Parts, broadcast: Broadcast, translate: Callable[[str], str]) -> None:
        """See `register`."""
        self.connections = Connections()
        self._socketio, self._parts, self._broadcast, self._translate = socketio, parts, broadcast, translate

    def receive(self, event: str, *payload: Any) -> dict[str, Any]:
        """Answer one request.

        event: its type; payload: one JSON object, or nothing for a message without fields.
        Returns the ack, `{"ok": true, …}` or `{"ok": false, "error": {"code", "message"}}`.
        """
        try:
            return {"ok": True, **self._answer(event, payload)}
        except AppError as error:
            log.info("request refused", extra={"request": event[:40], "code": error.code})
            return self._refusal(error)
        except Exception:
            trace = secrets.token_hex(4)
            log.exception("request failed", extra={"request": event[:40], "trace": trace})
            return self._refusal(
                AppError("internal", N_("Something went wrong on the server (%(trace)s)."), trace=trace)
            )

    def _answer(self, event: str, payload: tuple[Any, ...]) -> dict[str, Any]:
        message = parse(event, payload)
        connection = str(request.sid)  # type: ignore[attr-defined]
        if isinstance(message, RoomJoin):
            return self._join(connection, message)
        who = self.connections.get(connection)
        if who is None:
            raise NotAllowed("room.not_joined", N_("Join the room first."))
        return HANDLERS[event](self._parts, who, message)

    def _join(self, connection: str, message: RoomJoin) -> dict[str, Any]:
        if self.connections.get(connection):
            raise Conflict("room.already_joined", N_("This connection is already in a room."))
        claims = self._parts.verify_token(message.token)
        who = Member(connection, claims.lecture, claims.participant, claims.role)
        join_room(claims.lecture)  # before the state is read, so that no event falls between the two
        try:
            result = self._parts.rooms.join(claims.lecture, claims.participant, claims.role, connection)
            self.connections.add(who)
            reply = joined(self._parts, who, result.state)
        except Exception:
            leave_room(claims.lecture)
            self.connections.remove(connection)
            self._parts.rooms.disconnected(claims.lecture, claims.participant, connection)
            raise
        if result.replaced_connection and result.replaced_connection != connection:
            self._replace(result.replaced_connection)
        return reply.model_dump()

    def _replace(self, connection: str) -> None:
        self.connections.remove(connection)
        self._broadcast.replaced(connection)
        self._socketio.start_background_task(self._socketio.server.disconnect, connection)  # type: ignore[attr-defined]

    def disconnected(self, reason: str = "") -> None:
        """Note that a connection is gone; the room gives it a grace to come back."""
        who = self.connections.remove(str(request.sid))  # type: ignore[attr-defined]
        if who is None:
            return
        try:
            self._parts.rooms.disconnected(who.lecture, who.participant, who.connection)
        except AppError as error:
            log.info("disconnect not taken", extra={"code": error.code, "lecture": who.lecture})

    def _refusal(self, error: AppError) -> dict[str, Any]:
        sentence = self._translate(error.message)
        message = sentence % error.params if error.params else sentence
        return {"ok": False, "error": {"code": error.code, "message": message}}


def parse(event: str, payload: tuple[Any, ...]) -> Message:
    """Return the message of a request.

    event: its type; payload: the arguments that came with it.
    Raises Invalid for an unknown type, more than one argument, and unknown or wrong fields.
    """
    kind = REQUESTS.get(event)
    if kind is None:
        raise Invalid("message.unknown_type", N_("There is no such request."))
    if len(payload) > 1 or (payload and not isinstance(payload[0], dict)):
        raise Invalid("message.invalid", N_("A request carries one JSON object."))
    try:
        return kind.model_validate(payload[0] if payload else {})
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])[:60]
        raise Invalid(
            "message.invalid", N_("“%(field)s” is missing, unknown or has a value it cannot have."), field=field
        ) from error
