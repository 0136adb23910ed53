"""What was recorded, and what was lost, from the playlist alone. Pure.

**Source:** RFC 8216 sections 4.3.2.1 (EXTINF), 4.3.2.6 (EXT-X-PROGRAM-DATE-TIME), 4.3.3.4 (ENDLIST).
"""

from dataclasses import dataclass
from datetime import datetime

from core.clock import to_ms

JOIN_MS = 100  # two segments this near to each other are one stretch


@dataclass(frozen=True)
class Stretch:
    """A time of the class that was kept without a hole."""

    start_ms: int  # wall clock since 1970
    duration_ms: int

    @property
    def end_ms(self) -> int:
        """Return the wall clock of its end."""
        return self.start_ms + self.duration_ms


@dataclass(frozen=True)
class Recorded:
    """What a playlist says."""

    stretches: tuple[Stretch, ...] = ()
    is_closed: bool = False

    @property
    def duration_ms(self) -> int:
        """Return the length of the recording."""
        return sum(stretch.duration_ms for stretch in self.stretches)


def read_playlist(text: str) -> Recorded:
    """Read a media playlist of ours; lines that are not understood are skipped.

    text: the M3U8 file.  Returns its stretches in order, neighbours without a hole joined.
    """
    stretches: list[Stretch] = []
    at_ms = duration_ms = None
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "#EXT-X-PROGRAM-DATE-TIME":
            at_ms = _moment_ms(value)
        elif name == "#EXTINF":
            duration_ms = _length_ms(value)
        elif line and not line.startswith("#") and at_ms is not None and duration_ms:
            _add(stretches, Stretch(at_ms, duration_ms))
            at_ms = duration_ms = None
    return Recorded(tuple(stretches), "#EXT-X-ENDLIST" in text)


def _add(stretches: list[Stretch], piece: Stretch) -> None:
    before = stretches[-1] if stretches else None
    if before is not None and abs(piece.start_ms - before.end_ms) <= JOIN_MS:
        stretches[-1] = Stretch(before.start_ms, before.duration_ms + piece.duration_ms)
    else:
        stretches.append(piece)


def _moment_ms(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return to_ms(moment) if moment.tzinfo is not None else None


def _length_ms(text: str) -> int:
    try:
        return round(float(text.split(",", maxsplit=1)[0]) * 1000)
    except (ValueError, OverflowError):
        return 0


@dataclass(frozen=True)
class Coverage:
    """How much of a class was kept."""

    recorded_s: float
    lost_s: float


def coverage(recorded: Recorded, started_ms: int, ended_ms: int) -> Coverage:
    """Compare a recording with the time of the class.

    started_ms, ended_ms: wall clock since 1970.  Returns seconds of the class that were kept and
    that were not; what was recorded before or after the class counts as neither.
    """
    kept_ms = sum(
        max(0, min(stretch.end_ms, ended_ms) - max(stretch.start_ms, started_ms)) for stretch in recorded.stretches
    )
    class_ms = max(0, ended_ms - started_ms)
    return Coverage(kept_ms / 1000, max(0, class_ms - kept_ms) / 1000)
