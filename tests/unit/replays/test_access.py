"""Who may watch."""

import pytest

from core.permissions import Role
from replays.access import Decisions, Ties, Viewer, may_watch

OVER = {"org_a", "org_b", "org_province"}
TAUGHT = Ties(lecturer_id="usr_teacher", organisations={"org_a", "org_b"}, organisations_over=OVER, is_enrolled=False)
ENROLLED = Ties(lecturer_id="usr_teacher", organisations={"org_a", "org_b"}, organisations_over=OVER, is_enrolled=True)


@pytest.mark.parametrize(
    ("roles", "person", "org", "ties", "allowed"),
    [
        ({"learner"}, "usr_1", "org_c", ENROLLED, True),  # on the roster
        ({"learner"}, "usr_1", "org_a", TAUGHT, True),  # of an organisation that took part
        ({"learner"}, "usr_1", "org_c", TAUGHT, False),
        ({"observer"}, "usr_1", "org_c", TAUGHT, False),
        ({"observer"}, "usr_1", "org_province", TAUGHT, True),  # whose centres took part
        ({"learner"}, "usr_1", "org_province", TAUGHT, False),
        ({"lecturer"}, "usr_teacher", "org_c", TAUGHT, True),
        ({"lecturer"}, "usr_other", "org_c", TAUGHT, False),
        ({"operator"}, "usr_1", "org_b", TAUGHT, True),
        ({"organiser"}, "usr_1", "org_c", TAUGHT, True),
        ({"admin"}, "usr_1", "org_c", TAUGHT, True),
        (set(), "usr_teacher", "org_a", ENROLLED, False),  # no role at all
        ({"point"}, "usr_1", "org_a", TAUGHT, False),  # a device watches live, not afterwards
    ],
)
def test_a_replay_is_for_those_who_had_a_part(
    roles: set[Role], person: str, org: str, ties: Ties, allowed: bool
) -> None:
    assert may_watch(Viewer(person, org, frozenset(roles)), ties) is allowed


def test_an_answer_is_remembered_for_half_a_minute_and_for_nobody_else() -> None:
    decisions, viewer = Decisions(), Viewer("usr_1", "org_a", frozenset({"learner"}))
    assert decisions.recall(viewer, "lec_1", 100.0) is None
    decisions.keep(viewer, "lec_1", 100.0, True)
    assert decisions.recall(viewer, "lec_1", 130.0) is True
    assert decisions.recall(viewer, "lec_1", 130.1) is None
    assert decisions.recall(viewer, "lec_2", 101.0) is None
    assert decisions.recall(Viewer("usr_1", "org_b", viewer.roles), "lec_1", 101.0) is None
