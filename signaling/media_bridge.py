"""Room states to media plans, and the media nodes' events back to the rooms.

`plan_of` is the whole rule of who is seen and heard where. The bridge around it only carries: a
request never waits for the node, the newest plan of a room wins and is put until it sticks.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from core.errors import N_, AppError, Invalid, NotFound, Unavailable
from media.client import NodeLost, Stream
from media.control import (
    CHAIR_SLOTS,
    HALL_SLOTS,
    TILES,
    DownOffer,
    Hello,
    IceRestarted,
    NodeEvent,
    PeerDown,
    Quality,
    RecorderState,
    RoomPlan,
    RoomStatus,
    SlotSwitched,
    Speaking,
)
from rooms.events import LectureEnded, ParticipantLeft, RoomChanged
from rooms.state import RoomState

log = logging.getLogger(__name__)

Leg = Literal["up", "down", "play"]
CHAIRS = ("lecturer", "organiser")
EPOCH_S = 1.0  # a browser that comes in waits this long for the room's place
READY_S = 3.0  # a browser that wants a leg waits this long for the room's first plan
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0
ROOM_KEPT_S = 5.0  # after the recorder finished: late packets and last events
ROOM_GIVEN_UP_S = 120.0  # a recorder that never reports does not keep a room for ever


def plan_of(state: RoomState) -> RoomPlan:
    """Return what the media node shall do for a room in this state.

    The lecturer is on stage and the floor's holder is the guest while the class is live; the
    tiles show the points that are here, the main point first, to whoever looks at tiles.
    """
    live = state.phase == "live"
    here = [p for p in _points(state) if p in state.present]
    lecturer = state.lecturer if state.lecturer in state.present else None
    holder = state.floor.holder if live and state.floor.holder in state.present else None
    slots: dict[str, str] = {}
    if live and lecturer:
        slots |= {"stage": f"{lecturer}/camera", "audio-0": f"{lecturer}/mic", "screen": f"{lecturer}/screen"}
    if holder:
        slots |= {"guest": f"{holder}/camera", "audio-1": f"{holder}/mic"}
    over = state.phase in ("none", "ended")
    if not over:
        slots |= {f"tile-{i}": f"{point}/camera" for i, point in enumerate(here[:TILES])}
    return RoomPlan(
        version=state.seq,
        slots=slots,
        publishers=[] if over else [*([lecturer] if lecturer else []), *here],
        boost=list(dict.fromkeys(p for p in (lecturer, holder) if p and not over)),
        recording=live,
    )


def slots_for(role: str) -> tuple[str, ...]:
    """Return the slots a participant of this role receives: chairs see the points' tiles too."""
    return CHAIR_SLOTS if role in CHAIRS else HALL_SLOTS


def _points(state: RoomState) -> list[str]:
    main = [state.main_point] if state.main_point else []
    return list(dict.fromkeys([*main, *state.points]))


class Node(Protocol):
    """What the bridge needs of `media.client.MediaClient`."""

    def epoch_of(self, room: str) -> str:
        """Return which life of which node has the room, empty while none is known to."""
        ...

    def put_plan(self, room: str, plan: RoomPlan) -> RoomStatus:
        """See MediaClient.put_plan."""
        ...

    def delete_room(self, room: str) -> None:
        """See MediaClient.delete_room."""
        ...

    def up(self, room: str, peer: str, sdp: str) -> str:
        """See MediaClient.up."""
        ...

    def down(self, room: str, peer: str, slots: Sequence[str]) -> DownOffer:
        """See MediaClient.down."""
        ...

    def down_answer(self, room: str, peer: str, leg: str, sdp: str) -> None:
        """See MediaClient.down_answer."""
        ...

    def resize(self, room: str, peer: str, heights: Mapping[str, int]) -> None:
        """See MediaClient.resize."""
        ...

    def play(self, room: str, peer: str, sdp: str) -> str:
        """See MediaClient.play."""
        ...

    def restart_ice(self, room: str, peer: str, leg: Leg, ufrag: str | None) -> IceRestarted:
        """See MediaClient.restart_ice."""
        ...

    def delete_leg(self, room: str, peer: str, leg: Leg) -> None:
        """See MediaClient.delete_leg."""
        ...

    def delete_peer(self, room: str, peer: str) -> None:
        """See MediaClient.delete_peer."""
        ...

    def streams(self) -> Sequence[Stream]:
        """Return a stream of events for each node; see MediaClient.events."""
        ...


class Watcher(Protocol):
    """Who else wants to know what the node says: `signaling.streams.Streams`."""

    def peer_down(self, event: PeerDown) -> None:
        """Take note that a leg is gone."""
        ...

    def room_status(self, lecture: str, status: RoomStatus) -> None:
        """Take note of what a room really is, after events may have been missed."""
        ...


class Rooms(Protocol):
    """What the bridge needs of `rooms.service.RoomService`."""

    def active(self) -> list[str]:
        """Return the lectures in the lobby or live."""
        ...

    def ended_lately(self) -> list[str]:
        """Return the lectures that ended within the last day."""
        ...

    def state(self, lecture: str) -> RoomState:
        """Return a room's folded state."""
        ...

    def slot_switched(self, lecture: str, slot: str, publication: str | None, latency_ms: int) -> object:
        """Journal what a slot now really shows."""
        ...

    def recording(self, lecture: str, on: bool) -> object:
        """Journal that the recorder runs, or has finished."""
        ...


@dataclass(frozen=True)
class Background:
    """How work runs beside the requests: the Socket.IO server's own kind of thread."""

    spawn: Callable[..., Any]  # spawn(function, *args)
    pause: Callable[[float], Any]  # seconds


class _Desk:
    """The plan a room wants, the one it has, and the peers to be dropped after it."""

    def __init__(self) -> None:
        self.wanted: RoomPlan | None = None
        self.put: RoomPlan | None = None
        self.leaving: list[str] = []
        self.busy = False
        self.epoch = ""  # which life of which node it was last put to


class MediaBridge:
    """Carries plans to the nodes and the node's events to the rooms."""

    def __init__(
        self,
        node: Node,
        rooms: Rooms,
        background: Background,
        on_reset: Callable[[str, str], None],
        on_signal: Callable[[NodeEvent], None] = lambda event: None,
    ) -> None:
        """Wire the bridge; nothing runs before `start`.

        on_reset: told lecture and epoch when the room is on another node, or on another life of its node;
        on_signal: takes the events that are passing news: lines, voices, who lost a leg.
        """
        self._on_signal = on_signal
        self._node, self._rooms, self._background, self._on_reset = node, rooms, background, on_reset
        self._desks: dict[str, _Desk] = {}
        self._lock = threading.Lock()
        self._untold: set[str] = set()  # lectures whose browsers were let in before their epoch was known
        self._going = False
        self.watcher: Watcher | None = None

    def epoch_of(self, lecture: str) -> str:
        """Return the epoch a lecture's browsers should compare with.

        Waits a moment for a room that is being placed.  Empty while it is on no node; its browsers are
        then told later, by `on_reset`.
        """
        until = time.monotonic() + EPOCH_S
        while not (epoch := self._node.epoch_of(lecture)):
            if not self._going or time.monotonic() > until or not self._is_wanted(lecture):
                self._untold.add(lecture)
                return self._node.epoch_of(lecture)  # it may have come in this very moment
            self._background.pause(0.02)
        return epoch

    def _is_wanted(self, lecture: str) -> bool:
        with self._lock:
            return lecture in self._desks

    def start(self) -> None:
        """Put the plans of all rooms that are open and begin to listen to the nodes."""
        self._going = True
        for lecture in self._rooms.active():
            self._want(lecture, plan_of(self._rooms.state(lecture)))
        for lecture in self._rooms.ended_lately():  # should it have ended with the last process, the node must hear
            self._background.spawn(self._close_now, lecture)
        for stream in self._node.streams():
            self._background.spawn(self._listen, stream)

    def stop(self) -> None:
        """Let the background work end at its next pause."""
        self._going = False

    def room_changed(self, change: RoomChanged) -> None:
        """Take note of a room's new state; the node hears of it in the background."""
        leaving = change.event.participant if isinstance(change.event, ParticipantLeft) else None
        self._want(change.lecture, plan_of(change.state), leaving)
        if isinstance(change.event, LectureEnded):
            self._background.spawn(self._close_later, change.lecture, ROOM_GIVEN_UP_S)

    # ---- legs, asked for by browsers ------------------------------------------------------

    def up(self, lecture: str, participant: str, sdp: str) -> str:
        """Negotiate a publishing leg.  Returns the answer.  Raises Unavailable, Invalid."""
        if not is_session_description(sdp):
            raise Invalid("media.invalid", N_("The media node cannot use this media description."))
        return str(self._with_room(lecture, lambda: self._node.up(lecture, participant, sdp)))

    def down(self, lecture: str, participant: str, role: str) -> DownOffer:
        """Ask for a receiving leg with the slots of the role.  Raises Unavailable."""
        offer: DownOffer = self._with_room(lecture, lambda: self._node.down(lecture, participant, slots_for(role)))
        return offer

    def down_answer(self, lecture: str, participant: str, leg: str, sdp: str) -> None:
        """Hand over a browser's answer.  Raises Conflict for an old leg, Invalid, Unavailable."""
        if not is_session_description(sdp):
            raise Invalid("media.invalid", N_("The media node cannot use this media description."))
        self._node.down_answer(lecture, participant, leg, sdp)

    def resize(self, lecture: str, participant: str, heights: Mapping[str, int]) -> None:
        """Hand over how many pixels of height a page can use of each slot.  Raises NotFound, Unavailable."""
        self._node.resize(lecture, participant, heights)

    def play(self, lecture: str, peer: str, sdp: str) -> str:
        """Negotiate a player's leg.  Returns the answer.  Raises Unavailable, Invalid."""
        return str(self._with_room(lecture, lambda: self._node.play(lecture, peer, sdp)))

    def restart_ice(self, lecture: str, peer: str, leg: Leg, ufrag: str | None) -> IceRestarted:
        """Give a leg fresh ICE names.  Raises NotFound for a leg that is gone, Unavailable."""
        return self._node.restart_ice(lecture, peer, leg, ufrag)

    def drop_leg(self, lecture: str, peer: str, leg: Leg) -> None:
        """Drop one leg, at once or as soon as the node can be reached again."""
        try:
            self._node.delete_leg(lecture, peer, leg)
        except AppError:
            self._background.spawn(self._drop_leg_later, lecture, peer, leg)

    def _drop_leg_later(self, lecture: str, peer: str, leg: Leg) -> None:
        until = time.monotonic() + ROOM_GIVEN_UP_S
        while self._going and time.monotonic() < until:
            self._background.pause(LONGEST_PAUSE_S)
            try:
                self._node.delete_leg(lecture, peer, leg)
                return
            except AppError:
                continue

    def _with_room(self, lecture: str, ask: Callable[[], Any]) -> Any:
        self._ready(lecture)
        try:
            return ask()
        except NotFound:  # the node was restarted between the two calls: put the plan again
            self._again(lecture)
            self._ready(lecture)
            return ask()

    def _ready(self, lecture: str) -> None:
        with self._lock:
            known = lecture in self._desks
        if not known:
            state = self._rooms.state(lecture)
            self._want(lecture, plan_of(state), needed=state.phase in ("lobby", "live"))
        until = time.monotonic() + READY_S
        while not self._settled(lecture):
            if time.monotonic() > until:
                raise Unavailable("media.unavailable", N_("The media node cannot be reached at the moment."))
            self._background.pause(0.02)

    def _settled(self, lecture: str) -> bool:
        with self._lock:
            desk = self._desks.get(lecture)
            return desk is None or (desk.put is not None and _same(desk.put, desk.wanted))

    # ---- plans ----------------------------------------------------------------------------

    def _want(self, lecture: str, plan: RoomPlan, leaving: str | None = None, *, needed: bool = False) -> None:
        with self._lock:
            empty = not plan.publishers and not plan.recording and not plan.slots
            if lecture not in self._desks and empty and not needed:
                return  # nobody is here or it is over: the node need not know this room
            desk = self._desks.setdefault(lecture, _Desk())
            if desk.wanted is None or plan.version >= desk.wanted.version:
                desk.wanted = plan
            if leaving:
                desk.leaving.append(leaving)
            settled = _same(desk.put, desk.wanted) and not desk.leaving
            if desk.busy or settled:
                return
            desk.busy = True
        self._background.spawn(self._carry, lecture, desk)

    def _again(self, lecture: str) -> None:
        """Put the wanted plan once more though it was put before."""
        with self._lock:
            desk = self._desks.get(lecture)
            if desk is None:
                return
            desk.put = None
            if desk.busy:
                return
            desk.busy = True
        self._background.spawn(self._carry, lecture, desk)

    def _carry(self, lecture: str, desk: _Desk) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            with self._lock:
                plan, leaving = desk.wanted, list(desk.leaving)
                done = self._desks.get(lecture) is not desk or (_same(desk.put, plan) and not leaving)
                if done or plan is None:
                    desk.busy = False
                    return
            try:
                status = self._node.put_plan(lecture, plan)
                for peer in leaving:
                    self._drop(lecture, peer)
            except AppError as error:
                log.log(
                    logging.INFO if isinstance(error, Unavailable) else logging.ERROR,
                    "plan not put", extra={"lecture": lecture, "code": error.code},
                )  # fmt: skip
                self._background.pause(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            except Exception:
                log.exception("plan not put", extra={"lecture": lecture})
                self._background.pause(LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            epoch = self._node.epoch_of(lecture)
            with self._lock:
                moved = bool(desk.epoch) and epoch not in ("", desk.epoch)
                first = desk.put is None or moved
                desk.put, desk.epoch = plan, epoch or desk.epoch
                del desk.leaving[: len(leaving)]
            if first:
                self._reconcile(lecture, status)
            if epoch and (moved or lecture in self._untold):
                self._untold.discard(lecture)
                self._on_reset(lecture, epoch)
            if moved:
                log.warning("room is on another media node now", extra={"lecture": lecture, "epoch": epoch})

    def _drop(self, lecture: str, peer: str) -> None:
        if peer not in self._rooms.state(lecture).present:  # it may have come back meanwhile
            self._node.delete_peer(lecture, peer)

    def _reconcile(self, lecture: str, status: RoomStatus) -> None:
        """Journal what the node switched while nobody listened."""
        state = self._rooms.state(lecture)
        for slot in sorted(set(status.shown) | set(state.slots)):
            before = state.slots[slot].publication if slot in state.slots else None
            now = status.shown.get(slot)
            if before != now:
                self._tell(self._rooms.slot_switched, lecture, slot, now, 0)
        if self.watcher is not None:
            self.watcher.room_status(lecture, status)
        if status.recording != state.recording and state.phase == "live" and status.recording:
            self._tell(self._rooms.recording, lecture, True)

    def _close_later(self, lecture: str, after_s: float) -> None:
        self._background.pause(after_s)
        self._untold.discard(lecture)
        with self._lock:
            if self._desks.pop(lecture, None) is None:
                return
        try:
            self._node.delete_room(lecture)
        except AppError as error:
            log.warning("room not deleted", extra={"lecture": lecture, "code": error.code})

    def _close_now(self, lecture: str) -> None:
        """Close a room that should not be there; one that is not there is fine."""
        until = time.monotonic() + ROOM_GIVEN_UP_S
        while self._going and time.monotonic() < until:
            try:
                self._node.delete_room(lecture)
                return
            except AppError:
                self._background.pause(LONGEST_PAUSE_S)

    # ---- events of the node ---------------------------------------------------------------

    def _listen(self, stream: Stream) -> None:
        for event in stream(lambda: self._going, self._background.pause):
            try:
                self.node_event(event)
            except Exception:
                log.exception("node event failed", extra={"event_type": event.type})

    def node_event(self, event: NodeEvent | NodeLost) -> None:
        """Do what one event of a node asks for."""
        if isinstance(event, Hello | NodeLost):
            self._node_changed(event.epoch)
        elif isinstance(event, SlotSwitched):
            self._tell(self._rooms.slot_switched, event.room, event.slot, event.publication, event.latency_ms)
        elif isinstance(event, RecorderState):
            self._recorder(event)
        elif isinstance(event, Quality | Speaking | PeerDown):
            self._on_signal(event)
            if isinstance(event, PeerDown) and self.watcher is not None:
                self.watcher.peer_down(event)

    def _node_changed(self, epoch: str) -> None:
        """Put the plans of the rooms on this life of a node, and of those that are nowhere now.

        Also in the same life: events may have been missed meanwhile.  Rooms on other nodes are left alone.
        """
        with self._lock:
            lectures = list(self._desks)
        for lecture in lectures:
            if self._node.epoch_of(lecture) in ("", epoch):
                self._again(lecture)

    def _recorder(self, event: RecorderState) -> None:
        if event.state == "lost":
            log.error("recorder was lost", extra={"lecture": event.room})
            return
        self._tell(self._rooms.recording, event.room, event.state in ("started", "resumed"))
        if event.state == "finished" and self._rooms.state(event.room).phase == "ended":
            self._background.spawn(self._close_later, event.room, ROOM_KEPT_S)

    def _tell(self, method: Callable[..., object], *args: object) -> None:
        try:
            method(*args)
        except AppError as error:
            log.info("room did not take a node event", extra={"code": error.code, "lecture": args[0]})


def is_session_description(sdp: str) -> bool:
    """Return whether a text looks like SDP: `v=0` first, only `x=` lines, at least one m-line.

    Source: RFC 8866 section 5.  The node reads it in earnest.
    """
    lines = sdp.replace("\r\n", "\n").rstrip("\n").split("\n")
    return (
        lines[0] == "v=0"
        and all(len(line) > 2 and line[1] == "=" and line[0].islower() and line.isprintable() for line in lines)
        and any(line.startswith("m=") for line in lines)
    )


def _same(one: RoomPlan | None, other: RoomPlan | None) -> bool:
    """Return whether two plans ask for the same, whatever their versions."""
    if one is None or other is None:
        return one is other
    return one.model_copy(update={"version": 0}) == other.model_copy(update={"version": 0})
