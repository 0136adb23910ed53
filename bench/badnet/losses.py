"""`make bench-badnet`: what a viewer sees and hears at 2, 5 and 10 % loss each way, from the node and from Janus.

The same publisher, line, loss pattern and browser for both; 80 ms of round trip. Prints a table for
docs/media.md; the last line is one JSON object.
"""

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

from bench.badnet import measure
from bench.badnet.lab import Camera, Lab, Viewer

DELAY_MS = 40.0  # each way
LOSSES = (0, 2, 5, 10)  # per cent each way; none is the control
SETTLE_S = 6.0  # the page looks every 2 s, Opus takes a mean over 10 s
SERVERS = ("node", "janus", "janus+page")
COLUMNS = {
    "server": "Server", "loss": "Loss each way, %", "freezes": "Freezes", "freeze_s": "Frozen, s", "fps": "Pictures/s",
    "height": "Height, px", "concealed": "Sound concealed, %", "picture_delay_ms": "Picture held, ms",
    "sound_delay_ms": "Sound held, ms", "nacks": "NACKs", "plis": "PLIs", "repaired": "Resent, received",
    "kbit": "Line, kbit/s",
}  # fmt: skip


def observe(lab: Lab, viewer: Viewer, loss: int, seconds: float) -> dict[str, Any]:
    """Watch for so many seconds at a loss (per cent each way) and return what came of it."""
    lab.link.set({"loss": loss / 100})
    time.sleep(SETTLE_S)
    before, start = lab.link.state()["down"], time.time() * 1000
    time.sleep(seconds)
    after, end = lab.link.state()["down"], time.time() * 1000
    seen = viewer.harvest()

    def grown(kind: str, name: str) -> float:
        return measure.growth(seen.stats, kind, name, start, end)

    def held(kind: str) -> int | None:
        emitted = grown(kind, "jitterBufferEmittedCount")
        return round(1000 * grown(kind, "jitterBufferDelay") / emitted) if emitted else None

    heard = grown("audio", "totalSamplesReceived")
    concealed = grown("audio", "concealedSamples") - grown("audio", "silentConcealedSamples")
    carried = sum(after[n] - before[n] for n in ("passed", "lost"))
    return {
        "loss": loss,
        "measured_loss": round(100 * (after["lost"] - before["lost"]) / max(1, carried), 1),
        "freezes": int(grown("video", "freezeCount")),
        "freeze_s": round(grown("video", "totalFreezesDuration"), 2),
        "fps": round(1000 * sum(start <= at < end for at, _ in seen.frames) / (end - start), 1),
        "height": measure.height(seen.frames, start, end),
        "concealed": round(100 * concealed / heard, 2) if heard else None,
        "picture_delay_ms": held("video"),
        "sound_delay_ms": held("audio"),
        "nacks": int(grown("video", "nackCount") + grown("audio", "nackCount")),
        "plis": int(grown("video", "pliCount")),
        "repaired": int(grown("video", "retransmittedPacketsReceived")),
        "kbit": round((after["passed_bytes"] - before["passed_bytes"]) * 8 / (end - start)),
    }


def run(server: str, seconds: float, losses: Sequence[int] = LOSSES) -> list[dict[str, Any]]:
    """Observe one server at each loss.  server: `node`, `janus`, or `janus+page`: with what our pages do."""
    rows = []
    with Lab(server.partition("+")[0], limit_s=60 + len(losses) * (SETTLE_S + seconds + 5)) as lab:
        lab.link.set({"delay_ms": DELAY_MS})
        lab.publish(Camera(simulcast=False))
        viewer = lab.watch(patient=server != "janus")
        viewer.wait_frames(10)
        for loss in losses:
            rows.append({"server": server, **observe(lab, viewer, loss, seconds)})
            print(json.dumps(rows[-1]), flush=True)
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS.values()) + " |", "|---" * len(COLUMNS) + "|"]
    lines += ["| " + " | ".join(str(row[name]) for name in COLUMNS) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    """Observe the servers one after the other."""
    parser = argparse.ArgumentParser(prog="python -m bench.badnet.losses", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each observation")
    parser.add_argument("--server", choices=SERVERS, action="append", help="only this one")
    given = parser.parse_args()
    rows = [row for server in given.server or SERVERS for row in run(server, given.seconds)]
    print(table(rows))
    print(json.dumps({"round_trip_ms": 2 * DELAY_MS, "seconds": given.seconds, "rows": rows}))


if __name__ == "__main__":
    main()
