"""How a hall's computer becomes a point's device, and stops being it. The only SQL on these tables.

The hall's browser shows six digits and keeps a secret in a cookie; the point's operator types the
digits on their own page; the browser then fetches its token with the secret. The token follows
from the secret, so an answer lost on the way is simply asked for again. Only SHA-256 hashes of
secrets and tokens are stored: they are random, 256 bits, so no slow hash is needed.

**Source:** RFC 8628 (device authorization grant), sections 3.3, 5.1 and 5.4: the idea, the short
life of the code, and the limit on guesses.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Database
from core.errors import N_, AppError, Conflict, Invalid, NotFound, Unavailable
from core.ids import new_id
from schedules.directory_service import found
from schedules.models import BridgePoint, Device, PairingCode, PairingFailure
from schedules.records import DeviceView

CODE_LIFE = timedelta(minutes=10)
KEPT = timedelta(hours=1)  # an old code is remembered so long, to say "expired" and not "unknown"
WAITING_MAX = 200  # codes on screens at once; a guess hits one of them with odds of 200 in a million
FAILURES_MAX = 10  # wrong codes per person
FAILURES_ALL_MAX = 100  # and by all together
FAILURE_WINDOW = timedelta(minutes=10)
SEEN_EVERY = timedelta(minutes=1)  # a kiosk asks every few seconds; one write a minute is enough


@dataclass(frozen=True)
class Pairing:
    """A code on a screen.  secret: only in that browser's cookie."""

    code: str
    secret: str
    expires_at: datetime


def draw_code() -> str:
    """Return six random digits."""
    return f"{secrets.randbelow(1_000_000):06}"


class PairingService:
    """Codes, claims and devices."""

    def __init__(self, db: Database, clock: Clock, draw: Callable[[], str] = draw_code) -> None:
        """Use `db` and `clock`; draw: where fresh codes come from."""
        self._db = db
        self._clock = clock
        self._draw = draw

    def new_pairing(self) -> Pairing:
        """Return a fresh code for a screen, valid for ten minutes, and its secret.

        Raises Unavailable while too many codes are waiting already.
        """
        now, secret = self._clock.now(), secrets.token_urlsafe(32)
        with self._db.transaction() as s:
            s.execute(delete(PairingCode).where(PairingCode.expires_at < now - KEPT))
            waiting = select(func.count()).where(PairingCode.expires_at > now, PairingCode.device_id.is_(None))
            if (s.scalar(waiting) or 0) >= WAITING_MAX:
                raise Unavailable("pairing.too_many", N_("Too many screens are waiting. Try again in a few minutes."))
            code = self._draw()
            while s.get(PairingCode, code) is not None:
                code = self._draw()
            s.add(PairingCode(code=code, secret_hash=_hash(secret), expires_at=now + CODE_LIFE))
        return Pairing(code, secret, now + CODE_LIFE)

    def waiting(self, secret: str) -> Pairing | None:
        """Return the code that this browser shows, or None when it has expired or was claimed."""
        with self._db.reading() as s:
            row = s.scalar(select(PairingCode).where(PairingCode.secret_hash == _hash(secret)))
            if row is None or row.device_id is not None or row.expires_at <= self._clock.now():
                return None
            return Pairing(row.code, secret, row.expires_at)

    def claim(self, code: str, point_id: str, by: str) -> DeviceView:
        """Make the screen that shows this code a device of a point; a code serves once.

        code: as typed, spaces and hyphens allowed; by: the person's id.
        Raises Invalid, NotFound or Conflict with a code of their own, Unavailable after too many wrong ones.
        """
        digits = code.replace(" ", "").replace("-", "").strip()
        refusal: AppError | None = None
        with self._db.transaction() as s:
            found(s, BridgePoint, point_id)
            self._check_failures(s, by)
            refusal, row = self._judge(s, digits)
            if row is None:
                s.add(PairingFailure(id=new_id("pf"), user_id=by, at=self._clock.now()))
            else:
                device = Device(id=new_id("dev"), point_id=point_id, paired_by=by, paired_at=self._clock.now())
                s.add(device)
                s.flush()
                row.device_id = device.id
        if refusal is not None:  # raised outside: the failure must be counted, not rolled back
            raise refusal
        return _view(device)

    def _judge(self, s: Session, digits: str) -> tuple[AppError | None, PairingCode | None]:
        if len(digits) != 6 or not digits.isascii() or not digits.isdigit():
            return Invalid("pairing.not_a_code", N_("A pairing code has six digits.")), None
        row = s.get(PairingCode, digits)
        if row is None:
            return NotFound("pairing.unknown_code", N_("No screen shows this code. Please check the digits.")), None
        if row.device_id is not None:
            return Conflict("pairing.used", N_("This code was used already. Ask the screen for a new one.")), None
        if row.expires_at <= self._clock.now():
            return Conflict("pairing.expired", N_("This code has expired. The screen shows a new one.")), None
        return None, row

    def _check_failures(self, s: Session, by: str) -> None:
        since = self._clock.now() - FAILURE_WINDOW
        s.execute(delete(PairingFailure).where(PairingFailure.at <= since))
        mine = s.scalar(select(func.count()).where(PairingFailure.user_id == by)) or 0
        everybodys = s.scalar(select(func.count()).select_from(PairingFailure)) or 0
        if mine >= FAILURES_MAX or everybodys >= FAILURES_ALL_MAX:
            raise Unavailable(
                "pairing.too_many_attempts", N_("Too many wrong codes. Please wait ten minutes and try again.")
            )

    def collect(self, secret: str) -> str | None:
        """Return the device's token once its code was claimed, otherwise None.

        The same secret gives the same token again, until an hour after the code's end.
        """
        now, token = self._clock.now(), _token(secret)
        with self._db.transaction() as s:
            row = s.scalar(select(PairingCode).where(PairingCode.secret_hash == _hash(secret)))
            if row is None or row.device_id is None or row.expires_at <= now - KEPT:
                return None
            device = s.get_one(Device, row.device_id)
            if device.revoked_at is not None:
                return None
            device.token_hash = _hash(token)
        return token

    def device(self, token: str) -> DeviceView | None:
        """Return the device of a token, or None for a wrong or revoked one."""
        with self._db.reading() as s:
            row = s.scalar(select(Device).where(Device.token_hash == _hash(token), Device.revoked_at.is_(None)))
            return _view(row) if row else None

    def seen(self, device_id: str) -> None:
        """Note that a device is there, once a minute at most."""
        now = self._clock.now()
        with self._db.reading() as s:
            row = s.get(Device, device_id)
            if row is None or (row.seen_at is not None and now - row.seen_at < SEEN_EVERY):
                return
        with self._db.transaction() as s:
            s.get_one(Device, device_id).seen_at = now

    def devices(self, point_id: str) -> list[DeviceView]:
        """Return a point's devices that are not revoked, newest first."""
        query = select(Device).where(Device.point_id == point_id, Device.revoked_at.is_(None))
        with self._db.reading() as s:
            return [_view(row) for row in s.scalars(query.order_by(Device.paired_at.desc(), Device.id))]

    def revoke(self, device_id: str, point_id: str) -> None:
        """Make a device's token worthless.  Raises NotFound unless it is a device of this point."""
        with self._db.transaction() as s:
            row = s.get(Device, device_id)
            if row is None or row.point_id != point_id:
                raise NotFound("device.unknown", N_("There is no such device."))
            row.revoked_at = row.revoked_at or self._clock.now()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _token(secret: str) -> str:
    return hmac.new(secret.encode("utf-8", "replace"), b"device", hashlib.sha256).hexdigest()


def _view(row: Device) -> DeviceView:
    return DeviceView(row.id, row.point_id, row.paired_at, row.paired_by, row.seen_at, row.revoked_at)
