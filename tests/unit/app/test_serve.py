"""The parent of the web process: when it starts it again, and when it gives up."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.serve import CRASHES_MAX, FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_S, Crashes, GivenUp

ROOT = Path(__file__).resolve().parents[3]


def test_pauses_between_restarts_double_up_to_a_limit() -> None:
    crashes = Crashes()
    pauses = [crashes.pause_s(started=n * 20.0, ended=n * 20.0 + 1) for n in range(8)]
    assert pauses[:4] == [FIRST_PAUSE_S * factor for factor in (1, 2, 4, 8)]
    assert max(pauses) == LONGEST_PAUSE_S


def test_a_process_that_lived_long_is_started_again_at_once() -> None:
    crashes = Crashes()
    for n in range(4):
        crashes.pause_s(started=n * 20.0, ended=n * 20.0 + 1)
    assert crashes.pause_s(started=100, ended=100 + STEADY_S) == FIRST_PAUSE_S


def test_ten_crashes_within_a_minute_are_enough() -> None:
    crashes = Crashes()
    for n in range(CRASHES_MAX - 1):
        crashes.pause_s(started=n * 5.0, ended=n * 5.0 + 1)
    with pytest.raises(GivenUp):
        crashes.pause_s(started=50, ended=51)


def test_ten_crashes_in_an_hour_are_not() -> None:
    crashes = Crashes()
    for n in range(CRASHES_MAX * 3):
        crashes.pause_s(started=n * 300.0, ended=n * 300.0 + 1)


def parent_of(child: str, tmp_path: Path) -> "subprocess.Popen[str]":
    """Run the real parent over a child program that stands for the web process."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "serve.py").write_text((ROOT / "app" / "serve.py").read_text())
    (tmp_path / "wsgi.py").write_text(child)
    command = [sys.executable, "-P", str(tmp_path / "app" / "serve.py")]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path)


def wait_for(path: Path, lines: int) -> list[str]:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = path.read_text().split() if path.exists() else []
        if len(found) >= lines:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{path.name} never had {lines} lines")


def test_a_web_process_that_is_killed_is_started_again(tmp_path: Path) -> None:
    child = "import os, time\nprint(os.getpid(), file=open('pids', 'a'), flush=True)\ntime.sleep(60)\n"
    parent = parent_of(child, tmp_path)
    try:
        (first,) = wait_for(tmp_path / "pids", 1)
        os.kill(int(first), signal.SIGKILL)
        _, second = wait_for(tmp_path / "pids", 2)
        assert first != second
    finally:
        parent.send_signal(signal.SIGTERM)
        _, said = parent.communicate(timeout=20)
    assert parent.returncode == 0
    assert "ended with -9" in said
    with pytest.raises(ProcessLookupError):
        os.kill(int(second), 0)


def test_a_web_process_that_ends_by_itself_ends_the_parent(tmp_path: Path) -> None:
    parent = parent_of("raise SystemExit(0)\n", tmp_path)
    parent.communicate(timeout=20)
    assert parent.returncode == 0
