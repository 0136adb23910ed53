"""Organisations that are abolished, merged or hung elsewhere: lectures of before stay where they were."""

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from core.errors import Conflict
from schedules.plans.records import YearDraft
from schedules.plans.year_service import YearService
from schedules.records import LectureDraft, LectureView
from schedules.registry.records import OrganisationDraft
from schedules.rosters.roster_service import RosterService
from tests.unit.schedules.registry_office import ZONE, Office, table

DAY = timedelta(days=1)


class Unit:
    """A registry with a region above the province, whose commune Cam Lộ has two points and a lecturer of its own."""

    def __init__(self, office: Office) -> None:
        self.office, self.orgs, self.schedules = office, office.orgs, office.schedules
        self.region = office.orgs.add(OrganisationDraft("Học viện khu vực"))
        self.other = office.orgs.add(OrganisationDraft("Tỉnh Quảng Bình"))
        office.orgs.move(office.province, self.region)
        school = office.orgs.add(OrganisationDraft("Trường Chính trị"))  # whose course it is takes no part
        self.schedules.add_course("Bồi dưỡng", school, topics=("Chuyển đổi số",))
        self.point = office.point("Cam Lộ", code="DC1")
        self.hall = office.point("Tân Lâm", code="DC2")
        office.lecturer = office.people.add(
            office.person("Hồ Thị Mai", "lecturer", org_id=office.cam_lo, code="GV2", login="mai")
        )

    def lecture(self, days: float, title: str = "Buổi học") -> str:
        return self.office.lecture(self.point, self.hall, days=days, title=title).id

    def hold(self, lecture_id: str) -> None:
        """Let the clock come to a lecture, and the lecture pass."""
        self.office.clock.now_is(self.schedules.lecture(lecture_id).starts_at)
        for status in ("open", "live", "ended"):
            self.schedules.mark(lecture_id, status)

    def draft_of(self, lecture: LectureView) -> LectureDraft:
        return LectureDraft(**{field.name: getattr(lecture, field.name) for field in fields(LectureDraft)})

    def feed(self, org_id: str) -> set[str]:
        key = self.schedules.calendar_key("organisation", org_id)
        return {lecture.id for lecture in self.schedules.calendar("organisation", org_id, key)[1]}

    def over(self, lecture_id: str) -> set[str]:
        return self.schedules.organisations_over_lecture(lecture_id)


@pytest.fixture
def unit(any_db: Any, clock: Any) -> Unit:
    clock.now_is = lambda at: clock.advance(seconds=(at - clock.now()).total_seconds())
    return Unit(Office(any_db, clock))


def test_an_abolished_unit_keeps_its_past_and_its_successor_gets_what_is_to_come(unit, clock):
    office = unit.office
    held, coming = unit.lecture(1), unit.lecture(10)
    unit.hold(held)
    clock.advance(days=2)
    unit.orgs.abolish(office.cam_lo, office.dakrong, move=True)
    assert (unit.feed(office.cam_lo), unit.feed(office.dakrong)) == ({held}, {coming})
    assert unit.schedules.organisations_of_lecture(held) == {office.cam_lo}
    assert unit.over(held) == {office.cam_lo, office.province, unit.region}
    assert unit.over(coming) == {office.dakrong, office.province, unit.region}
    assert unit.schedules.point_organisations(held) == dict.fromkeys((unit.point, unit.hall), "Xã Cam Lộ")
    assert unit.schedules.point_organisations(coming) == dict.fromkeys((unit.point, unit.hall), "Xã Đakrông")


def test_an_end_that_is_entered_late_moves_only_what_starts_after_it_and_has_not_begun(unit, clock):
    office, start = unit.office, clock.now()
    before, held, waiting, lobby = (unit.lecture(n) for n in (2, 4, 6, 8))
    for lecture_id in (held, lobby):
        clock.now_is(unit.schedules.lecture(lecture_id).starts_at - timedelta(minutes=10))
        unit.schedules.mark(lecture_id, "open")
        if lecture_id == held:
            unit.schedules.mark(held, "live")
    unit.orgs.abolish(office.cam_lo, office.dakrong, at=start + 3 * DAY, move=True)
    assert [unit.schedules.organisations_of_lecture(i) for i in (before, held, waiting, lobby)] == [
        {office.cam_lo}, {office.cam_lo}, {office.dakrong}, {office.dakrong},
    ]  # fmt: skip


def test_two_provinces_merge_and_the_past_of_each_stays_with_what_was_above_it(unit, clock):
    office = unit.office
    held, coming = unit.lecture(1), unit.lecture(10)
    unit.hold(held)
    clock.advance(days=1)
    unit.orgs.abolish(office.province, unit.other, move=True)
    assert unit.feed(office.province) == {held} == unit.feed(unit.region)
    assert unit.feed(unit.other) == {coming}
    assert unit.feed(office.cam_lo) == {held, coming}
    assert unit.over(held) == {office.cam_lo, office.province, unit.region}
    assert unit.over(coming) == {office.cam_lo, unit.other}


def test_a_unit_that_is_hung_elsewhere_leaves_its_past_with_its_old_parent(unit, clock):
    office = unit.office
    held, coming = unit.lecture(1), unit.lecture(10)
    unit.hold(held)
    clock.advance(days=1)
    unit.orgs.move(office.cam_lo, unit.other)
    assert (unit.feed(office.province), unit.feed(unit.other)) == ({held}, {coming})
    assert (unit.over(held), unit.over(coming)) == (
        {office.cam_lo, office.province, unit.region},
        {office.cam_lo, unit.other},
    )


def test_the_courses_of_an_abolished_unit_go_on_as_its_successors(unit, clock):
    office = unit.office
    course = unit.schedules.add_course("A của tỉnh", office.province, topics=("Nội vụ",))
    by_province = {"topic_id": course.topics[0].id}
    halls = [office.point(name, org_id=unit.region) for name in ("Hà Nội", "Huế")]
    held, coming, later = (
        unit.schedules.update_lecture(one.id, replace(unit.draft_of(one), **by_province), office.admin).id
        for one in (office.lecture(*halls, days=n) for n in (1, 10, 20))
    )
    unit.hold(held)
    clock.advance(days=1)
    unit.orgs.abolish(office.province, unit.other, move=True)
    clock.advance(days=14)
    last = unit.orgs.add(OrganisationDraft("Vùng"))
    unit.orgs.abolish(unit.other, last, move=True)
    assert [unit.feed(org_id) for org_id in (office.province, unit.other, last)] == [{held}, {coming}, {later}]


@pytest.mark.parametrize("by_sheet", [False, True])
def test_a_point_and_a_lecturer_of_another_unit_take_along_what_is_to_come(unit, clock, by_sheet):
    office = unit.office
    held, coming = unit.lecture(1), unit.lecture(10)
    unit.hold(held)
    if by_sheet:
        take = office.registry.imports.take
        sheet = table(("Mã", "Tên", "Đơn vị"), ("DC1", "Cam Lộ", "DK"), ("DC2", "Tân Lâm", "DK"))
        assert take("points", sheet, office.admin).imported
        sheet = table(("Mã", "Họ và tên", "Đơn vị"), ("GV2", "Hồ Thị Mai", "DK"))
        assert take("people", sheet, office.admin).imported
    else:
        for service, row_id in (
            (office.points, unit.point),
            (office.points, unit.hall),
            (office.people, office.lecturer),
        ):
            service.update(row_id, replace(service.line(row_id).draft, org_id=office.dakrong))
    for lecture_id, org_id in ((held, office.cam_lo), (coming, office.dakrong)):
        assert unit.schedules.organisations_of_lecture(lecture_id) == {org_id}
        lecture = unit.schedules.lecture(lecture_id)
        assert (lecture.org_ids, lecture.lecturer_org_id) == ((org_id, org_id), org_id)


def test_a_lecture_has_the_units_of_the_day_it_was_planned_until_somebody_of_it_moves(unit, clock):
    office = unit.office
    lecture_id = unit.lecture(10)
    office.people.update(office.admin, replace(office.people.line(office.admin).draft, org_id=office.dakrong))
    assert unit.schedules.organisations_of_lecture(lecture_id) == {office.cam_lo}, "nobody of it has moved"
    hall = office.point("Krông Klang", org_id=office.dakrong)
    both = office.lecture(unit.point, hall, days=20)
    assert both.org_ids == (office.cam_lo, office.dakrong)


def test_nothing_new_belongs_to_an_abolished_unit(unit, any_db, clock):
    office, schedules = unit.office, unit.schedules
    course = schedules.add_course("Bồi dưỡng", office.province)
    spare = office.point("Dự phòng")
    office.points.retire(spare)
    rosters, years = RosterService(any_db, clock), YearService(any_db, clock, ZONE)
    rosters.set_quota(course.id, office.cam_lo, 5)
    line = YearDraft(2026, office.cam_lo, "Lớp quý I", datetime(2026, 3, 1).date(), datetime(2026, 3, 31).date(), 2)
    item = years.add(line, office.admin)
    unit.orgs.abolish(office.cam_lo, office.dakrong, move=True)
    for change in (
        lambda: schedules.add_course("Lớp mới", office.cam_lo),
        lambda: schedules.add_point("Điểm mới", office.cam_lo),
        lambda: schedules.add_organisation("Thôn", office.cam_lo),
        lambda: schedules.move_organisation(office.dakrong, office.cam_lo),
        lambda: office.points.restore(spare),
        lambda: office.people.add(office.person("Ai đó", "learner", org_id=office.cam_lo)),
        lambda: rosters.set_quota(course.id, office.cam_lo, 6),
        lambda: years.add(replace(line, title="Lớp quý II"), office.admin),
    ):
        with pytest.raises(Conflict) as refused:
            change()
        assert refused.value.code == "organisation.abolished"
    years.edit(item, replace(line, note="đã học xong"), office.admin)  # what it had stays, and can be told
    rosters.set_quota(course.id, office.cam_lo, None)
    assert rosters.quotas(course.id) == []


def test_a_report_counts_what_a_unit_took_part_in_year_by_year(unit, clock):
    office = unit.office
    first, second, later = unit.lecture(1), unit.lecture(2), unit.lecture(320)
    unit.hold(first)
    unit.hold(second)
    clock.advance(days=1)
    unit.orgs.abolish(office.cam_lo, office.dakrong, move=True)
    unit.hold(later)
    reports = office.registry.reports
    assert reports.years(office.cam_lo) == {2026: 2}
    assert reports.years(office.dakrong) == {2027: 1}
    assert reports.years(office.province) == {2027: 1, 2026: 2}
    assert reports.years(unit.other) == {}

    class Attendance:
        def people_declared(self, lecture_ids):
            return {(i, unit.point): 40 for i in lecture_ids if i == first}

    report = reports.report(office.cam_lo, "", Attendance())
    assert [x.lecture_id for x in report.lectures] == [second, first]
    assert (report.hours, report.points, dict(report.people)) == (4.0, 2, {first: 40})
    assert reports.report(office.province, "2027", Attendance()).year == 2027
    assert reports.report(unit.other, "2027", Attendance()) is None


def test_a_point_that_nobody_came_to_took_no_part(unit, clock):
    office = unit.office
    main = office.point("Hội trường tỉnh", org_id=office.dakrong)
    lecture = office.lecture(main, unit.point)
    elsewhere = office.people.line(office.lecturer)
    clock.now_is(lecture.starts_at)
    unit.schedules.mark(lecture.id, "open")
    unit.schedules.mark(lecture.id, "live")
    assert elsewhere.draft.org_id == office.cam_lo, "its lecturer teaches"
    unit.schedules.release_point(lecture.id, unit.point)
    [row] = office.registry.reports.taken_part(office.cam_lo, 2026)
    assert row.point_ids == ()
    [row] = office.registry.reports.taken_part(office.province, 2026)
    assert row.point_ids == (main,)


def test_many_lectures_need_no_more_questions_than_one(unit, any_db, clock):
    asked = []
    event.listen(any_db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))

    def count() -> int:
        asked.clear()
        start = clock.now()
        lineage = unit.schedules.lineage()
        lectures = unit.schedules.lectures_between(start, start + 400 * DAY)
        assert all(lineage.below(unit.region, lecture.starts_at) >= set(lecture.org_ids) for lecture in lectures)
        unit.feed(unit.region)
        return len(asked)

    unit.lecture(1)
    few = count()
    for n in range(2, 30):
        unit.lecture(n)
    assert count() == few
