"""A participant's publishing leg: what it sends becomes sources.  See `media.downleg` for the other."""

import time
from collections.abc import Callable

from media import rtcp, sdp
from media.rtp import Incoming, extension
from media.sources import Source
from media.speaking import Voice
from media.transport import Port, Transport
from media.twcc import ArrivalLog

FULL_BPS = 4_000_000  # upload of who is seen by all, and of cameras whose page sends small layers when idle
IDLE_BPS = 700_000  # upload of a single-layer camera without the floor: enough for a tile, quick to grow from
MAX_SOURCES = 16  # per publishing leg: three kinds, their layers, and a few restarts


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
        self.voices: dict[int, Voice] = {}
        self.boost = False
        self.nacked = self.received = 0
        self._on_packet, self._on_source = on_packet, on_source
        self.transport = Transport(
            port, self._rtp, self._rtcp, lambda: on_state(self, None), lambda reason: on_state(self, reason),
            publishes=True,
        )  # fmt: skip
        try:
            self.answer, tracks = sdp.answer_up(description, self.transport.credentials)
        except Exception:
            self.transport.close()
            raise
        self._by_mid = {track.section.mid.encode(): track for track in tracks}
        self._by_ssrc = {ssrc: track for track in tracks for ssrc in track.section.ssrcs}
        self._repairs = {rtx: media for track in tracks for rtx, media in track.section.repairs.items()}
        # A browser names a layer until its first packets are acknowledged, and no more after a pause.
        self._rids: dict[int, str] = {}
        self._rtx_types = {track.codec.rtx for track in tracks} - {None}
        self.is_simulcast = any(track.section.rids for track in tracks)
        extensions: dict[str, int] = {}
        for track in tracks:
            extensions.update(track.section.extensions)
        self._mid_id, self._rid_id, self._rrid_id, self._arrival_id, self._level_id = (
            extensions.get(uri, 0)
            for uri in (sdp.MID_URI, sdp.RID_URI, sdp.REPAIRED_RID_URI, sdp.TRANSPORT_CC_URI, sdp.AUDIO_LEVEL_URI)
        )
        wants = any("transport-cc" in kinds for t in tracks for kinds in t.section.feedback.values())
        self._arrivals = ArrivalLog() if self._arrival_id and wants else None
        self.transport.remote(description.ufrag, description.fingerprint, server=description.setup != "passive")

    # ---- packets ----

    def _rtp(self, data: bytes) -> None:
        now = time.time()
        packet = Incoming(data)
        self.received += 1
        if self._arrivals is not None:
            number = extension(data, self._arrival_id)
            if number is not None and len(number) == 2:
                self._arrivals.arrived(number[0] << 8 | number[1], time.monotonic())
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
        """Return the original of a retransmission, None for padding and repeats.  Source: RFC 4588 section 4."""
        media = self._repairs.get(packet.ssrc)
        if media is None and self._rrid_id:
            media = self._repaired(packet)
        source = self.sources.get(media) if media is not None else None
        if source is None or packet.end - packet.pos < 3:
            return None
        track = self._by_ssrc[source.ssrc]
        original = packet.data[packet.pos : packet.pos + 2]
        if not source.lacks(original[0] << 8 | original[1]):
            return None  # a browser that measures its line sends what we have again: nobody needs it twice
        head = bytes((0x80, packet.marker | track.codec.payload_type)) + original + packet.data[4:8]
        return Incoming(head + source.ssrc.to_bytes(4, "big") + packet.data[packet.pos + 2 : packet.end])

    def _repaired(self, packet: Incoming) -> int | None:
        """Learn which layer a retransmission stream repairs.  Source: RFC 8852 section 3.2."""
        rid, mid = extension(packet.data, self._rrid_id), extension(packet.data, self._mid_id) if self._mid_id else None
        track = self._by_mid.get(mid) if mid else None
        for source in self.sources.values():
            known = self._by_ssrc[source.ssrc]
            if rid and source.rid.encode() == rid and (track is None or known is track):
                if len(self._repairs) < 4 * MAX_SOURCES:
                    self._repairs[packet.ssrc] = source.ssrc
                return source.ssrc
        return None

    def _new_source(self, packet: Incoming, now: float) -> Source | None:
        track, rid = self._by_ssrc.get(packet.ssrc), ""
        if track is None and self._mid_id:
            mid = extension(packet.data, self._mid_id)
            track = self._by_mid.get(mid) if mid else None
        if track is None or len(self.sources) >= MAX_SOURCES or packet.end <= packet.pos:
            return None
        if packet.payload_type != track.codec.payload_type:
            return None
        if track.section.rids:
            named = extension(packet.data, self._rid_id) if self._rid_id else None
            rid = named.decode("ascii", "replace") if named else self._rids.get(packet.ssrc, "")
            if rid not in track.section.rids:
                return None
            if len(self._rids) < 4 * MAX_SOURCES:
                self._rids[packet.ssrc] = rid
        self._by_ssrc[packet.ssrc] = track
        name = f"{self.peer}/{track.kind}"
        source = Source(name, track.codec.name, packet.ssrc, self.transport.send_rtcp, now, rid)
        source.tally = self.transport.port.tally
        self.sources[packet.ssrc] = source
        if source.is_audio:
            self.voices[packet.ssrc] = Voice()
        self._on_source(self, source)
        return source

    def level(self, packet: Incoming) -> int | None:
        """Return how loud an audio packet is, 0-127 dB below overload, None when it does not say."""
        value = extension(packet.data, self._level_id) if self._level_id else None
        return value[0] & 0x7F if value else None

    def _rtcp(self, data: bytes) -> None:
        now = time.time()
        for report in rtcp.walk(data):
            if isinstance(report, rtcp.SenderReport):
                source = self.sources.get(report.ssrc)
                if source is not None:
                    source.report(report, now)

    # ---- clockwork ----

    def tick(self, now: float, *, feed_back: bool) -> None:
        """Repair, and tell of arrivals when `feed_back` says so; call every 20 ms.  now: seconds."""
        self.repair(now)
        if feed_back:
            self.feed_back()

    def repair(self, now: float) -> None:
        """Ask again for what is missing; call about every 20 ms."""
        for source in self.sources.values():
            self.nacked += source.repair(now)

    def feed_back(self) -> None:
        """Tell the publisher when its packets came; call about every 60 ms."""
        if self._arrivals is not None and self.sources:
            feedback = self._arrivals.feedback(next(iter(self.sources)))
            if feedback:
                self.transport.send_rtcp(feedback)

    def limit(self, now: float) -> None:
        """Tell the publisher what came and how much to send; call about twice a second."""
        for source in self.sources.values():
            source.measure(now)
        video = [s.ssrc for s in self.sources.values() if not s.is_audio]
        blocks = [block for s in self.sources.values() if (block := s.received(now)) is not None]
        if blocks:
            bits = FULL_BPS if self.boost or self.is_simulcast else IDLE_BPS
            self.transport.send_rtcp(rtcp.receiver_report(blocks[:31], video[:255], bits))

    def close(self) -> None:
        """Stop receiving."""
        self.transport.close()
