"""`make bench-forward VIEWERS=200`: a packet's cost for each viewer, beside the floor, aiortc and Janus."""

import argparse
import asyncio
import json
import logging
import statistics
from contextlib import AsyncExitStack

from bench.media.crowd import percentile
from bench.media.isolated import ADDRESS, enter
from bench.media.parts import AiortcPart, FloorPart, JanusPart, NodePart, Part, Round

PARTS: dict[str, type[Part]] = {part.name: part for part in (NodePart, FloorPart, AiortcPart, JanusPart)}


def arguments() -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(prog="python -m bench.media.forward", description=__doc__)
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--parts", default=",".join(PARTS), help="which of them, comma separated")
    return parser.parse_args()


async def run(options: argparse.Namespace) -> dict[str, list[Round]]:
    """Set all parts up, then measure them in turn, `rounds` times."""
    rounds: dict[str, list[Round]] = {}
    async with AsyncExitStack() as stack:
        parts = []
        for name in options.parts.split(","):
            print(f"connecting {options.viewers} viewers: {name}", flush=True)
            parts.append(await stack.enter_async_context(PARTS[name](ADDRESS, options.viewers)))
        for _ in range(options.rounds):
            for part in parts:
                found = await part.measure(options.seconds)
                print(f"  {part.name:7} {found.us:6.2f} us a packet and viewer", flush=True)
                rounds.setdefault(part.name, []).append(found)
    return rounds


def report(rounds: dict[str, list[Round]], viewers: int) -> dict[str, float | int | str]:
    """Return the result.  rounds: by part; of each the median counts, of the ratios that within a round."""
    us = {name: round(statistics.median(r.us for r in found), 2) for name, found in rounds.items()}
    out: dict[str, float | int | str] = {"viewers": viewers, "us_per_packet": us["node"]}
    out |= {f"{name}_us": us[name] for name in ("floor", "aiortc", "janus") if name in us}
    for name in us:
        if name != "node":
            ratios = [ours.us / other.us for ours, other in zip(rounds["node"], rounds[name], strict=True)]
            out[f"ratio_to_{name}"] = round(statistics.median(ratios), 3)
    node = [r for r in rounds["node"]]
    delays = [delay for r in node for delay in r.delays_s]
    out["delay_p50_ms"] = round(percentile(delays, 0.5) * 1000, 2)
    out["delay_p99_ms"] = round(percentile(delays, 0.99) * 1000, 2)
    out["delay_measured"] = "publisher's send to viewer's kernel"
    out["packets_sent"] = sum(r.packets for r in node)
    out["packets_offered"] = sum(r.offered for r in node)
    out["packets_read"] = sum(r.read for r in node)
    out["packets_lost"] = sum(r.lost for r in node)
    if "janus" in rounds:
        out["janus_delay_p99_ms"] = round(percentile([d for r in rounds["janus"] for d in r.delays_s], 0.99) * 1000, 2)
        out["janus_lost_share"] = round(
            sum(r.lost for r in rounds["janus"]) / max(1, sum(r.read for r in rounds["janus"])), 4
        )
    out["rounds"] = len(node)
    return out


def main() -> None:
    """Measure, print a table and the result."""
    options = arguments()
    enter("bench.media.forward")
    logging.basicConfig(level=logging.WARNING)
    result = report(asyncio.run(run(options)), options.viewers)
    print(f"\n{options.viewers} viewers x 250 packets/s, the median of {options.rounds} rounds, us a packet and viewer")
    for name, value in result.items():
        print(f"  {name:18} {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
