"""Supervision of the local media node: adopt the one that lives, else start one; restart it when it dies.

The node runs in a process group of its own, so a web process that is killed does not take the
class's pictures with it: the next web process finds the node by its state file and goes on.
Of several web processes one supervises (it holds a lock); the others only look the node up.
"""

import contextlib
import fcntl
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from core.config import Config
from core.errors import AppError
from media.client import MediaClient, NodeAddress

log = logging.getLogger(__name__)

NAME, TOKEN = "media-node", "media-token"
COMMAND = (sys.executable, "-m", "media")
LOOK_S = 0.25  # how often the process is looked at
ASK_S = 1.0  # how often it is asked whether it is well
SILENCE_S = 6.0  # a node that does not answer for this long is stuck
START_S = 20.0  # a node that is not ready after this long will not be
STOP_S = 12.0  # a node that was told to stop finishes its recordings in this time
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
STEADY_S = 30.0  # after this long a node counts as good, and its next restart comes at once
LOG_MAX = 10_000_000  # bytes; the log starts anew when it is longer at a start


class NodeSupervisor:
    """Keeps one media node alive and says where it is."""

    def __init__(self, config: Config, command: Sequence[str] = COMMAND, number: int = 0) -> None:
        """Prepare; nothing is started before `start`.

        command: what starts a node; its options are appended;
        number: which of this machine's nodes it is: its ports and files are counted up by it.
        """
        self._config, self._command = config, list(command)
        self.number = number
        self._dir = config.data_dir
        suffix = f"-{number}" if number else ""
        self._state_file, self._lock_path, self._log_path = (
            self._dir / f"{NAME}{suffix}{ending}" for ending in (".json", ".lock", ".log")
        )
        self._lock_file: IO[str] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._address: NodeAddress | None = None
        self._pid = 0
        self._going = False
        self._pause_s = FIRST_PAUSE_S
        self._started = self._heard = self._asked = 0.0  # monotonic seconds
        self._state_seen = 0  # mtime_ns of the state file that was read last
        self._thread: threading.Thread | None = None
        self._client = MediaClient(lambda: self._address)

    # ---- for the rest of the product ------------------------------------------------------

    def start(self) -> None:
        """Adopt a living node or start one, and watch it from now on; returns at once."""
        self._dir.mkdir(parents=True, exist_ok=True)
        self._going = True
        if self._supervises():
            self._adopt_or_spawn()
        else:
            self._look_up()
        self._thread = threading.Thread(target=self._watch, name="node-supervisor", daemon=True)
        self._thread.start()

    def stop(self, *, leave_node: bool = False) -> None:
        """Stop watching, and stop the node unless it shall go on or another process supervises it."""
        self._going = False
        if self._thread is not None:
            self._thread.join(ASK_S * 6)
        if self._supervises() and not leave_node:
            self._end(signal.SIGTERM, STOP_S)
            self._state_file.unlink(missing_ok=True)
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None

    def address(self) -> NodeAddress | None:
        """Return where the node is, None while there is none.  Give this to `MediaClient`."""
        return self._address

    def ready(self) -> bool:
        """Return whether the node answered within the last seconds."""
        return self._address is not None and time.monotonic() - self._heard < SILENCE_S

    def stated(self) -> NodeAddress | None:
        """Return where a node that lives says it is, whether or not it answers now."""
        state = self._read_state()
        if not state or not _is_alive(int(state["pid"])):
            return None
        return NodeAddress(str(state["control_url"]), self.token(), str(state["epoch"]))

    def retire(self) -> None:
        """Stop a node that this installation has no place for any more, unless another process supervises it."""
        if self._supervises():
            state = self._read_state()
            if state and self._is_ours(pid := int(state["pid"])):
                log.warning("stopping a media node beyond MEDIA_PROCESSES", extra={"pid": pid})
                self._pid = pid
            self.stop()

    @property
    def pid(self) -> int:
        """Return the node's process id, 0 while there is none."""
        return self._pid if self._address else 0

    def token(self) -> str:
        """Return the secret shared with the node, made once and readable by this user only."""
        return shared_secret(self._dir / TOKEN)

    # ---- watching -------------------------------------------------------------------------

    def _watch(self) -> None:
        while self._going:
            try:
                self._round()
            except Exception:
                log.exception("looking after the media node failed")
            time.sleep(LOOK_S)

    def _round(self) -> None:
        if not self._supervises():
            return self._look_up()
        now = time.monotonic()
        if not self._pid:  # the process that supervised before this one is gone, and its node too
            return self._adopt_or_spawn()
        if not self._alive():
            return self._restart("died")
        if self._address is None:
            if not self._find_out() and now - self._started > START_S:
                self._restart("never became ready")
            return
        if now - self._asked >= ASK_S:
            self._asked = now
            self._ask()
        if now - self._heard > SILENCE_S:
            self._restart("is silent")

    def _ask(self) -> None:
        try:
            health = self._client.health()
        except AppError:
            return
        self._heard = time.monotonic()
        if self._heard - self._started > STEADY_S:
            self._pause_s = FIRST_PAUSE_S
        if self._address and health.epoch != self._address.epoch:
            self._address = NodeAddress(self._address.control_url, self._address.token, health.epoch)

    def _restart(self, reason: str) -> None:
        log.error("media node %s: starting another", reason, extra={"pid": self._pid})
        self._address = None
        self._end(signal.SIGKILL, STOP_S)
        pause_s, self._pause_s = self._pause_s, min(self._pause_s * 2, LONGEST_PAUSE_S)
        time.sleep(pause_s)
        if self._going:
            self._spawn()

    # ---- one node -------------------------------------------------------------------------

    def _adopt_or_spawn(self) -> None:
        state = self._read_state()
        if state and _is_alive(int(state["pid"])):
            self._pid, self._started = int(state["pid"]), time.monotonic()
            if self._take(state):
                log.info("adopted the media node", extra={"pid": self._pid})
                return
            if self._is_ours(self._pid):  # stuck, and it holds the media port
                self._end(signal.SIGKILL, STOP_S)
            self._pid = 0  # or another program has this number by now
        self._spawn()

    def _spawn(self) -> None:
        self._state_file.unlink(missing_ok=True)
        self.token()
        path = self._log_path
        fresh = path.exists() and path.stat().st_size > LOG_MAX
        with open(path, "wb" if fresh else "ab") as output:
            self._child = subprocess.Popen(
                [*self._command, *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # kill -9 of the web process's group leaves the node alone
                cwd=Path(__file__).resolve().parent.parent,
            )
        self._pid, self._address = self._child.pid, None
        self._started = self._heard = time.monotonic()
        log.info("started a media node", extra={"pid": self._pid})

    def _options(self) -> list[str]:
        config = self._config
        media_port, control_port = (port and port + self.number for port in (config.media_port, config.control_port))
        return [
            "--data-dir", str(self._dir), "--host", config.media_host, "--port", str(media_port),
            "--announce", ",".join(config.media_announce), "--control-port", str(control_port),
            "--state", str(self._state_file),
        ]  # fmt: skip

    def _find_out(self) -> bool:
        """Read where the node that was started listens, once it says so."""
        state = self._read_state()
        return bool(state) and int(state["pid"]) == self._pid and self._take(state)

    def _look_up(self) -> None:
        """Follow the state file that the supervising process keeps true."""
        try:
            changed = self._state_file.stat().st_mtime_ns
        except OSError:
            self._address = None
            return
        if changed != self._state_seen or self._address is None:
            state = self._read_state()
            if state and self._take(state):
                self._state_seen = changed
        elif time.monotonic() - self._asked >= ASK_S:
            self._asked = time.monotonic()
            self._ask()

    def _take(self, state: dict[str, Any]) -> bool:
        """Believe a state file if a node answers there that knows our token."""
        address = NodeAddress(str(state["control_url"]), self.token(), str(state["epoch"]))
        try:
            health = MediaClient(lambda: address).health()
        except AppError:
            return False
        self._address = NodeAddress(address.control_url, address.token, health.epoch)
        self._heard = self._asked = time.monotonic()
        return True

    def _read_state(self) -> dict[str, Any]:
        try:
            state = json.loads(self._state_file.read_text())
            return state if {"pid", "control_url", "epoch"} <= set(state) else {}
        except (OSError, ValueError, TypeError):
            return {}

    def _is_ours(self, pid: int) -> bool:
        try:
            return str(self._state_file).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    def _alive(self) -> bool:
        if self._child is not None and self._child.pid == self._pid:
            return self._child.poll() is None
        return _is_alive(self._pid)

    def _end(self, number: signal.Signals, patience_s: float) -> None:
        """Signal the node and wait until it is gone; one that stays is killed."""
        until = time.monotonic() + patience_s
        _signal(self._pid, number)
        while self._pid and self._alive():
            if time.monotonic() > until:
                _signal(self._pid, signal.SIGKILL)
            time.sleep(0.05)
        self._pid, self._address = 0, None

    def _supervises(self) -> bool:
        """Take the lock if it is free.  Returns whether this process holds it."""
        if self._lock_file is not None:
            return True
        file = open(self._lock_path, "w")  # noqa: SIM115  kept open as long as the lock is held
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._lock_file = file
        return True


def shared_secret(path: Path) -> str:
    """Return the secret in a file, made once and readable by this user only, whoever asks first."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # whole, or not at all
        draft.unlink()
    return path.read_text().strip()


def _is_alive(pid: int) -> bool:
    """Return whether a process runs; one that ended and was not buried yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def _signal(pid: int, number: int) -> None:
    if pid <= 0:  # 0 would be our own process group
        return
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
