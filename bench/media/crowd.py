"""Many viewers on one engine: they join for real, keep their consent, and mostly leave the media unread."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable

from bench.media.light import Peer
from bench.media.traffic import number

CONSENT_S = 4.0  # RFC 7675 section 5.1: about every 5 s
AT_ONCE = 16  # joins under way
READERS = 4

Join = Callable[[int], Awaitable[Peer]]


class Reader:
    """A viewer that reads: which packets came, and how long each was under way."""

    def __init__(self, peer: Peer, sent_at: dict[int, float]) -> None:
        """Listen.  sent_at: packet number -> when the publisher sent it (seconds since 1970)."""
        self.delays_s: list[float] = []
        self.numbers: set[int] = set()
        self._sent_at = sent_at
        peer.on_rtp = self._take

    def _take(self, packet: bytes, arrived: float) -> None:
        found = number(packet)
        sent = self._sent_at.get(found)
        if sent is not None:
            self.numbers.add(found)
            self.delays_s.append(arrived - sent)

    def lost(self, first: int, last: int) -> int:
        """Return how many of the packets numbered first to last (exclusive) never came."""
        return sum(n in self._sent_at and n not in self.numbers for n in range(first, last))


class Crowd:
    """All light peers of one engine; an asynchronous context manager that closes them."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Crowd":
        """Begin to send consent checks."""
        self._task = asyncio.create_task(self._consent())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all peers."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for peer in self.peers:
            peer.close()

    async def join(self, count: int, join: Join) -> list[Peer]:
        """Let peers join, AT_ONCE at a time.

        count: how many; join(i): connects the i-th.  Raises what that raises.
        """
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(i: int) -> Peer:
            async with gate:
                peer = await join(i)
                self.peers.append(peer)
                return peer

        return list(await asyncio.gather(*(one(i) for i in range(count))))

    def read_some(self, peers: list[Peer], sent_at: dict[int, float]) -> list[Reader]:
        """Let READERS of `peers`, evenly spread and with the last, read on; the others stop reading."""
        step = max(1, len(peers) // READERS)
        reading = set(range(len(peers) - 1, -1, -step)[:READERS])
        for i, peer in enumerate(peers):
            if i not in reading:
                peer.stop_reading()
        return [Reader(peers[i], sent_at) for i in sorted(reading)]

    async def _consent(self) -> None:
        while True:
            rounds = list(self.peers)
            for peer in rounds:
                peer.consent()
                await asyncio.sleep(CONSENT_S / len(rounds))
            await asyncio.sleep(0.0 if rounds else 0.1)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that `share` (0-1) of `values` do not exceed; 0.0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
