"""The journal: one append-only, numbered, hash-chained row per event of a lecture.

The unique (lecture, seq) arbitrates between writers: whoever comes second gets `Behind`, reads
what it missed, and decides again. Each row carries the hash of the row before it, so an edited or
deleted row is found by `verify`. Rows carry ids, never names.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Integer, String, Text, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, Database
from core.errors import N_, Conflict

GENESIS = "0" * 64
CHUNK = 500  # ids in one query


class JournalRow(Base):
    """One event of one lecture."""

    __tablename__ = "journal"

    lecture_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    type: Mapped[str] = mapped_column(String(60))
    body: Mapped[str] = mapped_column(Text)  # canonical JSON, exactly the bytes that were hashed
    prev_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True)
class Entry:
    """A journal row as its readers see it: body is the event's JSON object without its type."""

    lecture_id: str
    seq: int
    at_ms: int
    type: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """The first place where a lecture's chain is broken."""

    lecture_id: str
    seq: int
    reason: str


class Behind(Conflict):
    """Somebody else wrote first: read the rows you missed and decide again."""


def chain_hash(prev_hash: str, lecture_id: str, seq: int, at_ms: int, kind: str, body: str) -> str:
    """Return the SHA-256 (64 hex digits) that binds a row to the row before it."""
    text = "\n".join((prev_hash, lecture_id, str(seq), str(at_ms), kind, body))
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(body: dict[str, Any]) -> str:
    """Return JSON with sorted keys and no spaces: one text for one value."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Journal:
    """Appends and reads; the only code that touches the table."""

    def __init__(self, db: Database) -> None:
        """Use `db` for every transaction."""
        self._db = db

    def append(
        self, lecture_id: str, after_seq: int, at_ms: int, events: Iterable[tuple[str, dict[str, Any]]]
    ) -> list[Entry]:
        """Write events after `after_seq`, all or none.

        after_seq: the last seq the caller has folded (0 for an empty journal);
        at_ms: milliseconds since 1970 UTC; events: (type, JSON body) pairs.
        Returns the entries written.  Raises Behind if the journal has grown meanwhile.
        """
        try:
            with self._db.transaction() as session:
                return self._write(session, lecture_id, after_seq, at_ms, list(events))
        except IntegrityError as error:
            raise self._behind(lecture_id) from error

    def _write(
        self, session: Session, lecture_id: str, after_seq: int, at_ms: int, events: list[tuple[str, dict[str, Any]]]
    ) -> list[Entry]:
        last = session.execute(
            select(JournalRow.seq, JournalRow.hash)
            .where(JournalRow.lecture_id == lecture_id)
            .order_by(JournalRow.seq.desc())
            .limit(1)
        ).first()
        seq, prev = (last.seq, last.hash) if last else (0, GENESIS)
        if seq != after_seq:
            raise self._behind(lecture_id)
        written = []
        for kind, body in events:
            seq += 1
            text = canonical(body)
            digest = chain_hash(prev, lecture_id, seq, at_ms, kind, text)
            session.add(
                JournalRow(
                    lecture_id=lecture_id, seq=seq, at_ms=at_ms, type=kind, body=text, prev_hash=prev, hash=digest
                )
            )
            written.append(Entry(lecture_id, seq, at_ms, kind, body))
            prev = digest
        session.flush()
        return written

    def _behind(self, lecture_id: str) -> Behind:
        return Behind(
            "journal.behind", N_("Something else happened at the same moment. Please try again."), lecture=lecture_id
        )

    def read(self, lecture_id: str, after_seq: int = 0) -> list[Entry]:
        """Return the entries with seq > after_seq, in order."""
        with self._db.reading() as session:
            rows = session.scalars(
                select(JournalRow)
                .where(JournalRow.lecture_id == lecture_id, JournalRow.seq > after_seq)
                .order_by(JournalRow.seq)
            )
            return [Entry(r.lecture_id, r.seq, r.at_ms, r.type, json.loads(r.body)) for r in rows]

    def lectures(self) -> list[str]:
        """Return the ids of all lectures that have a journal."""
        with self._db.reading() as session:
            return list(session.scalars(select(JournalRow.lecture_id).distinct().order_by(JournalRow.lecture_id)))

    def lectures_without(self, kind: str) -> list[str]:
        """Return the ids of the lectures whose journal has no entry of this type."""
        having = select(JournalRow.lecture_id).where(JournalRow.type == kind)
        begun = select(JournalRow.lecture_id).where(JournalRow.seq == 1, JournalRow.lecture_id.not_in(having))
        with self._db.reading() as session:
            return list(session.scalars(begun.order_by(JournalRow.lecture_id)))

    def lectures_with(self, kind: str, since_ms: int) -> list[str]:
        """Return the ids of the lectures that have an entry of this type at or after a moment.

        since_ms: milliseconds since 1970 UTC.
        """
        having = select(JournalRow.lecture_id).where(JournalRow.type == kind, JournalRow.at_ms >= since_ms)
        with self._db.reading() as session:
            return list(session.scalars(having.distinct().order_by(JournalRow.lecture_id)))

    def entries_of(self, kind: str, lecture_ids: Iterable[str]) -> list[Entry]:
        """Return the entries of one type of some lectures, those of each in order."""
        ids, found = sorted(set(lecture_ids)), []
        with self._db.reading() as session:
            for start in range(0, len(ids), CHUNK):
                rows = session.scalars(
                    select(JournalRow)
                    .where(JournalRow.type == kind, JournalRow.lecture_id.in_(ids[start : start + CHUNK]))
                    .order_by(JournalRow.lecture_id, JournalRow.seq)
                )
                found += [Entry(r.lecture_id, r.seq, r.at_ms, r.type, json.loads(r.body)) for r in rows]
        return found

    def verify(self, lecture_id: str) -> Fault | None:
        """Walk a lecture's chain.  Returns the first fault, or None when it is whole.

        A cut tail cannot be seen from the chain alone; compare `head` with a copy kept elsewhere.
        """
        with self._db.reading() as session:
            rows = session.scalars(
                select(JournalRow).where(JournalRow.lecture_id == lecture_id).order_by(JournalRow.seq)
            )
            return _first_fault(lecture_id, rows)

    def head(self, lecture_id: str) -> tuple[int, str]:
        """Return (last seq, its hash): print it on the signed register to pin the whole chain."""
        with self._db.reading() as session:
            row = session.execute(
                select(JournalRow.seq, JournalRow.hash)
                .where(JournalRow.lecture_id == lecture_id)
                .order_by(JournalRow.seq.desc())
                .limit(1)
            ).first()
            return (row.seq, row.hash) if row else (0, GENESIS)


def _first_fault(lecture_id: str, rows: Iterable[JournalRow] | Iterator[JournalRow]) -> Fault | None:
    expected, prev = 1, GENESIS
    for row in rows:
        if row.seq != expected:
            return Fault(lecture_id, expected, f"row {expected} is missing")
        if row.prev_hash != prev:
            return Fault(lecture_id, row.seq, "does not follow from the row before it")
        if row.hash != chain_hash(prev, row.lecture_id, row.seq, row.at_ms, row.type, row.body):
            return Fault(lecture_id, row.seq, "was changed after it was written")
        expected, prev = expected + 1, row.hash
    return None
