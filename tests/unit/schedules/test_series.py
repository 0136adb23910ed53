from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from schedules.records import LectureDraft, Part, SeriesDraft
from schedules.series import MOST, changed_alike, expand, merged
from schedules.zones import to_local

HANOI = "Asia/Ho_Chi_Minh"
EIGHT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # Monday 08:00 in Vietnam
FIRST = LectureDraft("Buổi học", "top_1", "usr_1", "bp_1", ("bp_2",), EIGHT, EIGHT + timedelta(minutes=90), HANOI)


def days(series: SeriesDraft) -> list[str]:
    return [f"{to_local(draft.starts_at, draft.zone):%d/%m %H:%M}" for draft in expand(series)]


def test_weekly_counts_lectures_from_the_first_one_on() -> None:
    assert days(SeriesDraft(FIRST, "weekly", count=3)) == ["02/03 08:00", "09/03 08:00", "16/03 08:00"]


def test_weekly_goes_up_to_and_including_its_last_day() -> None:
    assert days(SeriesDraft(FIRST, "weekly", until=date(2026, 3, 16)))[-1] == "16/03 08:00"
    assert days(SeriesDraft(FIRST, "weekly", until=date(2026, 3, 15)))[-1] == "09/03 08:00"


def test_every_second_week_on_two_days() -> None:
    series = SeriesDraft(FIRST, "weekly", interval=2, weekdays=(3, 0), count=4)
    assert days(series) == ["02/03 08:00", "05/03 08:00", "16/03 08:00", "19/03 08:00"]


def test_a_day_before_the_first_lecture_is_not_in_the_series() -> None:
    wednesday = replace(FIRST, starts_at=EIGHT + timedelta(days=2), ends_at=EIGHT + timedelta(days=2, hours=1))
    assert days(SeriesDraft(wednesday, "weekly", weekdays=(0, 2), count=3)) == [
        "04/03 08:00",
        "09/03 08:00",
        "11/03 08:00",
    ]


def test_exceptions_are_left_out_and_count() -> None:
    series = SeriesDraft(FIRST, "weekly", count=3, without=(date(2026, 3, 9),))
    assert days(series) == ["02/03 08:00", "16/03 08:00"]


def test_a_list_of_dates_keeps_the_time_of_day() -> None:
    series = SeriesDraft(FIRST, "dates", dates=(date(2026, 12, 31), date(2026, 3, 2), date(2027, 1, 1)))
    assert days(series) == ["02/03 08:00", "31/12 08:00", "01/01 08:00"]


def test_the_clock_on_the_wall_stays_when_clocks_change() -> None:
    at = datetime(2026, 3, 23, 7, tzinfo=UTC)  # Monday 08:00 in Berlin, a week before summer time
    first = replace(FIRST, zone="Europe/Berlin", starts_at=at, ends_at=at + timedelta(hours=1))
    drafts = expand(SeriesDraft(first, "weekly", count=2))
    assert [draft.starts_at.hour for draft in drafts] == [7, 6]
    assert days(SeriesDraft(first, "weekly", count=2)) == ["23/03 08:00", "30/03 08:00"]


def test_a_day_on_which_clocks_skip_the_time_is_refused() -> None:
    at = datetime(2026, 3, 22, 1, 30, tzinfo=UTC)  # Sunday 02:30 in Berlin; a week later 02:30 does not exist
    first = replace(FIRST, zone="Europe/Berlin", starts_at=at, ends_at=at + timedelta(hours=1))
    with pytest.raises(Invalid, match=r"lecture\.no_such_time"):
        expand(SeriesDraft(first, "weekly", count=2))


def test_a_lecture_over_midnight_and_over_the_year_end_keeps_its_length() -> None:
    at = datetime(2026, 12, 31, 16, 30, tzinfo=UTC)  # 23:30
    first = replace(FIRST, starts_at=at, ends_at=at + timedelta(hours=1))
    drafts = expand(SeriesDraft(first, "weekly", count=2))
    assert [to_local(d.ends_at, HANOI).strftime("%d/%m/%Y %H:%M") for d in drafts] == [
        "01/01/2027 00:30", "08/01/2027 00:30",
    ]  # fmt: skip


AGENDA = (
    Part(EIGHT, EIGHT + timedelta(hours=2), title="Phần 1"),
    Part(EIGHT + timedelta(hours=2, minutes=15), EIGHT + timedelta(hours=4), topic_id="top_2", lecturer_id="usr_2"),
    Part(EIGHT + timedelta(days=1), EIGHT + timedelta(days=1, hours=3)),
)


def test_an_agenda_of_a_day_and_a_half_has_parts_with_their_own_words_and_lecturers() -> None:
    drafts = expand(SeriesDraft(FIRST, "agenda", parts=AGENDA))
    assert [(d.title, d.topic_id, d.lecturer_id) for d in drafts] == [
        ("Phần 1", "top_1", "usr_1"), ("Buổi học", "top_2", "usr_2"), ("Buổi học", "top_1", "usr_1"),
    ]  # fmt: skip
    assert [d.ends_at - d.starts_at for d in drafts] == [p.ends_at - p.starts_at for p in AGENDA]


def test_the_parts_of_a_day_share_the_pause_between_them_as_margin() -> None:
    first = replace(FIRST, setup_min=30, teardown_min=10)
    drafts = expand(SeriesDraft(first, "agenda", parts=AGENDA))
    assert [(d.setup_min, d.teardown_min) for d in drafts] == [(30, 10), (5, 10), (30, 10)]


@pytest.mark.parametrize(
    ("series", "code"),
    [
        (SeriesDraft(FIRST, "weekly"), "series.no_end"),
        (SeriesDraft(FIRST, "weekly", count=3, until=date(2026, 4, 1)), "series.no_end"),
        (SeriesDraft(FIRST, "weekly", count=0), "series.interval"),
        (SeriesDraft(FIRST, "weekly", count=3, interval=0), "series.interval"),
        (SeriesDraft(FIRST, "weekly", count=3, weekdays=(7,)), "series.weekday"),
        (SeriesDraft(FIRST, "weekly", count=MOST + 1), "series.too_many"),
        (SeriesDraft(FIRST, "weekly", until=date(2040, 1, 1)), "series.too_long"),
        (SeriesDraft(FIRST, "weekly", interval=52, count=6), "series.too_long"),
        (SeriesDraft(FIRST, "weekly", count=1, without=(date(2026, 3, 2),)), "series.empty"),
        (SeriesDraft(FIRST, "dates"), "series.empty"),
        (SeriesDraft(FIRST, "dates", dates=(date(2026, 3, 2), date(2036, 3, 2))), "series.too_long"),
        (SeriesDraft(FIRST, "agenda", parts=(AGENDA[0], AGENDA[0])), "series.twice"),
        (SeriesDraft(FIRST, "agenda", parts=AGENDA[:1] * (MOST + 1)), "series.too_many"),
    ],
)
def test_a_series_that_makes_no_sense_is_refused(series: SeriesDraft, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        expand(series)
    assert refused.value.code == code


@given(
    st.integers(1, 8),
    st.lists(st.integers(0, 6), unique=True, max_size=7),
    st.integers(1, 60),
    st.sampled_from([HANOI, "America/New_York", "UTC", "Asia/Kathmandu"]),
)
def test_a_weekly_series_has_as_many_as_wished_on_the_days_wished(
    interval: int, weekdays: list[int], count: int, zone: str
) -> None:
    series = SeriesDraft(replace(FIRST, zone=zone), "weekly", interval, tuple(weekdays), count)
    try:
        drafts = expand(series)
    except Invalid as refused:
        assert refused.code == "series.too_long"
        assert interval * (count - 1) * 7 > 1400
        return
    local = [to_local(draft.starts_at, zone) for draft in drafts]
    first = to_local(EIGHT, zone)
    assert len(drafts) == count
    assert {at.weekday() for at in local} <= (set(weekdays) or {first.weekday()})
    assert {at.time() for at in local} == {first.time()}
    monday = first.date() - timedelta(days=first.weekday())
    assert all(((at.date() - monday).days // 7) % interval == 0 for at in local)
    assert {draft.ends_at - draft.starts_at for draft in drafts} == {timedelta(minutes=90)}


# ---- changed alike -----------------------------------------------------------------------------

WEEK = timedelta(weeks=1)
NEXT = replace(FIRST, starts_at=EIGHT + WEEK, ends_at=EIGHT + WEEK + timedelta(minutes=90))


def test_another_lecture_takes_each_change_where_it_was_alike_and_keeps_what_is_its_own() -> None:
    own = replace(NEXT, main_point_id="bp_9", setup_min=60, description="Mang máy tính")
    wished = replace(
        FIRST, title="Tên mới", main_point_id="bp_3", setup_min=30, teardown_min=15, description="", lecturer_id="usr_2"
    )
    assert merged(own, FIRST, wished) == replace(own, title="Tên mới", teardown_min=15, lecturer_id="usr_2")


@pytest.mark.parametrize(
    ("main", "points", "expected"),
    [
        ("bp_1", ("bp_2",), ("bp_2", ("bp_1", "bp_3"))),  # alike: all as wished
        ("bp_1", ("bp_2", "bp_4"), ("bp_2", ("bp_4", "bp_1"))),  # a hall of its own stays, and so does who swaps roles
        ("bp_5", ("bp_2",), ("bp_5", ("bp_1", "bp_3", "bp_2"))),  # its own main point
        ("bp_2", ("bp_1",), ("bp_2", ("bp_1",))),
    ],
)
def test_points_take_part_once_and_none_is_lost_that_only_changes_its_role(
    main: str, points: tuple[str, ...], expected: tuple[str, tuple[str, ...]]
) -> None:
    wished = replace(FIRST, main_point_id="bp_2", point_ids=("bp_1", "bp_3"))
    changed = merged(replace(NEXT, main_point_id=main, point_ids=points), FIRST, wished)
    assert (changed.main_point_id, changed.point_ids) == expected


def test_the_same_points_in_another_order_are_alike() -> None:
    before = replace(FIRST, point_ids=("bp_2", "bp_3"))
    wished = replace(before, point_ids=("bp_2", "bp_3", "bp_4"))
    assert merged(replace(NEXT, point_ids=("bp_3", "bp_2")), before, wished).point_ids == wished.point_ids


def test_what_is_brought_and_who_looks_after_a_point_is_merged_point_by_point() -> None:
    before = replace(FIRST, point_ids=("bp_2", "bp_3", "bp_4"), equipment=(("bp_2", "eq_1"), ("bp_4", "eq_4")))
    own = replace(before, equipment=(("bp_2", "eq_9"), ("bp_4", "eq_4")), operators=(("bp_3", "usr_7"),))
    wished = replace(
        before,
        point_ids=("bp_2", "bp_3"),
        equipment=(("bp_2", "eq_2"), ("bp_3", "eq_3")),
        operators=(("bp_2", "usr_8"),),
    )
    changed = merged(own, before, wished)
    assert changed.equipment == (("bp_2", "eq_9"), ("bp_3", "eq_3"))
    assert changed.operators == (("bp_2", "usr_8"), ("bp_3", "usr_7"))


def test_a_point_that_only_one_lecture_keeps_keeps_its_set_too() -> None:
    before = replace(FIRST, point_ids=("bp_2", "bp_3"), equipment=(("bp_3", "eq_3"),))
    own = replace(before, point_ids=("bp_2", "bp_3", "bp_4"))
    assert merged(own, before, replace(before, point_ids=("bp_2",), equipment=())).equipment == (("bp_3", "eq_3"),)


def test_a_lecture_without_any_change_is_left_out() -> None:
    before = {"lec_1": FIRST, "lec_2": replace(NEXT, title="Ôn tập"), "lec_3": NEXT}
    changed = changed_alike(before, "lec_1", replace(FIRST, title="Tên mới"))
    assert changed == {"lec_1": replace(FIRST, title="Tên mới"), "lec_3": replace(NEXT, title="Tên mới")}


def test_new_margins_are_shared_in_the_pause_between_two_parts() -> None:
    after = replace(FIRST, starts_at=FIRST.ends_at, ends_at=FIRST.ends_at + timedelta(hours=1))
    changed = changed_alike({"lec_2": after, "lec_1": FIRST}, "lec_2", replace(after, setup_min=30, teardown_min=15))
    assert [(i, draft.setup_min, draft.teardown_min) for i, draft in changed.items()] == [
        ("lec_2", 0, 15),
        ("lec_1", 30, 0),
    ]
    elsewhere = replace(after, main_point_id="bp_8", point_ids=("bp_9",))
    changed = changed_alike({"lec_2": elsewhere, "lec_1": FIRST}, "lec_2", replace(elsewhere, setup_min=30))
    assert [draft.setup_min for draft in changed.values()] == [30, 30]
