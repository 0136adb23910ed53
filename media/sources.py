"""Sources: one incoming stream each, with its clock, its losses and its key frames. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING

from media import rtcp
from media.rtp import AUDIO_HZ, VIDEO_HZ, Incoming, starts_key_frame
from media.sizes import height_of
from media.tally import Tally

if TYPE_CHECKING:
    from media.slots import Slot

MAX_GAP = 128  # a larger hole is not repaired packet by packet: a key frame is asked for
MAX_MISSING = 256  # packets waited for; beyond that repairing costs more than a key frame
NACK_AFTER_S = 0.01  # reordering on real lines is over by then
NACK_LEAST_S = 0.04  # asked again at the earliest after this, however short the round trip
NACK_FIRST_S = 0.1  # round trip assumed before one was measured
NACK_TRIES = 6
NACK_GIVE_UP_S = 1.0  # a viewer's jitter buffer has given up by then
CLOCK_STEP_S = 10.0  # reports further apart than this from the others: another clock
CLOCK_SAMPLES = 16  # sender reports looked at for the smallest delay
OVERHEAD = 44  # bytes a packet costs besides its payload and header on the viewers' lines: IP, UDP, SRTP
NEW_BPS = 100_000  # assumed of a video source whose rate was not measured yet
PROVED_S = 0.2  # a layer that has just begun is not switched up to before this
HEARD_LOSS_S = 30.0  # a lossy viewer is remembered for this long: sound is reported on every 5 s, if that comes through
HEARD_LOSS = 0.02  # share a viewer loses that calls for speech sent twice
# What the publisher is told then: Chromium takes this for its mean over 10 s, and Opus at 28 kbit/s sends
# speech twice at full band from 10 % on.
TOLD_LOSS = 0.2
LIVE_S = 1.0  # a layer that sent nothing for this long is switched off by its publisher


class Source:
    """One publication's stream as it arrives: the only one, or one simulcast layer of it."""

    def __init__(
        self, publication: str, codec: str, ssrc: int, send: Callable[[bytes], None], now: float, rid: str = ""
    ) -> None:
        """Start at the first packet.

        publication: `peer/kind`; codec: `opus`, `H264` or `VP8`; send: takes one RTCP packet for the
        publisher; now: seconds; rid: name of the layer, empty when there is only one.
        """
        self.publication = publication
        self.codec = codec
        self.ssrc = ssrc
        self.rid = rid
        self.is_audio = codec == "opus"
        self.clock = AUDIO_HZ if self.is_audio else VIDEO_HZ
        self.slots: set[Slot] = set()
        self.started_at = now
        self.last_at = now
        self.packets = 0
        self.key_frames = 0
        self.height = 0  # pixels, 0 before the first key frame
        self.bits_per_second = 0 if self.is_audio else NEW_BPS  # what it costs on a viewer's line
        self.round_trip_s: float | None = None  # publisher and back, from repairs
        self.jitter = 0.0  # RTP ticks, RFC 3550 section 6.4.1
        self.loss = 0.0  # share lost in the last report interval, before repair
        self.reference: tuple[float, int] | None = None  # (node time, RTP ticks) of the last sender report
        self.tally = Tally()  # the node's, once its leg has said so
        self.siblings: list[Source] = [self]  # all layers of the publication: a request counts for all
        self._send = send
        self._asked_at = -1e9
        self._owed_gap_s: float | None = None  # a request came too soon after another; it is made when this is over
        self._highest: int | None = None  # extended sequence number
        self._base = 0
        self._reported = (0, 0)  # (expected, received) at the last report
        self._received = 0
        self._transit: float | None = None
        self._missing: dict[int, list[float]] = {}  # seq -> [ask again at, tries, missed at, asked at]
        self._delays: deque[float] = deque(maxlen=CLOCK_SAMPLES)
        self._first: tuple[float, int] | None = None
        self._newest = 0  # RTP ticks of the packet that came last
        self._last_report: tuple[int, float] | None = None  # (middle of its NTP time, arrival)
        self._meter = (now, 0)  # (since, bits)
        self._lossy_until = 0.0  # some viewer loses packets

    # ---- arriving ----

    def arrived(self, packet: Incoming, now: float) -> None:
        """Count a packet: losses, key frames, first clock guess.  now: seconds."""
        self.last_at = now
        self.packets += 1
        since, bits = self._meter
        self._meter = (since, bits + 8 * (len(packet.data) + OVERHEAD))
        if not self.is_audio and packet.end > packet.pos:
            packet.key = starts_key_frame(self.codec, packet.payload)
            if packet.key:
                self.key_frames += 1
                self._owed_gap_s = None
                self.height = height_of(self.codec, packet.payload) or self.height
        self._watch(packet, now)
        self._newest = packet.timestamp
        if self._first is None:
            self._first = (now, packet.timestamp)

    def _watch(self, packet: Incoming, now: float) -> None:
        seq = packet.seq
        self._received += 1
        if self._highest is None:
            self._highest = self._base = seq
            return
        ahead = (seq - self._highest) & 0xFFFF
        if ahead == 0 or ahead >= 0x8000:
            self._repaired(seq, now)
            return
        transit = now * self.clock - packet.timestamp
        if self._transit is not None and abs(transit - self._transit) < self.clock:
            self.jitter += (abs(transit - self._transit) - self.jitter) / 16
        self._transit = transit
        if not self.is_audio and ahead > MAX_GAP:
            self._missing.clear()
            self.ask_key_frame(now, 0.3)
        elif not self.is_audio:
            for lost in range(1, ahead):
                self._missing[(self._highest + lost) & 0xFFFF] = [now + NACK_AFTER_S, 0, now, 0.0]
            if len(self._missing) > MAX_MISSING:
                self._missing.clear()
                self.ask_key_frame(now, 0.3)
        self._highest += ahead

    def lacks(self, seq: int) -> bool:
        """Return whether a packet is waited for.  seq: 16 bits."""
        return seq in self._missing

    def _repaired(self, seq: int, now: float) -> None:
        entry = self._missing.pop(seq, None)
        if entry is None or entry[1] != 1:  # only an answer to the one request tells how long it took
            return
        sample = now - entry[3]
        self.round_trip_s = sample if self.round_trip_s is None else 0.8 * self.round_trip_s + 0.2 * sample

    def repair(self, now: float) -> int:
        """Ask the publisher for what is missing, and for key frames owed; call about every 20 ms.

        Returns how many packets were asked for.  A packet is asked for again after one and a half
        round trips: sooner it would come twice, later the viewers' buffers run dry.
        """
        if self._owed_gap_s is not None:
            self.ask_key_frame(now, self._owed_gap_s)
        if not self._missing:
            return 0
        again = max(NACK_LEAST_S, 1.5 * (NACK_FIRST_S if self.round_trip_s is None else self.round_trip_s))
        due = []
        for seq, entry in list(self._missing.items()):
            if entry[1] >= NACK_TRIES or now - entry[2] > NACK_GIVE_UP_S:
                del self._missing[seq]
            elif entry[0] <= now:
                due.append(seq)
                entry[0], entry[1], entry[3] = now + again, entry[1] + 1, now
        if due:
            base = due[0]
            due.sort(key=lambda seq: (seq - base) & 0xFFFF)
            self._send(rtcp.nack(self.ssrc, due))
        return len(due)

    # ---- asking and telling ----

    def ask_key_frame(self, now: float, min_gap_s: float) -> None:
        """Ask the publisher for a key frame; at once, unless one was asked for less than min_gap_s ago.

        Then the request is made when that time is over, if no key frame has come since: whoever joins
        just after a key frame has passed must not wait for the next by chance.  Browsers answer a
        request for one simulcast layer with a key frame of every layer: the gap counts for all of them.
        """
        if self.is_audio:
            return
        if now - max(s._asked_at for s in self.siblings) < min_gap_s:
            self._owed_gap_s = min_gap_s
            return
        self._asked_at, self._owed_gap_s = now, None
        self.tally.key_frame_requests += 1
        self._send(rtcp.pli(self.ssrc))

    def measure(self, now: float) -> None:
        """Settle the bit rate of the last interval; call about every 500 ms."""
        since, bits = self._meter
        if now - since < 0.4:
            return
        rate = bits / (now - since)
        fresh = now - self.started_at < 1.5
        self.bits_per_second = int(rate if fresh else 0.5 * self.bits_per_second + 0.5 * rate)
        self._meter = (now, 0)

    def is_live(self, now: float) -> bool:
        """Return whether it still sends.  now: seconds."""
        return now - self.last_at < LIVE_S

    def heard_loss(self, loss: float, now: float) -> None:
        """Take a viewer's word on what it lost.

        loss: share of packets on its line, 0-1.  The publisher of a sound is told of it: a browser then
        sends each packet's speech twice, the second time small, within the same bit rate (Opus in-band
        FEC, RFC 6716 section 2.1.7), and 10 % loss is heard as less than 1 %.
        """
        if self.is_audio and loss >= HEARD_LOSS:
            self._lossy_until = now + HEARD_LOSS_S

    def received(self, now: float) -> rtcp.Received | None:
        """Return what to report to the publisher, None before anything came; counts from the last call."""
        if self._highest is None:
            return None
        expected = self._highest - self._base + 1
        since_expected, since_received = expected - self._reported[0], self._received - self._reported[1]
        self._reported = (expected, self._received)
        self.loss = max(0.0, (since_expected - since_received) / since_expected) if since_expected > 0 else 0.0
        middle, at = self._last_report or (0, now)
        delay = int((now - at) * 65_536)
        lost = expected - self._received
        told = max(self.loss, TOLD_LOSS) if now < self._lossy_until else self.loss
        return rtcp.Received(self.ssrc, told, lost, self._highest, int(self.jitter), middle, delay)

    # ---- clock ----

    def report(self, report: rtcp.SenderReport, now: float) -> None:
        """Tie the publisher's clock to ours: the report with the smallest delay tells the offset.

        A report that would place the newest packet far from its arrival is not believed.
        """
        self._last_report = (rtcp.middle_of_ntp(report.ntp), now)
        delay = now - report.ntp
        if self._delays and abs(delay - median(self._delays)) > CLOCK_STEP_S:
            self._delays.clear()  # the publisher's clock was set
        self._delays.append(delay)
        reference = (report.ntp + min(self._delays), report.rtp)
        if self._first is not None and not -10 < self.last_at - self._at(self._newest, *reference) < 10:
            return
        self.reference = reference

    def captured_at(self, timestamp: int) -> float:
        """Return the node time (seconds) at which a packet's content was captured.

        timestamp: 32-bit RTP ticks of the source.  Before the first sender report the first packet's
        arrival stands in for its capture.
        """
        return self._at(timestamp, *(self.reference or self._first or (self.last_at, timestamp)))

    def _at(self, timestamp: int, at: float, ticks: int) -> float:
        ahead = (timestamp - ticks) & 0xFFFFFFFF
        if ahead >= 0x80000000:
            ahead -= 1 << 32
        return at + ahead / self.clock


class Publication:
    """What one participant publishes of one kind: its layers, the smallest picture first."""

    def __init__(self, name: str) -> None:
        """Start without a layer.  name: `peer/kind`."""
        self.name = name
        self.layers: list[Source] = []

    @property
    def codec(self) -> str:
        """Return the codec, which all layers share."""
        return self.layers[0].codec if self.layers else ""

    def add(self, source: Source) -> None:
        """Take another layer; one with the same name takes its place."""
        self.layers = [s for s in self.layers if s.rid != source.rid and s.codec == source.codec] + [source]
        for layer in self.layers:
            layer.siblings = self.layers

    def remove(self, source: Source) -> None:
        """Forget a layer."""
        self.layers = [s for s in self.layers if s is not source]
        for layer in self.layers:
            layer.siblings = self.layers
        source.siblings = [source]

    def live(self, now: float) -> list[Source]:
        """Return the layers that send now, the smallest picture first; one of unknown size counts as smallest."""
        found = [s for s in self.layers if s.is_live(now)] or self.layers
        return sorted(found, key=lambda s: (s.height, s.bits_per_second))

    def pick(self, ceiling: int | None, now: float, current: Source | None = None) -> Source | None:
        """Return the layer to show.

        ceiling: pixels of height that are of use, None: the more the better; current: what is shown
        now, not left for a layer that has just begun and may not last.
        """
        live = self.live(now)
        if not live:
            return None
        fitting = [s for s in live if ceiling is None or s.height <= ceiling] or live[:1]
        best = fitting[-1]
        if current in fitting and now - best.started_at < PROVED_S:
            return current
        return best
