"""What the booking engine holds besides a lecture's own time, and what it offers where something is taken."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from core.bus import EventBus
from core.db import Database
from core.errors import Conflict, Invalid, NotFound
from schedules.calendars.models import BusyTime, Subscription
from schedules.hours import Window
from schedules.models import Booking
from schedules.records import LectureDraft, SeriesDraft
from schedules.service import BookingClash, ScheduleService
from schedules.zones import to_local
from tests.builders import ZONE, School, make_point, make_school
from tests.fakes import FakeClock

EIGHT = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)  # Tuesday 08:00 in Vietnam
HOUR = timedelta(hours=1)


@pytest.fixture
def school(any_db: Database, bus: EventBus, clock: FakeClock) -> School:
    return make_school(ScheduleService(any_db, bus, clock))


def refused(school: School, draft: LectureDraft) -> list[tuple[str, str, str, str]]:
    """Return (kind, resource, holder, by) of all that keeps a draft out of the timetable."""
    with pytest.raises(BookingClash) as caught:
        school.schedules.create_lecture(draft, school.organiser.id)
    return [(c.kind, c.resource, c.holder, c.by) for c in caught.value.clashes]


def held_of(db: Database, lecture_id: str) -> dict[str, tuple[datetime, datetime]]:
    with db.reading() as s:
        rows = s.scalars(select(Booking).where(Booking.lecture_id == lecture_id))
        return {row.resource_id: (row.starts_at, row.ends_at) for row in rows}


# ---- margins and operators ---------------------------------------------------------------------


def test_margins_hold_halls_and_equipment_but_not_the_lecturer(school: School, any_db: Database) -> None:
    lecture = school.lecture(EIGHT, setup_min=45, teardown_min=15)
    held = held_of(any_db, lecture.id)
    (equipment,) = school.schedules.equipment(school.a.id)
    around = (EIGHT - timedelta(minutes=45), lecture.ends_at + timedelta(minutes=15))
    assert held[school.a.id] == held[equipment.id] == around
    assert held[school.lecturer.id] == (EIGHT, lecture.ends_at)
    assert (lecture.setup_min, lecture.teardown_min) == (45, 15)


def test_a_lecture_that_would_begin_while_another_is_cleared_away_is_refused(school: School) -> None:
    first = school.lecture(EIGHT, teardown_min=15, title="Cải cách hành chính", point_ids=(school.a.id,))
    other = {"lecturer_id": school.other_lecturer.id, "main_point_id": school.b.id, "point_ids": (school.a.id,)}
    found = refused(school, school.draft(first.ends_at, **other))
    assert found == [("point", "Hướng Hóa", "lecture", "Cải cách hành chính")]
    school.lecture(first.ends_at + timedelta(minutes=15), **other)


def test_an_operator_of_two_points_looks_after_one_class_at_a_time(school: School, any_db: Database) -> None:
    school.schedules.set_operators(school.b.id, [school.operator.id])
    both = ((school.a.id, school.operator.id), (school.b.id, school.operator.id))
    lecture = school.lecture(EIGHT, operators=both, title="Buổi một")
    assert lecture.operators == both
    assert school.operator.id in held_of(any_db, lecture.id)
    school.schedules.add_equipment("Bộ lưu động", None)
    far = make_point(school.schedules, "Cam Lộ", school.centre, school.operator.id)
    other = make_point(school.schedules, "Gio Linh", school.centre)
    draft = school.draft(
        EIGHT + HOUR,
        lecturer_id=school.other_lecturer.id,
        main_point_id=other.id,
        point_ids=(far.id,),
        operators=((far.id, school.operator.id),),
    )
    assert refused(school, draft) == [("operator", "Lê Thị Hoa", "lecture", "Buổi một")]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"setup_min": -1}, "lecture.margin"),
        ({"teardown_min": 241}, "lecture.margin"),
        ({"operators": (("bp_elsewhere", "usr_x"),)}, "lecture.operator_elsewhere"),
        ({"equipment": (("bp_elsewhere", "eq_x"),)}, "lecture.equipment_elsewhere"),
    ],
)
def test_a_draft_with_impossible_extras_is_refused(school: School, changes: dict[str, object], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        school.lecture(EIGHT, **changes)
    assert caught.value.code == code


def test_one_set_of_equipment_cannot_be_brought_to_two_points(school: School) -> None:
    spare = school.schedules.add_equipment("Bộ lưu động", None)
    with pytest.raises(Invalid, match=r"lecture\.equipment_twice"):
        school.lecture(EIGHT, equipment=((school.a.id, spare.id), (school.b.id, spare.id)))


def test_only_who_looks_after_a_point_can_be_its_operator(school: School) -> None:
    with pytest.raises(Invalid, match=r"lecture\.not_an_operator"):
        school.lecture(EIGHT, operators=((school.b.id, school.operator.id),))


# ---- blocks, hours, other bodies' calendars ----------------------------------------------------


def test_a_block_keeps_lectures_out_until_it_is_lifted(school: School) -> None:
    bookings, by = school.schedules.bookings, school.organiser.id
    block = bookings.block("point", school.a.id, EIGHT, EIGHT + 4 * HOUR, "Sửa chữa hội trường", by, ZONE)
    assert refused(school, school.draft(EIGHT + HOUR)) == [("point", "Hướng Hóa", "block", "Sửa chữa hội trường")]
    assert [b.resource for b in bookings.blocks(EIGHT, EIGHT + HOUR)] == ["Hướng Hóa"]
    bookings.lift(block)
    bookings.lift(block)
    assert bookings.blocks(EIGHT, EIGHT + HOUR) == []
    school.lecture(EIGHT + HOUR)


def test_what_a_lecture_holds_cannot_be_blocked(school: School) -> None:
    school.lecture(EIGHT, title="Cải cách hành chính")
    with pytest.raises(BookingClash) as caught:
        school.schedules.bookings.block(
            "lecturer", school.lecturer.id, EIGHT, EIGHT + HOUR, "Đi công tác", school.organiser.id, ZONE
        )
    assert [(c.kind, c.by) for c in caught.value.clashes] == [("lecturer", "Cải cách hành chính")]
    assert school.schedules.bookings.blocks(EIGHT, EIGHT + HOUR) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reason": "  "}, "block.no_reason"),
        ({"reason": "x" * 201}, "block.no_reason"),
        ({"ends_at": EIGHT}, "block.ends_before_start"),
        ({"resource_id": "bp_0"}, "point.unknown"),
    ],
)
def test_a_block_without_sense_is_refused(school: School, change: dict[str, object], code: str) -> None:
    wish: dict[str, object] = {
        "kind": "point", "resource_id": school.a.id, "starts_at": EIGHT, "ends_at": EIGHT + HOUR, "reason": "Mất điện",
        "by": school.organiser.id, "zone": ZONE,
    }  # fmt: skip
    with pytest.raises((Invalid, NotFound)) as caught:
        school.schedules.bookings.block(**{**wish, **change})  # type: ignore[arg-type]
    assert getattr(caught.value, "code", "") == code


def test_a_part_time_lecturer_is_not_planned_outside_their_hours(school: School) -> None:
    bookings = school.schedules.bookings
    bookings.set_hours(school.lecturer.id, [Window(1, 13 * 60, 17 * 60, ZONE)])  # Tuesday afternoons
    assert refused(school, school.draft(EIGHT)) == [("lecturer", "Nguyễn Thị Minh", "hours", "Nguyễn Thị Minh")]
    school.lecture(EIGHT + 5 * HOUR)
    bookings.set_hours(school.lecturer.id, [])
    school.lecture(EIGHT)
    with pytest.raises(Invalid, match=r"hours\.order"):
        bookings.set_hours(school.lecturer.id, [Window(1, 600, 540, ZONE)])


def test_an_event_in_a_subscribed_calendar_counts_as_busy(school: School, any_db: Database) -> None:
    add_busy(any_db, school, "point", school.a.id, EIGHT, EIGHT + HOUR)
    assert refused(school, school.draft(EIGHT)) == [("point", "Hướng Hóa", "calendar", "Họp giao ban")]
    school.lecture(EIGHT + HOUR)


def add_busy(db: Database, school: School, kind: str, resource_id: str, starts_at: datetime, ends_at: datetime) -> None:
    """Let another body's calendar need a resource."""
    with db.transaction() as s:
        s.execute(
            insert(Subscription).values(
                id="sub_1", name="Lịch UBND", kind=kind, resource_id=resource_id, made_by=school.organiser.id,
                made_at=EIGHT, etag="", error="",
            )
        )  # fmt: skip
        s.execute(
            insert(BusyTime).values(
                id="bsy_1", subscription_id="sub_1", resource_id=resource_id, starts_at=starts_at, ends_at=ends_at,
                summary="Họp giao ban",
            )
        )  # fmt: skip


def test_what_came_after_a_lecture_keeps_nobody_from_changing_the_rest_of_it(school: School, any_db: Database) -> None:
    lecture, service, by = school.lecture(EIGHT, setup_min=30), school.schedules, school.organiser.id
    add_busy(any_db, school, "point", school.a.id, EIGHT, EIGHT + 3 * HOUR)
    service.bookings.set_hours(school.lecturer.id, [Window(3, 13 * 60, 17 * 60, ZONE)])  # Thursday afternoons
    renamed = replace(lecture.plan, title="Tên mới")
    fewer = replace(renamed, point_ids=(school.a.id,), setup_min=0, ends_at=lecture.ends_at - HOUR)
    for draft in (renamed, fewer):
        assert service.check(draft, lecture.id) == []
        service.update_lecture(lecture.id, draft, by)
    assert service.lecture(lecture.id).plan == fewer
    wishes = {
        replace(fewer, setup_min=15): [],  # before the meeting
        replace(fewer, teardown_min=15): [("point", "calendar")],
        replace(fewer, ends_at=lecture.ends_at): [("point", "calendar"), ("lecturer", "hours")],
        replace(fewer, lecturer_id=school.other_lecturer.id): [],
        replace(fewer, starts_at=EIGHT + HOUR, ends_at=EIGHT + 2 * HOUR): [
            ("point", "calendar"),
            ("lecturer", "hours"),
        ],
    }
    for draft, expected in wishes.items():
        assert [(c.kind, c.holder) for c in service.check(draft, lecture.id)] == expected
    with pytest.raises(BookingClash):
        service.update_lecture(lecture.id, replace(fewer, ends_at=lecture.ends_at), by)
    assert service.lecture(lecture.id).plan == fewer


# ---- concurrent edits, asking first ------------------------------------------------------------


def test_the_second_of_two_who_edit_is_told_and_overwrites_nothing(school: School) -> None:
    lecture, service, by = school.lecture(EIGHT), school.schedules, school.organiser.id
    first = service.update_lecture(lecture.id, school.draft(EIGHT + HOUR), by, sequence=lecture.sequence)
    with pytest.raises(Conflict, match=r"lecture\.changed_meanwhile"):
        service.update_lecture(lecture.id, school.draft(EIGHT + 2 * HOUR), by, sequence=lecture.sequence)
    with pytest.raises(Conflict, match=r"lecture\.changed_meanwhile"):
        service.cancel_lecture(lecture.id, by, sequence=lecture.sequence)
    assert service.lecture(lecture.id) == first


def test_asking_whether_a_time_is_free_stores_nothing(school: School) -> None:
    lecture = school.lecture(EIGHT)
    service = school.schedules
    assert service.check(school.draft(EIGHT + HOUR), lecture.id) == []
    assert lecture.title in {clash.by for clash in service.check(school.draft(EIGHT + HOUR))}
    assert service.lecture(lecture.id) == lecture
    assert len(service.lectures_between(EIGHT, EIGHT + 24 * HOUR)) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"point_ids": ("bp_0",)}, "point.unknown"), ({"topic_id": "top_0"}, "topic.unknown")],
)
def test_asking_with_something_that_is_not_there_is_refused_too(
    school: School, changes: dict[str, object], code: str
) -> None:
    with pytest.raises(NotFound) as caught:
        school.schedules.check(school.draft(EIGHT, **changes))
    assert caught.value.code == code


# ---- nobody came -------------------------------------------------------------------------------


def test_a_point_where_nobody_came_is_given_free_with_its_equipment(
    school: School, any_db: Database, clock: FakeClock
) -> None:
    lecture, service = school.lecture(EIGHT, operators=((school.a.id, school.operator.id),)), school.schedules
    assert not service.release_point(lecture.id, school.a.id), "only from a class that is live"
    service.mark(lecture.id, "live")
    clock.set(EIGHT + timedelta(minutes=30))
    assert not service.release_point(lecture.id, school.main.id)
    assert service.release_point(lecture.id, school.a.id)
    assert not service.release_point(lecture.id, school.a.id)
    held, (equipment,) = held_of(any_db, lecture.id), service.equipment(school.a.id)
    ends = {held[resource][1] for resource in (school.a.id, equipment.id, school.operator.id)}
    assert ends == {clock.now()}
    assert held[school.b.id][1] == lecture.ends_at
    assert service.lecture(lecture.id).released == (school.a.id,)
    other = make_point(service, "Cam Lộ", school.centre)
    school.lecture(
        clock.now(),
        lecturer_id=school.other_lecturer.id,
        main_point_id=other.id,
        point_ids=(school.a.id,),
        operators=((school.a.id, school.operator.id),),
    )


def test_a_hall_that_was_given_free_goes_to_its_next_class_and_else_back(school: School, clock: FakeClock) -> None:
    service, first = school.schedules, school.lecture(EIGHT)
    service.mark(first.id, "live")
    clock.set(EIGHT + timedelta(minutes=30))
    service.release_point(first.id, school.a.id)
    other = make_point(service, "Cam Lộ", school.centre)
    following = school.lecture(
        EIGHT + HOUR, lecturer_id=school.other_lecturer.id, main_point_id=other.id, point_ids=(school.a.id,)
    )

    def on() -> tuple[str | None, str | None]:
        now, then = service.at_point(school.a.id, clock.now())
        return now and now.id, then and then.id

    assert on() == (first.id, following.id), "who comes late finds the class that is still on"
    service.mark(following.id, "open")
    assert on() == (following.id, None)
    now, _ = service.at_point(school.b.id, clock.now())
    assert now
    assert now.id == first.id
    service.mark(following.id, "live")
    service.mark(following.id, "ended")
    assert on() == (first.id, None)


# ---- alternatives ------------------------------------------------------------------------------


def test_a_refusal_offers_the_nearest_free_times_of_the_day_and_of_the_week(school: School, clock: FakeClock) -> None:
    school.lecture(EIGHT, minutes=120)
    wish = school.draft(EIGHT + timedelta(minutes=30), minutes=90)
    offers = school.schedules.alternatives.offers(wish, school.schedules.check(wish))
    words = [f"{to_local(span.starts_at, ZONE):%a %H:%M}" for span in offers.times]
    assert words == ["Tue 10:00", "Tue 10:30", "Tue 11:00", "Mon 08:30", "Wed 08:30", "Thu 08:30", "Fri 08:30"]
    for span in offers.times:
        at = replace(wish, starts_at=span.starts_at, ends_at=span.ends_at)
        assert school.schedules.check(at) == []
        assert span.starts_at > clock.now()


def test_no_time_is_offered_that_is_past_or_outside_the_lecturers_hours(school: School, clock: FakeClock) -> None:
    school.schedules.bookings.set_hours(school.lecturer.id, [Window(3, 13 * 60, 17 * 60, ZONE)])  # Thursdays
    clock.set(EIGHT - HOUR)
    wish = school.draft(EIGHT)
    offers = school.schedules.alternatives.offers(wish, school.schedules.check(wish))
    assert [f"{to_local(span.starts_at, ZONE):%a %H:%M}" for span in offers.times] == ["Thu 13:00"]


def test_the_nearest_free_point_is_one_of_the_same_organisation(school: School) -> None:
    service = school.schedules
    near = make_point(service, "Cam Lộ", school.centre)
    far = make_point(service, "Gio Linh", service.add_organisation("Tỉnh Lai Châu"))
    school.lecture(EIGHT, point_ids=(school.a.id,))
    wish = school.draft(
        EIGHT, lecturer_id=school.other_lecturer.id, main_point_id=school.b.id, point_ids=(school.a.id,)
    )
    offers = service.alternatives.offers(wish, service.check(wish))
    assert [(swap.instead_of, swap.id) for swap in offers.points] == [(school.a.id, near.id), (school.a.id, far.id)]
    assert offers.points[0].organisation == "Trung tâm Chính trị Đông Hà"
    instead = replace(wish, point_ids=(near.id,))
    assert service.check(instead) == []


def test_another_set_of_equipment_is_offered_and_can_be_booked(school: School) -> None:
    service = school.schedules
    spare = service.add_equipment("Bộ lưu động", None)
    (carried,) = service.equipment(school.a.id)
    school.lecture(EIGHT, point_ids=(school.a.id,))
    gone = service.add_equipment("Bộ cũ", None)
    other = service.add_point("Cam Lộ", school.centre)
    wish = school.draft(
        EIGHT,
        lecturer_id=school.other_lecturer.id,
        main_point_id=school.b.id,
        point_ids=(other.id,),
        equipment=((other.id, carried.id),),
    )
    offers = service.alternatives.offers(wish, service.check(wish))
    assert {(swap.point_id, swap.instead_of) for swap in offers.equipment} == {(other.id, carried.id)}
    assert [swap.id for swap in offers.equipment] == [gone.id, spare.id]
    assert service.check(replace(wish, equipment=((other.id, spare.id),))) == []


def test_what_is_offered_to_a_series_is_free_on_all_its_days(school: School) -> None:
    service = school.schedules
    early, late = (make_point(service, name, school.centre) for name in ("Cam Lộ", "Gio Linh"))
    spare, other_spare = (service.add_equipment(f"Bộ lưu động {n}", None) for n in (1, 2))
    week = timedelta(weeks=1)
    second = make_point(service, "Vĩnh Linh", school.centre)
    elsewhere = {"lecturer_id": school.other_lecturer.id, "main_point_id": second.id}
    school.lecture(EIGHT + 4 * week, point_ids=(school.a.id, early.id), **elsewhere)
    school.lecture(EIGHT + 3 * week, point_ids=(school.b.id,), equipment=((second.id, spare.id),), **elsewhere)
    first = school.draft(EIGHT, point_ids=(school.a.id,), equipment=((school.main.id, spare.id),))
    series = SeriesDraft(first, "weekly", count=6)
    drafts, clashes = service.check_series(series)
    others = {f"lec_new{n}": draft for n, draft in enumerate(drafts[1:])}
    offers = service.alternatives.offers(drafts[0], clashes, "lec_new", others)
    assert offers.times == ()
    assert [swap.id for swap in offers.points] == [late.id]
    sets = {swap.id for swap in offers.equipment}
    assert other_spare.id in sets
    assert sets.isdisjoint(
        equipment.id for point in (early, second, school.b) for equipment in service.equipment(point.id)
    )
    taken = replace(first, point_ids=(late.id,), equipment=((school.main.id, other_spare.id),))
    planned = service.create_series(replace(series, first=taken), school.organiser.id)

    # moved by a day: what its own lectures hold is in nobody's way, and only what the form names can be swapped
    school.lecture(EIGHT + 2 * week + 24 * HOUR, point_ids=(late.id,), lecturer_id=school.other_lecturer.id)
    tomorrow = replace(planned[0].plan, starts_at=EIGHT + 24 * HOUR, ends_at=planned[0].ends_at + 24 * HOUR)
    clashes = service.check_change(planned[0].id, tomorrow, "all")
    plans = service.plans_after(planned[0].id, tomorrow, "all")
    assert list(plans) == [lecture.id for lecture in planned]
    assert plans.pop(planned[0].id) == tomorrow
    offers = service.alternatives.offers(tomorrow, clashes, planned[0].id, plans)
    assert {swap.instead_of for swap in offers.points} == {school.main.id, late.id}
    assert early.id in {swap.id for swap in offers.points}, "it was taken on one of the other days only"
