"""One UDP port for everybody: demultiplex, authenticate, decrypt; one `Transport` per leg.

Addresses are learnt from authenticated STUN checks only; a stranger's DTLS or RTP never reaches a
leg. Source: RFC 7983 (first byte), RFC 8445, media notes in docs/media.md.
"""

import asyncio
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from media.dtls import Dtls, Identity
from media.fanout import FanOut, Target
from media.ice import CONSENT_S, Address, IceLite, is_dtls, is_rtcp, is_rtp, is_stun, local_ufrag
from media.sdp import Credentials

log = logging.getLogger(__name__)

BUFFER = 1 << 22  # bytes; the kernel's default holds about 90 packets, less than one key frame to 8 viewers
BURST = 64  # datagrams read per turn of the loop, so that timers and the control port get theirs
MAX_DATAGRAM = 2048
MAX_ADDRESSES = 20_000  # authenticated addresses remembered, oldest forgotten first
EARLY = 8  # DTLS datagrams kept while the SDP answer is still on its way


class Port:
    """The node's UDP port."""

    def __init__(self, host: str, port: int, announce: tuple[str, ...]) -> None:
        """Bind.  announce: the IPv4 addresses put into candidates; port 0 takes a free one."""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.socket.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        self.socket.bind((host, port))
        number = self.socket.getsockname()[1]
        self.addresses = tuple((ip, number) for ip in announce)
        self.identity = Identity()
        self.fanout = FanOut(self.socket)
        self.received = self.strangers = self.refused = 0
        self._by_ufrag: dict[str, Transport] = {}
        self._by_address: OrderedDict[Address, Transport] = OrderedDict()
        self._buffer = bytearray(MAX_DATAGRAM)
        self._view = memoryview(self._buffer)

    def open(self) -> None:
        """Start reading in the running loop.

        `add_reader` and `recvfrom_into`, never asyncio's DatagramProtocol: 2 us against 22 us a datagram.
        """
        asyncio.get_running_loop().add_reader(self.socket, self._readable)

    def close(self) -> None:
        """Stop reading and free the port."""
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()

    def add(self, transport: "Transport") -> None:
        """Let checks for this leg's ufrag in."""
        self._by_ufrag[transport.ice.ufrag] = transport

    def remove(self, transport: "Transport") -> None:
        """Forget a leg and its addresses."""
        self._by_ufrag.pop(transport.ice.ufrag, None)
        for address in [a for a, t in self._by_address.items() if t is transport]:
            del self._by_address[address]

    def send(self, data: bytes, address: Address) -> None:
        """Send one datagram; a full buffer or an unreachable address loses it, as networks do."""
        try:
            self.socket.sendto(data, address)
        except OSError:
            self.fanout.dropped += 1

    def _readable(self) -> None:
        for _ in range(BURST):
            try:
                size, address = self.socket.recvfrom_into(self._buffer)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an ICMP error of an earlier send: not ours to handle
                continue
            if size:
                self.received += 1
                self.datagram(bytes(self._view[:size]), address)

    def datagram(self, data: bytes, address: Address) -> None:
        """Route one datagram; no exception leaves here, whatever the bytes are."""
        try:
            if is_stun(data):
                self._check(data, address)
                return
            transport = self._by_address.get(address)
            if transport is None:
                self.strangers += 1
            else:
                transport.datagram(data)
        except Exception:
            self.refused += 1
            log.debug("datagram refused", exc_info=True)

    def _check(self, data: bytes, address: Address) -> None:
        ufrag = local_ufrag(data)
        transport = self._by_ufrag.get(ufrag) if ufrag else None
        if transport is None:
            self.strangers += 1  # silence: a reply to an unknown name would reflect traffic
            return
        check = transport.ice.check(data, address)
        if check is None:
            self.refused += 1
            return
        self.send(check.reply, address)
        if check.valid:
            self._by_address[address] = transport
            self._by_address.move_to_end(address)
            if len(self._by_address) > MAX_ADDRESSES:
                self._by_address.popitem(last=False)
            transport.checked(address, nominated=check.nominated)


class Transport:
    """One leg: ICE-lite, DTLS, SRTP in and out."""

    def __init__(
        self,
        port: Port,
        on_rtp: Callable[[bytes], None],
        on_rtcp: Callable[[bytes], None],
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
    ) -> None:
        """Register at the port.

        on_rtp, on_rtcp: take decrypted packets; on_up: keys are there; on_down(reason): called once.
        """
        self.port = port
        self.ice = IceLite()
        self.target: Target | None = None
        self.outbound: Any = None
        self.consent_at = time.monotonic()
        self.errors = 0
        self._on_rtp, self._on_rtcp = on_rtp, on_rtcp
        self._on_up, self._on_down = on_up, on_down
        self._inbound: Any = None
        self._dtls: Dtls | None = None
        self._pending: tuple[bytes, bool] | None = None  # (fingerprint, our DTLS role is server)
        self._early: list[bytes] = []
        self._closed = False
        port.add(self)

    @property
    def credentials(self) -> Credentials:
        """Return what our SDP says of this leg."""
        return Credentials(self.ice.ufrag, self.ice.pwd, self.port.identity.fingerprint, self.port.addresses)

    @property
    def is_up(self) -> bool:
        """Return whether media can flow."""
        return self.outbound is not None and not self._closed

    def remote(self, ufrag: str, fingerprint: bytes, *, server: bool) -> None:
        """Take what the peer's SDP says.

        DTLS starts when both this and a first valid check are here, in either order; starting on one
        of them alone made Firefox join in 6.6 s instead of 0.4.
        """
        self.ice.remote_ufrag = ufrag
        self._pending = (fingerprint, server)
        if self.target is not None:
            self._start()

    def checked(self, address: Address, *, nominated: bool) -> None:
        """Take note of an authenticated check from `address`."""
        self.consent_at = time.monotonic()
        if self.target is None or (nominated and self.target.address != address):
            self.target = Target(address)
        if self._dtls is None and self._pending is not None:
            self._start()

    def _start(self) -> None:
        if self._dtls is not None or self._pending is None or self._closed:
            return
        fingerprint, server = self._pending
        self._dtls = Dtls(self.port.identity, fingerprint, self._send, self._keyed, self._lost, server=server)
        self._dtls.start()
        for data in self._early:
            self._dtls.datagram(data)
        self._early.clear()

    def datagram(self, data: bytes) -> None:
        """Take a datagram from an authenticated address."""
        if self._closed:
            return
        if is_dtls(data):
            if self._dtls is not None:
                self._dtls.datagram(data)
            elif len(self._early) < EARLY:
                self._early.append(data)
        elif is_rtp(data) and self._inbound is not None:
            try:
                if is_rtcp(data):
                    plain, handle = self._inbound.unprotect_rtcp(data), self._on_rtcp
                else:
                    plain, handle = self._inbound.unprotect(data), self._on_rtp
            except Exception:  # not authentic, or replayed: dropped, RFC 3711 section 3.3
                self.errors += 1
                return
            handle(plain)

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send one packet to this leg alone."""
        if self.is_up:
            self.port.fanout.send(packet, [self])

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send one compound RTCP packet."""
        if self.is_up and self.target is not None:
            self.port.send(self.outbound.protect_rtcp(packet), self.target.address)

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
        self.port.remove(self)
        self.outbound = self._inbound = None

    def _send(self, data: bytes) -> None:
        if self.target is not None:
            self.port.send(data, self.target.address)

    def _keyed(self) -> None:
        assert self._dtls is not None
        self.outbound, self._inbound = self._dtls.outbound, self._dtls.inbound
        self._on_up()

    def _lost(self, reason: str) -> None:
        if not self._closed:
            self.close()
            self._on_down(reason)
