"""What a viewer saw and heard between two moments, from what its page wrote down. Pure; times are Unix milliseconds."""

import itertools
from collections import Counter
from statistics import median
from typing import Any

BLOCK_MS = 20.0  # of sound, per level
QUIET = 0.3  # of the usual level: below it the tone is not heard
STEADY_FRAMES, STEADY_MS = 4, 1000.0  # so many pictures in so short a time: the picture is back, not one stray
STEADY_SOUND_MS = 100.0
MOSTLY = 0.9  # of what was played between two statistics: it was made up all the time
SAMPLES_HZ = 48_000
NOTHING: dict[str, float] = {}

Frames = list[tuple[float, int]]
Levels = list[tuple[float, float]]
Stats = list[dict[str, Any]]


def usual(levels: Levels) -> float:
    """Return the level of the tone when it is heard."""
    return median([level for _, level in levels if level > 0] or [0.0])


def silences(levels: Levels, start: float, end: float, tone: float) -> list[tuple[float, float]]:
    """Return (begin, length in ms) of each silence between start and end.

    tone: the level when the tone is heard, see `usual`.
    """
    found: list[tuple[float, float]] = []
    for at, level in levels:
        if not start <= at < end or level >= QUIET * tone:
            continue
        if found and at - sum(found[-1]) < BLOCK_MS:
            found[-1] = (found[-1][0], at + BLOCK_MS - found[-1][0])
        else:
            found.append((at, BLOCK_MS))
    return found


def concealments(stats: Stats, start: float, end: float) -> list[tuple[float, float]]:
    """Return (begin, length in ms) of each time in which what was played was made up, for want of packets.

    It is seen earlier than silence: a steady tone is continued by the browser for a while. What is
    known is how much was made up between two statistics: it counts as one piece where they touch, so the
    length is the longest that can have been.
    """
    found: list[tuple[float, float]] = []
    joins = False  # the piece before may reach up to here
    rows = [row for row in stats if start <= row["at"] < end and "totalSamplesReceived" in row.get("audio", NOTHING)]
    for before, row in itertools.pairwise(rows):
        played, made_up = (row["audio"][n] - before["audio"][n] for n in ("totalSamplesReceived", "concealedSamples"))
        if made_up <= 0 or played <= 0:
            joins = False
            continue
        length = 1000 * made_up / SAMPLES_HZ
        if joins:
            found[-1] = (found[-1][0], found[-1][1] + length)
        else:
            found.append((before["at"], length))
        if joins and made_up < MOSTLY * played:
            found.append((before["at"], length))  # it ends in here; what is made up may also begin another
        joins = True
    return found


def longest(gaps: list[tuple[float, float]]) -> int:
    """Return the length (ms) of the longest gap, 0 when there is none."""
    return round(max((length for _, length in gaps), default=0.0))


def height(frames: Frames, start: float, end: float) -> int:
    """Return the height (pixels) most pictures had between start and end, 0 when none was shown."""
    counted = Counter(h for at, h in frames if start <= at < end)
    return counted.most_common(1)[0][0] if counted else 0


def growth(stats: Stats, kind: str, name: str, start: float, end: float) -> float:
    """Return by how much a counter grew.  kind: `audio` or `video`; name: of getStats."""
    values = [row[kind][name] for row in stats if start <= row["at"] < end and name in row.get(kind, NOTHING)]
    return float(values[-1] - values[0]) if values else 0.0


def picture_back(frames: Frames, since: float) -> float | None:
    """Return the time (ms) from `since` to the first picture of a steady run, None when there is none."""
    times = [at for at, _ in frames if at >= since]
    for first, last in zip(times, times[STEADY_FRAMES - 1 :], strict=False):
        if last - first <= STEADY_MS:
            return first - since
    return None


def sound_back(levels: Levels, since: float, tone: float) -> float | None:
    """Return the time (ms) from `since` until the tone is heard steadily, None when it is not.  tone: see `usual`."""
    begun: float | None = None
    for at, level in levels:
        if at < since:
            continue
        if level < QUIET * tone:
            begun = None
        elif begun is None:
            begun = at
        elif at + BLOCK_MS - begun >= STEADY_SOUND_MS:
            return begun - since
    return None
