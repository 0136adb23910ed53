"""The browsers of the switching benchmark: publishers whose pictures carry a clock, and one that reads it."""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Playwright

from bench.class_day.browsers import FLAGS, SCRIPTS, chromium_path
from bench.switch.engine import ROOM, Node
from bench.switch.figures import Picture

VIEWER = "bp_viewer"
SLOTS = ("audio-0", "audio-1", "audio-2", "stage", "guest", "screen")
AUTOPLAY = "--autoplay-policy=no-user-gesture-required"
LAYERS = (
    {"rid": "q", "scaleResolutionDownBy": 4, "maxBitrate": 150_000},
    {"rid": "h", "scaleResolutionDownBy": 2, "maxBitrate": 500_000},
    {"rid": "f", "maxBitrate": 1_500_000},
)


def launch(playwright: Playwright, stack: ExitStack) -> Page:
    """Return an empty page in a browser process of its own, which ends with the stack."""
    browser = playwright.chromium.launch(executable_path=chromium_path(), args=[*FLAGS, AUTOPLAY])
    stack.callback(browser.close)
    page = browser.new_context().new_page()
    page.route("**/*", lambda route: route.fulfill(body="<!doctype html><body>", content_type="text/html"))
    page.goto("https://localhost/")
    page.add_script_tag(path=SCRIPTS / "timecode.js")
    page.add_script_tag(path=Path(__file__).with_name("page.js"))
    return page


@dataclass(frozen=True)
class Publisher:
    """Who sends what."""

    peer: str
    source: int  # in its pictures
    width: int
    height: int
    codec: str
    layers: int  # 1 or 3
    hz: int

    def publish(self, page: Page, node: Node, fps: int) -> None:
        """Connect the publishing leg."""
        layers = (
            list(LAYERS)
            if self.layers == len(LAYERS)
            else [{"maxBitrate": 1_500_000 if self.height > 400 else 700_000}]
        )
        offer = page.evaluate(
            "(settings) => offerUp(settings)",
            {"source": self.source, "width": self.width, "height": self.height, "fps": fps, "codec": self.codec,
             "layers": layers, "hz": self.hz},
        )  # fmt: skip
        answer = node.ok("POST", f"/rooms/{ROOM}/peers/{self.peer}/up", {"sdp": offer})
        page.evaluate("(sdp) => answered(sdp)", answer["sdp"])

    def until_sent(self, page: Page, limit_s: float) -> list[int]:
        """Wait until all layers are sent.

        Returns their heights as they are when that is so, or when limit_s is over.
        """
        end, heights = time.monotonic() + limit_s, []
        while time.monotonic() < end:
            heights = page.evaluate("() => sending()")
            if len(heights) == self.layers and heights[-1] == self.height:
                break
            time.sleep(0.25)
        return heights


class Viewer:
    """The browser that watches."""

    def __init__(self, page: Page, node: Node) -> None:
        """Connect the receiving leg and begin to read the stage."""
        self._page = page
        path = f"/rooms/{ROOM}/peers/{VIEWER}/down"
        offer = node.ok("POST", path, {"slots": list(SLOTS)})
        answer = page.evaluate("(sdp) => answerDown(sdp)", offer["sdp"])
        node.ok("PUT", path, {"leg": offer["leg"], "sdp": answer})
        page.evaluate("() => watch('stage')")

    def until_shown(self, source: int, limit_s: float) -> None:
        """Wait for a source's picture.  Raises TimeoutError of Playwright."""
        self._page.wait_for_function("(s) => seen.length && seen.at(-1)[1] === s", arg=source, timeout=limit_s * 1000)

    def counts(self) -> dict[str, Any]:
        """Return the statistics of picture and sound, and how many pictures were read."""
        found: dict[str, Any] = self._page.evaluate(
            "async () => ({ picture: await inbound('stage'), sound: await inbound('audio-0'), read: seen.length })"
        )
        return found

    def pictures(self, first: int) -> list[Picture]:
        """Return what was shown, from the picture with this number on."""
        return [Picture(*row) for row in self._page.evaluate("(first) => seen.slice(first)", first)]
