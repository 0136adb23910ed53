"""A participant without a browser: full DTLS and SRTP over a plain UDP socket, ICE checks as a browser sends them."""

import asyncio
import re
import socket
import struct
from typing import Any

from aioice import stun

from media.dtls import Dtls, Identity
from media.takes import black_key_frame
from tests.media.conftest import ROOM, NodeProcess

JOIN_S = 20
CHECK_S = 0.5  # Source: RFC 8445 section 14.3, the least retransmission time-out


def _aggregate(nals: tuple[bytes, ...]) -> bytes:
    """One STAP-A of whole NAL units.  Source: RFC 6184 section 5.7.1."""
    return b"\x78" + b"".join(struct.pack("!H", len(nal)) + nal for nal in nals)


H264_KEY = _aggregate(tuple(nal for nal in black_key_frame().nals if nal[0] & 31 in (5, 7, 8)))


class LightPeer:
    """One leg: publishes what it is told, or keeps what it receives."""

    def __init__(self, node: NodeProcess, peer: str, host: str = "127.0.0.1", *, tcp: bool = False) -> None:
        self.node, self.peer = node, peer
        self.identity = Identity()
        self.remote = (host, node.media_port)
        self.tcp = tcp
        self.rest = b""
        self.socket = self._open()
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        self.up = asyncio.Event()
        self.down: str | None = None
        self.dtls: Dtls | None = None
        asyncio.get_running_loop().add_reader(self.socket, self._read)

    def _open(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.remote[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM if self.tcp else socket.SOCK_DGRAM)
        if self.tcp:
            sock.connect(self.remote)
        else:
            sock.bind((self.remote[0], 0))
        sock.setblocking(False)
        return sock

    def move(self) -> None:
        """Go on from another address, as after a change of network."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.socket)
        self.socket.close()
        self.socket = self._open()
        loop.add_reader(self.socket, self._read)

    @property
    def fingerprint(self) -> str:
        return ":".join(f"{b:02X}" for b in self.identity.fingerprint)

    def offer(self) -> str:
        ice = "a=ice-ufrag:light\r\na=ice-pwd:0123456789012345678901\r\na=setup:actpass\r\n"
        print_ = f"a=fingerprint:sha-256 {self.fingerprint}\r\n"
        lines = f"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n{print_}"
        lines += (
            f"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n{ice}a=rtpmap:111 opus/48000/2\r\na=ssrc:11 cname:x\r\n"
        )
        lines += f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n{ice}a=rtpmap:96 H264/90000\r\n"
        return lines + "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f\r\na=ssrc:21 cname:x\r\n"

    @property
    def is_up(self) -> bool:
        """Whether media can flow."""
        return self.up.is_set() and self.down is None

    async def publish(self) -> "LightPeer":
        answer = await asyncio.to_thread(
            self.node.ok, "POST", f"/rooms/{ROOM}/peers/{self.peer}/up", {"sdp": self.offer()}
        )
        return await self._connect(answer["sdp"])

    async def watch(self, slots: list[str]) -> "LightPeer":
        path = f"/rooms/{ROOM}/peers/{self.peer}/down"
        offer = await asyncio.to_thread(self.node.ok, "POST", path, {"slots": slots})
        answer = self.offer().replace("actpass", "active")
        await asyncio.to_thread(self.node.ok, "PUT", path, {"leg": offer["leg"], "sdp": answer})
        return await self._connect(offer["sdp"])

    async def play(self, offer: str) -> str:
        """Offer to receive the program.  Returns the node's answer."""
        path = f"/rooms/{ROOM}/peers/{self.peer}/play"
        answer = await asyncio.to_thread(self.node.ok, "POST", path, {"sdp": offer})
        await self._connect(answer["sdp"])
        return str(answer["sdp"])

    async def _connect(self, sdp: str) -> "LightPeer":
        self.ufrag = re.search(r"a=ice-ufrag:(\S+)", sdp)[1]  # type: ignore[index]
        self.pwd = re.search(r"a=ice-pwd:(\S+)", sdp)[1]  # type: ignore[index]
        theirs = bytes.fromhex(re.search(r"a=fingerprint:sha-256 (\S+)", sdp)[1].replace(":", ""))  # type: ignore[index]
        self.dtls = Dtls(self.identity, theirs, self.send, self.up.set, self._lost, server=False)
        self.send(self.check())
        await asyncio.sleep(0.02)
        self.dtls.start()
        async with asyncio.timeout(JOIN_S):
            while not self.up.is_set():  # a check that was lost is sent again, as by a browser
                await asyncio.wait([up := asyncio.ensure_future(self.up.wait())], timeout=CHECK_S)
                up.cancel()
                if not self.tcp and not self.up.is_set():
                    self.send(self.check())
        return self

    def _lost(self, reason: str) -> None:
        self.down = reason

    def check(self, ufrag: str | None = None, pwd: str | None = None, **attributes: Any) -> bytes:
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes.update(
            {
                "USERNAME": f"{ufrag or self.ufrag}:light",
                "PRIORITY": 1,
                "USE-CANDIDATE": None,
                **(attributes or {"ICE-CONTROLLING": 5}),
            }
        )
        message.add_message_integrity((pwd or self.pwd).encode())
        return bytes(message)

    def send(self, data: bytes) -> None:
        if self.tcp:
            self.socket.sendall(struct.pack("!H", len(data)) + data)
        else:
            self.socket.sendto(data, self.remote)

    def send_media(self, ssrc: int, seq: int, timestamp: int, payload: bytes, pt: int = 96) -> bytes:
        assert self.dtls is not None
        packet = struct.pack("!BBHLL", 0x80, 0x80 | pt, seq & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload
        protected: bytes = self.dtls.outbound.protect(packet)
        self.send(protected)
        return protected

    async def stream(self, seconds: float, fps: int = 25, start: int = 0) -> int:
        """Send key frames only, so that every slot can switch at once; returns the next frame's number."""
        n = start
        for n in range(start, start + int(seconds * fps)):
            self.send_media(21, n, n * 3600, H264_KEY)
            self.send_media(11, n, n * 1920, b"opus", pt=111)
            await asyncio.sleep(1 / fps)
        return n + 1

    def _read(self) -> None:
        while True:
            try:
                data = self.socket.recv(65_536)
            except (BlockingIOError, ConnectionError):
                return
            if not self.tcp:
                self._datagram(data)
                continue
            if not data:  # the node closed the connection
                asyncio.get_running_loop().remove_reader(self.socket)
                self.down = self.down or "closed"
                return
            self.rest += data
            while len(self.rest) >= 2 and len(self.rest) >= 2 + (size := int.from_bytes(self.rest[:2], "big")):
                self._datagram(self.rest[2 : 2 + size])
                self.rest = self.rest[2 + size :]

    def _datagram(self, data: bytes) -> None:
        if 20 <= data[0] <= 63 and self.dtls is not None:
            self.dtls.datagram(data)
        elif data[0] >= 128 and self.dtls is not None and self.dtls.inbound is not None:
            if 192 <= data[1] <= 223:
                self.rtcp.append(self.dtls.inbound.unprotect_rtcp(data))
            else:
                self.rtp.append(self.dtls.inbound.unprotect(data))

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        if self.dtls is not None:
            self.dtls.close()
        self.socket.close()
