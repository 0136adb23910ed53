"""One port for everybody, UDP and TCP: demultiplex, authenticate, decrypt; one `Transport` per leg.

Addresses are learnt from authenticated STUN checks only; a stranger's DTLS or RTP never reaches a
leg. Source: RFC 7983 (first byte), RFC 8445, media notes in docs/media.md.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

from media.dtls import Dtls, Identity
from media.fanout import FanOut, Target
from media.ice import CONSENT_S, IceLite, Throttle, is_dtls, is_rtcp, is_rtp, is_stun, local_ufrag
from media.lanes import Lanes
from media.sdp import Credentials
from media.sockets import Sockets
from media.stun import Address
from media.tally import Tally
from media.tcp import Stream, TcpServer

log = logging.getLogger(__name__)

BURST = 64  # datagrams read per turn of the loop, so that timers and the control port get theirs
MAX_DATAGRAM = 2048
ADDRESSES_PER_LEG = 16  # authenticated addresses remembered of one leg, the one longest unused forgotten first
STREAMS_PER_LEG = 8  # TCP connections of one leg: a browser opens one for each of its interfaces
OWNED_S = 10.0  # an address with a valid check this recently is not given to another leg; browsers check each 2.5 s
PACKETS_PER_S = 2000  # of one leg: three simulcast layers at full rate are about 500
PACKETS_AT_ONCE = 300  # refilled when used up, so up to 600: key frames of all layers after a busy moment of ours
CHECK_PACKETS = 10  # a check costs about as much as ten packets: two HMACs and a parser
EARLY = 8  # DTLS datagrams kept while the SDP answer is still on its way
Path = Target | Stream
Key = tuple[int, Address]  # our socket's number, their address


class Port:
    """The node's port: the same number on UDP and TCP, IPv4 and IPv6."""

    def __init__(self, hosts: tuple[str, ...], port: int, announce: tuple[str, ...]) -> None:
        """Bind.

        hosts: local addresses; one that this machine does not have is left out, but not all of them;
        port: 0 takes a free one; announce: the addresses put into candidates.
        """
        self.sockets = Sockets(hosts, port)
        self.addresses = tuple((ip, self.sockets.number) for ip in announce)
        self.identity = Identity()
        self.fanout = FanOut()
        self.tcp = TcpServer(self.datagram)
        self.tally = Tally()
        self.read_at = 0.0  # when the packets at hand were taken from a socket, time.perf_counter()
        self.received = self.received_bytes = self.strangers = self.refused = 0
        self.policed = 0  # datagrams of legs that sent more than `Transport.affords` lets them
        self._by_ufrag: dict[str, Transport] = {}
        self._by_key: dict[Key, Transport] = {}
        self._lanes = Lanes(self._read, self._unread)
        self._throttle = Throttle()
        self._buffer = bytearray(MAX_DATAGRAM)
        self._view = memoryview(self._buffer)

    async def open(self) -> None:
        """Start reading in the running loop.

        `add_reader` and `recvfrom_into`, never asyncio's DatagramProtocol: 2 us against 22 us a datagram.
        """
        for sock in self.sockets.udp:
            self._read(sock, sock)
        await self.tcp.listen(self.sockets.tcp)

    def close(self) -> None:
        """Stop reading and free the port."""
        self._lanes.close_all()
        for sock in self.sockets.udp:
            self._unread(sock)
        self.tcp.close()
        self.sockets.close()

    def _read(self, sock: socket.socket, shared: socket.socket) -> None:
        """Read a socket; what comes by a lane counts as come by the port's own socket beside it."""
        asyncio.get_running_loop().add_reader(sock, self._readable, sock, shared)

    def _unread(self, sock: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(sock)

    def add(self, transport: "Transport", ufrag: str) -> None:
        """Let checks for this leg's ufrag in."""
        self._by_ufrag[ufrag] = transport

    def forget(self, ufrag: str) -> None:
        """Let no more checks for this ufrag in."""
        self._by_ufrag.pop(ufrag, None)

    def remove(self, transport: "Transport") -> None:
        """Forget a leg and its addresses."""
        for ufrag in [u for u, t in self._by_ufrag.items() if t is transport]:
            del self._by_ufrag[ufrag]
        for key in transport.keys:
            self.lost(key, transport)

    def lost(self, key: Key, transport: "Transport") -> None:
        """Forget one address of a leg."""
        if self._by_key.get(key) is transport:
            del self._by_key[key]
            self._lanes.close(key)

    def _readable(self, sock: socket.socket, shared: socket.socket) -> None:
        fd = shared.fileno()
        self.read_at = time.perf_counter()
        for _ in range(BURST):
            try:
                size, address = sock.recvfrom_into(self._buffer)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an ICMP error of an earlier send: not ours to handle
                continue
            if size:
                data = bytes(self._view[:size])
                transport = self._by_key.get((fd, address[:2]))
                if transport is not None and data[0] >= 4:
                    self.known(data, transport)
                else:
                    self.datagram(data, shared, address[:2])

    def known(self, data: bytes, transport: "Transport") -> None:
        """Hand a datagram from an authenticated address to its leg; no exception leaves here."""
        self.received += 1
        self.received_bytes += len(data)
        if not transport.affords(self.read_at):
            self.policed += 1
            return
        transport.budget -= 1
        try:
            transport.datagram(data)
        except Exception:
            self.refused += 1
            log.debug("datagram refused", exc_info=True)

    def datagram(self, data: bytes, source: Any, address: Address | None = None) -> None:
        """Route one datagram or frame; no exception leaves here, whatever the bytes are.

        source: our UDP socket, with the peer's `address`, or a Stream.
        """
        self.read_at = time.perf_counter()
        try:
            if is_stun(data):
                self.received += 1
                self._check(data, source, address)
                return
            stream = source if isinstance(source, Stream) else None
            peer = stream.address if stream else address
            assert peer is not None
            transport = self._by_key.get((-id(stream), peer) if stream else (source.fileno(), peer))
            if transport is None:
                self.received += 1
                self.strangers += 1
            else:
                self.known(data, transport)
        except Exception:
            self.refused += 1
            log.debug("datagram refused", exc_info=True)

    def _check(self, data: bytes, source: Any, address: Address | None) -> None:
        ufrag = local_ufrag(data)
        transport = self._by_ufrag.get(ufrag) if ufrag else None
        if transport is None or ufrag is None:
            self.strangers += 1  # silence: a reply to an unknown name would reflect traffic
            return
        stream = source if isinstance(source, Stream) else None
        peer = stream.address if stream else address
        assert peer is not None
        key: Key = (-id(stream), peer) if stream else (source.fileno(), peer)
        if not transport.affords(self.read_at):
            self.policed += 1
            return
        if self._by_key.get(key) is not transport and not self._throttle.allows(peer[0], time.monotonic()):
            self.refused += 1  # before the HMAC: 30 us each
            return
        check = transport.check(ufrag, data, peer)
        if check is None:
            self._throttle.failed(peer[0], time.monotonic())
            self.refused += 1
            return
        transport.budget -= CHECK_PACKETS  # only for a valid one: a stranger cannot spend what is another's
        if stream:
            stream.send(check.reply)
        else:
            source.sendto(check.reply, peer)
        if check.valid and self._learn(key, transport, time.monotonic()):
            transport.checked(key, stream or source, ufrag, nominated=check.nominated)
            if transport.publishes and stream is None and check.nominated:
                self._lanes.open(source, peer)

    def _learn(self, key: Key, transport: "Transport", now: float) -> bool:
        """Let an address belong to a leg; an address that another living leg uses stays with that."""
        before = self._by_key.get(key)
        if before is not None and before is not transport:
            if now - before.keys.get(key, -1e9) < OWNED_S:
                return False
            before.keys.pop(key, None)
        self._by_key[key] = transport
        transport.keys[key] = now
        if len(transport.keys) > ADDRESSES_PER_LEG:
            oldest = min(transport.keys, key=lambda k: transport.keys[k])
            del transport.keys[oldest]
            self.lost(oldest, transport)
        return True


class Transport:
    """One leg: ICE-lite, DTLS, SRTP in and out."""

    def __init__(
        self,
        port: Port,
        on_rtp: Callable[[bytes], None],
        on_rtcp: Callable[[bytes], None],
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
        on_path: Callable[[], None] = lambda: None,
        *,
        publishes: bool = False,
    ) -> None:
        """Register at the port.

        on_rtp, on_rtcp: take decrypted packets; on_up: keys are there; on_down(reason): called once;
        on_path: the target changed; publishes: media comes in, see `media.lanes`.
        """
        self.port = port
        self.publishes = publishes
        self.ice = IceLite()
        self.target: Path | None = None
        self.outbound: Any = None
        self.keys: dict[Key, float] = {}  # where valid checks came from, and when (monotonic seconds)
        self.consent_at = time.monotonic()
        self.errors = 0
        self.is_faulty = False  # its clockwork has failed, and that has been logged
        self.budget = float(PACKETS_AT_ONCE)  # packets that may still come at once
        self._budget_at = time.perf_counter()
        self._on_rtp, self._on_rtcp = on_rtp, on_rtcp
        self._on_up, self._on_down, self._on_path = on_up, on_down, on_path
        self._inbound: Any = None
        self._dtls: Dtls | None = None
        self._pending: tuple[bytes, bool] | None = None  # (fingerprint, our DTLS role is server)
        self._early: list[bytes] = []
        self._old: IceLite | None = None  # before a restart, until the new names are used
        self._streams: dict[Key, Stream] = {}
        self._closed = False
        port.add(self, self.ice.ufrag)

    @property
    def credentials(self) -> Credentials:
        """Return what our SDP says of this leg."""
        return Credentials(self.ice.ufrag, self.ice.pwd, self.port.identity.fingerprint, self.port.addresses)

    @property
    def is_up(self) -> bool:
        """Return whether media can flow."""
        return self.outbound is not None and not self._closed

    @property
    def is_closed(self) -> bool:
        """Return whether the leg is over."""
        return self._closed

    def remote(self, ufrag: str, fingerprint: bytes, *, server: bool) -> None:
        """Take what the peer's SDP says.

        DTLS starts when both this and a first valid check are here, in either order; starting on one
        of them alone made Firefox join in 6.6 s instead of 0.4.
        """
        self.ice.remote_ufrag = ufrag
        self._pending = (fingerprint, server)
        if self.target is not None:
            self._start()

    def restart(self, remote_ufrag: str | None) -> IceLite:
        """Take fresh ICE names on the same DTLS and SRTP; the old ones work until the new are used.

        remote_ufrag: the peer's new name, None while it is not known.  Source: RFC 8445 section 9.
        """
        if self._old is not None:
            self.port.forget(self._old.ufrag)
        self._old, self.ice = self.ice, IceLite(remote_ufrag)
        self.port.add(self, self.ice.ufrag)
        self.consent_at = time.monotonic()
        return self.ice

    def check(self, ufrag: str, data: bytes, address: Address) -> Any:
        """Verify a check that names one of our ufrags.  Returns a Check, or None: no answer."""
        ice = self.ice if ufrag == self.ice.ufrag else self._old
        return ice.check(data, address) if ice is not None else None

    def checked(self, key: Key, source: Any, ufrag: str, *, nominated: bool) -> None:
        """Take note of an authenticated check.

        source: our UDP socket or a Stream.  The path that was nominated last is sent on; before any
        nomination the first authenticated one, so that DTLS can start.
        """
        if self._closed:
            return
        self.consent_at = time.monotonic()
        stream = source if isinstance(source, Stream) else None
        if stream is not None and key not in self._streams:
            self._streams[key] = stream
            stream.accepted()
            stream.on_lost = lambda: self._stream_lost(key)
            spare = [s for s in self._streams.values() if s is not self.target and s is not stream]
            if len(self._streams) > STREAMS_PER_LEG and spare:
                spare[0].abort()
        if self._old is not None and ufrag == self.ice.ufrag and nominated:
            self.port.forget(self._old.ufrag)
            self._old = None
        current = self._old is None
        if self.target is None or (nominated and current and self._is_other(key[1], stream)):
            self.target = stream or Target(key[1], source)
            self._on_path()
        if self._dtls is None and self._pending is not None:
            self._start()

    def _is_other(self, address: Address, stream: Stream | None) -> bool:
        target = self.target
        return target is not stream if stream else target is None or bool(target.stream) or target.address != address

    def _stream_lost(self, key: Key) -> None:
        """End of a TCP connection: when media went over it and no other path is left, so is the leg."""
        stream = self._streams.pop(key, None)
        self.keys.pop(key, None)
        self.port.lost(key, self)
        if self._closed or stream is not self.target:
            return
        others = [s for s in self._streams.values() if s.transport is not None]
        self.target = others[-1] if others else None
        self._on_path()
        if self.target is None and self._old is None and self.outbound is not None:
            self._lost("connection closed")

    def _start(self) -> None:
        if self._dtls is not None or self._pending is None or self._closed:
            return
        fingerprint, server = self._pending
        self._dtls = Dtls(self.port.identity, fingerprint, self._send, self._keyed, self._lost, server=server)
        self._dtls.start()
        for data in self._early:
            self._dtls.datagram(data)
        self._early.clear()

    def affords(self, now: float) -> bool:
        """Return whether the leg may send one more packet; asked before anything is spent on it.

        now: time.perf_counter() seconds.  One participant at line rate would otherwise overflow the
        socket's buffer for all: 8.7 % of another publisher's packets were lost so.
        """
        if self.budget < 1:
            self.budget = min(PACKETS_AT_ONCE, self.budget + max(0.0, now - self._budget_at) * PACKETS_PER_S)
            self._budget_at = now
        return self.budget >= 1

    def datagram(self, data: bytes) -> None:
        """Take a datagram from an authenticated address."""
        if self._closed:
            return
        if is_rtp(data):
            if self._inbound is None:
                return
            try:
                if is_rtcp(data):
                    plain, handle = self._inbound.unprotect_rtcp(data), self._on_rtcp
                else:
                    plain, handle = self._inbound.unprotect(data), self._on_rtp
            except Exception:  # not authentic, or replayed: dropped, RFC 3711 section 3.3
                self.errors += 1
                return
            handle(plain)
        elif is_dtls(data):
            if self._dtls is not None:
                self._dtls.datagram(data)
            elif len(self._early) < EARLY:
                self._early.append(data)

    def send_rtp(self, packet: bytes, *, video: bool = True) -> None:
        """Encrypt and send one packet to this leg alone."""
        if self.is_up:
            self.port.fanout.send(packet, (self,), video=video)

    shift = None  # fan-out reads it: this leg's own packets are sent as they are

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send one compound RTCP packet."""
        if self.is_up and self.target is not None:
            self.target.send(self.outbound.protect_rtcp(packet))

    def expired(self, now: float) -> bool:
        """Return whether consent has run out.  now: time.monotonic() seconds."""
        return now - self.consent_at > CONSENT_S

    def close(self) -> None:
        """Say goodbye and forget the leg; `on_down` is not called."""
        if self._closed:
            return
        self._closed = True
        if self._dtls is not None:
            self._dtls.close()
            self._dtls = None  # each refers to the other: OpenSSL's buffers would wait for the collector
        self.port.remove(self)
        for stream in self._streams.values():
            stream.on_lost = None
            stream.close()
        self._streams.clear()
        self.outbound = self._inbound = None

    def _send(self, data: bytes) -> None:
        if self.target is not None:
            self.target.send(data)

    def _keyed(self) -> None:
        assert self._dtls is not None
        self.outbound = self.port.fanout.session(self._dtls.gcm_master, self._dtls.outbound)
        self._inbound = self._dtls.inbound
        self._on_up()

    def _lost(self, reason: str) -> None:
        if not self._closed:
            self.close()
            self._on_down(reason)
