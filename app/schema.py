"""The database's schema over time: bring it up to date, take it back, or write the next migration."""

from pathlib import Path

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


def upgrade(db: Database, revision: str = "head") -> None:
    """Bring the database to a revision, all or nothing; one that is there already is left alone."""
    with db.engine.begin() as connection:
        command.upgrade(_config(connection), revision)


def downgrade(db: Database, revision: str = "base") -> None:
    """Take the database back to an older revision."""
    with db.engine.begin() as connection:
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
