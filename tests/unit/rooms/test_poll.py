"""At most one poll is open, and its counts fit its options."""

import pytest

from core.errors import AppError, Conflict, Invalid, NotAllowed
from rooms import poll
from rooms.actor import Actor
from rooms.events import PollClosed, PollOpened, PollTallied
from rooms.poll import Count
from tests.unit.rooms.stories import CHAIR, DONG_HA, LECTURER, Story, live, opened


def asked() -> Story:
    return live().do(poll.open_poll, CHAIR, "pol_1", 3)


def test_a_poll_opens_with_nothing_counted() -> None:
    assert poll.open_poll(live().state, CHAIR, "pol_1", 3) == [PollOpened(poll="pol_1", options=3, by=LECTURER)]
    assert asked().state.poll is not None
    assert asked().state.poll.counts == (0, 0, 0)  # type: ignore[union-attr]


def test_only_one_poll_is_open() -> None:
    with pytest.raises(Conflict) as refused:
        poll.open_poll(asked().state, CHAIR, "pol_2", 2)
    assert refused.value.code == "poll.already_open"


def test_a_poll_needs_a_class_that_is_live_and_a_chair() -> None:
    with pytest.raises(Conflict) as refused:
        poll.open_poll(opened().state, CHAIR, "pol_1", 2)
    assert refused.value.code == "lecture.not_live"
    with pytest.raises(NotAllowed):
        poll.open_poll(live().state, Actor(DONG_HA, "point"), "pol_1", 2)


def test_a_count_is_told_once() -> None:
    story = asked()
    told = poll.tally(story.state, "pol_1", Count((1, 2, 0), 2))
    assert told == [PollTallied(poll="pol_1", counts=[1, 2, 0], phones=2)]
    assert poll.tally(story.say(*told).state, "pol_1", Count((1, 2, 0), 2)) == []


@pytest.mark.parametrize(
    "count",
    [
        Count((1, 2), 1),  # an option is missing
        Count((1, 2, 3, 4), 1),  # one too many
        Count((1, -1, 3), 1),
        Count((1, 0, 0), 2),  # more phones than answers
        Count((1, 0, 0), -1),
        Count((), 0),
    ],
)
def test_a_count_that_cannot_be_is_refused(count: Count) -> None:
    for attempt in (
        lambda: poll.tally(asked().state, "pol_1", count),
        lambda: poll.close(asked().state, LECTURER, count),
    ):
        with pytest.raises(Invalid) as refused:
            attempt()
        assert refused.value.code == "poll.bad_count"


def test_a_closed_poll_is_not_counted_and_not_closed_again() -> None:
    story = asked().do(poll.close, LECTURER, Count((4, 0, 1), 5))
    assert story.state.results[-1].counts == (4, 0, 1)
    for attempt in (
        lambda: poll.tally(story.state, "pol_1", Count((9, 9, 9), 0)),
        lambda: poll.may_close(story.state, CHAIR, "pol_1"),
    ):
        with pytest.raises(Conflict) as refused:
            attempt()
        assert refused.value.code == "poll.closed"
    assert poll.close(story.state, LECTURER, None) == []


def test_without_a_final_count_the_last_one_told_stands() -> None:
    story = asked().do(poll.tally, "pol_1", Count((1, 1, 0), 0))
    assert poll.close(story.state, None, None) == [PollClosed(poll="pol_1", counts=[1, 1, 0], phones=0, by=None)]


def test_the_words_lose_their_outer_space() -> None:
    text = poll.checked_text("  Đồng chí đã rõ chưa? ", ["Đã rõ ", " Chưa rõ"])
    assert (text.question, text.options) == ("Đồng chí đã rõ chưa?", ("Đã rõ", "Chưa rõ"))


@pytest.mark.parametrize(
    ("question", "options", "code"),
    [
        ("   ", ["a", "b"], "poll.no_question"),
        ("?", ["a"], "poll.bad_options"),
        ("?", [str(n) for n in range(11)], "poll.bad_options"),
        ("?", ["a", " "], "poll.bad_options"),
        ("?", ["a", "a "], "poll.bad_options"),
        ("?" * 501, ["a", "b"], "poll.too_long"),
        ("?", ["a", "b" * 201], "poll.too_long"),
    ],
)
def test_words_that_make_no_poll_are_refused(question: str, options: list[str], code: str) -> None:
    with pytest.raises(AppError) as refused:
        poll.checked_text(question, options)
    assert refused.value.code == code
