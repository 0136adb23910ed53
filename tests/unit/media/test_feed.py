"""What a recorder says becomes what the web side is told."""

import time
from pathlib import Path

import pytest

from media import control, frames
from media.feed import EARLY_S, LATE_S, Recording
from media.tally import Tally


def test_a_recorder_is_understood_and_rubbish_is_not_believed(tmp_path: Path) -> None:
    asked: list[str] = []
    told: list[control.Message] = []
    recording = Recording(tmp_path, asked.append, told.append)
    segment = {"track": "program", "name": "000000_1_2_0.m4s", "started_ms": 1, "duration_ms": 2}
    for said in (
        {"ready": True},
        {"keyframe": "stage"},
        {"problem": "unsupported_codec", "detail": "98"},
        {"problem": "disk_full", "detail": "no space"},
        {"solved": "disk_full"},
        {"segment": segment},
        {"lag_ms": 12, "dropped": 0},
    ):
        recording._heard(said)
    assert asked == ["stage"] and recording.lag_s == 0.012
    assert [m.state for m in told if isinstance(m, control.RecorderState)] == ["started", "stalled", "resumed"]
    assert told[-1] == control.SegmentClosed(room="", **segment)


def test_packets_for_a_recorder_that_is_not_there_are_counted_and_dropped(tmp_path: Path) -> None:
    tally = Tally()
    recording = Recording(tmp_path, lambda slot: None, lambda message: None, tally)
    recording.packet("stage", 1.0, b"packet")
    recording.packet("tile-0", 1.0, b"tiles are not recorded")
    assert tally.recorder_dropped == 1 and recording.backlog == 0


@pytest.mark.parametrize("off_s", [EARLY_S + 1, 6 * 3600.0, -LATE_S - 1, -1e8])
def test_a_capture_time_that_cannot_be_is_replaced_by_the_present(tmp_path: Path, off_s: float) -> None:
    """A publisher's sender report may claim anything; a picture of tomorrow would stop the program till then."""
    sent: list[bytes] = []

    class Caught(Recording):
        def _send(self, data: bytes) -> None:
            sent.append(data)

    recording, now = Caught(tmp_path, lambda slot: None, lambda message: None, Tally()), time.time()
    recording.packet("stage", now + off_s, b"packet")
    recording.packet("stage", now - 0.3, b"packet")
    first, second = frames.Splitter().feed(b"".join(sent))
    assert abs(first.media_s - now) < 1 and second.media_s == now - 0.3
