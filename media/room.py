"""A room of the node: its plan, its legs, its slots. Applying a plan twice changes nothing."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import N_, Conflict, NotAllowed, NotFound
from media import control
from media.downleg import DownLeg
from media.feed import Recording
from media.ice import IceLite
from media.legs import UpLeg
from media.rtp import Incoming
from media.segment_store import finalise
from media.slots import Slot, Switched
from media.sources import Publication, Source
from media.transport import Port
from media.views import TILE_HEIGHT
from media.whep import PlayerLeg

log = logging.getLogger(__name__)

FIRST_SSRC = 0x10000  # slots get 0x10000, 0x10010, …: the same for every viewer of the room
TICK_S = 0.02
# In ticks, how often: a receiving leg is looked after (80 ms: at 200 viewers 5 % of the time), a publisher is told of
# arrivals (60 ms), limits and layers are thought about (500 ms), everybody is told and spoken of (2 s).
OFTEN, FEED_BACK, SLOW, REPORT = 4, 3, 25, 100
TURNS = 300  # a multiple of all four
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
            name: Slot(
                name,
                "audio" if name.startswith("audio") else "video",
                FIRST_SSRC + 16 * i,
                TILE_HEIGHT if name.startswith("tile") else None,
            )
            for i, name in enumerate(control.CHAIR_SLOTS)
        }
        self.recording: Recording | None = None
        self._finished = False  # the folder has been seen to since it was last written
        self._port = port
        self._folder = folder
        self._emit = emit
        self._publications: dict[str, Publication] = {}
        self._heard: set[str] = set()  # who speaks now
        self._turn = 0

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
            leg.boost = peer in plan.boost
        self._arrange(now)
        await self._record()

    def publication(self, slot: Slot) -> Publication | None:
        """Return what a slot shall show by the plan, None when that is nothing or does not send."""
        wanted = self.plan.slots.get(slot.name)
        found = self._publications.get(wanted) if wanted else None
        if found is None or not found.layers or (found.codec == "opus") != (slot.kind == "audio"):
            return None
        return found

    def _arrange(self, now: float) -> None:
        """Point every line at the layer it shall show."""
        for slot in self.slots.values():
            found = self.publication(slot)
            source = found.pick(slot.ceiling, now, slot.current) if found else None
            switched = slot.show(source, now)
            if switched:
                self._switched(switched)
        for leg in self.downs.values():
            leg.arrange(now)

    async def _record(self) -> None:
        if self.plan.recording and self.recording is None:
            self.recording = Recording(self._folder, self._ask_slot, self._recorder_said, self._port.tally)
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
            publications=sorted(self._publications),
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
        known = [self.slots[name] for name in slots if name in self.slots]
        leg = DownLeg(self._port, peer, known, self._down_state, self.publication)
        self.downs[peer] = leg
        return leg

    def play(self, peer: str, offer: str) -> str:
        """Take a player's offer; a new one replaces the old.  Returns the SDP answer.  Raises Invalid."""
        leg = PlayerLeg(self._port, peer, offer, self._down_state, self._program)
        self.drop_down(peer, "replaced")
        self.downs[peer] = leg
        return leg.answer

    def _program(self, kind: str) -> list[Publication]:
        """Return what the program may show or sound, the first one first: who has the floor, then the stage.

        Of two open microphones the one that is spoken into comes first; between questions and answers
        the player hears both.
        """
        names = ("audio-1", "audio-0") if kind == "audio" else PROGRAM
        found = [p for name in names if (p := self.publication(self.slots[name])) is not None]
        return sorted(found, key=lambda p: p.name.partition("/")[0] not in self._heard) if kind == "audio" else found

    def answered(self, peer: str, leg: str, answer: str) -> None:
        """Take the answer to a receiving leg's offer.  Raises NotFound, Conflict or Invalid."""
        found = self.downs.get(peer)
        if found is None:
            raise NotFound("leg.unknown", N_("This connection is gone. Please reconnect."))
        found.answered(leg, answer)

    def restart(self, peer: str, which: str, ufrag: str | None) -> IceLite:
        """Give a leg fresh ICE names.  which: up, down or play.  Raises NotFound `leg.unknown`."""
        leg: UpLeg | DownLeg | None = (self.ups if which == "up" else self.downs).get(peer)
        if leg is None:
            raise NotFound("leg.unknown", N_("This connection is gone. Please reconnect."))
        return leg.transport.restart(ufrag)

    def drop_leg(self, peer: str, which: str, reason: str) -> None:
        """Close one leg of a peer.  which: up, down or play."""
        if which == "up":
            self.drop_up(peer, reason)
        elif peer in self.downs and self.downs[peer].kind == which:
            self.drop_down(peer, reason)

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
        self._heard.discard(peer)
        for source in leg.sources.values():
            self._stop(source)
        self._emit(control.PeerDown(room=self.id, peer=peer, leg="up", reason=reason))

    def drop_down(self, peer: str, reason: str) -> None:
        """Close a receiving leg."""
        leg = self.downs.pop(peer, None)
        if leg is None:
            return
        leg.close()
        self._emit(control.PeerDown(room=self.id, peer=peer, leg=leg.kind, reason=reason))

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
        leg.start()
        self._emit(control.PeerUp(room=self.id, peer=leg.peer, leg=leg.kind))

    def resize(self, peer: str, heights: dict[str, int]) -> None:
        """Take a page's wishes for the sizes of its pictures.  Raises NotFound `leg.unknown`."""
        leg = self.downs.get(peer)
        if leg is None:
            raise NotFound("leg.unknown", N_("This connection is gone. Please reconnect."))
        leg.resize(heights)

    # ---- packets ----

    def _source(self, leg: UpLeg, source: Source) -> None:
        found = self._publications.get(source.publication)
        if found is None or not source.rid:  # a single-layer source that came anew has replaced the old
            found = self._publications[source.publication] = Publication(source.publication)
        known = bool(found.layers)
        found.add(source)
        if not known:
            self._emit(control.TrackStarted(room=self.id, publication=source.publication, codec=source.codec))
        self._arrange(time.time())

    def _packet(self, leg: UpLeg, source: Source, packet: Incoming) -> None:
        now = time.time()
        if source.is_audio and packet.ssrc in leg.voices:
            level = leg.level(packet)
            if level is not None:
                self._speaking(leg.peer, leg.voices[packet.ssrc].heard(level, now))
        if not source.slots:
            return
        sent = False
        for line in tuple(source.slots):
            out, switched = line.feed(source, packet, now)
            if out is not None:
                if line.viewers:
                    self._port.fanout.send(out, line.viewers, video=line.kind == "video")
                    sent = True
                if self.recording is not None and self.slots[line.name] is line:
                    self.recording.packet(line.name, source.captured_at(packet.timestamp), out)
            if switched:
                self._switched(switched)
        if sent:
            self._port.tally.delays.observe(time.perf_counter() - self._port.read_at)

    def _speaking(self, peer: str, changed: bool | None) -> None:
        if changed is None:
            return
        self._emit(control.Speaking(room=self.id, peer=peer, speaking=changed))
        self._heard.add(peer) if changed else self._heard.discard(peer)
        for leg in self.downs.values():
            if leg.kind == "play":
                leg.arrange(time.time())

    def _switched(self, switched: Switched) -> None:
        line, source = switched.slot, switched.source
        self._report(line, time.time())
        if self.slots[line.name] is not line:
            self._port.tally.layer_switches += 1
            return
        if line.name in PROGRAM:
            self._tell_program()
        publication = source.publication if source else None
        if publication is not None and publication == switched.before:
            self._port.tally.layer_switches += 1
            return
        self._port.tally.slot_switches += 1
        self._emit(
            control.SlotSwitched(
                room=self.id,
                slot=line.name,
                publication=publication,
                latency_ms=round(switched.latency_s * 1000),
            )
        )

    def _stop(self, source: Source) -> None:
        found = self._publications.get(source.publication)
        if found is not None and source in found.layers:
            found.remove(source)
            if not found.layers:
                del self._publications[source.publication]
                self._emit(control.TrackStopped(room=self.id, publication=source.publication))
        now = time.time()
        for line in tuple(source.slots):
            source.slots.discard(line)
            if line.wanted is source:  # otherwise another source is on its way and the old picture may stay
                other = found.pick(line.ceiling, now) if found is not None else None
                switched = line.show(other, now)
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

    def tick(self, now: float, monotonic: float) -> None:
        """Do what is due; call every TICK_S.

        now, monotonic: seconds, of time.time() and time.monotonic().  The receiving legs take turns: all
        at once, 200 of them would hold up the packets.
        """
        self._turn = turn = (self._turn + 1) % TURNS
        for up in self.ups.values():
            self._guarded(up, up.tick, now, feed_back=turn % FEED_BACK == 0)
        for slot in self.slots.values():
            if slot.wanted is not slot.current:
                slot.retry(now)
        if turn % SLOW == 0:
            self._arrange(now)
            for up in list(self.ups.values()):
                self._guarded(up, self._look_after, up, now, monotonic)
        if turn % REPORT == 0:
            for up in self.ups.values():
                if up.transport.is_up and up.sources:
                    self._emit(_up_quality(self.id, up))
        downs = list(self.downs.values())
        for down in downs[turn % OFTEN :: OFTEN]:
            self._guarded(down, down.tick, now)
        for down in downs[turn % SLOW :: SLOW]:
            if down.transport.expired(monotonic):
                self.drop_down(down.peer, "no consent")
            else:
                self._guarded(down, down.slow_tick, now)
        for down in downs[turn % REPORT :: REPORT]:
            if down.transport.is_up:
                self._guarded(down, self._tell, down, now)

    def _guarded(self, leg: UpLeg | DownLeg, act: Callable[..., None], *args: Any, **more: Any) -> None:
        """Let no leg's failure stop the others' clockwork; it is logged once, not 50 times a second."""
        try:
            act(*args, **more)
        except Exception:
            if not leg.transport.is_faulty:
                leg.transport.is_faulty = True
                log.exception("leg tick failed", extra={"room": self.id, "peer": leg.peer})

    def _look_after(self, leg: UpLeg, now: float, monotonic: float) -> None:
        """Limit, hear silence, forget streams that ended, drop the dead."""
        if leg.transport.expired(monotonic):
            self.drop_up(leg.peer, "no consent")
            return
        leg.limit(now)
        for voice in leg.voices.values():
            self._speaking(leg.peer, voice.quiet(now))
        for ssrc, source in list(leg.sources.items()):
            if now - source.last_at > SILENT_S:
                del leg.sources[ssrc]
                self._stop(source)

    def _tell(self, leg: DownLeg, now: float) -> None:
        """Send a viewer its sender reports, and say how well it is served."""
        leg.tell(now)
        self._emit(_down_quality(self.id, leg))

    def _report(self, line: Slot, now: float) -> None:
        if line.current is not None:
            for view in line.viewers:
                view.leg.report(view, now)

    def close(self) -> None:
        """Drop everybody and finish the recording."""
        for peer in set(self.ups) | set(self.downs):
            self.drop(peer, "room closed")
        if self.recording is not None:
            self.recording.stop()
            self.recording = None


def _down_quality(room: str, leg: DownLeg) -> control.Quality:
    trip = leg.bandwidth.round_trip_s
    heights = [v.line.current.height for v in leg.views if v.is_video and v.line.current is not None]
    return control.Quality(
        room=room,
        peer=leg.peer,
        leg=leg.kind,
        loss=round(leg.loss, 3),
        rtt_ms=round(trip * 1000) if trip is not None else None,
        jitter_ms=round(leg.jitter_s * 1000),
        layer=max(heights, default=0),
        bitrate_kbps=leg.rate // 1000,
        audio_only=leg.is_sound_only,
    )


def _up_quality(room: str, leg: UpLeg) -> control.Quality:
    sources = list(leg.sources.values())
    weight = sum(s.bits_per_second + 1 for s in sources)
    trips = [s.round_trip_s for s in sources if s.round_trip_s is not None]
    return control.Quality(
        room=room,
        peer=leg.peer,
        leg="up",
        loss=round(sum(s.loss * (s.bits_per_second + 1) for s in sources) / weight, 3),
        rtt_ms=round(min(trips) * 1000) if trips else None,
        jitter_ms=round(max(s.jitter / s.clock for s in sources) * 1000),
        layer=max(s.height for s in sources),
        bitrate_kbps=sum(s.bits_per_second for s in sources) // 1000,
        audio_only=all(s.is_audio for s in sources),
    )
