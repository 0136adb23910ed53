"""Passwords: hashed with argon2id, checked off the hub, guessed only slowly."""

from collections import deque

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.offload import Offload, directly
from core.clock import Clock, to_ms
from core.errors import N_, Unavailable

KEYS_MAX = 10_000  # so that a flood of made-up names cannot fill the memory


class TooMany(Unavailable):
    """Too often in too short a time."""

    status = 429


class Passwords:
    """Hashes and checks passwords; each takes some 50 ms of one core, so it runs elsewhere.

    Source: RFC 9106 section 4 (second recommended option), by argon2-cffi's defaults.
    """

    def __init__(self, offload: Offload = directly, quick: bool = False) -> None:
        """Hash through `offload`; quick: for tests, worthless as protection."""
        self._offload = offload
        self._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1) if quick else PasswordHasher()
        self._nobody = self._hasher.hash("nobody's password")

    def hash(self, password: str) -> str:
        """Return the encoded hash to store."""
        return str(self._offload(self._hasher.hash, password))

    def matches(self, password: str, stored: str | None) -> bool:
        """Return whether it is the one; takes as long when there is no account (None) or no password (empty)."""
        found = bool(self._offload(self._verify, stored or self._nobody, password))
        return found and bool(stored)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


class Attempts:
    """A limit on failures per key in a sliding window. Each web process counts for itself."""

    def __init__(self, clock: Clock, limit: int, window_s: int) -> None:
        """Refuse the attempt after `limit` failures within `window_s` seconds."""
        self._clock = clock
        self._limit = limit
        self._window_ms = window_s * 1000
        self._failures: dict[str, deque[int]] = {}

    def check(self, key: str) -> None:
        """Raise TooMany when the key failed too often of late."""
        now_ms = to_ms(self._clock.now())
        times = self._failures.get(key)
        while times and times[0] <= now_ms - self._window_ms:
            times.popleft()
        if times and len(times) >= self._limit:
            wait_s = max(1, (times[0] + self._window_ms - now_ms) // 1000)
            raise TooMany("login.too_many", N_("Too many attempts. Please wait %(seconds)s seconds."), seconds=wait_s)

    def failed(self, key: str) -> None:
        """Count a failure."""
        if key not in self._failures and len(self._failures) >= KEYS_MAX:
            self._failures.pop(next(iter(self._failures)))
        self._failures.setdefault(key, deque(maxlen=self._limit)).append(to_ms(self._clock.now()))

    def succeeded(self, key: str) -> None:
        """Forget the failures."""
        self._failures.pop(key, None)
