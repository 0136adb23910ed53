"""Trees of organisations, of now and of any day. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from schedules.names import place_key
from schedules.registry.records import Node, Past

Item = TypeVar("Item")


def ordered(
    items: Iterable[Item], key: Callable[[Item], str], parent: Callable[[Item], str | None], name: Callable[[Item], str]
) -> list[tuple[Item, int]]:
    """Return (item, depth), each parent before its children, children by name.

    One whose parent is not among the items is a root.
    """
    found = sorted(items, key=lambda item: place_key(name(item)))
    known = {key(item) for item in found}
    children: dict[str | None, list[Item]] = {}
    for item in found:
        above = parent(item)
        children.setdefault(above if above in known else None, []).append(item)
    result: list[tuple[Item, int]] = []
    stack = [(item, 0) for item in reversed(children.get(None, []))]
    while stack:
        item, depth = stack.pop()
        result.append((item, depth))
        stack.extend((child, depth + 1) for child in reversed(children.get(key(item), [])))
    return result


def covering(rows: Iterable[Past], moment: datetime) -> dict[str, Past]:
    """Return what is true at a moment of each organisation that there was, by its id."""
    return {
        row.org_id: row for row in rows if row.from_at <= moment and (row.until_at is None or moment < row.until_at)
    }


def tree_of(rows: Iterable[Past], moment: datetime) -> list[Node]:
    """Return the tree of a moment, each parent before its children; whose parent was not there is a root."""
    there = covering(rows, moment)
    nodes = [
        Node(row.org_id, row.name, row.tier, row.parent_id if row.parent_id in there else None)
        for row in there.values()
    ]
    found = ordered(nodes, lambda n: n.id, lambda n: n.parent_id, lambda n: n.name)
    return [replace(node, depth=depth) for node, depth in found]


def in_circle(parents: Mapping[str, str | None], start: str) -> bool:
    """Return whether the way up from an organisation comes back to where it has been.

    parents: of each organisation; one that is absent is a root.
    """
    seen = {start}
    above = parents.get(start)
    while above is not None:
        if above in seen:
            return True
        seen.add(above)
        above = parents.get(above)
    return False


def circle_since(rows: Sequence[Past], org_id: str, since: datetime) -> datetime | None:
    """Return the first moment from `since` on at which an organisation lies below itself, None when it never does."""
    moments = sorted({since, *(row.from_at for row in rows if row.from_at > since)})
    for moment in moments:
        parents = {i: row.parent_id for i, row in covering(rows, moment).items()}
        if in_circle(parents, org_id):
            return moment
    return None
