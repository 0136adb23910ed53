"""Which wishes clash with what is taken already. Pure: no SQL, no clock."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal, NamedTuple

from core.errors import N_, Conflict
from schedules.records import ResourceKind
from schedules.zones import interval_words

HolderKind = Literal["lecture", "block", "calendar", "hours"]
_HOLDER_KINDS: dict[str, HolderKind] = {"lec": "lecture", "blk": "block", "bsy": "calendar", "usr": "hours"}
ORDER: tuple[ResourceKind, ...] = ("point", "lecturer", "operator", "equipment")


class Hold(NamedTuple):
    """A resource is held, or wished for, from `starts_at` up to, not including, `ends_at`.

    holder_id: the lecture, block or event of another calendar that holds it; the lecturer's own id
    where it is their hours that do not allow it.
    """

    kind: ResourceKind
    resource_id: str
    starts_at: datetime
    ends_at: datetime
    holder_id: str

    @property
    def holder(self) -> HolderKind:
        """Return what kind of thing holds it."""
        return _HOLDER_KINDS[self.holder_id.partition("_")[0]]


@dataclass(frozen=True)
class Clash:
    """A wish, and the hold that stands in its way."""

    wish: Hold
    held: Hold


@dataclass(frozen=True)
class NamedClash:
    """A clash in the words people use; `wanted` is the interval wished for, `interval` the one that is taken."""

    kind: ResourceKind
    resource: str
    holder: HolderKind
    by: str
    interval: str
    resource_id: str = ""
    holder_id: str = ""
    wanted: str = ""


SENTENCES: dict[tuple[ResourceKind, HolderKind], str] = {
    ("point", "lecture"): N_("The bridge point %(resource)s is already taken by “%(by)s”, %(interval)s."),
    ("point", "block"): N_("The bridge point %(resource)s is closed for “%(by)s”, %(interval)s."),
    ("point", "calendar"): N_("The bridge point %(resource)s is needed for “%(by)s”, %(interval)s."),
    ("equipment", "lecture"): N_("The equipment “%(resource)s” is already taken by “%(by)s”, %(interval)s."),
    ("equipment", "block"): N_("The equipment “%(resource)s” cannot be used: “%(by)s”, %(interval)s."),
    ("equipment", "calendar"): N_("The equipment “%(resource)s” is needed for “%(by)s”, %(interval)s."),
    ("lecturer", "lecture"): N_("%(resource)s already teaches “%(by)s”, %(interval)s."),
    ("lecturer", "block"): N_("%(resource)s is away: “%(by)s”, %(interval)s."),
    ("lecturer", "calendar"): N_("%(resource)s is expected at “%(by)s”, %(interval)s."),
    ("lecturer", "hours"): N_("%(resource)s does not teach at these hours: %(interval)s."),
    ("operator", "lecture"): N_("%(resource)s already looks after “%(by)s”, %(interval)s."),
    ("operator", "block"): N_("%(resource)s is away: “%(by)s”, %(interval)s."),
    ("operator", "calendar"): N_("%(resource)s is expected at “%(by)s”, %(interval)s."),
}


class BookingClash(Conflict):
    """Something wished for is taken; the sentence names the first, `clashes` has all."""

    def __init__(self, clashes: Sequence[NamedClash]) -> None:
        """Say the first clash as this error's own sentence."""
        first = clashes[0]
        super().__init__("booking.clash", sentence_of(first), **words_of(first))
        self.clashes = tuple(clashes)


def sentence_of(clash: NamedClash) -> str:
    """Return the sentence that tells a clash, with places for `words_of`."""
    return SENTENCES[clash.kind, clash.holder]


def words_of(clash: NamedClash) -> dict[str, str]:
    """Return the values for the places of `sentence_of(clash)`."""
    return {"resource": clash.resource, "by": clash.by, "interval": clash.interval}


def overlap(a: Hold, b: Hold) -> bool:
    """Return whether two half-open intervals share a moment: end = start is no clash, nor is an empty one."""
    return max(a.starts_at, b.starts_at) < min(a.ends_at, b.ends_at)


class Taken:
    """What is taken, ready to be asked many times: by resource, in the order of the starts."""

    def __init__(self, held: Iterable[Hold]) -> None:
        """Sort what is held; an empty interval holds nothing."""
        self._of: dict[str, list[Hold]] = {}
        for hold in held:
            if hold.starts_at < hold.ends_at:
                self._of.setdefault(hold.resource_id, []).append(hold)
        self._starts: dict[str, list[datetime]] = {}
        self._longest: dict[str, timedelta] = {}
        for resource_id, holds in self._of.items():
            holds.sort(key=lambda hold: hold.starts_at)
            self._starts[resource_id] = [hold.starts_at for hold in holds]
            self._longest[resource_id] = max(hold.ends_at - hold.starts_at for hold in holds)

    def in_the_way(self, wish: Hold) -> list[Hold]:
        """Return what clashes with a wish, earliest first; its own holder's holds do not."""
        holds = self._of.get(wish.resource_id)
        if not holds or wish.starts_at >= wish.ends_at:
            return []
        starts = self._starts[wish.resource_id]
        # nothing that began longer ago than the longest hold lasts can still be going on
        first = bisect_left(starts, wish.starts_at - self._longest[wish.resource_id])
        last = bisect_left(starts, wish.ends_at)
        return [h for h in holds[first:last] if h.ends_at > wish.starts_at and h.holder_id != wish.holder_id]

    def is_free(self, wish: Hold) -> bool:
        """Return whether nothing clashes with a wish."""
        return not self.in_the_way(wish)


def find_clashes(wishes: Iterable[Hold], held: Iterable[Hold]) -> list[Clash]:
    """Return what stands in the way: points first, then people, then equipment; earliest first.

    A lecture is never in its own way. A set of equipment is left out where its point clashes with the
    same holder anyway: one sentence is enough.
    """
    taken = Taken(held)
    clashes = [Clash(wish, hold) for wish in wishes for hold in taken.in_the_way(wish)]
    clashes.sort(key=lambda c: (ORDER.index(c.wish.kind), c.held.starts_at, c.wish.resource_id))
    at_points = {c.held.holder_id for c in clashes if c.wish.kind == "point"}
    return [c for c in clashes if c.wish.kind != "equipment" or c.held.holder_id not in at_points]


def wanted_anew(clashes: Iterable[Clash], kept: Iterable[Hold]) -> list[Clash]:
    """Return clashes without those of other calendars and of hours that came after what a lecture holds already.

    kept: what lectures held before; of a wish for the same, only the time before and after that is wanted anew.
    """
    before = {(hold.holder_id, hold.resource_id): hold for hold in kept}

    def is_anew(clash: Clash) -> bool:
        wish, had = clash.wish, before.get((clash.wish.holder_id, clash.wish.resource_id))
        if had is None:
            return True
        earlier = wish._replace(ends_at=min(wish.ends_at, had.starts_at))
        later = wish._replace(starts_at=max(wish.starts_at, had.ends_at))
        return overlap(earlier, clash.held) or overlap(later, clash.held)

    return [c for c in clashes if c.held.holder not in ("calendar", "hours") or is_anew(c)]


def clashes_among(wishes: Sequence[Hold]) -> list[Clash]:
    """Return where wishes of several lectures that are planned together are in each other's way, each pair once."""
    if not _meet(wishes):
        return []
    taken = Taken(wishes)
    return [
        Clash(wish, other)
        for wish in wishes
        for other in taken.in_the_way(wish)
        if (other.starts_at, other.holder_id) < (wish.starts_at, wish.holder_id)
    ]


def _meet(wishes: Iterable[Hold]) -> bool:
    """Return whether any two lectures want anything at the same time; those of a weekly series never do."""
    spans: dict[str, tuple[datetime, datetime]] = {}
    for holder_id, starts_at, ends_at in {(wish.holder_id, wish.starts_at, wish.ends_at) for wish in wishes}:
        start, end = spans.get(holder_id, (starts_at, ends_at))
        spans[holder_id] = min(start, starts_at), max(end, ends_at)
    in_order = sorted(spans.values())
    return any(after[0] < before[1] for before, after in pairwise(in_order))


def name_clash(clash: Clash, resource: str, by: str, zone: str) -> NamedClash:
    """Put a clash into words.

    resource, by: names of what is held and of who or what holds it; zone: IANA name of the zone in
    which the intervals are told.
    """
    wish, held = clash.wish, clash.held
    return NamedClash(
        kind=wish.kind,
        resource=resource,
        holder=held.holder,
        by=by,
        interval=interval_words(held.starts_at, held.ends_at, zone),
        resource_id=wish.resource_id,
        holder_id=held.holder_id,
        wanted=interval_words(wish.starts_at, wish.ends_at, zone),
    )
