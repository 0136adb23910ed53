"""A media server on the near side of a bad line, a publisher beside it, real Chromium viewers on the far side."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3
from playwright.sync_api import Browser, Page, sync_playwright

from bench.badnet.link import ROOT, Link, Namespace
from bench.janus import Handle, Janus

TOKEN = "the-token-of-the-laboratory"
ROOM = "lec_badnet"
LECTURER = "usr_lecturer"
VIDEO, AUDIO = "stage", "audio-0"
SLOTS = ["audio-0", "audio-1", "audio-2", "stage", "guest", "screen"]
SHOWN = {VIDEO: f"{LECTURER}/camera", AUDIO: f"{LECTURER}/mic"}
SCRIPT = Path(__file__).parent / "page.js"
LOSS = ROOT / "static" / "js" / "loss.js"
START_S = 20.0
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required", "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
]  # fmt: skip


@dataclass(frozen=True)
class Camera:
    """What the publisher sends."""

    width: int = 960
    height: int = 540
    fps: int = 15
    simulcast: bool = True
    hz: int = 440


@dataclass
class Seen:
    """What a viewer's page wrote down; times are Unix milliseconds."""

    frames: list[tuple[float, int]] = field(default_factory=list)  # (shown at, height)
    levels: list[tuple[float, float]] = field(default_factory=list)  # (start of 20 ms, root mean square)
    stats: list[dict[str, Any]] = field(default_factory=list)  # every 100 ms, of getStats


class Node:
    """`python -m media` on the near side."""

    def __init__(self, place: Namespace, folder: Path) -> None:
        """Start it.  place: its namespace; folder: for its data and its log."""
        self.place = place
        self.events: list[tuple[float, dict[str, Any]]] = []  # (Unix ms of arrival, event)
        self._http = urllib3.PoolManager(retries=False, timeout=10)
        self._version = 0
        self._log = (folder / "node.log").open("wb")
        state = folder / "node.json"
        with place.entered():
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "media", "--data-dir", str(folder), "--port",
                 "0", "--host", "0.0.0.0", "--announce", place.address, "--state", str(state)],
                cwd=ROOT, env={**os.environ, "MEDIA_TOKEN": TOKEN}, stderr=self._log,
            )  # fmt: skip
        try:
            wait_for(state.exists, "the node's state file", START_S)
        except BaseException:
            self.close()
            raise
        self.state = json.loads(state.read_text())
        threading.Thread(target=self._listen, daemon=True).start()

    def _request(self, method: str, path: str, **more: Any) -> Any:
        with self.place.entered():
            url = self.state["control_url"] + path
            return self._http.request(method, url, headers={"Authorization": f"Bearer {TOKEN}"}, **more)

    def _listen(self) -> None:
        try:
            answer = self._request("GET", "/events", preload_content=False, timeout=None)
            rest = b""
            for chunk in answer.stream(None):
                *lines, rest = (rest + chunk).split(b"\n")
                self.events += [(time.time() * 1000, json.loads(line)) for line in lines]
        except (urllib3.exceptions.HTTPError, OSError):  # the node has ended
            return

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a control request.  Returns (status, decoded body)."""
        answer = self._request(method, path, json=body)
        return answer.status, (json.loads(answer.data) if answer.data else None)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Send a control request that must succeed; return the decoded body."""
        status, answer = self.call(method, path, body)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {answer}")
        return answer

    def plan(self) -> Any:
        """Put the room's plan: the lecturer on the stage."""
        self._version += 1
        plan = {"version": self._version, "slots": SHOWN, "publishers": [LECTURER], "boost": [LECTURER]}
        return self.ok("PUT", f"/rooms/{ROOM}", plan)

    def metrics(self) -> str:
        """Return its counters as Prometheus text."""
        return str(self._request("GET", "/metrics").data.decode())

    def said(self, kind: str, since_ms: float = 0.0) -> list[tuple[float, dict[str, Any]]]:
        """Return the events of a type, (Unix ms, event)."""
        return [(at, event) for at, event in self.events if event.get("type") == kind and at >= since_ms]

    # ---- what a server of the laboratory can do ----

    def publish(self, offer: str) -> str:
        """Take the lecturer's offer; return the answer."""
        self.plan()
        return str(self.ok("POST", f"/rooms/{ROOM}/peers/{LECTURER}/up", {"sdp": offer})["sdp"])

    def published(self) -> bool:
        """Return whether the lecturer's picture and sound have arrived."""
        return set(self.plan()["shown"].values()) >= set(SHOWN.values())

    def watch(self, peer: str, answering: Callable[[str], str]) -> None:
        """Give a viewer its offer and take its answer."""
        offer = self.ok("POST", f"/rooms/{ROOM}/peers/{peer}/down", {"slots": SLOTS})
        answer = {"leg": offer["leg"], "sdp": answering(offer["sdp"])}
        self.ok("PUT", f"/rooms/{ROOM}/peers/{peer}/down", answer)

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._log.close()
        self._http.clear()


class JanusRoom:
    """Debian's Janus with one room, in the node's place."""

    def __init__(self, place: Namespace) -> None:
        """Start it.  place: its namespace."""
        self.place = place
        with place.entered():
            self._janus = Janus(address=place.address)
            self._janus.__enter__()
            self._session = self._janus.session()
            self._publisher = self._session.attach()
            self._publisher.create_room()

    def publish(self, offer: str) -> str:
        """Take the lecturer's offer; return the answer."""
        with self.place.entered():
            return self._publisher.publish(offer)

    def published(self) -> bool:
        """Return True: a subscriber's request waits for the publisher."""
        return True

    def watch(self, peer: str, answering: Callable[[str], str]) -> None:
        """Give a viewer its offer and take its answer."""
        with self.place.entered():
            handle: Handle = self._session.attach()
            offer = handle.subscribe()
        answer = answering(offer)
        with self.place.entered():
            handle.answer(answer)

    def close(self) -> None:
        """Stop it."""
        self._janus.__exit__(None, None, None)


class Viewer:
    """A page that watches."""

    def __init__(self, page: Page) -> None:
        """page: with the laboratory's script in it."""
        self.page = page
        self.seen = Seen()

    def harvest(self) -> Seen:
        """Fetch what has been written down so far, and return all of it."""
        new = self.page.evaluate("harvest()")
        self.seen.frames += new["frames"]
        self.seen.levels += new["levels"]
        self.seen.stats += new["stats"]
        return self.seen

    def wait_frames(self, count: int, limit_s: float = START_S) -> None:
        """Wait until that many more pictures are shown."""
        before = len(self.harvest().frames)
        wait_for(lambda: len(self.harvest().frames) >= before + count, f"{count} pictures", limit_s)


class Lab:
    """All of it; a context manager."""

    def __init__(self, server: str = "node", *, seed: int = 1, limit_s: float = 300.0) -> None:
        """server: `node` or `janus`; seed: of the line's pattern; limit_s: seconds the line lives at most."""
        self.folder = Path(tempfile.mkdtemp(prefix="badnet-"))
        self._closing: list[Callable[[], None]] = [lambda: shutil.rmtree(self.folder, ignore_errors=True)]
        try:
            self.link = Link(seed, limit_s)
            self._closing.append(self.link.close)
            place = self.link.near
            self.server: Node | JanusRoom = Node(place, self.folder) if server == "node" else JanusRoom(place)
            self._closing.append(self.server.close)
            playwright = sync_playwright().start()
            self._closing.append(playwright.stop)
            self._chromium = playwright.chromium
        except BaseException:
            self.close()
            raise

    @property
    def node(self) -> Node:
        """Return the server, which must be the node."""
        assert isinstance(self.server, Node)
        return self.server

    def page(self, place: Namespace) -> Page:
        """Start a Chromium in a namespace and return a page with the laboratory's script."""
        found = os.environ.get("CHROMIUM") or shutil.which("chromium")
        if found is None:
            raise RuntimeError("chromium is not installed: make test installs it")
        program = place.program(self.folder / f"chromium-{place.descriptor}", found)
        browser: Browser = self._chromium.launch(executable_path=program, args=FLAGS)
        self._closing.append(browser.close)
        page = browser.new_context(permissions=["camera", "microphone"]).new_page()
        page.route("**/*", lambda route: route.fulfill(body="<!doctype html><body>", content_type="text/html"))
        page.route("**/js/loss.js", lambda route: route.fulfill(path=LOSS, content_type="text/javascript"))
        page.goto("https://localhost/")
        page.add_script_tag(path=SCRIPT)
        return page

    def publish(self, camera: Camera) -> Page:
        """Let the lecturer publish from the near side; return its page when the server has its streams."""
        page = self.page(self.link.near)
        offer = page.evaluate("c => offerUp(c)", camera.__dict__)
        page.evaluate("sdp => answered(sdp)", self.server.publish(offer))
        wait_for(self.server.published, "the lecturer's streams", START_S)
        return page

    def watch(self, peer: str = "bp_far", place: Namespace | None = None, *, patient: bool = True) -> Viewer:
        """Let a viewer watch.

        place: the far side unless another is given; patient: its page waits for repairs, as the product's do.
        """
        page = self.page(place or self.link.far)
        slots = {"videoSlot": VIDEO, "audioSlot": AUDIO, "patient": patient}
        self.server.watch(peer, lambda sdp: page.evaluate("([sdp, slots]) => answerDown(sdp, slots)", [sdp, slots]))
        return Viewer(page)

    def close(self) -> None:
        """End everything that was started, in reverse order."""
        while self._closing:
            self._closing.pop()()

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def wait_for(ready: Callable[[], Any], what: str, limit_s: float) -> Any:
    """Poll until `ready` returns something true, and return it.  Raises AssertionError after limit_s."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if found := ready():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {limit_s} s in vain for {what}")
