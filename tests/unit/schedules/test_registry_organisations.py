"""The tree of organisations: of now, and of any day."""

from datetime import UTC, datetime, timedelta

import pytest

from core.errors import AppError, Conflict, Invalid
from schedules.models import Organisation, OrganisationPast
from schedules.registry.records import BEGINNING, OrganisationDraft, Past
from schedules.registry.tree import circle_since, tree_of
from tests.unit.schedules.registry_office import Office

DAY = timedelta(days=1)


@pytest.fixture
def office(any_db, clock):
    return Office(any_db, clock)


def test_a_rename_leaves_the_old_name_in_the_past(office, clock):
    before = clock.now()
    clock.advance(days=30)
    office.orgs.rename(office.cam_lo, "Xã Cam Lộ mới", at=clock.now() - 10 * DAY)
    assert office.orgs.line(office.cam_lo).name == "Xã Cam Lộ mới"
    assert office.registry.organisation_at(office.cam_lo, before).name == "Xã Cam Lộ"
    assert office.registry.organisation_at(office.cam_lo, clock.now() - 10 * DAY).name == "Xã Cam Lộ mới"
    assert office.registry.organisation_at(office.cam_lo, clock.now() - 11 * DAY).name == "Xã Cam Lộ"
    assert (1, "Xã Cam Lộ") in office.names(office.registry.tree_at(before))
    assert (1, "Xã Cam Lộ mới") in office.names(office.registry.tree_at(clock.now()))


def test_an_organisation_without_a_past_has_always_been_what_it_is(office, clock):
    with office.db.transaction() as s:
        s.add(Organisation(id="org_old", name="Huyện Triệu Phong", parent_id=office.province, tier="huyện"))
    assert (1, "Huyện Triệu Phong") in office.names(office.registry.tree_at(BEGINNING))
    clock.advance(days=1)
    office.schedules.move_organisation("org_old", office.cam_lo)
    past = office.orgs.past("org_old")
    assert [(row.parent_id, row.from_at, row.until_at) for row in past] == [
        (office.province, BEGINNING, clock.now()),
        (office.cam_lo, clock.now(), None),
    ]


def test_the_simple_front_doors_write_the_past_too(office, clock):
    org = office.schedules.add_organisation("Xã Hướng Phùng", office.province)
    founded = clock.now()
    clock.advance(days=1)
    office.schedules.move_organisation(org, office.cam_lo)
    assert office.registry.organisation_at(org, founded).parent_id == office.province
    assert office.registry.organisation_at(org, clock.now()).parent_id == office.cam_lo
    assert org not in {node.id for node in office.registry.tree_at(founded - DAY)}


def test_two_provinces_merge_and_the_trees_of_both_days_are_known(office, clock):
    other = office.orgs.add(OrganisationDraft("Tỉnh Quảng Bình", None, "QB", "tỉnh"))
    commune = office.orgs.add(OrganisationDraft("Xã Lệ Thủy", other, "LT", "xã"))
    point = office.point("Lệ Thủy", org_id=other)
    person = office.people.add(office.person("Trần Văn Bình", "lecturer", org_id=other))
    before = clock.now()
    merged = clock.advance(days=100)
    clock.advance(days=3)
    office.orgs.abolish(other, office.province, at=merged, move=True)
    assert office.points.line(point).draft.org_id == office.province
    assert office.people.line(person).draft.org_id == office.province
    assert office.names(office.registry.tree_at(before)) == [
        (0, "Tỉnh Quảng Bình"), (1, "Xã Lệ Thủy"),
        (0, "Tỉnh Quảng Trị"), (1, "Xã Cam Lộ"), (1, "Xã Đakrông"),
    ]  # fmt: skip
    assert office.names(office.registry.tree_at(merged)) == [
        (0, "Tỉnh Quảng Trị"), (1, "Xã Cam Lộ"), (1, "Xã Đakrông"), (1, "Xã Lệ Thủy"),
    ]  # fmt: skip
    assert office.registry.organisation_at(other, clock.now()).name == "Tỉnh Quảng Bình", "reports need its name"
    line = office.orgs.line(other)
    assert (line.abolished_at, line.successor_id) == (merged, office.province)
    assert other not in {line.id for line in office.orgs.lines()}
    assert office.orgs.line(commune).parent_id == office.province


def test_what_still_belongs_to_an_organisation_keeps_it_from_being_abolished(office):
    office.point("Cam Lộ")
    for org, part in ((office.cam_lo, "Cam Lộ"), (office.province, "Xã Đakrông")):
        with pytest.raises(Conflict) as refused:
            office.orgs.abolish(org, office.dakrong)
        assert refused.value.code == "organisation.not_empty"
        assert part in str(refused.value)
    with pytest.raises(Invalid) as refused:
        office.orgs.abolish(office.cam_lo, None, move=True)
    assert refused.value.code == "organisation.no_successor"


def test_a_retired_point_keeps_nobody(office):
    office.points.retire(office.point("Cam Lộ"))
    office.orgs.abolish(office.cam_lo, office.dakrong)
    assert office.orgs.line(office.cam_lo).abolished_at == office.clock.now()


def test_a_successor_that_was_a_part_takes_the_place_of_the_whole(office, clock):
    district = office.orgs.add(OrganisationDraft("Huyện", office.province))
    inner = office.orgs.add(OrganisationDraft("Cụm", district))
    heir = office.orgs.add(OrganisationDraft("Xã Mới", inner))
    clock.advance(days=1)
    office.orgs.abolish(district, heir, move=True)
    assert office.orgs.line(heir).parent_id == office.province
    assert office.orgs.line(inner).parent_id == heir
    assert len(office.registry.tree_at(clock.now())) == 5


def test_nothing_lies_below_itself_at_any_moment(office, clock):
    clock.advance(days=10)
    office.orgs.move(office.dakrong, office.cam_lo, at=clock.now() - 2 * DAY)
    for at in (None, clock.now() - 5 * DAY):  # then it would have been no circle, but two days ago it would
        with pytest.raises(Conflict) as refused:
            office.orgs.move(office.cam_lo, office.dakrong, at=at)
        assert refused.value.code == "organisation.circle"
    with pytest.raises(Conflict):
        office.orgs.move(office.province, office.dakrong)
    with pytest.raises(Conflict):
        office.orgs.move(office.province, office.province)
    assert office.orgs.line(office.cam_lo).parent_id == office.province, "nothing of it stays"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda o: o.orgs.rename(o.cam_lo, " "), "registry.no_name"),
        (lambda o: o.orgs.rename(o.cam_lo, "x" * 201), "registry.too_long"),
        (lambda o: o.orgs.rename(o.cam_lo, "Mới", at=o.clock.now() + DAY), "organisation.future"),
        (lambda o: o.orgs.add(OrganisationDraft("A", None), at=o.clock.now() + DAY), "organisation.future"),
        (lambda o: o.orgs.add(OrganisationDraft("A", "org_none")), "organisation.unknown"),
        (lambda o: o.orgs.add(OrganisationDraft("A", None, "cl")), "registry.code_taken"),
        (lambda o: o.orgs.abolish(o.cam_lo, o.cam_lo), "organisation.own_successor"),
        (lambda o: o.orgs.abolish(o.cam_lo, "org_none"), "organisation.unknown"),
        (lambda o: o.orgs.organisation_at("org_none", BEGINNING), "organisation.unknown"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(office, change, code):
    with pytest.raises(AppError) as refused:
        change(office)
    assert refused.value.code == code


def test_a_change_is_not_dated_before_the_last_one(office, clock):
    start = clock.now()
    clock.advance(days=10)
    office.orgs.rename(office.cam_lo, "Xã Mới", at=clock.now() - 2 * DAY)
    with pytest.raises(Conflict) as refused:
        office.orgs.rename(office.cam_lo, "Xã Cũ", at=start)
    assert refused.value.code == "organisation.earlier_change"
    assert "10/03/2026" in str(refused.value)
    office.orgs.rename(office.cam_lo, "Xã Rất Mới", at=clock.now() - 2 * DAY)  # a correction of the same moment
    assert [row.name for row in office.orgs.past(office.cam_lo)] == ["Xã Cam Lộ", "Xã Rất Mới"]


def test_an_abolished_organisation_is_left_alone(office, clock):
    office.orgs.abolish(office.cam_lo)
    for change in (
        lambda: office.orgs.rename(office.cam_lo, "Mới"),
        lambda: office.orgs.abolish(office.cam_lo),
        lambda: office.orgs.move(office.dakrong, office.cam_lo),
        lambda: office.point("Cam Lộ"),
    ):
        with pytest.raises(Conflict) as refused:
            change()
        assert refused.value.code == "organisation.abolished"


def test_a_change_of_nothing_leaves_no_trace(office):
    office.orgs.rename(office.cam_lo, "Xã Cam Lộ")
    with office.db.reading() as s:
        assert s.query(OrganisationPast).filter_by(org_id=office.cam_lo).count() == 1


def test_a_circle_in_the_past_is_found_and_a_lost_parent_makes_a_root():
    t0, t1 = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)
    rows = [
        Past("a", "A", "", None, t0, t1), Past("a", "A", "", "b", t1, None), Past("b", "B", "", "a", t0, None),
    ]  # fmt: skip
    assert circle_since(rows, "a", t0) == t1
    assert circle_since(rows[:1] + rows[2:], "a", t0) is None
    assert [(n.id, n.depth) for n in tree_of(rows[2:], t0)] == [("b", 0)]
