"""The node: all rooms on one port, their clockwork, and the stream of events."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from core.errors import N_, NotFound, Unavailable
from core.ids import new_id
from media import control
from media.room import TICK_S, Room
from media.segment_store import finalise
from media.transport import Port

log = logging.getLogger(__name__)

WEIGH_TICKS = 25  # 500 ms
QUEUE = 1000  # events kept for a reader that is slow; when full the oldest go
MAX_ROOMS = 64
LOAD_SHARE = 0.1  # of each half second in the smoothed load


class Node:
    """Everything one media process does."""

    def __init__(self, port: Port, recordings: Path) -> None:
        """Begin with no room.  recordings: folder with one sub-folder per room."""
        self.port = port
        self.epoch = new_id("epoch")
        self.rooms: dict[str, Room] = {}
        self.lag_s = 0.0  # how late the last tick was
        self.load = 0.0  # share of one core used, smoothed over about 5 s
        self._weighed = (time.monotonic(), time.process_time())
        self._recordings = recordings
        self._readers: set[asyncio.Queue[control.Message]] = set()
        self._task: asyncio.Task[None] | None = None
        self.heard_at = time.monotonic()  # when the web side was last here

    async def open(self) -> None:
        """Start reading the port and ticking."""
        await self.port.open()
        self._task = asyncio.get_running_loop().create_task(self._tick())

    async def close(self) -> None:
        """Close all rooms, wait for their recorders, free the port."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        recordings = [room.recording for room in self.rooms.values() if room.recording]
        for room in self.rooms.values():
            room.close()
        for recording in recordings:
            await recording.finished()
        self.port.close()

    # ---- rooms ----

    async def put(self, room_id: str, plan: control.RoomPlan) -> control.RoomStatus:
        """Make a room what the plan says.  Raises Unavailable `node.full` when there are too many."""
        room = self.rooms.get(room_id)
        if room is None:
            if len(self.rooms) >= MAX_ROOMS:
                raise Unavailable("node.full", N_("This media server has no room left."))
            room = self.rooms[room_id] = Room(room_id, self.port, self._recordings / room_id, self.emit)
        await room.apply(plan)
        return room.status()

    def room(self, room_id: str) -> Room:
        """Return a room.  Raises NotFound `room.unknown`."""
        found = self.rooms.get(room_id)
        if found is None:
            raise NotFound("room.unknown", N_("This class is not on the media server yet."))
        return found

    def delete(self, room_id: str) -> None:
        """Close a room and see to it that its recording is whole."""
        room = self.rooms.pop(room_id, None)
        if room is None or room.recording is None:
            if room is not None:
                room.close()
            folder = self._recordings / room_id
            if folder.is_dir():
                finalise(folder)
            return
        room.close()

    def _weigh(self, now: float, used: float) -> None:
        """Take note of how much processor time went by: what the next room is placed by."""
        (before, used_before), self._weighed = self._weighed, (now, used)
        if now > before:
            self.load += LOAD_SHARE * ((used - used_before) / (now - before) - self.load)

    # ---- events ----

    def emit(self, event: control.Message) -> None:
        """Tell every reader; nobody waits."""
        for queue in self._readers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    @contextlib.contextmanager
    def reader(self) -> Iterator[asyncio.Queue[control.Message]]:
        """Give a queue of all events from now on."""
        queue: asyncio.Queue[control.Message] = asyncio.Queue(QUEUE)
        self._readers.add(queue)
        try:
            yield queue
        finally:
            self._readers.discard(queue)

    async def _tick(self) -> None:
        count, due = 0, time.monotonic() + TICK_S
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.lag_s = time.monotonic() - due
            due = max(due + TICK_S, time.monotonic())
            count += 1
            if self._readers:
                self.heard_at = time.monotonic()
            if count % WEIGH_TICKS == 0:
                self._weigh(time.monotonic(), time.process_time())
            for room in list(self.rooms.values()):
                try:
                    room.tick(time.time(), time.monotonic())
                except Exception:
                    log.exception("room tick failed", extra={"room": room.id})
