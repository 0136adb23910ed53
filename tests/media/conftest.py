"""A real media node process, and real Chromium and Firefox pages to publish to it and watch it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.media.firefox import Firefox, FirefoxPage

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-for-tests"
ROOM = "lec_media"
CHROMIUM_FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required", "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
]  # fmt: skip


class NodeProcess:
    """One `python -m media` on free ports, with its control port at hand."""

    def __init__(self, data_dir: Path, host: str = "127.0.0.1", log: Path | None = None) -> None:
        self.data_dir = data_dir
        self.host = host
        self.log = log
        self.state_file = data_dir / "node.json"
        self.http = urllib3.PoolManager(retries=False, timeout=5)
        self.start()

    def start(self) -> None:
        self.state_file.unlink(missing_ok=True)
        errors = self.log.open("ab") if self.log else None
        self.process = subprocess.Popen(
            [sys.executable, "-m", "media", "--data-dir", self.data_dir, "--host", self.host, "--port", "0",
             "--state", self.state_file],
            cwd=ROOT, env={**os.environ, "MEDIA_TOKEN": TOKEN}, stderr=errors,
        )  # fmt: skip
        if errors is not None:
            errors.close()
        wait_for(self.state_file.exists, "the node's state file")
        self.state = json.loads(self.state_file.read_text())

    @property
    def media_port(self) -> int:
        return int(self.state["media_port"])

    def call(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> tuple[int, Any]:
        answer = self.http.request(
            method, self.state["control_url"] + path, json=body, headers={"Authorization": f"Bearer {token}"}
        )
        return answer.status, (json.loads(answer.data) if answer.data else None)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.call(method, path, body)
        assert status < 300, (status, answer)
        return answer

    def plan(self, version: int, slots: dict[str, str], publishers: list[str], **more: Any) -> Any:
        return self.ok("PUT", f"/rooms/{ROOM}", {"version": version, "slots": slots, "publishers": publishers, **more})

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(5)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)


def wait_for(ready: Any, what: str, limit_s: float = 20.0) -> Any:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {limit_s} s in vain for {what}")


def frozen(viewers: list["Page"], slot: str, change: Callable[[], object]) -> bool:
    """Make a change, wait until ten more pictures are shown, and return whether any viewer's picture froze meanwhile.

    Of several changes at least half must be calm: a busy machine's coder or decoder may stand still at any moment, but
    a change that freezes pictures freezes them each time.
    """
    before = [viewer.stats(slot)["freezeCount"] for viewer in viewers]
    change()
    for viewer in viewers:
        shown = viewer.stats(slot)["framesDecoded"]
        wait_for(lambda v=viewer, n=shown: v.stats(slot)["framesDecoded"] > n + 10, "more of the picture")
    return [viewer.stats(slot)["freezeCount"] for viewer in viewers] != before


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeProcess]:
    process = NodeProcess(tmp_path)
    yield process
    process.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    started = Firefox()
    yield started
    started.close()


def chromium_page(browser: Any) -> Any:
    """Return an empty page of Chromium in a context of its own."""
    page = browser.new_context(permissions=["camera", "microphone"]).new_page()
    page.route("**/*", lambda route: route.fulfill(body="<!doctype html><body>", content_type="text/html"))
    page.goto("https://localhost/")
    return page


def only(transport: str | None, sdp: str) -> str:
    """Return a description of the node without its candidates of other transports.

    transport: `udp` or `tcp`; None leaves all.
    """
    lines = sdp.split("\r\n")
    if transport is not None:
        lines = [x for x in lines if not x.startswith("a=candidate:") or x.split()[2].lower() == transport]
        assert any(x.startswith("a=candidate:") for x in lines), f"the node offers no {transport}"
    return "\r\n".join(lines)


class Page:
    """A page of either browser with one participant; its SDP goes to the node by way of the test."""

    def __init__(self, page: Any, node: NodeProcess, peer: str, transport: str | None = None) -> None:
        self.page, self.node, self.peer, self.transport = page, node, peer, transport
        self.page.add_script_tag(content=(Path(__file__).parent / "page.js").read_text())

    def publish(self, colour: str, hz: int = 440, *, simulcast: bool = False, codec: str | None = None) -> None:
        offer = self.page.evaluate("([c, hz, s, codec]) => offerUp(c, hz, s, codec)", [colour, hz, simulcast, codec])
        answer = self.node.ok("POST", f"/rooms/{ROOM}/peers/{self.peer}/up", {"sdp": offer})
        self.page.evaluate("sdp => answered(sdp)", only(self.transport, answer["sdp"]))

    def watch(self, slots: list[str]) -> None:
        offer = self.node.ok("POST", f"/rooms/{ROOM}/peers/{self.peer}/down", {"slots": slots})
        sdp = self.page.evaluate("sdp => answerDown(sdp)", only(self.transport, offer["sdp"]))
        self.node.ok("PUT", f"/rooms/{ROOM}/peers/{self.peer}/down", {"leg": offer["leg"], "sdp": sdp})

    def colour(self, slot: str) -> str:
        return str(self.page.evaluate("slot => colour(slot)", slot))

    def wait_colour(self, slot: str, colour: str) -> None:
        self.page.wait_for_function("([s, c]) => colour(s) === c", arg=[slot, colour], timeout=20_000)

    def wait_height(self, slot: str, least: int, most: int, limit_s: float = 20) -> None:
        self.page.wait_for_function(
            "([s, a, b]) => shownHeight(s) >= a && shownHeight(s) <= b", arg=[slot, least, most], timeout=1000 * limit_s
        )

    def stats(self, slot: str) -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate("slot => inbound(slot)", slot)
        return found

    def sends(self, kind: str) -> dict[str, Any]:
        """Return the statistics of what this page publishes as `audio` or `video` (the camera comes first)."""
        found: dict[str, Any] = next(s for s in self.page.evaluate("() => outbound()") if s["kind"] == kind)
        return found

    def protocol(self, leg: str) -> str:
        """Return `udp` or `tcp`, as the candidate pair in use says.  leg: `up` or `down`."""
        return str(self.page.evaluate("leg => protocol(leg)", leg))


@pytest.fixture
def page(browser: Any, node: NodeProcess) -> Iterator[Any]:
    pages: list[Any] = []

    def make(peer: str, transport: str | None = None) -> Page:
        pages.append(chromium_page(browser))
        return Page(pages[-1], node, peer, transport)

    yield make
    for one in pages:
        one.context.close()


@pytest.fixture
def firefox_page(firefox: Firefox, node: NodeProcess) -> Iterator[Any]:
    pages: list[FirefoxPage] = []

    def make(peer: str, transport: str | None = None) -> Page:
        pages.append(firefox.new_page())
        return Page(pages[-1], node, peer, transport)

    yield make
    for one in pages:
        one.close()
