from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from core.errors import Conflict, Invalid
from schedules.lifecycle import FOLLOWS, check_draft, check_editable, check_step
from schedules.records import LectureDraft, Status

EIGHT = datetime(2026, 3, 2, 1, tzinfo=UTC)


def draft(**changes: object) -> LectureDraft:
    wish: dict[str, object] = {
        "title": "Chuyển đổi số",
        "topic_id": "top_1",
        "lecturer_id": "usr_1",
        "main_point_id": "bp_main",
        "point_ids": ("bp_a", "bp_b"),
        "starts_at": EIGHT,
        "ends_at": EIGHT + timedelta(hours=1),
        "zone": "Asia/Ho_Chi_Minh",
        **changes,
    }
    return LectureDraft(**wish)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ends_at": EIGHT}, "lecture.ends_before_start"),  # no time at all
        ({"ends_at": EIGHT - timedelta(minutes=1)}, "lecture.ends_before_start"),
        ({"ends_at": EIGHT + timedelta(hours=24, minutes=1)}, "lecture.too_long"),
        ({"zone": "Asia/Hanoi"}, "lecture.unknown_zone"),
        ({"title": " \n"}, "lecture.no_title"),
        ({"title": "x" * 201}, "lecture.long_title"),
        ({"point_ids": ()}, "lecture.no_points"),
        ({"point_ids": ("bp_a", "bp_main")}, "lecture.main_point_joins"),
        ({"point_ids": ("bp_a", "bp_a")}, "lecture.point_twice"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused(changes: dict[str, object], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_draft(draft(**changes))
    assert refused.value.code == code


def test_a_lecture_of_a_whole_day_is_fine() -> None:
    check_draft(draft(ends_at=EIGHT + timedelta(hours=24)))


@pytest.mark.parametrize("now", get_args(Status))
@pytest.mark.parametrize("then", get_args(Status))
def test_a_status_follows_only_where_the_table_says_so(now: Status, then: Status) -> None:
    if now == then or (now, then) == ("cancelled", "ended"):
        assert check_step(now, then) is False
    elif then in FOLLOWS[now]:
        assert check_step(now, then) is True
    else:
        with pytest.raises(Conflict, match=r"lecture\.wrong_status"):
            check_step(now, then)


def test_what_is_over_stays_over() -> None:
    assert FOLLOWS["ended"] == FOLLOWS["cancelled"] == frozenset()


def test_only_a_planned_lecture_can_be_changed() -> None:
    check_editable("planned")
    with pytest.raises(Conflict, match=r"lecture\.not_planned"):
        check_editable("live")
