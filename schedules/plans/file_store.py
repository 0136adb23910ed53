"""Where the bytes of lesson plans lie: one file for each content, under the digest of that content."""

import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from core.errors import N_, NotFound
from core.ids import new_id
from schedules.plans.files import CHUNK, SIZE_MAX, Judged, Kind, clean_name, judge, too_large

ARRIVING = "arriving-"  # begins the name of what is not complete yet
STALE_S = 86_400.0  # what has been arriving for a day was broken off by a crash
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Kept:
    """A file that was taken in.  size: bytes; sha256: hex, under which it is kept; pages: of a PDF, if known."""

    name: str
    kind: Kind
    size: int
    sha256: str
    pages: int | None


class Source(Protocol):
    """Anything that gives bytes."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        ...


class FileStore:
    """A folder of files that never change: `<sha256>` in hex, readable by us only."""

    def __init__(self, folder: Path) -> None:
        """Keep files in `folder`, which is made when the first one comes."""
        self.folder = folder

    def keep(self, source: Source, name: str) -> Kept:
        """Take in a file, a piece at a time, and judge it by its bytes.

        source: read to its end, or up to one byte over the limit; name: as its owner called it.
        Returns what is kept.  Raises Invalid from `files.judge`; then nothing is left behind.  Blocks on the disk.
        """
        name = clean_name(name)

        def check(file: BinaryIO) -> Judged:
            return judge(file, name)

        found, size, sha256 = self._take(source, SIZE_MAX, check)
        return Kept(name, found.kind, size, sha256, found.pages)

    def keep_pdf(self, path: Path) -> Kept:
        """Take in what a converter made.  Raises as `keep`."""
        with path.open("rb") as source:
            return self.keep(source, "converted.pdf")

    def path(self, sha256: str) -> Path:
        """Return where a content lies.  Raises NotFound."""
        found = self.folder / sha256
        if not DIGEST.fullmatch(sha256) or not found.is_file():
            raise NotFound("plan.file_gone", N_("This file is no longer there."))
        return found

    def _take(self, source: Source, most: int, check: Callable[[BinaryIO], Judged]) -> tuple[Judged, int, str]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()
        arriving = self.folder / f"{ARRIVING}{new_id('new')}"
        try:
            with arriving.open("x+b") as file:
                arriving.chmod(0o600)
                size, sha256 = _copy(source, file, most)
                found = check(file)
                file.flush()
                os.fsync(file.fileno())
            arriving.replace(self.folder / sha256)
            return found, size, sha256
        finally:
            arriving.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove what a crash left half."""
        for path in self.folder.glob(f"{ARRIVING}*"):
            try:
                if time.time() - path.stat().st_mtime > STALE_S:
                    path.unlink()
            except FileNotFoundError:
                continue  # arrived meanwhile


def _copy(source: Source, file: BinaryIO, most: int) -> tuple[int, str]:
    """Copy, count and digest; stop at the first piece over `most` bytes.  Returns (bytes, SHA-256 in hex)."""
    size, summed = 0, hashlib.sha256()
    while chunk := source.read(CHUNK):
        size += len(chunk)
        if size > most:
            raise too_large()
        summed.update(chunk)
        file.write(chunk)
    return size, summed.hexdigest()
