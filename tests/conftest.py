"""Fixtures for everybody: a database, a clock that stands still, the whole app, a browser-like client."""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from app.tables import metadata
from core.bus import EventBus
from core.config import Config
from core.db import Database
from tests.browsing import Browser
from tests.fakes import FakeClock

# What starts processes and browsers and waits for them.
PROCESSES = ("tests/media/", "tests/browser/", "tests/flows/test_socket_", "tests/flows/test_whip",
             "tests/flows/test_booking_load", "tests/unit/app/")  # fmt: skip
# Of these, what waits for no more than it takes may share the cores; the others have media that flows, or load the
# machine themselves.
TOGETHER = ("tests/media/test_dashboard", "tests/media/test_lossy", "tests/media/test_node_pool",
            "tests/media/test_node_recording", "tests/media/test_recorder_", "tests/browser/test_board", "tests/browser/test_lecture_form",
            "tests/flows/test_socket_abuse", "tests/flows/test_socket_nodes", "tests/flows/test_socket_restart",
            "tests/flows/test_socket_rooms", "tests/unit/app/")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what may not share the machine with other tests, and what the machine can disturb, by where it stands.

    Real processes and browsers run on a machine that may stand still for seconds at any moment: what fails there is
    run again, up to twice, and the summary names it (`RERUN`).  A defect fails three times.
    """
    for item in items:
        if item.nodeid.startswith(PROCESSES):
            item.add_marker(pytest.mark.flaky(reruns=2))
            if not item.nodeid.startswith(TOGETHER):
                item.add_marker("alone")


@pytest.fixture
def clock() -> FakeClock:
    """Monday 2 March 2026, 08:00 in Vietnam (01:00 UTC)."""
    return FakeClock()


@pytest.fixture
def bus() -> EventBus:
    return EventBus()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database with every table."""
    yield from _fresh(f"sqlite:///{tmp_path / 'test.sqlite3'}")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """The same on SQLite and, where the server is there, on PostgreSQL."""
    if request.param == "sqlite":
        yield from _fresh(f"sqlite:///{tmp_path / 'test.sqlite3'}")
    else:
        with_schema = postgres_schema()
        yield from _fresh(next(with_schema))
        next(with_schema, None)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The URL of an empty PostgreSQL schema of this test's own."""
    yield from postgres_schema()


def postgres_schema() -> Iterator[str]:
    """Make an empty schema, yield a URL that sees only it, drop it.

    The server is named by TEST_DATABASE_URL, which `make test` sets; without it the test is skipped.
    """
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        pytest.skip("no PostgreSQL server: TEST_DATABASE_URL is not set (make test starts one)")
    schema = f"test_{secrets.token_hex(6)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        # once and for all schemas: PostgreSQL lets two that do it at the same time run into each other
        connection.execute(text("SELECT pg_advisory_lock(1)"))
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public"))
        connection.execute(text("SELECT pg_advisory_unlock(1)"))
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    try:
        url = make_url(server).update_query_dict({"options": f"-csearch_path={schema},public"})
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        engine.dispose()


def _fresh(url: str) -> Iterator[Database]:
    database = Database(url)
    metadata().create_all(database.engine)
    yield database
    database.engine.dispose()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data_dir=tmp_path, secret_key="test " * 8, testing=True, async_mode="threading", plan_required=False)


@pytest.fixture(scope="session")
def translations() -> None:
    """The compiled catalogue of the tree as it is."""
    from app.catalogue import compile_if_stale

    compile_if_stale()


@pytest.fixture
def app(config: Config, clock: FakeClock, translations: None) -> Iterator[Flask]:
    """The whole application on an empty SQLite database, its clock standing still, without a media node."""
    from app import create_app  # here, so that unit tests do not load the web application

    made = create_app(config, clock=clock)
    database: Database = made.extensions["db"]
    metadata().create_all(database.engine)
    made.test_client_class = Browser
    yield made
    database.engine.dispose()


@pytest.fixture
def client(app: Flask) -> Any:
    """A browser with no cookies; form posts carry the CSRF token unless `csrf=False` is said."""
    return app.test_client()


@pytest.fixture
def login(app: Flask) -> Callable[..., Any]:
    """`login("giangvien", password)` gives a browser in which this person has signed in."""

    def sign_in(name: str, password: str, browser: Any = None) -> Any:
        browser = browser or app.test_client()
        answer = browser.post("/login", data={"login": name, "password": password})
        assert answer.status_code == 302, answer.get_data(as_text=True)
        return browser

    return sign_in


@pytest.fixture
def school(app: Flask) -> Any:
    """A province with a person of every role, in the app's database; see tests/builders.py."""
    from tests.builders import make_school

    return make_school(app.extensions["schedules"])
