"""The node's end of a recorder: start its process, feed it, start it again when it dies.

The recorder is one more subscriber in a process of its own: a slow disk or a codec that crashes
must not touch the media loop, so packets are dropped when its socket is full.
"""

import asyncio
import contextlib
import json
import logging
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from media import control

log = logging.getLogger(__name__)

FRAME = struct.Struct("!BBHd")
RTP, CONTROL = 1, 2
BUFFER = 1 << 22
RESTARTS = 10  # per minute; a recorder that dies faster than that has a reason that waiting will not mend
FINISH_S = 10.0


class Recording:
    """One room's recording while it runs."""

    def __init__(self, folder: Path, ask: Callable[[str], None], say: Callable[[control.Message], None]) -> None:
        """Prepare.

        folder: the lecture's recording folder, made when missing; ask(slot): wants a key frame there;
        say: takes SegmentClosed and RecorderState, with an empty room.
        """
        self._folder = folder
        self._ask, self._say = ask, say
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        self._runtime = tempfile.TemporaryDirectory(prefix="diemcau-rec-")
        self._path = ""
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._program = "stage"
        self._stopping = False
        self._lives = 0
        self.dropped = 0

    async def start(self) -> None:
        """Start the recorder and watch it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        await self._spawn()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _spawn(self) -> None:
        self._lives += 1
        self._path = f"{self._runtime.name}/{self._lives}"
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "media.recorder", "--dir", str(self._folder), "--socket", self._path,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def _watch(self) -> None:
        started: list[float] = []
        while True:
            started.append(time.monotonic())
            assert self._process is not None
            await self._listen(self._process)
            code = await self._process.wait()
            if self._stopping:
                self._say(control.RecorderState(room="", state="finished"))
                break
            log.error("recorder died", extra={"exit_code": code})
            self._say(control.RecorderState(room="", state="lost"))
            if len([t for t in started if time.monotonic() - t < 60]) > RESTARTS:
                break
            await asyncio.sleep(0.2)
            await self._spawn()
        self._socket.close()
        self._runtime.cleanup()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            try:
                self._heard(json.loads(line))
            except (ValueError, KeyError, TypeError):
                log.warning("recorder said something unreadable")

    def _heard(self, said: dict[str, object]) -> None:
        if said.get("ready"):
            self._say(control.RecorderState(room="", state="started"))
            self._control({"program": self._program})
        elif "keyframe" in said:
            self._ask(str(said["keyframe"]))
        elif "segment" in said:
            self._say(control.SegmentClosed.model_validate({**said["segment"], "room": ""}))  # type: ignore[dict-item]

    def packet(self, slot: str, captured_at: float, packet: bytes) -> None:
        """Give the recorder one plaintext packet of a slot; dropped when it cannot keep up."""
        if slot in control.HALL_SLOTS:
            self._send(FRAME.pack(RTP, control.HALL_SLOTS.index(slot), 0, captured_at) + packet)

    def follow(self, slot: str) -> None:
        """Tell the recorder which slot is the program now: `guest` or `stage`."""
        self._program = slot
        self._control({"program": slot})

    def _control(self, message: dict[str, object]) -> None:
        self._send(FRAME.pack(CONTROL, 0, 0, time.time()) + json.dumps(message).encode())

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendto(data, self._path)
        except OSError:  # not there yet, gone, or full
            self.dropped += 1

    def stop(self) -> None:
        """Finish: the recorder closes its last segment and the playlist, then exits by itself."""
        if self._stopping:
            return
        self._stopping = True
        self._control({"stop": True})
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()  # the same order, should the datagram be lost
        asyncio.get_running_loop().call_later(FINISH_S, self._kill)

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def finished(self) -> None:
        """Wait until the recorder has exited."""
        if self._task is not None:
            await self._task
