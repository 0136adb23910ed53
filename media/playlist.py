"""HLS playlists from segment names: every fact is in the name, so a folder listing is enough.

Pure text. **Source:** RFC 8216, and section 4.4 of draft-pantos-hls-rfc8216bis.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

MASTER = "master.m3u8"
PROGRAM = "program.m3u8"
FOLDER = "program"
TARGET_S = 4  # promised longest segment; a longer one raises it
TOLERANCE_MS = 100  # times are rounded to milliseconds; more than this between two segments is a hole
AUDIO_CODEC = "mp4a.40.2"  # AAC-LC
_SEGMENT = re.compile(r"^(\d{6,})_(\d{10,16})_(\d{1,8})_(\d{1,6})\.m4s$")
_INIT = re.compile(r"^init_(\d{1,6})\.mp4$")


@dataclass(frozen=True, order=True)
class Segment:
    """One piece of a recording, as its file name tells it."""

    number: int  # counts up from 0 over the whole recording
    start_ms: int  # wall clock of its first picture, since 1970
    duration_ms: int
    take: int  # which init segment it belongs to

    @property
    def name(self) -> str:
        """Return the file name."""
        return f"{self.number:06}_{self.start_ms}_{self.duration_ms}_{self.take}.m4s"

    @property
    def end_ms(self) -> int:
        """Return the wall clock of its end."""
        return self.start_ms + self.duration_ms


@dataclass(frozen=True)
class Rendition:
    """What the master playlist must say of the stream."""

    codec: str  # of the picture, such as `avc1.42C01F`
    width: int
    height: int


def init_name(take: int) -> str:
    """Return the file name of a take's init segment."""
    return f"init_{take}.mp4"


def parse_segment(name: str) -> Segment | None:
    """Return the facts in a segment's file name, or None when it is not one."""
    found = _SEGMENT.match(name)
    return Segment(*(int(group) for group in found.groups())) if found else None


def parse_init(name: str) -> int | None:
    """Return the take of an init segment's file name, or None when it is not one."""
    found = _INIT.match(name)
    return int(found.group(1)) if found else None


def segments_of(names: Iterable[str]) -> list[Segment]:
    """Return the playable segments among file names.

    names: a listing of the program folder, any order.  A segment without its init is left out.
    """
    listing = list(names)
    takes = {take for take in map(parse_init, listing) if take is not None}
    found = sorted(segment for segment in map(parse_segment, listing) if segment is not None)
    return [segment for segment in found if segment.take in takes and segment.duration_ms > 0]


def playlist(segments: Iterable[Segment], *, ended: bool) -> str:
    """Return the media playlist: EVENT while the class goes on, VOD with an end afterwards.

    segments: in order; ended: whether nothing will be added.
    A discontinuity stands where the take changes and where time is missing.
    """
    pieces = list(segments)
    longest_ms = max((piece.duration_ms for piece in pieces), default=0)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(TARGET_S, math.floor(longest_ms / 1000 + 0.5))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{'VOD' if ended else 'EVENT'}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    before: Segment | None = None
    for piece in pieces:
        lines += _entry(before, piece)
        before = piece
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def _entry(before: Segment | None, piece: Segment) -> list[str]:
    lines = []
    if before is not None and breaks(before, piece):
        lines.append("#EXT-X-DISCONTINUITY")
    if before is None or before.take != piece.take:
        lines.append(f'#EXT-X-MAP:URI="{FOLDER}/{init_name(piece.take)}"')
    at = datetime.fromtimestamp(piece.start_ms / 1000, UTC).isoformat(timespec="milliseconds")
    lines += [
        f"#EXT-X-PROGRAM-DATE-TIME:{at.replace('+00:00', 'Z')}",
        f"#EXTINF:{piece.duration_ms / 1000:.3f},",
        f"{FOLDER}/{piece.name}",
    ]
    return lines


def breaks(before: Segment, piece: Segment) -> bool:
    """Return whether a player must start anew between two neighbours."""
    return before.take != piece.take or abs(piece.start_ms - before.end_ms) > TOLERANCE_MS


def master(renditions: Iterable[Rendition], peak_bps: int) -> str:
    """Return the master playlist of one variant.

    renditions: one per take; the variant names every codec string and the largest picture;
    peak_bps: highest bit rate of a segment.
    """
    known = list(renditions)
    codecs = sorted({rendition.codec for rendition in known}) or ["avc1.42C01F"]
    largest = max(known, key=lambda r: r.width * r.height, default=None)
    attributes = [f"BANDWIDTH={max(peak_bps, 128_000)}", f'CODECS="{_strongest(codecs)},{AUDIO_CODEC}"']
    if largest is not None:
        attributes.append(f"RESOLUTION={largest.width}x{largest.height}")
    return "\n".join(
        [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            f"#EXT-X-STREAM-INF:{','.join(attributes)}",
            PROGRAM,
            "",
        ]
    )


def _strongest(codecs: list[str]) -> str:
    """Return the codec string that asks most of a decoder: one variant may name one H.264 string.

    Players open their decoder by it; High before Main before Baseline, then the higher level.
    """
    return max(codecs, key=lambda codec: (int(codec[5:7], 16), int(codec[9:11], 16)))
