import pytest

from bench.booking.oracle import Oracle, Wish, clash, double_allocations, needs

STANDING = {"bp_a": "eq_a", "bp_b": "eq_b", "bp_c": "eq_c"}
MORNING = Wish(480, 570, 30, 15, "usr_1", ("bp_a", "bp_b"), (), (("bp_a", "usr_op"),))


def test_a_wish_needs_its_points_their_equipment_its_operators_and_its_lecturer() -> None:
    assert needs(MORNING, STANDING) == {
        "bp_a": (450, 585), "bp_b": (450, 585), "eq_a": (450, 585), "eq_b": (450, 585), "usr_1": (480, 570),
        "usr_op": (450, 585),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("other", "clashes"),
    [
        (Wish(570, 600, 0, 0, "usr_1", ("bp_c",)), False),  # the lecturer is free at once
        (Wish(585, 600, 0, 0, "usr_2", ("bp_a",)), False),
        (Wish(584, 600, 0, 0, "usr_2", ("bp_a",)), True),  # still being cleared away
        (Wish(569, 600, 0, 0, "usr_1", ("bp_c",)), True),
        (Wish(480, 570, 0, 0, "usr_2", ("bp_c",), (("bp_c", "eq_a"),)), True),  # the set is elsewhere
        (Wish(600, 630, 20, 0, "usr_2", ("bp_c",), (), (("bp_c", "usr_op"),)), True),  # so is who looks after it
        (Wish(600, 630, 15, 0, "usr_2", ("bp_c",), (), (("bp_c", "usr_op"),)), False),
    ],
)
def test_two_wishes_clash_when_they_need_one_thing_at_one_time(other: Wish, clashes: bool) -> None:
    assert clash(MORNING, other, STANDING) is clashes
    oracle = Oracle(STANDING)
    oracle.accepted["lec_1"] = MORNING
    assert oracle.fits(other) is not clashes
    assert oracle.fits(other, ignoring="lec_1")


def test_what_is_allocated_twice_is_counted_by_resource() -> None:
    assert double_allocations([MORNING, MORNING.moved(200)], STANDING) == 0
    assert double_allocations([MORNING, MORNING.moved(100)], STANDING) == 5  # points, sets, operator


def test_what_a_wish_does_not_name_is_free_or_not() -> None:
    oracle = Oracle(STANDING)
    oracle.accepted["lec_1"] = MORNING
    later = Wish(600, 630, 30, 0, "usr_2", ("bp_c",))
    assert not oracle.is_free("bp_a", later)
    assert oracle.is_free("bp_a", later, ignoring="lec_1")
    assert oracle.is_free("bp_a", later.moved(15))
    assert oracle.is_free("eq_c", later)
