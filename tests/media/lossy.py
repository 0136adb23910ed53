"""A class in memory: real rooms, DTLS, SRTP and H.264, joined by lines that lose what a seed says.

No packet crosses a socket and nothing waits: time is a number that `Class.run` moves. The one part
that is not the product's or aiortc's is the line itself.
"""

import heapq
import itertools
import math
import random
import re
import struct
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pylibsrtp
from aioice import stun
from aiortc.rtp import RtpPacket, unwrap_rtx, wrap_rtx

from media import control, rtcp
from media.dtls import Dtls, Identity
from media.room import TICK_S, Room
from media.rtp import Incoming
from media.sdp import MID_URI
from media.transport import Port

START_S = 1_772_416_800.0  # Monday 2 March 2026, 09:00 in Vietnam
CHECK_TICKS = 25  # 500 ms
HISTORY = 1000  # packets a browser keeps for retransmission
MIC, CAMERA, CAMERA_RTX = 11, 21, 22  # SSRCs of every publisher
SEQ_AND_TIME = struct.Struct("!HL")
OPUS_PT, H264_PT, RTX_PT = 111, 96, 97


class Clock:
    """Stands in for the module `time` in the node's modules."""

    def __init__(self) -> None:
        self.now = START_S

    def install(self, monkeypatch: Any) -> None:
        """Put this clock where the node's modules read theirs."""
        for name, module in list(sys.modules.items()):
            if name.startswith("media.") and getattr(module, "time", None) is time:
                monkeypatch.setattr(module, "time", self)

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def perf_counter(self) -> float:
        return self.now


@dataclass(frozen=True)
class Pattern:
    """What a line does to packets; the same seed always does the same to the same number of packets."""

    delay_s: float = 0.04
    jitter_s: float = 0.0  # evenly spread on top of the delay; less than the packets' spacing keeps their order
    loss: float = 0.0  # share of the packets
    late: float = 0.0  # share of the packets held back by late_s, so that others overtake them
    late_s: float = 0.008
    duplicate: float = 0.0
    seed: int = 1


PERFECT = Pattern(delay_s=0.0)
_NUMBERS = itertools.count()  # packets that arrive at the same moment keep their order


class Line:
    """One direction of one participant's connection."""

    def __init__(self, clock: Clock, queue: list[Any]) -> None:
        self.clock, self._queue = clock, queue
        self.sent = self.lost = self.doubled = 0
        self.drop: Callable[[bytes], bool] = lambda data: False  # a test's own wish, besides the pattern
        self.shape(PERFECT)

    def shape(self, pattern: Pattern) -> None:
        """Behave like this from now on."""
        self.pattern, self._random = pattern, random.Random(pattern.seed)

    def send(self, data: bytes, deliver: Callable[[bytes], None]) -> None:
        """Carry one datagram, or lose it."""
        p, dice = self.pattern, self._random
        self.sent += 1
        lost, late, twice = dice.random() < p.loss, dice.random() < p.late, dice.random() < p.duplicate
        delay = p.delay_s + p.jitter_s * dice.random() + p.late_s * late
        if lost or self.drop(data):
            self.lost += 1
            return
        for extra in (0.0, 0.001)[: 1 + twice]:
            self.doubled += bool(extra)
            heapq.heappush(self._queue, (self.clock.now + delay + extra, next(_NUMBERS), data, deliver))


class LineFanOut:
    """Encrypts with each viewer's real session and hands the packet to the viewer's line."""

    def __init__(self) -> None:
        self.sent = self.sent_bytes = self.dropped = 0

    def session(self, master: bytes | None, session: Any) -> Any:
        return session

    def send(self, packet: bytes, viewers: Iterable[Any], *, video: bool = True) -> None:
        for viewer in viewers:
            if viewer.target is None or viewer.outbound is None:
                continue
            own = bytearray(packet)
            if viewer.shift is not None:
                seq, timestamp = SEQ_AND_TIME.unpack_from(own, 2)
                SEQ_AND_TIME.pack_into(
                    own, 2, (seq + viewer.shift[0]) & 0xFFFF, (timestamp + viewer.shift[1]) & 0xFFFFFFFF
                )
            viewer.target.send(viewer.outbound.protect(bytes(own)), video=video)
            self.sent += 1


class LineSocket:
    """Stands where the node's UDP socket does: what is sent goes down the participants' lines."""

    def __init__(self, peers: dict[Any, "Peer"]) -> None:
        self._peers = peers

    def fileno(self) -> int:
        return -1

    def sendto(self, data: bytes, address: Any) -> None:
        peer = self._peers.get(address)
        if peer is not None:
            peer.down.send(data, peer.receive)


class Class:
    """One room of the node and its participants."""

    def __init__(self, clock: Clock, folder: Path) -> None:
        self.clock = clock
        self.queue: list[Any] = []
        self.peers: dict[Any, Peer] = {}
        self.events: list[control.Message] = []
        self.socket = LineSocket(self.peers)
        self.port = Port(("127.0.0.1",), 0, ("127.0.0.1",))  # its own sockets stay silent
        self.port.fanout = LineFanOut()  # type: ignore[assignment]
        self.room = Room("lec_memory", self.port, folder, self.events.append)
        self._ticks = 0
        self._next_tick = clock.now + TICK_S

    async def plan(self, version: int, slots: dict[str, str], publishers: list[str]) -> None:
        await self.room.apply(control.RoomPlan(version=version, slots=slots, publishers=publishers))

    def publisher(self, name: str) -> "Publisher":
        return Publisher(self, name)

    def viewer(self, name: str, slots: list[str]) -> "Viewer":
        return Viewer(self, name, slots)

    def run(self, seconds: float) -> None:
        """Let that much time pass: deliver what is due, tick as the node does."""
        end = self.clock.now + seconds
        while True:
            at = min(self.queue[0][0] if self.queue else math.inf, self._next_tick)
            if at > end:
                self.clock.now = end
                return
            self.clock.now = max(self.clock.now, at)
            if at == self._next_tick:
                self._tick()
            else:
                *_, data, deliver = heapq.heappop(self.queue)
                deliver(data)

    def _tick(self) -> None:
        self._ticks += 1
        self._next_tick += TICK_S
        self.room.tick(self.clock.now, self.clock.now)
        if self._ticks % CHECK_TICKS == 0:
            for peer in list(self.peers.values()):
                peer.send(peer.check())
        for peer in list(self.peers.values()):
            peer.tick()

    def close(self) -> None:
        for peer in list(self.peers.values()):
            peer.dtls.close()
        self.room.close()
        self.port.sockets.close()


class Peer:
    """One leg of a participant: the same handshake as a browser's, over its own two lines."""

    def __init__(self, where: Class, name: str, sdp: str, server: bool) -> None:
        self.where, self.name = where, name
        self.address = (f"192.0.2.{len(where.peers) + 1}", 40_000)
        where.peers[self.address] = self
        self.up, self.down = Line(where.clock, where.queue), Line(where.clock, where.queue)
        self.refused = 0
        self.reports: list[Any] = []
        self.is_up = False
        self.ufrag = re.search(r"a=ice-ufrag:(\S+)", sdp)[1]  # type: ignore[index]
        self.pwd = re.search(r"a=ice-pwd:(\S+)", sdp)[1]  # type: ignore[index]
        theirs = bytes.fromhex(re.search(r"a=fingerprint:sha-256 (\S+)", sdp)[1].replace(":", ""))  # type: ignore[index]
        self.dtls = Dtls(self.identity, theirs, self.send, self._keyed, lambda reason: None, server=server)
        self.send(self.check())
        where.run(0.0)
        self.dtls.start()
        where.run(0.0)
        assert self.is_up, "handshake"

    identity: Identity

    def _keyed(self) -> None:
        self.is_up = True

    def check(self) -> bytes:
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes.update(
            {"USERNAME": f"{self.ufrag}:mem", "PRIORITY": 1, "ICE-CONTROLLING": 5, "USE-CANDIDATE": None}
        )
        message.add_message_integrity(self.pwd.encode())
        return bytes(message)

    def description(self) -> str:
        """An offer, or an answer, of this participant."""
        prints = ":".join(f"{b:02X}" for b in self.identity.fingerprint)
        ice = f"a=ice-ufrag:mem\r\na=ice-pwd:0123456789012345678901\r\na=setup:active\r\na=extmap:4 {MID_URI}\r\n"
        return (
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
            f"a=fingerprint:sha-256 {prints}\r\n"
            f"m=audio 9 UDP/TLS/RTP/SAVPF {OPUS_PT}\r\na=mid:0\r\n{ice}a=rtpmap:{OPUS_PT} opus/48000/2\r\n"
            f"a=ssrc:{MIC} cname:x\r\n"
            f"m=video 9 UDP/TLS/RTP/SAVPF {H264_PT} {RTX_PT}\r\na=mid:1\r\n{ice}a=rtpmap:{H264_PT} H264/90000\r\n"
            f"a=fmtp:{H264_PT} packetization-mode=1;profile-level-id=42e01f\r\n"
            f"a=rtpmap:{RTX_PT} rtx/90000\r\na=fmtp:{RTX_PT} apt={H264_PT}\r\n"
            f"a=ssrc-group:FID {CAMERA} {CAMERA_RTX}\r\na=ssrc:{CAMERA} cname:x\r\na=ssrc:{CAMERA_RTX} cname:x\r\n"
        )

    def send(self, data: bytes) -> None:
        self.up.send(data, lambda data: self.where.port.datagram(data, self.where.socket, self.address))

    def send_rtcp(self, packet: bytes) -> None:
        self.send(self.dtls.outbound.protect_rtcp(packet))

    def receive(self, data: bytes) -> None:
        if 20 <= data[0] <= 63:
            self.dtls.datagram(data)
        elif data[0] >= 128 and self.dtls.inbound is not None:
            try:
                if 192 <= data[1] <= 223:
                    self._control(self.dtls.inbound.unprotect_rtcp(data))
                else:
                    self.got(self.dtls.inbound.unprotect(data))
            except pylibsrtp.Error:  # the replay check: a copy made by the line
                self.refused += 1

    def _control(self, data: bytes) -> None:
        for report in rtcp.walk(data):
            self.reports.append((self.where.clock.now, report))
            self.heard(report)

    def heard(self, report: Any) -> None:
        """Take one piece of feedback."""

    def got(self, packet: bytes) -> None:
        """Take one decrypted packet."""

    def tick(self) -> None:
        """Do what a browser does by its own clock; every 20 ms."""


class Publisher(Peer):
    """Sends what a test gives it; answers NACKs by RTX from its history; counts what it is asked."""

    def __init__(self, where: Class, name: str) -> None:
        self.identity = Identity()
        self.history: dict[int, bytes] = {}
        self.sent: list[bytes] = []
        self.asked: list[tuple[float, tuple[int, ...]]] = []
        self.key_requests: list[float] = []
        self.resent = 0
        super().__init__(where, name, where.room.up(name, self.description()), server=False)

    def send_rtp(self, packet: bytes) -> None:
        if Incoming(packet).ssrc == CAMERA:
            self.sent.append(packet)
            self.history[Incoming(packet).seq] = packet
            if len(self.history) > HISTORY:
                del self.history[next(iter(self.history))]
        self.send(self.dtls.outbound.protect(packet))

    def heard(self, report: Any) -> None:
        if isinstance(report, rtcp.KeyFrameRequest):
            self.key_requests.append(self.where.clock.now)
        elif isinstance(report, rtcp.Nack):
            self.asked.append((self.where.clock.now, report.missing))
            for packet in filter(None, map(self.history.get, report.missing)):
                rtx = wrap_rtx(RtpPacket.parse(packet), RTX_PT, self.resent & 0xFFFF, CAMERA_RTX)
                self.resent += 1
                self.send(self.dtls.outbound.protect(rtx.serialize()))


class Viewer(Peer):
    """Asks for what is missing as a browser does, and keeps the video stream of its first slot."""

    RETRY_S, TRIES = 0.1, 10

    def __init__(self, where: Class, name: str, slots: list[str]) -> None:
        self.identity = Identity()
        self.stream: dict[int, bytes] = {}  # unwrapped sequence number -> packet, RTX undone
        self.first_copy: list[int] = []  # unwrapped sequence numbers in the order of their first arrival
        self.copies = 0
        self.nacks = 0
        self._highest: int | None = None
        self._missing: dict[int, tuple[float, int]] = {}
        leg = where.room.down(name, slots)
        self.ssrc = next((slot.ssrc for slot in leg.slots if slot.kind == "video"), 0)
        where.room.answered(name, leg.id, self.description())
        super().__init__(where, name, leg.offer, server=False)

    def got(self, packet: bytes) -> None:
        read = RtpPacket.parse(packet)
        if read.ssrc == self.ssrc + 1 and len(read.payload) > 2:
            read = unwrap_rtx(read, H264_PT, self.ssrc)
        if read.ssrc != self.ssrc:
            return
        near = self._highest if self._highest is not None else read.sequence_number
        seq = near + ((read.sequence_number - near + 0x8000) & 0xFFFF) - 0x8000
        if seq in self.stream:
            self.copies += 1
            return
        self.stream[seq] = read.serialize()
        self.first_copy.append(seq)
        self._missing.pop(seq, None)
        for lost in range(near + 1, seq):
            self._missing[lost] = (self.where.clock.now + 0.02, 0)
        self._highest = max(near, seq)

    def tick(self) -> None:
        now, due = self.where.clock.now, []
        for seq, (at, tries) in sorted(self._missing.items()):
            if tries >= self.TRIES:
                del self._missing[seq]
            elif at <= now:
                due.append(seq & 0xFFFF)
                self._missing[seq] = (now + self.RETRY_S, tries + 1)
        if due:
            self.nacks += 1
            self.send_rtcp(rtcp.nack(self.ssrc, due))

    def ask_key_frame(self) -> None:
        self.send_rtcp(rtcp.pli(self.ssrc))
