"""Light viewers as a process: they join with real ICE and DTLS, and read nothing but RTP headers.

`python -m bench.switch.watchers STATE_FILE COUNT` says "ready" when all are connected. Each line on
standard input is then answered with one JSON list, an object for each viewer: what it has counted.
"""

import asyncio
import json
import socket
import struct
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from tests.media.light import LightPeer

SLOTS = ["audio-0", "stage"]
AT_ONCE = 12  # joins under way
CONSENT_S = 4.0  # RFC 7675 section 5.1: about every 5 s
BUFFER = 1 << 20  # bytes: this process may be away for some 10 ms while the browsers work
HEADER = struct.Struct("!BBHLL")
OPUS = 111
RECENT = 1024  # numbers remembered, to tell a repeated packet from a late one


class Node:
    """A running node as light peers want it."""

    def __init__(self, state_file: Path, token: str) -> None:
        """Read where it is.  token: of its control port."""
        state = json.loads(state_file.read_text())
        self.media_port = int(state["media_port"])
        self._url, self._token = state["control_url"], token
        self._http = urllib3.PoolManager(retries=False, timeout=10, maxsize=AT_ONCE)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control port.  Raises RuntimeError for a refusal."""
        answer = self._http.request(
            method, self._url + path, json=body, headers={"Authorization": f"Bearer {self._token}"}
        )
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status}")
        return json.loads(answer.data) if answer.data else None


@dataclass
class Line:
    """What one viewer counted on one stream."""

    packets: int = 0
    skipped: int = 0  # sequence numbers that never came
    late: int = 0  # packets behind one that came before, for the first time
    repeated: int = 0  # packets that had come before: harmless, SRTP drops them
    backwards: int = 0  # timestamps that ran back
    changes: int = 0  # of the payload type
    payload_type: int = -1
    seq: int = -1
    timestamp: int = 0
    recent: list[int] = field(default_factory=lambda: [-1] * RECENT)  # by the number's lowest bits

    def take(self, payload_type: int, seq: int, timestamp: int) -> None:
        """Count one packet."""
        self.packets += 1
        if self.seq >= 0:
            ahead = (seq - self.seq) & 0xFFFF
            if self.recent[seq % RECENT] == seq:
                self.repeated += 1
                return
            if ahead >= 0x8000:
                self.late += 1
                self.skipped -= 1
                self.recent[seq % RECENT] = seq
                return
            self.skipped += ahead - 1
            self.backwards += (timestamp - self.timestamp) & 0xFFFFFFFF >= 0x80000000
            self.changes += payload_type != self.payload_type
        self.recent[seq % RECENT] = seq
        self.payload_type, self.seq, self.timestamp = payload_type, seq, timestamp


class Watcher(LightPeer):
    """One viewer; its media stay encrypted, headers are in the clear."""

    def __init__(self, node: Node, peer: str) -> None:
        """Make ready to join."""
        super().__init__(node, peer)  # type: ignore[arg-type]  # all it uses of a node is here
        self.picture, self.sound = Line(), Line()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)

    def _read(self) -> None:
        while True:
            try:
                data = self.socket.recv(2048)
            except BlockingIOError:
                return
            if data[0] >= 128 and not 192 <= data[1] <= 223:
                _, second, seq, timestamp, _ = HEADER.unpack_from(data)
                kind = second & 0x7F
                (self.sound if kind == OPUS else self.picture).take(kind, seq, timestamp)
            elif 20 <= data[0] <= 63 and self.dtls is not None:
                self.dtls.datagram(data)

    def counted(self) -> dict[str, Any]:
        """Return what was counted until now."""
        counts = [{k: v for k, v in asdict(line).items() if k != "recent"} for line in (self.picture, self.sound)]
        return {"up": self.down is None, "picture": counts[0], "sound": counts[1]}


async def consent(watchers: list[Watcher]) -> None:
    """Keep everybody's consent fresh, for ever."""
    while True:
        for watcher in watchers:
            watcher.send(watcher.check())
            await asyncio.sleep(CONSENT_S / len(watchers))


async def main() -> None:
    """Join, then answer the lines on standard input."""
    node = Node(Path(sys.argv[1]), sys.stdin.readline().strip())
    watchers = [Watcher(node, f"bp_light{i}") for i in range(int(sys.argv[2]))]
    gate = asyncio.Semaphore(AT_ONCE)

    async def join(watcher: Watcher) -> None:
        async with gate:
            await watcher.watch(SLOTS)

    await asyncio.gather(*(join(watcher) for watcher in watchers))
    task = asyncio.create_task(consent(watchers))
    print("ready", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps([watcher.counted() for watcher in watchers]), flush=True)
    task.cancel()
    for watcher in watchers:
        watcher.close()


if __name__ == "__main__":
    asyncio.run(main())
