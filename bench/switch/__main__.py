"""`make bench-switch`: 40 switches of a slot between two publishers, seen by real Chromium and 60 light viewers.

One publisher sends H.264 1280x720 in three layers, the other VP8 640x360 in one; the viewer's page asks
for a small picture every other time, so that size, codec and layer change. What is shown, and when, is
read from the pictures themselves. The last line printed is one JSON object.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from bench.switch.engine import ROOM, Events, Node, Watchers
from bench.switch.figures import (
    NEVER_MS,
    Switch,
    accelerated_ms,
    bad,
    concealed_ms,
    follow,
    light_ok,
    light_parts,
    result,
)
from bench.switch.pages import VIEWER, Publisher, Viewer, launch

FPS = 25
LARGE = Publisher("usr_large", 1, 1280, 720, "H264", layers=3, hz=440)
SMALL = Publisher("bp_small", 2, 640, 360, "VP8", layers=1, hz=660)
STEP_S, PHASE_S = 1.1, 0.037  # between commands; the phase against the publishers' pictures moves on
READY_S = 20.0
STILL_S = 8.0  # watched without a switch, for comparison
LOW, FULL = 360, 720  # pixels of height that the page asks for


def main() -> int:
    """Measure, print a table and the result.  Returns the exit status: 0 when every switch was seen."""
    parser = argparse.ArgumentParser(prog="python -m bench.switch", description=__doc__)
    parser.add_argument("--switches", type=int, default=40)
    parser.add_argument("--viewers", type=int, default=60, help="light ones, beside the browser")
    parser.add_argument("--layers", type=int, default=3, choices=(1, 3), help="of the large publisher")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-switch-") as folder, ExitStack() as stack:
        found = run(options, Path(folder), stack)
    for name, value in found.items():
        print(f"  {name:20} {value}")
    print(json.dumps(found))
    return 0 if found["seen"] == options.switches else 1


class Class:
    """The plan of the room, put again and again."""

    def __init__(self, node: Node) -> None:
        """Begin without a plan."""
        self._node, self._version = node, 0

    def show(self, publisher: Publisher) -> float:
        """Put the plan that shows a publisher.  Returns the wall clock ms before."""
        peers, self._version = [LARGE.peer, SMALL.peer], self._version + 1
        slots = {"stage": f"{publisher.peer}/camera", "audio-0": f"{publisher.peer}/mic"}
        plan = {"version": self._version, "slots": slots, "publishers": peers, "boost": peers}
        at = time.time() * 1000
        self._node.ok("PUT", f"/rooms/{ROOM}", plan)
        return at

    def ask_height(self, height: int) -> None:
        """Ask for a stage of this height for the browser that watches."""
        self._node.ok("PUT", f"/rooms/{ROOM}/peers/{VIEWER}/sizes", {"heights": {"stage": height}})


def run(options: argparse.Namespace, folder: Path, stack: ExitStack) -> dict[str, Any]:
    """Connect everybody, switch, count."""
    node = stack.enter_context(Node(folder))
    events = stack.enter_context(Events(node))
    playwright = stack.enter_context(sync_playwright())
    room = Class(node)
    room.show(LARGE)
    crowd = stack.enter_context(Watchers(node, options.viewers))
    publishers = {replace(LARGE, layers=options.layers): launch(playwright, stack), SMALL: launch(playwright, stack)}
    for publisher, page in publishers.items():
        publisher.publish(page, node, FPS)
    viewer = Viewer(launch(playwright, stack), node)
    heights = {publisher.codec: publisher.until_sent(page, READY_S) for publisher, page in publishers.items()}
    print(f"heights sent: {heights}", flush=True)
    room.show(SMALL)
    viewer.until_shown(SMALL.source, READY_S)
    room.show(LARGE)
    viewer.until_shown(LARGE.source, READY_S)
    time.sleep(2)
    still = viewer.counts()
    time.sleep(STILL_S)
    before, light_before, cpu = viewer.counts(), crowd.counted(), node.cpu_s()
    switches = list(switch(options.switches, room, events))
    ended = time.time() * 1000
    after, light_after, cpu = viewer.counts(), crowd.counted(), node.cpu_s() - cpu
    pictures = viewer.pictures(before["read"])
    return result(switches, follow(switches, pictures, ended), {
        "freezes": after["picture"]["freezeCount"] - before["picture"]["freezeCount"],
        "concealed_ms": concealed_ms(before["sound"], after["sound"]),
        "bad_frames": bad([Switch(0.0, LARGE.source, 0.0), *switches], pictures),
        "light_viewers_ok": light_ok(light_before, light_after, len(switches)),
        "light_viewers": options.viewers,
        "light_parts": light_parts(light_before, light_after),
        "pictures": len(pictures),
        "still_freezes": before["picture"]["freezeCount"] - still["picture"]["freezeCount"],
        "still_concealed_ms": concealed_ms(still["sound"], before["sound"]),
        "key_frame_requests": after["picture"]["pliCount"] - before["picture"]["pliCount"],
        "accelerated_ms": accelerated_ms(before["sound"], after["sound"]),
        "concealments": after["sound"]["concealmentEvents"] - before["sound"]["concealmentEvents"],
        "sound_lost": after["sound"]["packetsLost"] - before["sound"]["packetsLost"],
        "nacks": after["picture"]["nackCount"] - before["picture"]["nackCount"],
        "node_cpu_share": round(cpu / ((ended - switches[0].at) / 1000), 3),
        "heights_sent": heights,
    })  # fmt: skip


def switch(count: int, room: Class, events: Events) -> Iterator[Switch]:
    """Command `count` switches, one at a time; each second one to the large publisher shows its middle layer."""
    for i in range(count):
        publisher = SMALL if i % 2 == 0 else LARGE
        told = events.number
        at = room.show(publisher)
        node_ms = events.switched(told, publisher.peer, STEP_S)
        yield Switch(at, publisher.source, NEVER_MS if node_ms is None else node_ms)
        wait_s = STEP_S + PHASE_S * (i % 7)
        if publisher is SMALL:  # while it shows, the page asks for the size of the next large one
            time.sleep(wait_s / 2)
            room.ask_height(LOW if i % 4 == 0 else FULL)
        time.sleep(max(0.0, at / 1000 + wait_s - time.time()))


if __name__ == "__main__":
    sys.exit(main())
