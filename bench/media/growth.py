"""`make bench-growth`: what a viewer costs in CPU and memory as a class grows, and as classes become more.

One node each time: 50, 100, 200 and 400 viewers of one room, then 1, 4 and 16 rooms of 24 viewers.
CPU is of a forwarded packet and viewer, in the same traffic; memory is what a viewer adds.
"""

import argparse
import asyncio
import json
from dataclasses import asdict, dataclass

from bench.media.crowd import Crowd
from bench.media.isolated import ADDRESS, enter
from bench.media.light import Peer, identity
from bench.media.parts import LECTURER, publish, watch
from bench.media.processes import NodeProcess, cpu_s, memory_kb
from bench.media.publisher import Publisher

VIEWERS = (50, 100, 200, 400)
ROOMS = (1, 4, 16)
ROOM_OF = 24  # viewers
WARM_S, CALM_S = 2.0, 1.0


@dataclass(frozen=True)
class Cost:
    """One measurement."""

    rooms: int
    viewers: int
    us_per_packet: float
    kb_per_viewer: float
    packets: int


async def measure(rooms: int, viewers: int, seconds: float) -> Cost:
    """Return what `viewers` of so many `rooms` together cost one node, over `seconds`."""
    own = identity()
    async with NodeProcess(ADDRESS) as node, Crowd() as crowd:
        publishers = []
        for room in (f"lec_{i}" for i in range(rooms)):
            await node.plan(room, {"stage": f"{LECTURER}/camera", "audio-0": f"{LECTURER}/mic"}, [LECTURER])
            publishers.append(Publisher(await publish(node, own, crowd, room, LECTURER)))
        first: list[Peer] = await crowd.join(rooms, lambda i: watch(node, own, f"lec_{i}", "usr_first"))
        memory = memory_kb(node.pid)
        more = await crowd.join(viewers - rooms, lambda i: watch(node, own, f"lec_{i % rooms}", f"usr_{i}"))
        for peer in first + more:
            peer.stop_reading()
        sending = [asyncio.create_task(p.run(WARM_S + seconds + CALM_S)) for p in publishers]
        await asyncio.sleep(WARM_S)
        cpu, sent = cpu_s(node.pid), await node.sent()
        await asyncio.sleep(seconds)
        cpu, sent = cpu_s(node.pid) - cpu, await node.sent() - sent
        grown = memory_kb(node.pid) - memory
        await asyncio.gather(*sending)
    return Cost(rooms, viewers, round(cpu / sent * 1e6, 2), round(grown / (viewers - rooms), 1), sent)


def spread(values: list[float]) -> float:
    """Return how far the dearest is above the cheapest, as a share."""
    return round(max(values) / min(values) - 1, 3)


async def run(seconds: float) -> dict[str, object]:
    """Measure all sizes."""
    by_viewers = [await measure(1, viewers, seconds) for viewers in VIEWERS]
    by_rooms = [await measure(rooms, rooms * ROOM_OF, seconds) for rooms in ROOMS]
    for cost in by_viewers + by_rooms:
        print(f"  {cost.rooms:3} rooms {cost.viewers:4} viewers  {cost.us_per_packet:6.2f} us a packet and viewer"
              f"  {cost.kb_per_viewer:6.1f} kB a viewer")  # fmt: skip
    first = by_viewers[0]
    return {
        "by_viewers": [asdict(cost) for cost in by_viewers],
        "by_rooms": [asdict(cost) for cost in by_rooms],
        "cpu_growth_400_to_50": round(by_viewers[-1].us_per_packet / first.us_per_packet - 1, 3),
        "memory_growth_400_to_50": round(by_viewers[-1].kb_per_viewer / first.kb_per_viewer - 1, 3),
        "cpu_spread_rooms": spread([cost.us_per_packet for cost in by_rooms]),
        "memory_spread_viewers": spread([cost.kb_per_viewer for cost in by_viewers]),
    }


def main() -> None:
    """Measure, print a table and the result."""
    parser = argparse.ArgumentParser(prog="python -m bench.media.growth", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    options = parser.parse_args()
    enter("bench.media.growth")
    print(json.dumps(asyncio.run(run(options.seconds))))


if __name__ == "__main__":
    main()
