"""A series is planned, changed and called off as a whole, or not at all."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from core.bus import EventBus
from core.db import Database
from core.errors import Conflict
from schedules.events import LectureCancelled, LectureChanged, LectureScheduled
from schedules.models import Booking, Lecture, Series
from schedules.records import LectureView, Part, SeriesDraft
from schedules.service import BookingClash, ScheduleService
from schedules.zones import to_local
from tests.builders import ZONE, School, make_school
from tests.fakes import FakeClock

EIGHT = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)  # Tuesday 08:00 in Vietnam
WEEK, HOUR = timedelta(weeks=1), timedelta(hours=1)


@pytest.fixture
def school(any_db: Database, bus: EventBus, clock: FakeClock) -> School:
    return make_school(ScheduleService(any_db, bus, clock))


@pytest.fixture
def told(bus: EventBus) -> list[Any]:
    events: list[Any] = []
    for kind in (LectureScheduled, LectureChanged, LectureCancelled):
        bus.subscribe(kind, events.append)
    return events


def plan(school: School, count: int = 4, **changes: object) -> list[LectureView]:
    series = SeriesDraft(school.draft(EIGHT, **changes), "weekly", count=count)
    return school.schedules.create_series(series, school.organiser.id)


def words(lectures: list[LectureView]) -> list[str]:
    return [f"{to_local(lecture.starts_at, ZONE):%d/%m %H:%M}" for lecture in lectures]


def counts(db: Database) -> tuple[int, ...]:
    with db.reading() as s:
        return tuple(s.scalar(select(func.count()).select_from(table)) or 0 for table in (Lecture, Booking, Series))


def test_every_lecture_of_a_series_holds_all_it_needs(school: School, any_db: Database, told: list[Any]) -> None:
    lectures = plan(school)
    assert words(lectures) == ["03/03 08:00", "10/03 08:00", "17/03 08:00", "24/03 08:00"]
    assert counts(any_db) == (4, 4 * 7, 1)
    assert len({lecture.series_uid for lecture in lectures}) == 1
    assert len({lecture.uid for lecture in lectures}) == 4
    assert [lecture.recurrence_at for lecture in lectures] == [lecture.starts_at for lecture in lectures]
    assert [type(event) for event in told] == [LectureScheduled] * 4


def test_one_lecture_in_the_way_of_the_third_refuses_the_whole_series(
    school: School, any_db: Database, told: list[Any]
) -> None:
    school.lecture(EIGHT + 2 * WEEK, title="Hội nghị")
    before, told[:] = counts(any_db), []
    with pytest.raises(BookingClash) as refused:
        plan(school)
    assert {clash.by for clash in refused.value.clashes} == {"Hội nghị"}
    assert {clash.interval for clash in refused.value.clashes} == {"08:00–09:30, 17/03/2026"}
    assert (counts(any_db), told) == (before, [])
    drafts, clashes = school.schedules.check_series(SeriesDraft(school.draft(EIGHT), "weekly", count=4))
    assert (len(drafts), len(clashes)) == (4, 4)  # three points and the lecturer, in the third week


def test_parts_of_an_agenda_that_overlap_are_told_with_each_others_names(school: School, any_db: Database) -> None:
    parts = (Part(EIGHT, EIGHT + 2 * HOUR, "Sáng"), Part(EIGHT + HOUR, EIGHT + 3 * HOUR, "Trưa"))
    with pytest.raises(BookingClash) as refused:
        school.schedules.create_series(SeriesDraft(school.draft(EIGHT), "agenda", parts=parts), school.organiser.id)
    assert {clash.by for clash in refused.value.clashes} == {"Sáng"}
    assert counts(any_db) == (0, 0, 0)


def test_a_day_and_a_half_with_a_second_lecturer_is_planned_in_one_go(school: School) -> None:
    parts = (
        Part(EIGHT, EIGHT + 3 * HOUR, "Phần 1"),
        Part(EIGHT + 5 * HOUR, EIGHT + 8 * HOUR, "Phần 2", lecturer_id=school.other_lecturer.id),
        Part(EIGHT + 24 * HOUR, EIGHT + 27 * HOUR, "Phần 3"),
    )
    series = SeriesDraft(school.draft(EIGHT, setup_min=30), "agenda", parts=parts)
    lectures = school.schedules.create_series(series, school.organiser.id)
    assert [lecture.title for lecture in lectures] == ["Phần 1", "Phần 2", "Phần 3"]
    assert lectures[1].lecturer_id == school.other_lecturer.id


def test_one_lecture_is_moved_as_an_exception(school: School) -> None:
    lectures = plan(school)
    draft = school.draft(EIGHT + WEEK + HOUR)
    moved = school.schedules.update_lecture(lectures[1].id, draft, school.organiser.id)
    assert (moved.sequence, moved.series_uid, moved.recurrence_at) == (1, lectures[1].series_uid, lectures[1].starts_at)
    assert school.schedules.lecture(lectures[2].id) == lectures[2]


def test_this_and_all_that_follow_move_by_as_much_and_keep_their_own_titles(school: School, told: list[Any]) -> None:
    lectures = plan(school)
    own = replace(school.draft(EIGHT + 2 * WEEK), title="Buổi ôn tập")
    school.schedules.update_lecture(lectures[2].id, own, school.organiser.id)
    told.clear()
    draft = school.draft(EIGHT + WEEK + 24 * HOUR, minutes=60, title="Tên mới")
    school.schedules.update_lecture(lectures[1].id, draft, school.organiser.id, sequence=0, scope="following")
    now = [school.schedules.lecture(lecture.id) for lecture in lectures]
    assert words(now) == ["03/03 08:00", "11/03 08:00", "18/03 08:00", "25/03 08:00"]
    assert [lecture.title for lecture in now] == [lectures[0].title, "Tên mới", "Buổi ôn tập", "Tên mới"]
    assert [lecture.ends_at - lecture.starts_at for lecture in now[1:]] == [HOUR] * 3
    assert [lecture.sequence for lecture in now] == [0, 1, 2, 1]
    assert [type(event) for event in told] == [LectureChanged] * 3


def test_a_series_moves_by_less_than_its_length_without_being_in_its_own_way(school: School) -> None:
    daily = SeriesDraft(school.draft(EIGHT), "dates", dates=(date(2026, 3, 3), date(2026, 3, 4), date(2026, 3, 5)))
    lectures = school.schedules.create_series(daily, school.organiser.id)
    draft = school.draft(EIGHT + 24 * HOUR)
    school.schedules.update_lecture(lectures[0].id, draft, school.organiser.id, scope="all")
    assert words([school.schedules.lecture(lecture.id) for lecture in lectures]) == [
        "04/03 08:00", "05/03 08:00", "06/03 08:00",
    ]  # fmt: skip


def test_a_change_that_fits_all_but_one_changes_none(school: School) -> None:
    lectures = plan(school)
    school.lecture(EIGHT + 3 * WEEK + 2 * HOUR, title="Hội nghị")
    with pytest.raises(BookingClash) as refused:
        school.schedules.update_lecture(
            lectures[0].id, school.draft(EIGHT + 2 * HOUR), school.organiser.id, scope="all"
        )
    assert {clash.by for clash in refused.value.clashes} == {"Hội nghị"}
    assert [school.schedules.lecture(lecture.id) for lecture in lectures] == lectures


def test_what_has_begun_is_left_alone_by_a_change_of_all_the_others(school: School) -> None:
    lectures = plan(school)
    school.schedules.mark(lectures[0].id, "live")
    school.schedules.update_lecture(lectures[1].id, school.draft(EIGHT + WEEK + HOUR), school.organiser.id, scope="all")
    assert school.schedules.lecture(lectures[0].id).starts_at == EIGHT
    with pytest.raises(Conflict, match=r"lecture\.not_planned"):
        school.schedules.update_lecture(lectures[0].id, school.draft(EIGHT), school.organiser.id, scope="all")


def test_calling_off_what_follows_frees_it_and_tells_why(school: School, told: list[Any], any_db: Database) -> None:
    lectures = plan(school)
    told.clear()
    school.schedules.cancel_lecture(lectures[2].id, school.organiser.id, "Bão số 5", scope="following")
    now = [school.schedules.lecture(lecture.id) for lecture in lectures]
    assert [lecture.status for lecture in now] == ["planned", "planned", "cancelled", "cancelled"]
    assert now[3].cancelled_because == "Bão số 5"
    assert [type(event) for event in told] == [LectureCancelled] * 2
    assert counts(any_db)[1] == 2 * 7


def test_a_change_of_all_keeps_what_is_one_lectures_own(school: School, told: list[Any]) -> None:
    spare = school.schedules.add_equipment("Bộ lưu động", None)
    lectures = plan(school)
    own = school.draft(
        EIGHT + 2 * WEEK,
        point_ids=(school.b.id,),
        equipment=((school.b.id, spare.id),),
        setup_min=60,
        description="Thi",
    )
    exception = school.schedules.update_lecture(lectures[2].id, own, school.organiser.id)
    told.clear()
    draft = school.draft(
        EIGHT + HOUR, point_ids=(school.a.id,), operators=((school.a.id, school.operator.id),), description="Học"
    )
    school.schedules.update_lecture(lectures[0].id, draft, school.organiser.id, scope="all")
    now = [school.schedules.lecture(lecture.id) for lecture in lectures]
    assert words(now) == ["03/03 09:00", "10/03 09:00", "17/03 09:00", "24/03 09:00"]
    assert [x.point_ids for x in now] == [(school.a.id,), (school.a.id,), (school.b.id,), (school.a.id,)]
    assert (now[2].equipment, now[2].operators) == (exception.equipment, ())
    assert (now[2].setup_min, now[2].description) == (60, "Thi")
    assert now[3].operators == draft.operators
    assert [type(event) for event in told] == [LectureChanged] * 4


def test_a_lecture_that_stays_as_it_is_is_told_to_nobody(school: School, told: list[Any]) -> None:
    lectures = plan(school)
    school.schedules.update_lecture(lectures[1].id, school.draft(EIGHT + WEEK, title="Ôn tập"), school.organiser.id)
    told.clear()
    school.schedules.update_lecture(lectures[0].id, school.draft(EIGHT, title="Mới"), school.organiser.id, scope="all")
    now = [school.schedules.lecture(lecture.id) for lecture in lectures]
    assert [lecture.title for lecture in now] == ["Mới", "Ôn tập", "Mới", "Mới"]
    assert [lecture.sequence for lecture in now] == [1, 1, 1, 1]
    assert [event.lecture.id for event in told] == [now[0].id, now[2].id, now[3].id]


@pytest.mark.parametrize("edited", [0, 1])
def test_parts_that_follow_on_each_other_are_moved_together_from_either(school: School, edited: int) -> None:
    parts = (Part(EIGHT, EIGHT + 2 * HOUR, "Phần 1"), Part(EIGHT + 2 * HOUR, EIGHT + 4 * HOUR, "Phần 2"))
    series = SeriesDraft(school.draft(EIGHT, setup_min=30, teardown_min=15), "agenda", parts=parts)
    lectures = school.schedules.create_series(series, school.organiser.id)
    assert margins(school, lectures) == [(30, 0), (0, 15)]
    chosen = lectures[edited]
    draft = replace(chosen.plan, starts_at=chosen.starts_at + WEEK, ends_at=chosen.ends_at + WEEK)
    school.schedules.update_lecture(chosen.id, draft, school.organiser.id, scope="all")
    assert words([school.schedules.lecture(x.id) for x in lectures]) == ["10/03 08:00", "10/03 10:00"]
    assert margins(school, lectures) == [(30, 0), (0, 15)]
    school.schedules.update_lecture(
        chosen.id, replace(draft, setup_min=45, teardown_min=20), school.organiser.id, scope="all"
    )
    assert margins(school, lectures) == [[(45, 0), (0, 15)], [(30, 0), (0, 20)]][edited]


def margins(school: School, lectures: list[LectureView]) -> list[tuple[int, int]]:
    now = [school.schedules.lecture(lecture.id) for lecture in lectures]
    return [(lecture.setup_min, lecture.teardown_min) for lecture in now]
