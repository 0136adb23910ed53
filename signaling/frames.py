"""The outermost gate: what a frame must look like before anything of ours reads it.

Everything a connection sends passes here and is counted, also frames that are not messages of
ours. A connection that speaks too fast, or what is no Socket.IO frame, is cut.
"""

import json
import logging
import time
from typing import Any

from socketio import Server
from socketio.packet import ACK, CONNECT, DISCONNECT, EVENT, Packet

from signaling.limits import TokenBucket

log = logging.getLogger(__name__)

MAX_FRAME = 100_000  # bytes; the largest message carries an SDP of 60,000 characters
MALFORMED_COST = 10.0  # a client of ours never sends one; a second chance for a broken proxy
RESERVED = frozenset({"connect", "disconnect", "*", "__disconnect_final"})
_BUCKET, _CUT = "signaling.bucket", "signaling.cut"


class MalformedFrame(ValueError):
    """Not a Socket.IO frame that a client of ours would send."""


class StrictJson:
    """JSON as RFC 8259 has it: no NaN, and no object in which a name stands twice.

    **Source:** RFC 8259 section 4: with names that are not unique, what is read is unpredictable.
    """

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        """Return JSON text with letters of any script as they are."""
        return json.dumps(value, ensure_ascii=False, allow_nan=False, **options)

    @staticmethod
    def loads(text: str, **options: Any) -> Any:
        """Return the value of a JSON text.  Raises ValueError."""
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)


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


def _is_event(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str) and data[0] not in RESERVED


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
