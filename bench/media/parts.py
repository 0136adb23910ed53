"""The four that are compared: each is set up once and then measured in rounds."""

import asyncio
import json
import os
import socket
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import pylibsrtp

from bench.janus import Janus, Session
from bench.media import floor
from bench.media.crowd import Crowd, Reader
from bench.media.light import PASSWORD, UFRAG, Peer, drop_media, identity
from bench.media.processes import ROOT, NodeProcess, cpu_s, set_apart
from bench.media.publisher import Publisher
from media.control import CHAIR_SLOTS
from media.dtls import Identity

ROOM, LECTURER = "lec_bench", "usr_lecturer"
WARM_S = 2.0
AFTER_S = 0.5


@dataclass(frozen=True)
class Round:
    """One measurement: CPU used for so many forwarded packets; what the reading viewers saw of it."""

    cpu_s: float
    packets: int
    offered: int  # packets published, times viewers
    delays_s: list[float] = field(default_factory=list)
    lost: int = 0
    read: int = 0

    @property
    def us(self) -> float:
        """Return CPU microseconds per packet and viewer."""
        return self.cpu_s / self.packets * 1e6


class Part:
    """Parent of all parts; an asynchronous context manager."""

    name = ""

    def __init__(self, address: str, viewers: int) -> None:
        """Prepare.  address: IPv4 address everything binds to; viewers: how many."""
        self.address = address
        self.viewers = viewers
        self.stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start and connect everything."""
        try:
            await self.start()
        except BaseException:
            await self.stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything that was started."""
        await self.stack.aclose()

    async def start(self) -> None:
        """Start and connect everything; what must be stopped goes on `stack`."""
        raise NotImplementedError

    async def measure(self, seconds: float) -> Round:
        """Send for `seconds` after a warm-up and return what it cost."""
        raise NotImplementedError


class Forwarder(Part):
    """An engine with a publisher and a crowd of viewers."""

    pid = 0
    publisher: Publisher
    readers: list[Reader]

    async def sent(self) -> int:
        """Return how many packets were forwarded so far."""
        raise NotImplementedError

    async def measure(self, seconds: float) -> Round:
        """Publish and watch the engine's CPU for `seconds` in the middle."""
        stream = self.publisher.stream
        for reader in self.readers:
            reader.delays_s.clear()
        task = asyncio.create_task(self.publisher.run(WARM_S + seconds + AFTER_S))
        await asyncio.sleep(WARM_S)
        first, sent, cpu = stream.sent, await self.sent(), cpu_s(self.pid)
        marks = [len(reader.delays_s) for reader in self.readers]
        await asyncio.sleep(seconds)
        cpu, sent, last = cpu_s(self.pid) - cpu, await self.sent() - sent, stream.sent
        await task
        await asyncio.sleep(0.2)
        return Round(
            cpu,
            sent,
            (last - first) * self.viewers,
            [d for reader, mark in zip(self.readers, marks, strict=True) for d in reader.delays_s[mark:]],
            sum(reader.lost(first, last) for reader in self.readers),
            (last - first) * len(self.readers),
        )


class NodePart(Forwarder):
    """Our node."""

    name = "node"

    async def start(self) -> None:
        """Start a node, publish, let all viewers join."""
        self.node = await self.stack.enter_async_context(NodeProcess(self.address))
        self.pid = self.node.pid
        own = identity()
        crowd = await self.stack.enter_async_context(Crowd())
        slots = {"stage": f"{LECTURER}/camera", "audio-0": f"{LECTURER}/mic"}
        await self.node.plan(ROOM, slots, [LECTURER])
        self.publisher = Publisher(await publish(self.node, own, crowd, ROOM, LECTURER))
        peers = await crowd.join(self.viewers, lambda i: watch(self.node, own, ROOM, f"usr_viewer{i}"))
        self.readers = crowd.read_some(peers, self.publisher.sent_at)

    async def sent(self) -> int:
        """Return the node's own count."""
        return await self.node.sent()


async def publish(node: NodeProcess, own: Identity, crowd: Crowd, room: str, name: str) -> Peer:
    """Connect the publishing leg of participant `name`."""
    peer = Peer(own, node.address)
    answer = await node.call("POST", f"/rooms/{room}/peers/{name}/up", {"sdp": peer.offer()})
    crowd.peers.append(await peer.connect(answer["sdp"]))
    return peer


async def watch(node: NodeProcess, own: Identity, room: str, name: str) -> Peer:
    """Connect the receiving leg of participant `name`, with every slot a room has."""
    peer, path = Peer(own, node.address), f"/rooms/{room}/peers/{name}/down"
    offer = await node.call("POST", path, {"slots": list(CHAIR_SLOTS)})
    await node.call("PUT", path, {"leg": offer["leg"], "sdp": peer.answer(offer["sdp"])})
    return await peer.connect(offer["sdp"])


class JanusPart(Forwarder):
    """Janus VideoRoom from Debian, as it comes."""

    name = "janus"

    async def start(self) -> None:
        """Start Janus, publish, let all viewers join."""
        self.janus = self.stack.enter_context(Janus(address=self.address))
        self.pid = self.janus.pid
        set_apart(self.pid, all_cores=True)
        own, session = identity(), await asyncio.to_thread(self.janus.session)
        crowd = await self.stack.enter_async_context(Crowd())
        lecturer, handle = Peer(own, self.address), await asyncio.to_thread(session.attach)
        await asyncio.to_thread(handle.create_room)
        crowd.peers.append(await lecturer.connect(await asyncio.to_thread(handle.publish, lecturer.offer())))
        self.publisher = Publisher(lecturer)
        lock = asyncio.Lock()
        peers = await crowd.join(self.viewers, lambda _: self._watch(own, session, lock))
        self.readers = crowd.read_some(peers, self.publisher.sent_at)

    async def _watch(self, own: Identity, session: Session, lock: asyncio.Lock) -> Peer:
        peer = Peer(own, self.address)
        async with lock:  # a session is for one thread at a time
            handle = await asyncio.to_thread(session.attach)
            offer = await asyncio.to_thread(handle.subscribe)
            await asyncio.to_thread(handle.answer, peer.answer(offer))
        return await peer.connect(offer)

    async def sent(self) -> int:
        """Return what the kernel sent in this namespace, without the publisher's own: Janus has no such count."""
        lines = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp:")]
        return int(dict(zip(*lines, strict=True))["OutDatagrams"]) - self.publisher.stream.sent


class AiortcPart(Part):
    """aiortc's sender chain in a process of its own."""

    name = "aiortc"

    async def start(self) -> None:
        """Start it and let it connect to light peers."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.media.aiortc_chain", cwd=ROOT, limit=1 << 22,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self.stack.push_async_callback(self._stop)
        set_apart(self._process.pid)
        own = identity()
        crowd = await self.stack.enter_async_context(Crowd())
        peers = [Peer(own, self.address) for _ in range(self.viewers)]
        print_ = ":".join(f"{byte:02X}" for byte in own.fingerprint)
        await self._say([{"address": self.address, "port": peer.socket.getsockname()[1], "ufrag": UFRAG,
                          "pwd": PASSWORD, "fingerprint": print_} for peer in peers])  # fmt: skip
        ends = json.loads(await self._line())
        await asyncio.gather(*(peer.accept(end) for peer, end in zip(peers, ends, strict=True)))
        crowd.peers += peers
        if await self._line() != "ready":
            raise RuntimeError("aiortc did not connect")
        for peer in peers:
            peer.stop_reading()

    async def measure(self, seconds: float) -> Round:
        """Let it send; nothing else runs in that process meanwhile."""
        cpu = cpu_s(self._process.pid)
        await self._say(seconds)
        packets = int(await self._line())
        return Round(cpu_s(self._process.pid) - cpu, packets, packets)

    async def _say(self, what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        await self._process.stdin.drain()

    async def _line(self) -> str:
        assert self._process.stdout is not None
        return (await asyncio.wait_for(self._process.stdout.readline(), 90)).decode().strip()

    async def _stop(self) -> None:
        assert self._process.stdin is not None
        if self._process.returncode is None:
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), 10)


class _Keys:
    """What a `Peer` has after its handshake, for one that the C loop sends to without any."""

    def __init__(self, key: bytes) -> None:
        """Take key and salt (28 bytes)."""
        self.inbound, self.outbound = (
            pylibsrtp.Session(
                pylibsrtp.Policy(
                    key=key, ssrc_type=direction, srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM
                )
            )
            for direction in (pylibsrtp.Policy.SSRC_ANY_INBOUND, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        )

    def close(self) -> None:
        """Do nothing: nobody was greeted."""


class FloorPart(Part):
    """The C loop, to sockets like the viewers' and beside the same publisher and readers as the others have.

    Whatever works on the other core makes a loop dearer, here by up to 10 %.
    """

    name = "floor"

    async def start(self) -> None:
        """Compile it and bind the sockets, of which a few are read."""
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-floor-"))
        self._program = floor.build(Path(folder))
        own, nowhere = identity(), self.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        nowhere.bind((self.address, 0))
        drop_media(nowhere)
        self._destinations, peers = [], []
        for _ in range(self.viewers + 1):
            key, peer = os.urandom(28), Peer(own, self.address)
            self.stack.callback(peer.close)
            peer.dtls = cast(Any, _Keys(key))
            peer.aim(nowhere.getsockname())
            self._destinations.append(floor.Destination(self.address, peer.socket.getsockname()[1], key))
            peers.append(peer)
        self._publisher = Publisher(peers.pop())
        self._destinations.pop()
        Crowd().read_some(peers, self._publisher.sent_at)

    async def measure(self, seconds: float) -> Round:
        """Run it once."""
        task = asyncio.create_task(self._publisher.run(seconds + AFTER_S))
        sent, refused, cpu = await asyncio.to_thread(floor.run, self._program, seconds, self._destinations)
        await task
        return Round(cpu, sent, sent + refused)
