"""Beeps in a recording: where a short tone of a known pitch begins. Pure.

Each source has its own pitch, above most of what speech is made of, and the speech is lowered
while it sounds; a beep is found where its pitch holds most of the energy.
"""

import math
from collections.abc import Sequence

BEEP_MS = 120
PITCHES_HZ = (3100, 3500, 3900, 4300)  # the lecturer's beeps go through them, so that each is told from its neighbours
STEP_MS = 5
WINDOW_MS = 20
SHARE = 0.45  # of the energy in the window
LOUD = 0.01  # mean square of full scale, below which nothing is a beep


def pitch_of_source(source: int) -> int:
    """Return the pitch (Hz) of the beeps in a point's fake microphone."""
    return 2600 + 200 * (source % 12)


def pitch_at(wall_ms: int, every_ms: int) -> int:
    """Return the pitch (Hz) of the lecturer's beep at a multiple of `every_ms`."""
    return PITCHES_HZ[wall_ms // every_ms % len(PITCHES_HZ)]


def beeps(samples: Sequence[float], rate: int, pitches: Sequence[int] = PITCHES_HZ) -> list[tuple[float, int]]:
    """Return (seconds, pitch in Hz) where each beep begins, in order.

    samples: mono, -1..1, `rate` a second.
    """
    found: list[tuple[float, int]] = []
    step, size = rate * STEP_MS // 1000, rate * WINDOW_MS // 1000
    run = 0
    sounding = None
    for start in range(0, len(samples) - size, step):
        window = samples[start : start + size]
        energy = sum(s * s for s in window)
        pitch = _pitch(window, energy, rate, pitches) if energy > LOUD * size else None
        if pitch is not None and pitch == sounding:
            run += 1
        else:
            run, sounding = (1, pitch) if pitch is not None else (0, None)
        if run * STEP_MS == BEEP_MS // 3:
            # a window counts once about half of it sounds: the beep began in its middle
            found.append(((start - (run - 1) * step + size / 2) / rate, sounding or 0))
    return found


def _pitch(window: Sequence[float], energy: float, rate: int, pitches: Sequence[int]) -> int | None:
    best, share = max(((p, _power(window, rate, p)) for p in pitches), key=lambda pair: pair[1])
    return best if share > SHARE * energy else None


def _power(window: Sequence[float], rate: int, pitch: int) -> float:
    """Goertzel's algorithm: how much of the window's energy lies at this pitch."""
    factor = 2 * math.cos(2 * math.pi * pitch / rate)
    before = last = 0.0
    for sample in window:
        before, last = last, sample + factor * last - before
    return (before * before + last * last - factor * before * last) * 2 / len(window)
