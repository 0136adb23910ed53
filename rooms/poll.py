"""A question put to the class: at most one is open, each option has a count.

Decisions only, as in `rooms.floor`. Who answered what is not known here: the counts come from
outside, of a box that is sealed before the poll closes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import N_, Conflict, Invalid
from rooms.actor import Actor, allow, must_be_live
from rooms.events import PollClosed, PollOpened, PollTallied, RoomEvent
from rooms.state import RoomState

OPTIONS_MIN, OPTIONS_MAX = 2, 10
QUESTION_MAX, OPTION_MAX = 500, 200  # characters


@dataclass(frozen=True)
class Count:
    """How often each option was chosen, and how many of the answers came from phones."""

    options: tuple[int, ...]
    phones: int


@dataclass(frozen=True)
class PollText:
    """The words of a poll."""

    question: str
    options: tuple[str, ...]


def checked_text(question: str, options: Sequence[str]) -> PollText:
    """Return the words without outer space.

    Raises Invalid poll.no_question, poll.bad_options (2 to 10, none empty, none twice), poll.too_long.
    """
    text = PollText(question.strip(), tuple(option.strip() for option in options))
    if not text.question:
        raise Invalid("poll.no_question", N_("Please write the question."))
    several = OPTIONS_MIN <= len(text.options) <= OPTIONS_MAX
    if not several or not all(text.options) or len(set(text.options)) < len(text.options):
        raise Invalid("poll.bad_options", N_("A poll needs 2 to 10 different answers to choose from."))
    if len(text.question) > QUESTION_MAX or max(map(len, text.options)) > OPTION_MAX:
        raise Invalid("poll.too_long", N_("The question or an answer is too long."))
    return text


def open_poll(state: RoomState, actor: Actor, poll: str, options: int) -> list[RoomEvent]:
    """Put a question to the class.

    poll: its fresh id; options: how many there are, 2 to 10.
    Raises NotAllowed, Conflict lecture.not_live or poll.already_open.
    """
    allow(state, actor, "poll.open")
    must_be_live(state)
    if state.poll is not None:
        raise Conflict("poll.already_open", N_("Another poll is still open. Please close it first."))
    return [PollOpened(poll=poll, options=options, by=actor.id)]


def tally(state: RoomState, poll: str, count: Count) -> list[RoomEvent]:
    """Tell the count so far; nothing when it is known already.  Raises Conflict poll.closed, Invalid."""
    must_be_open_poll(state, poll)
    checked = checked_count(state, count)
    assert state.poll is not None
    if (state.poll.counts, state.poll.phones) == (checked.options, checked.phones):
        return []
    return [PollTallied(poll=poll, counts=list(checked.options), phones=checked.phones)]


def may_close(state: RoomState, actor: Actor, poll: str) -> None:
    """Raise NotAllowed or Conflict poll.closed unless the actor may close this poll now."""
    allow(state, actor, "poll.close")
    must_be_open_poll(state, poll)


def close(state: RoomState, by: str | None, count: Count | None) -> list[RoomEvent]:
    """Close the open poll, if there is one.

    by: None when the class ends; count: the final one, None to keep the last that was told.
    """
    if state.poll is None:
        return []
    final = checked_count(state, count) if count else Count(state.poll.counts, state.poll.phones)
    return [PollClosed(poll=state.poll.poll, counts=list(final.options), phones=final.phones, by=by)]


def must_be_open_poll(state: RoomState, poll: str) -> None:
    """Raise Conflict poll.closed unless this very poll is open."""
    if state.poll is None or state.poll.poll != poll:
        raise Conflict("poll.closed", N_("This poll is closed; no more answers are taken."))


def checked_count(state: RoomState, count: Count) -> Count:
    """Return the count of the open poll.  Raises Invalid poll.bad_count when it cannot be one of it."""
    options = len(state.poll.counts) if state.poll else 0
    fits = len(count.options) == options and min(count.options, default=0) >= 0
    if not fits or not 0 <= count.phones <= sum(count.options):
        raise Invalid("poll.bad_count", N_("The count does not fit the poll."))
    return count
