from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bus import EventBus
from core.errors import Invalid, NotAllowed, NotFound
from schedules.plans.records import YearDraft
from schedules.plans.year_plan import LectureDay, checked, progress
from schedules.plans.year_service import YearService
from schedules.service import ScheduleService
from tests.builders import ZONE, make_school

OPENS, DUE = date(2026, 3, 10), date(2026, 6, 30)
WISH = YearDraft(2026, "org_1", "Chuyển đổi số", OPENS, DUE, lectures=2)


def held(*days):
    return [LectureDay(day, True) for day in days]


def coming(*days):
    return [LectureDay(day, False) for day in days]


@pytest.mark.parametrize(
    "days, today, standing",
    [
        (coming(OPENS, DUE), date(2026, 3, 1), "on_track"),
        (coming(OPENS), date(2026, 3, 1), "short"),  # one of two
        (coming(DUE, DUE), date(2026, 3, 1), "short"),  # none up to the opening day
        (coming(OPENS, DUE + timedelta(days=1)), date(2026, 3, 1), "short"),  # the second one too late
        (coming(OPENS, DUE), OPENS, "on_track"),  # the day itself is in time
        (coming(DUE, DUE), OPENS + timedelta(days=1), "late_start"),
        (held(OPENS) + coming(DUE), DUE, "on_track"),
        (held(OPENS), DUE, "short"),
        (held(OPENS), DUE + timedelta(days=1), "late"),
        (held(OPENS) + coming(DUE + timedelta(days=9)), DUE + timedelta(days=1), "late"),
        (held(OPENS, DUE), DUE + timedelta(days=1), "done"),
        (held(OPENS, DUE, DUE), OPENS, "done"),
        ([], date(2026, 1, 1), "short"),
    ],
)
def test_a_line_is_done_on_its_way_or_late(days, today, standing):
    assert progress(2, OPENS, DUE, days, today).standing == standing


DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))


@given(st.integers(1, 5), DAYS, DAYS, st.lists(st.builds(LectureDay, DAYS, st.booleans())), DAYS)
def test_a_line_is_done_exactly_when_enough_was_held_and_late_only_after_its_day(lectures, a, b, days, today):
    opens_on, due_on = min(a, b), max(a, b)
    far = progress(lectures, opens_on, due_on, days, today)
    assert far.held == sum(day.held for day in days) and 0 <= far.missing <= lectures
    assert (far.standing == "done") == (far.held >= lectures)
    assert (far.standing == "late") == (far.held < lectures and today > due_on)
    if far.standing == "on_track":
        assert far.missing == 0 and (far.held or today <= opens_on)


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"title": " "}, "year.no_title"),
        ({"title": "x" * 201}, "year.long_title"),
        ({"note": "x" * 2001}, "year.long_note"),
        ({"year": -1}, "year.no_year"),
        ({"opens_on": DUE, "due_on": OPENS}, "year.order"),
        ({"due_on": date(2027, 1, 1)}, "year.other_year"),
        ({"lectures": 0}, "year.lectures"),
        ({"lectures": 1001}, "year.lectures"),
        ({"people": -1}, "year.people"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(changes, code):
    with pytest.raises(Invalid) as refused:
        checked(replace(WISH, **changes))
    assert refused.value.code == code and refused.value.message % refused.value.params


@pytest.fixture
def house(any_db, clock):
    schedules = ScheduleService(any_db, EventBus(), clock)
    return make_school(schedules), YearService(any_db, clock, ZONE)


def test_lines_count_the_lectures_of_their_course_or_topic_in_the_local_year(house, clock):
    school, years = house
    by, (first, second) = school.organiser.id, school.course.topics
    soon = clock.now() + timedelta(days=1)
    done = school.lecture(soon)
    school.schedules.mark(done.id, "ended")
    school.lecture(soon + timedelta(days=1))
    school.lecture(soon + timedelta(days=2), topic_id=second.id)
    gone = school.lecture(soon + timedelta(days=3))
    school.schedules.cancel_lecture(gone.id, by=by)
    new_year = clock.now().replace(month=12, day=31, hour=17)  # midnight in Vietnam: already 2027
    school.lecture(new_year)
    wish = replace(WISH, org_id=school.province, course_id=school.course.id, people=30)
    years.add(wish, by)
    years.add(replace(wish, title="Hẹp", topic_id=first.id, lectures=1), by)
    years.add(replace(wish, title="Chưa gắn", course_id=None), by)
    years.add(replace(wish, org_id=school.centre, year=2027, opens_on=date(2027, 1, 1), due_on=date(2027, 1, 2)), by)
    lines = {line.draft.title: (line, far) for line, far in years.lines(2026)}
    line, far = lines["Chuyển đổi số"]
    assert (far.held, far.planned, far.standing, line.enrolled) == (1, 2, "on_track", 1)
    assert (line.org_name, line.course_title) == ("Tỉnh Quảng Trị", "Bồi dưỡng công chức xã")
    narrow, far = lines["Hẹp"]
    assert (far.held, far.planned, far.standing, narrow.topic_title) == (1, 1, "done", "Chuyển đổi số")
    assert lines["Chưa gắn"][1].held == 0
    ((_, far),) = years.lines(2027)
    assert far.planned == 1
    assert years.lines(2026, school.centre) == []


def test_alerts_name_the_worst_first(house, clock):
    school, years = house
    by = school.admin.id
    wish = replace(WISH, org_id=school.province)
    years.add(replace(wish, title="Thiếu"), by)
    years.add(replace(wish, title="Trễ hạn", opens_on=date(2026, 1, 5), due_on=date(2026, 2, 1)), by)
    years.add(replace(wish, title="Chưa mở", opens_on=date(2026, 2, 1)), by)
    assert [line.draft.title for line, _ in years.alerts(2026)] == ["Trễ hạn", "Chưa mở", "Thiếu"]


def test_lines_are_changed_and_taken_out_by_planners_only(house):
    school, years = house
    wish = replace(WISH, org_id=school.province)
    item = years.add(wish, school.organiser.id)
    years.edit(item, replace(wish, title=" Mới ", topic_id=school.course.topics[1].id), school.admin.id)
    line = years.line(item)
    assert line.draft.title == "Mới" and line.draft.course_id == school.course.id, "a topic brings its course"
    for act in (
        lambda: years.add(wish, school.lecturer.id),
        lambda: years.edit(item, wish, school.learner.id),
        lambda: years.remove(item, school.observer.id),
    ):
        with pytest.raises(NotAllowed):
            act()
    for wrong in ({"org_id": "org_unknown"}, {"course_id": "crs_unknown"}, {"topic_id": "top_unknown"}):
        with pytest.raises(NotFound):
            years.add(replace(wish, **wrong), school.admin.id)
    other = school.schedules.add_course("Khác", school.province)
    with pytest.raises(Invalid, match=r"year\.other_topic"):
        years.edit(item, replace(wish, course_id=other.id, topic_id=school.course.topics[0].id), school.admin.id)
    years.remove(item, school.organiser.id)
    with pytest.raises(NotFound):
        years.line(item)
