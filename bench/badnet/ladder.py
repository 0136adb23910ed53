"""`make bench-ladder`: one viewer on a line that gets worse, is cut, and comes back; the last line is one JSON object.

2 Mbit/s, 300 kbit/s, 64 kbit/s, nothing, 2 Mbit/s, with 80 ms of round trip. Goal: the picture steps
down, then sound alone; no gap in the sound longer than 500 ms down to 64 kbit/s; all back within
3 s of the line's return; nobody does anything.
"""

import argparse
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.badnet import measure
from bench.badnet.lab import Camera, Lab, Node, Viewer

DELAY_MS = 40.0  # each way
STEPS = ((2000, 12.0), (300, 12.0), (64, 12.0), (0, 6.0), (2000, 12.0))  # (kbit/s each way, seconds)
SETTLE_S = 4.0
SAMPLE_S = 0.25
SETTLED_SHARE = 0.34  # of a step, at its end: what the line carries in the long run


@dataclass(frozen=True)
class Step:
    """One rung."""

    kbit: int
    start: float  # Unix ms
    end: float
    queue: list[tuple[float, float]]  # (Unix ms, ms of queue towards the viewer at its longest in the last 250 ms)
    dropped: int  # packets that found the queue full
    sent_bytes: int  # that passed towards the viewer


def climb(lab: Lab, viewer: Viewer, steps: Sequence[tuple[int, float]] = STEPS) -> list[Step]:
    """Take the line through the steps.  Returns when each was and what the line's queue did."""
    done = []
    for kbit, seconds in steps:
        state = lab.link.set({"rate_kbit": kbit})["down"]
        start = time.time()
        queue = []
        while (now := time.time()) < start + seconds:
            time.sleep(min(SAMPLE_S, start + seconds - now))
            after = lab.link.state()["down"]
            queue.append((time.time() * 1000, after["queue_longest_ms"]))
        dropped = after["queue_dropped"] - state["queue_dropped"]
        sent = after["passed_bytes"] - state["passed_bytes"]
        done.append(Step(kbit, start * 1000, time.time() * 1000, queue, dropped, sent))
    viewer.harvest()
    return done


def judge(viewer: Viewer, steps: Sequence[Step]) -> dict[str, Any]:
    """Return what the viewer saw and heard in each step, and how soon all was back after a cut."""
    seen = viewer.seen
    tone = measure.usual(seen.levels)
    rows = []
    for step in steps:
        settled = step.end - SETTLED_SHARE * (step.end - step.start)
        silent = measure.silences(seen.levels, step.start, step.end, tone)
        made_up = measure.concealments(seen.stats, step.start, step.end)
        shown = [at for at, _ in seen.frames if settled <= at < step.end]
        rows.append({
            "kbit": step.kbit,
            "height_then": measure.height(seen.frames, step.start, step.start + 2000),
            "height": measure.height(seen.frames, settled, step.end),
            "fps": round(1000 * len(shown) / (step.end - settled), 1),
            "audio_gap_ms": max(measure.longest(silent), measure.longest(made_up)),
            "audio_silent_ms": measure.longest(silent),
            "audio_concealed_ms": round(growth(seen.stats, "concealedSamples", step) / 48),
            "audio_lost": int(growth(seen.stats, "packetsLost", step)),
            "queue_longest_ms": max((q for _, q in step.queue), default=0.0),
            "queue_dropped": step.dropped,
            "sent_kbit": round(step.sent_bytes * 8 / (step.end - step.start), 1),
        })  # fmt: skip
    result: dict[str, Any] = {"steps": rows}
    for before, step in itertools.pairwise(steps):
        if before.kbit == 0:
            back = (measure.picture_back(seen.frames, step.start), measure.sound_back(seen.levels, step.start, tone))
            result["picture_back_ms"], result["sound_back_ms"] = (None if b is None else round(b) for b in back)
            result["back_ms"] = None if None in back else round(max(b for b in back if b is not None))
    held = [row["audio_gap_ms"] for row in rows[:-1] if row["kbit"]]
    result["audio_gap_ms"] = max(held, default=None)
    return result


def growth(stats: list[dict[str, Any]], name: str, step: Step) -> float:
    """Return by how much a counter of the sound grew in a step."""
    return measure.growth(stats, "audio", name, step.start, step.end)


def told(lab: Lab, viewer: Viewer, steps: Sequence[Step]) -> list[str]:
    """Return a line for each second: link, queue, picture, sound, and what the node thought of the viewer."""
    seen, lines = viewer.seen, []
    thought = [
        (at, {k: v for k, v in event.items() if k not in ("type", "room")})
        for at, event in (lab.server.said("quality") if isinstance(lab.server, Node) else [])
        if event.get("peer") != "usr_lecturer"
    ]
    tone = measure.usual(seen.levels)
    for step in steps:
        at = step.start
        while at < step.end:
            end = min(at + 1000, step.end)
            frames = sum(at <= shown < end for shown, _ in seen.frames)
            estimate = [row["estimate"] for row in seen.stats if at <= row["at"] < end and row.get("estimate")]
            queue = max((q for when, q in step.queue if at <= when < end + 100), default=0.0)
            quality = [json.dumps(event) for when, event in thought if at <= when < end]
            lines.append(
                f"{(at - steps[0].start) / 1000:5.1f} s  {step.kbit:5} kbit/s  queue {queue:4.0f} ms"
                f"  picture {measure.height(seen.frames, at, end):4} px {frames:3} fps"
                f"  silent {sum(ms for _, ms in measure.silences(seen.levels, at, end, tone)):4.0f} ms"
                f"  concealed {measure.growth(seen.stats, 'audio', 'concealedSamples', at, end) / 48:4.0f} ms"
                f"  browser {estimate[-1] / 1000 if estimate else 0:5.0f} kbit/s  {' '.join(quality)}"
            )
            at = end
    return lines


def main() -> None:
    """Run the ladder once and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.badnet.ladder", description=__doc__)
    parser.add_argument("--server", choices=("node", "janus"), default="node")
    parser.add_argument("--single", action="store_true", help="publish one layer instead of three")
    given = parser.parse_args()
    with Lab(given.server, limit_s=180) as lab:
        lab.link.set({"delay_ms": DELAY_MS, "rate_kbit": STEPS[0][0]})
        publisher = lab.publish(Camera(simulcast=not given.single))
        viewer = lab.watch()
        viewer.wait_frames(10)
        time.sleep(SETTLE_S)
        steps = climb(lab, viewer)
        print(*told(lab, viewer, steps), sep="\n")
        for layer in publisher.evaluate("outbound()"):
            print("publisher", json.dumps(layer))
        print(json.dumps({"server": given.server, **judge(viewer, steps)}))


if __name__ == "__main__":
    main()
