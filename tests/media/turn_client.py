"""A TURN client over TLS of some forty lines, and the relay it speaks to: Debian's turnserver with our configuration."""

import contextlib
import hashlib
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from aioice import stun

from app.turn import Relay, render
from signaling.turn import password

SECRET = "a-secret-of-these-tests"
REALM = "turn.test"
UDP = 17 << 24  # REQUESTED-TRANSPORT, RFC 8656 section 18.6
FAMILY = {4: 0x01000000, 6: 0x02000000}  # REQUESTED-ADDRESS-FAMILY, RFC 8656 section 18.9
MISSING = (0x0017, "REQUESTED-ADDRESS-FAMILY", stun.pack_unsigned, stun.unpack_unsigned)  # the library lacks it


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def credentials(participant: str, ttl_s: int = 600) -> tuple[str, str]:
    username = f"{int(time.time()) + ttl_s}:{participant}"
    return username, password(SECRET, username)


class TurnServer:
    """One relay process on loopback with a certificate of its own making."""

    def __init__(self, folder: Path, peers: tuple[str, ...], user_quota: int = 24, more: str = "") -> None:
        self.port, self.log = free_port(), folder / "turn.log"
        cert, key, conf = folder / "cert.pem", folder / "key.pem", folder / "turnserver.conf"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key),
             "-out", str(cert)], check=True, capture_output=True,
        )  # fmt: skip
        relay = Relay(REALM, ("127.0.0.1", "::1"), peers, str(cert), str(key), self.port, user_quota,
                      log=f"log-file={self.log}")  # fmt: skip
        conf.write_text(render(relay, SECRET) + more)
        self.process = subprocess.Popen(
            ["turnserver", "-c", str(conf), "--pidfile", str(folder / "pid"), "--userdb", str(folder / "turndb"),
             "--simple-log"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        self.stop()
        raise AssertionError("the relay did not begin to listen")

    def listening(self) -> set[int]:
        """The TCP ports this process listens at."""
        inodes = {Path(f"/proc/{self.process.pid}/fd/{fd}").readlink().name
                  for fd in os.listdir(f"/proc/{self.process.pid}/fd")}  # fmt: skip
        rows = [
            line.split()
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        ]
        return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)


class TurnClient:
    """One TLS connection to a relay; requests return the error code, 0 for success."""

    def __init__(self, server: TurnServer, who: tuple[str, str]) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the relay made its certificate itself
        self.raw = socket.create_connection(("127.0.0.1", server.port), 5)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each second request waits 40 ms
        self.tls = context.wrap_socket(self.raw)
        self.tls.settimeout(5)
        self.username, self.password = who
        self.nonce, self.realm = b"", ""
        self.relayed: tuple[str, int] | None = None

    def ask(self, method: stun.Method, **attributes: object) -> tuple[int, stun.Message]:
        """Ask, and once more with the nonce that the relay wants.  Returns (error code or 0, the answer)."""
        answer = self._once(method, attributes)
        if answer.error_code in (401, 438) and "NONCE" in answer.attributes and not self._stale(answer):
            answer = self._once(method, attributes)
        return answer.error_code or 0, answer

    def _stale(self, answer: stun.Message) -> bool:
        """Take the relay's nonce.  Returns whether we had it already: then the credentials are wrong."""
        known, self.nonce = self.nonce, answer.attributes["NONCE"]
        self.realm = answer.attributes["REALM"]
        return bool(known) and answer.error_code == 401

    def _once(self, method: stun.Method, attributes: dict[str, object]) -> stun.Message:
        request = stun.Message(method, stun.Class.REQUEST)
        request.attributes.update({name.replace("_", "-"): value for name, value in attributes.items()})
        if self.nonce:
            request.attributes.update(USERNAME=self.username, REALM=self.realm, NONCE=self.nonce)
            key = hashlib.md5(f"{self.username}:{self.realm}:{self.password}".encode()).digest()
            request.add_message_integrity(key)
        self.tls.sendall(bytes(request))
        while True:
            answer = stun.parse_message(self._read())
            if answer.transaction_id == request.transaction_id:
                return answer

    def _read(self) -> bytes:
        head = self._exactly(20)
        return head + self._exactly(int.from_bytes(head[2:4], "big"))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self.tls.recv(size - len(data))
            assert chunk, "the relay closed the connection"
            data += chunk
        return data

    def allocate(self, family: int = 4) -> int:
        code, answer = self.ask(stun.Method.ALLOCATE, REQUESTED_TRANSPORT=UDP, REQUESTED_ADDRESS_FAMILY=FAMILY[family])
        self.relayed = answer.attributes.get("XOR-RELAYED-ADDRESS")
        return code

    def permit(self, address: str) -> int:
        return self.ask(stun.Method.CREATE_PERMISSION, XOR_PEER_ADDRESS=(address, 9))[0]

    def bind(self, address: str, channel: int) -> int:
        return self.ask(stun.Method.CHANNEL_BIND, CHANNEL_NUMBER=channel, XOR_PEER_ADDRESS=(address, 9))[0]

    def refresh(self, lifetime_s: int = 600) -> int:
        return self.ask(stun.Method.REFRESH, LIFETIME=lifetime_s)[0]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.tls.close()


@contextlib.contextmanager
def client(server: TurnServer, who: tuple[str, str]) -> Iterator[TurnClient]:
    stun.ATTRIBUTES_BY_NAME.setdefault(MISSING[1], MISSING)
    stun.ATTRIBUTES_BY_TYPE.setdefault(MISSING[0], MISSING)
    one = TurnClient(server, who)
    try:
        yield one
    finally:
        one.close()
