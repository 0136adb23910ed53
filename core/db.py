"""The database: engine, declarative base, aware-UTC column, and the two kinds of transaction."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Column, DateTime, Dialect, Engine, MetaData, Table, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from core.errors import N_, Unavailable

BUSY_TIMEOUT_MS = 2000  # SQLite only: how long one writer waits for another before it gives up


class Base(DeclarativeBase):
    """Parent of every table."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware UTC in Python, refused when naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware datetime into UTC; a naive one is a programming error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime: give it a time zone first")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give SQLite's naive values their UTC back."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Database:
    """One engine and the transactions on it."""

    def __init__(self, url: str) -> None:
        """Open the database.

        url: SQLAlchemy URL, SQLite or PostgreSQL (`postgresql+psycopg://`).
        """
        if url.startswith("postgresql://"):
            url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        self.engine: Engine = create_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._writing = threading.RLock()
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        if self.is_sqlite:
            _prepare_sqlite(self.engine)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Yield a session whose changes are committed together, or not at all.

        Keep it short and do no network or file work inside: on SQLite it holds the only write
        lock (BEGIN IMMEDIATE), and under green threads a waiting writer stops everybody.
        """
        if not self.is_sqlite:
            with self._sessions() as session:
                yield session
                session.commit()
            return
        # Writers of one process queue here; only other processes are waited for in SQLite itself.
        with self._writing, self._sessions() as session:
            try:
                session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
            except OperationalError as error:
                raise Unavailable("database.busy", N_("The server is very busy. Please try again.")) from error
            yield session
            session.commit()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a session for reading; nothing is committed."""
        with self._sessions() as session:
            yield session

    @contextmanager
    def trying(self, tables: Iterable[type[Base]]) -> Iterator[Session]:
        """Yield a session in which changes of some tables can be tried; nothing of them is kept.

        tables: all that may be written to.  On SQLite copies of them are written to, so that others may write
        meanwhile; a copy refuses what its original does, but for rows that name others which are not there.
        """
        with self._sessions() as session:
            if self.is_sqlite:
                for table in tables:
                    _shadow(session, cast(Table, table.__table__))
            yield session
            session.rollback()


def _shadow(session: Session, table: Table) -> None:
    """Put a copy of a table before it until the transaction ends: SQLite looks for a name in `temp` first.

    **Source:** https://www.sqlite.org/lang_naming.html.  The copy has no foreign keys, which cannot lead elsewhere.
    """
    columns = [
        Column(c.name, c.type, primary_key=c.primary_key, nullable=c.nullable, unique=c.unique, index=c.index)
        for c in table.columns
    ]
    Table(table.name, MetaData(), *columns, prefixes=["TEMPORARY"]).create(session.connection())
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    session.execute(text(f'INSERT INTO temp."{table.name}" ({names}) SELECT {names} FROM main."{table.name}"'))


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, see below
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")
