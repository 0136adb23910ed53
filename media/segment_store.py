"""The recording folder: whole files or none, and playlists that never get worse.

Each file is written under a temporary name, synced, and renamed; only then is it listed. When
the disk is full a segment is dropped and said so, what is listed stays playable, and recording
goes on by itself as soon as there is room.
"""

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from media import avc, playlist
from media.playlist import Rendition, Segment

FLOOR_BYTES = 64 * 1024 * 1024  # left free for the database and the playlists
SUFFIX = ".tmp"


@dataclass(frozen=True)
class Problem:
    """Something could not be written."""

    code: str  # `disk_full` or `write_failed`
    detail: str


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut.

    Raises OSError; then no temporary file is left and an earlier file is untouched.
    """
    part = path.with_name(path.name + SUFFIX)
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if os.fstat(file.fileno()).st_size != len(data) or not data:
                raise OSError(f"{path.name}: {len(data)} bytes were not kept")
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def rendition_of(init: bytes) -> Rendition | None:
    """Read codec and picture size from an init segment, or None when it holds no H.264.

    **Source:** ISO/IEC 14496-15 section 5.3.3 (avcC: five bytes, count, then size and SPS).
    """
    at = init.find(b"avcC")
    if at < 0 or len(init) < at + 12:
        return None
    (size,) = struct.unpack_from("!H", init, at + 10)
    try:
        picture = avc.picture_of(init[at + 12 : at + 12 + size])
    except avc.BadStream:
        return None
    return Rendition(picture.codec, picture.width, picture.height)


class SegmentStore:
    """One lecture's recording on disk."""

    def __init__(
        self, folder: Path, *, floor_bytes: int = FLOOR_BYTES, write: Callable[[Path, bytes], None] = write_whole
    ) -> None:
        """Open or continue a recording.

        folder: made when missing; floor_bytes: room that is never used up;
        write: puts one whole file there, raising OSError.
        """
        self.folder = folder
        self._program = folder / playlist.FOLDER
        self._floor = floor_bytes
        self._write = write
        self._program.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        self.segments, self._renditions, self._peak_bps = _read(folder)
        self._inits: dict[int, bytes] = {}
        self.problem: Problem | None = None

    @property
    def next_take(self) -> int:
        """Return the number of a take that is not on disk yet."""
        known = (playlist.parse_init(name) for name in os.listdir(self._program))
        return 1 + max((take for take in known if take is not None), default=-1)

    @property
    def origin_ms(self) -> int | None:
        """Return the wall clock that the recording's time line counts from, or None for a new one."""
        return self.segments[0].start_ms if self.segments else None

    def keep_init(self, take: int, data: bytes) -> None:
        """Remember a take's init segment; it is written together with the take's first segment."""
        self._inits[take] = data

    def add(self, start_ms: int, duration_ms: int, take: int, data: bytes) -> Segment | None:
        """Put a segment on disk and into the playlist.

        start_ms: wall clock since 1970.  Returns it, or None when it had to be dropped; then
        `problem` says why.
        """
        number = self.segments[-1].number + 1 if self.segments else 0
        segment = Segment(number, start_ms, duration_ms, take)
        try:
            self._check_room(len(data))
            if take in self._inits:
                self._write(self._program / playlist.init_name(take), self._inits[take])
                self._learn(self._inits.pop(take))
            self._write(self._program / segment.name, data)
            self.segments.append(segment)
            self._peak_bps = max(self._peak_bps, len(data) * 8000 // max(duration_ms, 1))
            self._list(ended=False)
        except OSError as error:
            self.problem = _problem(error)
            return segment if segment in self.segments else None
        self.problem = None
        return segment

    def finish(self) -> None:
        """Close the playlist: the replay is whole.  A failure is left in `problem`."""
        try:
            if self.segments:
                self._list(ended=True)
        except OSError as error:
            self.problem = _problem(error)

    def _list(self, *, ended: bool) -> None:
        text = playlist.playlist(self.segments, ended=ended)
        self._write(self.folder / playlist.PROGRAM, text.encode())
        text = playlist.master(self._renditions, self._peak_bps)
        path = self.folder / playlist.MASTER
        if not path.exists() or path.read_text() != text:
            self._write(path, text.encode())

    def _learn(self, init: bytes) -> None:
        rendition = rendition_of(init)
        if rendition is not None:
            self._renditions.append(rendition)

    def _check_room(self, size: int) -> None:
        disk = os.statvfs(self._program)
        if disk.f_bavail * disk.f_frsize < size + self._floor:
            raise OSError(28, "less room than must stay free")


def _problem(error: OSError) -> Problem:
    full = error.errno in (28, 122, 27)  # ENOSPC, EDQUOT, EFBIG
    return Problem("disk_full" if full else "write_failed", error.strerror or str(error))


def _sweep(folder: Path) -> None:
    """Remove what an earlier run had not finished writing."""
    for part in (*folder.glob(f"*{SUFFIX}"), *(folder / playlist.FOLDER).glob(f"*{SUFFIX}")):
        part.unlink(missing_ok=True)


def _read(folder: Path) -> tuple[list[Segment], list[Rendition], int]:
    """Return what is playable in a folder: segments, renditions, peak bit rate."""
    program = folder / playlist.FOLDER
    sizes = {entry.name: entry.stat().st_size for entry in os.scandir(program)} if program.is_dir() else {}
    segments = playlist.segments_of(name for name, size in sizes.items() if size)
    peak_bps = max((sizes[s.name] * 8000 // s.duration_ms for s in segments), default=0)
    renditions = []
    for take in sorted({segment.take for segment in segments}):
        rendition = rendition_of((program / playlist.init_name(take)).read_bytes())
        if rendition is not None:
            renditions.append(rendition)
    return segments, renditions, peak_bps


def finalise(folder: Path) -> bool:
    """Make a folder whose class is over a complete replay, from what is on disk.

    folder: one lecture's; may have been left by a killed recorder.  Returns whether there is
    anything to watch.  Does nothing when it is finished already.
    """
    listed = folder / playlist.PROGRAM
    if listed.exists() and "#EXT-X-ENDLIST" in listed.read_text():
        return True
    segments, renditions, peak_bps = _read(folder)
    if not segments:
        return False
    write_whole(listed, playlist.playlist(segments, ended=True).encode())
    write_whole(folder / playlist.MASTER, playlist.master(renditions, peak_bps).encode())
    return True
