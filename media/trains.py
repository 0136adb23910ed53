"""Trains: a few packets sent at once whose spacing at the far end tells how much the line carries. Pure.

The narrowest part of a line lets packets that came together out one after the other: their bits over
the time between the first and the last are its width. Four packets of padding, 1.3 kB in all, are
enough to tell 64 kbit/s from 300; wider lines get longer trains, because a browser takes packets
from its socket in groups. The sound behind a train waits at most as long as the train itself takes.
Source: draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1 (what the viewer reports).
"""

import math
import struct

from media.rtcp import Arrivals

PADDING = 255  # bytes: the most one packet's padding can be, RFC 3550 section 5.1
PACKET_BITS = 8 * (12 + 8 + PADDING + 16 + 28)  # header, extension, padding, GCM tag, UDP and IPv4
SHORTEST, LONGEST = 4, 40  # packets of a train
TRAIN_S = 0.06  # a train shall take about this long on a line as wide as is thought
TRUSTED_BPS = 150_000  # per packet of a train: more than this it cannot tell from a group read at once
SPARE = 1.3  # a train that must tell something is longer by this: a tenth of it may get lost
LEAST_S = 0.001  # what a browser's clock and its reading in groups make of packets that come together
PATIENCE_S = 1.5  # the report of a train is waited for so long
HEADER = struct.Struct("!BBHLLHHBHx")


class Train:
    """The trains to one viewer, one at a time."""

    def __init__(self) -> None:
        """Begin with none under way."""
        self._next = 0  # transport-wide sequence number
        self._first = self._count = 0
        self._arrived: dict[int, float] = {}
        self._sent_at: float | None = None

    @property
    def is_under_way(self) -> bool:
        """Return whether the viewer's report is still waited for."""
        return self._sent_at is not None

    def depart(self, width: float, now: float, *, tells: float = 0.0) -> range:
        """Send one.

        width: bits per second the line is thought to carry; now: seconds; tells: bits per second that
        the train must be able to find, whatever its packets that get lost.  Returns the transport-wide
        numbers for the packets.
        """
        enough = math.ceil(SPARE * tells / TRUSTED_BPS) + 1 if tells else 0
        self._count = min(LONGEST, max(SHORTEST, int(width * TRAIN_S / PACKET_BITS) if not tells else enough))
        self._first, self._next = self._next, self._next + self._count
        self._arrived, self._sent_at = {}, now
        return range(self._first, self._next)

    def reported(self, report: Arrivals) -> float | None:
        """Take what the viewer says of arrivals.  Returns bits per second once the whole train is known, else None."""
        if self._sent_at is None:
            return None
        seen = False
        for i, at in enumerate(report.times):
            place = (report.first + i - self._first) & 0xFFFF
            if place < self._count and at is not None:
                self._arrived[place] = at
                seen = seen or place >= self._count - max(1, self._count // 4)  # its very last may be lost
        return self._judge() if seen else None

    def waited(self, now: float) -> float | None:
        """Return bits per second (0: nothing came) when the train's last packets are overdue, else None."""
        if self._sent_at is None or now - self._sent_at < PATIENCE_S:
            return None
        return self._judge()

    def _judge(self) -> float:
        self._sent_at = None
        if len(self._arrived) < SHORTEST - 1:
            return 0.0
        times = sorted(self._arrived.values())
        bits = (len(times) - 1) * PACKET_BITS
        return min(bits / max(LEAST_S, times[-1] - times[0]), len(times) * TRUSTED_BPS)


def padding(payload_type: int, seq: int, timestamp: int, ssrc: int, extension: tuple[int, int]) -> bytes:
    """Return a packet of nothing but padding.

    ssrc: a repair stream's, of which a receiver ignores empty packets; seq, timestamp: of that stream;
    extension: (id, transport-wide number).  Source: RFC 3550 section 5.1, RFC 8285 section 4.2.
    """
    number, transport_wide = extension
    head = HEADER.pack(0xB0, payload_type, seq & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, 0xBEDE, 1,
                       number << 4 | 1, transport_wide & 0xFFFF)  # fmt: skip
    return head + bytes(PADDING - 1) + bytes((PADDING,))
