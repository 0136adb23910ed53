"""The small parts everything stands on: bus, ids, clock, errors, times in the database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from core.bus import EventBus
from core.clock import SystemClock, from_ms, to_ms
from core.db import Base, Database, UtcDateTime
from core.errors import AppError, Conflict, Invalid, NotAllowed, NotFound, Unavailable
from core.ids import ALPHABET, new_id
from core.journal import Journal
from core.permissions import ACTIONS, ROLES, TABLE, any_may, may, require


class Happened:
    pass


class SomethingElse(Happened):
    pass


def test_a_listener_hears_its_kind_and_what_is_derived_from_it() -> None:
    bus, general, special = EventBus(), [], []
    bus.subscribe(Happened, general.append)
    bus.subscribe(SomethingElse, special.append)
    bus.publish(Happened())
    bus.publish(SomethingElse())
    bus.publish("nobody listens to this")
    assert (len(general), len(special)) == (2, 1)


def test_listeners_hear_in_the_order_in_which_they_came() -> None:
    bus, heard = EventBus(), []
    for name in "abc":
        bus.subscribe(Happened, lambda event, name=name: heard.append(name))
    bus.publish(Happened())
    assert heard == ["a", "b", "c"]


def test_a_failing_listener_is_logged_and_the_others_still_hear(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: Happened) -> None:
        raise ValueError("broken")

    bus, heard = EventBus(), []
    bus.subscribe(Happened, fail)
    bus.subscribe(Happened, heard.append)
    bus.publish(Happened())
    assert len(heard) == 1
    assert "listener failed" in caplog.text


def test_ids_name_their_kind_and_never_repeat() -> None:
    ids = {new_id("lec") for _ in range(10_000)}
    assert len(ids) == 10_000
    assert all(i.startswith("lec_") and len(i) == 20 and set(i[4:]) <= set(ALPHABET) for i in ids)


def test_the_clock_tells_aware_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 4_102_444_800_000))
def test_milliseconds_go_there_and_back(at_ms: int) -> None:
    assert to_ms(from_ms(at_ms)) == at_ms


def test_a_moment_is_one_number_in_every_zone() -> None:
    hanoi = datetime(2026, 3, 2, 8, 0, tzinfo=timezone(timedelta(hours=7)))
    assert to_ms(hanoi) == to_ms(datetime(2026, 3, 2, 1, 0, tzinfo=UTC)) == 1_772_413_200_000


def test_an_error_has_a_code_for_programs_and_a_sentence_for_people() -> None:
    error = Conflict("floor.taken", "%(name)s has the floor.", name="Điểm cầu Đông Hà")
    assert str(error) == "floor.taken: Điểm cầu Đông Hà has the floor."
    assert str(Invalid("a.b", "100 % sure.")) == "a.b: 100 % sure."


@pytest.mark.parametrize(
    ("kind", "status"), [(Invalid, 422), (NotAllowed, 403), (NotFound, 404), (Conflict, 409), (Unavailable, 503)]
)
def test_each_kind_of_error_has_its_status(kind: type[AppError], status: int) -> None:
    assert kind("a.b", "A sentence.").status == status


def test_every_action_has_a_row_and_every_role_is_known() -> None:
    assert set(TABLE) == set(ACTIONS)
    assert all(allowed and allowed <= set(ROLES) for allowed in TABLE.values())


def test_whoever_is_nobody_may_do_nothing() -> None:
    assert not any(any_may(frozenset(), action) for action in ACTIONS)
    with pytest.raises(NotAllowed) as refused:
        require((), "floor.grant")
    assert refused.value.code == "permission.denied"
    assert may("lecturer", "floor.grant")
    require(("learner", "lecturer"), "floor.grant")


def test_a_naive_time_is_refused_and_an_aware_one_comes_back_in_utc() -> None:
    column = UtcDateTime()
    with pytest.raises(ValueError, match="naive"):
        column.process_bind_param(datetime(2026, 3, 2), None)  # type: ignore[arg-type]
    hanoi = datetime(2026, 3, 2, 8, 0, tzinfo=timezone(timedelta(hours=7)))
    assert column.process_bind_param(hanoi, None) == datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # type: ignore[arg-type]
    assert column.process_result_value(datetime(2026, 3, 2), None) == datetime(2026, 3, 2, tzinfo=UTC)  # type: ignore[arg-type]
    assert column.process_bind_param(None, None) is None  # type: ignore[arg-type]
    assert column.process_result_value(None, None) is None  # type: ignore[arg-type]


def test_a_transaction_that_fails_leaves_nothing(any_db: Database) -> None:
    with any_db.transaction() as session:
        session.execute(text("CREATE TABLE scratch (x INTEGER)"))

    def fail() -> None:
        with any_db.transaction() as session:
            session.execute(text("INSERT INTO scratch VALUES (1)"))
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError):
        fail()
    with any_db.reading() as session:
        assert session.execute(text("SELECT count(*) FROM scratch")).scalar_one() == 0


def test_a_writer_waits_for_the_writers_of_its_own_process_however_many(tmp_path: Path) -> None:
    """50 at once overran SQLite's busy timeout on a loaded machine: they queue before they reach it."""
    db = Database(f"sqlite:///{tmp_path / 'busy.sqlite3'}")
    Base.metadata.create_all(db.engine)
    journal = Journal(db)

    def write(n: int) -> int:
        return journal.append(f"lec_{n}", 0, 1, [("written", {})])[0].seq

    with ThreadPoolExecutor(50) as crowd:
        assert list(crowd.map(write, range(200))) == [1] * 200


def test_a_database_held_by_another_process_is_said_to_be_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.db.BUSY_TIMEOUT_MS", 50)
    one, other = (Database(f"sqlite:///{tmp_path / 'held.sqlite3'}") for _ in range(2))
    with one.transaction(), pytest.raises(Unavailable) as caught, other.transaction():
        pass
    assert caught.value.code == "database.busy"
