"""Figures from what a watched video element showed. Pure.

A sample is [seen at (ms since 1970), source, code (ms modulo 2**32), marker, width]; `watch.js`
notes one for each picture whose code could be read.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from bench.timecode import TimeCode, wall_ms

Sample = Sequence[Any]


def of_source(samples: Sequence[Sample], source: int) -> list[Sample]:
    """Return the samples of one source."""
    return [sample for sample in samples if sample[1] == source]


def delay_ms(samples: Sequence[Sample]) -> int | None:
    """Return the median time from the clock in the picture to the eye; None of nothing."""
    if not samples:
        return None
    return round(median(sample[0] - _made_ms(sample) for sample in samples))


def first_made_after(samples: Sequence[Sample], moment_ms: float) -> int | None:
    """Return when the first picture was seen that was made after a moment, by the lecturer's clock."""
    return next((int(sample[0]) for sample in samples if _made_ms(sample) > moment_ms), None)


def longest_gap_ms(samples: Sequence[Sample], from_ms: float, to_ms: float) -> int:
    """Return the longest time without a new picture within an interval."""
    times = [from_ms, *(s[0] for s in samples if from_ms < s[0] < to_ms), to_ms]
    return round(max(after - before for before, after in pairwise(times)))


def moves(samples: Sequence[Sample]) -> bool:
    """Return whether the code goes on: a picture that stands still is not a live picture."""
    return len({sample[2] for sample in samples}) >= 3


def _made_ms(sample: Sample) -> int:
    return wall_ms(TimeCode(sample[1], sample[2], 0), int(sample[0]))
