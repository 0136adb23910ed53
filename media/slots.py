"""Slots: one fixed outgoing stream each, whatever source it shows.

The rules here were proved in Chromium and Firefox (docs/media.md): SSRC constant, sequence and
timestamp lines continuous over every switch, the old picture kept until the new source's key
frame, so that passing the floor needs no renegotiation and shows no freeze. Pure: the time is an
argument, and packets go out through return values.
"""

from __future__ import annotations

import copy
import random
import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from media.fanout import Audience
from media.rtcp import SenderReport, sender_report
from media.rtp import AUDIO_HZ, VIDEO_HZ, Incoming, vp8_fields
from media.sources import Source

PAYLOAD_TYPES = {"opus": 111, "H264": 96, "VP8": 98}
RTX_TYPES = {96: 97, 98: 99}
ABS_SEND_TIME_ID = 1
TRANSPORT_CC_ID = 2  # on the packets of trains alone, see media.trains
OUT_HEADER = struct.Struct("!BBHLLHHL")
SEQ_AND_TIME = struct.Struct("!HL")
RING = 512  # rewritten packets kept for retransmission: about 2 s of video at 250 packets/s
OPUS_FRAME = 960  # ticks: 20 ms at 48 kHz
OPUS_S = 0.02
EARLY_S = OPUS_S  # a new source's packet that comes more before its time is left out; none is taken late
HELD_S = 0.2  # no longer: the pace is wrong
PACE_LATER = 250  # packets over which the line's pace follows arrivals that become later: 5 s of sound
PACE_EARLIER = 10  # and earlier: a viewer plays its buffer down within a second, and a hole would be heard after it
CAPTURE_S = 0.25  # clocks of two cameras may differ from their arrivals by this much
OWN_RING = 128  # of them taken along when a viewer gets a line of its own
FRESH_S = 0.3  # a browser's encoder ignores requests for a key frame that come sooner after one
RETRY_S = 0.5  # a key frame that has not come is asked for again
FORGET = 1000  # packets after a switch, when lateness against its first packet no longer matters


@dataclass(frozen=True)
class Switched:
    """A slot now shows `source` (None: nothing), `latency_s` after it was told to, instead of `before`."""

    slot: Slot
    source: Source | None
    latency_s: float
    before: str | None  # publication


class Slot:
    """One outgoing stream of a room."""

    def __init__(self, name: str, kind: Literal["audio", "video"], ssrc: int, ceiling: int | None = None) -> None:
        """Start empty.

        name: as in the plan; ssrc: constant for life, ssrc + 1 is its RTX; ceiling: pixels of height of
        the layer all share, None for the largest.
        """
        self.ceiling = ceiling
        self.name = name
        self.kind = kind
        self.ssrc = ssrc
        self.clock = AUDIO_HZ if kind == "audio" else VIDEO_HZ
        self.viewers = Audience()  # who gets this line, in runs of the same socket
        self.current: Source | None = None
        self.wanted: Source | None = None
        self.ring: OrderedDict[int, bytes] = OrderedDict()
        self.packets = self.octets = 0
        # First numbers in the lower half, so that an early wrap cannot confuse the roll-over counter.
        self._seq = random.getrandbits(15)
        self._timestamp = random.getrandbits(31)
        self._sent_at: float | None = None
        self._due = 0.0  # when the newest packet would have come, had none been early or late
        self._seq_shift = self._timestamp_shift = 0
        self._first: int | None = None
        self._since_switch = 0
        self._hold_old = False
        self._picture, self._level = random.getrandbits(14), random.getrandbits(8)
        self._picture_shift = self._level_shift = 0
        self._told_at = 0.0
        self._key: tuple[int, float] | None = None  # sequence number and time of the last key frame's first packet

    def own_line(self, shift: tuple[int, int] | None) -> Slot:
        """Return a line for one viewer that goes on exactly where this one is, and may then show another layer.

        shift: how far (sequence, timestamp) the viewer's line is from this one already.
        """
        line = copy.copy(self)
        line.viewers = Audience()
        line.ring, line._key = OrderedDict(), None
        seq, ticks = shift or (0, 0)
        for number in list(self.ring)[-OWN_RING:]:
            packet = shifted(self.ring[number], shift)
            line.ring[(number + seq) & 0xFFFF] = packet
        line._seq = (self._seq + seq) & 0xFFFF
        line._timestamp = (self._timestamp + ticks) & 0xFFFFFFFF
        line._seq_shift = (self._seq_shift + seq) & 0xFFFF
        line._timestamp_shift = (self._timestamp_shift + ticks) & 0xFFFFFFFF
        for source in {self.current, self.wanted} - {None}:
            assert source is not None
            source.slots.add(line)
        return line

    def distance(self, shared: Slot) -> tuple[int, int] | None:
        """Return how far this line is from the shared one, None unless they differ by nothing else.

        A viewer may go back to the shared line with this shift: both carry the same source's packets.
        VP8 numbers its pictures too, so such a line stays apart.
        """
        source = self.current
        settled = source is not None and source is self.wanted and source is shared.current is shared.wanted
        if not settled or source is None or source.codec == "VP8":
            return None
        return (
            (self._seq_shift - shared._seq_shift) & 0xFFFF,
            (self._timestamp_shift - shared._timestamp_shift) & 0xFFFFFFFF,
        )

    def retire(self) -> None:
        """Take this line off its sources: nobody watches it any more."""
        for source in (self.current, self.wanted):
            if source is not None:
                source.slots.discard(self)
        self.current = self.wanted = None

    @property
    def position(self) -> tuple[int, int]:
        """Return the (sequence number, timestamp) of the newest packet."""
        return self._seq, self._timestamp

    # ---- commands ----

    def show(self, source: Source | None, now: float) -> Switched | None:
        """Want another source, or None to empty the slot.

        now: seconds.  Returns Switched at once when the slot is emptied; otherwise the switch
        happens at the source's next key frame (video) or packet (audio), through `feed`.
        """
        if source is self.wanted and (source is not None or self.current is None):
            return None
        self._told_at = now
        if self.wanted is not None and self.wanted is not self.current:
            self.wanted.slots.discard(self)
        self._hold_old = False
        if source is None:
            if self.current is not None:
                self.current.slots.discard(self)
            had = self.current
            self.current = self.wanted = self._key = None
            return Switched(self, None, 0.0, had.publication) if had else None
        self.wanted = source
        source.slots.add(self)
        if source is not self.current:
            source.ask_key_frame(now, 0.0)
        return None

    def retry(self, now: float) -> None:
        """Ask again for a key frame that has not come; call about every 100 ms."""
        if self.wanted is not None and self.wanted is not self.current and now - self._told_at > RETRY_S:
            self.wanted.ask_key_frame(now, RETRY_S)

    # ---- packets ----

    def feed(self, source: Source, packet: Incoming, now: float) -> tuple[bytes | None, Switched | None]:
        """Take a packet of a source that is current or wanted.

        now: seconds.  Returns (the packet rewritten for the slot, or None; what was switched, or None).
        """
        switched = None
        if source is self.wanted and source is not self.current:
            if not self._may_take(packet, now):
                return None, None
            switched = self._take(source, packet, now)
        elif source is not self.current or self._hold_old:
            return None, None
        if self._late(packet):
            return None, switched
        return self._rewrite(source, packet, now, fresh=switched is not None), switched

    def _may_take(self, packet: Incoming, now: float) -> bool:
        if packet.end <= packet.pos:
            return False
        if self.kind == "video":
            return bool(packet.key)
        # The first packet is taken as the next one of the line, up to one frame before its time: the viewer
        # plays about 10 ms a switch faster, and makes up nothing. One that came later would be heard as a hole.
        early = self._due + OPUS_S - now if self._sent_at is not None else 0.0
        self._hold_old = EARLY_S < early < HELD_S
        return not self._hold_old

    def _take(self, source: Source, packet: Incoming, now: float) -> Switched:
        before = self.current.publication if self.current is not None else None
        step = self._step(source, packet, now)
        self._seq_shift = (self._seq + 1 - packet.seq) & 0xFFFF
        self._timestamp_shift = (self._timestamp + step - packet.timestamp) & 0xFFFFFFFF
        self._first, self._since_switch, self._hold_old = packet.seq, 0, False
        if self.current is not None and self.current is not source:
            self.current.slots.discard(self)
        self.current = source
        source.slots.add(self)
        if source.codec == "VP8":
            self._align_vp8(packet.payload)
        return Switched(self, source, max(0.0, now - max(self._told_at, source.started_at)), before)

    def _step(self, source: Source, packet: Incoming, now: float) -> int:
        """Return by how many ticks the line goes on at a switch.

        Sound in whole packets after the last, as long as the new ones keep up with the line's pace: no
        hole, nothing made up.  A picture by the time between the captures, so that the line and the clock
        of its reports stay together: the arrival of a key frame is 50-100 ms later than of others.
        """
        if self._sent_at is None:
            return OPUS_FRAME if self.kind == "audio" else VIDEO_HZ // 25
        if self.kind == "audio":
            return OPUS_FRAME * (1 + max(0, round((now - self._due) / OPUS_S - 1)))
        elapsed = now - self._sent_at
        if self.current is not None:
            shown = self.current.captured_at((self._timestamp - self._timestamp_shift) & 0xFFFFFFFF)
            between = source.captured_at(packet.timestamp) - shown
            if abs(between - elapsed) < CAPTURE_S:
                elapsed = between
        return max(90, int(elapsed * VIDEO_HZ))

    def _align_vp8(self, payload: bytes) -> None:
        picture, level = vp8_fields(payload)
        if picture >= 0:
            self._picture_shift = self._picture + 1 - (int.from_bytes(payload[picture : picture + 2], "big") & 0x7FFF)
        if level >= 0:
            self._level_shift = self._level + 1 - payload[level]

    def _late(self, packet: Incoming) -> bool:
        """Return whether a packet is older than the one the slot switched at."""
        if self._first is None:
            return False
        self._since_switch += 1
        if self._since_switch > FORGET:
            self._first = None
            return False
        return (packet.seq - self._first) & 0xFFFF >= 0x8000

    def _rewrite(self, source: Source, packet: Incoming, now: float, *, fresh: bool) -> bytes:
        seq = (packet.seq + self._seq_shift) & 0xFFFF
        timestamp = (packet.timestamp + self._timestamp_shift) & 0xFFFFFFFF
        newer = (seq - self._seq) & 0xFFFF < 0x8000
        marker = packet.marker
        if self.kind == "audio":
            marker = 0x80 if fresh else 0
        body = packet.payload
        if source.codec == "VP8" and body:
            body = self._rewrite_vp8(body, newer=newer)
        send_time = ABS_SEND_TIME_ID << 28 | 2 << 24 | (int(now * 262_144) & 0xFFFFFF)  # 6.18 fixed point seconds
        out = (
            OUT_HEADER.pack(0x90, marker | PAYLOAD_TYPES[source.codec], seq, timestamp, self.ssrc, 0xBEDE, 1, send_time)
            + body
        )
        if newer:
            self._seq = seq
            if packet.key:
                self._key = (seq, now)
            if timestamp != self._timestamp and (timestamp - self._timestamp) & 0xFFFFFFFF < 0x80000000:
                ahead = (timestamp - self._timestamp) & 0xFFFFFFFF
                due = self._due + ahead / self.clock if self._sent_at is not None else now
                self._due = due + (now - due) / (PACE_LATER if now > due else PACE_EARLIER)
                self._timestamp, self._sent_at = timestamp, now
        if self.kind == "video":
            self.ring[seq] = out
            if len(self.ring) > RING:
                self.ring.popitem(last=False)
        self.packets += 1
        self.octets += len(body)
        return out

    def _rewrite_vp8(self, payload: bytes, *, newer: bool) -> bytes:
        picture, level = vp8_fields(payload)
        if picture < 0 and level < 0:
            return payload
        body = bytearray(payload)
        if picture >= 0:
            number = (int.from_bytes(body[picture : picture + 2], "big") + self._picture_shift) & 0x7FFF
            struct.pack_into("!H", body, picture, 0x8000 | number)
            if newer:
                self._picture = number
        if level >= 0:
            body[level] = (body[level] + self._level_shift) & 0xFF
            if newer:
                self._level = body[level]
        return bytes(body)

    # ---- reports and repair ----

    def report(self, now: float, shift: tuple[int, int] | None = None) -> bytes | None:
        """Return the slot's sender report on the node's clock, or None before the source sent one.

        shift: of the viewer it is for.  The publisher's own NTP time must not leak through: the line
        would jump at each switch.
        """
        source = self.current
        if source is None or source.reference is None:
            return None
        at, ticks = source.reference
        rtp = int(ticks + (now - at) * self.clock + self._timestamp_shift + (shift[1] if shift else 0)) & 0xFFFFFFFF
        return sender_report(self.ssrc, SenderReport(self.ssrc, now, rtp), self.packets, self.octets)

    def since_key_frame(self, now: float) -> list[bytes]:
        """Return the packets from a key frame on that has just passed, none when that is longer ago than FRESH_S.

        now: seconds.  Who comes in this moment can begin with them: browsers send no other key frame so soon.
        """
        if self._key is None or now - self._key[1] > FRESH_S or self._key[0] not in self.ring:
            return []
        first, _ = self._key
        numbers = ((first + i) & 0xFFFF for i in range(((self._seq - first) & 0xFFFF) + 1))
        return [self.ring[seq] for seq in numbers if seq in self.ring]

    def repair(self, seq: int, rtx_seq: int | None, shift: tuple[int, int] | None = None) -> bytes | None:
        """Return the retransmission of a sent packet, or None when it is gone.

        seq: the viewer's 16-bit sequence number; rtx_seq: next of the viewer's RTX line, None when it
        has none and gets the very packet again; shift: the viewer's.  Source: RFC 4588 section 4.
        """
        sent = self.ring.get((seq - (shift[0] if shift else 0)) & 0xFFFF)
        if sent is None:
            return None
        sent = shifted(sent, shift)
        if rtx_seq is None:
            return sent
        out = bytearray(sent)
        out[1] = RTX_TYPES[sent[1] & 0x7F] | (sent[1] & 0x80)
        struct.pack_into("!H", out, 2, rtx_seq & 0xFFFF)
        struct.pack_into("!L", out, 8, self.ssrc + 1)
        out[OUT_HEADER.size : OUT_HEADER.size] = struct.pack("!H", seq)
        return bytes(out)


def shifted(packet: bytes, shift: tuple[int, int] | None) -> bytes:
    """Return a packet with a viewer's own sequence number and timestamp."""
    if shift is None:
        return packet
    out = bytearray(packet)
    seq, timestamp = SEQ_AND_TIME.unpack_from(packet, 2)
    SEQ_AND_TIME.pack_into(out, 2, (seq + shift[0]) & 0xFFFF, (timestamp + shift[1]) & 0xFFFFFFFF)
    return bytes(out)
