"""A participant's receiving leg: some of the room's slots, each as large as the line carries."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from core.errors import N_, Conflict
from core.ids import new_id
from media import rtcp, sdp
from media.bandwidth import USABLE, Bandwidth, Layer, next_step
from media.slots import TRANSPORT_CC_ID, Slot, shifted
from media.sources import Publication
from media.trains import Train, padding
from media.transport import Port, Transport
from media.views import View

KEY_FRAME_GAP_S = 0.3  # browsers themselves ignore requests that come faster
RESEND_GAP_S = 0.02  # a packet is not sent again sooner than this or a round trip, however often it is asked for
RESEND_TIMES = 3
RESEND_BURST = 300_000  # bytes of retransmissions at once: a viewer cannot make us flood
RESEND_BPS = 5_000_000  # their rate, when the line's limit is not known
RESEND_SHARE = 0.25  # of the line, when it is: at 300 kbit/s Chromium would ask for ten times what gets through
RESENT_KEPT = 512


class DownLeg:
    """What one participant sees."""

    kind: Literal["down", "play"] = "down"

    def __init__(
        self,
        port: Port,
        peer: str,
        slots: list[Slot],
        on_state: Callable[["DownLeg", str | None], None],
        publication: Callable[[Slot], Publication | None],
    ) -> None:
        """Prepare an offer.

        slots: in the order of the m-lines; on_state(leg, None) when up, (leg, reason) when down;
        publication(slot): what it shall show.
        """
        self.peer = peer
        self.id = new_id("leg")
        self.slots = slots
        self.views = [View(slot, self) for slot in slots]
        self.bandwidth = Bandwidth()
        self.loss = self.jitter_s = 0.0
        self.transport = Transport(
            port,
            lambda _: None,
            self._rtcp,
            lambda: on_state(self, None),
            lambda reason: on_state(self, reason),
            self._path,
        )
        self.offer = sdp.offer_down(slots, self.transport.credentials)
        self.refused = 0  # retransmissions asked for too often
        self.parted = 0  # views on lines of their own
        self._publication = publication
        self._by_ssrc = {view.slot.ssrc: view for view in self.views}
        self._pictures = [view for view in self.views if view.is_video]
        self._rtx_seq = dict.fromkeys(self._by_ssrc, 0)
        self._repairs_apart = True  # the peer takes retransmissions on their own stream
        self._resent: OrderedDict[tuple[int, int], tuple[float, int]] = OrderedDict()  # when last, how often
        self._tokens, self._tokens_at = float(RESEND_BURST), 0.0
        self._train = Train()
        self._consent_at = 0.0  # the last check before the viewer fell silent
        self._padding_type = 0  # payload type of the repair stream that padding goes on, 0: none
        self.bandwidth.can_measure = False  # unless its answer says otherwise
        self._answered = False

    # ---- coming and going ----

    def answered(self, leg: str, answer: str) -> None:
        """Take the browser's answer.

        Raises Conflict `leg.stale` when it answers an earlier offer, or this one a second time.
        """
        if leg != self.id or self._answered:
            raise Conflict("leg.stale", N_("This answer belongs to an earlier connection. Please reconnect."))
        description = sdp.read(answer)
        self._answered = True
        video = [s for s in description.sections if s.kind == "video" and not s.rejected]
        repairs = [number for s in video for number, name in s.codecs.items() if name == "RTX"]
        self._repairs_apart = not video or bool(repairs)
        reports = any(sdp.TRANSPORT_CC_URI in s.extensions for s in video)
        self._padding_type = repairs[0] if repairs and reports else 0
        self.bandwidth.can_measure = bool(self._padding_type)
        self.transport.remote(description.ufrag, description.fingerprint, server=description.setup != "passive")

    def arrange(self, now: float) -> None:
        """Show on each line of this leg's own the layer that fits; the shared ones are the room's.  now: seconds."""
        if not self.parted:  # nearly always
            return
        for view in self.views:
            if view.line is not view.slot:
                view.arrange(self._publication(view.slot), now)

    def start(self) -> None:
        """Bring a leg that just came up into the picture: lines, key frames and clocks of all its slots."""
        now = time.time()
        for view in self.views:
            view.outbound, view.target = self.transport.outbound, self.transport.target
            view.start()
            if view.line.current is None:
                continue
            passed = view.line.since_key_frame(now)
            for packet in passed:
                self.transport.send_rtp(shifted(packet, view.shift))
            if not passed:
                view.line.current.ask_key_frame(now, KEY_FRAME_GAP_S)
            self.report(view, now)

    def close(self) -> None:
        """Stop sending."""
        for view in self.views:
            view.stop()
            view.outbound = None
        self.transport.close()

    def _path(self) -> None:
        for view in self.views:
            view.target = self.transport.target
            if view.outbound is not None and view in view.line.viewers:
                view.line.viewers.remove(view)
                view.start()

    # ---- what the viewer says ----

    def _rtcp(self, data: bytes) -> None:
        now, narrow = time.time(), False
        self._heard(now)
        weight = lost = 0.0
        round_trip = None
        for report in rtcp.walk(data):
            if isinstance(report, rtcp.Estimate):
                narrow = self.bandwidth.estimated(report.bits_per_second, now) or narrow
                continue
            if isinstance(report, rtcp.Arrivals):
                self._measured(self._train.reported(report), now)
                continue
            view = self._by_ssrc.get(report.ssrc)
            if view is None or view.line.current is None:
                continue
            if isinstance(report, rtcp.KeyFrameRequest):
                view.line.current.ask_key_frame(now, KEY_FRAME_GAP_S)
            elif isinstance(report, rtcp.Nack):
                self._repair(view, report.missing, now)
            elif isinstance(report, rtcp.ReceiverReport) and view.is_news(report.highest):
                bits = view.line.current.bits_per_second + 1
                weight, lost = weight + bits, lost + bits * report.lost
                round_trip = rtcp.round_trip(report, now) or round_trip
                self.jitter_s = report.jitter / view.line.clock
        if weight:
            self.loss = lost / weight
            for view in self.views:
                if view.line.current is not None:
                    view.line.current.heard_loss(self.loss, now)
            self.transport.port.tally.losses.observe(self.loss)
            if round_trip is not None:
                self.transport.port.tally.round_trips.observe(round_trip)
            narrow = self.bandwidth.reported(self.loss, round_trip, now) or narrow
        if narrow:
            self._adapt(now)

    def _heard(self, now: float) -> None:
        if self.bandwidth.heard(now):
            self._mark()

    def _mark(self) -> None:
        """Let what was lost up to here count no more: it was lost under another load, or while the line was away."""
        for view in self.views:
            view.mark()

    def _repair(self, view: View, missing: tuple[int, ...], now: float) -> None:
        ssrc, budget, tally = view.slot.ssrc, self.bandwidth.budget, self.transport.port.tally
        rate = RESEND_BPS / 8 if budget is None else RESEND_SHARE * budget / 8
        burst = RESEND_BURST if budget is None else rate / 2
        self._tokens = min(burst, self._tokens + (now - self._tokens_at) * rate)
        self._tokens_at = now
        gap = max(RESEND_GAP_S, 0.7 * (self.bandwidth.round_trip_s or 0.0))  # a browser asks again after one round trip
        for seq in missing:
            tally.nacks += 1
            at, times = self._resent.get((ssrc, seq), (-1e9, 0))
            if now - at < gap or times >= RESEND_TIMES or self._tokens <= 0:
                self.refused += 1
                continue
            size = self._resend(view, seq)
            if not size:
                tally.unrepaired += 1
                continue
            self._tokens -= size
            self._resent[(ssrc, seq)] = (now, times + 1)
            if len(self._resent) > RESENT_KEPT:
                self._resent.popitem(last=False)

    def _resend(self, view: View, seq: int) -> int:
        """Send one packet of a view again.  Returns its size in bytes, 0 when it is gone."""
        ssrc = view.slot.ssrc
        packet = view.line.repair(seq, self._rtx_seq[ssrc] + 1 if self._repairs_apart else None, view.shift)
        if packet is None:
            return 0
        self._rtx_seq[ssrc] += 1
        self.transport.send_rtp(packet)
        return len(packet)

    # ---- how much the line carries ----

    @property
    def rate(self) -> int:
        """Return the bits per second sent now, retransmissions aside."""
        return sum(view.line.current.bits_per_second for view in self.views if view.line.current is not None)

    @property
    def is_sound_only(self) -> bool:
        """Return whether pictures that there are stay away because the line does not carry them."""
        seen = [v for v in self._pictures if self._publication(v.slot) is not None and v.ceiling != 0]
        return bool(seen) and all(view.limit == 0 for view in seen)

    def resize(self, heights: dict[str, int]) -> None:
        """Take the page's wishes.  heights: slot -> pixels of height it can use, 0: it shows nothing."""
        now = time.time()
        for view in self._pictures:
            if view.slot.name in heights:
                view.ceiling = heights[view.slot.name]
                view.arrange(self._publication(view.slot), now)

    def slow_tick(self, now: float) -> None:
        """Think about sizes again; call about every 500 ms."""
        if self.bandwidth.tick(now, self.rate, self._next_step(now)):
            self._adapt(now)
        for view in self._pictures:
            if view.line is not view.slot or view.limit is not None or view.ceiling is not None:
                view.arrange(self._publication(view.slot), now)

    def tick(self, now: float) -> None:
        """Retry, measure, drain; call about every 80 ms."""
        stream = self.transport.target.stream if self.transport.target is not None else None
        if stream is not None and stream.starved:
            self._starve(stream.drained(), now)
        if not self.bandwidth.is_silent:
            self._consent_at = self.transport.consent_at
        elif self.transport.consent_at > self._consent_at:
            self._heard(now)
        if self.bandwidth.decide(now):
            self._adapt(now)
        if self.bandwidth.wants_train and (self.bandwidth.is_in_doubt or not self._train.is_under_way):
            self._depart(now)
        elif self._train.is_under_way:
            self._measured(self._train.waited(now), now)
        if self.parted:
            for view in self._pictures:
                line = view.line
                if line is not view.slot and line.wanted is not line.current:
                    line.retry(now)

    def _next_step(self, now: float) -> float | None:
        if self.bandwidth.budget is None:
            return None
        return next_step(self._sound(), self._choices(now), [self._height(v) for v in self._pictures])

    def _sound(self) -> float:
        return sum(v.line.current.bits_per_second for v in self.views if not v.is_video and v.line.current)

    def _choices(self, now: float) -> list[list[Layer]]:
        return [view.layers(self._publication(view.slot), now) for view in self._pictures]

    def _height(self, view: View) -> int:
        source = view.line.wanted
        return max(1, source.height) if source is not None else 0

    def _adapt(self, now: float) -> None:
        limits = self.bandwidth.share(self._sound(), self._choices(now))
        for view, limit in zip(self._pictures, limits, strict=True):
            view.limit = limit
            view.arrange(self._publication(view.slot), now)
        self._mark()

    def _starve(self, drained: bool, now: float) -> None:
        """Show no picture while a TCP connection drains; then begin again with a key frame."""
        if not drained and not any(view.starved for view in self._pictures):
            self.bandwidth.congested(self.rate * 0.6, now)
            limits = self.bandwidth.share(self._sound(), self._choices(now))
            for view, limit in zip(self._pictures, limits, strict=True):
                view.limit = limit
        for view in self._pictures:
            view.starved = not drained
            view.arrange(self._publication(view.slot), now)

    def _depart(self, now: float) -> None:
        """Send a train of padding on the repair stream of a picture, whose loss harms nobody."""
        self.bandwidth.wants_train = False
        view = next(iter(self._pictures), None)
        if view is None or not self._padding_type:
            return
        ssrc, (_, ticks) = view.slot.ssrc, view.position
        doubted = self.rate / USABLE if self.bandwidth.is_in_doubt else 0.0
        for number in self._train.depart(max(self.bandwidth.width, self.rate), now, tells=doubted):
            self._rtx_seq[ssrc] += 1
            packet = padding(self._padding_type, self._rtx_seq[ssrc], ticks, ssrc + 1, (TRANSPORT_CC_ID, number))
            self.transport.send_rtp(packet)

    def _measured(self, width: float | None, now: float) -> None:
        if width is not None and self.bandwidth.measured(width, now, self._next_step(now)):
            self._adapt(now)

    # ---- clocks ----

    def report(self, view: View, now: float) -> None:
        """Tell the viewer how a slot's ticks and the node's clock go together."""
        report = view.line.report(now, view.shift)
        if report:
            self.transport.send_rtcp(report)

    def tell(self, now: float) -> None:
        """Tell the clocks of all slots that show anything, in one compound packet."""
        reports = [report for view in self.views if (report := view.line.report(now, view.shift))]
        if reports:
            self.transport.send_rtcp(b"".join(reports))
