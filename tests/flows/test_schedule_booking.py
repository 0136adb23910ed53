"""From a wish to a lecture in the timetable: all it needs is held, or nothing is."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from core.bus import EventBus
from core.db import Database
from core.errors import Conflict, Invalid, NotFound
from schedules.events import LectureCancelled, LectureChanged, LectureScheduled
from schedules.models import Booking, Lecture
from schedules.service import BookingClash, ScheduleService
from tests.builders import School, make_school
from tests.fakes import FakeClock

EIGHT = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)  # Tuesday 08:00 in Vietnam
RACERS = 50


@pytest.fixture
def school(any_db: Database, bus: EventBus, clock: FakeClock) -> School:
    return make_school(ScheduleService(any_db, bus, clock))


@pytest.fixture
def told(bus: EventBus) -> list[Any]:
    events: list[Any] = []
    for kind in (LectureScheduled, LectureChanged, LectureCancelled):
        bus.subscribe(kind, events.append)
    return events


def booked(db: Database) -> int:
    with db.reading() as s:
        return s.scalar(select(func.count()).select_from(Booking)) or 0


def test_a_lecture_holds_its_points_their_equipment_and_the_lecturer(
    school: School, any_db: Database, told: list[Any]
) -> None:
    lecture = school.lecture(EIGHT)
    assert booked(any_db) == 3 + 3 + 1
    assert (lecture.main_point_id, lecture.point_ids) == (school.main.id, (school.a.id, school.b.id))
    assert (lecture.status, lecture.sequence) == ("planned", 0)
    assert told == [LectureScheduled(lecture, school.organiser.id)]
    assert school.schedules.organisations_of_lecture(lecture.id) == {school.province, school.centre}


def test_one_taken_point_refuses_the_whole_lecture_and_leaves_no_trace(
    school: School, any_db: Database, told: list[Any]
) -> None:
    school.lecture(EIGHT, title="Cải cách hành chính", point_ids=(school.a.id,))
    before, told[:] = booked(any_db), []
    with pytest.raises(BookingClash) as refused:
        school.lecture(
            EIGHT + timedelta(minutes=30),
            lecturer_id=school.other_lecturer.id,
            main_point_id=school.b.id,
            point_ids=(school.a.id,),
        )
    assert str(refused.value) == (
        "booking.clash: The bridge point Hướng Hóa is already taken by “Cải cách hành chính”, 08:00–09:30, 03/03/2026."
    )
    assert len(refused.value.clashes) == 1
    assert booked(any_db) == before
    assert told == []
    with any_db.reading() as s:
        assert s.scalar(select(func.count()).select_from(Lecture)) == 1


def test_the_lecturer_cannot_be_in_two_classes(school: School) -> None:
    school.lecture(EIGHT, point_ids=(school.a.id,))
    with pytest.raises(BookingClash) as refused:
        school.lecture(EIGHT, main_point_id=school.b.id, point_ids=(school.main.id,))
    assert [clash.kind for clash in refused.value.clashes] == ["point", "lecturer"]
    assert "Nguyễn Thị Minh" in refused.value.clashes[1].resource


def test_equipment_carried_to_another_point_clashes_although_both_halls_are_free(school: School) -> None:
    (carried,) = school.schedules.equipment(school.a.id)
    school.lecture(EIGHT, point_ids=(school.a.id,))
    with pytest.raises(BookingClash) as refused:
        school.schedules.create_lecture(
            replace(
                school.draft(EIGHT, lecturer_id=school.other_lecturer.id, main_point_id=school.b.id),
                point_ids=(school.schedules.add_point("Cam Lộ", school.centre).id,),
                equipment=((school.b.id, carried.id),),
            ),
            school.organiser.id,
        )
    assert [(clash.kind, clash.resource) for clash in refused.value.clashes] == [("equipment", carried.name)]


def test_the_next_lecture_may_start_when_the_one_before_ends(school: School) -> None:
    first = school.lecture(EIGHT, minutes=90)
    second = school.lecture(EIGHT + timedelta(minutes=90))
    assert first.ends_at == second.starts_at


def test_a_lecture_that_ends_early_frees_its_points_at_once(school: School, clock: FakeClock) -> None:
    lecture = school.lecture(EIGHT, minutes=90)
    for status in ("open", "live"):
        school.schedules.mark(lecture.id, status)
    clock.set(EIGHT + timedelta(minutes=40))
    school.schedules.mark(lecture.id, "ended")
    school.lecture(EIGHT + timedelta(minutes=40))


def test_a_cancelled_lecture_frees_everything_and_stays_cancelled(school: School, told: list[Any]) -> None:
    lecture = school.lecture(EIGHT)
    cancelled = school.schedules.cancel_lecture(lecture.id, school.organiser.id)
    assert (cancelled.status, cancelled.sequence, cancelled.uid) == ("cancelled", 1, lecture.uid)
    school.schedules.cancel_lecture(lecture.id, school.organiser.id)  # twice is once
    assert [type(event) for event in told] == [LectureScheduled, LectureCancelled]
    school.lecture(EIGHT)
    with pytest.raises(Conflict, match=r"lecture\.wrong_status"):
        school.schedules.mark(lecture.id, "open")


def test_a_lecture_called_off_in_its_lobby_stays_so_when_the_room_closes(school: School) -> None:
    lecture = school.lecture(EIGHT)
    school.schedules.mark(lecture.id, "open")
    school.schedules.cancel_lecture(lecture.id, school.organiser.id)
    school.schedules.mark(lecture.id, "ended")
    assert school.schedules.lecture(lecture.id).status == "cancelled"


def test_a_move_keeps_the_uid_raises_the_sequence_and_frees_the_old_time(school: School, told: list[Any]) -> None:
    lecture = school.lecture(EIGHT)
    moved = school.schedules.update_lecture(
        lecture.id, school.draft(EIGHT + timedelta(hours=1), point_ids=(school.b.id, school.a.id)), school.organiser.id
    )
    assert (moved.uid, moved.sequence) == (lecture.uid, 1)
    assert moved.point_ids == (school.b.id, school.a.id)
    assert told[-1] == LectureChanged(moved, lecture, school.organiser.id)
    school.lecture(EIGHT, minutes=60)


def test_a_move_onto_a_taken_time_changes_nothing(school: School, any_db: Database) -> None:
    school.lecture(EIGHT)
    other = school.lecture(EIGHT + timedelta(hours=3))
    before = booked(any_db)
    with pytest.raises(BookingClash):
        school.schedules.update_lecture(other.id, school.draft(EIGHT), school.organiser.id)
    assert school.schedules.lecture(other.id) == other
    assert booked(any_db) == before


def test_a_lecture_may_be_moved_within_its_own_time(school: School) -> None:
    lecture = school.lecture(EIGHT)
    school.schedules.update_lecture(lecture.id, school.draft(EIGHT + timedelta(minutes=30)), school.organiser.id)


def test_what_has_begun_cannot_be_replanned_or_called_off(school: School) -> None:
    lecture = school.lecture(EIGHT)
    school.schedules.mark(lecture.id, "open")
    school.schedules.mark(lecture.id, "live")
    with pytest.raises(Conflict, match=r"lecture\.not_planned"):
        school.schedules.update_lecture(lecture.id, school.draft(EIGHT), school.organiser.id)
    with pytest.raises(Conflict, match=r"lecture\.wrong_status"):
        school.schedules.cancel_lecture(lecture.id, school.organiser.id)


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"topic_id": "top_0"}, NotFound, "topic.unknown"),
        ({"lecturer_id": "usr_0"}, NotFound, "user.unknown"),
        ({"main_point_id": "bp_0"}, NotFound, "point.unknown"),
        ({"point_ids": ("bp_0",)}, NotFound, "point.unknown"),
        ({"zone": "Mars/Phobos"}, Invalid, "lecture.unknown_zone"),
        ({"ends_at": EIGHT - timedelta(hours=1)}, Invalid, "lecture.ends_before_start"),
    ],
)
def test_a_draft_that_names_nothing_real_is_refused(
    school: School, any_db: Database, changes: dict[str, object], kind: type[Exception], code: str
) -> None:
    with pytest.raises(kind) as refused:
        school.lecture(EIGHT, **changes)
    assert getattr(refused.value, "code", None) == code
    assert booked(any_db) == 0


def test_only_a_lecturer_can_teach(school: School) -> None:
    with pytest.raises(Invalid, match=r"lecture\.not_a_lecturer"):
        school.lecture(EIGHT, lecturer_id=school.learner.id)


def test_lobbies_are_due_fifteen_minutes_before_and_classes_overdue_half_an_hour_after(school: School) -> None:
    lecture, service = school.lecture(EIGHT, minutes=60), school.schedules
    assert service.due(EIGHT - timedelta(minutes=15, seconds=1), 15) == []
    assert [due.id for due in service.due(EIGHT - timedelta(minutes=15), 15)] == [lecture.id]
    assert service.due(lecture.ends_at, 15) == []  # too late: nobody was there
    service.mark(lecture.id, "open")
    assert service.due(EIGHT, 15) == []
    assert service.overdue(lecture.ends_at + timedelta(minutes=29)) == []
    assert [over.id for over in service.overdue(lecture.ends_at + timedelta(minutes=30))] == [lecture.id]


def test_a_point_knows_what_is_on_and_what_comes_next(school: School) -> None:
    service, first, second = school.schedules, school.lecture(EIGHT), school.lecture(EIGHT + timedelta(hours=4))
    assert service.at_point(school.a.id, EIGHT) == (None, first)
    service.mark(first.id, "open")
    current, following = service.at_point(school.a.id, EIGHT)
    assert (current and current.id, following and following.id) == (first.id, second.id)
    assert service.lecture_for_point(school.a.id, EIGHT) == service.lecture(first.id)
    assert service.lecture_for_point("bp_0", EIGHT) is None


def race(services: list[ScheduleService], draft: Any, by: str) -> list[str]:
    """Let fifty people book the same at once; they are spread over the services."""
    start = Barrier(RACERS)

    def book(n: int) -> str:
        start.wait()
        try:
            return services[n % len(services)].create_lecture(draft, by).status
        except BookingClash as refused:
            return refused.code

    with ThreadPoolExecutor(RACERS) as racers:
        return [each.result() for each in [racers.submit(book, n) for n in range(RACERS)]]


@pytest.mark.parametrize("processes", [1, 2])
def test_of_fifty_who_book_the_same_slot_exactly_one_wins(
    school: School, any_db: Database, clock: FakeClock, processes: int
) -> None:
    """With two services nothing but the database stands between them; on PostgreSQL, as between two web processes."""
    services = [ScheduleService(any_db, EventBus(), clock) for _ in range(processes)]
    results = race(services, school.draft(EIGHT), school.organiser.id)
    assert sorted(results) == sorted(["planned"] + ["booking.clash"] * (RACERS - 1))
    assert booked(any_db) == 7


@pytest.mark.postgres
def test_postgresql_itself_refuses_an_overlap_from_a_writer_who_did_not_look(
    postgres_url: str, bus: EventBus, clock: FakeClock
) -> None:
    db = Database(postgres_url)
    from app.tables import metadata

    metadata().create_all(db.engine)
    try:
        school = make_school(ScheduleService(db, bus, clock))
        lecture = school.lecture(EIGHT)
        hold = {"lecture_id": lecture.id, "kind": "point", "resource_id": school.a.id}
        touching = {"starts_at": lecture.ends_at, "ends_at": lecture.ends_at + timedelta(hours=1)}
        overlapping = {"starts_at": EIGHT - timedelta(hours=1), "ends_at": EIGHT + timedelta(seconds=1)}
        with db.transaction() as s:
            s.execute(insert(Booking).values(id="bkg_1", **hold, **touching))
        with pytest.raises(IntegrityError, match="bookings_no_overlap"), db.transaction() as s:
            s.execute(insert(Booking).values(id="bkg_2", **hold, **overlapping))
    finally:
        db.engine.dispose()


def test_organisations_above_those_that_take_part_are_over_the_lecture(school: School, clock: FakeClock) -> None:
    schedules = school.schedules
    ministry = schedules.add_organisation("Bộ Nội vụ")
    schedules.move_organisation(school.province, ministry)
    elsewhere = schedules.add_organisation("Tỉnh Lai Châu", ministry)
    lecture = school.lecture(clock.now()).id
    assert schedules.organisations_of_lecture(lecture) <= {school.province, school.centre}
    assert schedules.organisations_over_lecture(lecture) == {ministry, school.province, school.centre}
    assert elsewhere not in schedules.organisations_over_lecture(lecture)
