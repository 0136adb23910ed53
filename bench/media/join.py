"""`make bench-join`: 64 points join one class within ten seconds; how long until each has its first key frame.

The clock of a point starts when it asks the node for an offer and stops when the first packet of a key
frame is in its kernel: signalling to the node, ICE, DTLS and the request to the publisher all count.
The web side and the browser's own set-up do not: `make class-day` has those.
"""

import argparse
import asyncio
import json
import time

from bench.media.crowd import Crowd, percentile
from bench.media.isolated import ADDRESS, enter
from bench.media.light import Peer, identity
from bench.media.parts import LECTURER, ROOM, publish
from bench.media.processes import NodeProcess, cpu_s
from bench.media.publisher import Publisher
from bench.media.traffic import FU_A, STAP_A
from media.control import CHAIR_SLOTS
from media.dtls import Identity
from media.rtcp import KeyFrameRequest, walk

PATIENCE_S = 10.0
CALM_S = 2.0


def begins_key_frame(packet: bytes) -> bool:
    """Return whether an RTP packet is H.264 that a decoder can begin with.  Source: RFC 6184 section 5.2."""
    if packet[1] & 0x7F != 96:
        return False
    start = 12 + 4 * (packet[0] & 15)
    if packet[0] & 0x10:
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    kind = packet[start] & 31 if len(packet) > start + 1 else 0
    return kind == STAP_A or (kind == FU_A and packet[start + 1] & 0x9F == 0x85)


async def join(node: NodeProcess, own: Identity, name: str) -> tuple[Peer, float]:
    """Let a point join.  Returns its leg and the seconds to its first key frame; raises TimeoutError."""
    peer, path = Peer(own, node.address), f"/rooms/{ROOM}/peers/{name}/down"
    seen: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def take(packet: bytes, arrived: float) -> None:
        if not seen.done() and begins_key_frame(packet):
            seen.set_result(arrived)

    peer.on_rtp = take
    started = time.time()
    offer = await node.call("POST", path, {"slots": list(CHAIR_SLOTS)})
    await node.call("PUT", path, {"leg": offer["leg"], "sdp": peer.answer(offer["sdp"])})
    await peer.connect(offer["sdp"])
    arrived = await asyncio.wait_for(seen, PATIENCE_S)
    peer.stop_reading()
    return peer, arrived - started


async def run(points: int, within_s: float) -> dict[str, float | int]:
    """Let `points` join, evenly over `within_s` seconds.  Returns the figures."""
    own = identity()
    async with NodeProcess(ADDRESS) as node, Crowd() as crowd:
        await node.plan(ROOM, {"stage": f"{LECTURER}/camera", "audio-0": f"{LECTURER}/mic"}, [LECTURER])
        lecturer = await publish(node, own, crowd, ROOM, LECTURER)
        publisher = Publisher(lecturer)

        def feedback(packet: bytes) -> None:
            if any(isinstance(report, KeyFrameRequest) for report in walk(packet)):
                publisher.restart = True

        lecturer.on_rtcp = feedback
        sending = asyncio.create_task(publisher.run(within_s + PATIENCE_S + 2 * CALM_S))
        await asyncio.sleep(CALM_S)
        idle = cpu_s(node.pid)
        await asyncio.sleep(CALM_S)
        cpu, started = cpu_s(node.pid), time.monotonic()
        idle = (cpu - idle) / CALM_S

        async def one(i: int) -> float:
            await asyncio.sleep(within_s * i / points)
            peer, took = await join(node, own, f"bp_{i}")
            crowd.peers.append(peer)
            return took

        took = await asyncio.gather(*(one(i) for i in range(points)), return_exceptions=True)
        cpu = cpu_s(node.pid) - cpu - idle * (time.monotonic() - started)
        sending.cancel()
    joined = [t for t in took if isinstance(t, float)]
    return {
        "points": points, "joined": len(joined), "p50_ms": round(percentile(joined, 0.5) * 1000, 1),
        "p95_ms": round(percentile(joined, 0.95) * 1000, 1), "slowest_ms": round(max(joined) * 1000, 1),
        "cpu_ms": round(cpu * 1000 / points, 2), "key_frames_sent": publisher.key_frames,
    }  # fmt: skip


def main() -> None:
    """Measure and print the result; the exit status is 1 when somebody could not join."""
    parser = argparse.ArgumentParser(prog="python -m bench.media.join", description=__doc__)
    parser.add_argument("--points", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    enter("bench.media.join")
    result = asyncio.run(run(options.points, options.seconds))
    print(json.dumps(result))
    raise SystemExit(result["joined"] != options.points)


if __name__ == "__main__":
    main()
