"""Trees of all moments, without a database."""

from datetime import UTC, datetime, timedelta

from schedules.registry.lineage import Lineage, Period
from schedules.registry.records import Past

JULY = datetime(2025, 7, 1, tzinfo=UTC)
JANUARY, MAY, AUGUST = (
    datetime(2025, 1, 1, tzinfo=UTC),
    datetime(2025, 5, 1, tzinfo=UTC),
    datetime(2025, 8, 1, tzinfo=UTC),
)
ROWS = [
    Past("province", "Tỉnh", "", None, JANUARY, None),
    Past("other", "Tỉnh khác", "", None, JANUARY, None),
    Past("district", "Huyện", "", "province", JANUARY, JULY),  # abolished
    Past("commune", "Xã", "", "district", JANUARY, JULY),
    Past("commune", "Xã mới", "", "other", JULY, None),
    Past("school", "Trường", "", "commune", JULY, None),  # founded
]


def test_who_is_above_and_below_depends_on_the_day() -> None:
    lineage = Lineage(ROWS)
    assert lineage.above(["commune"], MAY) == {"commune", "district", "province"}
    assert lineage.above(["commune"], JULY) == {"commune", "other"}
    assert lineage.below("province", JULY - timedelta(seconds=1)) == {"province", "district", "commune", "school"}
    assert lineage.below("province", JULY) == {"province", "district"}
    assert lineage.below("other", AUGUST) == {"other", "commune", "school"}
    assert lineage.above(["nobody"], MAY) == {"nobody"}


def test_what_was_not_there_then_keeps_a_place_and_a_name() -> None:
    lineage = Lineage(ROWS)
    assert lineage.above(["school"], MAY) == {"school", "commune", "district", "province"}, "not yet founded"
    assert lineage.above(["district"], AUGUST) == {"district", "province"}, "abolished"
    assert [lineage.name("commune", at) for at in (MAY, JULY)] == ["Xã", "Xã mới"]
    assert (lineage.name("school", MAY), lineage.name("district", AUGUST)) == ("Trường", "Huyện")
    assert lineage.name("nobody", MAY) == ""


def test_a_rename_or_a_move_elsewhere_makes_no_period() -> None:
    rows = [*ROWS, Past("other", "Tên mới", "", None, AUGUST, None)]
    lineage = Lineage(rows)
    assert lineage.periods("school") == [Period(None, None, frozenset({"school"}))]
    assert [(p.from_at, p.until_at) for p in lineage.periods("other")] == [(None, JULY), (JULY, None)]


def test_a_circle_in_the_past_ends_the_way_up() -> None:
    lineage = Lineage([Past("a", "A", "", "b", JANUARY, None), Past("b", "B", "", "a", JANUARY, None)])
    assert lineage.above(["a"], MAY) == {"a", "b"} == lineage.below("b", MAY)
