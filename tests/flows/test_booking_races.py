"""What one person decides about a lecture while another is in the middle of writing it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError

from core.bus import EventBus
from core.db import Database
from core.errors import Conflict, Unavailable
from schedules.models import Booking
from schedules.registry.place_service import Points
from schedules.service import ScheduleService
from tests.builders import School, make_school
from tests.fakes import FakeClock

EIGHT = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)  # Tuesday 08:00 in Vietnam
HOUR = timedelta(hours=1)

Step = Callable[[ScheduleService], object]


@pytest.fixture
def school(any_db: Database, bus: EventBus, clock: FakeClock) -> School:
    return make_school(ScheduleService(any_db, bus, clock))


@pytest.fixture
def second(any_db: Database, clock: FakeClock) -> Iterator[ScheduleService]:
    """The service of another process, which does not wait long for locks."""
    other = Database(any_db.engine.url.render_as_string(hide_password=False))

    @event.listens_for(other.engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=1" if other.is_sqlite else "SET lock_timeout = '50ms'")
        cursor.close()
        if not other.is_sqlite:
            connection.commit()

    yield ScheduleService(other, EventBus(), clock)
    other.engine.dispose()


@contextmanager
def at_the_first(db: Database, statement: str, step: Callable[[], object]) -> Iterator[None]:
    """Let somebody else try a step when a transaction is about to write; what it began with it has read by then."""
    tried: list[str] = []

    def before_write(*args: Any) -> None:
        if not tried and args[2].startswith(statement):
            tried.append(args[2])
            step()

    event.listen(db.engine, "before_cursor_execute", before_write)
    try:
        yield
    finally:
        event.remove(db.engine, "before_cursor_execute", before_write)
    assert tried


def held(db: Database, now: datetime) -> int:
    with db.reading() as s:
        return (
            s.scalar(
                select(func.count())
                .select_from(Booking)
                .where(Booking.ends_at > now, Booking.starts_at < Booking.ends_at)
            )
            or 0
        )


def race(db: Database, statement: str, first: Step, second: Step, services: tuple[ScheduleService, ...]) -> list[str]:
    """Let the first be about to write while the second tries, then let the second try again.

    Returns how it went for the second: both times.
    """
    went: list[str] = []

    def attempt() -> None:
        try:
            second(services[1])
            went.append("done")
        except (OperationalError, Unavailable):
            went.append("kept waiting")
        except Conflict as error:
            went.append(error.code)

    with at_the_first(db, statement, attempt):
        first(services[0])
    attempt()
    return went


def test_who_cancels_while_another_moves_the_lecture_waits_and_is_told(
    school: School, any_db: Database, second: ScheduleService
) -> None:
    lecture, by = school.lecture(EIGHT), school.organiser.id
    went = race(
        any_db,
        "DELETE FROM lecture_points",
        lambda service: service.update_lecture(lecture.id, school.draft(EIGHT + HOUR), by, sequence=0),
        lambda service: service.cancel_lecture(lecture.id, by, sequence=0),
        (school.schedules, second),
    )
    assert went == ["kept waiting", "lecture.changed_meanwhile"]
    now = school.schedules.lecture(lecture.id)
    assert (now.status, now.starts_at, now.sequence) == ("planned", EIGHT + HOUR, 1)
    school.schedules.cancel_lecture(lecture.id, by, sequence=1)
    assert held(any_db, EIGHT - HOUR) == 0


def test_who_moves_a_lecture_while_another_cancels_it_waits_and_is_told(
    school: School, any_db: Database, second: ScheduleService
) -> None:
    lecture, by = school.lecture(EIGHT), school.organiser.id
    went = race(
        any_db,
        "UPDATE lectures",
        lambda service: service.cancel_lecture(lecture.id, by, sequence=0),
        lambda service: service.update_lecture(lecture.id, school.draft(EIGHT + HOUR), by),
        (school.schedules, second),
    )
    assert went == ["kept waiting", "lecture.not_planned"]
    assert school.schedules.lecture(lecture.id).status == "cancelled"
    assert held(any_db, EIGHT - HOUR) == 0


def test_a_class_that_ends_while_another_moves_it_leaves_nothing_held(
    school: School, any_db: Database, second: ScheduleService
) -> None:
    lecture, by = school.lecture(EIGHT), school.organiser.id
    went = race(
        any_db,
        "DELETE FROM lecture_points",
        lambda service: service.update_lecture(lecture.id, school.draft(EIGHT + HOUR), by),
        lambda service: service.mark(lecture.id, "ended"),
        (school.schedules, second),
    )
    assert went == ["kept waiting", "done"]
    assert school.schedules.lecture(lecture.id).status == "ended"
    assert held(any_db, EIGHT) == 0


def test_a_lecture_that_goes_live_while_another_cancels_it_stays_cancelled(
    school: School, any_db: Database, second: ScheduleService
) -> None:
    lecture, by = school.lecture(EIGHT), school.organiser.id
    school.schedules.mark(lecture.id, "open")
    went = race(
        any_db,
        "UPDATE lectures",
        lambda service: service.cancel_lecture(lecture.id, by),
        lambda service: service.mark(lecture.id, "live"),
        (school.schedules, second),
    )
    assert went == ["kept waiting", "lecture.wrong_status"]
    assert school.schedules.lecture(lecture.id).status == "cancelled"


def test_a_lecture_that_is_cancelled_while_it_goes_live_stays_live(
    school: School, any_db: Database, second: ScheduleService
) -> None:
    lecture, by = school.lecture(EIGHT), school.organiser.id
    school.schedules.mark(lecture.id, "open")
    went = race(
        any_db,
        "UPDATE lectures",
        lambda service: service.mark(lecture.id, "live"),
        lambda service: service.cancel_lecture(lecture.id, by),
        (school.schedules, second),
    )
    assert went == ["kept waiting", "lecture.wrong_status"]
    assert school.schedules.lecture(lecture.id).status == "live"
    assert held(any_db, EIGHT) == 7


def test_a_class_that_ends_while_a_point_is_given_free_holds_nothing_afterwards(
    school: School, any_db: Database, second: ScheduleService, clock: FakeClock
) -> None:
    lecture = school.lecture(EIGHT)
    school.schedules.mark(lecture.id, "live")
    clock.set(EIGHT + timedelta(minutes=30))
    went = race(
        any_db,
        "UPDATE lecture_points",
        lambda service: service.release_point(lecture.id, school.a.id),
        lambda service: service.mark(lecture.id, "ended"),
        (school.schedules, second),
    )
    assert went == ["kept waiting", "done"]
    assert school.schedules.lecture(lecture.id).released == (school.a.id,)
    assert held(any_db, clock.now()) == 0


def test_a_point_is_not_retired_while_somebody_plans_a_lecture_there(
    school: School, any_db: Database, second: ScheduleService, clock: FakeClock
) -> None:
    went = race(
        any_db,
        "INSERT INTO lectures",
        lambda service: service.create_lecture(school.draft(EIGHT), school.organiser.id),
        lambda service: Points(service._db, clock).retire(school.a.id),
        (school.schedules, second),
    )
    assert went == ["kept waiting", "registry.booked"]
    assert held(any_db, EIGHT) == 7
