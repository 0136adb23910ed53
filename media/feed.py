"""The node's end of a recorder: start its process, feed it, start it again when it dies.

The recorder is one more subscriber in a process of its own: a slow disk or a codec that crashes
must not touch the media loop. Packets go down its standard input as frames (`media.frames`); what
it cannot take within `BACKLOG` bytes is dropped. A pipe and not a Unix datagram socket, because
Linux queues only `net.unix.max_dgram_qlen` datagrams there, 10 by default: less than a key frame.
"""

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

from media import control, frames
from media.tally import Tally

log = logging.getLogger(__name__)

BACKLOG = 4 << 20  # bytes waiting for the recorder: about 10 s of the program
RESTARTS = 10  # per minute; a recorder that dies faster than that has a reason that waiting will not mend
FINISH_S = 10.0
LINE = 1 << 16
LATE_S, EARLY_S = 10.0, 1.0  # further from its arrival no capture time can be: the publisher's clock is wrong, or lies
UNWRITABLE = ("disk_full", "write_failed")


class Recording:
    """One room's recording while it runs."""

    def __init__(
        self,
        folder: Path,
        ask: Callable[[str], None],
        say: Callable[[control.Message], None],
        tally: Tally | None = None,
    ) -> None:
        """Prepare.

        folder: the lecture's recording folder, made when missing; ask(slot): wants a key frame there;
        say: takes SegmentClosed and RecorderState, with an empty room; tally: counts what is dropped.
        """
        self._folder = folder
        self._ask, self._say = ask, say
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._program = "stage"
        self._stopping = False
        self._tally = tally or Tally()
        self.lag_s = 0.0  # how long the recorder's oldest packet has waited, as it said last

    async def start(self) -> None:
        """Start the recorder and watch it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        await self._spawn()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "media.recorder", "--dir", str(self._folder),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE,
        )  # fmt: skip
        self._control({"program": self._program})

    async def _watch(self) -> None:
        started: list[float] = []
        while True:
            started.append(time.monotonic())
            assert self._process is not None
            await self._listen(self._process)
            code = await self._process.wait()
            if self._stopping:
                self._say(control.RecorderState(room="", state="finished"))
                return
            log.error("recorder died", extra={"exit_code": code})
            self._say(control.RecorderState(room="", state="lost"))
            if len([at for at in started if time.monotonic() - at < 60]) > RESTARTS:
                return
            await asyncio.sleep(0.2)
            await self._spawn()

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
        elif "lag_ms" in said:
            self.lag_s = float(str(said["lag_ms"])) / 1000
        elif "keyframe" in said:
            self._ask(str(said["keyframe"]))
        elif said.get("problem") in UNWRITABLE:
            log.error("recording cannot be written", extra={"reason": said["problem"], "detail": said.get("detail")})
            self._say(control.RecorderState(room="", state="stalled"))
        elif said.get("solved") in UNWRITABLE:
            self._say(control.RecorderState(room="", state="resumed"))
        elif "segment" in said:
            self._say(control.SegmentClosed.model_validate({**said["segment"], "room": ""}))  # type: ignore[dict-item]

    def packet(self, slot: str, captured_at: float, packet: bytes) -> None:
        """Give the recorder one plaintext packet of a slot; dropped when it cannot keep up.

        captured_at: seconds since 1970, as far as the publisher's reports tell; one that cannot be is
        replaced by the present, because a picture of tomorrow would hold up all that come after it.
        """
        now = time.time()
        if not now - LATE_S <= captured_at <= now + EARLY_S:
            captured_at = now
        if slot in control.HALL_SLOTS:
            self._send(frames.pack(frames.RTP, control.HALL_SLOTS.index(slot), captured_at, packet))

    def follow(self, slot: str) -> None:
        """Tell the recorder which slot is the program now: `guest` or `stage`."""
        self._program = slot
        self._control({"program": slot})

    def _control(self, message: dict[str, object]) -> None:
        self._send(frames.pack(frames.CONTROL, 0, time.time(), json.dumps(message).encode()))

    def _send(self, data: bytes) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            self._tally.recorder_dropped += 1
            return
        if process.stdin.transport.get_write_buffer_size() > BACKLOG:
            self._tally.recorder_dropped += 1
            return
        process.stdin.write(data)

    @property
    def backlog(self) -> int:
        """Return the bytes that wait for the recorder."""
        process = self._process
        return process.stdin.transport.get_write_buffer_size() if process is not None and process.stdin else 0

    def stop(self) -> None:
        """Finish: the recorder closes its last segment and the playlist, then exits by itself."""
        if self._stopping:
            return
        self._control({"stop": True})
        self._stopping = True
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        asyncio.get_running_loop().call_later(FINISH_S, self._kill)

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def finished(self) -> None:
        """Wait until the recorder has exited."""
        if self._task is not None:
            await self._task
