"""The migrations make what the models say, on both databases, and can be taken back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from app import schema
from app.tables import metadata
from core.db import Database
from tests.conftest import postgres_schema


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    urls = postgres_schema() if request.param == "postgresql" else iter([f"sqlite:///{tmp_path / 'empty.sqlite3'}"])
    database = Database(next(urls))
    yield database
    database.engine.dispose()
    next(urls, None)


def tables(db: Database) -> set[str]:
    return set(inspect(db.engine).get_table_names())


def test_a_migrated_database_is_what_the_models_say(empty: Database) -> None:
    schema.upgrade(empty)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata()) == [], "write the next migration: python -m app migration"
    assert schema.is_current(empty)


def test_migrating_twice_changes_nothing(empty: Database) -> None:
    schema.upgrade(empty)
    before = tables(empty)
    schema.upgrade(empty)
    assert tables(empty) == before


def test_migrations_can_be_taken_back(empty: Database) -> None:
    schema.upgrade(empty)
    schema.downgrade(empty)
    assert tables(empty) == {"alembic_version"}
    assert not schema.is_current(empty)
    schema.upgrade(empty)
    assert schema.is_current(empty)


def test_a_database_without_schema_is_not_current(empty: Database) -> None:
    assert not schema.is_current(empty)


def test_foreign_keys_are_enforced_on_both(empty: Database) -> None:
    from sqlalchemy.exc import IntegrityError

    from schedules.models import Topic

    schema.upgrade(empty)
    with pytest.raises(IntegrityError), empty.transaction() as session:
        session.add(Topic(id="top_1", course_id="crs_none", position=0, title="x"))


@pytest.mark.postgres
def test_the_database_itself_refuses_a_double_booking(postgres_url: str) -> None:
    database = Database(postgres_url)
    schema.upgrade(database)
    with database.engine.connect() as connection:
        names = connection.exec_driver_sql("SELECT conname FROM pg_constraint WHERE contype = 'x'").scalars().all()
    database.engine.dispose()
    assert "bookings_no_overlap" in names
