"""The web side of a media node's control API: short blocking calls with time limits.

It needs nothing but sockets, so it works the same on real threads and on green ones. A node that
cannot be reached is `Unavailable`: the caller tries again later, nobody waits for long.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import urllib3
from pydantic import BaseModel, ValidationError
from urllib3.exceptions import HTTPError, NewConnectionError

from core.errors import N_, AppError, Conflict, Invalid, NotAllowed, NotFound, Unavailable
from media.control import (
    NODE_EVENT,
    DownAnswer,
    DownOffer,
    DownRequest,
    Health,
    IceRestart,
    IceRestarted,
    NodeEvent,
    PlayAnswer,
    PlayOffer,
    RoomPlan,
    RoomStatus,
    Sizes,
    UpAnswer,
    UpOffer,
)

log = logging.getLogger(__name__)

CONNECT_S = 1.0  # the node is on loopback or one hop away
READ_S = 4.0  # the longest call is an SDP exchange, some tens of milliseconds
SILENCE_S = 6.0  # the node sends a heartbeat at least every 2 s
MAX_LINE = 1_000_000  # characters of one event; anything longer is not our node

AWAY = N_("The media node cannot be reached at the moment.")

Leg = Literal["up", "down", "play"]
Going = Callable[[], bool]
Pause = Callable[[float], object]  # seconds
Reply = TypeVar("Reply", bound=BaseModel)


@dataclass(frozen=True)
class NodeAddress:
    """Where a node listens, how to speak to it, and which life of it this is."""

    control_url: str  # such as http://127.0.0.1:40123
    token: str
    epoch: str


class NodeGone(Unavailable):
    """Nothing listens where the node was: it has ended, it is not merely slow."""


@dataclass(frozen=True)
class NodeLost:
    """A node has ended, and another one can take its rooms."""

    epoch: str  # the life that ended
    type: str = "lost"


Stream = Callable[[Going, Pause], Iterable[NodeEvent | NodeLost]]  # see MediaClient.events


class MediaClient:
    """Speaks to the node that `locate` names; a node that moved is found again at the next call."""

    def __init__(self, locate: Callable[[], NodeAddress | None]) -> None:
        """Use `locate` before each call; None means there is no node at the moment."""
        self._locate = locate
        self._pool = urllib3.PoolManager(
            num_pools=4, maxsize=16, retries=False, timeout=urllib3.Timeout(connect=CONNECT_S, read=READ_S)
        )

    @property
    def epoch(self) -> str:
        """Return which life of the node this is, empty while there is none."""
        address = self._locate()
        return address.epoch if address else ""

    def epoch_of(self, room: str) -> str:
        """Return which life of which node has the room: here there is one node only."""
        return self.epoch

    def put_plan(self, room: str, plan: RoomPlan) -> RoomStatus:
        """Tell the node what a room shall be; putting the same plan again changes nothing.

        room: lecture id.  Returns what the room is now.  Raises Unavailable.
        """
        return self._ask("PUT", f"/rooms/{room}", plan, RoomStatus)

    def delete_room(self, room: str) -> None:
        """Forget a room and everybody in it; one that is not there is fine."""
        self._forget(f"/rooms/{room}")

    def up(self, room: str, peer: str, sdp: str) -> str:
        """Hand over a browser's offer of its publishing leg.

        sdp: the offer.  Returns the node's answer.
        Raises Invalid for a description that cannot be used, NotFound for a room without a plan,
        NotAllowed for a peer that the plan does not let publish.
        """
        return self._ask("POST", f"/rooms/{room}/peers/{peer}/up", UpOffer(sdp=sdp), UpAnswer).sdp

    def down(self, room: str, peer: str, slots: Sequence[str]) -> DownOffer:
        """Ask for a receiving leg with these slots, in the order of its m-lines."""
        return self._ask("POST", f"/rooms/{room}/peers/{peer}/down", DownRequest(slots=list(slots)), DownOffer)

    def down_answer(self, room: str, peer: str, leg: str, sdp: str) -> None:
        """Hand over the browser's answer to `DownOffer`.

        leg: from that offer.  Raises Conflict if a newer leg has taken its place.
        """
        self._call("PUT", f"/rooms/{room}/peers/{peer}/down", DownAnswer(leg=leg, sdp=sdp))

    def resize(self, room: str, peer: str, heights: Mapping[str, int]) -> None:
        """Tell how much a page can use.

        heights: slot -> pixels, 0: it shows nothing.  Raises NotFound for a peer without a receiving leg.
        """
        self._call("PUT", f"/rooms/{room}/peers/{peer}/sizes", Sizes(heights=dict(heights)))

    def play(self, room: str, peer: str, sdp: str) -> str:
        """Hand over a player's offer.  Returns the node's answer.  Raises Invalid, NotFound."""
        return self._ask("POST", f"/rooms/{room}/peers/{peer}/play", PlayOffer(sdp=sdp), PlayAnswer).sdp

    def restart_ice(self, room: str, peer: str, leg: Leg, ufrag: str | None) -> IceRestarted:
        """Give a leg fresh ICE names.  ufrag: the peer's own, if known.  Raises NotFound for a leg that is gone."""
        return self._ask("PATCH", f"/rooms/{room}/peers/{peer}/{leg}", IceRestart(ufrag=ufrag), IceRestarted)

    def delete_leg(self, room: str, peer: str, leg: Leg) -> None:
        """Drop one leg of a peer; one that is not there is fine."""
        self._forget(f"/rooms/{room}/peers/{peer}/{leg}")

    def delete_peer(self, room: str, peer: str) -> None:
        """Drop both legs of a peer; one that is not there is fine."""
        self._forget(f"/rooms/{room}/peers/{peer}")

    def health(self) -> Health:
        """Ask whether the node lives.  Raises Unavailable when it does not."""
        return self._ask("GET", "/healthz", None, Health)

    def metrics(self) -> bytes:
        """Return the node's Prometheus text.  Raises Unavailable."""
        return self._call("GET", "/metrics", None)

    def streams(self) -> "Sequence[Stream]":
        """Return the streams of events there are: one."""
        return [self.events]

    def events(
        self, going: Going, pause: Pause, after_break: Callable[[], Iterable[NodeLost]] = tuple
    ) -> Iterator[NodeEvent | NodeLost]:
        """Yield the node's events for ever, connecting again after every break.

        going: asked after each event and each break, False ends the iteration;
        pause: sleeps that many seconds; after_break: what to yield besides when the stream broke.
        Every (re)connection begins with `Hello`.
        """
        wait_s = 0.2
        while going():
            try:
                for event in self._stream():
                    wait_s = 0.2
                    yield event
                    if not going():
                        return
            except AppError as error:
                log.debug("node events broke", extra={"code": error.code})
            yield from after_break()
            pause(wait_s)
            wait_s = min(wait_s * 2, 1.0)

    def _stream(self) -> Iterator[NodeEvent]:
        response = self._open("GET", "/events", None, stream=True)
        rest = b""
        try:
            for chunk in response.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if (event := _event(line)) is not None:
                        yield event
                if len(rest) > MAX_LINE:
                    raise _unavailable()
        except (HTTPError, OSError) as error:
            raise _unavailable() from error
        finally:
            response.close()

    def _ask(self, method: str, path: str, message: BaseModel | None, reply: type[Reply]) -> Reply:
        body = self._call(method, path, message)
        try:
            return reply.model_validate_json(body)
        except ValidationError as error:
            log.error("node sent an unreadable reply", extra={"path": path, "reply": body[:200]})
            raise _unavailable() from error

    def _forget(self, path: str) -> None:
        try:
            self._call("DELETE", path, None)
        except NotFound:
            pass

    def _call(self, method: str, path: str, message: BaseModel | None) -> bytes:
        response = self._open(method, path, message)
        body: bytes = response.data
        if response.status >= 400:
            raise _refusal(response.status, body)
        return body

    def _open(
        self, method: str, path: str, message: BaseModel | None, stream: bool = False
    ) -> urllib3.BaseHTTPResponse:
        address = self._locate()
        if address is None:
            raise _unavailable()
        try:
            response = self._pool.request(
                method,
                address.control_url + path,
                body=None if message is None else message.model_dump_json().encode(),
                headers={"Authorization": f"Bearer {address.token}", "Content-Type": "application/json"},
                preload_content=not stream,
                timeout=urllib3.Timeout(connect=CONNECT_S, read=SILENCE_S if stream else READ_S),
            )
        except NewConnectionError as error:
            raise NodeGone("media.unavailable", AWAY) from error
        except (HTTPError, OSError) as error:
            raise _unavailable() from error
        if stream and response.status != 200:
            response.close()
            raise _unavailable()
        return response


def _event(line: bytes) -> NodeEvent | None:
    if not line.strip():
        return None
    try:
        return NODE_EVENT.validate_json(line)
    except ValidationError:
        log.warning("node sent an unknown event", extra={"line": line[:200]})
        return None


def _refusal(status: int, body: bytes) -> AppError:
    log.info("node refused", extra={"status": status, "error": _error_of(body)})
    if status == 403:
        return NotAllowed("media.not_planned", N_("The plan of this room does not let you send picture or sound."))
    if status == 404:
        return NotFound("media.not_found", N_("The media node does not know this room or participant."))
    if status == 409:
        return Conflict("media.replaced", N_("A newer media connection has taken the place of this one."))
    if status in (400, 413, 422):
        return Invalid("media.invalid", N_("The media node cannot use this media description."))
    return _unavailable()


def _error_of(body: bytes) -> Any:
    try:
        return json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return body[:200]


def _unavailable() -> Unavailable:
    return Unavailable("media.unavailable", AWAY)
