"""The frames that go from the node to a recorder's standard input.

A frame is a header of 12 bytes, network order, and a body: body length (16 bits), kind (8),
slot index in `control.HALL_SLOTS` (8), media time (float64, seconds since 1970: when the content
was captured, on the node's clock). The body is a plaintext RTP packet as rewritten for the slot,
or JSON: `{"program": "guest"|"stage"}`, `{"stop": true}`.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

HEADER = struct.Struct("!HBBd")
RTP, CONTROL = 1, 2


class Frame(NamedTuple):
    """One frame as read."""

    kind: int
    slot: int
    media_s: float
    body: bytes


def pack(kind: int, slot: int, media_s: float, body: bytes) -> bytes:
    """Return a frame.  body: at most 65,535 bytes."""
    return HEADER.pack(len(body), kind, slot, media_s) + body


class Splitter:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every frame that is now complete."""
        self._rest += data
        at = 0
        while at + HEADER.size <= len(self._rest):
            size, kind, slot, media_s = HEADER.unpack_from(self._rest, at)
            end = at + HEADER.size + size
            if end > len(self._rest):
                break
            yield Frame(kind, slot, media_s, self._rest[at + HEADER.size : end])
            at = end
        self._rest = self._rest[at:]
