"""Sources: one incoming stream each, with its clock, its losses and its key frames. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from media import rtcp
from media.rtp import AUDIO_HZ, VIDEO_HZ, Incoming, starts_key_frame

if TYPE_CHECKING:
    from media.slots import Slot

MAX_GAP = 128  # a larger hole is not repaired packet by packet: a key frame is asked for
NACK_AFTER_S = 0.01  # reordering on real lines is over by then
NACK_EVERY_S = 0.08
NACK_TRIES = 4
CLOCK_SAMPLES = 16  # sender reports looked at for the smallest delay


class Source:
    """One publication's stream as it arrives."""

    def __init__(self, publication: str, codec: str, ssrc: int, send: Callable[[bytes], None], now: float) -> None:
        """Start at the first packet.

        publication: `peer/kind`; codec: `opus`, `H264` or `VP8`; send: takes one RTCP packet for the
        publisher; now: seconds.
        """
        self.publication = publication
        self.codec = codec
        self.ssrc = ssrc
        self.is_audio = codec == "opus"
        self.clock = AUDIO_HZ if self.is_audio else VIDEO_HZ
        self.slots: set[Slot] = set()
        self.started_at = now
        self.last_at = now
        self.packets = 0
        self.key_frames = 0
        self.reference: tuple[float, int] | None = None  # (node time, RTP ticks) of the last sender report
        self._send = send
        self._asked_at = -1e9
        self._highest: int | None = None
        self._missing: dict[int, tuple[float, int]] = {}  # seq -> (ask again at, tries)
        self._delays: deque[float] = deque(maxlen=CLOCK_SAMPLES)
        self._first: tuple[float, int] | None = None

    def arrived(self, packet: Incoming, now: float) -> None:
        """Count a packet: losses, key frames, first clock guess."""
        self.last_at = now
        self.packets += 1
        if not self.is_audio:
            packet.key = starts_key_frame(self.codec, packet.payload)
            self.key_frames += packet.key
            self._watch_losses(packet.seq, now)
        if self._first is None:
            self._first = (now, packet.timestamp)

    def _watch_losses(self, seq: int, now: float) -> None:
        if self._highest is None:
            self._highest = seq
            return
        ahead = (seq - self._highest) & 0xFFFF
        if ahead == 0 or ahead >= 0x8000:
            self._missing.pop(seq, None)
            return
        if ahead > MAX_GAP:
            self._missing.clear()
            self.ask_key_frame(now, 0.3)
        else:
            for lost in range(1, ahead):
                self._missing[(self._highest + lost) & 0xFFFF] = (now + NACK_AFTER_S, 0)
        self._highest = seq

    def repair(self, now: float) -> None:
        """Ask the publisher for what is missing; call about every 20 ms."""
        if not self._missing:
            return
        due = []
        for seq, (at, tries) in list(self._missing.items()):
            if tries >= NACK_TRIES:
                del self._missing[seq]
            elif at <= now:
                due.append(seq)
                self._missing[seq] = (now + NACK_EVERY_S, tries + 1)
        if due:
            base = due[0]
            due.sort(key=lambda seq: (seq - base) & 0xFFFF)
            self._send(rtcp.nack(self.ssrc, due))

    def ask_key_frame(self, now: float, min_gap_s: float) -> None:
        """Ask the publisher for a key frame, unless one was asked for less than min_gap_s ago."""
        if not self.is_audio and now - self._asked_at >= min_gap_s:
            self._asked_at = now
            self._send(rtcp.pli(self.ssrc))

    def report(self, report: rtcp.SenderReport, now: float) -> None:
        """Tie the publisher's clock to ours: the report with the smallest delay tells the offset."""
        self._delays.append(now - report.ntp)
        self.reference = (report.ntp + min(self._delays), report.rtp)

    def captured_at(self, timestamp: int) -> float:
        """Return the node time (seconds) at which a packet's content was captured.

        timestamp: 32-bit RTP ticks of the source.  Before the first sender report the first packet's
        arrival stands in for its capture.
        """
        at, ticks = self.reference or self._first or (self.last_at, timestamp)
        ahead = (timestamp - ticks) & 0xFFFFFFFF
        if ahead >= 0x80000000:
            ahead -= 1 << 32
        return at + ahead / self.clock
