"""A room of the node: its plan, its legs, its slots. Applying a plan twice changes nothing."""

import time
from collections.abc import Callable
from pathlib import Path

from core.errors import N_, Conflict, NotAllowed, NotFound
from media import control
from media.feed import Recording
from media.ice import IceLite
from media.legs import DownLeg, UpLeg
from media.rtp import Incoming
from media.segment_store import finalise
from media.slots import Slot, Switched
from media.sources import Source
from media.transport import Port

FIRST_SSRC = 0x10000  # slots get 0x10000, 0x10010, …: the same for every viewer of the room
SILENT_S = 5.0  # a track that sends nothing for this long has stopped
PROGRAM = ("guest", "stage")  # the recording follows the guest while somebody has the floor


class Room:
    """One live lecture as the node knows it."""

    def __init__(self, room_id: str, port: Port, folder: Path, emit: Callable[[control.Message], None]) -> None:
        """Make an empty room.

        folder: where its recording goes; emit: takes each event for the web side.
        """
        self.id = room_id
        self.plan = control.RoomPlan(version=-1, slots={}, publishers=[])
        self.ups: dict[str, UpLeg] = {}
        self.downs: dict[str, DownLeg] = {}
        self.slots = {
            name: Slot(name, "audio" if name.startswith("audio") else "video", FIRST_SSRC + 16 * i)
            for i, name in enumerate(control.CHAIR_SLOTS)
        }
        self.recording: Recording | None = None
        self._finished = False  # the folder has been seen to since it was last written
        self._port = port
        self._folder = folder
        self._emit = emit
        self._viewers: dict[str, list[DownLeg]] = {name: [] for name in self.slots}
        self._running: dict[str, Source] = {}  # publication -> its newest source

    # ---- plan ----

    async def apply(self, plan: control.RoomPlan) -> None:
        """Become what the plan says; an older plan than the one in force is ignored."""
        if plan.version < self.plan.version:
            return
        self.plan = plan
        now = time.time()
        for peer in [p for p in self.ups if p not in plan.publishers]:
            self.drop_up(peer, "may not publish")
        for peer, leg in self.ups.items():
            if leg.boost != (peer in plan.boost):
                leg.boost = peer in plan.boost
                leg.limit()
        for slot in self.slots.values():
            self._point(slot, now)
        await self._record()

    def _point(self, slot: Slot, now: float) -> None:
        wanted = self.plan.slots.get(slot.name)
        source = self._running.get(wanted) if wanted else None
        if source is not None and (source.codec == "opus") != (slot.kind == "audio"):
            source = None
        switched = slot.show(source, now)
        if switched:
            self._switched(switched)

    async def _record(self) -> None:
        if self.plan.recording and self.recording is None:
            self.recording = Recording(self._folder, self._ask_slot, self._recorder_said)
            self._finished = False
            await self.recording.start()
            self._tell_program()
        elif not self.plan.recording and self.recording is not None:
            recording, self.recording = self.recording, None
            self._finished = True
            recording.stop()
        elif not self.plan.recording and not self._finished:
            # A class that ended while the node was away: what its recorder left is made whole at once.
            self._finished = True
            if finalise(self._folder):
                self._emit(control.RecorderState(room=self.id, state="finished"))

    def status(self) -> control.RoomStatus:
        """Return what the room is now."""
        return control.RoomStatus(
            version=self.plan.version,
            peers=sorted(set(self.ups) | set(self.downs)),
            publications=sorted(self._running),
            shown={name: s.current.publication for name, s in self.slots.items() if s.current},
            recording=self.recording is not None,
        )

    # ---- legs ----

    def up(self, peer: str, offer: str) -> str:
        """Take a publishing leg's offer; a new one replaces the old.  Returns the SDP answer.

        Raises NotAllowed `publish.not_planned` unless the plan lets this peer publish.
        """
        if peer not in self.plan.publishers:
            raise NotAllowed("publish.not_planned", N_("This participant may not send picture or sound."))
        leg = UpLeg(self._port, peer, offer, self._packet, self._source, self._up_state)
        leg.boost = peer in self.plan.boost
        self.drop_up(peer, "replaced")
        self.ups[peer] = leg
        return leg.answer

    def down(self, peer: str, slots: list[str]) -> DownLeg:
        """Make a receiving leg; a new one replaces the old."""
        if len(set(slots)) != len(slots):
            raise Conflict("leg.slots", N_("A receiving leg names each slot once."))
        self.drop_down(peer, "replaced")
        leg = DownLeg(self._port, peer, [self.slots[name] for name in slots if name in self.slots], self._down_state)
        self.downs[peer] = leg
        return leg

    def answered(self, peer: str, leg: str, answer: str) -> None:
        """Take the answer to a receiving leg's offer.  Raises NotFound, Conflict or Invalid."""
        found = self.downs.get(peer)
        if found is None:
            raise NotFound("leg.unknown", N_("This connection is gone. Please reconnect."))
        found.answered(leg, answer)

    def restart(self, peer: str, which: str, ufrag: str | None) -> IceLite:
        """Give a leg fresh ICE names.  which: up or down.  Raises NotFound `leg.unknown`."""
        leg: UpLeg | DownLeg | None = (self.ups if which == "up" else self.downs).get(peer)
        if leg is None:
            raise NotFound("leg.unknown", N_("This connection is gone. Please reconnect."))
        return leg.transport.restart(ufrag)

    def drop(self, peer: str, reason: str) -> None:
        """Close both legs of a peer."""
        self.drop_up(peer, reason)
        self.drop_down(peer, reason)

    def drop_up(self, peer: str, reason: str) -> None:
        """Close a publishing leg and stop what it published."""
        leg = self.ups.pop(peer, None)
        if leg is None:
            return
        leg.close()
        for source in leg.sources.values():
            self._stop(source)
        self._emit(control.PeerDown(room=self.id, peer=peer, leg="up", reason=reason))

    def drop_down(self, peer: str, reason: str) -> None:
        """Close a receiving leg."""
        leg = self.downs.pop(peer, None)
        if leg is None:
            return
        leg.close()
        for slot in leg.slots:
            if leg in self._viewers[slot.name]:
                self._viewers[slot.name].remove(leg)
        self._emit(control.PeerDown(room=self.id, peer=peer, leg="down", reason=reason))

    def _up_state(self, leg: UpLeg, reason: str | None) -> None:
        if reason is None:
            self._emit(control.PeerUp(room=self.id, peer=leg.peer, leg="up"))
        elif self.ups.get(leg.peer) is leg:
            self.drop_up(leg.peer, reason)

    def _down_state(self, leg: DownLeg, reason: str | None) -> None:
        if reason is not None:
            if self.downs.get(leg.peer) is leg:
                self.drop_down(leg.peer, reason)
            return
        for slot in leg.slots:
            self._viewers[slot.name].append(leg)
        leg.greet()
        self._emit(control.PeerUp(room=self.id, peer=leg.peer, leg="down"))

    # ---- packets ----

    def _source(self, leg: UpLeg, source: Source) -> None:
        self._running[source.publication] = source
        self._emit(control.TrackStarted(room=self.id, publication=source.publication, codec=source.codec))
        now = time.time()
        for slot in self.slots.values():
            if self.plan.slots.get(slot.name) == source.publication:
                self._point(slot, now)

    def _packet(self, leg: UpLeg, source: Source, packet: Incoming) -> None:
        if not source.slots:
            return
        now = time.time()
        for slot in tuple(source.slots):
            out, switched = slot.feed(source, packet, now)
            if out is not None:
                viewers = self._viewers[slot.name]
                if viewers:
                    self._port.fanout.send(out, viewers, video=slot.kind == "video")
                if self.recording is not None:
                    self.recording.packet(slot.name, source.captured_at(packet.timestamp), out)
            if switched:
                self._switched(switched)

    def _switched(self, switched: Switched) -> None:
        slot, source = switched.slot, switched.source
        self._report(slot, time.time())
        if slot.name in PROGRAM:
            self._tell_program()
        self._emit(
            control.SlotSwitched(
                room=self.id,
                slot=slot.name,
                publication=source.publication if source else None,
                latency_ms=round(switched.latency_s * 1000),
            )
        )

    def _stop(self, source: Source) -> None:
        if self._running.get(source.publication) is source:
            del self._running[source.publication]
            self._emit(control.TrackStopped(room=self.id, publication=source.publication))
        now = time.time()
        for slot in tuple(source.slots):
            source.slots.discard(slot)
            if slot.wanted is source:  # otherwise another source is on its way and the old picture may stay
                switched = slot.show(None, now)
                if switched:
                    self._switched(switched)

    # ---- recording ----

    def _tell_program(self) -> None:
        if self.recording is not None:
            self.recording.follow("guest" if self.slots["guest"].current else "stage")

    def _ask_slot(self, name: str) -> None:
        slot = self.slots.get(name)
        if slot is not None and slot.current is not None:
            slot.current.ask_key_frame(time.time(), 0.3)

    def _recorder_said(self, message: control.Message) -> None:
        self._emit(message.model_copy(update={"room": self.id}))

    # ---- clockwork ----

    def tick(self, now: float) -> None:
        """Repair and retry; call every 20 ms.  now: time.time() seconds."""
        for leg in self.ups.values():
            for source in leg.sources.values():
                source.repair(now)
        for slot in self.slots.values():
            if slot.wanted is not slot.current:
                slot.retry(now)

    def slow_tick(self, now: float, monotonic: float) -> None:
        """Limits, reports, the dead; call every 500 ms."""
        for leg in self.ups.values():
            leg.limit()
        for slot in self.slots.values():
            self._report(slot, now)
        for peer, leg in list(self.ups.items()):
            if leg.transport.expired(monotonic):
                self.drop_up(peer, "no consent")
                continue
            for ssrc, source in list(leg.sources.items()):
                if now - source.last_at > SILENT_S:
                    del leg.sources[ssrc]
                    self._stop(source)
        for peer, down in list(self.downs.items()):
            if down.transport.expired(monotonic):
                self.drop_down(peer, "no consent")

    def _report(self, slot: Slot, now: float) -> None:
        viewers = self._viewers[slot.name]
        report = slot.report(now) if viewers else None
        if report:
            for leg in viewers:
                leg.transport.send_rtcp(report)

    def close(self) -> None:
        """Drop everybody and finish the recording."""
        for peer in set(self.ups) | set(self.downs):
            self.drop(peer, "room closed")
        if self.recording is not None:
            self.recording.stop()
            self.recording = None
