# SPDX-License-Identifier: Apache-2.0
"""Several media nodes as if they were one: each room is on one of them, and stays there until it ends.

The nodes themselves are the record of where the rooms are: `Health` names them. So a web process
that was just started finds them, and several web processes agree, because a room that is nowhere
yet is placed under a lock in the data folder and made there before the lock is let go.

A node that lives but does not answer may have any room that we have not seen elsewhere: until it
answers, or is over, no room is placed that it might have. Otherwise a class could be in two places.
"""

import contextlib
import fcntl
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from core.errors import N_, AppError, NotFound, Unavailable
from media.client import Going, Leg, MediaClient, NodeAddress, NodeGone, NodeLost, Pause, Stream
from media.control import DownOffer, Health, Hello, IceRestarted, NodeEvent, RoomPlan, RoomStatus

log = logging.getLogger(__name__)

LOCK_S = 10.0  # a decision is at most some calls with their time limits
SETTLE_S = 4.0  # after our start the nodes get this long, or one that is up first would take every room
VIEWERS_OF_A_ROOM = 8  # an open room will have viewers though it has none yet
Answer = TypeVar("Answer")


class Place(Protocol):
    """Where a node may be; `app.node.NodeSupervisor` is one."""

    def address(self) -> NodeAddress | None:
        """Return where the node answers."""
        ...

    def stated(self) -> NodeAddress | None:
        """Return where a living node says it is, whether or not it answers."""
        ...


class MediaPool:
    """The same methods as `media.client.MediaClient`, on whichever node has the room."""

    def __init__(self, places: Sequence[Place], lock: Path) -> None:
        """Use the nodes at `places`; `lock` is a file that all web processes of the installation share."""
        self._places, self._lock_path = list(places), lock
        self._mine = threading.Lock()
        self._rooms: dict[str, NodeAddress] = {}
        self._clients: dict[str, MediaClient] = {}  # by epoch: each speaks to one life of a node only
        self._over: set[str] = set()  # lives that have ended though their place does not know it yet
        self._settled = time.monotonic() + SETTLE_S

    # ---- what the bridge asks of a node ---------------------------------------------------

    def epoch_of(self, room: str) -> str:
        """Return which life of which node has the room, empty while none is known to."""
        address = self._living(room)
        return address.epoch if address else ""

    def put_plan(self, room: str, plan: RoomPlan) -> RoomStatus:
        """See MediaClient.put_plan.  A room that is nowhere is placed first."""
        if address := self._living(room):
            return self._ask(address, lambda client: client.put_plan(room, plan))
        with self._deciding():
            address = self._living(room) or self._find(room) or self._choose()
            status = self._ask(address, lambda client: client.put_plan(room, plan))
            self._rooms[room] = address
        log.info("room is on a media node", extra={"room": room, "epoch": address.epoch})
        return status

    def delete_room(self, room: str) -> None:
        """See MediaClient.delete_room.  Of a room that is nowhere, one node makes the recording whole."""
        with self._deciding():
            address = self._living(room) or self._find(room) or self._choose()
            self._ask(address, lambda client: client.delete_room(room))
            self._rooms.pop(room, None)

    def up(self, room: str, peer: str, sdp: str) -> str:
        """See MediaClient.up."""
        return self._ask(self._of(room), lambda client: client.up(room, peer, sdp))

    def down(self, room: str, peer: str, slots: Sequence[str]) -> DownOffer:
        """See MediaClient.down."""
        return self._ask(self._of(room), lambda client: client.down(room, peer, slots))

    def down_answer(self, room: str, peer: str, leg: str, sdp: str) -> None:
        """See MediaClient.down_answer."""
        self._ask(self._of(room), lambda client: client.down_answer(room, peer, leg, sdp))

    def resize(self, room: str, peer: str, heights: Mapping[str, int]) -> None:
        """See MediaClient.resize."""
        self._ask(self._of(room), lambda client: client.resize(room, peer, heights))

    def play(self, room: str, peer: str, sdp: str) -> str:
        """See MediaClient.play."""
        return self._ask(self._of(room), lambda client: client.play(room, peer, sdp))

    def restart_ice(self, room: str, peer: str, leg: Leg, ufrag: str | None) -> IceRestarted:
        """See MediaClient.restart_ice."""
        return self._ask(self._of(room), lambda client: client.restart_ice(room, peer, leg, ufrag))

    def delete_leg(self, room: str, peer: str, leg: Leg) -> None:
        """See MediaClient.delete_leg."""
        if address := self._living(room):
            self._ask(address, lambda client: client.delete_leg(room, peer, leg))

    def delete_peer(self, room: str, peer: str) -> None:
        """See MediaClient.delete_peer."""
        if address := self._living(room):
            self._ask(address, lambda client: client.delete_peer(room, peer))

    def streams(self) -> Sequence[Stream]:
        """Return one stream of events for each node; every one wants a background task of its own."""
        return [partial(self._events, place) for place in self._places]

    # ---- watching -------------------------------------------------------------------------

    def metrics(self) -> list[bytes | None]:
        """Return each node's Prometheus text, None for one that does not answer."""
        found: list[bytes | None] = []
        for place in self._places:
            try:
                found.append(MediaClient(place.address).metrics())
            except AppError:
                found.append(None)
        return found

    def _events(self, place: Place, going: Going, pause: Pause) -> Iterator[NodeEvent | NodeLost]:
        heard: NodeAddress | None = None

        def after_break() -> Iterable[NodeLost]:
            nonlocal heard
            if heard is None or not self._is_over(heard):
                return
            lost, heard = heard, None
            if any(other.epoch not in self._over for other in self._known()):
                yield NodeLost(lost.epoch)  # where nobody can take its rooms, they wait for its next life

        for event in MediaClient(place.address).events(going, pause, after_break):
            if isinstance(event, Hello) and (address := place.address()):
                heard = NodeAddress(address.control_url, address.token, event.epoch)
            yield event

    # ---- where rooms are ------------------------------------------------------------------

    def _of(self, room: str) -> NodeAddress:
        address = self._living(room)
        if address is None:
            raise NotFound("media.not_found", N_("The media node does not know this room or participant."))
        return address

    def _living(self, room: str) -> NodeAddress | None:
        """Return where we last saw a room, if that life of the node goes on."""
        address = self._rooms.get(room)
        if address is None:
            return None
        if address.epoch not in self._over and self._goes_on(address):
            return address
        self._rooms.pop(room, None)
        return None

    def _goes_on(self, address: NodeAddress) -> bool:
        """Return whether a place names this life; just after a node's start only its state file does."""
        return any(known.epoch == address.epoch for known in self._known()) or any(
            stated.epoch == address.epoch for place in self._places if (stated := place.stated())
        )

    def _known(self) -> list[NodeAddress]:
        return [address for place in self._places if (address := place.address())]

    def _find(self, room: str) -> NodeAddress | None:
        """Ask the nodes for a room.  Raises Unavailable when one that may have it does not answer."""
        healths, silent = self._census()
        here = [address for address, health in healths if room in health.room_ids]
        for second in here[1:]:
            log.error("room is on two media nodes", extra={"room": room, "epoch": second.epoch})
            self._ask(second, lambda client: client.delete_room(room))
        if here:
            return here[0]
        if silent:
            raise _unavailable()
        return None

    def _choose(self) -> NodeAddress:
        """Return the node with the least to do."""
        healths, silent = self._census()
        if len(healths) < len(self._places) and time.monotonic() < self._settled:
            raise _unavailable()
        if silent or not healths:
            raise _unavailable()
        return min(healths, key=lambda each: weight(each[1]))[0]  # the first of equals, everywhere

    def _census(self) -> tuple[list[tuple[NodeAddress, Health]], bool]:
        """Return the nodes that answer, in their order, and whether one lives that does not."""
        answered, silent = [], False
        for place in self._places:
            stated = place.stated()
            if stated is None:
                continue
            try:
                health = MediaClient(lambda stated=stated: stated).health()  # type: ignore[misc]
            except NodeGone:
                continue
            except AppError:
                silent = True
                continue
            answered.append((NodeAddress(stated.control_url, stated.token, health.epoch), health))
        return answered, silent

    def _ask(self, address: NodeAddress, ask: Callable[[MediaClient], Answer]) -> Answer:
        client = self._clients.setdefault(address.epoch, MediaClient(lambda: address))
        try:
            return ask(client)
        except Unavailable:
            self._is_over(address)
            raise

    def _is_over(self, address: NodeAddress) -> bool:
        """Find out whether a life of a node has ended; one that only does not answer has not."""
        if address.epoch in self._over:
            return True
        try:
            over = MediaClient(lambda: address).health().epoch != address.epoch
        except NodeGone:
            over = True
        except AppError:
            over = False
        if over:
            self._over.add(address.epoch)
            self._clients.pop(address.epoch, None)
        return over

    @contextlib.contextmanager
    def _deciding(self) -> Iterator[None]:
        """Hold the lock that all web processes share.

        Tried again and again instead of waited for, because a wait inside the system would hold all
        green threads, also the one that has the lock.
        """
        until = time.monotonic() + LOCK_S
        with self._mine, open(self._lock_path, "w") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if time.monotonic() > until:
                        raise _unavailable() from None
                    time.sleep(0.02)
            yield  # closing the file lets the lock go


def weight(health: Health) -> tuple[int, int]:
    """Return how much a node has to do; the lighter one gets the next room.

    By quarters of a core first, because what a viewer costs depends on the room; within a quarter by
    viewers, those still to come included.
    """
    return round(health.load * 4), health.viewers + VIEWERS_OF_A_ROOM * health.rooms


def _unavailable() -> Unavailable:
    return Unavailable("media.unavailable", N_("The media node cannot be reached at the moment."))
