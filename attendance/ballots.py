"""Answers to a poll: what is a valid one, and how many there are. Pure.

Phones and hands are one tally: whoever answers by phone does not raise a hand, which is what the
operator's page says where the hands are entered.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.errors import N_, Invalid

MAX_PEOPLE = 100_000  # as rooms.events.PeopleCounted has it


@dataclass(frozen=True)
class Tally:
    """How many answers each option has, and how many of all answers came from phones."""

    counts: tuple[int, ...]
    phones: int


def checked_choice(choice: int, options: int) -> int:
    """Return the choice if it is one of the options.

    choice: zero-based; options: how many there are.  Raises Invalid poll.bad_choice.
    """
    if not 0 <= choice < options:
        raise Invalid("poll.bad_choice", N_("Please choose one of the answers shown."))
    return choice


def checked_hand_count(counts: Sequence[int], options: int, people: int | None) -> tuple[int, ...]:
    """Return a point's hand-count if it can be true.

    counts: hands per option; options: how many options the poll has;
    people: the point's declared head-count, None if nobody has declared it.
    Raises Invalid hand_count.shape, hand_count.out_of_range or hand_count.more_than_people.
    """
    if len(counts) != options:
        raise Invalid("hand_count.shape", N_("Please enter one number for each of the %(n)s answers."), n=options)
    if any(not 0 <= count <= MAX_PEOPLE for count in counts):
        raise Invalid("hand_count.out_of_range", N_("A number of hands lies between 0 and %(most)s."), most=MAX_PEOPLE)
    if people is not None and sum(counts) > people:
        raise Invalid(
            "hand_count.more_than_people",
            N_("%(hands)s hands were counted, but only %(people)s people are declared at this point."),
            hands=sum(counts),
            people=people,
        )
    return tuple(counts)


def checked_people(people: int) -> int:
    """Return a declared head-count if it can be true.  Raises Invalid people.out_of_range."""
    if not 0 <= people <= MAX_PEOPLE:
        raise Invalid("people.out_of_range", N_("The number of people lies between 0 and %(most)s."), most=MAX_PEOPLE)
    return people


def tally(options: int, phones: Mapping[int, int], hands: Iterable[Sequence[int]]) -> Tally:
    """Add phones and hands up.

    options: how many the poll has; phones: option -> ballots; hands: one row of counts per point.
    """
    counts = [phones.get(option, 0) for option in range(options)]
    by_phone = sum(counts)
    for row in hands:
        counts = [have + more for have, more in zip(counts, row, strict=True)]
    return Tally(tuple(counts), by_phone)
