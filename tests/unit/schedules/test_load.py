"""Hours of lecturers and operators in a year, and what a planner is told of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from core.bus import EventBus
from core.db import Database
from schedules.models import LecturePoint
from schedules.records import SeriesDraft
from schedules.registry.load_service import NOT_NAMED, TOO_MANY_HOURS, Remark
from schedules.registry.records import Load
from schedules.registry.registry_service import Registry
from schedules.series import expand
from schedules.service import ScheduleService
from tests.builders import ZONE, School, make_school
from tests.fakes import FakeClock

EIGHT = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)  # Tuesday 08:00 in Vietnam
LAST = datetime(2026, 12, 29, 1, 0, tzinfo=UTC)  # the last Tuesday of the year


@pytest.fixture
def school(any_db: Database, bus: EventBus, clock: FakeClock) -> School:
    return make_school(ScheduleService(any_db, bus, clock))


@pytest.fixture
def registry(any_db: Database, clock: FakeClock, school: School) -> Registry:
    return Registry(any_db, clock, school.schedules.bookings, ZONE)


def let_teach(school: School, registry: Registry, hours_max: int | None, *topic_ids: str) -> None:
    draft = registry.people.line(school.lecturer.id).draft
    profile = replace(draft.profile, hours_max=hours_max, topic_ids=topic_ids)
    registry.people.update(school.lecturer.id, replace(draft, profile=profile))


def too_many(hours: float, most: int, year: int = 2026) -> Remark:
    return Remark(TOO_MANY_HOURS, {"name": "Nguyễn Thị Minh", "year": str(year)}, {"hours": hours, "most": most})


def test_who_has_topics_is_remarked_on_for_any_other(school: School, registry: Registry) -> None:
    first, second = (topic.id for topic in school.course.topics)
    draft = school.draft(EIGHT)
    assert registry.remarks.about({"": draft}) == []  # who has none teaches any
    let_teach(school, registry, None, second)
    said = Remark(NOT_NAMED, {"name": "Nguyễn Thị Minh", "topic": "Chuyển đổi số"}, {})
    again = replace(draft, starts_at=draft.starts_at + timedelta(days=1), ends_at=draft.ends_at + timedelta(days=1))
    assert registry.remarks.about({"0": draft, "1": again}) == [said]  # once for all of a series
    assert registry.remarks.about({"": replace(draft, topic_id=second)}) == []
    let_teach(school, registry, None, first, second)
    assert registry.remarks.about({"": draft}) == []
    assert registry.remarks.about({"": replace(draft, topic_id="top_0", lecturer_id="usr_0")}) == []


def test_more_hours_than_a_lecturer_is_to_teach_are_told_with_this_lecture_among_them(
    school: School, registry: Registry
) -> None:
    let_teach(school, registry, 3)
    first = school.lecture(EIGHT)
    called_off = school.lecture(EIGHT + timedelta(days=2))
    school.schedules.cancel_lecture(called_off.id, by=school.organiser.id)
    draft = school.draft(EIGHT + timedelta(days=1))
    assert registry.remarks.about({"": draft}) == []  # three of three
    longer = school.draft(EIGHT + timedelta(days=1), minutes=120)
    assert registry.remarks.about({"": longer}) == [too_many(3.5, 3)]
    assert registry.remarks.about({"": replace(longer, lecturer_id=school.other_lecturer.id)}) == []
    # a lecture that is moved counts once, as it would be
    assert registry.remarks.about({first.id: school.draft(EIGHT, minutes=180)}) == []
    assert registry.remarks.about({first.id: school.draft(EIGHT, minutes=181)})[0].figures["hours"] > 3
    assert registry.remarks.about({first.id: first}) == []


def test_each_lecture_of_a_series_counts_in_its_own_year(school: School, registry: Registry) -> None:
    let_teach(school, registry, 1)
    series = SeriesDraft(school.draft(LAST), "weekly", count=3)
    drafts = {str(n): draft for n, draft in enumerate(expand(series))}
    assert registry.remarks.about(drafts) == [too_many(1.5, 1), too_many(3.0, 1, 2027)]
    planned = school.schedules.create_series(series, by=school.organiser.id)
    assert registry.remarks.about({each.id: each for each in planned}) == [too_many(1.5, 1), too_many(3.0, 1, 2027)]
    longer = school.draft(LAST, minutes=120)
    would_be = school.schedules.plans_after(planned[0].id, longer, "all")
    assert would_be.keys() == {each.id for each in planned}
    assert registry.remarks.about(would_be) == [too_many(2.0, 1), too_many(4.0, 1, 2027)]
    alone = school.schedules.plans_after(planned[0].id, longer, "one")
    assert registry.remarks.about(alone) == [too_many(2.0, 1)]


def test_operators_have_hours_too(any_db: Database, school: School, registry: Registry, clock: FakeClock) -> None:
    def duty() -> Load | None:
        return registry.people.line(school.operator.id).duty

    school.schedules.set_operators(school.a.id, (school.operator.id, school.other_lecturer.id))
    assert duty() == Load(0.0, 0.0, None)
    usual = school.lecture(EIGHT, setup_min=30, teardown_min=15)
    assert duty() == Load(0.0, 2.25, None)  # set-up and tear-down too
    school.schedules.set_operators(school.b.id, (school.operator.id,))
    named = school.lecture(EIGHT + timedelta(days=1), operators=((school.b.id, school.operator.id),))
    assert duty() == Load(0.0, 3.75, None)  # two points at once count once
    school.lecture(
        EIGHT + timedelta(days=2), point_ids=(school.a.id,), operators=((school.a.id, school.other_lecturer.id),)
    )
    assert duty() == Load(0.0, 3.75, None)  # somebody else is named
    school.lecture(LAST + timedelta(days=7))
    assert duty() == Load(0.0, 3.75, None)  # next year's
    clock.advance(minutes=24 * 60)
    for status in ("open", "live", "ended"):
        school.schedules.mark(usual.id, status)
    assert duty() == Load(2.25, 1.5, None)
    with any_db.transaction() as s:  # nobody came: the operator was free again
        s.execute(update(LecturePoint).where(LecturePoint.lecture_id == usual.id).values(released_at=clock.now()))
    school.schedules.cancel_lecture(named.id, by=school.organiser.id)
    assert duty() == Load(0.0, 0.0, None)
    assert registry.people.line(school.operator.id).load is None
    assert registry.people.line(school.lecturer.id).duty is None
