"""How much picture a viewer's line carries, judged by what the viewer reports. Pure.

Down at once, up with care: a line that was too narrow is tried again with repeated packets, whose
loss harms nobody, before a larger picture is sent on it. Sound is never what is taken away.

Signals of a line that is too narrow: the viewer's own estimate falls (REMB) and a second sign
confirms it, a fifth of the packets is lost twice or half of them once, the round trip grows by
400 ms, a TCP connection's queue is full, or the viewer falls silent.
Source: draft-ietf-rmcat-gcc-02 sections 5.5 and 6 (what the estimate means).
"""

from dataclasses import dataclass

SILENT_S = 1.5  # a viewer that reported before and has not for this long: browsers report every second
CONFIRM_S = 1.5  # signs that confirm each other come within this
HOLD_S = 3.0  # after a step down nothing is tried for this long; doubled when a try failed
LONGEST_HOLD_S = 30.0
RETURN_HOLD_S = 0.4  # the same after silence: the line was away, not narrow
FAILED_S = 5.0  # congestion this soon after a step up means that the step was too much
CLEAN_S = 10.0  # at full size for this long without a sign: the line needs no budget any more
SLOW_S = 0.4  # growth of the round trip that tells of a full queue
PROBE_SLOW_S = 0.12  # the same while a try goes on, when the cause is known
PROBE_GROWTH = 1.5  # a try goes this much further than what is known to pass
PROBE_LEAST = 40_000  # bits per second a try adds at least
MARGIN = 1.05  # room above a layer's average rate


@dataclass(frozen=True)
class Layer:
    """One size a picture can have. height: pixels; bits_per_second: what it costs on the line."""

    height: int
    bits_per_second: int


class Bandwidth:
    """One viewer's line."""

    def __init__(self) -> None:
        """Begin without a limit."""
        self.budget: float | None = None  # bits per second for pictures and sound, None: no limit known
        self.rate = 0.0  # bits per second sent now, as last told
        self.round_trip_s: float | None = None
        self.loss = 0.0  # share of packets, last report
        self.steps_down = self.steps_up = 0
        self.probing = 0.0  # bits per second to be sent in all while a try goes on, else 0
        self._estimate: float | None = None
        self._fell_at = self._lossy_at = self._slow_at = self._congested_at = self._up_at = -1e9
        self._shortest: float | None = None
        self._loss_before = 0.0  # when a try began
        self._heard_at: float | None = None
        self._silent = False
        self._hold_s, self._hold_until = HOLD_S, 0.0

    # ---- what the viewer says ----

    def heard(self, now: float) -> None:
        """Take note of any report.  now: seconds."""
        if self._silent:  # back: try soon, and as if for the first time
            self._silent = False
            self._hold_s, self._hold_until = HOLD_S, now + RETURN_HOLD_S
            self._estimate = self._shortest = None
        self._heard_at = now

    def estimated(self, bits_per_second: int, now: float) -> bool:
        """Take the viewer's estimate.  Returns whether the line is too narrow."""
        before, self._estimate = self._estimate, bits_per_second
        fell = before is not None and bits_per_second < 0.97 * before and bits_per_second < 0.9 * self._sent
        if not fell:
            return False
        if self.probing:
            return self._try_failed(now)
        confirmed = now - max(self._fell_at, self._slow_at) < CONFIRM_S or self.loss > 0.05
        self._fell_at = now
        return confirmed and self.congested(bits_per_second, now)

    def reported(self, loss: float, round_trip_s: float | None, now: float) -> bool:
        """Take a receiver report.

        loss: share of packets over all lines, 0-1; round_trip_s: None when unknown.
        Returns whether the line is too narrow.
        """
        self.loss = loss
        narrow = False
        if not self._sent:  # nothing was sent that we know of: there is nothing to judge by
            return False
        if self.probing and (
            loss > self._loss_before + 0.1 or (round_trip_s or 0) > (self._shortest or 1e9) + PROBE_SLOW_S
        ):
            return self._try_failed(now)
        if round_trip_s is not None:
            self.round_trip_s = round_trip_s
            self._shortest = round_trip_s if self._shortest is None else min(self._shortest * 1.002, round_trip_s)
            if round_trip_s > self._shortest + SLOW_S:
                narrow = 0.2 < now - self._slow_at < CONFIRM_S and self.congested(self._sent * 0.7, now)
                self._slow_at = now
        if loss >= 0.5 or (loss >= 0.2 and 0.3 < now - self._lossy_at < 2 * CONFIRM_S):
            narrow = self.congested(self._sent * (1 - loss) * 0.9, now) or narrow
        if loss >= 0.2:
            self._lossy_at = now
        return narrow

    def congested(self, carries: float, now: float) -> bool:
        """Conclude that the line carries only so much.

        carries: bits per second.  Returns whether that is less than was thought.
        """
        failed = bool(self.probing) or now - self._up_at < FAILED_S
        self.probing = 0.0
        self._congested_at = now
        self._hold_s = min(LONGEST_HOLD_S, self._hold_s * 2) if failed else max(HOLD_S, self._hold_s)
        self._hold_until = now + self._hold_s
        if self.budget is not None and carries >= self.budget:
            return False
        self.budget = max(0.0, carries)
        self.steps_down += 1
        return True

    @property
    def _sent(self) -> float:
        return max(self.rate, self.probing)

    def _try_failed(self, now: float) -> bool:
        """End a try: what was known to pass still does."""
        assert self.budget is not None
        self.congested(self.budget, now)
        return False

    # ---- what follows ----

    def tick(self, now: float, rate: float, next_step: float | None) -> bool:
        """Think again; call about every 500 ms.

        rate: bits per second sent now; next_step: of everything with one picture a size larger, None
        when all have their full size.  Returns whether the budget changed.
        """
        self.rate = rate
        if self._heard_at is not None and now - self._heard_at > SILENT_S and not self._silent:
            self._silent = True
            return self.congested(0.0, now)
        if self.budget is None or self._silent or now < self._hold_until:
            return False
        if next_step is None:
            self.probing = 0.0
            if now - max(self._congested_at, self._up_at) > CLEAN_S:
                self.budget, self._hold_s = None, HOLD_S
                return True
            return False
        if self.probing:
            self.budget = max(self.budget, self.probing)
        if self.budget >= next_step * MARGIN:
            self.probing = 0.0
            self._up_at, self._hold_until = now, now + 1.0
            self.steps_up += 1
            return True
        if not self.probing:
            self._loss_before = self.loss
        known = max(self.budget, rate)
        self.probing = min(next_step * MARGIN, max(known * PROBE_GROWTH, known + PROBE_LEAST))
        return False

    def share(self, sound: float, pictures: list[list[Layer]]) -> list[int | None]:
        """Return the largest height each picture may have, None without limit, 0: not at all.

        sound: bits per second of what is heard; pictures: the sizes of each, the smallest first, the
        most important picture first.  Every picture gets its smallest size before one gets a larger.
        """
        if self.budget is None:
            return [None] * len(pictures)
        left = self.budget - sound
        chosen = [-1] * len(pictures)
        for step in range(max(map(len, pictures), default=0)):
            for i, layers in enumerate(pictures):
                if step >= len(layers) or chosen[i] != step - 1:
                    continue
                more = layers[step].bits_per_second - (layers[step - 1].bits_per_second if step else 0)
                if more <= left:
                    left -= more
                    chosen[i] = step
        return [layers[c].height if c >= 0 else 0 for c, layers in zip(chosen, pictures, strict=True)]


def next_step(sound: float, pictures: list[list[Layer]], heights: list[int]) -> float | None:
    """Return the rate with the most important picture that is not at full size one size larger.

    heights: what each has now, 0: nothing.  Returns bits per second, None when all are at full size.
    """
    total, step = sound, None
    for layers, height in zip(pictures, heights, strict=True):
        now = max((i for i, layer in enumerate(layers) if layer.height <= height and height), default=-1)
        total += layers[now].bits_per_second if now >= 0 else 0
    for wanted in range(max(map(len, pictures), default=0)):
        for layers, height in zip(pictures, heights, strict=True):
            now = max((i for i, layer in enumerate(layers) if layer.height <= height and height), default=-1)
            if now == wanted - 1 and wanted < len(layers) and step is None:
                more = layers[wanted].bits_per_second - (layers[now].bits_per_second if now >= 0 else 0)
                step = total + more
    return step
