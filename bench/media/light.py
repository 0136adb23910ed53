"""Participants without a browser: ICE checks, DTLS and SRTP over a plain UDP socket, for the node and for Janus."""

import asyncio
import ctypes
import re
import socket
import struct
from collections.abc import Callable
from typing import Any

from aioice import stun

from media.dtls import Dtls, Identity

UFRAG, PASSWORD = "light", "0123456789012345678901"
PROFILE = b"SRTP_AEAD_AES_128_GCM"  # the one and only, so that every engine has the same work to do
UP_S = 15.0
CHECK_AGAIN_S = 0.05  # RFC 8445 section 14.2: at least 50 ms between checks
READ_BUFFER = 1 << 20  # bytes
SO_ATTACH_FILTER = 26  # Linux, asm-generic/socket.h
# Classic BPF over [UDP header, payload]: keep a datagram whose first byte is below 128, drop RTP and RTCP (RFC 7983).
NO_MEDIA = ((0x30, 0, 0, 8), (0x35, 0, 1, 128), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFF))
SO_TIMESTAMPNS = 35  # Linux: the moment of arrival as the kernel saw it
H264 = "a=rtpmap:96 H264/90000\r\na=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
FEEDBACK = "a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 goog-remb\r\n"
OPUS = "a=rtpmap:111 opus/48000/2\r\n"

_binding = struct.Struct("!HH")


def drop_media(sock: socket.socket) -> None:
    """Let the kernel drop the media that arrives at `sock`; STUN and DTLS still come in."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in NO_MEDIA)
    memory = ctypes.create_string_buffer(code)
    program = struct.pack("@HP", len(NO_MEDIA), ctypes.addressof(memory))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def identity() -> Identity:
    """Return a certificate that all light peers of a run share, limited to PROFILE."""
    made = Identity()
    made.context.set_tlsext_use_srtp(PROFILE)
    return made


class Peer:
    """One leg."""

    def __init__(self, own: Identity, address: str = "127.0.0.1") -> None:
        """Bind a socket.  own: from `identity`; address: IPv4 address to bind to."""
        self.identity = own
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ_BUFFER)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.up = asyncio.Event()
        self.checked = asyncio.Event()
        self.lost: str | None = None
        self.dtls: Dtls | None = None
        self.on_rtp: Callable[[bytes, float], None] | None = None  # (decrypted packet, arrival, seconds since 1970)
        self.on_rtcp: Callable[[bytes], None] | None = None
        self.unreadable = 0  # packets that failed authentication
        self._remote = (address, 9)
        self._check = b""
        asyncio.get_running_loop().add_reader(self.socket, self._read)

    # ---- SDP ----

    def offer(self) -> str:
        """Return the offer of a publishing leg: microphone (SSRC 11) and camera (SSRC 21)."""
        audio = f"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{self._section('0', 'sendonly', 'actpass')}{OPUS}"
        video = f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n{self._section('1', 'sendonly', 'actpass')}{H264}{FEEDBACK}"
        return self._head("0 1") + audio + "a=ssrc:11 cname:x\r\n" + video + "a=ssrc:21 cname:x\r\n"

    def answer(self, offer: str) -> str:
        """Return the answer of a receiving leg, every m-line of `offer` taken."""
        sections = re.split(r"(?m)^(?=m=)", offer)[1:]
        mids = [_find(r"a=mid:(\S+)", section) for section in sections]
        out = self._head(" ".join(mids))
        for section, mid in zip(sections, mids, strict=True):
            audio = section.startswith("m=audio")
            out += f"m={'audio' if audio else 'video'} 9 UDP/TLS/RTP/SAVPF {111 if audio else 96}\r\n"
            out += self._section(mid, "recvonly", "active") + (OPUS if audio else H264 + FEEDBACK)
        return out

    def _head(self, mids: str) -> str:
        return f"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mids}\r\n"

    def _section(self, mid: str, direction: str, setup: str) -> str:
        print_ = ":".join(f"{byte:02X}" for byte in self.identity.fingerprint)
        return (
            f"c=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=ice-ufrag:{UFRAG}\r\n"
            f"a=ice-pwd:{PASSWORD}\r\na=setup:{setup}\r\na=fingerprint:sha-256 {print_}\r\n"
        )

    # ---- connection ----

    async def connect(self, sdp: str) -> "Peer":
        """Connect to the engine that wrote `sdp`.  Raises TimeoutError when it does not come up."""
        candidates = re.findall(r"a=candidate:\S+ 1 udp \d+ ([0-9.]+) (\d+) typ host", sdp)
        self._remote = (candidates[0][0], int(candidates[0][1]))
        self._check = self._request(_find(r"a=ice-ufrag:(\S+)", sdp), _find(r"a=ice-pwd:(\S+)", sdp))
        theirs = bytes.fromhex(_find(r"a=fingerprint:sha-256 (\S+)", sdp).replace(":", ""))
        # "active" in an answer: the engine opens the handshake; in all other cases we do.
        server = "a=setup:active" in sdp
        self.expect(theirs, server=server)
        await asyncio.wait_for(self._handshake(server), UP_S)
        return self

    async def accept(self, end: dict[str, Any]) -> None:
        """Let an ICE agent connect to us.  end: its ufrag, pwd, fingerprint, address and port."""
        self._remote = (end["address"], end["port"])
        self._check = self._request(end["ufrag"], end["pwd"], role="ICE-CONTROLLED")
        self.expect(bytes.fromhex(end["fingerprint"].replace(":", "")), server=False)
        await asyncio.wait_for(self.checked.wait(), UP_S)
        assert self.dtls is not None
        self.dtls.start()
        await asyncio.wait_for(self.up.wait(), UP_S)

    def expect(self, fingerprint: bytes, *, server: bool) -> None:
        """Take the other side's certificate fingerprint (SHA-256); server: our DTLS role."""
        self.dtls = Dtls(self.identity, fingerprint, self.send, self.up.set, self._lost, server=server)

    async def _handshake(self, server: bool) -> None:
        while not self.checked.is_set():
            self.consent()
            try:
                await asyncio.wait_for(self.checked.wait(), CHECK_AGAIN_S)
            except TimeoutError:
                continue
        assert self.dtls is not None
        if not server:
            self.dtls.start()
        await self.up.wait()

    def _request(self, ufrag: str, password: str, role: str = "ICE-CONTROLLING") -> bytes:
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes["USERNAME"] = f"{ufrag}:{UFRAG}"
        message.attributes["PRIORITY"] = 1
        if role == "ICE-CONTROLLING":
            message.attributes["USE-CANDIDATE"] = None
        message.attributes[role] = 5
        message.add_message_integrity(password.encode())
        return bytes(message)

    def consent(self) -> None:
        """Send the check again: legs without one expire after 30 s."""
        self.send(self._check)

    def _lost(self, reason: str) -> None:
        self.lost = reason

    def aim(self, address: tuple[str, int]) -> None:
        """Send to `address` from now on."""
        self._remote = address

    def stop_reading(self) -> None:
        """Leave the media that arrives to the kernel, which drops it."""
        drop_media(self.socket)

    def close(self) -> None:
        """Say goodbye and close the socket."""
        asyncio.get_running_loop().remove_reader(self.socket)
        if self.dtls is not None:
            self.dtls.close()
        self.socket.close()

    # ---- datagrams ----

    def send(self, data: bytes) -> None:
        """Send one datagram to the engine; what the kernel refuses is lost, as on a network."""
        try:
            self.socket.sendto(data, self._remote)
        except BlockingIOError:
            return

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send one RTP packet."""
        assert self.dtls is not None
        self.send(self.dtls.outbound.protect(packet))

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send one compound RTCP packet."""
        assert self.dtls is not None
        self.send(self.dtls.outbound.protect_rtcp(packet))

    def _read(self) -> None:
        while True:
            try:
                data, extra, _, address = self.socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
            if data[0] < 4:
                self._stun(data, address)
            elif 20 <= data[0] <= 63:
                if self.dtls is not None:
                    self.dtls.datagram(data)
            elif self.dtls is not None and self.dtls.inbound is not None:
                self._media(data, extra)

    def _stun(self, data: bytes, address: tuple[str, int]) -> None:
        kind, _ = _binding.unpack_from(data)
        if kind == 0x0101:
            self.checked.set()
        elif kind == 0x0001:
            reply = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, stun.parse_message(data).transaction_id)
            reply.attributes["XOR-MAPPED-ADDRESS"] = address
            reply.add_message_integrity(PASSWORD.encode())
            self._remote = address
            self.send(bytes(reply))
            self.checked.set()

    def _media(self, data: bytes, extra: list[tuple[int, int, bytes]]) -> None:
        assert self.dtls is not None
        rtcp = 192 <= data[1] <= 223
        handle = self.on_rtcp if rtcp else self.on_rtp
        if handle is None:
            return
        try:
            plain = self.dtls.inbound.unprotect_rtcp(data) if rtcp else self.dtls.inbound.unprotect(data)
        except Exception:  # pylibsrtp has one error class for all reasons
            self.unreadable += 1
            return
        if rtcp and self.on_rtcp:
            self.on_rtcp(plain)
        elif self.on_rtp:
            seconds, nanoseconds = struct.unpack("qq", extra[0][2]) if extra else (0, 0)
            self.on_rtp(plain, seconds + nanoseconds / 1e9)


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"no {pattern} in the engine's SDP")
    return found[1]
