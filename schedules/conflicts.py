"""Which wishes clash with what is taken already. Pure: no SQL, no clock."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.errors import N_, Conflict
from schedules.records import ResourceKind
from schedules.zones import interval_words


@dataclass(frozen=True)
class Hold:
    """A resource is held, or wished for, from `starts_at` up to, not including, `ends_at`."""

    kind: ResourceKind
    resource_id: str
    starts_at: datetime
    ends_at: datetime
    lecture_id: str


@dataclass(frozen=True)
class Clash:
    """A wish, and the hold that stands in its way."""

    wish: Hold
    held: Hold


@dataclass(frozen=True)
class NamedClash:
    """A clash in the words people use."""

    kind: ResourceKind
    resource: str
    lecture: str
    interval: str


SENTENCES: dict[ResourceKind, str] = {
    "point": N_("The bridge point %(resource)s is already taken by “%(lecture)s”, %(interval)s."),
    "equipment": N_("The equipment “%(resource)s” is already taken by “%(lecture)s”, %(interval)s."),
    "lecturer": N_("%(resource)s already teaches “%(lecture)s”, %(interval)s."),
}


class BookingClash(Conflict):
    """Something wished for is taken; the sentence names the first, `clashes` has all."""

    def __init__(self, clashes: Sequence[NamedClash]) -> None:
        """Say the first clash as this error's own sentence."""
        first = clashes[0]
        super().__init__("booking.clash", SENTENCES[first.kind], **words_of(first))
        self.clashes = tuple(clashes)


def words_of(clash: NamedClash) -> dict[str, str]:
    """Return the values for the places of `SENTENCES[clash.kind]`."""
    return {"resource": clash.resource, "lecture": clash.lecture, "interval": clash.interval}


def overlap(a: Hold, b: Hold) -> bool:
    """Return whether two half-open intervals share a moment: end = start is no clash, nor is an empty one."""
    return max(a.starts_at, b.starts_at) < min(a.ends_at, b.ends_at)


def find_clashes(wishes: Iterable[Hold], held: Iterable[Hold]) -> list[Clash]:
    """Return what stands in the way: points first, then the lecturer, then equipment; earliest first.

    A lecture is never in its own way. A set of equipment is left out where its point clashes with the
    same lecture anyway: one sentence is enough.
    """
    by_resource: dict[str, list[Hold]] = {}
    for hold in held:
        by_resource.setdefault(hold.resource_id, []).append(hold)
    clashes = [
        Clash(wish, hold)
        for wish in wishes
        for hold in by_resource.get(wish.resource_id, ())
        if hold.lecture_id != wish.lecture_id and overlap(wish, hold)
    ]
    order: list[ResourceKind] = ["point", "lecturer", "equipment"]
    clashes.sort(key=lambda c: (order.index(c.wish.kind), c.held.starts_at, c.wish.resource_id))
    at_points = {c.held.lecture_id for c in clashes if c.wish.kind == "point"}
    return [c for c in clashes if c.wish.kind != "equipment" or c.held.lecture_id not in at_points]


def name_clash(clash: Clash, resource: str, lecture: str, zone: str) -> NamedClash:
    """Put a clash into words.

    resource, lecture: names; zone: IANA name of the zone in which the interval is told.
    """
    interval = interval_words(clash.held.starts_at, clash.held.ends_at, zone)
    return NamedClash(clash.wish.kind, resource, lecture, interval)
