"""Send one rewritten packet to many viewers: encrypt into ready buffers, one system call.

The hot path of the node: 4.4-5.9 us a packet and viewer against 12-18 us through the library's
own chain (docs/media.md). `srtp_protect` is called in place on preallocated memory through
pylibsrtp's binding, whose private names are used in this file alone; if they are gone, or fail
the self-test, `Session.protect` does the same more slowly.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable
from typing import Any, Protocol, SupportsIndex

import cffi

from media import fanout_c

try:
    from pylibsrtp._binding import ffi as srtp_ffi
    from pylibsrtp._binding import lib as srtp_lib
except ImportError:  # another version: see `_self_test`
    srtp_ffi = srtp_lib = None

STRIDE = 1600  # bytes per buffer: largest packet (1500) and the authentication tag
BATCH = 256  # datagrams per sendmmsg
OVERHEAD = 16  # GCM tag; CM/SHA1 needs 10
SEQ_AND_TIME = struct.Struct("!HL")

_c = cffi.FFI()
_c.cdef("""
struct iovec { void *iov_base; size_t iov_len; };
struct msghdr { void *msg_name; unsigned int msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
                void *msg_control; size_t msg_controllen; int msg_flags; };
struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
int sendmmsg(int fd, struct mmsghdr *v, unsigned int n, int flags);
""")
_libc = _c.dlopen(None)


class Target:
    """A UDP path to a peer: our socket, and the peer's address in the form the kernel takes."""

    stream = None  # a TCP path has one: media.tcp.Stream

    def __init__(self, address: tuple[str, int], sock: socket.socket) -> None:
        """Pack an address: (numeric IPv4 or IPv6, port), to be sent to from the UDP socket `sock`."""
        self.address = address
        self.fd = sock.fileno()
        self._sock = sock
        if ":" in address[0]:
            host = socket.inet_pton(socket.AF_INET6, address[0].partition("%")[0])
            packed = struct.pack("=H", socket.AF_INET6) + struct.pack("!HL16sL", address[1], 0, host, 0)
        else:
            host = socket.inet_pton(socket.AF_INET, address[0])
            packed = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", address[1], host)
        self.buffer = _c.new("unsigned char[]", packed)
        self.size = len(packed)

    def send(self, data: bytes, *, video: bool = False) -> bool:
        """Send one datagram; a full buffer or an unreachable address loses it, as networks do."""
        try:
            self._sock.sendto(data, self.address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Do nothing: the socket belongs to all."""


class Viewer(Protocol):
    """Who gets packets of a slot."""

    outbound: Any  # pylibsrtp Session, None: not yet
    target: Any  # Target or media.tcp.Stream, None: not yet
    shift: tuple[int, int] | None  # (sequence, timestamp) distance of this viewer's line from the slot's


class Audience(list[Any]):
    """The viewers of one line.  Remembers their table for the C loop until one comes, goes or moves.

    Whoever changes a viewer's `target`, `outbound` or `shift` takes it out and puts it in again.
    """

    compiled: fanout_c.Compiled | None = None

    def append(self, viewer: Any) -> None:
        """Add a viewer at the end."""
        self.compiled = None
        super().append(viewer)

    def insert(self, index: SupportsIndex, viewer: Any) -> None:
        """Add a viewer (`bisect.insort` comes here)."""
        self.compiled = None
        super().insert(index, viewer)

    def remove(self, viewer: Any) -> None:
        """Take a viewer out.  Raises ValueError when it is not there."""
        self.compiled = None
        super().remove(viewer)


class FanOut:
    """Buffers for all sockets; belongs to the event loop's thread."""

    def __init__(self) -> None:
        """Allocate once."""
        self._fast = srtp_lib is not None and _self_test()
        self._loop = fanout_c.load(srtp_ffi, srtp_lib, _pair) if self._fast else None
        self._memory = _c.new("unsigned char[]", BATCH * STRIDE)
        view = memoryview(_c.buffer(self._memory)).cast("B")
        self._windows = [view[i * STRIDE : (i + 1) * STRIDE] for i in range(BATCH)]
        base = int(_c.cast("uintptr_t", self._memory))
        self._pointers = [srtp_ffi.cast("void *", base + i * STRIDE) for i in range(BATCH)] if self._fast else []
        self._iovecs = _c.new("struct iovec[]", BATCH)
        self._messages = _c.new("struct mmsghdr[]", BATCH)
        for i in range(BATCH):
            self._iovecs[i].iov_base = self._memory + i * STRIDE
            header = self._messages[i].msg_hdr
            header.msg_iov, header.msg_iovlen = self._iovecs + i, 1
        self._headers = [self._messages[i].msg_hdr for i in range(BATCH)]
        self._length: Any = srtp_ffi.new("int *") if self._fast else None
        self.sent = 0
        self.sent_bytes = 0
        self.dropped = 0  # the kernel's buffer was full, or a TCP peer's: the viewers ask again by NACK

    def session(self, master: bytes | None, session: Any) -> Any:
        """Return what encrypts a leg's packets fastest.

        master: AES-128-GCM key and salt of that leg (28 bytes), None for other ciphers; session: pylibsrtp's.
        """
        if self._loop is None or master is None:
            return session
        return self._loop.session(master, session)

    def send(self, packet: bytes, viewers: Iterable[Any], *, video: bool = True) -> None:
        """Encrypt `packet` (RTP, at most 1500 bytes) for each viewer and send it.

        viewers: `Viewer`s, best in runs of the same socket: each change of socket costs a system call;
        video: whether a TCP peer that does not keep up may be left out early.
        """
        size, count, fd = len(packet), 0, -1
        if size + OVERHEAD > STRIDE:
            return
        if self._loop is not None and isinstance(viewers, Audience):
            line = viewers.compiled
            if line is None:
                line = viewers.compiled = self._loop.compiled(viewers)
            sent, encrypted, dropped = self._loop.send(packet, line)
            self.sent += sent
            self.sent_bytes += encrypted
            self.dropped += dropped
            viewers = line.streams
        for viewer in viewers:
            target, session = viewer.target, viewer.outbound
            if target is None or session is None:
                continue
            if count == BATCH or (count and target.fd != fd):
                self._flush(fd, count)
                count = 0
            fd = target.fd
            length = self._encrypt(packet, size, count, session, viewer.shift)
            if not length:
                self.dropped += 1
            elif target.stream is not None:
                done = target.stream.send(bytes(self._windows[count][:length]), video=video)
                self.sent += done
                self.sent_bytes += length * done
                self.dropped += not done
            else:
                self._iovecs[count].iov_len = length
                header = self._headers[count]
                header.msg_name, header.msg_namelen = target.buffer, target.size
                self.sent_bytes += length
                count += 1
        if count:
            self._flush(fd, count)

    def _encrypt(self, packet: bytes, size: int, i: int, session: Any, shift: tuple[int, int] | None) -> int:
        """Put the packet for one viewer into window i.  Returns its length, 0 when it cannot be encrypted."""
        window = self._windows[i]
        window[:size] = packet
        if shift is not None:
            seq, timestamp = SEQ_AND_TIME.unpack_from(packet, 2)
            SEQ_AND_TIME.pack_into(window, 2, (seq + shift[0]) & 0xFFFF, (timestamp + shift[1]) & 0xFFFFFFFF)
        if self._fast and not isinstance(session, fanout_c.Gcm):
            self._length[0] = size
            # The return code matters: a call that fails silently looks twice as fast.
            if srtp_lib.srtp_protect(session._srtp[0], self._pointers[i], self._length):
                return 0
            return int(self._length[0])
        protected = session.protect(bytes(window[:size]))
        window[: len(protected)] = protected
        return len(protected)

    def _flush(self, fd: int, count: int) -> None:
        done = 0
        while done < count:
            n = _libc.sendmmsg(fd, self._messages + done, count - done, 0)
            if n > 0:
                done += n
                self.sent += n
                continue
            code = _c.errno
            if code == errno.EINTR:
                continue
            if code in (errno.EAGAIN, errno.ENOBUFS):
                self.dropped += count - done
                return
            done += 1  # this destination is unreachable: go on with the next
            self.dropped += 1


def _pair() -> tuple[bytes, Any, Any]:
    """Return a key with its salt, an outbound session and the inbound one that reads what it writes."""
    from pylibsrtp import Policy, Session

    key = os.urandom(28)
    directions = (Policy.SSRC_ANY_OUTBOUND, Policy.SSRC_ANY_INBOUND)
    profile = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
    outbound, inbound = (Session(Policy(key=key, ssrc_type=d, srtp_profile=profile)) for d in directions)
    return key, outbound, inbound


def _self_test() -> bool:
    """Return whether the fast path encrypts what the slow path can read."""
    try:
        _, outbound, inbound = _pair()
        packet = struct.pack("!BBHLL", 0x80, 96, 1, 2, 3) + b"picture"
        buffer, length = srtp_ffi.new("unsigned char[]", STRIDE), srtp_ffi.new("int *", len(packet))
        srtp_ffi.buffer(buffer)[0 : len(packet)] = packet
        if srtp_lib.srtp_protect(outbound._srtp[0], buffer, length):
            return False
        return bool(inbound.unprotect(bytes(srtp_ffi.buffer(buffer, length[0]))) == packet)
    except (AttributeError, TypeError):
        return False
