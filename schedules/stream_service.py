"""Tokens with which an encoder sends, or a player watches, one lecture for one bridge point. The only SQL on them.

A token is 256 random bits, shown once, stored as its SHA-256 hash; it works until the lecture is
over or somebody revokes it. Beside it stands the session that was begun with it last, so that any
web process, also one that was started since, can find the session again.

**Source:** RFC 6750 (bearer tokens), sections 5.2 and 5.3: short life, one scope, never in a URL.
"""

import hashlib
import secrets
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.bus import EventBus
from core.clock import Clock
from core.db import Database
from core.errors import N_, Conflict, NotFound
from core.ids import new_id
from schedules.directory_service import found
from schedules.events import StreamRevoked
from schedules.models import Lecture, LecturePoint, StreamToken
from schedules.records import Purpose, StreamTokenView

TOKENS_MAX = 40  # of one lecture that are in force
OVER = ("ended", "cancelled")


class StreamService:
    """Makes tokens, knows them again, remembers their sessions."""

    def __init__(self, db: Database, bus: EventBus, clock: Clock) -> None:
        """Use `db` for every transaction, tell `bus` what was revoked, ask `clock` for the time."""
        self._db, self._bus, self._clock = db, bus, clock

    # ---- tokens, for organisers ----

    def make(self, lecture_id: str, point_id: str, purpose: Purpose, by: str) -> tuple[StreamTokenView, str]:
        """Make a token.  Returns (what is kept of it, the token itself, which is not kept).

        by: the person's id.  Raises NotFound for a point that has no part in the lecture, Conflict for
        a lecture that is over, or that has too many tokens.
        """
        token = secrets.token_urlsafe(32)
        with self._db.transaction() as s:
            lecture = found(s, Lecture, lecture_id)
            if s.get(LecturePoint, (lecture_id, point_id)) is None:
                raise NotFound("stream.no_such_point", N_("This bridge point does not take part in this lecture."))
            if lecture.status in OVER:
                raise Conflict("stream.lecture_over", N_("This lecture is over: it takes no more streams."))
            alive = select(func.count()).where(StreamToken.lecture_id == lecture_id, StreamToken.revoked_at.is_(None))
            if (s.scalar(alive) or 0) >= TOKENS_MAX:
                raise Conflict("stream.too_many", N_("This lecture has too many stream keys. Revoke some first."))
            row = StreamToken(
                id=new_id("str"),
                lecture_id=lecture_id,
                point_id=point_id,
                purpose=purpose,
                token_hash=_hash(token),
                made_by=by,
                made_at=self._clock.now(),
            )
            s.add(row)
            s.flush()
            return _view(row), token

    def tokens(self, lecture_id: str) -> list[StreamTokenView]:
        """Return a lecture's tokens that are not revoked, newest first."""
        query = select(StreamToken).where(StreamToken.lecture_id == lecture_id, StreamToken.revoked_at.is_(None))
        with self._db.reading() as s:
            return [_view(row) for row in s.scalars(query.order_by(StreamToken.made_at.desc(), StreamToken.id))]

    def revoke(self, token_id: str, lecture_id: str) -> None:
        """Make a token worthless and end what runs on it.  Raises NotFound unless it is this lecture's."""
        with self._db.transaction() as s:
            row = s.get(StreamToken, token_id)
            if row is None or row.lecture_id != lecture_id:
                raise NotFound("stream.unknown", N_("There is no such stream key."))
            before = _view(row)
            row.revoked_at = row.revoked_at or self._clock.now()
            row.session, row.etag = None, None
        self._bus.publish(StreamRevoked(before))

    # ---- sessions, for whoever holds a token ----

    def of_token(self, token: str) -> StreamTokenView | None:
        """Return what a token stands for, or None for one that is wrong, revoked, or whose lecture is over."""
        query = (
            select(StreamToken)
            .join(Lecture, Lecture.id == StreamToken.lecture_id)
            .where(
                StreamToken.token_hash == _hash(token),
                StreamToken.revoked_at.is_(None),
                Lecture.status.not_in(OVER),
                select(LecturePoint.point_id)
                .where(LecturePoint.lecture_id == StreamToken.lecture_id, LecturePoint.point_id == StreamToken.point_id)
                .exists(),  # a changed plan may have dropped the point
            )
        )
        with self._db.reading() as s:
            row = s.scalar(query)
            return _view(row) if row else None

    def begin(self, token_id: str, session: str, etag: str) -> bool:
        """Remember the session that was begun with a token.  Returns False when it was revoked meanwhile.

        session: its id; etag: of its present ICE names.
        """
        with self._db.transaction() as s:
            row = self._alive(s, token_id)
            if row is None:
                return False
            row.session, row.etag, row.used_at = session, etag, self._clock.now()
            return True

    def renew(self, token_id: str, session: str, before: str, etag: str) -> bool:
        """Note fresh ICE names.  Returns False when the session is over, or `before` is not its etag any more."""
        with self._db.transaction() as s:
            row = self._alive(s, token_id)
            if row is None or (row.session, row.etag) != (session, before):
                return False
            row.etag = etag
            return True

    def end(self, token_id: str, session: str) -> None:
        """Forget a session, unless another has taken its place."""
        with self._db.transaction() as s:
            row = s.get(StreamToken, token_id)
            if row is not None and row.session == session:
                row.session, row.etag, row.used_at = None, None, self._clock.now()

    def sessions(self, lecture_id: str) -> list[StreamTokenView]:
        """Return the tokens of a lecture on which a session runs."""
        return [token for token in self.tokens(lecture_id) if token.session]

    def _alive(self, s: Session, token_id: str) -> StreamToken | None:
        row = s.get(StreamToken, token_id)
        return row if row is not None and row.revoked_at is None else None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _view(row: StreamToken) -> StreamTokenView:
    return StreamTokenView(
        id=row.id,
        lecture=row.lecture_id,
        point=row.point_id,
        purpose=cast(Purpose, row.purpose),
        made_at=row.made_at,
        made_by=row.made_by,
        used_at=row.used_at,
        session=row.session,
        etag=row.etag,
    )
