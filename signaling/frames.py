"""The outermost gate: what a frame must look like before anything of ours reads it.

Everything a connection sends passes here and is counted, also frames that are not messages of
ours. A connection that speaks too fast, or what is no Socket.IO frame, is cut.
"""

import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any

from socketio import Server
from socketio.packet import ACK, CONNECT, DISCONNECT, EVENT, Packet

from core.plain import plain_json
from signaling.limits import TokenBucket

log = logging.getLogger(__name__)

MAX_FRAME = 100_000  # bytes; the largest message carries an SDP of 60,000 characters
MALFORMED_COST = 10.0  # a client of ours never sends one; a second chance for a broken proxy
RESERVED = frozenset({"connect", "disconnect", "*", "__disconnect_final"})
_BUCKET, _CUT = "signaling.bucket", "signaling.cut"


# Engine.IO: a message (4) carrying a Socket.IO packet, or one of the short frames of its own
ENGINE_FRAME = re.compile(r"4[0-6].*|[0-356].{0,20}", re.DOTALL)


class MalformedFrame(ValueError):
    """Not a Socket.IO frame that a client of ours would send."""


class StrictJson:
    """JSON as RFC 8259 has it: no NaN, and no object in which a name stands twice; its text is plain.

    **Source:** RFC 8259 section 4: with names that are not unique, what is read is unpredictable.
    """

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        """Return JSON text with letters of any script as they are."""
        return json.dumps(value, ensure_ascii=False, allow_nan=False, **options)

    @staticmethod
    def loads(text: str, **options: Any) -> Any:
        """Return the value of a JSON text.  Raises ValueError."""
        return plain_json(json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse))


class StrictPacket(Packet):  # type: ignore[misc]
    """A Socket.IO packet without binary parts, reserved event names or loose shapes."""

    uses_binary_events = False
    json = StrictJson

    def decode(self, encoded_packet: Any) -> int:
        """Read a frame.  Returns 0, the number of attachments.  Raises MalformedFrame."""
        if not isinstance(encoded_packet, str):
            raise MalformedFrame("binary frame")
        try:
            attachments = super().decode(encoded_packet)
        except (ValueError, TypeError, IndexError, RecursionError) as error:
            raise MalformedFrame(str(error)) from error
        if attachments or self.packet_type not in (CONNECT, DISCONNECT, EVENT, ACK):
            raise MalformedFrame("packet type")
        if self.packet_type == EVENT and not _is_event(self.data):
            raise MalformedFrame("event")
        if self.packet_type == ACK and (self.id is None or not isinstance(self.data, list)):
            raise MalformedFrame("ack")
        return 0


class Gate:
    """Stands before a Socket.IO server's own reading of frames."""

    def __init__(self, server: Server) -> None:
        """Take the place of the server's message handler."""
        self._server = server
        self._next = server.eio.handlers["message"]
        server.eio.on("message", self.receive)
        _check_websockets(server.eio)

    def receive(self, eio_sid: str, frame: Any) -> None:
        """Count a frame and pass it on, or cut its connection.

        eio_sid: Engine.IO connection id; frame: str, or bytes for what we never take.
        """
        try:
            memory = self._server.eio.get_session(eio_sid)
        except KeyError:
            return  # cut a moment ago; these frames were already under way
        bucket = memory.setdefault(_BUCKET, TokenBucket(time.monotonic))
        if memory.get(_CUT) or not bucket.take():
            return self._cut(eio_sid, memory, "too fast")
        try:
            if not frame:
                raise MalformedFrame("empty")  # which the library would take for an event
            self._next(eio_sid, frame)
        except MalformedFrame as error:
            log.info("malformed frame", extra={"reason": str(error)[:200]})
            if not bucket.take(MALFORMED_COST):
                self._cut(eio_sid, memory, "malformed")

    def _cut(self, eio_sid: str, memory: dict[str, Any], reason: str) -> None:
        if memory.get(_CUT):
            return
        memory[_CUT] = True
        log.warning("connection cut", extra={"reason": reason})
        # elsewhere, because closing waits until the client has read everything, and it may never do
        self._server.start_background_task(self._server.eio.disconnect, eio_sid)


class _CheckedSocket:
    """A WebSocket whose `wait` refuses what the library below would stumble over."""

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket

    def wait(self) -> Any:
        """Return the next frame, None at the end.  Raises MalformedFrame, which closes the line quietly."""
        frame = self._websocket.wait()
        if frame is not None and not (isinstance(frame, str) and ENGINE_FRAME.fullmatch(frame)):
            raise MalformedFrame("no Engine.IO frame")
        return frame

    def __getattr__(self, name: str) -> Any:
        return getattr(self._websocket, name)


def _check_websockets(eio: Any) -> None:
    """Check each frame of each WebSocket before Engine.IO reads it.

    It reads them outside of its own error handling, so nonsense would end in a traceback of the
    web server. It has no hook for this; the table of its async mode is the nearest thing to one.
    """
    make = eio._async["websocket"]
    if make is None:
        return

    def checked(handler: Callable[[Any], Any], server: Any) -> Any:
        return make(lambda websocket: handler(_CheckedSocket(websocket)), server)

    eio._async = {**eio._async, "websocket": checked}


def _is_event(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str) and data[0] not in RESERVED


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
