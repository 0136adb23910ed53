"""A process that is told to stop stops, whichever green thread the signal falls into."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# The background green thread sends the signal to its own process: the handler runs right there.
BODY = """
import wsgi
import os, sys, threading, time
from app.interrupt import end_on_signals, ignore_signals
end_on_signals(wsgi.later)

def background():
    time.sleep(0.05)
    os.kill(os.getpid(), int(sys.argv[1]))
    for _ in range(3):
        time.sleep(0.05)
    print("the background went on", flush=True)

threading.Thread(target=background, daemon=True).start()
try:
    time.sleep(20)
    print("nobody interrupted")
except KeyboardInterrupt:
    ignore_signals()
    os.kill(os.getpid(), int(sys.argv[1]))
    time.sleep(0.5)
    print("closed in order")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("mode", ["eventlet", "gevent", "threading"])
def test_a_signal_ends_the_main_thread_and_not_the_one_it_falls_into(mode: str, number: signal.Signals) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BODY, str(int(number))],
        cwd=ROOT, env={**os.environ, "SOCKETIO_ASYNC_MODE": mode}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout.splitlines()) == (0, ["the background went on", "closed in order"]), ran.stderr
