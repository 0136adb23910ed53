"""Streams that come and go over plain HTTP: an encoder that sends for a point (WHIP), a player that watches (WHEP).

What a token stands for is asked for at every request. Sessions are kept with their tokens, so that
a restarted web process finds those that run on; who is told of what follows from the rooms' journal.
"""

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from core.errors import N_, AppError, Conflict, NotAllowed, NotFound
from core.ids import new_id
from media.control import IceRestarted, PeerDown, RoomStatus
from rooms.actor import must_be_open
from rooms.encoder import Reason
from rooms.events import LectureEnded, RoomChanged
from rooms.service import RoomService
from signaling.limits import TokenBucket
from signaling.media_bridge import MediaBridge

log = logging.getLogger(__name__)

Purpose = Literal["ingest", "playback"]
LEGS: dict[str, Literal["up", "play"]] = {"ingest": "up", "playback": "play"}
STARTS, STARTS_PER_S = 5, 0.5  # an encoder that loses its line comes back every few seconds
KEYS_MAX = 2000  # tokens and addresses whose speed is remembered
YOUNG_S = 10.0  # a session this young may have sent nothing yet


class Unauthorised(AppError):
    """No token, or one that is worth nothing (any more)."""

    status = 401


class TooMany(AppError):
    """Not so fast."""

    status = 429


class Outdated(AppError):
    """The request speaks of ICE names that are not in force."""

    status = 412


class Grant(Protocol):
    """What a token stands for."""

    @property
    def id(self) -> str:
        """Return the token's id, which is no secret."""
        ...

    @property
    def lecture(self) -> str:
        """Return the lecture it is for."""
        ...

    @property
    def point(self) -> str:
        """Return the bridge point it is for."""
        ...

    @property
    def purpose(self) -> Purpose:
        """Return whether it may send or watch."""
        ...

    @property
    def session(self) -> str | None:
        """Return the session that runs on it."""
        ...

    @property
    def etag(self) -> str | None:
        """Return the entity tag of that session's ICE names."""
        ...


class Tokens(Protocol):
    """What is needed of `schedules.stream_service.StreamService`."""

    def of_token(self, token: str) -> Grant | None:
        """Return what a token stands for."""
        ...

    def begin(self, token_id: str, session: str, etag: str) -> bool:
        """Remember a session."""
        ...

    def renew(self, token_id: str, session: str, before: str, etag: str) -> bool:
        """Note fresh ICE names."""
        ...

    def end(self, token_id: str, session: str) -> None:
        """Forget a session."""
        ...

    def sessions(self, lecture_id: str) -> Sequence[Grant]:
        """Return the tokens on which a session runs."""
        ...


@dataclass(frozen=True)
class Started:
    """A session has begun."""

    session: str
    etag: str
    sdp: str  # the answer
    point: str


@dataclass(frozen=True)
class _Live:
    """A session that this process looks after."""

    grant: Grant
    session: str
    begun_at: float  # monotonic seconds
    candidates: tuple[str, ...] = ()  # of the answer, as an SDP fragment has them


class Streams:
    """Begins, restarts and ends sessions."""

    def __init__(
        self,
        tokens: Tokens,
        rooms: RoomService,
        media: MediaBridge,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use these services; monotonic: seconds that never go back."""
        self._tokens, self._rooms, self._media, self._monotonic = tokens, rooms, media, monotonic
        self._live: dict[tuple[str, str], _Live] = {}  # (lecture, peer of the node)
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()
        self._lock = threading.Lock()

    # ---- asked for over HTTP --------------------------------------------------------------

    def start(self, lecture: str, purpose: Purpose, token: str, address: str, sdp: str) -> Started:
        """Begin a session; one that runs on the same token loses its place.

        address: where the request came from; sdp: the offer.
        Raises Unauthorised, NotAllowed, TooMany; Conflict for a class that is not open, or
        `media.encoder_active` for a point that another encoder sends for; what the node raises.
        """
        self._slow_down(f"address {address}", 4 * STARTS, 4 * STARTS_PER_S)  # a centre may sit behind one
        grant = self._grant(lecture, purpose, token)
        self._slow_down(f"token {grant.id}", STARTS, STARTS_PER_S)
        etag = secrets.token_hex(8)
        live = _Live(grant, new_id("ses"), self._monotonic())
        answer = self._negotiate(live, sdp)
        if not self._tokens.begin(grant.id, live.session, etag):  # revoked while we were at it
            self._finish(live, "revoked")
            raise unauthorised()
        log.info("stream began", extra={"lecture": lecture, "point": grant.point, "purpose": purpose})
        return Started(live.session, etag, answer, grant.point)

    def _negotiate(self, live: _Live, sdp: str) -> str:
        with self._lock:  # known before it is there: `room_status` may look at any moment
            before = self._live.get(_key(live))
            self._live[_key(live)] = live
        try:
            send = self._send if live.grant.purpose == "ingest" else self._watch
            answer = send(live.grant, live.session, sdp)
        except Exception:
            with self._lock:
                if before is None:
                    self._live.pop(_key(live), None)
                else:
                    self._live[_key(live)] = before
            raise
        with self._lock:
            self._live[_key(live)] = replace(live, candidates=_candidates(answer))
        if before is not None and before.grant.id != live.grant.id:
            self._tokens.end(before.grant.id, before.session)
        return answer

    def _send(self, grant: Grant, session: str, sdp: str) -> str:
        for other in self._tokens.sessions(grant.lecture):
            if (other.point, other.purpose) == (grant.point, "ingest") and other.id != grant.id:
                raise Conflict("media.encoder_active", N_("Another encoder sends for this bridge point already."))
        self._rooms.start_encoder(grant.lecture, grant.point, session)
        try:
            return self._media.up(grant.lecture, grant.point, sdp)
        except Exception:
            if grant.session:  # it goes on as before
                self._rooms.start_encoder(grant.lecture, grant.point, grant.session)
            else:
                self._rooms.stop_encoder(grant.lecture, grant.point, session, "left")
            raise

    def _watch(self, grant: Grant, session: str, sdp: str) -> str:
        must_be_open(self._rooms.state(grant.lecture))
        answer = self._media.play(grant.lecture, session, sdp)
        if grant.session:
            self._media.drop_leg(grant.lecture, grant.session, "play")
            with self._lock:
                self._live.pop((grant.lecture, grant.session), None)
        return answer

    def restart(
        self, lecture: str, purpose: Purpose, token: str, session: str, ufrag: str
    ) -> tuple[str, IceRestarted, tuple[str, ...]]:
        """Take fresh ICE names on the same DTLS and SRTP.

        ufrag: the client's new one.  Returns (entity tag, the node's names, its candidate lines).
        """
        grant = self._own(lecture, purpose, token, session)
        ice = self._media.restart_ice(lecture, _peer(grant, session), LEGS[purpose], ufrag)
        etag = secrets.token_hex(8)
        if not self._tokens.renew(grant.id, session, grant.etag or "", etag):
            raise _outdated()
        live = self._live.get((lecture, _peer(grant, session)))
        return etag, ice, live.candidates if live else ()

    def check_etag(self, lecture: str, purpose: Purpose, token: str, session: str, etag: str) -> None:
        """Raise Outdated unless `etag` is the one of the session's present ICE names."""
        if self._own(lecture, purpose, token, session).etag != etag:
            raise _outdated()

    def stop(self, lecture: str, purpose: Purpose, token: str, session: str) -> None:
        """End a session.  Raises Unauthorised, NotAllowed, NotFound."""
        grant = self._own(lecture, purpose, token, session)
        self._finish(_Live(grant, session, 0.0), "left")

    def _grant(self, lecture: str, purpose: Purpose, token: str) -> Grant:
        grant = self._tokens.of_token(token)
        if grant is None:
            raise unauthorised()
        if (grant.lecture, grant.purpose) != (lecture, purpose):
            raise NotAllowed("stream.other_scope", N_("This stream key is for something else."))
        return grant

    def _own(self, lecture: str, purpose: Purpose, token: str, session: str) -> Grant:
        grant = self._grant(lecture, purpose, token)
        if grant.session != session:
            raise NotFound("stream.no_session", N_("This stream is over."))
        return grant

    def _slow_down(self, key: str, burst: int, rate: float) -> None:
        with self._lock:
            bucket = self._buckets.setdefault(key, TokenBucket(self._monotonic, burst, rate))
            self._buckets.move_to_end(key)
            if len(self._buckets) > KEYS_MAX:
                self._buckets.popitem(last=False)
            if bucket.take():
                return
        raise TooMany("stream.too_fast", N_("Too many attempts. Please wait a few seconds."))

    # ---- what happens elsewhere -----------------------------------------------------------

    def revoked(self, grant: Grant) -> None:
        """End what runs on a token that is worth nothing any more."""
        if grant.session:
            self._finish(_Live(grant, grant.session, 0.0), "revoked")

    def room_changed(self, change: RoomChanged) -> None:
        """End all streams of a class that is over; the node itself stops those that send."""
        if isinstance(change.event, LectureEnded):
            for grant in self._tokens.sessions(change.lecture):
                self.revoked(grant)

    def peer_down(self, event: PeerDown) -> None:
        """Note that a leg is gone; one that was replaced lives on as another."""
        with self._lock:
            live = self._live.get((event.room, event.peer))
        if live is not None and LEGS[live.grant.purpose] == event.leg and event.reason != "replaced":
            self._finish(live, "lost")

    def room_status(self, lecture: str, status: RoomStatus) -> None:
        """Look after the streams that the node still has, and forget the others: somebody was restarted."""
        sending: set[str] = set()
        for grant in self._tokens.sessions(lecture):
            session = grant.session or ""
            live = self._live.get((lecture, _peer(grant, session)))
            prefix = f"{grant.point}/"
            here = (
                any(publication.startswith(prefix) for publication in status.publications)
                if grant.purpose == "ingest"
                else session in status.peers
            )
            young = live is not None and self._monotonic() - live.begun_at < YOUNG_S
            if not here and not young:
                self._finish(live or _Live(grant, session, 0.0), "lost")
                continue
            if grant.purpose == "ingest":
                sending.add(grant.point)
            if live is None:
                self._adopt(_Live(grant, session, 0.0))
        with self._lock:
            sending |= {peer for (of, peer), live in self._live.items() if of == lecture}
        for point in set(self._rooms.state(lecture).encoders) - sending:
            self._tell(lecture, point, None, "lost")

    def _adopt(self, live: _Live) -> None:
        with self._lock:
            self._live[_key(live)] = live
        try:
            if live.grant.purpose == "ingest":
                self._rooms.start_encoder(live.grant.lecture, live.grant.point, live.session)
        except AppError as error:
            log.info("stream not taken up", extra={"lecture": live.grant.lecture, "code": error.code})

    def _finish(self, live: _Live, reason: Reason) -> None:
        grant = live.grant
        with self._lock:
            known = self._live.get(_key(live))
            mine = known is not None and known.session == live.session
            if mine:
                del self._live[_key(live)]
        self._tokens.end(grant.id, live.session)
        self._media.drop_leg(grant.lecture, _peer(grant, live.session), LEGS[grant.purpose])
        if grant.purpose == "ingest":
            self._tell(grant.lecture, grant.point, live.session if mine else None, reason)
        log.info("stream ended", extra={"lecture": grant.lecture, "point": grant.point, "reason": reason})

    def _tell(self, lecture: str, point: str, session: str | None, reason: Reason) -> None:
        try:
            self._rooms.stop_encoder(lecture, point, session, reason)
        except AppError as error:
            log.warning("end of an encoder not journalled", extra={"lecture": lecture, "code": error.code})


def _peer(grant: Grant, session: str) -> str:
    """Return the node's name for who has this session: an encoder is its point, a player is nobody else."""
    return grant.point if grant.purpose == "ingest" else session


def _candidates(answer: str) -> tuple[str, ...]:
    """Return the lines that carry the node's candidates: the first section's head, its mid, and they."""
    section = answer.replace("\r\n", "\n").partition("\nm=")[2].partition("\nm=")[0].split("\n")
    wanted = ("a=mid:", "a=candidate:", "a=end-of-candidates")
    return (f"m={section[0]}", *(line for line in section if line.startswith(wanted)))


def _key(live: _Live) -> tuple[str, str]:
    return live.grant.lecture, _peer(live.grant, live.session)


def unauthorised() -> Unauthorised:
    """Return the one refusal for all that is wrong with a token, so that it tells nothing."""
    return Unauthorised("stream.no_key", N_("This stream key is missing, wrong, revoked, or its lecture is over."))


def _outdated() -> Outdated:
    return Outdated("stream.outdated", N_("This stream was restarted meanwhile."))
