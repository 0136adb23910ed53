"""A hall whose network lets out nothing but TLS: Chromium through the relay, no other way allowed."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.media.conftest import CHROMIUM_FLAGS, ROOM, NodeProcess, Page, chromium_page, wait_for
from tests.media.turn_client import TurnServer, credentials

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
LECTURER = "usr_lecturer"
SLOTS = ["audio-0", "stage"]
RELAY_ONLY = """(ice) => {
  const Plain = RTCPeerConnection;
  window.RTCPeerConnection = class extends Plain {
    constructor(options) { super({ ...options, iceServers: [ice], iceTransportPolicy: "relay" }); }
  };
}"""
WAY = """async (leg) => {
  const report = await (leg === "up" ? up : down).getStats(), byId = {};
  report.forEach((s) => (byId[s.id] = s));
  const pair = Object.values(byId).find((s) => s.type === "candidate-pair" && s.nominated && s.state === "succeeded");
  const local = pair && byId[pair.localCandidateId];
  return local ? [local.candidateType, local.relayProtocol, new URL(local.url.replace("turns:", "https://")).port] : null;
}"""


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[TurnServer]:
    folder = tmp_path / "turn"
    folder.mkdir()
    server = TurnServer(folder, ("127.0.0.1",), more="allow-loopback-peers\n")  # where the node of this test is
    yield server
    server.stop()


@pytest.fixture
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    flags = [*CHROMIUM_FLAGS, "--ignore-certificate-errors"]  # of the relay's own certificate
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        yield made
        made.close()


def test_picture_and_sound_pass_through_tls_alone(node: NodeProcess, relay: TurnServer, chromium: Any) -> None:
    node.plan(1, {"stage": f"{LECTURER}/camera", "audio-0": f"{LECTURER}/mic"}, [LECTURER])
    pages = {}
    for peer in (LECTURER, "bp_one"):
        username, password = credentials(peer)
        url = f"turns:localhost:{relay.port}?transport=tcp"
        pages[peer] = page = Page(chromium_page(chromium), node, peer)
        page.page.evaluate(RELAY_ONLY, {"urls": [url], "username": username, "credential": password})
    lecturer, hall = pages.values()
    lecturer.publish("red")
    hall.watch(SLOTS)
    hall.wait_colour("stage", "red")
    wait_for(lambda: hall.stats("audio-0").get("packetsReceived", 0) > 20, "sound")
    for page, leg in ((lecturer, "up"), (hall, "down")):
        found = wait_for(partial(page.page.evaluate, WAY, leg), "the nominated pair")
        assert found == ["relay", "tls", str(relay.port)]
    peers = node.ok("PUT", f"/rooms/{ROOM}", {"version": 1, "slots": {}, "publishers": [LECTURER]})["peers"]
    assert sorted(peers) == sorted(pages)
    for page in pages.values():
        page.page.context.close()
