"""The two legs of a participant: up (it publishes) and down (it sees the slots)."""

import time
from collections.abc import Callable
from typing import Any

from core.errors import N_, Conflict
from core.ids import new_id
from media import rtcp, sdp
from media.rtp import Incoming, extension
from media.slots import Slot
from media.sources import Source
from media.transport import Path, Port, Transport

FULL_BPS = 2_500_000  # upload of who is seen by all
IDLE_BPS = 700_000  # upload of a point without the floor: enough for a tile, quick to grow from
AUDIO_ONLY_KIND = "mic"
MAX_SOURCES = 16  # per publishing leg: three kinds and a few restarts
KEY_FRAME_GAP_S = 0.3  # browsers themselves ignore requests that come faster


class UpLeg:
    """What one participant publishes."""

    def __init__(
        self,
        port: Port,
        peer: str,
        offer: str,
        on_packet: Callable[["UpLeg", Source, Incoming], None],
        on_source: Callable[["UpLeg", Source], None],
        on_state: Callable[["UpLeg", str | None], None],
    ) -> None:
        """Read a browser's offer; `answer` is what it must be told.

        on_packet: each media packet; on_source: a stream's first; on_state(leg, None) when up,
        (leg, reason) when down.  Raises Invalid for an offer that cannot be taken.
        """
        description = sdp.read(offer)
        self.peer = peer
        self.sources: dict[int, Source] = {}
        self.boost = False
        self._on_packet, self._on_source = on_packet, on_source
        self.transport = Transport(
            port, self._rtp, self._rtcp, lambda: on_state(self, None), lambda reason: on_state(self, reason)
        )
        try:
            self.answer, codecs = sdp.answer_up(description, self.transport.credentials)
        except Exception:
            self.transport.close()
            raise
        self._by_ssrc: dict[int, tuple[str, sdp.Codec]] = {}
        self._by_mid: dict[bytes, tuple[str, sdp.Codec]] = {}
        self._repairs: dict[int, int] = {}
        self._rtx_types: set[int] = set()
        self._mid_id = 0
        for kind, section, codec in zip(sdp.KINDS, description.sections, codecs, strict=False):
            if codec is None:
                continue
            self._by_mid[section.mid.encode()] = (kind, codec)
            self._by_ssrc.update(dict.fromkeys(section.ssrcs, (kind, codec)))
            self._repairs.update(section.repairs)
            if codec.rtx is not None:
                self._rtx_types.add(codec.rtx)
            self._mid_id = section.extensions.get(sdp.MID_URI, self._mid_id)
        self.transport.remote(description.ufrag, description.fingerprint, server=True)

    def _rtp(self, data: bytes) -> None:
        now = time.time()
        packet = Incoming(data)
        if packet.payload_type in self._rtx_types:
            repaired = self._unwrap(packet)
            if repaired is None:
                return
            packet = repaired
        source = self.sources.get(packet.ssrc)
        if source is None:
            source = self._new_source(packet, now)
            if source is None:
                return
        source.arrived(packet, now)
        self._on_packet(self, source, packet)

    def _unwrap(self, packet: Incoming) -> Incoming | None:
        """Return the original of a retransmission, None for probing padding.  Source: RFC 4588 section 4."""
        media = self._repairs.get(packet.ssrc)
        source = self.sources.get(media) if media is not None else None
        if source is None or packet.end - packet.pos < 3:
            return None
        _, codec = self._by_ssrc[source.ssrc]
        original = packet.data[packet.pos : packet.pos + 2]
        head = bytes((0x80, packet.marker | codec.payload_type)) + original + packet.data[4:8]
        return Incoming(head + source.ssrc.to_bytes(4, "big") + packet.data[packet.pos + 2 : packet.end])

    def _new_source(self, packet: Incoming, now: float) -> Source | None:
        known = self._by_ssrc.get(packet.ssrc)
        if known is None and self._mid_id:
            mid = extension(packet.data, self._mid_id)
            known = self._by_mid.get(mid) if mid else None
        if known is None or len(self.sources) >= MAX_SOURCES or packet.end <= packet.pos:
            return None
        kind, codec = known
        if packet.payload_type != codec.payload_type:
            return None
        self._by_ssrc[packet.ssrc] = known
        source = Source(f"{self.peer}/{kind}", codec.name, packet.ssrc, self.transport.send_rtcp, now)
        self.sources[packet.ssrc] = source
        self._on_source(self, source)
        return source

    def _rtcp(self, data: bytes) -> None:
        now = time.time()
        for report in rtcp.walk(data):
            if isinstance(report, rtcp.SenderReport):
                source = self.sources.get(report.ssrc)
                if source is not None:
                    source.report(report, now)

    def limit(self) -> None:
        """Tell the publisher how much to send; call about twice a second."""
        video = [s.ssrc for s in self.sources.values() if not s.is_audio]
        if video:
            self.transport.send_rtcp(rtcp.remb(video[:255], FULL_BPS if self.boost else IDLE_BPS))

    def close(self) -> None:
        """Stop receiving."""
        self.transport.close()


class DownLeg:
    """What one participant sees: some of the room's slots."""

    shift = None

    def __init__(
        self, port: Port, peer: str, slots: list[Slot], on_state: Callable[["DownLeg", str | None], None]
    ) -> None:
        """Prepare an offer.

        slots: in the order of the m-lines; on_state(leg, None) when up, (leg, reason) when down.
        """
        self.peer = peer
        self.id = new_id("leg")
        self.slots = slots
        self.transport = Transport(
            port, lambda _: None, self._rtcp, lambda: on_state(self, None), lambda reason: on_state(self, reason)
        )
        self.offer = sdp.offer_down(slots, self.transport.credentials)
        self.nacks = self.unrepaired = 0
        self._by_ssrc = {slot.ssrc: slot for slot in slots}
        self._rtx_seq = dict.fromkeys(self._by_ssrc, 0)
        self._answered = False

    @property
    def outbound(self) -> Any:
        """Return the SRTP session, None while the leg is not up (fan-out reads it)."""
        return self.transport.outbound

    @property
    def target(self) -> Path | None:
        """Return where packets go (fan-out reads it)."""
        return self.transport.target

    def answered(self, leg: str, answer: str) -> None:
        """Take the browser's answer.

        Raises Conflict `leg.stale` when it answers an earlier offer, or this one a second time.
        """
        if leg != self.id or self._answered:
            raise Conflict("leg.stale", N_("This answer belongs to an earlier connection. Please reconnect."))
        description = sdp.read(answer)
        self._answered = True
        self.transport.remote(description.ufrag, description.fingerprint, server=description.setup != "passive")

    def _rtcp(self, data: bytes) -> None:
        now = time.time()
        for report in rtcp.walk(data):
            slot = self._by_ssrc.get(report.ssrc)
            if slot is None or slot.current is None:
                continue
            if isinstance(report, rtcp.KeyFrameRequest):
                slot.current.ask_key_frame(now, KEY_FRAME_GAP_S)
            elif isinstance(report, rtcp.Nack):
                self._repair(slot, report.missing)

    def _repair(self, slot: Slot, missing: tuple[int, ...]) -> None:
        for seq in missing:
            self.nacks += 1
            self._rtx_seq[slot.ssrc] += 1
            packet = slot.repair(seq, self._rtx_seq[slot.ssrc])
            if packet is None:
                self.unrepaired += 1
            else:
                self.transport.send_rtp(packet)

    def greet(self) -> None:
        """Bring a leg that just came up into the picture: key frames and clocks of all its slots."""
        now = time.time()
        for slot in self.slots:
            if slot.current is not None:
                slot.current.ask_key_frame(now, KEY_FRAME_GAP_S)
                report = slot.report(now)
                if report:
                    self.transport.send_rtcp(report)

    def close(self) -> None:
        """Stop sending."""
        self.transport.close()
