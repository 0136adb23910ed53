"""One direction of a bad line: loss, a slow link with a bounded queue, delay, jitter. Pure: the time is an argument."""

import random
from collections import deque
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

SMALLEST_QUEUE = 3000  # bytes: two full packets, or a slow link could never carry one


@dataclass(frozen=True)
class Conditions:
    """What a direction does to its packets."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0  # added on top of the delay: 0 to this, evenly distributed; the order is kept
    loss: float = 0.0  # share of packets, 0 to 1
    rate_kbit: float | None = None  # kbit/s of IP packets; None: no limit; 0: cut, everything is lost
    queue_ms: float = 400.0  # what waits longer than this at the present rate is dropped

    def changed(self, **values: Any) -> "Conditions":
        """Return these conditions with some values changed.  Raises ValueError for an unknown or impossible one."""
        unknown = set(values) - {field.name for field in fields(self)}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        new = replace(self, **values)
        if min(new.delay_ms, new.jitter_ms, new.queue_ms, new.rate_kbit or 0) < 0 or not 0 <= new.loss <= 1:
            raise ValueError("negative, or a loss outside 0 to 1")
        return new


@dataclass
class Counters:
    """What became of a direction's packets."""

    passed: int = 0
    passed_bytes: int = 0
    lost: int = 0  # by the random pattern
    queue_dropped: int = 0  # the queue was full
    cut: int = 0  # the line was down


class Pipe:
    """One direction: packets go in with `push`, and come out of `due` when their time has come."""

    def __init__(self, conditions: Conditions, seed: int) -> None:
        """Start empty.  seed: of the loss and jitter pattern; the same packets meet the same fate."""
        self.conditions = conditions
        self.counters = Counters()
        self.longest_queue_ms = 0.0  # since it was last asked for
        self._random = random.Random(seed)
        self._queue: deque[bytes] = deque()  # waiting for the slow link; the first is being sent
        self._queued = 0  # bytes in it
        self._left = 0.0  # bytes of the first that are still to be sent
        self._served_at = 0.0
        self._flight: deque[tuple[float, bytes]] = deque()  # on the wire: (arrives at, packet)

    def change(self, now: float, **values: Any) -> None:
        """Change conditions, for what waits as well as for what comes.  now: seconds, monotonic."""
        self._serve(now)
        self.conditions = self.conditions.changed(**values)
        rate = self.conditions.rate_kbit
        if rate is None:
            while self._queue:
                self._fly(self._queue.popleft(), now)
            self._queued = 0
            self._left = 0.0
            return
        while self._queue and (rate == 0 or self._queued > self._room()):
            self._queued -= len(self._queue.pop())
            if rate == 0:
                self.counters.cut += 1
            else:
                self.counters.queue_dropped += 1
        if rate == 0:
            self.counters.cut += len(self._flight)
            self._flight.clear()

    def push(self, packet: bytes, now: float) -> None:
        """Take a packet.  now: seconds, monotonic."""
        rate = self.conditions.rate_kbit
        if rate == 0:
            self.counters.cut += 1
        elif self._random.random() < self.conditions.loss:
            self.counters.lost += 1
        elif rate is None:
            self._fly(packet, now)
        else:
            self._serve(now)
            if self._queued + len(packet) > self._room():
                self.counters.queue_dropped += 1
                return
            if not self._queue:
                self._left, self._served_at = float(len(packet)), now
            self._queue.append(packet)
            self._queued += len(packet)
            self.longest_queue_ms = max(self.longest_queue_ms, self.queue_ms())

    def due(self, now: float) -> list[bytes]:
        """Return the packets that have arrived by now, in order."""
        self._serve(now)
        out = []
        while self._flight and self._flight[0][0] <= now:
            packet = self._flight.popleft()[1]
            self.counters.passed += 1
            self.counters.passed_bytes += len(packet)
            out.append(packet)
        return out

    def next_at(self) -> float | None:
        """Return when `due` has something to do next, seconds; None when nothing is on its way."""
        times = [self._flight[0][0]] if self._flight else []
        if self._queue and self.conditions.rate_kbit:
            times.append(self._served_at + self._left / self._bytes_per_s())
        return min(times, default=None)

    def queue_ms(self) -> float:
        """Return how long a packet that came now would wait for the link."""
        return 1000 * self._queued / self._bytes_per_s() if self._queue and self.conditions.rate_kbit else 0.0

    def state(self) -> dict[str, Any]:
        """Return conditions, counters and the queue; the longest queue starts anew."""
        longest, self.longest_queue_ms = self.longest_queue_ms, self.queue_ms()
        queue = {"queue_now_ms": round(self.queue_ms(), 1), "queue_longest_ms": round(longest, 1)}
        return {**asdict(self.conditions), **asdict(self.counters), **queue}

    def _bytes_per_s(self) -> float:
        return (self.conditions.rate_kbit or 0) * 125

    def _room(self) -> float:
        return max(SMALLEST_QUEUE, self._bytes_per_s() * self.conditions.queue_ms / 1000)

    def _serve(self, now: float) -> None:
        """Let the slow link send what it could send by now."""
        rate = self._bytes_per_s()
        while self._queue and rate:
            done_at = self._served_at + self._left / rate
            if done_at > now:
                self._left -= (now - self._served_at) * rate
                self._served_at = now
                return
            packet = self._queue.popleft()
            self._queued -= len(packet)
            self._fly(packet, done_at)
            self._served_at = done_at
            self._left = float(len(self._queue[0])) if self._queue else 0.0

    def _fly(self, packet: bytes, sent_at: float) -> None:
        at = sent_at + (self.conditions.delay_ms + self._random.random() * self.conditions.jitter_ms) / 1000
        if self._flight:
            at = max(at, self._flight[-1][0])
        self._flight.append((at, packet))
