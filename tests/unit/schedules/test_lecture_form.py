"""How the form of a lecture lists the points that can join."""

import pytest

from schedules.lectures.form import by_organisation
from schedules.records import PointView


def listed(*points: str) -> list[tuple[str, str]]:
    """Take points as `name@organisation`; return (heading, names), as they stand in the form."""
    views = []
    for point in points:
        name, _, org = point.partition("@")
        views.append(PointView(f"bp_{name}", name, "", 50, f"org_{org}", org, ()))
    return [(heading, "".join(point.name for point in its_points)) for heading, its_points in by_organisation(views)]


@pytest.mark.parametrize(
    ("points", "groups"),
    [
        ((), [("", "")]),
        (("a@X", "b@Y", "c@Z"), [("", "abc")]),  # a heading for each would double the list
        (("a@X", "b@X", "c@X"), [("", "abc")]),  # one heading of all would say nothing
        (("a@Đ", "b@X", "c@D", "d@Đ", "e@D"), [("D", "ce"), ("Đ", "ad"), ("", "b")]),
        (("a@X", "b@Y", "c@X", "d@Y"), [("X", "ac"), ("Y", "bd")]),
    ],
)
def test_an_organisation_is_named_where_it_has_several_points(
    points: tuple[str, ...], groups: list[tuple[str, str]]
) -> None:
    assert listed(*points) == groups
