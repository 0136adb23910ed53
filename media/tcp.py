"""ICE-TCP, passive side: the same peers on the same port number where UDP is blocked.

A stream carries frames of a 16-bit length and one STUN, DTLS or (S)RTP packet each. The first frame
must be a valid check within `FIRST_CHECK_S`, or the connection is closed: nothing is kept for a
stranger. What a slow peer has not taken yet is bounded; see `Stream.send`.
Source: RFC 6544 (ICE-TCP), RFC 4571 section 2 (framing).
"""

import asyncio
import resource
import socket
from collections import Counter, OrderedDict
from collections.abc import Callable

from media.ice import is_stun
from media.stun import Address

FIRST_CHECK_S = 5.0
STRANGE_FRAMES = 8  # frames without a valid check before the connection is closed
FRAME_MAX = 2048  # bytes; the largest SRTP packet is 1516
VIDEO_BACKLOG = 128 << 10  # bytes waiting before video is left out: half a second at 2 Mbit/s
HARD_BACKLOG = 256 << 10  # bytes waiting before anything is left out, so that sound outlives video
DRAINED = 16 << 10  # bytes waiting below which video may come back
WAITING_PER_ADDRESS = 512  # connections without a valid check yet, of one address; a province may share one
WAITING_MAX = 2048  # the same of all addresses; the oldest is closed first, so that a newcomer always gets its turn
FILES_SHARE = 4  # but strangers never hold more than a quarter of the files this process may open
SEND_BUFFER = 64 << 10  # bytes in the kernel: what is in there can no longer be left out


class Stream(asyncio.BufferedProtocol):
    """One accepted connection: a path like a UDP address, with a bounded queue."""

    fd = -1  # no datagram socket: the fan-out writes through `send`

    def __init__(self, server: "TcpServer") -> None:
        """Wait for the connection."""
        self.stream = self
        self.address: Address = ("", 0)
        self.transport: asyncio.Transport | None = None
        self.checked = False
        self.starved = False  # video was left out: the leg steps down and asks for a key frame
        self.left_out = 0
        self.on_lost: Callable[[], None] | None = None
        self._server = server
        self._buffer = bytearray(2 * FRAME_MAX)
        self._view = memoryview(self._buffer)
        self._filled = 0
        self._tries = 0
        self._timer: asyncio.TimerHandle | None = None

    # ---- asyncio.BufferedProtocol ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock for the first check."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        peer = transport.get_extra_info("peername") or ("", 0)
        self.address = (peer[0], peer[1])
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        transport.set_write_buffer_limits(high=2 * HARD_BACKLOG)
        self._server.joined(self)
        self._timer = asyncio.get_running_loop().call_later(FIRST_CHECK_S, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; its leg is told."""
        if self._timer:
            self._timer.cancel()
        self._server.left(self)
        if self.on_lost is not None:
            self.on_lost()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go."""
        return self._view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Take every frame that is complete."""
        self._filled += nbytes
        at = 0
        while self._filled - at >= 2:
            size = self._buffer[at] << 8 | self._buffer[at + 1]
            if size > FRAME_MAX or (not self.checked and (not size or self._strange(at))):
                self.abort()
                return
            if self._filled - at < 2 + size:
                break
            if not self.checked:
                self._tries += 1
                if self._tries > STRANGE_FRAMES:
                    self.abort()
                    return
            if size:
                self._server.take(bytes(self._view[at + 2 : at + 2 + size]), self)
            at += 2 + size
            if self.transport is None or self.transport.is_closing():
                return
        self._view[: self._filled - at] = self._view[at : self._filled]
        self._filled -= at

    def _strange(self, at: int) -> bool:
        return self._filled - at >= 3 and not is_stun(bytes(self._buffer[at + 2 : at + 3]))

    # ---- for the legs ----

    @property
    def backlog(self) -> int:
        """Return how many bytes wait for the peer, outside the kernel."""
        return self.transport.get_write_buffer_size() if self.transport is not None else 0

    def send(self, data: bytes, *, video: bool = False) -> bool:
        """Frame and send one packet, or leave it out when the peer does not keep up.

        video: a packet that may be left out early.  Returns False when it was left out; once video was,
        all video is until `drained`, because the rest of a frame is of no use without its beginning.
        """
        if self.transport is None or self.transport.is_closing():
            return False
        backlog = self.transport.get_write_buffer_size()
        if (video and (self.starved or backlog > VIDEO_BACKLOG)) or backlog > HARD_BACKLOG:
            self.starved = self.starved or video
            self.left_out += 1
            return False
        self.transport.write(len(data).to_bytes(2, "big") + data)
        return True

    def drained(self) -> bool:
        """Return whether a starved peer has caught up; video may then begin again, with a key frame."""
        if self.starved and self.backlog < DRAINED:
            self.starved = False
            return True
        return False

    def accepted(self) -> None:
        """Keep the connection: it has shown a valid check."""
        self.checked = True
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._server.accepted(self)

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()

    def close(self) -> None:
        """Close when what waits is sent, but not later than half a second from now."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()
            asyncio.get_running_loop().call_later(0.5, self.transport.abort)

    def _too_late(self) -> None:
        self._server.refused += 1
        self.abort()


class TcpServer:
    """The listening sockets and the connections nobody vouches for yet."""

    def __init__(self, take: Callable[[bytes, Stream], None]) -> None:
        """Prepare.  take(frame, stream): handles one frame, and never raises."""
        self.take = take
        self.refused = 0
        self._per_address: Counter[str] = Counter()
        self._waiting: OrderedDict[Stream, None] = OrderedDict()
        self._servers: list[asyncio.Server] = []
        self._waiting_max = min(WAITING_MAX, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // FILES_SHARE)
        self._streams: set[Stream] = set()

    async def listen(self, sockets: list[socket.socket]) -> None:
        """Accept on bound sockets in the running loop."""
        loop = asyncio.get_running_loop()
        self._servers = [await loop.create_server(lambda: Stream(self), sock=sock, backlog=512) for sock in sockets]

    def joined(self, stream: Stream) -> None:
        """Count a new connection; too many that have shown no check cost the oldest its place."""
        self._streams.add(stream)
        self._waiting[stream] = None
        self._per_address[stream.address[0]] += 1
        if self._per_address[stream.address[0]] > WAITING_PER_ADDRESS:
            self._turn_out(next(s for s in self._waiting if s.address[0] == stream.address[0]))
        elif len(self._waiting) > self._waiting_max:
            self._turn_out(next(iter(self._waiting)))

    def _turn_out(self, stream: Stream) -> None:
        self.refused += 1
        self.accepted(stream)
        stream.abort()

    def accepted(self, stream: Stream) -> None:
        """Take a connection off the list of strangers."""
        if stream in self._waiting:
            del self._waiting[stream]
            self._per_address[stream.address[0]] -= 1
            if not self._per_address[stream.address[0]]:
                del self._per_address[stream.address[0]]

    def left(self, stream: Stream) -> None:
        """Forget a connection."""
        self.accepted(stream)
        self._streams.discard(stream)

    @property
    def connections(self) -> int:
        """Return how many connections there are."""
        return len(self._streams)

    def close(self) -> None:
        """Stop listening and close every connection."""
        for server in self._servers:
            server.close()
        for stream in list(self._streams):
            stream.abort()
