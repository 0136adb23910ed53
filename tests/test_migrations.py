"""The migrations make what the models say, on both databases, and can be taken back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

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


OLD_ROWS = (
    "INSERT INTO organisations (id, name) VALUES ('org_1', 'Tỉnh Quảng Trị')",
    "INSERT INTO organisations (id, name, parent_id) VALUES ('org_2', 'Xã Hướng Hóa', 'org_1')",
    "INSERT INTO users (id, login, password_hash, name, org_id, roles, locale, calendar_key) "
    "VALUES ('usr_1', 'thu', 'x', 'Lê Thị Thư', 'org_2', '[\"lecturer\"]', 'vi', 'k')",
    "INSERT INTO courses (id, title, audience, org_id) VALUES ('crs_1', 'Bồi dưỡng', '', 'org_1')",
    "INSERT INTO topics (id, course_id, position, title) VALUES ('top_1', 'crs_1', 0, 'Chuyển đổi số')",
    "INSERT INTO lectures (id, title, description, topic_id, lecturer_id, starts_at, ends_at, zone, status, uid, "
    "sequence, calendar_key, created_by, changed_at) VALUES ('lec_1', 'Buổi 1', '', 'top_1', 'usr_1', "
    "'2026-03-02 01:00:00', '2026-03-02 02:00:00', 'UTC', 'planned', 'u1', 0, 'k', 'usr_1', '2026-03-01 00:00:00')",
    "INSERT INTO bookings (id, lecture_id, kind, resource_id, starts_at, ends_at) "
    "VALUES ('bkg_1', 'lec_1', 'lecturer', 'usr_1', '2026-03-02 01:00:00', '2026-03-02 02:00:00')",
)


def test_what_was_there_before_the_timetable_is_kept_and_gets_what_new_rows_have(empty: Database) -> None:
    schema.upgrade(empty, "0002")
    with empty.transaction() as session:
        for row in OLD_ROWS:
            session.execute(text(row))
    for _ in range(2):  # there, back, and there again
        schema.upgrade(empty)
        with empty.reading() as session:
            assert session.execute(text("SELECT lecture_id, block_id FROM bookings")).all() == [("lec_1", None)]
            assert session.scalar(text("SELECT search_key FROM users")) == "le thi thu"
            keys = session.scalars(
                text("SELECT calendar_key FROM organisations UNION SELECT calendar_key FROM courses")
            )
            assert len({key for key in keys if len(key) == 24}) == 3
            past = session.execute(text("SELECT org_id, parent_id, until_at FROM organisation_past ORDER BY org_id"))
            assert past.all() == [("org_1", None, None), ("org_2", "org_1", None)]
        schema.downgrade(empty, "0002")


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


LECTURE_AT_TWO_POINTS = (
    "INSERT INTO bridge_points (id, name, place, capacity, org_id, calendar_key) "
    "VALUES ('bp_1', 'Đông Hà', '', 0, 'org_1', 'k'), ('bp_2', 'Khe Sanh', '', 0, 'org_2', 'k')",
    "INSERT INTO lecture_points (lecture_id, point_id, position) VALUES ('lec_1', 'bp_1', 0), ('lec_1', 'bp_2', 1)",
)


def test_lectures_of_before_get_the_organisations_of_today(empty: Database) -> None:
    schema.upgrade(empty, "0002")
    with empty.transaction() as session:
        for row in OLD_ROWS:
            session.execute(text(row))
    schema.upgrade(empty, "0003")
    with empty.transaction() as session:
        for row in LECTURE_AT_TWO_POINTS:
            session.execute(text(row))
    for _ in range(2):  # there, back, and there again
        schema.upgrade(empty)
        with empty.reading() as session:
            places = session.execute(text("SELECT point_id, org_id FROM lecture_points ORDER BY position")).all()
            assert places == [("bp_1", "org_1"), ("bp_2", "org_2")]
            assert session.scalar(text("SELECT lecturer_org_id FROM lectures")) == "org_2"
        schema.downgrade(empty, "0003")
