"""What a node has counted since it started; legs and rooms come and go, these numbers only grow."""

from bisect import bisect_left
from dataclasses import dataclass, field

DELAYS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
ROUND_TRIPS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
LOSSES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


class Histogram:
    """How often a value was within each bound."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Begin with nothing.  bounds: rising; one more without an end follows the last."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value; it belongs to the first bound that is not smaller."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return (bound, how many values are not above it), as Prometheus wants them."""
        rows, total = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            rows.append((bound, float(total)))
        return rows


@dataclass
class Tally:
    """One node's counters."""

    nacks: int = 0  # packets that viewers asked for again
    unrepaired: int = 0  # of them gone
    key_frame_requests: int = 0  # sent to publishers
    layer_switches: int = 0
    slot_switches: int = 0
    recorder_dropped: int = 0  # packets a recorder did not take in time
    delays: Histogram = field(default_factory=lambda: Histogram(DELAYS_S))  # seconds from reading to the last copy
    round_trips: Histogram = field(default_factory=lambda: Histogram(ROUND_TRIPS_S))  # seconds, viewers' reports
    losses: Histogram = field(default_factory=lambda: Histogram(LOSSES))  # shares, viewers' reports
