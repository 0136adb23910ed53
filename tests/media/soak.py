"""`python -m tests.media.soak`: a class that goes on for minutes, and a node that must end as it began.

Light peers come and go over UDP and TCP, publishers send three layers, the floor passes round, the
recording goes on and off. The node's memory and files are measured after a warm-up that fills its
pools and again when everybody has left. Fails on growth beyond `MEMORY_SHARE`, on a file, leg or room
that stays, on media that does not come through, and on any traceback in the log.
The last line is one JSON object; the exit status is 1 when something failed.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import struct
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import urllib3

from media.sdp import MID_URI, RID_URI
from tests.media.conftest import ROOM, TOKEN, NodeProcess, wait_for
from tests.media.light import H264_KEY, LightPeer

MEMORY_SHARE = 0.05  # of what the node had after the warm-up
PUBLISHERS = ("usr_lecturer", "usr_halla", "usr_hallb")
WATCHERS = 6
LAYERS = ("q", "h", "f")
MID, RID = 4, 5  # extension ids
FPS = 15
CALM_S = 1.5  # for the last packets, the goodbyes and the recorder's end


class Layered(LightPeer):
    """A publisher of one microphone and one camera in three layers."""

    def offer(self) -> str:
        names = f"a=extmap:{MID} {MID_URI}\r\na=extmap:{RID} {RID_URI}\r\n"
        layers = "".join(f"a=rid:{rid} send\r\n" for rid in LAYERS) + f"a=simulcast:send {';'.join(LAYERS)}\r\n"
        return super().offer().replace("a=ssrc:21 cname:x\r\n", names + layers)

    def send_frame(self, n: int) -> None:
        """Send one picture in every layer, and its sound."""
        for i, rid in enumerate(LAYERS):
            assert self.dtls is not None
            block = bytes((MID << 4,)) + b"1" + bytes((RID << 4,)) + rid.encode()
            head = struct.pack("!BBHLL", 0x90, 0xE0, n & 0xFFFF, n * 6000 & 0xFFFFFFFF, 21 + 2 * i)
            packet = head + b"\xbe\xde\0\1" + block + H264_KEY
            self.send(self.dtls.outbound.protect(packet))
        self.send_media(11, n, n * 3200, b"opus", pt=111)


class Soak:
    """One class on one node."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.log = folder / "node.log"
        self.node = NodeProcess(folder, log=self.log)
        self.events = 0
        self.listener = threading.Thread(target=self._listen)
        self.listener.start()
        self.dice = random.Random(seed)
        self.version = self.frame = self.joins = self.floors = self.recordings = self.packets = 0
        self.floor = PUBLISHERS[0]
        self.recording = False
        self.publishers: dict[str, Layered] = {}
        self.watchers: dict[str, LightPeer] = {}

    def _listen(self) -> None:
        """Read the node's events, as the web side does: a node that nobody listens to ends after ten minutes."""
        with contextlib.suppress(urllib3.exceptions.HTTPError):  # the node has ended
            url, headers = self.node.state["control_url"] + "/events", {"Authorization": f"Bearer {TOKEN}"}
            with urllib3.PoolManager(retries=False) as http:
                answer = http.request("GET", url, headers=headers, preload_content=False, timeout=30)
                self.events += sum(chunk.count(b"\n") for chunk in answer.stream())

    # ---- the node's figures ----

    @property
    def rss_mb(self) -> float:
        text = Path(f"/proc/{self.node.process.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) / 1024

    @property
    def fds(self) -> int:
        return len(os.listdir(f"/proc/{self.node.process.pid}/fd"))

    # ---- the class ----

    async def plan(self) -> Any:
        self.version += 1
        slots = {"stage": f"{PUBLISHERS[0]}/camera", "audio-0": f"{PUBLISHERS[0]}/mic"}
        slots |= {"guest": f"{self.floor}/camera", "audio-1": f"{self.floor}/mic"}
        slots |= {f"tile-{i}": f"{name}/camera" for i, name in enumerate(PUBLISHERS)}
        return await asyncio.to_thread(
            self.node.plan, self.version, slots, list(PUBLISHERS), boost=[self.floor], recording=self.recording
        )

    async def publish(self, name: str, *, tcp: bool) -> None:
        self.leave(self.publishers, name)
        self.publishers[name] = Layered(self.node, name, tcp=tcp)
        await self.publishers[name].publish()
        self.joins += 1

    async def watch(self, name: str, *, tcp: bool) -> None:
        self.leave(self.watchers, name)
        self.watchers[name] = LightPeer(self.node, name, tcp=tcp)
        await self.watchers[name].watch(["stage", "guest", "audio-0", "audio-1", "tile-0", "tile-1", "tile-2"])
        self.joins += 1

    def leave(self, peers: dict[str, Any], name: str) -> None:
        peer = peers.pop(name, None)
        if peer is not None:
            self.packets += len(peer.rtp)
            peer.close()

    async def _stream(self) -> None:
        while True:
            self.frame += 1
            for peer in list(self.publishers.values()):
                if peer.is_up:
                    self._try(peer, lambda peer=peer: peer.send_frame(self.frame))
            for peer in [*self.publishers.values(), *self.watchers.values()]:
                if self.frame % (2 * FPS) == 0 and peer.is_up:
                    self._try(peer, lambda peer=peer: peer.send(peer.check()))
                if len(peer.rtp) > 1000:
                    self.packets += len(peer.rtp)
                    peer.rtp.clear()
                    peer.rtcp.clear()
            await asyncio.sleep(1 / FPS)

    def _try(self, peer: LightPeer, act: Any) -> None:
        """A full TCP buffer or a connection that the node has closed costs a light peer this packet."""
        try:
            act()
        except OSError:
            peer.down = peer.down or "send failed"

    async def hold(self, seconds: float) -> None:
        """Let people come, go, speak and record for that long."""
        end, turn = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            turn += 1
            name = f"bp_{self.dice.randrange(WATCHERS)}"
            if self.dice.random() < 0.3:
                self.leave(self.watchers, name)
            else:
                await self.watch(name, tcp=self.dice.random() < 0.4)
            if turn % 4 == 0:
                await self.publish(self.dice.choice(PUBLISHERS), tcp=self.dice.random() < 0.3)
            if turn % 3 == 0:
                self.floor = self.dice.choice(PUBLISHERS)
                self.floors += 1
            if turn % 20 == 10:
                self.recording = not self.recording
                self.recordings += self.recording
            await self.plan()
            await asyncio.sleep(0.5)

    async def empty(self) -> tuple[float, int]:
        """Send everybody home and close the room.  Returns the node's memory in MB and its open files."""
        for peers in (self.publishers, self.watchers):
            for name in list(peers):
                self.leave(peers, name)
        self.recording = False
        await self.plan()
        await asyncio.sleep(CALM_S)
        status = await self.plan()
        assert status["peers"] == [] and status["publications"] == [], status
        await asyncio.to_thread(self.node.ok, "DELETE", f"/rooms/{ROOM}")
        health = await asyncio.to_thread(self.node.ok, "GET", "/healthz")
        assert health["room_ids"] == [], health
        await asyncio.to_thread(wait_for, lambda: self._recorders() == 0, "the recorders to end")
        await asyncio.sleep(CALM_S)
        self.version = 0
        return self.rss_mb, self.fds

    def _recorders(self) -> int:
        pid = self.node.process.pid
        return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    async def run(self, warm_s: float, seconds: float) -> dict[str, Any]:
        """Play twice: once to fill the pools, once to be measured."""
        streaming = asyncio.create_task(self._stream())
        try:
            await self._begin()
            await self.hold(warm_s)
            rss, fds = await self.empty()
            before = self.packets
            await self._begin()
            await self.hold(seconds)
            after, fds_after = await self.empty()
        finally:
            streaming.cancel()
        log = self.log.read_text()
        return {
            "seconds": round(seconds), "joins": self.joins, "floor_changes": self.floors, "recordings": self.recordings,
            "packets_seen": self.packets - before, "rss_mb_before": round(rss, 1), "rss_mb_after": round(after, 1),
            "rss_growth": round(after / rss - 1, 4), "fds_before": fds, "fds_after": fds_after,
            "tracebacks": log.count("Traceback"), "errors": log.count("ERROR"),
        }  # fmt: skip

    async def _begin(self) -> None:
        await self.plan()
        for name in PUBLISHERS:
            await self.publish(name, tcp=False)
        await self.watch("bp_0", tcp=False)

    def close(self) -> None:
        """Stop the node and whoever is left."""
        for peers in (self.publishers, self.watchers):
            for name in list(peers):
                self.leave(peers, name)
        self.node.stop()
        self.listener.join(10)


def faults(found: dict[str, Any]) -> list[str]:
    """Return what is wrong with a soak's figures, memory aside."""
    checks = {
        "files stay open": found["fds_after"] > found["fds_before"],
        "tracebacks": found["tracebacks"] > 0,
        "errors in the log": found["errors"] > 0,
        "no media came through": found["packets_seen"] < 10 * found["seconds"],
    }
    return [name for name, wrong in checks.items() if wrong]


async def soak(folder: Path, warm_s: float, seconds: float) -> dict[str, Any]:
    """Hold one soak."""
    one = Soak(folder)
    try:
        return await one.run(warm_s, seconds)
    finally:
        one.close()


def main() -> None:
    """Soak for `--seconds`, a fifth of which, but 30 s at least, is warm-up."""
    parser = argparse.ArgumentParser(prog="tests.media.soak")
    parser.add_argument("--seconds", type=float, default=600.0)
    given = parser.parse_args()
    warm = max(30.0, given.seconds / 5)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(soak(Path(folder), warm, max(10.0, given.seconds - warm)))
    wrong = faults(found)
    if abs(found["rss_growth"]) > MEMORY_SHARE:
        wrong.append("memory")
    print(json.dumps({**found, "faults": wrong}))
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
