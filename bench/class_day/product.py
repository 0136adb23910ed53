"""The product under test: its own folder, its own ports, and the processes it started."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MARK = "CLASS_DAY_RUN"  # in the environment of everything that we start, and of what that starts
READY_S = 40.0
STOP_S = 20.0


class Product:
    """Starts, wounds and stops one installation; touches no process that it did not start."""

    def __init__(self, folder: Path) -> None:
        """Use an empty folder; nothing runs before `start`."""
        self.folder = folder
        self.data_dir = folder / "data"
        self.port = free_port(socket.SOCK_STREAM)
        self.media_port = free_port(socket.SOCK_DGRAM)
        self.url = f"http://localhost:{self.port}"
        self._mark = secrets.token_hex(12)
        self._parent: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of every process of this run."""
        return {
            **{name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "SECRET_KEY")},
            "DATA_DIR": str(self.data_dir),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "PUBLIC_URL": self.url,
            "MEDIA_PORT": str(self.media_port),
            "MEDIA_HOST": "127.0.0.1",
            "MEDIA_ANNOUNCE": "127.0.0.1",
            "PLAN_REQUIRED": "0",  # its lecturers bring no material
            "MEDIA_PROCESSES": "1",  # one class, one node: it is the one that is killed
            "PYTHONUNBUFFERED": "1",
            MARK: self._mark,
        }

    def command(self, *arguments: str, timeout_s: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run `python ARGUMENTS...` as this installation's operator would."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def start(self) -> None:
        """Start the product and wait until it could hold a class.

        Raises RuntimeError with the end of its log when it does not get that far.
        """
        with (self.folder / "product.log").open("ab") as log:
            self._parent = subprocess.Popen(
                [sys.executable, "-P", str(ROOT / "app" / "serve.py")],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _prefer(self._parent.pid)
        self.wait_ready(READY_S)

    def wait_ready(self, timeout_s: float) -> None:
        """Wait for /readyz.  Raises RuntimeError with the end of the log after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        said = ""
        while time.monotonic() < deadline:
            status, said = self._ask("/readyz")
            if status == 200:
                return
            if self._parent is not None and self._parent.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"the product is not ready ({said or 'no answer'}):\n{self.log_end()}")

    def _ask(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=2) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except OSError:
            return 0, ""

    def log_end(self, lines: int = 40) -> str:
        """Return the last lines of what the product said."""
        path = self.folder / "product.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def stop(self) -> None:
        """Stop it in order, then see to it that nothing of it is left."""
        if self._parent is not None and self._parent.poll() is None:
            self._parent.terminate()
            try:
                self._parent.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._parent.kill()
                self._parent.wait(5)
        for pid in self.processes():
            _kill(pid)

    # ---- its processes --------------------------------------------------------------------

    def processes(self) -> dict[int, str]:
        """Return process id -> command line of everything that carries this run's mark."""
        found = {}
        needle = f"{MARK}={self._mark}".encode()
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit() or int(folder.name) == os.getpid():
                continue
            try:
                if needle in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except OSError:
                continue
        return found

    def kill_web(self) -> int:
        """Kill -9 the web process; returns its id."""
        return self._kill_one("wsgi.py")

    def kill_node(self) -> int:
        """Kill -9 the media node; returns its id."""
        pid = int(self._node_state()["pid"])
        if pid not in self.processes():
            raise RuntimeError(f"the media node {pid} is none of this run's processes")
        _kill(pid)
        return pid

    def node_pid(self) -> int:
        """Return the id of the media node that runs now, 0 when there is none."""
        try:
            pid = int(self._node_state()["pid"])
        except (OSError, ValueError, KeyError):
            return 0
        return pid if pid in self.processes() else 0

    def _node_state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.data_dir / "media-node.json").read_text())
        return state

    def _kill_one(self, part: str) -> int:
        pids = [pid for pid, command in self.processes().items() if part in command]
        if len(pids) != 1:
            raise RuntimeError(f"{len(pids)} processes of this run have {part} in their command")
        _kill(pids[0])
        return pids[0]


def _prefer(pid: int) -> None:
    """Let the server go before the browsers that share its machine here: it would have one of its own."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, -10)
    except PermissionError:
        pass  # only root may


def free_port(kind: socket.SocketKind) -> int:
    """Return a port that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
