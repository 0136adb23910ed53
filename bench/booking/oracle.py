"""Books by looking at every pair of lectures. Slow, simple, and written without the engine's code. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

Interval = tuple[int, int]  # minutes since the bench's first day, half open


@dataclass(frozen=True)
class Wish:
    """A lecture as the bench wishes it; times in minutes since its first day."""

    start: int
    end: int
    setup: int
    teardown: int
    lecturer: str
    points: tuple[str, ...]  # the main point first
    equipment: tuple[tuple[str, str], ...] = ()  # (point, set) brought along
    operators: tuple[tuple[str, str], ...] = ()  # (point, person)

    def moved(self, by: int) -> "Wish":
        """Return the same wish, so many minutes later."""
        return replace(self, start=self.start + by, end=self.end + by)


def needs(wish: Wish, standing: dict[str, str]) -> dict[str, Interval]:
    """Return what a wish needs, and when.

    standing: the set of equipment that stands at each point.
    """
    around = (wish.start - wish.setup, wish.end + wish.teardown)
    brought = dict(wish.equipment)
    needed = {point: around for point in wish.points}
    needed.update({brought.get(point, standing[point]): around for point in wish.points})
    needed.update({operator: around for _, operator in wish.operators})
    needed[wish.lecturer] = (wish.start, wish.end)
    return needed


def share_a_moment(one: Interval, other: Interval) -> bool:
    """Return whether two intervals overlap."""
    return one[0] < other[1] and other[0] < one[1]


def clash(one: Wish, other: Wish, standing: dict[str, str]) -> bool:
    """Return whether two wishes cannot both take place."""
    mine, theirs = needs(one, standing), needs(other, standing)
    return any(resource in theirs and share_a_moment(span, theirs[resource]) for resource, span in mine.items())


class Oracle:
    """Accepts a wish when it clashes with none accepted before."""

    def __init__(self, standing: dict[str, str]) -> None:
        """Begin with an empty timetable."""
        self.accepted: dict[str, Wish] = {}
        self._standing = standing

    def fits(self, wish: Wish, ignoring: str = "") -> bool:
        """Return whether a wish can take place beside all accepted ones but one."""
        return not any(name != ignoring and clash(wish, other, self._standing) for name, other in self.accepted.items())

    def is_free(self, resource: str, wish: Wish, ignoring: str = "") -> bool:
        """Return whether a point or set that a wish does not name could be had for it."""
        span = (wish.start - wish.setup, wish.end + wish.teardown)
        return not any(
            resource in theirs and share_a_moment(span, theirs[resource])
            for name, other in self.accepted.items()
            if name != ignoring and (theirs := needs(other, self._standing))
        )


def double_allocations(wishes: Iterable[Wish], standing: dict[str, str]) -> int:
    """Return how many pairs of wishes want one resource at one time."""
    spans: dict[str, list[Interval]] = {}
    for wish in wishes:
        for resource, span in needs(wish, standing).items():
            spans.setdefault(resource, []).append(span)
    return sum(
        share_a_moment(one, other)
        for of_one in spans.values()
        for n, one in enumerate(of_one)
        for other in of_one[n + 1 :]
    )
