"""What a playlist tells of a recording."""

import pytest

from media.playlist import Segment, playlist
from replays.facts import Coverage, Recorded, Stretch, coverage, read_playlist

START = 1_772_416_800_000


def test_our_own_playlist_is_read_back() -> None:
    pieces = [Segment(0, START, 2000, 0), Segment(1, START + 2000, 2040, 0), Segment(2, START + 9000, 1500, 1)]
    recorded = read_playlist(playlist(pieces, ended=True))
    assert recorded == Recorded((Stretch(START, 4040), Stretch(START + 9000, 1500)), is_closed=True)
    assert recorded.duration_ms == 5540
    assert not read_playlist(playlist(pieces, ended=False)).is_closed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#EXTM3U\nsegment.m4s\n",
        "#EXT-X-PROGRAM-DATE-TIME:yesterday\n#EXTINF:2.0,\na.m4s",
        "#EXT-X-PROGRAM-DATE-TIME:2026-03-02T02:00:00\n#EXTINF:2.0,\nnaive.m4s",
        "#EXT-X-PROGRAM-DATE-TIME:2026-03-02T02:00:00Z\n#EXTINF:long,\na.m4s",
        "#EXT-X-PROGRAM-DATE-TIME:2026-03-02T02:00:00Z\n#EXTINF:inf,\na.m4s",
    ],
)
def test_what_cannot_be_read_is_left_out(text: str) -> None:
    assert read_playlist(text).stretches == ()


@pytest.mark.parametrize(
    ("stretches", "kept_s", "lost_s"),
    [
        ([(0, 60)], 60, 0),  # all of it
        ([(-5, 70)], 60, 0),  # began before and went on after
        ([(1, 58)], 58, 2),
        ([(0, 20), (25, 35)], 55, 5),  # a hole
        ([(-30, 20)], 0, 60),  # only before the class
        ([], 0, 60),
    ],
)
def test_only_the_time_of_the_class_counts(stretches: list[tuple[int, int]], kept_s: float, lost_s: float) -> None:
    recorded = Recorded(tuple(Stretch(START + at * 1000, length * 1000) for at, length in stretches))
    assert coverage(recorded, START, START + 60_000) == Coverage(kept_s, lost_s)
