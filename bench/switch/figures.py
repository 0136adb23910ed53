"""What a run of the switching benchmark comes to. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

RATE_HZ = 48_000  # of WebRTC's sample counters
NEVER_MS = 60_000.0  # stands for a switch that was not seen, so that it cannot better a percentile
GOAL_SHOWN_MS = 150


@dataclass(frozen=True)
class Picture:
    """One picture that the viewer showed; all times are wall clock ms."""

    shown: int
    source: int  # -1: not readable
    drawn: int  # modulo 2**32
    width: int
    received: int  # its last packet, 0: unknown


@dataclass(frozen=True)
class Switch:
    """One command."""

    at: float  # wall clock ms before the plan was put
    source: int  # that the slot shall show
    node_ms: float  # command to the first packet of the key frame at the node


@dataclass(frozen=True)
class Shown:
    """How one command was seen."""

    shown_ms: float
    after_key_ms: float  # of it, from the key frame's first packet at the node
    viewer_ms: float  # of it, from the key frame's last packet at the viewer: buffer, decoding, painting
    gap_ms: int  # between the last picture of the old source and the first of the new
    width: int


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that `share` (0-1) of `values` do not exceed; 0.0 for none."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else 0.0


def follow(switches: Sequence[Switch], pictures: Sequence[Picture], end: float) -> list[Shown]:
    """Find each command's first picture of the new source.

    end: wall clock ms up to which the last one counts.  One that was not seen is NEVER_MS late.
    """
    found = []
    ends = [*(switch.at for switch in switches[1:]), end]
    for switch, until in zip(switches, ends, strict=True):
        place = next(
            (i for i, p in enumerate(pictures) if switch.at <= p.shown < until and p.source == switch.source), None
        )
        if place is None:
            found.append(Shown(NEVER_MS, NEVER_MS, 0.0, 0, 0))
            continue
        picture = pictures[place]
        shown = picture.shown - switch.at
        found.append(
            Shown(
                shown,
                shown - switch.node_ms,
                float(picture.shown - picture.received) if picture.received else 0.0,
                picture.shown - pictures[place - 1].shown if place else 0,
                picture.width,
            )
        )
    return found


def bad(switches: Sequence[Switch], pictures: Sequence[Picture]) -> int:
    """Count pictures that cannot be read, come from nobody, or from a source already replaced, or ran back in time."""
    count, sources = 0, {switch.source for switch in switches}
    before: Picture | None = None
    for picture in pictures:
        commands = [switch.at for switch in switches if switch.at <= picture.shown]
        changed = before is not None and picture.source != before.source
        if picture.source not in sources:
            count += 1
            continue
        if changed and before is not None and commands:
            count += before.shown >= commands[-1] and picture.source != switches[len(commands) - 1].source
        if before is not None and not changed:
            count += (picture.drawn - before.drawn) % 2**32 >= 2**31
        before = picture
    return count


def concealed_ms(before: dict[str, Any], after: dict[str, Any]) -> float:
    """Return how much sound was made up between two statistics of an audio slot, silence not counted."""

    def audible(stats: dict[str, Any]) -> int:
        return int(stats.get("concealedSamples", 0)) - int(stats.get("silentConcealedSamples", 0))

    return round((audible(after) - audible(before)) * 1000 / RATE_HZ, 1)


def accelerated_ms(before: dict[str, Any], after: dict[str, Any]) -> float:
    """Return how much sound the viewer left out, by playing faster, between two statistics of an audio slot."""
    name = "removedSamplesForAcceleration"
    return round((int(after.get(name, 0)) - int(before.get(name, 0))) * 1000 / RATE_HZ, 1)


def light_ok(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]], changes: int) -> int:
    """Count the light viewers with unbroken lines and every switch.  changes: of the codec, commanded."""

    def whole(old: dict[str, Any], new: dict[str, Any]) -> bool:
        lines = [(old[name], new[name]) for name in ("picture", "sound")]
        unbroken = all(b["skipped"] == a["skipped"] and b["backwards"] == a["backwards"] for a, b in lines)
        flowing = all(b["packets"] > a["packets"] for a, b in lines)
        switched = new["picture"]["changes"] - old["picture"]["changes"] == changes
        return bool(new["up"] and unbroken and flowing and switched)

    return sum(whole(old, new) for old, new in zip(before, after, strict=True))


def light_parts(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> dict[str, list[int]]:
    """Return what the light viewers counted, [least, most] of all: packets that never came and the like."""
    parts = {}
    for line in ("picture", "sound"):
        for name in ("skipped", "late", "repeated", "backwards", "changes"):
            values = [new[line][name] - old[line][name] for old, new in zip(before, after, strict=True)]
            parts[f"{line}_{name}"] = [min(values, default=0), max(values, default=0)]
    return parts


def result(switches: Sequence[Switch], shown: Sequence[Shown], more: dict[str, Any]) -> dict[str, Any]:
    """Return what is printed.  more: figures that need no arithmetic."""
    node = [switch.node_ms for switch in switches]
    late = [s for s in shown if s.shown_ms > GOAL_SHOWN_MS]
    return {
        "switches": len(switches),
        "seen": sum(s.shown_ms < NEVER_MS for s in shown),
        "shown_p50_ms": percentile((s.shown_ms for s in shown), 0.5),
        "shown_p95_ms": percentile((s.shown_ms for s in shown), 0.95),
        "shown_max_ms": round(max(s.shown_ms for s in shown), 1),
        **more,
        "parts": {
            "node_p50_ms": percentile(node, 0.5),
            "node_p95_ms": percentile(node, 0.95),
            "after_key_p50_ms": percentile((s.after_key_ms for s in shown), 0.5),
            "after_key_p95_ms": percentile((s.after_key_ms for s in shown), 0.95),
            "viewer_p50_ms": percentile((s.viewer_ms for s in shown), 0.5),
            "viewer_p95_ms": percentile((s.viewer_ms for s in shown), 0.95),
            "gap_p95_ms": percentile((s.gap_ms for s in shown), 0.95),
            "gap_max_ms": max(s.gap_ms for s in shown),
        },
        "widths": {str(width): sum(s.width == width for s in shown) for width in sorted({s.width for s in shown})},
        "late": [
            {"shown_ms": round(s.shown_ms), "after_key_ms": round(s.after_key_ms), "width": s.width} for s in late
        ],
    }
