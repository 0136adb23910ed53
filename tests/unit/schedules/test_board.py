"""Where things stand on the board, and which part of the timetable a page shows."""

from datetime import UTC, date, datetime, timedelta

import pytest

from core.errors import Invalid
from schedules.board.choice import choice_of, is_shown
from schedules.board.layout import EDGE, HUES, SPAN, Hatch, Piece, days_as_rows, hues_of, lane, pieces, rows_of
from schedules.board.moves import draft_of, in_place, lecture_json, wish_of
from tests.unit.schedules.plans import EIGHT, plan

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
ZONE = "Asia/Ho_Chi_Minh"


def at(words: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-0{words}")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2T08:00", "2T09:30", [Piece(MONDAY, 60, 90)]),
        ("2T08:02", "2T09:29", [Piece(MONDAY, 60, 90)]),  # drawn on the grid of five minutes
        ("2T20:30", "3T08:00", [Piece(MONDAY, 810, 60, after=True), Piece(TUESDAY, 0, 60, before=True)]),
        ("2T22:00", "3T00:00", [Piece(MONDAY, SPAN - EDGE, EDGE, after=True)]),  # midnight is not the next day
        ("2T22:00", "3T00:30", [Piece(MONDAY, SPAN - EDGE, EDGE, after=True), Piece(TUESDAY, 0, EDGE, before=True)]),
        ("2T05:00", "2T07:00", [Piece(MONDAY, 0, EDGE, before=True)]),
        ("2T06:00", "2T08:00", [Piece(MONDAY, 0, 60, before=True)]),
        ("2T21:00", "2T21:30", [Piece(MONDAY, 840, 30)]),
        ("2T00:00", "4T00:00", [Piece(MONDAY, 0, SPAN, True, True), Piece(TUESDAY, 0, SPAN, True, True)]),
        ("1T20:00", "1T23:00", []),
        ("4T08:00", "4T09:00", []),
    ],
)
def test_a_lecture_has_a_piece_on_each_day_that_it_touches(start: str, end: str, expected: list[Piece]) -> None:
    assert pieces(at(start), at(end), [MONDAY, TUESDAY]) == expected


def test_a_day_on_which_clocks_change_is_drawn_by_the_wall_clock() -> None:
    day = date(2026, 3, 29)  # in Berlin 02:00 is followed by 03:00
    assert pieces(datetime(2026, 3, 29, 8), datetime(2026, 3, 29, 9), [day]) == [Piece(day, 60, 60)]


def test_words_may_run_until_the_next_lecture_or_the_end_of_the_day() -> None:
    first, second = lane([("b", Piece(MONDAY, 420, 90)), ("a", Piece(MONDAY, 60, 90))])
    assert (first.what, first.room, first.tracks) == ("a", 360, 1)
    assert (second.what, second.room) == ("b", SPAN - 420)
    assert first.css == "fh1 fm0 lh1 lm30 rh6 rm0"


@pytest.mark.parametrize(
    ("starts", "rooms", "before"),
    [
        ([SPAN - 120], [SPAN - 120], [True]),
        ([SPAN - 300], [300], [False]),
        ([60, SPAN - 120], [240, SPAN - 420], [False, True]),
        ([SPAN - 450, SPAN - 120], [330, 120], [False, False]),  # the earlier one needs the time between them
    ],
)
def test_the_words_of_an_evening_stand_before_it(starts: list[int], rooms: list[int], before: list[bool]) -> None:
    placed = lane([(n, Piece(MONDAY, start, 90)) for n, start in enumerate(starts)])
    assert [one.room for one in placed] == rooms
    assert ["words-before" in one.css for one in placed] == before


def test_what_overlaps_gets_a_track_of_its_own_and_what_touches_does_not() -> None:
    touching = lane([("a", Piece(MONDAY, 0, 60)), ("b", Piece(MONDAY, 60, 60))])
    assert [placed.tracks for placed in touching] == [1, 1]
    over = lane([("a", Piece(MONDAY, 0, 90)), ("b", Piece(MONDAY, 60, 60)), ("c", Piece(MONDAY, 90, 30))])
    assert [(placed.track, placed.tracks) for placed in over] == [(0, 2), (1, 2), (0, 2)]
    assert "t1 of2" in over[1].css


def test_many_on_each_other_share_the_last_track() -> None:
    placed = lane([(n, Piece(MONDAY, 0, 60)) for n in range(5)])
    assert [one.track for one in placed] == [0, 1, 2, 2, 2]
    assert all(one.room >= 60 for one in placed)


def test_a_row_has_a_cell_for_each_day_and_one_resource_can_have_its_days_as_rows() -> None:
    items = {("bp_1", TUESDAY): [("a", Piece(TUESDAY, 0, 60))]}
    hatches = {("bp_1", MONDAY): [Hatch(Piece(MONDAY, 0, SPAN), "Sửa điện")]}
    (row,) = rows_of([("bp_1", "Đông Hà", "")], [MONDAY, TUESDAY], items, hatches)
    assert [len(cell.placed) for cell in row.cells] == [0, 1]
    assert row.cells[0].hatches[0].css == "fh0 fm0 lh14 lm30 hatch-block"
    assert Hatch(Piece(MONDAY, 0, 60), "Họp", busy=True).css == "fh0 fm0 lh1 lm0 hatch-busy"
    assert Hatch(Piece(MONDAY, 0, 60)).css == "fh0 fm0 lh1 lm0"  # margins
    turned = days_as_rows(row, {MONDAY: "thứ hai", TUESDAY: "thứ ba"})
    assert [(line.name, len(line.cells)) for line in turned] == [("thứ hai", 1), ("thứ ba", 1)]
    assert turned[1].cells[0].resource == "bp_1"


def test_courses_have_colours_of_their_own_while_there_are_enough() -> None:
    ids = [f"crs_{n}" for n in range(HUES)]
    assert sorted(hues_of(ids).values()) == list(range(1, HUES + 1))
    assert set(hues_of([*ids, "crs_more"]).values()) == set(range(1, HUES + 1))
    assert hues_of(["crs_1"]) == hues_of(["crs_1", "crs_1"])


@pytest.mark.parametrize(
    ("args", "first", "count"),
    [
        ({}, MONDAY, 7),
        ({"date": "2026-03-08"}, MONDAY, 7),
        ({"week": "2026-W11"}, date(2026, 3, 9), 7),
        ({"view": "day", "date": "2026-03-03"}, TUESDAY, 1),
        ({"view": "month", "date": "2026-03-31"}, date(2026, 2, 23), 42),
        ({"view": "month", "date": "2027-02-10"}, date(2027, 2, 1), 28),
        ({"view": "year", "date": "yesterday"}, MONDAY, 7),
        ({"date": "9999-12-31"}, MONDAY, 7),
    ],
)
def test_a_query_says_which_days_are_shown(args: dict[str, str], first: date, count: int) -> None:
    days = choice_of(args, today=date(2026, 3, 4)).days
    assert (days[0], len(days)) == (first, count)


def test_one_goes_to_the_next_and_the_last_day_week_and_month() -> None:
    month = choice_of({"view": "month", "date": "2026-12-31"}, MONDAY)
    assert (month.step(1), month.step(-1)) == (date(2027, 1, 1), date(2026, 11, 1))
    assert choice_of({}, MONDAY).step(-1) == date(2026, 2, 23)
    assert choice_of({"view": "day"}, MONDAY).step(1) == TUESDAY


def test_links_keep_what_was_chosen_and_leave_out_what_is_usual() -> None:
    choice = choice_of({"org": "org_1", "rows": "lecturers", "date": "2026-03-03"}, MONDAY)
    assert choice.args(view="day") == {"org": "org_1", "view": "day", "rows": "lecturers", "date": "2026-03-03"}
    assert choice.args(org="", rows="points") == {"date": "2026-03-03"}


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ({}, True),
        ({"topic": "top_1"}, True),
        ({"topic": "top_2"}, False),
        ({"course": "crs_2"}, False),
        ({"point": "bp_a"}, True),
        ({"point": "bp_c"}, False),
        ({"lecturer": "usr_1"}, True),
        ({"lecturer": "usr_2"}, False),
    ],
)
def test_what_is_not_asked_for_is_left_out(args: dict[str, str], shown: bool) -> None:
    assert is_shown(plan(), choice_of(args, MONDAY), ()) is shown


def test_a_lecture_belongs_to_every_organisation_that_takes_part() -> None:
    choice = choice_of({"org": "org_1"}, MONDAY)
    lecture = plan(org_ids=("org_p", "org_a", "org_b"), lecturer_org_id="org_l")
    assert is_shown(lecture, choice, {"org_1", "org_b"})
    assert is_shown(lecture, choice, {"org_1", "org_l"})
    assert not is_shown(lecture, choice, {"org_1"})


def said(**changes: object) -> dict[str, object]:
    wish = {"lecture": "lec_1", "starts_at": "2026-03-02T08:00", "ends_at": "2026-03-02T09:30"}
    return {**wish, **changes}


def test_a_wish_is_read_on_the_wall_clock() -> None:
    wish = wish_of(said(sequence=3, scope="all", points=["bp_a", "bp_b"], equipment=[["bp_a", "eq_1"]]), ZONE)
    assert (wish.starts_at, wish.sequence, wish.scope) == (EIGHT, 3, "all")
    assert wish.points == ("bp_a", "bp_b")
    assert wish.equipment == (("bp_a", "eq_1"),)


@pytest.mark.parametrize(
    "wrong",
    [
        None, [], "x", 7, {},
        said(lecture=None), said(starts_at="soon"), said(ends_at=None), said(scope="some"), said(sequence="x"),
        said(points=[]), said(points=[1]), said(points=7), said(equipment=[["bp_a"]]), said(operators=[[1, 2]]),
    ],
)  # fmt: skip
def test_what_is_no_wish_is_refused_with_a_sentence(wrong: object) -> None:
    with pytest.raises(Invalid) as refusal:
        wish_of(wrong, ZONE)
    assert refusal.value.code == "request.unreadable"


def test_a_time_that_clocks_skip_is_refused_with_its_own_sentence() -> None:
    with pytest.raises(Invalid) as refusal:
        wish_of(said(starts_at="2026-03-29T02:30", ends_at="2026-03-29T04:00"), "Europe/Berlin")
    assert refusal.value.code == "lecture.no_such_time"


def test_a_point_that_no_longer_joins_takes_nothing_along() -> None:
    lecture = plan(equipment=(("bp_a", "eq_1"),), operators=(("bp_a", "usr_9"), ("bp_b", "usr_8")), setup_min=15)
    draft = draft_of(lecture, wish_of(said(points=["bp_main", "bp_c", "bp_b"]), ZONE))
    assert (draft.main_point_id, draft.point_ids) == ("bp_main", ("bp_c", "bp_b"))
    assert (draft.equipment, draft.operators, draft.setup_min) == ((), (("bp_b", "usr_8"),), 15)


def test_a_time_that_was_not_changed_stays_to_the_second() -> None:
    lecture = plan(starts_at=EIGHT + timedelta(seconds=20))
    wish = in_place(lecture, wish_of(said(ends_at="2026-03-02T10:00"), ZONE))
    assert wish.starts_at == lecture.starts_at
    assert wish.ends_at == datetime(2026, 3, 2, 3, tzinfo=UTC)


def test_a_page_is_told_times_on_its_own_wall_clock() -> None:
    told = lecture_json(plan(), ZONE)
    assert (told["starts_at"], told["movable"], told["series"]) == ("2026-03-02T08:00", True, False)
    assert told["points"] == ("bp_main", "bp_a", "bp_b")
