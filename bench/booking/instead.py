"""What the oracle would offer instead of what is taken, by trying everything."""

from collections.abc import Sequence

from bench.booking.oracle import Oracle, Wish
from bench.booking.world import DAY_MIN, World, minute
from schedules.alternatives import Offers
from schedules.conflicts import NamedClash

OPENS, CLOSES, GRID = 7 * 60, 21 * 60 + 30, 30  # minutes of a day: what the engine may offer
MOST_THAT_DAY, MOST_OTHER_DAYS, MOST_SWAPS = 3, 4, 3
WEEK = 7


def agree(
    offers: Offers, oracle: Oracle, world: World, wish: Wish, lecture: str, clashes: Sequence[NamedClash]
) -> bool:
    """Return whether everything offered is free, and as much is offered as there is, up to the engine's limits.

    lecture: the one that would be moved, empty for a new one.
    """
    return _times(offers, oracle, wish, lecture) and _things(offers, oracle, world, wish, lecture, clashes)


def _times(offers: Offers, oracle: Oracle, wish: Wish, lecture: str) -> bool:
    day, length = wish.start // DAY_MIN, wish.end - wish.start
    monday = day - day % WEEK
    free: dict[int, set[int]] = {}
    for other in range(monday, monday + WEEK):
        starts = range(other * DAY_MIN + OPENS, other * DAY_MIN + CLOSES - length + 1, GRID)
        free[other] = {
            start for start in starts
            if start != wish.start and oracle.fits(wish.moved(start - wish.start), ignoring=lecture)
        }  # fmt: skip
    offered = [minute(span.starts_at) for span in offers.times]
    that_day = [start for start in offered if start // DAY_MIN == day]
    others = [start for start in offered if start // DAY_MIN != day]
    return (
        all(start in free.get(start // DAY_MIN, ()) for start in offered)
        and len(that_day) == min(MOST_THAT_DAY, len(free[day]))
        and len(others) == min(MOST_OTHER_DAYS, sum(bool(free[other]) for other in free if other != day))
    )


def _things(
    offers: Offers, oracle: Oracle, world: World, wish: Wish, lecture: str, clashes: Sequence[NamedClash]
) -> bool:
    def is_free(*things: str) -> bool:
        return all(oracle.is_free(thing, wish, ignoring=lecture) for thing in things)

    points = {p for p in world.points if p not in wish.points and is_free(p, world.standing[p])}
    brought = {thing for _, thing in wish.equipment}
    elsewhere = {world.standing[p] for p in world.points if p not in wish.points} | set(world.spare)
    sets = {thing for thing in elsewhere - brought if is_free(thing)}
    for kind, swaps, free in (("point", offers.points, points), ("equipment", offers.equipment, sets)):
        taken = {clash.resource_id for clash in clashes if clash.kind == kind}
        for thing in taken:
            instead = {swap.id for swap in swaps if swap.instead_of == thing}
            if not instead <= free or len(instead) != min(MOST_SWAPS, len(free)):
                return False
        if {swap.instead_of for swap in swaps} - taken:
            return False
    return True
