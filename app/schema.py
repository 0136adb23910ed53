"""The database's schema over time: bring it up to date, take it back, or write the next migration."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from core.db import Database

MIGRATIONS = Path(__file__).parent / "migrations"


def _config(connection: Connection | None = None) -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _migrating(db: Database) -> Iterator[Connection]:
    """Yield a connection whose changes are kept together, or not at all.

    SQLite changes a table by making it anew, and takes dropping the old one for deleting its rows: foreign
    keys are looked after at the end instead.  Source: sqlite.org/lang_altertable.html, section 7.
    """
    with db.engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        if db.is_sqlite:
            raw.execute("PRAGMA foreign_keys=OFF")  # has no effect within a transaction
        try:
            with connection.begin():
                yield connection
                if db.is_sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                    raise RuntimeError(f"a row of {broken[0]} refers to a row that is not there")
        finally:
            if db.is_sqlite:
                raw.execute("PRAGMA foreign_keys=ON")


def upgrade(db: Database, revision: str = "head") -> None:
    """Bring the database to a revision, all or nothing; one that is there already is left alone."""
    with _migrating(db) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(db: Database, revision: str = "base") -> None:
    """Take the database back to an older revision."""
    with _migrating(db) as connection:
        command.downgrade(_config(connection), revision)


def is_current(db: Database) -> bool:
    """Return whether the database has the schema this code expects."""
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head()


def head() -> str | None:
    """Return the newest revision."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def write_migration(db: Database, message: str, revision: str) -> None:
    """Write the migration from the database's schema to the models' into app/migrations/versions.

    message: what it does; revision: its number, such as `0002`.  Read it before you keep it.
    """
    with db.engine.begin() as connection:
        command.revision(_config(connection), message=message, rev_id=revision, autogenerate=True)
