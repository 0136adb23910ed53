"""What is really in a recording: time codes of its pictures, beeps of its sound, and how they fit.

The playlist and its segments are fetched as a player would fetch them; each take (an init segment
and what follows it) is decoded by itself, its time stamps going on over the whole recording.
"""

import io
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from urllib.parse import urljoin

import av
from av.audio.resampler import AudioResampler

from bench.timecode import BEEP_EVERY_MS, TimeCode, read, wall_ms
from bench.tones import beeps, pitch_at

RATE = 16_000
STALE_S = 0.5  # a picture that stands longer than this tells nothing about the sound


@dataclass
class Take:
    """An init segment, and the media segments that need it, in order."""

    init: str
    segments: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Picture:
    """One decoded picture: when the player shows it (s), and what it says, if it can be read."""

    at_s: float
    code: TimeCode | None


@dataclass
class Contents:
    """Everything that was decoded of one take."""

    pictures: list[Picture]
    beeps: list[tuple[float, int]]  # seconds, pitch in Hz
    loudness: float  # mean square of full scale


def parse_playlist(text: str) -> tuple[list[Take], bool]:
    """Return a media playlist's takes, and whether it says that nothing will be added."""
    takes: list[Take] = []
    duration = 0.0
    for line in text.splitlines():
        if found := re.match(r'#EXT-X-MAP:URI="([^"]+)"', line):
            takes.append(Take(found.group(1)))
        elif found := re.match(r"#EXTINF:([0-9.]+)", line):
            duration = float(found.group(1))
        elif line and not line.startswith("#"):
            takes[-1].segments.append(line)
            takes[-1].seconds += duration
    return takes, "#EXT-X-ENDLIST" in text


def fetch_take(take: Take, playlist_url: str, get: Callable[[str], bytes]) -> bytes:
    """Return a take as one MP4 file."""
    return b"".join(get(urljoin(playlist_url, name)) for name in (take.init, *take.segments))


def decode_take(body: bytes) -> Contents:
    """Decode every picture and all sound of a take."""
    pictures: list[Picture] = []
    samples: list[float] = []
    begin_s: float | None = None
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(io.BytesIO(body), format="mp4") as container:
        for frame in container.decode(video=0):
            if frame.pts is None or frame.time_base is None:
                continue
            plane = frame.planes[0]
            code = read(bytes(plane), plane.line_size, frame.width, frame.height)
            pictures.append(Picture(float(frame.pts * frame.time_base), code))
    with av.open(io.BytesIO(body), format="mp4") as container:
        for sound in container.decode(audio=0) if container.streams.audio else ():
            if sound.pts is not None and sound.time_base is not None:
                at = float(sound.pts * sound.time_base)
                begin_s = at if begin_s is None else begin_s
                ahead = round((at - begin_s) * RATE) - len(samples)
                if ahead > RATE // 50:  # a hole in the sound: what follows keeps its place
                    samples.extend([0.0] * ahead)
            for piece in resampler.resample(sound):
                data = memoryview(bytes(piece.planes[0])[: piece.samples * 2]).cast("h")
                samples.extend(value / 32768 for value in data)
    found = [(at + (begin_s or 0.0), pitch) for at, pitch in beeps(samples, RATE)]
    loudness = sum(s * s for s in samples) / len(samples) if samples else 0.0
    return Contents(pictures, found, loudness)


def out_of_step_ms(
    pictures: Sequence[Picture], found: Sequence[tuple[float, int]], source: int, near_ms: int
) -> list[float]:
    """Return for each beep how much later than its picture it sounds (ms; negative: earlier).

    near_ms: wall clock of any moment of the day.  A beep of the source sounds when its clock
    passes a multiple of `BEEP_EVERY_MS`, and its pitch says which one of four; the picture shown
    at that moment says what the clock was.
    """
    readable = [p for p in pictures if p.code is not None]
    times = [p.at_s for p in readable]
    out = []
    for at, pitch in found:
        place = bisect_right(times, at) - 1
        if place < 0 or at - times[place] > STALE_S:
            continue
        code = readable[place].code
        if code is None or code.source != source:
            continue
        clock = wall_ms(code, near_ms) + (at - times[place]) * 1000
        nearest = round(clock / BEEP_EVERY_MS) * BEEP_EVERY_MS
        around = [nearest + step * BEEP_EVERY_MS for step in (-2, -1, 0, 1, 2)]
        out.append(min((clock - beep for beep in around if pitch_at(beep, BEEP_EVERY_MS) == pitch), key=abs))
    return out


def lasting_ms(values: Sequence[float], run: int = 5) -> float:
    """Return how far out of step the sound stays (ms): the worst median of `run` beeps in a row.

    A machine that stands still for a moment moves a beep or two; sound that is out of step goes on being so.
    """
    rows = [values[at : at + run] for at in range(max(1, len(values) - run + 1))]
    return max((median(row) for row in rows if row), key=abs, default=0.0)


def spread(values: Sequence[float]) -> dict[str, float | int] | None:
    """Return count, median and the largest magnitude; None of nothing."""
    if not values:
        return None
    return {"n": len(values), "median": round(median(values)), "max": round(max(values, key=abs))}
