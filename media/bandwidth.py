"""How much picture a viewer's line carries, judged by what the viewer reports. Pure.

Down at once, up with care: a line that was too narrow is measured with a train of padding
(`media.trains`) before a larger picture is sent on it. Sound is never what is taken away.

Signals of a line that is too narrow: the viewer's own estimate falls (REMB) and a second sign
confirms it, a quarter of the packets is lost twice or half of them once, the round trip grows by
400 ms, a TCP connection's queue is full, or the viewer falls silent. Random loss can look like the
first, second and fourth of these: they only raise a doubt, and a train that comes back at once at the
rate that is sent settles it. What does not come back in time was held up by a full queue.
Source: draft-ietf-rmcat-gcc-02 sections 5.5 and 6 (what the estimate means).
"""

from dataclasses import dataclass

SILENT_S = 3.0  # a viewer that reported before and has not for this long: browsers report each 0.5-1.5 s
CONFIRM_S = 1.5  # signs that confirm each other come within this
HOLD_S = 3.0  # after a step down nothing is tried for this long; doubled when a step up was too much
LONGEST_HOLD_S = 30.0
MEASURED_HOLD_S = 4.0  # a line found too narrow by a train is measured again after this
FAILED_S = 5.0  # congestion this soon after a step up means that the step was too much
STEP_S = 1.0  # a step up is watched for this long before the next
CLEAN_S = 10.0  # at full size for this long without a sign: the line needs no budget any more
LOSSY = 0.25  # share lost that tells of a narrow line; at 10 % random loss one report in some tells of 21
SLOW_S = 0.4  # growth of the round trip that tells of a full queue
DOUBT_S = 0.35  # beyond a round trip, a train that shall settle a doubt is waited for: viewers report each 50-250 ms
CLEARED_S = 2.0  # after a doubt was settled well, the same signs raise none for this long
LOSSY_REPORTS = 4  # so many bad reports in a row need no train: it passes where a policer lets short bursts through
USABLE = 0.85  # of a measured width: the rest is for other traffic, repairs and the measure's own error
WIDER = 1.5  # a width that grew by this may be limited by the train's length: a longer one follows at once
LEAST_SHARE = 0.75  # the smallest picture stays while the budget is this much of what it takes: estimates come low
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
        self.can_measure = True  # the viewer tells when packets of a train came
        self.wants_train = False
        self.width = 0.0  # bits per second, as measured last
        self._estimate: float | None = None
        self._fell_at = self._lossy_at = self._slow_at = self._congested_at = self._up_at = -1e9
        self._doubt: tuple[float, float] | None = None  # what the line seems to carry, until when a train may answer
        self._cleared_at, self._lossy_reports = -1e9, 0
        self._shortest: float | None = None
        self._heard_at: float | None = None
        self._silent = False
        self._hold_s, self._hold_until = HOLD_S, 0.0

    # ---- what the viewer says ----

    @property
    def is_silent(self) -> bool:
        """Return whether nothing was heard of a viewer that spoke before."""
        return self._silent

    @property
    def is_in_doubt(self) -> bool:
        """Return whether a train is to tell if the line carries what is sent now."""
        return self._doubt is not None

    def heard(self, now: float) -> bool:
        """Take note of any sign of life.  now: seconds.  Returns whether the viewer was silent and is back."""
        self._heard_at = now
        if not self._silent:
            return False
        self._silent = False
        self._hold_s, self._hold_until = HOLD_S, now  # the line was away, not narrow: measure at once
        self._estimate = self._shortest = None
        self.wants_train = self.can_measure
        return True

    def estimated(self, bits_per_second: int, now: float) -> bool:
        """Take the viewer's estimate.  Returns whether the line is too narrow."""
        before, self._estimate = self._estimate, bits_per_second
        if before is None or bits_per_second >= 0.97 * before or bits_per_second >= 0.9 * self.rate:
            return False
        confirmed = now - max(self._fell_at, self._slow_at) < CONFIRM_S or self.loss > LOSSY
        self._fell_at = now
        return confirmed and self._suspect(bits_per_second, now)

    def reported(self, loss: float, round_trip_s: float | None, now: float) -> bool:
        """Take a receiver report.

        loss: share of packets over all lines, 0-1, of what was sent since the last step; round_trip_s:
        None when unknown.  Returns whether the line is too narrow.
        """
        self.loss = loss
        narrow = False
        if not self.rate:  # nothing was sent that we know of: there is nothing to judge by
            return False
        if round_trip_s is not None:
            self.round_trip_s = round_trip_s
            self._shortest = round_trip_s if self._shortest is None else min(self._shortest * 1.002, round_trip_s)
            if round_trip_s > self._shortest + SLOW_S:
                narrow = 0.2 < now - self._slow_at < CONFIRM_S and self._suspect(self.rate * 0.7, now)
                self._slow_at = now
        again = 0.3 < now - self._lossy_at < 2 * CONFIRM_S or now - max(self._fell_at, self._slow_at) < CONFIRM_S
        self._lossy_reports = self._lossy_reports + 1 if loss >= LOSSY else 0
        if loss >= 2 * LOSSY or self._lossy_reports >= LOSSY_REPORTS:
            narrow = self.congested(self.rate * (1 - loss) * 0.9, now) or narrow
        elif loss >= LOSSY and again:
            narrow = self._suspect(self.rate * (1 - loss) * 0.9, now) or narrow
        if loss >= LOSSY:
            self._lossy_at = now
        return narrow

    def _suspect(self, carries: float, now: float) -> bool:
        """Have a train settle whether the line is too narrow, or conclude it where none can."""
        if not self.can_measure:
            return self.congested(carries, now)
        if self._doubt is None and now - self._cleared_at > CLEARED_S:
            self._doubt = (carries, now + DOUBT_S + (self._shortest or 0.0))
            self.wants_train = True
        return False

    def decide(self, now: float) -> bool:
        """Stop waiting for a train that a full queue holds up; call about every 80 ms.

        now: seconds.  Returns whether the budget changed.
        """
        if self._doubt is None or now < self._doubt[1]:
            return False
        return self.congested(self._doubt[0], now)

    def _settle(self, carries: float, width: float, now: float) -> bool:
        if USABLE * width >= self.rate:
            self._doubt, self._cleared_at = None, now
            return False
        return self.congested(USABLE * width if width else carries, now)

    def measured(self, width: float, now: float, next_step: float | None) -> bool:
        """Take what a train found.

        width: bits per second; next_step: see `tick`.  Returns whether the budget changed.
        """
        before, self.width = self.width, width
        self.wants_train = False
        if self._doubt is not None:
            return self._settle(self._doubt[0], width, now)
        if self.budget is None or next_step is None or self._silent:
            return False
        if USABLE * width >= next_step * MARGIN:
            self.budget = max(self.budget, USABLE * width)
            self._stepped_up(now)
            return True
        if width > WIDER * before:
            self.wants_train = True
        else:
            self._hold_until = now + MEASURED_HOLD_S
        return False

    def congested(self, carries: float, now: float) -> bool:
        """Conclude that the line carries only so much.

        carries: bits per second.  Returns whether that is less than was thought.
        """
        failed = now - self._up_at < FAILED_S
        self.wants_train, self._doubt = False, None
        self._congested_at = now
        self._hold_s = min(LONGEST_HOLD_S, self._hold_s * 2) if failed else max(HOLD_S, self._hold_s)
        self._hold_until = now + self._hold_s
        if self.budget is not None and carries >= self.budget:
            return False
        self.budget = self.width = max(0.0, carries)
        self.steps_down += 1
        return True

    def _stepped_up(self, now: float) -> None:
        self._up_at, self._hold_until = now, now + STEP_S
        self.steps_up += 1

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
        if self.budget is None or self._silent or self._doubt is not None:
            return False
        if next_step is None:
            if now - max(self._congested_at, self._up_at) > CLEAN_S:
                self.budget, self._hold_s = None, HOLD_S
                return True
            return False
        if now < self._hold_until:
            return False
        if not self.can_measure:
            self.budget = max(self.budget, next_step * MARGIN)
        if self.budget >= next_step * MARGIN:
            self._stepped_up(now)
            return True
        self.wants_train = True
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
                least = step == 0 and left == self.budget - sound and LEAST_SHARE * (sound + more) <= self.budget
                if more <= left or least:
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
