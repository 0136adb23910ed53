"""Bridge points, equipment and people in the registry."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from core.errors import AppError, Conflict, Invalid
from schedules.hours import Window
from schedules.registry.checks import check_password
from schedules.registry.records import EquipmentDraft, HallDraft, Load, PointDraft, Profile
from tests.unit.schedules.registry_office import ZONE, Office


@pytest.fixture
def office(any_db, clock):
    return Office(any_db, clock)


def test_a_point_is_kept_with_its_halls_contacts_and_operators(office):
    operator = office.people.add(office.person("Lê Thị Hoa", "operator", login="hoa"))
    draft = PointDraft(
        "Cam Lộ", office.cam_lo, "12 đường 2/4", 120, "DC01", ZONE, "Hồ Văn Nam", "0912345678", "nam@x.vn",
        (HallDraft("Hội trường A", 80), HallDraft("Phòng 2", 40)), (operator,),
    )  # fmt: skip
    point = office.points.add(draft)
    line = office.points.line(point)
    assert line.draft == draft
    assert (line.org_name, line.operators) == ("Xã Cam Lộ", ("Lê Thị Hoa",))
    changed = replace(draft, halls=(HallDraft("Hội trường A", 90), HallDraft("Phòng 3", 30)), operator_ids=())
    office.points.update(point, changed)
    assert office.points.line(point).draft == changed
    assert not office.schedules.operates(operator, point)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": " "}, "registry.no_name"),
        ({"capacity": -1}, "point.seats"),
        ({"halls": (HallDraft("A", 200_000),)}, "point.seats"),
        ({"halls": (HallDraft("A", 1), HallDraft("a", 2))}, "point.hall_twice"),
        ({"zone": "Asia/Hanoi"}, "lecture.unknown_zone"),
        ({"contact_email": "nam"}, "registry.email"),
        ({"org_id": "org_none"}, "organisation.unknown"),
        ({"operator_ids": ("usr_none",)}, "user.unknown"),
        ({"code": "dc01"}, "registry.code_taken"),
    ],
)
def test_a_point_that_makes_no_sense_is_refused(office, changes, code):
    office.point("Cam Lộ", code="DC01")
    with pytest.raises(AppError) as refused:
        office.points.add(replace(PointDraft("Đakrông", office.dakrong), **changes))
    assert refused.value.code == code
    assert [line.draft.name for line in office.points.lines()] == ["Cam Lộ"]


def test_a_point_that_lectures_need_is_not_retired_before_they_are_over(office, clock):
    main, other = office.point("Cam Lộ"), office.point("Đakrông", org_id=office.dakrong)
    office.lecture(main, other, title="Cải cách hành chính")
    kit = office.set_of("Bộ A", other)
    with pytest.raises(Conflict) as refused:
        office.points.retire(other)
    assert refused.value.code == "registry.booked"
    assert "“Cải cách hành chính”" in str(refused.value)
    clock.advance(days=2)
    office.points.retire(other)
    assert [line.draft.name for line in office.points.lines()] == ["Cam Lộ"]
    assert [point.name for point in office.schedules.points()] == ["Cam Lộ"]
    assert len(office.points.lines(retired=True)) == 2
    assert office.equipment.line(kit).draft.point_id is None, "what stood there is in store"
    office.points.restore(other)
    assert len(office.schedules.points()) == 2


def test_equipment_moves_unless_a_lecture_has_it_booked(office, clock):
    main, other = office.point("Cam Lộ"), office.point("Đakrông")
    kit = office.set_of("Bộ A", main, code="TB1", note="1 máy chiếu")
    assert office.equipment.line(kit).point_name == "Cam Lộ"
    office.lecture(main, other)
    for change in (
        lambda: office.equipment.update(kit, EquipmentDraft("Bộ A", other)),
        lambda: office.equipment.retire(kit),
    ):
        with pytest.raises(Conflict) as refused:
            change()
        assert refused.value.code == "registry.booked"
    office.equipment.update(kit, EquipmentDraft("Bộ B", main, "TB1"))  # a name is no move
    clock.advance(days=2)
    office.equipment.update(kit, EquipmentDraft("Bộ B", other, "TB1"))
    office.equipment.retire(kit)
    assert office.equipment.lines() == []
    assert office.schedules.equipment() == []
    office.equipment.restore(kit)
    assert office.equipment.lines()[0].draft == EquipmentDraft("Bộ B", other, "TB1")


def test_equipment_is_not_put_where_nobody_is(office):
    gone = office.point("Cam Lộ")
    office.points.retire(gone)
    with pytest.raises(Conflict) as refused:
        office.set_of("Bộ A", gone)
    assert refused.value.code == "point.retired"


def test_a_lecturer_is_kept_with_profile_topics_and_hours(office):
    course = office.schedules.add_course("Bồi dưỡng", office.province, topics=("Chuyển đổi số", "Cải cách"))
    profile = Profile("part", "Thạc sĩ", 120, (course.topics[1].id,), (Window(0, 450, 690, ZONE),))
    draft = office.person(
        "Trần Văn Bình", "lecturer", "organiser", login="Binh", email="binh@x.vn", phone="0912345678",
        position="Phó trưởng khoa", code="GV2", last_day=date(2026, 12, 31), profile=profile,
    )  # fmt: skip
    person = office.people.add(draft)
    line = office.people.line(person)
    assert line.draft == replace(draft, login="binh")
    assert not line.may_sign_in
    assert office.schedules.bookings.hours(person) == [Window(0, 450, 690, ZONE)]
    office.people.update(person, replace(draft, profile=Profile()))
    assert office.people.line(person).draft.profile == Profile()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": ""}, "registry.no_name"),
        ({"login": "le hoa"}, "user.login"),
        ({"login": "HA"}, "user.login_taken"),
        ({"code": "gv1"}, "registry.code_taken"),
        ({"roles": frozenset()}, "user.no_role"),
        ({"roles": frozenset({"point"})}, "user.role"),
        ({"email": "hoa"}, "registry.email"),
        ({"profile": Profile(hours_max=-1)}, "user.hours_max"),
        ({"profile": Profile(windows=(Window(0, 600, 600, ZONE),))}, "hours.order"),
        ({"profile": Profile(topic_ids=("top_none",))}, "topic.unknown"),
        ({"org_id": "org_none"}, "organisation.unknown"),
    ],
)
def test_a_person_who_makes_no_sense_is_refused(office, changes, code):
    with pytest.raises(AppError) as refused:
        office.people.add(replace(office.person("Lê Thị Hoa", "lecturer"), **changes))
    assert refused.value.code == code
    assert len(office.people.find()) == 2


def test_who_has_left_cannot_sign_in_and_is_not_offered(office, clock):
    draft = replace(office.people.line(office.lecturer).draft, last_day=date(2026, 3, 3))
    office.people.update(office.lecturer, draft)
    assert office.schedules.credentials("ha") is not None, "today is their last day but one"
    clock.set(datetime(2026, 3, 3, 16, 59, tzinfo=UTC))
    assert office.schedules.credentials("ha") is not None
    clock.set(datetime(2026, 3, 3, 17, 0, tzinfo=UTC))  # midnight in Vietnam
    assert office.schedules.credentials("ha") is None
    assert office.schedules.credentials_of(office.lecturer) is None
    assert office.schedules.users("lecturer") == []
    assert office.lecturer not in {line.id for line in office.people.find()}
    assert [line.left for line in office.people.find("thu ha", left=True)] == [True]


def test_lectures_keep_their_lecturer_from_leaving_and_from_another_role(office, clock):
    main, other = office.point("Cam Lộ"), office.point("Đakrông")
    office.lecture(main, other, days=5, title="Cải cách")
    draft = office.people.line(office.lecturer).draft
    for changed in (replace(draft, last_day=date(2026, 3, 5)), replace(draft, roles=frozenset({"learner"}))):
        with pytest.raises(Conflict) as refused:
            office.people.update(office.lecturer, changed)
        assert refused.value.code == "registry.booked"
        assert "“Cải cách”" in str(refused.value)
    office.people.update(office.lecturer, replace(draft, last_day=date(2026, 3, 31)))


def test_somebody_stays_who_may_administer(office):
    draft = office.people.line(office.admin).draft
    for changed in (replace(draft, roles=frozenset({"organiser"})), replace(draft, last_day=date(2026, 3, 1))):
        with pytest.raises(Conflict) as refused:
            office.people.update(office.admin, changed)
        assert refused.value.code == "user.last_admin"
    office.people.add(office.person("Lê Thị Hoa", "admin", login="hoa"), "argon2 of something")
    office.people.update(office.admin, replace(draft, roles=frozenset({"organiser"})))


def test_the_load_is_what_was_held_and_what_is_planned_this_year(office, clock):
    office.people.update(
        office.lecturer, replace(office.people.line(office.lecturer).draft, profile=Profile(hours_max=5))
    )
    main, other = office.point("Cam Lộ"), office.point("Đakrông")
    held = office.lecture(main, other, days=1)
    office.lecture(main, other, days=2, hours=1)
    office.lecture(main, other, days=400)
    office.schedules.cancel_lecture(office.lecture(main, other, days=3).id, office.admin)
    office.schedules.mark(held.id, "live")
    office.schedules.mark(held.id, "ended")
    load = office.people.load(office.lecturer)
    assert load == Load(2.0, 1.0, 5) == office.people.line(office.lecturer).load
    assert (load.hours, load.over, load.share(load.held)) == (3.0, False, 40)
    assert office.people.load(office.lecturer, 2027) == Load(0.0, 2.0, 5)
    assert office.people.line(office.admin).load is None


def test_a_load_over_the_limit_fills_the_bar(office):
    load = Load(30.0, 30.0, 40)
    assert (load.over, load.share(load.held), load.share(load.planned)) == (True, 50, 50)
    assert Load(0.0, 0.0, None).share(0.0) == 0
    lightly = Load(1.0, 0.5, None)
    assert (lightly.share(1.0, busiest=6.0), lightly.share(0.5, busiest=6.0), lightly.share(1.5)) == (17, 8, 100)
    assert Load(1.0, 2.0, 10).share(3.0, busiest=6.0) == 30, "a limit counts, not what others teach"
    assert not Load(900.0, 0.0, None).over


def test_people_are_found_without_tone_marks(office):
    for words in ("le thu", "THU HÀ", "gv1", "ha le"):
        assert [line.draft.name for line in office.people.find(words)] == ["Lê Thu Hà"], words
    assert office.people.find("%") == []
    assert [line.draft.name for line in office.people.find(role="admin")] == ["Nguyễn Minh Châu"]


def test_a_first_password_is_long_enough_and_needs_a_login(office):
    with pytest.raises(Invalid):
        check_password("chín ký t")
    with pytest.raises(Invalid):
        check_password("x" * 201)
    check_password("mười ký tự")
    person = office.people.add(office.person("Lê Thị Hoa", "learner"))
    with pytest.raises(Invalid) as refused:
        office.people.set_password(person, "argon2")
    assert refused.value.code == "user.no_login"
    office.people.update(person, office.person("Lê Thị Hoa", "learner", login="hoa"))
    office.people.set_password(person, "argon2")
    assert office.people.line(person).may_sign_in


def test_the_overview_counts_what_is_in_use(office, clock):
    point = office.point("Cam Lộ", capacity=80)
    office.points.retire(office.point("Đakrông", capacity=50))
    office.set_of("Bộ A", point)
    office.schedules.bookings.block(
        "point", point, clock.now(), datetime(2026, 3, 5, tzinfo=UTC), "Sửa mái", office.admin, ZONE
    )
    found = office.registry.overview()
    assert (found.organisations, found.points, found.seats, found.equipment) == (3, 1, 80, 1)
    assert (found.people, found.lecturers, found.blocks) == (2, 1, 1)
