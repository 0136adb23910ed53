"""Who was above and below whom at any moment, in one reading of all the past. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from schedules.registry.records import Past


@dataclass(frozen=True)
class Period:
    """What lay below an organisation, itself included, from one moment up to, not including, another; None: ever."""

    from_at: datetime | None
    until_at: datetime | None
    below: frozenset[str]


class Lineage:
    """The trees of all moments; only a new parent makes another tree, so there are few of them.

    Reports need a place for every organisation: before it was founded it has the one that it had first, after it
    was abolished the one that it had last.
    """

    def __init__(self, rows: Iterable[Past]) -> None:
        """Use the past of all organisations."""
        self._rows: dict[str, list[Past]] = {}
        now: dict[str, str | None] = {}
        first: dict[str, str | None] = {}
        moves: dict[datetime, dict[str, str | None]] = {}
        for row in sorted(rows, key=lambda row: row.from_at):
            self._rows.setdefault(row.org_id, []).append(row)
            if row.org_id not in first:
                first[row.org_id] = row.parent_id
            elif now[row.org_id] != row.parent_id:
                moves.setdefault(row.from_at, {})[row.org_id] = row.parent_id
            now[row.org_id] = row.parent_id
        self._moments = sorted(moves)
        self._parents: list[dict[str, str | None]] = [first]
        for moment in self._moments:
            self._parents.append({**self._parents[-1], **moves[moment]})
        self._below: dict[tuple[str, int], frozenset[str]] = {}

    def name(self, org_id: str, moment: datetime) -> str:
        """Return what an organisation was called at a moment, empty for an unknown one."""
        rows = self._rows.get(org_id, [])
        there = [row for row in rows if row.from_at <= moment] or rows[:1]
        return there[-1].name if there else ""

    def above(self, org_ids: Iterable[str], moment: datetime) -> set[str]:
        """Return organisations and all that were above them at a moment."""
        parents = self._parents[self._at(moment)]
        reached: set[str] = set()
        for org_id in org_ids:
            above: str | None = org_id
            while above is not None and above not in reached:
                reached.add(above)
                above = parents.get(above)
        return reached

    def below(self, org_id: str, moment: datetime) -> frozenset[str]:
        """Return an organisation and all that were below it at a moment."""
        return self._all_below(org_id, self._at(moment))

    def periods(self, org_id: str) -> list[Period]:
        """Return what was below an organisation, from the beginning of time to its end, earliest first."""
        found: list[Period] = []
        edges = [None, *self._moments, None]
        for n in range(len(self._parents)):
            below = self._all_below(org_id, n)
            start = edges[n]
            if found and found[-1].below == below:
                start = found.pop().from_at
            found.append(Period(start, edges[n + 1], below))
        return found

    def _at(self, moment: datetime) -> int:
        return bisect_right(self._moments, moment)

    def _all_below(self, org_id: str, n: int) -> frozenset[str]:
        if (org_id, n) not in self._below:
            self._below[org_id, n] = _reached(org_id, self._parents[n])
        return self._below[org_id, n]


def _reached(org_id: str, parents: Mapping[str, str | None]) -> frozenset[str]:
    children: dict[str | None, list[str]] = {}
    for child, parent in parents.items():
        children.setdefault(parent, []).append(child)
    reached, climbing = {org_id}, [org_id]
    while climbing:
        below = [child for child in children.get(climbing.pop(), ()) if child not in reached]
        reached.update(below)
        climbing.extend(below)
    return frozenset(reached)
