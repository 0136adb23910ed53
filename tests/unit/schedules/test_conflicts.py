from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.conflicts import BookingClash, Hold, NamedClash, find_clashes, name_clash, overlap
from schedules.records import ResourceKind

EIGHT = datetime(2026, 3, 2, 8, tzinfo=UTC)


def hold(
    start: float, end: float, resource: str = "bp_a", lecture: str = "lec_new", kind: ResourceKind = "point"
) -> Hold:
    """From `start` to `end` minutes after eight."""
    return Hold(kind, resource, EIGHT + timedelta(minutes=start), EIGHT + timedelta(minutes=end), lecture)


@pytest.mark.parametrize(
    ("start", "end", "clashes"),
    [
        (-60, -1, False),  # long before
        (-60, 0, False),  # ends when the other starts
        (-60, 1, True),  # one minute into it
        (-60, 90, True),  # around it, ends together
        (-60, 120, True),  # around it
        (0, 30, True),  # starts together
        (0, 90, True),  # the same interval
        (30, 60, True),  # within
        (60, 90, True),  # ends together
        (89, 120, True),  # its last minute
        (90, 120, False),  # starts when the other ends
        (91, 120, False),  # after
        (30, 30, False),  # empty: a lecture that was ended before it started holds nothing
    ],
)
def test_two_intervals_clash_only_when_they_share_a_moment(start: float, end: float, clashes: bool) -> None:
    held = hold(0, 90, lecture="lec_old")
    assert bool(find_clashes([hold(start, end)], [held])) is clashes


def test_another_resource_at_the_same_time_is_free() -> None:
    assert find_clashes([hold(0, 90, "bp_a")], [hold(0, 90, "bp_b", "lec_old")]) == []


def test_a_lecture_is_never_in_its_own_way() -> None:
    assert find_clashes([hold(30, 120)], [hold(0, 90)]) == []


def test_every_taken_resource_is_named_points_first() -> None:
    wishes = [hold(0, 90, "usr_l", kind="lecturer"), hold(0, 90, "bp_a"), hold(0, 90, "eq_x", kind="equipment")]
    held = [
        hold(60, 70, "eq_x", "lec_3", "equipment"),
        hold(30, 60, "usr_l", "lec_2", "lecturer"),
        hold(30, 60, "bp_a", "lec_1"),
    ]
    found = [(c.wish.resource_id, c.held.holder_id) for c in find_clashes(wishes, held)]
    assert found == [("bp_a", "lec_1"), ("usr_l", "lec_2"), ("eq_x", "lec_3")]


def test_equipment_is_not_named_again_when_its_point_clashes_with_the_same_lecture() -> None:
    wishes = [hold(0, 90, "bp_a"), hold(0, 90, "eq_a", kind="equipment")]
    held = [hold(0, 90, "bp_a", "lec_1"), hold(0, 90, "eq_a", "lec_1", "equipment")]
    assert [c.wish.resource_id for c in find_clashes(wishes, held)] == ["bp_a"]


def test_equipment_that_was_carried_elsewhere_clashes_by_itself() -> None:
    wishes = [hold(0, 90, "bp_a"), hold(0, 90, "eq_a", kind="equipment")]
    held = [hold(0, 90, "bp_b", "lec_1"), hold(0, 90, "eq_a", "lec_1", "equipment")]
    assert [c.wish.resource_id for c in find_clashes(wishes, held)] == ["eq_a"]


def test_the_sentence_says_what_clashes_with_what_and_when_in_local_time() -> None:
    (clash,) = find_clashes([hold(0, 90)], [hold(30, 120, lecture="lec_old")])
    named = name_clash(clash, "Hướng Hóa", "Cải cách hành chính", "Asia/Ho_Chi_Minh")
    error = BookingClash([named])
    assert error.code == "booking.clash"
    assert str(error) == (
        "booking.clash: The bridge point Hướng Hóa is already taken by “Cải cách hành chính”, 15:30–17:00, 02/03/2026."
    )


def test_a_clash_over_midnight_names_both_days() -> None:
    (clash,) = find_clashes([hold(0, 900)], [hold(480, 600, lecture="lec_old")])
    named = name_clash(clash, "A", "B", "Asia/Ho_Chi_Minh")
    assert named == NamedClash(
        "point", "A", "lecture", "B", "23:00 02/03/2026 – 01:00 03/03/2026", "bp_a", "lec_old",
        "15:00 02/03/2026 – 06:00 03/03/2026",
    )  # fmt: skip


minutes = st.integers(-300, 300)
holds = st.builds(
    hold,
    start=minutes,
    end=minutes,
    resource=st.sampled_from(["bp_a", "bp_b", "eq_a"]),
    lecture=st.sampled_from(["lec_1", "lec_2", "lec_3"]),
)


@given(st.lists(holds, max_size=5), st.lists(holds, max_size=12))
def test_it_finds_what_a_minute_by_minute_look_finds(wishes: list[Hold], held: list[Hold]) -> None:
    def taken(h: Hold) -> set[int]:
        def of(at: datetime) -> int:
            return round((at - EIGHT).total_seconds() / 60)

        return set(range(of(h.starts_at), of(h.ends_at)))

    expected = {
        (w.resource_id, w.holder_id, h.holder_id)
        for w in wishes
        for h in held
        if w.resource_id == h.resource_id and w.holder_id != h.holder_id and taken(w) & taken(h)
    }
    found = {(c.wish.resource_id, c.wish.holder_id, c.held.holder_id) for c in find_clashes(wishes, held)}
    assert found == expected


@given(holds, holds)
def test_overlapping_is_mutual(a: Hold, b: Hold) -> None:
    assert overlap(a, b) == overlap(b, a)
