"""A server of sockets in its own process, and pages that speak to it with the real client library."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import socketio
import urllib3
from itsdangerous import URLSafeTimedSerializer

SECRET = "a secret of these tests"
TURN_URL = "turns:turn.example.vn:443?transport=tcp"
ROOT = Path(__file__).resolve().parents[2]


def until(true: Callable[[], Any], within_s: float = 10) -> Any:
    """Wait for what another process does.  Returns what `true` returned at last."""
    end = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """The process, its address and its log."""

    def __init__(self, mode: str, data_dir: Path, node: str = "tests.fake_node", nodes: int = 1) -> None:
        self.node, self.nodes = node, nodes
        self.mode, self.dir, self.port = mode, data_dir, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = open(data_dir / "server.log", "ab")  # noqa: SIM115  open as long as the server is
        self._number = 0

    def start(self) -> None:
        env = {
            **os.environ, "SOCKETIO_ASYNC_MODE": self.mode, "DATA_DIR": str(self.dir), "PORT": str(self.port),
            "SECRET_KEY": SECRET, "MEDIA_PORT": "0", "TEST_NODE": self.node, "GRACE_S": "3", "PYTHONWARNINGS": "ignore",
            "MEDIA_PROCESSES": str(self.nodes), "TURN_URLS": TURN_URL, "TURN_SECRET": SECRET,
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.flows.socket_server"], cwd=ROOT, env=env, stdout=self._log, stderr=self._log
        )
        try:
            until(self._answers, within_s=60)  # on a machine that is busy with other tests
        except AssertionError:
            self.process.kill()
            raise AssertionError(f"the server did not start:\n{self.log()}") from None

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            return bool(self.get("/node")["ready"])
        except (urllib3.exceptions.HTTPError, OSError):
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
        for state in self.dir.glob("media-node*.json"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(json.loads(state.read_text())["pid"]), signal.SIGKILL)
        self._log.close()

    def log(self) -> str:
        return (self.dir / "server.log").read_text()

    def faults(self) -> list[str]:
        """The exceptions in the log.

        gevent also prints lines that the other side tore, and the interrupt of `stop` when it falls into
        another green thread than the first: neither is a fault.
        """
        traces = self.log().split("Traceback (most recent call last):")[1:]
        ends = [next((line for line in trace.splitlines() if re.match(r"[A-Za-z_.]+(Error|Exception|Interrupt|Exit)", line)), trace)
                for trace in traces]  # fmt: skip
        return [
            end for end in ends if not end.startswith(("BrokenPipeError", "ConnectionResetError", "KeyboardInterrupt"))
        ]

    def get(self, path: str) -> Any:
        return urllib3.request("GET", self.url + path, retries=False, timeout=5).json()

    def node_says(self, event: dict[str, Any]) -> None:
        """Let the (first) stand-in of a node emit an event."""
        state = json.loads((self.dir / "media-node.json").read_text())
        token = (self.dir / "media-token").read_text()
        answer = urllib3.request(
            "POST", state["control_url"] + "/say", json=event, headers={"Authorization": f"Bearer {token}"}, timeout=5
        )
        assert answer.status == 204, answer.data

    def of_node(self, path: str, number: int = 0) -> Any:
        """Ask the stand-in of a node itself."""
        state = json.loads((self.dir / (f"media-node-{number}.json" if number else "media-node.json")).read_text())
        token = (self.dir / "media-token").read_text()
        return urllib3.request(
            "GET", state["control_url"] + path, headers={"Authorization": f"Bearer {token}"}, timeout=5
        ).json()

    def journal(self, lecture: str) -> list[dict[str, Any]]:
        return list(self.get(f"/journal/{lecture}"))

    def lecture(self) -> str:
        """Open the lobby of a new lecture.  Returns its id."""
        self._number += 1
        lecture = f"lec_{os.getpid()}x{self._number}"
        assert urllib3.request("POST", f"{self.url}/open/{lecture}", timeout=5).status == 200
        return lecture


class Page:
    """A browser page's socket."""

    def __init__(self, server: Server, *, comes_back: bool = False, language: str = "vi") -> None:
        self.server, self.events, self.others = server, [], []
        self.ack: dict[str, Any] | None = None
        self.gone = threading.Event()
        self.token = ""
        self.joins = 0
        self._language = language
        self.client = socketio.Client(
            reconnection=comes_back, reconnection_delay=0.3, reconnection_delay_max=3, randomization_factor=0.5,
            handle_sigint=False,
        )  # fmt: skip
        self.client.on("room.event", self.events.append)
        self.signals: list[dict[str, Any]] = []
        self.client.on("room.signals", lambda message: self.signals.append(message["signals"]))
        for kind in ("media.reset", "room.replaced"):
            self.client.on(kind, lambda message, kind=kind: self.others.append((kind, message)))
        self.client.on("disconnect", lambda *reason: self.gone.set())
        if comes_back:
            self.client.on("connect", self._come_in)

    def _come_in(self) -> None:
        if self.token:
            self.client.emit("room.join", {"token": self.token}, callback=self._came_in)

    def _came_in(self, ack: dict[str, Any]) -> None:
        self.ack = ack
        self.joins += 1

    def connect(self, headers: dict[str, str] | None = None) -> "Page":
        self.client.connect(
            self.server.url, transports=["websocket"], headers={"Accept-Language": self._language, **(headers or {})}
        )
        return self

    def ask(self, kind: str, payload: Any = None) -> dict[str, Any]:
        return dict(self.client.call(kind, {} if payload is None else payload, timeout=10))

    def join(self, lecture: str, participant: str, role: str) -> "Page":
        self.token = token(lecture, participant, role)
        if not self.client.connected:
            self.connect()
        if self.client.reconnection:
            until(lambda: self.ack, within_s=30)
        elif self.ack is None:
            self.ack = self.ask("room.join", {"token": self.token})
        return self

    def types(self) -> list[str]:
        return [entry["event"]["type"] for entry in self.events]

    def saw(self, kind: str) -> dict[str, Any]:
        """Wait for an event of this type.  Returns the whole message."""
        found = until(lambda: [e for e in self.events if e["event"]["type"] == kind])
        return dict(found[-1])

    def drop(self) -> None:
        """Lose the line without a goodbye."""
        self.client.reconnection = False
        line = self.client.eio.ws.sock
        line.shutdown(socket.SHUT_RDWR)
        self.gone.wait(5)
        line.close()  # the library forgets to

    def close(self) -> None:
        """Go as a closed tab goes, without waiting for the other side's goodbye."""
        if self.client.connected:
            with contextlib.suppress(OSError, AttributeError):
                self.drop()
        elif self.client.eio.ws is not None and self.client.eio.ws.sock is not None:
            self.client.eio.ws.sock.close()
        self.client.reconnection = False
        self.client.shutdown()


def token(lecture: str, participant: str, role: str) -> str:
    return str(URLSafeTimedSerializer(SECRET, salt="room").dumps({"l": lecture, "p": participant, "r": role}))


def code(ack: dict[str, Any]) -> str:
    """The error code of a refused request."""
    assert ack["ok"] is False, ack
    assert ack["error"]["message"]
    return str(ack["error"]["code"])
