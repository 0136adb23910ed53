"""The node's sockets: one port number, on UDP and TCP, on every local address that was asked for."""

import errno
import logging
import socket

log = logging.getLogger(__name__)

BUFFER = 1 << 22  # bytes; the kernel's default holds about 90 packets, less than one key frame to 8 viewers
TRIES = 50  # free numbers tried until one is free on every address and protocol
NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Sockets:
    """Bound, non-blocking UDP sockets and listening TCP sockets with the same port number."""

    def __init__(self, hosts: tuple[str, ...], port: int) -> None:
        """Bind all.

        hosts: numeric local addresses; port: 0 takes a number that is free on all of them.
        Raises OSError when the port is taken or none of the addresses is this machine's.
        """
        self.udp: list[socket.socket] = []
        self.tcp: list[socket.socket] = []
        for left in reversed(range(TRIES if port == 0 else 1)):
            try:
                self.number = self._bind(hosts, port)
                return
            except OSError as error:
                self.close()
                if error.errno != errno.EADDRINUSE or not left:
                    raise

    def _bind(self, hosts: tuple[str, ...], port: int) -> int:
        failed: OSError | None = None
        for host in hosts:
            udp = _socket(host, socket.SOCK_DGRAM)
            try:
                udp.bind((host, port))
            except OSError as error:
                udp.close()
                if error.errno not in NOT_HERE:
                    raise
                log.info("no media on %s: %s", host, error.strerror)
                failed = error
                continue
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # only now: for lanes, not for another node
            self.udp.append(udp)
            port = udp.getsockname()[1]
            tcp = _socket(host, socket.SOCK_STREAM)
            self.tcp.append(tcp)
            tcp.bind((host, port))
            tcp.listen(512)
        if not self.udp:
            raise failed or OSError(errno.EADDRNOTAVAIL, "no address to listen on")
        return port

    def close(self) -> None:
        """Close all."""
        for sock in [*self.udp, *self.tcp]:
            sock.close()
        self.udp, self.tcp = [], []


def _socket(host: str, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.setblocking(False)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if kind == socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    else:
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)
    return sock
