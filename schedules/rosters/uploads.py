"""Uploaded sheets between preview and confirmation: kept half an hour, for one person and one course.

The key that the page carries is not the file's name: the name is a hash of key, person and course, so a key
that somebody else sends, or sends to another course, finds nothing.
"""

import hashlib
import os
import secrets
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from core.clock import Clock
from core.errors import N_, Conflict

KEPT = timedelta(minutes=30)
OF_ONE_PERSON = 4  # of at most 10 MB each; the oldest goes first
KEY_BYTES = 24  # 192 bits
KEY_MAX = 100  # characters of a key worth hashing


class Uploads:
    """Sheets that were previewed and may yet be confirmed."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """Keep them in `folder`, which is made when needed; ask `clock` how old they are."""
        self._folder = folder
        self._clock = clock

    def keep(self, data: bytes, user_id: str, course_id: str) -> str:
        """Keep a sheet, and remove those that nobody may confirm any more.  Returns its key."""
        self.tidy()
        own = sorted(self._folder.glob(f"{_owner(user_id)}-*"), key=lambda path: path.stat().st_mtime)
        for oldest in own[: max(0, len(own) - OF_ONE_PERSON + 1)]:
            oldest.unlink(missing_ok=True)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = secrets.token_urlsafe(KEY_BYTES)
        path = self._path(key, user_id, course_id)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        now_s = self._clock.now().timestamp()
        os.utime(path, (now_s, now_s))
        return key

    def read(self, key: str, user_id: str, course_id: str) -> bytes:
        """Return the bytes as they were kept.  Raises Conflict when they are not kept, or not for these two."""
        path = self._path(key, user_id, course_id)
        with suppress(OSError):
            if self._is_fresh(path):
                return path.read_bytes()
        raise Conflict("upload.gone", N_("The uploaded file is no longer kept. Please choose it again."))

    def forget(self, key: str, user_id: str, course_id: str) -> None:
        """Remove a sheet; once is enough."""
        self._path(key, user_id, course_id).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what is too old to be confirmed."""
        for path in self._folder.glob("*"):
            with suppress(OSError):
                if not self._is_fresh(path):
                    path.unlink()

    def _is_fresh(self, path: Path) -> bool:
        return self._clock.now().timestamp() - path.stat().st_mtime < KEPT.total_seconds()

    def _path(self, key: str, user_id: str, course_id: str) -> Path:
        digest = hashlib.sha256(f"{key[:KEY_MAX]}\n{user_id}\n{course_id}".encode("utf-8", "replace"))
        return self._folder / f"{_owner(user_id)}-{digest.hexdigest()[:40]}"


def _owner(user_id: str) -> str:
    return hashlib.sha256(user_id.encode()).hexdigest()[:16]
