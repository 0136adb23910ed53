"""The fan-out's loop and AES-GCM in C, optional: built at set-up where gcc is, else Python does the same.

`python -m media.fanout_c` builds it; it is checked at start. The file's name carries a hash of the
source, so that a build of another version is never loaded. `MEDIA_FANOUT=python` in the environment leaves it unused.
"""

import hashlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cffi

SOURCE = Path(__file__).with_name("fanout.c")
FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")
MASTER = 28  # bytes of an AES-128 key and a GCM salt
TAG = 16
LARGEST = 1600 - TAG  # bytes of a packet

_c = cffi.FFI()
_c.cdef("""
struct viewer { void *protect; void *session; void *name; uint32_t name_size; int32_t fd; uint32_t timestamp_shift;
                uint16_t seq_shift; uint16_t shifted; };
struct counts { uint64_t sent, bytes, dropped; };
void fanout_send(const uint8_t *packet, int size, const struct viewer *viewers, int n, struct counts *counts);
void *gcm_new(const uint8_t *master);
void gcm_free(void *gcm);
int gcm_protect(void *gcm, void *packet, int *length);
""")


def library() -> Path:
    """Return where the library for this source is, or would be."""
    return SOURCE.with_name(f"fanout-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]}.so")


def build() -> Path:
    """Compile the library and return its path.  Raises OSError without gcc, CalledProcessError when it fails."""
    path = library()
    temporary = path.with_suffix(f".{os.getpid()}")
    subprocess.run(["gcc", *FLAGS, "-o", temporary, SOURCE, "-lcrypto"], check=True)
    temporary.replace(path)
    for other in SOURCE.parent.glob("fanout-*.so"):
        if other != path:
            other.unlink()
    return path


class Gcm:
    """The sending side of one leg's SRTP with AES-128-GCM, as pylibsrtp's Session has it, at half its cost.

    It knows how often each stream's numbers rolled over, so all packets of the leg must go through it.
    """

    def __init__(self, library: Any, master: bytes, control: Any) -> None:
        """Derive the keys.  master: MASTER bytes; control: pylibsrtp's Session with the same keys, for RTCP."""
        made = library.gcm_new(master) if len(master) == MASTER else _c.NULL
        if made == _c.NULL:
            raise ValueError("no AES-128-GCM with this key")
        self.pointer = _c.gc(made, library.gcm_free, 1024)
        self.protect_rtcp: Callable[[bytes], bytes] = control.protect_rtcp
        self._encrypt = library.gcm_protect
        self._memory = _c.new("uint8_t[]", LARGEST + TAG)
        self._window = _c.buffer(self._memory)
        self._length = _c.new("int *")

    def protect(self, packet: bytes) -> bytes:
        """Return an RTP packet encrypted.  Raises ValueError for one that is none, or larger than LARGEST."""
        size = len(packet)
        if not 12 <= size <= LARGEST:
            raise ValueError("not a packet")
        self._window[:size] = packet
        self._length[0] = size
        if self._encrypt(self.pointer, self._memory, self._length):
            raise ValueError("not a packet")
        return bytes(self._window[: self._length[0]])


class Compiled:
    """The viewers of one line as the C loop reads them; valid until the line's viewers change."""

    def __init__(self, viewers: Iterable[Any], how: Callable[[Any], tuple[Any, Any]]) -> None:
        """Write the table.  viewers: `media.fanout.Viewer`s; how(session): C function that encrypts, its session."""
        ready = [v for v in viewers if v.target is not None and v.outbound is not None]
        self.streams = [v for v in ready if v.target.stream is not None]
        datagrams = [v for v in ready if v.target.stream is None]
        self.size = len(datagrams)
        self.table = _c.new("struct viewer[]", max(1, self.size))
        self._kept = [(v.outbound, v.target) for v in datagrams]  # the table has bare pointers into them
        for row, viewer in zip(self.table, datagrams, strict=False):
            row.protect, row.session = how(viewer.outbound)
            row.name, row.name_size = viewer.target.buffer, viewer.target.size
            row.fd = viewer.target.fd
            if viewer.shift is not None:
                row.shifted = 1
                row.seq_shift, row.timestamp_shift = viewer.shift[0] & 0xFFFF, viewer.shift[1] & 0xFFFFFFFF


class Loop:
    """The loaded library."""

    def __init__(self, path: Path, srtp_ffi: Any, srtp_lib: Any) -> None:
        """Load.  srtp_ffi, srtp_lib: pylibsrtp's binding.  Raises OSError."""
        self._library: Any = _c.dlopen(str(path))
        self._send = self._library.fanout_send
        self._gcm = _c.cast("void *", _c.addressof(self._library, "gcm_protect"))
        protect = srtp_ffi.cast("uintptr_t", srtp_ffi.addressof(srtp_lib, "srtp_protect"))
        self._protect = _c.cast("void *", int(protect))
        self._srtp_ffi = srtp_ffi
        self._counts = _c.new("struct counts *")

    def compiled(self, viewers: Iterable[Any]) -> Compiled:
        """Return the table of these viewers."""
        return Compiled(viewers, self._how)

    def _how(self, session: Any) -> tuple[Any, Any]:
        if isinstance(session, Gcm):
            return self._gcm, session.pointer
        return self._protect, _c.cast("void *", int(self._srtp_ffi.cast("uintptr_t", session._srtp[0])))

    def session(self, master: bytes, control: Any) -> Gcm:
        """Return a sending session of AES-128-GCM; see `Gcm`.  Raises ValueError."""
        return Gcm(self._library, master, control)

    def send(self, packet: bytes, line: Compiled) -> tuple[int, int, int]:
        """Encrypt and send one packet to a line's datagram viewers.

        packet: RTP of at least 12 bytes, and 1584 at most.  Returns (packets sent, bytes encrypted, packets dropped).
        """
        counts = self._counts
        counts.sent = counts.bytes = counts.dropped = 0
        self._send(packet, len(packet), line.table, line.size, counts)
        return counts.sent, counts.bytes, counts.dropped


def load(srtp_ffi: Any, srtp_lib: Any, sessions: Callable[[], tuple[bytes, Any, Any]]) -> Loop | None:
    """Return the loop, or None: not built, not wanted, or it does not do what Python does.

    srtp_ffi, srtp_lib: pylibsrtp's binding; sessions(): key and salt, an outbound session and the
    inbound one that reads it.
    """
    if os.environ.get("MEDIA_FANOUT") == "python" or srtp_lib is None or not library().exists():
        return None
    try:
        loop = Loop(library(), srtp_ffi, srtp_lib)
        master, outbound, inbound = sessions()
        tests = [_self_test(loop, outbound, inbound)]
        master, outbound, inbound = sessions()
        tests.append(_self_test(loop, loop.session(master, outbound), inbound))
        return loop if all(tests) else None
    except (OSError, AttributeError, TypeError, ValueError):
        return None


class _Here:
    """A viewer at the other end of a socket pair."""

    stream = None
    size = 0
    buffer = _c.NULL

    def __init__(self, fd: int, session: Any, shift: tuple[int, int]) -> None:
        self.fd, self.outbound, self.shift, self.target = fd, session, shift, self


def _self_test(loop: Loop, outbound: Any, inbound: Any) -> bool:
    """Return whether a shifted packet sent by the loop can be read."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        theirs.setblocking(False)
        packet = struct.pack("!BBHLL", 0x80, 96, 0xFFFF, 2, 3) + b"picture"
        loop.send(packet, loop.compiled([_Here(ours.fileno(), outbound, (2, -3))]))
        wanted = struct.pack("!BBHLL", 0x80, 96, 1, 0xFFFFFFFF, 3) + b"picture"
        return bool(inbound.unprotect(theirs.recv(2048)) == wanted)


if __name__ == "__main__":
    try:
        print(f"built {build().name}")
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"the fan-out stays in Python: {error}")
