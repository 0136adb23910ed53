"""The small parent of the web process: starts it, and starts it again when it dies.

A `kill -9` of the web process must mend itself without a person. This parent imports nothing but
the standard library, so there is little in it that could die.
"""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import FrameType

CRASHES_MAX = 10  # within WINDOW_S: something is wrong that another start will not mend
WINDOW_S = 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
STEADY_S = 30.0  # a process that lived this long starts again without a pause
STOP_S = 15.0  # a stopping process gets this long to end its recordings


class GivenUp(Exception):
    """It crashed too often."""


class Crashes:
    """Says how long to wait after a crash, and when to stop trying. Pure; times are in seconds."""

    def __init__(self) -> None:
        """Begin with none."""
        self._ends: deque[float] = deque(maxlen=CRASHES_MAX)
        self._pause_s = FIRST_PAUSE_S

    def pause_s(self, started: float, ended: float) -> float:
        """Return the seconds to wait before the next start.  Raises GivenUp."""
        self._ends.append(ended)
        if len(self._ends) == CRASHES_MAX and ended - self._ends[0] < WINDOW_S:
            raise GivenUp
        if ended - started >= STEADY_S:
            self._pause_s = FIRST_PAUSE_S
        pause, self._pause_s = self._pause_s, min(self._pause_s * 2, LONGEST_PAUSE_S)
        return pause


class Parent:
    """Runs one command until it ends by itself, is told to stop, or has crashed too often."""

    def __init__(self, command: Sequence[str], say: Callable[[str], None]) -> None:
        """Prepare; nothing is started before `run`."""
        self._command = list(command)
        self._say = say
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self) -> int:
        """Supervise until the end.  Returns the exit status for this process."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        crashes = Crashes()
        while True:
            started = time.monotonic()
            # a session of its own: Ctrl-C reaches the child through us only, once
            self._child = subprocess.Popen(self._command, start_new_session=True)
            if self._stopping:
                self._child.terminate()
            status = self._wait(self._child)
            if self._stopping or status == 0:
                return 0
            try:
                pause_s = crashes.pause_s(started, time.monotonic())
            except GivenUp:
                self._say(f"the web process crashed {CRASHES_MAX} times within {WINDOW_S:.0f} s: giving up")
                return 1
            self._say(f"the web process ended with {status}: starting it again in {pause_s:.1f} s")
            time.sleep(pause_s)
            if self._stopping:
                return 0

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        deadline: float | None = None
        while True:
            try:
                return child.wait(0.5)
            except subprocess.TimeoutExpired:
                now = time.monotonic()
                if self._stopping and deadline is None:
                    deadline = now + STOP_S
                if deadline is not None and now > deadline:
                    child.kill()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()


def main() -> int:
    """Supervise wsgi.py, which stands one folder above."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return Parent(
        [sys.executable, os.path.join(root, "wsgi.py")], lambda text: print(text, file=sys.stderr, flush=True)
    ).run()


if __name__ == "__main__":
    sys.exit(main())
