"""The recorder process: `python -m media.recorder --dir FOLDER`.

The node writes frames (`media.frames`) to its standard input; it answers on standard output, one
JSON object a line:

- `{"ready": true}` it listens
- `{"keyframe": slot}` please ask that slot's source for a key frame
- `{"segment": {"track", "name", "started_ms", "duration_ms"}}` on disk and listed
- `{"problem": "disk_full" | "write_failed" | "unsupported_codec", "detail"}`, `{"solved": ...}`
- `{"lag_ms": n, "dropped": n}` every 5 s

`{"stop": true}` ends the class: the playlist is closed, exit 0. SIGTERM, or the end of the input
(the node is gone), writes what is there and leaves the playlist open, exit 0: the class may go on.
"""

import argparse
import fcntl
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from pathlib import Path

from media import frames
from media.control import HALL_SLOTS
from media.recording import Recording
from media.segment_store import FLOOR_BYTES, SegmentStore

READ = 1 << 16  # bytes: what a pipe holds
MAX_WAITING = 20_000  # frames kept while the disk stalls: 40 s of two pictures and three voices
TICK_S = 0.05
REPORT_S = 5.0
LOCK, PATIENCE_S = ".recorder", 10.0
SKEW_S = 1.0  # media time further from ours than this, for as long as the window, is the node's clock
SKEW_WINDOW_S = 3.0


class MediaClock:
    """The present, in the node's media time.

    It runs on the monotonic clock, so that a step of the wall clock bends nothing; when all packets
    of a window are off in the same direction, it was the node's clock that stepped, and we follow.
    """

    def __init__(self, wall_s: float, steady_s: float) -> None:
        """Start at `wall_s` (seconds since 1970) when the steady clock reads `steady_s`."""
        self._shift_s = wall_s - steady_s
        self._window_ends_s = steady_s + SKEW_WINDOW_S
        self._late: list[float] = []

    def now(self, steady_s: float) -> float:
        """Return the media time for a reading of the steady clock."""
        return steady_s + self._shift_s

    def note(self, media_s: float, steady_s: float) -> None:
        """Compare with a packet's media time on its arrival."""
        late = self.now(steady_s) - media_s
        self._late = [min([late, *self._late[:1]]), max([late, *self._late[1:]])]
        if steady_s < self._window_ends_s:
            return
        least, most = self._late
        if least > SKEW_S:
            self._shift_s -= least
        elif most < -SKEW_S:
            self._shift_s -= most
        self._late = []
        self._window_ends_s = steady_s + SKEW_WINDOW_S


class Inbox:
    """Reads the input in a thread of its own, so that a stalled disk loses no packet.

    A pipe holds 64 KiB, a quarter of a second of the program.
    """

    def __init__(self, source: int, wake: socket.socket) -> None:
        """Read the descriptor `source`; a byte is sent to `wake` when it has ended."""
        self.waiting: deque[tuple[float, frames.Frame]] = deque()
        self.dropped = 0
        self._source, self._wake = source, wake
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def _read(self) -> None:
        splitter = frames.Splitter()
        while data := os.read(self._source, READ):
            for frame in splitter.feed(data):
                if len(self.waiting) < MAX_WAITING:
                    self.waiting.append((time.monotonic(), frame))
                else:
                    self.dropped += 1
        self._wake.send(b"!")


class Recorder:
    """The process's loop."""

    def __init__(self, store: SegmentStore, inbox: Inbox) -> None:
        """Record into `store` what arrives in `inbox`."""
        self._inbox = inbox
        self._recording = Recording(store, self._say)
        self._clock = MediaClock(time.time(), time.monotonic())
        self._stopped = False

    def run(self, woken: socket.socket) -> None:
        """Work until told to stop.

        woken: becomes readable when a signal came or the input has ended.
        """
        os.set_blocking(sys.stdout.fileno(), False)
        self._say({"ready": True})
        report_s = time.monotonic() + REPORT_S
        leaving = False
        while not (self._stopped or leaving):
            leaving = bool(select.select([woken], [], [], TICK_S)[0])
            self._read_inbox()
            self._recording.advance(self._clock.now(time.monotonic()))
            if time.monotonic() >= report_s:
                report_s += REPORT_S
                self._report()
        self._recording.finish(self._clock.now(time.monotonic()), ended=self._stopped)

    def _read_inbox(self) -> None:
        for _ in range(len(self._inbox.waiting)):
            arrived_s, frame = self._inbox.waiting.popleft()
            if frame.kind == frames.CONTROL:
                self._obey(frame.body)
            elif frame.kind == frames.RTP and frame.slot < len(HALL_SLOTS):
                self._clock.note(frame.media_s, arrived_s)
                now_s = self._clock.now(arrived_s)
                self._recording.packet(HALL_SLOTS[frame.slot], frame.media_s, frame.body, now_s)

    def _obey(self, text: bytes) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        if message.get("stop") is True:
            self._stopped = True
        self._recording.control(message)

    def _report(self) -> None:
        if self._recording.newest_s:
            lag_ms = round((self._clock.now(time.monotonic()) - self._recording.newest_s) * 1000)
            self._say({"lag_ms": lag_ms, "dropped": self._inbox.dropped})

    @staticmethod
    def _say(message: dict[str, object]) -> None:
        """Tell the node; a node that does not read never stops us."""
        try:
            os.write(sys.stdout.fileno(), (json.dumps(message) + "\n").encode())
        except (BlockingIOError, BrokenPipeError):
            pass


def wait_alone(folder: Path, patience_s: float = PATIENCE_S) -> int:
    """Wait until no other recorder writes in a folder, and let none in from now on.

    After a crash of the node the room may be on another one within 100 ms, while the recorder it had
    is still writing down the last second; what arrives meanwhile waits in the pipe.

    patience_s: after this long we begin nevertheless: a recorder that hangs must not cost the class its recording.
    Returns the open file that holds the lock.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError:
            if time.monotonic() > until:
                return handle
            time.sleep(TICK_S)


def main(arguments: list[str] | None = None) -> int:
    """Run the recorder process; returns its exit status."""
    parser = argparse.ArgumentParser(prog="media.recorder", description="Keep one lecture's program on disk.")
    parser.add_argument("--dir", type=Path, required=True, help="the lecture's recording folder")
    parser.add_argument("--floor-mb", type=float, default=FLOOR_BYTES / 2**20, help="megabytes to leave free")
    given = parser.parse_args(arguments)
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    given.dir.mkdir(parents=True, exist_ok=True)
    alone = wait_alone(given.dir)  # held, and so kept, until this process ends
    store = SegmentStore(given.dir, floor_bytes=int(given.floor_mb * 2**20))
    Recorder(store, Inbox(sys.stdin.fileno(), wake)).run(woken)
    os.close(alone)
    return 0


if __name__ == "__main__":
    sys.exit(main())
