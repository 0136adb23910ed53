"""RTP video packets to whole frames: order, wait a little for what is late, never guess.

A frame that lost a packet is thrown away, and so is everything after it up to the next key frame:
a recording must not carry pictures that refer to what is not there. Pure: time is an argument.
"""

from collections import deque
from dataclasses import dataclass

from media import avc
from media.rtp import Incoming, starts_key_frame

REORDER_S = 0.2  # a retransmission takes one round trip and a NACK: 150 ms covers a 3G uplink
REORDER_PACKETS = 512  # about 2 s of 720p: more than that behind one gap is loss
FRAME_PACKETS = 2048  # 2.4 MB: a key frame of 1080p at full quality has about 200
FRAME_SETS = 8  # parameter sets in one frame; browsers send two


@dataclass(frozen=True)
class Frame:
    """One whole coded picture."""

    media_s: float  # when it was captured, seconds since 1970 on the node's clock
    nals: tuple[bytes, ...]
    is_key: bool
    parameters: tuple[bytes, ...]  # SPS and PPS in force; of a key frame always present


@dataclass(frozen=True)
class _Packet:
    media_s: float
    arrived_s: float
    timestamp: int
    marker: bool
    payload: bytes


def unwrap(number: int, near: int) -> int:
    """Return the 16-bit sequence `number` as the whole number closest to `near`."""
    return near + ((number - near + 0x8000) & 0xFFFF) - 0x8000


class Depacketiser:
    """Frames of one slot, in order."""

    def __init__(self) -> None:
        """Start with nothing; the first frame that comes out is a key frame."""
        self.needs_key = True
        self.lost = 0  # packets given up, for the counters
        self._ssrc: int | None = None
        self._next: int | None = None
        self._waiting: dict[int, _Packet] = {}
        self._parts: list[_Packet] = []
        self._whole = True
        self._parameters: tuple[bytes, ...] = ()
        self._out: deque[Frame] = deque()

    def push(self, packet: Incoming, media_s: float, now_s: float) -> None:
        """Take one packet.

        packet: H.264 RTP of this slot; media_s: its capture time, now_s: its arrival, seconds.
        """
        if packet.ssrc != self._ssrc:
            self._restart(packet.ssrc)
        if self._next is None:
            self._next = packet.seq
        seq = unwrap(packet.seq, self._next)
        if seq < self._next or seq in self._waiting:
            return  # a repetition, or given up already
        self._waiting[seq] = _Packet(media_s, now_s, packet.timestamp, bool(packet.marker), packet.payload)
        self._drain()

    def frames(self, now_s: float) -> list[Frame]:
        """Return the frames that are complete, giving up what has been missing too long.

        now_s: the present on the clock of the arrivals.
        """
        while self._waiting and self._overdue(now_s):
            first = min(self._waiting)
            assert self._next is not None
            self.lost += first - self._next
            self._next = first
            self._whole = False
            self.needs_key = True
            self._drain()
        ready = list(self._out)
        self._out.clear()
        return ready

    def _restart(self, ssrc: int) -> None:
        self._ssrc = ssrc
        self._next = None
        self._waiting.clear()
        self._parts.clear()
        self._whole = self.needs_key = True

    def _overdue(self, now_s: float) -> bool:
        oldest = self._waiting[min(self._waiting)]
        return now_s - oldest.arrived_s > REORDER_S or len(self._waiting) > REORDER_PACKETS

    def _drain(self) -> None:
        while self._next in self._waiting:
            packet = self._waiting.pop(self._next)
            self._next += 1
            self._take(packet)

    def _take(self, packet: _Packet) -> None:
        if not packet.payload:
            return  # a padding-only probe: it only uses up a sequence number
        if self._parts and packet.timestamp != self._parts[0].timestamp:
            # No marker came: the slot left this source in the middle of a frame, or its end was lost.
            self._whole = False
            self._close()
        if not self._parts and starts_key_frame("H264", packet.payload):
            self._whole = True  # whatever was lost before it is not missed
        self._parts.append(packet)
        if packet.marker:
            self._close()
        elif len(self._parts) > FRAME_PACKETS:  # a picture without an end would fill the memory
            self._parts, self._whole = self._parts[:1], False

    def _close(self) -> None:
        parts, whole = self._parts, self._whole
        self._parts, self._whole = [], True
        try:
            nals = tuple(avc.nals_of_payloads(part.payload for part in parts)) if whole else ()
        except avc.BadStream:
            nals = ()
        if not nals:
            self.needs_key = True
            return
        self._emit(parts[0].media_s, nals)

    def _remember(self, nals: tuple[bytes, ...]) -> None:
        """Keep the newest parameter sets of each kind, SPS first: a frame may bring one kind alone."""
        new = avc.parameter_sets(nals)[:FRAME_SETS]
        kept: list[bytes] = []
        for kind in (avc.SPS, avc.PPS):
            kept += [nal for nal in new if nal[0] & 31 == kind] or [
                nal for nal in self._parameters if nal[0] & 31 == kind
            ]
        self._parameters = tuple(kept)

    def _emit(self, media_s: float, nals: tuple[bytes, ...]) -> None:
        self._remember(nals)
        key = avc.is_key(nals)
        if key and {nal[0] & 31 for nal in self._parameters} != {avc.SPS, avc.PPS}:
            self.needs_key = True  # nothing to decode it with
            return
        if key and avc.parameter_sets(nals) != self._parameters:
            nals = self._parameters + tuple(nal for nal in nals if nal[0] & 31 not in (avc.SPS, avc.PPS))
        if self.needs_key and not key:
            return
        if not key and all(nal[0] & 31 in (avc.SPS, avc.PPS) for nal in nals):
            return  # parameter sets sent ahead of their key frame: kept, no picture of their own
        self.needs_key = False
        self._out.append(Frame(media_s, nals, key, self._parameters))
