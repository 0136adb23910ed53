"""Queues of their own in the kernel for those who publish.

All datagrams of the port wait in one queue until they are read; 470,000 hellos a second from strangers fill it, and of
a publisher's packets 4-8 % were lost. A second socket, bound to the same number and connected to the publisher's
address, gets just that address's datagrams (udp(7): the best match), so that nobody else's can push them out.
"""

import logging
import socket
from collections.abc import Callable

from media.stun import Address

log = logging.getLogger(__name__)

LANES = 512  # of one process; who comes after that shares the port's own queue
BUFFER = 1 << 20  # bytes of a lane's queue: more than a second of three layers


class Lanes:
    """Opens and closes lanes; who they are for is the port's business."""

    def __init__(
        self, start: Callable[[socket.socket, socket.socket], None], stop: Callable[[socket.socket], None]
    ) -> None:
        """Start with none.  start(lane, shared), stop(lane): begin and end reading a lane."""
        self._start, self._stop = start, stop
        self._lanes: dict[tuple[int, Address], socket.socket] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    def open(self, shared: socket.socket, address: Address) -> None:
        """Give an address a queue of its own; where that cannot be, it goes on in the shared one.

        shared: the port's socket that it sends to, which stays the one that is sent from.
        """
        key = (shared.fileno(), address)
        if key in self._lanes or len(self._lanes) >= LANES:
            return
        lane = socket.socket(shared.family, socket.SOCK_DGRAM)
        try:
            lane.setblocking(False)
            lane.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            lane.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            if shared.family == socket.AF_INET6:
                lane.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            lane.bind(shared.getsockname())
            lane.connect(address)
        except OSError as error:
            lane.close()
            log.info("no lane: %s", error.strerror)
            return
        self._lanes[key] = lane
        self._start(lane, shared)

    def close(self, key: tuple[int, Address]) -> None:
        """Let an address go back to the shared queue."""
        lane = self._lanes.pop(key, None)
        if lane is not None:
            self._stop(lane)
            lane.close()

    def close_all(self) -> None:
        """Close every lane."""
        for key in list(self._lanes):
            self.close(key)
