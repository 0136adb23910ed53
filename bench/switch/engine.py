"""The processes of the switching benchmark: the node, its events, the light viewers."""

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import urllib3

ROOT = Path(__file__).resolve().parents[2]
ROOM = "lec_media"  # as tests.media.light names it
START_S = 20.0
JOIN_S = 60.0
SILENCE_S = 10.0  # the node sends a heartbeat every 2 s


class Node:
    """One `python -m media` on loopback; a context manager that ends it."""

    def __init__(self, folder: Path) -> None:
        """Use an empty folder; nothing runs before it is entered."""
        self.state_file = folder / "node.json"
        self.token = secrets.token_urlsafe(16)
        self._folder = folder
        self._http = urllib3.PoolManager(retries=False, timeout=10)

    def __enter__(self) -> "Node":
        """Start it.  Raises TimeoutError when it does not come up."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "media", "--data-dir", self._folder, "--host", "127.0.0.1", "--port", "0",
             "--state", self.state_file],
            cwd=ROOT, env={**os.environ, "MEDIA_TOKEN": self.token},
        )  # fmt: skip
        end = time.monotonic() + START_S
        while not self.state_file.exists():
            if time.monotonic() > end or self._process.poll() is not None:
                raise TimeoutError("the node did not start")
            time.sleep(0.05)
        self.url: str = json.loads(self.state_file.read_text())["control_url"]
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        end(self._process)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control port.  Raises RuntimeError for a refusal."""
        answer = self._http.request(
            method, self.url + path, json=body, headers={"Authorization": f"Bearer {self.token}"}
        )
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status}")
        return json.loads(answer.data) if answer.data else None

    def cpu_s(self) -> float:
        """Return the CPU seconds it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Events:
    """What the node says, read in a thread; a context manager."""

    def __init__(self, node: Node) -> None:
        """Listen to this node from when it is entered."""
        self._node = node
        self._news = threading.Condition()
        self._switched: list[dict[str, Any]] = []
        self._going = True

    def __enter__(self) -> "Events":
        """Start to listen."""
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._going = False

    @property
    def number(self) -> int:
        """Return how many switches of the stage were told of."""
        return len(self._switched)

    def switched(self, since: int, peer: str, limit_s: float) -> float | None:
        """Wait for the stage to show a peer.

        since: `number` before the command.  Returns ms from the command at the node to the first packet of
        the peer's key frame, None when nothing came within limit_s.
        """

        def wanted() -> dict[str, Any] | None:
            return next((e for e in self._switched[since:] if e["publication"] == f"{peer}/camera"), None)

        with self._news:
            self._news.wait_for(wanted, limit_s)
            found = wanted()
        return float(found["latency_ms"]) if found else None

    def _read(self) -> None:
        answer = urllib3.PoolManager(retries=False, timeout=SILENCE_S).request(
            "GET", self._node.url + "/events", headers={"Authorization": f"Bearer {self._node.token}"},
            preload_content=False,
        )  # fmt: skip
        rest = b""
        while self._going:
            try:
                data = answer.read1(65_536)
            except (OSError, urllib3.exceptions.HTTPError):
                return
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            events = [json.loads(line) for line in lines if line.strip()]
            with self._news:
                self._switched += [e for e in events if e["type"] == "slot.switched" and e["slot"] == "stage"]
                self._news.notify_all()


class Watchers:
    """The light viewers' process; a context manager that ends it."""

    def __init__(self, node: Node, count: int) -> None:
        """Nothing runs before it is entered."""
        self._node, self._count = node, count

    def __enter__(self) -> "Watchers":
        """Let all join.  Raises RuntimeError when they cannot."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.switch.watchers", self._node.state_file, str(self._count)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        if self._say(self._node.token) != "ready":
            end(self._process)
            raise RuntimeError("the light viewers could not join")
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        end(self._process)

    def counted(self) -> list[dict[str, Any]]:
        """Return what each viewer has counted."""
        found: list[dict[str, Any]] = json.loads(self._say("count"))
        return found

    def _say(self, line: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


def end(process: "subprocess.Popen[Any]") -> None:
    """End a process of ours, politely first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
