"""Processes under measurement: their CPU time and memory from /proc, and the node itself."""

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

ROOT = Path(__file__).resolve().parents[2]
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
CORES = os.sched_getaffinity(0)
PAGE = os.sysconf("SC_PAGE_SIZE")
START_S = 20.0
STOP_S = 15.0
FORWARD_DELAY = "diemcau_media_forward_delay_seconds"


def cpu_s(pid: int) -> float:
    """Return the CPU seconds (user and kernel) all threads of a process have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def memory_kb(pid: int) -> float:
    """Return the resident memory of a process in KiB, without what it shares with others."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * PAGE / 1024


def set_apart(pid: int, *, all_cores: bool = False) -> None:
    """Keep this program, publisher and viewers of all engines, on the first core and the process `pid` off it.

    Otherwise a datagram's sender pulls the engine to its own core, and its caches are cold.
    all_cores: for an engine of many threads, which may need them.  One core alone is shared.
    """
    mine, *others = sorted(CORES)
    if others:
        os.sched_setaffinity(0, {mine})
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), CORES if all_cores else others)


class NodeProcess:
    """One real `python -m media` and its control API; an asynchronous context manager."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        """Prepare.  address: IPv4 address of its media port."""
        self.address = address
        self.log = Path(os.devnull)
        self._token = secrets.token_hex(16)
        self._folder = Path(tempfile.mkdtemp(prefix="bench-node-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._client: aiohttp.ClientSession | None = None
        self._url = ""
        self._version = 0

    @property
    def pid(self) -> int:
        """Return the node's process id."""
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        """Start it and wait for its state file.  Raises RuntimeError when it does not come."""
        state = self._folder / "node.json"
        log = self._folder / "log"
        command = [sys.executable, "-m", "media", "--data-dir", self._folder, "--host", self.address, "--port", "0",
                   "--announce", self.address, "--state", state]  # fmt: skip
        environment = {**os.environ, "MEDIA_TOKEN": self._token, "LOG_LEVEL": "WARNING"}
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [*map(str, command)], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        for _ in range(int(START_S / 0.05)):
            if state.exists() or self._process.poll() is not None:
                break
            await asyncio.sleep(0.05)
        if not state.exists():
            raise RuntimeError(f"the node did not start: {log.read_text()[-2000:]}")
        self._url = json.loads(state.read_text())["control_url"]
        set_apart(self.pid)
        self._client = aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._token}"})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it and delete its folder."""
        if self._client is not None:
            await self._client.close()
        assert self._process is not None
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make one control request and return the decoded answer.  Raises RuntimeError for a refusal."""
        assert self._client is not None
        async with self._client.request(method, self._url + path, json=body) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]}")
            return text if path == "/metrics" else json.loads(text) if text else None

    async def plan(self, room: str, slots: dict[str, str], publishers: list[str]) -> None:
        """Put a room's plan."""
        self._version += 1
        plan = {"version": self._version, "slots": slots, "publishers": publishers, "boost": publishers[:1]}
        await self.call("PUT", f"/rooms/{room}", plan)

    async def metrics(self) -> dict[str, float]:
        """Return the node's metrics: name with labels -> value."""
        lines = (await self.call("GET", "/metrics")).splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    async def sent(self) -> int:
        """Return how many packets the node has forwarded to viewers."""
        return int((await self.metrics())["diemcau_media_packets_sent_total"])
