from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from attendance.presence import (
    SAME_VISIT_MS,
    Sheet,
    class_span,
    clip,
    fold,
    length_ms,
    merge,
    overlap,
    spans,
    visits,
)
from rooms.events import (
    FloorGranted,
    FloorReleased,
    LectureEnded,
    LectureOpened,
    LectureStarted,
    ParticipantJoined,
    ParticipantLeft,
    PeopleCounted,
    RoomEvent,
)

S = 1000
A, B = "bp_a", "bp_b"


def folded(*happened: tuple[int, RoomEvent]) -> Sheet:
    sheet = Sheet()
    for seq, (at_ms, event) in enumerate(happened, 1):
        sheet = fold(sheet, seq, at_ms, event)
    return sheet


def joined(participant: str = A) -> ParticipantJoined:
    return ParticipantJoined(participant=participant, role="point")


def left(since_ms: int, participant: str = A) -> ParticipantLeft:
    return ParticipantLeft(participant=participant, reason="lost", since_ms=since_ms)


def here(sheet: Sheet, now_ms: int = 10**9, participant: str = A) -> list[tuple[int, int]]:
    return spans(sheet.stays, "here", now_ms).get(participant, [])


def test_a_stay_ends_when_the_connection_was_last_seen_not_when_we_gave_up():
    sheet = folded((0, joined()), (60 * S, left(52 * S)))
    assert here(sheet) == [(0, 52 * S)]


def test_a_stay_that_is_not_over_is_cut_at_now():
    assert here(folded((5 * S, joined())), now_ms=20 * S) == [(5 * S, 20 * S)]


def test_the_end_of_the_class_ends_every_stay():
    sheet = folded((0, joined()), (1, joined(B)), (9 * S, LectureEnded(by=None, reason="expired")))
    assert here(sheet) == [(0, 9 * S)]
    assert here(sheet, participant=B) == [(1, 9 * S)]
    assert sheet.going_on == ()


def test_a_second_join_and_a_leave_without_a_join_change_nothing():
    sheet = folded((0, left(0)), (S, joined()), (2 * S, joined()), (5 * S, left(5 * S)), (6 * S, left(6 * S)))
    assert here(sheet) == [(S, 5 * S)]


def test_a_join_after_the_end_is_no_presence():
    assert here(folded((0, LectureEnded(by=None, reason="ended")), (S, joined()))) == []


def test_a_leave_dated_before_the_join_gives_an_empty_stay():
    assert here(folded((10 * S, joined()), (20 * S, left(3 * S)))) == []


def test_a_short_loss_is_one_visit_and_a_long_one_two_but_time_away_never_counts():
    away = [(0, 100 * S), (100 * S + SAME_VISIT_MS, 300 * S)]
    assert visits(away) == 1
    assert visits([(0, 100 * S), (101 * S + SAME_VISIT_MS, 300 * S)]) == 2
    assert length_ms(away) == 300 * S - SAME_VISIT_MS


def test_the_floor_is_with_one_point_at_a_time_even_if_a_release_is_missing():
    sheet = folded(
        (0, joined()),
        (0, joined(B)),
        (1 * S, FloorGranted(participant=A, by="usr_l")),
        (4 * S, FloorGranted(participant=B, by="usr_l")),
        (9 * S, FloorReleased(participant=B, by=None, reason="released")),
    )
    assert spans(sheet.stays, "floor", 99 * S) == {A: [(1 * S, 4 * S)], B: [(4 * S, 9 * S)]}


def test_whoever_is_gone_no_longer_has_the_floor():
    sheet = folded((0, joined()), (S, FloorGranted(participant=A, by="usr_l")), (9 * S, left(5 * S)))
    assert spans(sheet.stays, "floor", 99 * S) == {A: [(S, 5 * S)]}


def test_the_class_span_is_none_before_the_start_and_cut_at_now_while_it_runs():
    assert class_span(Sheet(), 5) is None
    started = folded((2 * S, LectureStarted(by="usr_l")))
    assert class_span(started, 7 * S) == (2 * S, 7 * S)
    ended = fold(started, 2, 9 * S, LectureEnded(by=None, reason="ended"))
    assert class_span(ended, 99 * S) == (2 * S, 9 * S)


POINTS = st.sampled_from([A, B, "bp_c"])
SPANS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)).map(lambda s: (min(s), max(s))), max_size=12)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, RoomEvent]]:
    """Any order of events, sensible or not, at times that never go back."""
    at_ms, happened = 1_000, []
    for _ in range(draw(st.integers(0, 25))):
        at_ms += draw(st.integers(0, 90 * S))
        who = draw(POINTS)
        since = at_ms - draw(st.integers(0, 20 * S))
        event = draw(
            st.sampled_from(
                [
                    LectureOpened(lecturer="usr_l", main_point=A, points=[B]),
                    LectureStarted(by="usr_l"),
                    joined(who),
                    left(since, who),
                    FloorGranted(participant=who, by="usr_l"),
                    FloorReleased(participant=who, by=None, reason="released"),
                    PeopleCounted(point=who, people=40, by="usr_o"),
                ]
            )
        )
        happened.append((at_ms, event))
    if draw(st.booleans()):
        happened.append((at_ms + draw(st.integers(0, 90 * S)), LectureEnded(by=None, reason="ended")))
    return happened


@given(histories(), st.integers(0, 10**6))
def test_nobody_is_present_longer_than_the_class_nor_speaks_longer_than_they_are_present(happened, after_ms):
    sheet = folded(*happened)
    now_ms = (happened[-1][0] if happened else 0) + after_ms
    lesson = class_span(sheet, now_ms)
    floors = spans(sheet.stays, "floor", now_ms)
    for participant, found in spans(sheet.stays, "here", now_ms).items():
        total = length_ms(found)
        if lesson:
            in_class = length_ms(clip(found, lesson))
            assert 0 <= in_class <= min(total, lesson[1] - lesson[0])
        assert length_ms(overlap(floors.get(participant, []), found)) <= total


@given(histories())
def test_a_participant_is_never_here_twice_at_once(happened):
    sheet = folded(*happened)
    for found in spans(sheet.stays, "here", 10**9).values():
        assert found == sorted(found)
        assert all(a[1] < b[0] for a, b in pairwise(found))
    kept = [(s.kind, s.participant) for s in sheet.going_on]
    assert len(kept) == len(set(kept))


@given(histories())
def test_the_floor_is_never_with_two_at_once(happened):
    sheet = folded(*happened)
    every = [span for found in spans(sheet.stays, "floor", 10**9).values() for span in found]
    assert length_ms(merge(every)) == length_ms(every)


@given(SPANS, SPANS)
def test_merging_keeps_every_moment_once(some, others):
    def moments(given_spans):
        return {m for a, b in given_spans for m in range(a, b)}

    assert moments(merge(some)) == moments(some)
    assert length_ms(merge(some)) == len(moments(some))
    assert merge(merge(some)) == merge(some)
    assert moments(overlap(merge(some), merge(others))) == moments(some) & moments(others)
    assert moments(clip(merge(some), (50, 120))) == moments(some) & set(range(50, 120))
