# SPDX-License-Identifier: Apache-2.0
"""How good the participants' lines are and who speaks: passing news, never journalled.

The nodes report each leg every 2 s. Chairs hear of everybody in their room, others of themselves;
each connection is sent only what is new to it, so one that comes in late is told all there is.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from media.control import NodeEvent, PeerDown, Quality, Speaking
from signaling.connections import Member
from signaling.media_bridge import CHAIRS
from signaling.messages import Level, RoomSignals, Signal

log = logging.getLogger(__name__)

EVERY_S = 2.0
REPORTS = 3  # a line counts as what the worst of its last reports says: worse at once, better after 6 s
STALE_S = 10.0  # a leg that nobody reports on is gone, though nobody said so
LEVELS: tuple[Level, ...] = ("good", "weak", "poor", "sound")
# One way 150 ms and 400 ms are the bounds of ITU-T G.114 for talking comfortably and for talking at all.
# Loss is before repair: up to 3 % is mended without anybody noticing.
WEAK = (0.03, 300, 50)  # share lost, round trip in ms, jitter in ms
POOR = (0.10, 800, 150)


def level_of(report: Quality) -> Level:
    """Return how one report sounds to a person."""
    if report.audio_only:
        return "sound"
    figures = (report.loss, report.rtt_ms or 0, report.jitter_ms)
    for level, bounds in (("poor", POOR), ("weak", WEAK)):
        if any(figure >= bound for figure, bound in zip(figures, bounds, strict=True)):
            return level  # type: ignore[return-value]
    return "good"


@dataclass
class _Leg:
    reports: deque[Quality] = field(default_factory=lambda: deque(maxlen=REPORTS))
    heard_s: float = 0.0


@dataclass
class _Peer:
    legs: dict[str, _Leg] = field(default_factory=dict)
    speaking: bool = False
    heard_s: float = 0.0

    def signal(self) -> Signal:
        """Return what a page is told, in steps so coarse that a line that stays as it is says nothing new."""
        newest = [leg.reports[-1] for leg in self.legs.values()]
        levels = [level_of(report) for leg in self.legs.values() for report in leg.reports]
        rtts = [report.rtt_ms for report in newest if report.rtt_ms is not None]
        return Signal(
            level=max(levels, key=LEVELS.index, default=None),
            loss_percent=round(max((report.loss for report in newest), default=0.0) * 100),
            rtt_ms=round(max(rtts) / 50) * 50 if rtts else None,
            speaking=self.speaking,
        )


class Signals:
    """Takes the nodes' reports in and tells the pages."""

    def __init__(
        self,
        members: Callable[[], Iterable[Member]],
        send: Callable[[str, RoomSignals], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wire it; nothing is sent before `tick`.

        members: who is connected to this process; send(connection, message); monotonic: seconds.
        """
        self._members, self._send, self._monotonic = members, send, monotonic
        self._rooms: dict[str, dict[str, _Peer]] = {}
        self._told: dict[str, dict[str, Signal]] = {}  # by connection
        self._lock = threading.Lock()
        self._telling = threading.Lock()  # so that no page hears an older state after a newer one
        self._going = False

    def run(self, pause: Callable[[float], object]) -> None:
        """Tell the pages what is new every 2 s, until `stop`."""
        self._going = True
        while self._going:
            pause(EVERY_S)
            try:
                self.tick()
            except Exception:
                log.exception("signals were not told")

    def stop(self) -> None:
        """End `run` at its next pause."""
        self._going = False

    def node_event(self, event: NodeEvent) -> None:
        """Take what a node said about a participant; who speaks is told at once."""
        if isinstance(event, Quality):
            with self._lock:
                leg = self._peer(event.room, event.peer).legs.setdefault(event.leg, _Leg())
                leg.reports.append(event)
                leg.heard_s = self._monotonic()
        elif isinstance(event, Speaking):
            with self._lock:
                self._peer(event.room, event.peer).speaking = event.speaking
            self.tick(event.room)
        elif isinstance(event, PeerDown):
            self._gone(event)

    def tick(self, lecture: str | None = None) -> None:
        """Tell each connection what is new to it.

        lecture: only in this room; None: everywhere.
        """
        with self._telling:
            members = list(self._members())
            with self._lock:
                if lecture is None:
                    self._tidy({member.connection for member in members})
                asked = [member for member in members if lecture in (None, member.lecture)]
                news = [(member.connection, self._news(member)) for member in asked]
            for connection, signals in news:
                if signals:
                    self._send(connection, RoomSignals(signals=signals))

    def _news(self, member: Member) -> dict[str, Signal | None]:
        table = {peer: known.signal() for peer, known in self._rooms.get(member.lecture, {}).items()}
        if member.role not in CHAIRS:
            own = table.get(member.participant)
            # of its own line a page needs to know how good it is, and not whether its hall speaks
            table = {member.participant: Signal(level=own.level)} if own else {}
        told = self._told.get(member.connection, {})
        self._told[member.connection] = table
        gone: dict[str, Signal | None] = {peer: None for peer in told if peer not in table}
        return gone | {peer: signal for peer, signal in table.items() if told.get(peer) != signal}

    def _peer(self, room: str, peer: str) -> _Peer:
        known = self._rooms.setdefault(room, {}).setdefault(peer, _Peer())
        known.heard_s = self._monotonic()
        return known

    def _gone(self, event: PeerDown) -> None:
        with self._lock:
            known = self._rooms.get(event.room, {}).get(event.peer)
            if known is None:
                return
            known.legs.pop(event.leg, None)
            if event.leg == "up":
                known.speaking = False
            if not known.legs:
                del self._rooms[event.room][event.peer]

    def _tidy(self, connections: set[str]) -> None:
        """Forget legs and participants that nobody reports on, rooms and connections that are gone."""
        for connection in self._told.keys() - connections:
            del self._told[connection]
        before_s = self._monotonic() - STALE_S
        for room, peers in list(self._rooms.items()):
            for peer, known in list(peers.items()):
                known.legs = {name: leg for name, leg in known.legs.items() if leg.heard_s > before_s}
                if known.heard_s <= before_s:
                    del peers[peer]
            if not peers:
                del self._rooms[room]
