"""Several Opus streams to one line of sound: decoded, placed in time, mixed, silence where nothing is.

Mono: halls play from one loudspeaker, and the recording must be heard on a phone. Most of the
time one microphone is open and its samples pass through unchanged.
"""

from array import array
from collections import deque
from fractions import Fraction
from heapq import heappop, heappush
from operator import add
from typing import Any

import av
from av.error import FFmpegError

from media.depacketise import unwrap
from media.rtp import Incoming

RATE = 48_000
REANCHOR = RATE * 60 // 1000  # samples: further off than 60 ms from its media time, a stream is placed anew
MAX_PACKET = RATE * 120 // 1000  # samples of the longest Opus packet, RFC 6716 section 2
MAX_WAITING = 400  # packets of one stream: 8 s of 20 ms frames
FULL = 32767
TIME_BASE = Fraction(1, RATE)
KNEE = 24_000  # up to here a sum is kept as it is; above it is bent towards full scale


def _soft(level: int) -> int:
    if abs(level) <= KNEE:
        return level
    over = (abs(level) - KNEE) / (FULL - KNEE)
    bent = KNEE + round((FULL - KNEE) * (over / (1 + over)))
    return bent if level > 0 else -bent


_TABLE = array("h", (_soft(level) for level in range(-2 * (FULL + 1), 2 * (FULL + 1))))


def mix(one: "array[int]", other: "array[int]") -> "array[int]":
    """Return the sum of two lines of equal length, bent softly instead of clipped.

    one, other: signed 16-bit samples.  Returns a new array.
    """
    offset = 2 * (FULL + 1)
    return array("h", [_TABLE[level + offset] for level in map(add, one, other)])


class Voice:
    """One audio slot: its packets in order, decoded, each with its place on the line."""

    def __init__(self) -> None:
        """Start silent."""
        self.broken = 0  # packets that could not be decoded
        self._decoder: Any = None
        self._ssrc: int | None = None
        self._newest = 0
        self._heap: list[tuple[int, int, int, bytes]] = []  # sequence, place by media time, RTP time, payload
        self._taken = -1
        self._anchor: tuple[int, int] | None = None  # (RTP time, place) that later packets continue from

    def push(self, packet: Incoming, place: int) -> None:
        """Keep one packet until the line gets there.

        packet: Opus RTP; place: its media time as a sample number of the line.
        """
        if packet.ssrc != self._ssrc:
            self._ssrc, self._newest, self._taken = packet.ssrc, packet.seq, packet.seq - 1
            self._heap.clear()
            self._anchor = None
        seq = unwrap(packet.seq, self._newest)
        self._newest = max(self._newest, seq)
        if seq <= self._taken or not packet.payload or len(self._heap) >= MAX_WAITING:
            return
        heappush(self._heap, (seq, place, packet.timestamp, packet.payload))

    def pull(self, until: int) -> list[tuple[int, "array[int]"]]:
        """Decode what begins before `until`.

        until: sample number of the line.  Returns (place, samples) pairs in order.
        """
        pieces = []
        while self._heap and self._heap[0][1] < until:
            seq, place, timestamp, payload = heappop(self._heap)
            if seq <= self._taken:
                continue
            self._taken = seq
            samples = self._decode(payload)
            if samples:
                pieces.append((self._place(place, timestamp), samples))
        return pieces

    def _place(self, by_media: int, timestamp: int) -> int:
        """Continue where the sender's own clock says, unless that has left the media time."""
        if self._anchor is not None:
            ticks, at = self._anchor
            step = ((timestamp - ticks + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            if abs(at + step - by_media) <= REANCHOR:
                by_media = at + step
        self._anchor = (timestamp, by_media)
        return by_media

    def _decode(self, payload: bytes) -> "array[int]":
        if self._decoder is None:
            self._decoder = av.CodecContext.create("libopus", "r")
            self._decoder.sample_rate = RATE
            self._decoder.layout = "mono"
        samples = array("h")
        try:
            for frame in self._decoder.decode(av.Packet(payload)):
                samples.frombytes(bytes(frame.planes[0])[: frame.samples * 2])
        except FFmpegError:
            self.broken += 1
            self._decoder = None
        return samples[:MAX_PACKET]


class Mixer:
    """The one line of sound, produced from `start` on without a hole."""

    def __init__(self, start_s: float) -> None:
        """Begin the line.

        start_s: media time of sample 0, seconds since 1970.
        """
        self.start_s = start_s
        self.done = 0  # samples already given out
        self._voices: dict[str, Voice] = {}
        self._pieces: deque[tuple[int, array[int]]] = deque()

    def place_of(self, media_s: float) -> int:
        """Return the sample number of a media time (seconds)."""
        return round((media_s - self.start_s) * RATE)

    def push(self, slot: str, packet: Incoming, media_s: float) -> None:
        """Take one Opus packet of a slot, captured at `media_s` seconds."""
        place = self.place_of(media_s)
        if place + MAX_PACKET < self.done:
            return
        self._voices.setdefault(slot, Voice()).push(packet, place)

    def advance(self, until: int) -> "array[int]":
        """Return the samples from `done` up to `until` (a sample number) and move on."""
        if until <= self.done:
            return array("h")
        count = until - self.done
        for voice in self._voices.values():
            self._pieces.extend(voice.pull(until + REANCHOR))  # its own clock may place it that much earlier
        line = array("h", bytes(2 * count))
        later: deque[tuple[int, array[int]]] = deque()
        filled: list[tuple[int, int]] = []
        for place, samples in self._pieces:
            start, end = max(place, self.done), min(place + len(samples), until)
            if end > start:
                self._lay(line, filled, start - self.done, samples[start - place : end - place])
            if place + len(samples) > until:
                later.append((place, samples))
        self._pieces = later
        self.done = until
        return line

    @staticmethod
    def _lay(line: "array[int]", filled: list[tuple[int, int]], at: int, samples: "array[int]") -> None:
        """Put samples on the line: copied where it is still empty, mixed where it is not."""
        end = at + len(samples)
        if any(start < end and at < stop for start, stop in filled):
            line[at:end] = mix(line[at:end], samples)
        else:
            line[at:end] = samples
        filled.append((at, end))
