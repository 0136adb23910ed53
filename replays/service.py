"""Replays: what was kept of a lecture, what happened in it, and where each viewer stopped."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.clock import Clock
from core.db import Database
from core.errors import N_, Invalid, NotFound
from core.journal import Journal
from replays.chapters import Chapter, Moment, chapters
from replays.facts import Coverage, Recorded, coverage, read_playlist
from replays.models import WatchPosition
from replays.timeline import ids_of, moments, wire
from rooms.events import LectureEnded, LectureStarted

LECTURE_ID = re.compile(r"[a-z]+_[0-9a-z]{1,36}")
FILE = re.compile(r"(?:master|program)\.m3u8|program/(?:init_\d{1,6}\.mp4|\d{6,12}_\d{1,16}_\d{1,8}_\d{1,6}\.m4s)")
PLAYLIST = "program.m3u8"
LONGEST_MS = 24 * 3600 * 1000  # of a recording


@dataclass(frozen=True)
class Replay:
    """Everything the replay page is made of, but names."""

    recorded: Recorded
    started_ms: int | None
    ended_ms: int | None
    entries: list[dict[str, Any]]
    chapters: list[Chapter]
    ids: set[str]  # whose names the page needs

    @property
    def coverage(self) -> Coverage | None:
        """Return how much of the class was kept, or None while it goes on."""
        if self.started_ms is None or self.ended_ms is None:
            return None
        return coverage(self.recorded, self.started_ms, self.ended_ms)


class ReplayService:
    """Reads recordings and journals; keeps positions."""

    def __init__(self, db: Database, recordings_dir: Path, clock: Clock) -> None:
        """Use one folder per lecture in `recordings_dir`, which the media node writes."""
        self._db = db
        self._journal = Journal(db)
        self._recordings_dir = recordings_dir
        self._clock = clock

    def replay(self, lecture_id: str) -> Replay:
        """Return a lecture's replay as far as there is one."""
        numbered = moments(self._journal.read(lecture_id))
        only = [moment for _, moment in numbered]
        return Replay(
            recorded=self.recorded(lecture_id),
            started_ms=_first(only, LectureStarted),
            ended_ms=_first(only, LectureEnded),
            entries=wire(numbered),
            chapters=chapters(only),
            ids=ids_of(numbered),
        )

    def recorded(self, lecture_id: str) -> Recorded:
        """Return what the lecture's playlist says; nothing when there is none."""
        try:
            return read_playlist((self._folder(lecture_id) / PLAYLIST).read_text("utf-8"))
        except FileNotFoundError:
            return Recorded()

    def file(self, lecture_id: str, name: str) -> Path:
        """Return a file of a recording.

        name: relative to the lecture's folder.  Raises NotFound for anything but a playlist, an init
        or a segment that is there.
        """
        path = self._folder(lecture_id) / name
        if not FILE.fullmatch(name) or not path.is_file():
            raise NotFound("recording.no_such_file", N_("There is no such part of a recording."))
        return path

    def _folder(self, lecture_id: str) -> Path:
        if not LECTURE_ID.fullmatch(lecture_id):
            raise NotFound("recording.no_such_file", N_("There is no such part of a recording."))
        return self._recordings_dir / lecture_id

    # ---- where viewers stopped ----

    def position(self, user_id: str, lecture_id: str) -> int:
        """Return where somebody stopped, in milliseconds of the recording; 0 for a new viewer."""
        with self._db.reading() as session:
            kept = session.get(WatchPosition, (user_id, lecture_id))
            return kept.position_ms if kept else 0

    def keep_position(self, user_id: str, lecture_id: str, position_ms: int) -> None:
        """Remember where somebody is.

        position_ms: milliseconds of the recording.  Raises Invalid when no recording is that long.
        """
        if not 0 <= position_ms <= LONGEST_MS:
            raise Invalid("replay.bad_position", N_("This is not a place in a recording."))
        with self._db.transaction() as session:
            now = self._clock.now()
            session.merge(
                WatchPosition(user_id=user_id, lecture_id=lecture_id, position_ms=position_ms, updated_at=now)
            )


def _first(moments_of: Iterable[Moment], kind: type) -> int | None:
    return next((moment.at_ms for moment in moments_of if isinstance(moment.event, kind)), None)
