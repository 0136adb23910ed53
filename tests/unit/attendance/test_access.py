import pytest

from attendance.access import Ties, Viewer, check_register, role_at_point
from core.errors import NotAllowed, NotFound
from tests.unit.attendance.plain_room import LAI_CHAU, LECTURER, QUANG_TRI, Lecture

TIES = Ties(operates={QUANG_TRI}, organisations={"org_quangtri"})
NO_TIES = Ties(operates=set(), organisations={"org_quangtri"})


def viewer(*roles: str, person: str = "usr_x", org: str = "org_other") -> Viewer:
    return Viewer(person, org, frozenset(roles))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("who", "ties", "sees"),
    [
        (viewer("admin"), NO_TIES, True),
        (viewer("organiser"), NO_TIES, True),
        (viewer("lecturer", person=LECTURER), NO_TIES, True),
        (viewer("lecturer"), NO_TIES, False),
        (viewer("operator"), TIES, True),
        (viewer("operator"), NO_TIES, False),
        (viewer("observer", org="org_quangtri"), NO_TIES, True),
        (viewer("observer"), NO_TIES, False),
        (viewer("learner", org="org_quangtri"), TIES, False),
        (viewer(), TIES, False),
    ],
)
def test_a_register_is_seen_by_those_who_took_part(who, ties, sees):
    if sees:
        check_register(who, Lecture(), ties)
    else:
        with pytest.raises(NotAllowed, match=r"register\.not_yours"):
            check_register(who, Lecture(), ties)


def test_an_operator_acts_for_their_own_points_only():
    assert role_at_point(viewer("operator"), Lecture(), QUANG_TRI, TIES, "point.people") == "operator"
    with pytest.raises(NotAllowed, match=r"point\.not_yours"):
        role_at_point(viewer("operator"), Lecture(), LAI_CHAU, TIES, "point.people")


def test_an_organiser_acts_for_every_point_and_a_lecturer_for_none():
    assert role_at_point(viewer("organiser"), Lecture(), LAI_CHAU, NO_TIES, "poll.hand_count") == "organiser"
    with pytest.raises(NotAllowed):
        role_at_point(viewer("lecturer", person=LECTURER), Lecture(), LAI_CHAU, NO_TIES, "poll.hand_count")


def test_a_point_of_another_lecture_is_not_found():
    with pytest.raises(NotFound, match=r"point\.not_in_lecture"):
        role_at_point(viewer("admin"), Lecture(), "bp_elsewhere", TIES, "point.people")
