"""The program: one picture line that follows the floor, whatever the sources do.

It shows the guest while somebody has the floor, else the stage; changes at a key frame of the
wanted source and keeps the old picture till then; and holds the last key frame when nothing
comes, so that sound is kept while there is no picture. Pure: time is an argument.
"""

from collections import deque
from dataclasses import replace

from media.depacketise import Frame

HOLD_S = 1.0  # without a new picture for this long, the last key frame is shown again
KEY_EVERY_S = 2.0  # browsers send key frames only when asked; segments are cut at them
ASK_AGAIN_S = 0.5  # a request or its answer may be lost
TICK_S = 1 / 90_000


class Program:
    """The frames to record, in strictly rising time."""

    def __init__(self, start_s: float, black: Frame) -> None:
        """Begin a program.

        start_s: media time of its first picture, seconds since 1970;
        black: key frame to show when no source has sent any.
        """
        self.wanted = "stage"
        self.current: str | None = None
        self._start_s = start_s
        self._hold = black
        self._queue: deque[Frame] = deque()
        self._queued_s = start_s - TICK_S
        self._shown_s: float | None = None
        self._needs_key = True
        self._key_s = start_s  # when the current source last gave a key frame
        self._asked: dict[str, float] = {}

    def want(self, slot: str) -> None:
        """Show this slot as soon as it sends a key frame."""
        self.wanted = slot

    def push(self, slot: str, frame: Frame) -> None:
        """Take a frame of a slot; only those of the shown or the wanted slot matter."""
        if slot == self.wanted and slot != self.current and frame.is_key:
            self.current = slot
            self._needs_key = False
        if slot != self.current:
            return
        if frame.is_key:
            self._key_s = frame.media_s
            self._needs_key = False
        if self._needs_key:
            return
        # Two sources' clocks meet here; going back by their difference would make time run backwards.
        at = max(frame.media_s, self._queued_s + TICK_S)
        self._queued_s = at
        self._queue.append(replace(frame, media_s=at))

    def take(self, until_s: float) -> list[Frame]:
        """Return the frames to show up to a moment, held ones included.

        until_s: media time, seconds; must not go back.
        """
        out: list[Frame] = []
        while self._queue and self._queue[0].media_s <= until_s:
            frame = self._queue.popleft()
            if self._shown_s is None and frame.media_s > self._start_s + TICK_S:
                out.append(replace(frame, media_s=self._start_s))
            out.append(frame)
            self._shown_s = frame.media_s
            if frame.is_key:
                self._hold = frame
        if not self._queue:
            out.extend(self._holds(until_s))
        return out

    def _holds(self, until_s: float) -> list[Frame]:
        held = []
        if self._shown_s is None and until_s - self._start_s >= HOLD_S:
            held.append(replace(self._hold, media_s=self._start_s))
            self._shown_s = self._start_s
        while self._shown_s is not None and until_s - self._shown_s > HOLD_S + TICK_S:
            self._shown_s += HOLD_S
            held.append(replace(self._hold, media_s=self._shown_s))
            self._needs_key = True  # what the source sends next refers to pictures before the held one
        self._queued_s = max(self._queued_s, self._shown_s or self._queued_s)
        return held

    def key_requests(self, now_s: float, broken: frozenset[str]) -> list[str]:
        """Return the slots to be asked for a key frame now.

        now_s: media time, seconds; broken: slots whose stream lost packets.
        """
        needed = set()
        if self.wanted != self.current:
            needed.add(self.wanted)
        if self.current is not None and (
            self._needs_key or self.current in broken or now_s - self._key_s >= KEY_EVERY_S
        ):
            needed.add(self.current)
        due = [slot for slot in sorted(needed) if now_s - self._asked.get(slot, -ASK_AGAIN_S) >= ASK_AGAIN_S]
        for slot in due:
            self._asked[slot] = now_s
        return due
