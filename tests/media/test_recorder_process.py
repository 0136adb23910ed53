"""The recorder process itself: fed in real time, stopped, left alone, killed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from media import frames
from media.control import HALL_SLOTS, SegmentClosed
from media.recorder import MediaClock, wait_alone
from media.segment_store import finalise
from tests.media.synthetic import FPS, Camera, Microphone, Sent, in_time, pictures, sound, watch


class Process:
    """A recorder and what it says."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.child = subprocess.Popen(
            [sys.executable, "-m", "media.recorder", "--dir", str(folder), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.said: list[dict[str, object]] = []
        self._heard = threading.Condition()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()
        self.wait_for("ready")

    def _listen(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            with self._heard:
                self.said.append(json.loads(line))
                self._heard.notify_all()

    def wait_for(self, word: str, times: int = 1, within_s: float = 20) -> list[dict[str, object]]:
        with self._heard:
            heard = self._heard.wait_for(lambda: sum(word in said for said in self.said) >= times, within_s)
        assert heard, f"no {word}: {self.said}"
        return [said for said in self.said if word in said]

    def rtp(self, sent: Sent) -> None:
        self._write(frames.pack(frames.RTP, HALL_SLOTS.index(sent.slot), sent.media_s, sent.data))

    def tell(self, message: dict[str, object]) -> None:
        self._write(frames.pack(frames.CONTROL, 0, time.time(), json.dumps(message).encode()))

    def _write(self, data: bytes) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(data)
        self.child.stdin.flush()

    def play(self, *lines: list[Sent]) -> None:
        """Send each packet when its media time comes."""
        for sent in in_time(*lines):
            time.sleep(max(0.0, sent.media_s - time.time()))
            self.rtp(sent)

    def leave(self) -> int:
        assert self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.close()
        status = self.child.wait(15)
        self._reader.join(5)
        self.child.stdout.close()
        return status


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    started = Process(tmp_path / "lec_1", "--floor-mb", "1")
    yield started
    if started.child.poll() is None:
        started.child.kill()
    started.leave()


def show(start_s: float, seconds: float, ssrc: int = 100) -> tuple[list[Sent], list[Sent]]:
    """A picture and a tone; encoded ahead of time."""
    camera, mic = Camera("stage", ssrc=ssrc), Microphone("audio-0")
    return pictures(camera, start_s, seconds, lambda t: 90), sound(mic, start_s, seconds, lambda t: 6000)


def listed(folder: Path) -> list[tuple[int, int]]:
    """(start, duration) in ms of the listed segments."""
    names = re.findall(r"program/\d+_(\d+)_(\d+)_\d+\.m4s", (folder / "program.m3u8").read_text())
    return [(int(start), int(duration)) for start, duration in names]


def test_a_class_is_live_while_it_goes_on_and_a_replay_when_it_is_told_to_stop(process: Process) -> None:
    start_s = time.time() + 0.5
    process.play(*show(start_s, 5))
    process.wait_for("segment", 2)
    live = (process.folder / "program.m3u8").read_text()
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in live and "ENDLIST" not in live
    process.tell({"stop": True})
    assert process.leave() == 0
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in (process.folder / "program.m3u8").read_text()
    seen = watch(process.folder)
    assert len([p for p in seen.pictures if p[1] == 320]) >= 5 * FPS
    assert listed(process.folder)[0][0] == pytest.approx(start_s * 1000, abs=600)
    for said in process.wait_for("segment"):
        SegmentClosed.model_validate({**said["segment"], "room": "lec_1"})  # type: ignore[dict-item]


@pytest.mark.parametrize("how", ["end of input", "SIGTERM"])
def test_a_recorder_left_alone_keeps_what_it_has_and_leaves_the_playlist_open(process: Process, how: str) -> None:
    process.play(*show(time.time() + 0.4, 1.5))
    if how == "SIGTERM":
        process.child.send_signal(signal.SIGTERM)
        assert process.child.wait(10) == 0
    assert process.leave() == 0
    assert "ENDLIST" not in (process.folder / "program.m3u8").read_text()
    assert len(watch(process.folder).pictures) >= 1.5 * FPS
    assert finalise(process.folder) and "ENDLIST" in (process.folder / "program.m3u8").read_text()


def test_kill_9_loses_at_most_four_seconds_and_the_next_recorder_goes_on(process: Process, tmp_path: Path) -> None:
    start_s = time.time() + 0.5
    process.play(*show(start_s, 6.5))
    process.child.kill()
    killed_ms = time.time() * 1000
    process.leave()
    copy = tmp_path / "copy"
    shutil.copytree(process.folder, copy)  # what a power cut would leave
    kept = listed(process.folder)
    assert killed_ms - sum(kept[-1]) <= 4000
    assert finalise(copy) and len(watch(copy).pictures) >= 2 * FPS

    again = Process(process.folder, "--floor-mb", "1")
    again.play(*show(time.time() + 0.4, 2.5, ssrc=101))
    again.tell({"stop": True})
    assert again.leave() == 0
    text = (process.folder / "program.m3u8").read_text()
    assert text.count("#EXT-X-DISCONTINUITY\n") >= 1 and "ENDLIST" in text
    seen = [at for at, _, _ in watch(process.folder).pictures]
    assert seen == sorted(seen) and len(seen) >= 2 * FPS + 2.5 * FPS
    gap_ms = max(b[0] - sum(a) for a, b in zip(listed(process.folder), listed(process.folder)[1:], strict=False))
    assert gap_ms <= 8000


def test_a_recorder_that_was_stopped_for_seconds_catches_up(process: Process) -> None:
    first, second = show(time.time() + 0.4, 2.2), None
    process.play(*first)
    os.kill(process.child.pid, signal.SIGSTOP)
    second = show(time.time(), 3, ssrc=101)
    process.play(*second)
    os.kill(process.child.pid, signal.SIGCONT)
    process.tell({"stop": True})
    assert process.leave() == 0
    assert sum(duration for _, duration in listed(process.folder)) >= 5000
    assert len(watch(process.folder).pictures) >= 4 * FPS


def test_a_disk_too_full_is_said_and_recording_goes_on_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a tmpfs")
    try:
        _fill_and_free(disk, tmp_path / "copy")
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _fill_and_free(disk: Path, copy: Path) -> None:
    process = Process(disk / "lec_1", "--floor-mb", "0")
    start_s = time.time() + 0.4
    picture, tone = show(start_s, 11)
    line = in_time(picture, tone)
    process.play([sent for sent in line if sent.media_s < start_s + 3.5])
    process.wait_for("segment")
    ballast = disk / "ballast"
    ballast.write_bytes(b"x" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
    process.play([sent for sent in line if start_s + 3.5 <= sent.media_s < start_s + 6.8])
    assert process.wait_for("problem")[0]["problem"] == "disk_full"
    assert listed(disk / "lec_1"), "the playlist was lost"
    shutil.copytree(disk / "lec_1", copy)
    assert watch(copy).pictures, "what was listed before cannot be played any more"
    ballast.unlink()
    process.play([sent for sent in line if sent.media_s >= start_s + 6.8])
    process.wait_for("solved")
    process.tell({"stop": True})
    assert process.leave() == 0
    assert "ENDLIST" in (disk / "lec_1" / "program.m3u8").read_text()
    assert len(watch(disk / "lec_1").pictures) >= 5 * FPS


def test_the_media_clock_follows_the_node_when_its_clock_steps() -> None:
    clock = MediaClock(wall_s=1000.0, steady_s=0.0)
    for i in range(40):  # four seconds of packets from a clock that is 90 s ahead, jitter 50 ms
        clock.note(1090.0 + i * 0.1 - (i % 2) * 0.05, i * 0.1)
    assert clock.now(4.0) == pytest.approx(1094.0, abs=0.2)
    for i in range(40):  # one window of old packets and fresh ones: it was a backlog, not a step
        steady_s = 4.0 + i * 0.1
        clock.note(clock.now(steady_s) - max(0.0, 20.0 - i), steady_s)
    assert clock.now(8.0) == pytest.approx(1098.0, abs=0.2)


def test_a_second_recorder_waits_until_the_first_has_written_everything(tmp_path: Path) -> None:
    lock = wait_alone(tmp_path)
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    second = subprocess.Popen([sys.executable, "-m", "media.recorder", "--dir", str(tmp_path)], **options)  # type: ignore[call-overload]
    assert second.stdin is not None and second.stdout is not None
    second.stdin.write(frames.pack(frames.CONTROL, 0, time.time(), b'{"program": "stage"}'))
    second.stdin.flush()
    time.sleep(1.5)
    assert not (tmp_path / "program").exists(), "it reads nothing there and writes nothing"
    os.close(lock)
    assert json.loads(second.stdout.readline()) == {"ready": True}
    second.stdin.close()
    assert second.wait(10) == 0
    second.stdout.close()


def test_a_recorder_that_hangs_does_not_keep_the_next_one_out_for_ever(tmp_path: Path) -> None:
    first = wait_alone(tmp_path)
    os.close(wait_alone(tmp_path, patience_s=0.1))
    os.close(first)
