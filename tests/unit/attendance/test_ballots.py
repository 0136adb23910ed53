import pytest

from attendance.ballots import Tally, checked_choice, checked_hand_count, checked_people, tally
from core.errors import Invalid


@pytest.mark.parametrize("choice", [-1, 3, 10**9])
def test_an_answer_that_was_not_offered_is_refused(choice):
    with pytest.raises(Invalid, match=r"poll\.bad_choice"):
        checked_choice(choice, 3)


@pytest.mark.parametrize(
    ("counts", "people", "code"),
    [
        ((1, 2), None, "hand_count.shape"),
        ((1, 2, 3, 4), None, "hand_count.shape"),
        ((-1, 2, 3), None, "hand_count.out_of_range"),
        ((0, 0, 100_001), None, "hand_count.out_of_range"),
        ((20, 20, 11), 50, "hand_count.more_than_people"),
    ],
)
def test_a_hand_count_that_cannot_be_true_is_refused(counts, people, code):
    with pytest.raises(Invalid) as refused:
        checked_hand_count(counts, 3, people)
    assert refused.value.code == code


def test_as_many_hands_as_people_is_fine():
    assert checked_hand_count([20, 20, 10], 3, 50) == (20, 20, 10)


@pytest.mark.parametrize("people", [-1, 100_001])
def test_a_head_count_that_cannot_be_true_is_refused(people):
    with pytest.raises(Invalid, match=r"people\.out_of_range"):
        checked_people(people)


def test_phones_and_hands_are_one_tally():
    assert tally(3, {0: 5, 2: 1}, [(10, 0, 0), (0, 7, 1)]) == Tally((15, 7, 2), 6)
