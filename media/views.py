"""Views: one slot as one participant gets it, on the line all share or on a line of its own.

Nearly all viewers share the slot's line: its packets are rewritten once and only encrypted for each.
A viewer whose line or window is smaller gets another layer, and for that a line of its own, which
goes on from the shared one without a gap and comes back to it, with a constant shift, when the layer
is the same again. A line of its own may also pause: nothing is skipped, so the roll-over counter of
SRTP cannot lose its place.
"""

from __future__ import annotations

from bisect import insort
from typing import Any

from media.bandwidth import Layer
from media.slots import Slot
from media.sources import Publication

TILE_HEIGHT = 240  # pixels; a tile of the console never needs more unless its page asks


class View:
    """One slot of one receiving leg.  The fan-out reads `target`, `outbound` and `shift`."""

    __slots__ = (
        "_from", "_highest", "ceiling", "leg", "limit", "line", "outbound", "shift", "slot", "starved", "switches",
        "target",
    )  # fmt: skip

    def __init__(self, slot: Slot, leg: Any) -> None:
        """Look at the shared line; nothing is sent before `start`.  leg: the DownLeg it belongs to."""
        self.leg = leg
        self.slot = slot
        self.line = slot
        self.target: Any = None
        self.outbound: Any = None
        self.shift: tuple[int, int] | None = None
        self.ceiling: int | None = None  # pixels of height the page can use, 0: it shows nothing
        self.limit: int | None = None  # pixels of height the line carries, 0: no picture at all
        self.starved = False  # its TCP connection must drain first
        self.switches = 0  # of layers
        self._from: int | None = None  # sequence number before which losses do not count any more
        self._highest: int | None = None  # the viewer had got, at its last report

    @property
    def is_video(self) -> bool:
        """Return whether this is a picture."""
        return self.slot.kind == "video"

    @property
    def height(self) -> int | None:
        """Return the pixels of height wanted, None for as many as there are."""
        known = [h for h in (self.slot.ceiling if self.ceiling is None else self.ceiling, self.limit) if h is not None]
        return min(known, default=None)

    @property
    def position(self) -> tuple[int, int]:
        """Return the (sequence number, timestamp) this viewer's line has come to."""
        seq, ticks = self.line.position
        more_seq, more_ticks = self.shift or (0, 0)
        return (seq + more_seq) & 0xFFFF, (ticks + more_ticks) & 0xFFFFFFFF

    def mark(self) -> None:
        """Let losses count from here on only."""
        self._from = self.position[0]

    def is_news(self, highest: int) -> bool:
        """Return whether a receiver report tells of packets after the mark alone.

        highest: sequence number the viewer has got.  A report counts from the one before: the first after
        a mark still counts what was lost before it.
        """
        before, self._highest = self._highest, highest & 0xFFFF
        if before is None:
            return False
        if self._from is not None and (before - self._from) & 0xFFFF >= 0x8000:
            return False
        self._from = None
        return True

    def start(self) -> None:
        """Let packets flow."""
        if self not in self.line.viewers:
            insort(self.line.viewers, self, key=_socket)

    def stop(self) -> None:
        """Let no more packets flow."""
        if self in self.line.viewers:
            self.line.viewers.remove(self)
        if self.line is not self.slot:
            self.leg.parted -= 1
            self.line.retire()
            self.line = self.slot

    def arrange(self, publication: Publication | None, now: float) -> None:
        """Show the layer that fits: on the shared line where it carries that, else on an own one.

        publication: what the slot shall show; now: seconds.
        """
        if not self.is_video or self.outbound is None:
            return
        wanted = None
        if publication is not None and self.height != 0 and not self.starved:
            wanted = publication.pick(self.height, now, self.line.current)
        if self.line is self.slot:
            if publication is None or wanted is self.slot.wanted or self.slot.wanted is None:
                return
            self._part()
        if wanted is not self.line.wanted:
            self.switches += 1
        self.line.show(wanted, now)
        shift = self.line.distance(self.slot)
        if shift is not None:
            self._return(shift)

    def layers(self, publication: Publication | None, now: float) -> list[Layer]:
        """Return the sizes this picture can have, the smallest first."""
        if publication is None or self.ceiling == 0:
            return []
        top = self.slot.ceiling if self.ceiling is None else self.ceiling
        live = publication.live(now)
        fitting = [s for s in live if top is None or s.height <= top] or live[:1]
        return [Layer(max(1, s.height), s.bits_per_second) for s in fitting]

    def _part(self) -> None:
        self.leg.parted += 1
        self.slot.viewers.remove(self)
        self.line = self.slot.own_line(self.shift)
        self.line.viewers.append(self)
        self.shift = None

    def _return(self, shift: tuple[int, int]) -> None:
        self.leg.parted -= 1
        self.line.retire()
        self.line = self.slot
        self.shift = shift if shift != (0, 0) else None
        insort(self.slot.viewers, self, key=_socket)


def _socket(view: View) -> int:
    """Sort key: viewers of one socket in one run, so that each run is one system call."""
    return view.target.fd if view.target is not None else -1
