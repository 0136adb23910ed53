"""protocol.js and media.js in real Chromium, against the real media node, through the sockets."""

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.flows.sockets import Server, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required", "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding", "--disable-features=WebRtcHideLocalIpsWithMdns",
]  # fmt: skip
WITHIN_MS = 60_000  # the machine may be busy; what is measured is printed

OPEN = """async ({lecture, me, role}) => {
  const { connect } = await import("/static/js/protocol.js");
  const { startMedia } = await import("/static/js/media.js");
  const w = window;
  w.frames_of = {}; w.statuses = []; w.media_statuses = []; w.slots = {};
  const small = {width: 320, height: 180, frameRate: 10};
  const devices = role === "observer" ? null : await navigator.mediaDevices.getUserMedia({audio: true, video: small});
  const publish = devices ? {mic: devices.getAudioTracks()[0], camera: devices.getVideoTracks()[0]} : undefined;
  w.link = connect({
    lecture, tokenUrl: `/token/${lecture}/${me}/${role}`,
    onStatus: (s) => w.statuses.push(s),
    onMediaReset: (epoch) => w.media?.reset(epoch),
    onJoined: (joined) => w.media ??= startMedia({
      request: w.link.request, epoch: joined.media.epoch, publish,
      onStatus: (s) => w.media_statuses.push(s),
      onSilence: () => w.link.probe(),
      onSlot: (slot, stream) => {
        w.slots[slot] = stream;
        const el = Object.assign(document.createElement(slot.startsWith("audio") ? "audio" : "video"),
                                 {autoplay: true, muted: true, srcObject: stream});
        document.body.append(el);
        const count = () => { w.frames_of[slot] = (w.frames_of[slot] ?? 0) + 1; el.requestVideoFrameCallback(count); };
        el.requestVideoFrameCallback?.(count);
      },
    }),
  });
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server("eventlet", tmp_path_factory.mktemp("media"), node="media")
    one.start()
    yield one
    one.stop()


def opened(browser: Browser, server: Server, lecture: str, me: str, role: str, script: str = "") -> Page:
    page = browser.new_context(permissions=["camera", "microphone"]).new_page()
    page.add_init_script(script)
    page.goto(server.url + "/page")
    page.evaluate(OPEN, {"lecture": lecture, "me": me, "role": role})
    page.wait_for_function("media_statuses.at(-1) === 'connected'", timeout=WITHIN_MS)
    return page


def ask(page: Page, kind: str, payload: Any = None) -> None:
    ack = page.evaluate("([kind, payload]) => link.request(kind, payload)", [kind, payload])
    assert ack["ok"], ack


def frames_come(page: Page, slot: str) -> None:
    """Wait for ten more frames of a slot from now."""
    before = page.evaluate("slot => frames_of[slot] ?? 0", slot)
    page.wait_for_function("([slot, n]) => (frames_of[slot] ?? 0) > n", arg=[slot, before + 10], timeout=WITHIN_MS)


def test_a_class_is_seen_and_survives_its_node_and_its_web_process(browser: Browser, server: Server) -> None:
    lecture = server.lecture()
    lecturer = opened(browser, server, lecture, "usr_lecturer", "lecturer")
    point = opened(browser, server, lecture, "bp_a", "point")
    visitor = opened(browser, server, lecture, "usr_visitor", "observer")
    frames_come(lecturer, "tile-0")
    assert "stage" not in point.evaluate("frames_of"), "nobody is shown before the class begins"

    ask(lecturer, "lecture.start")
    frames_come(point, "stage")
    frames_come(visitor, "stage")
    ask(point, "floor.request")
    ask(lecturer, "floor.grant", {"participant": "bp_a"})
    for page in (lecturer, visitor):
        frames_come(page, "guest")
    stats = visitor.evaluate("media.stats()")
    assert [leg and leg["negotiations"] for leg in (stats["up"], stats["down"])] == [None, 1]
    assert next(line for line in stats["down"]["lines"] if line["what"] == "guest")["frames"] > 0
    assert next(line for line in stats["down"]["lines"] if line["what"] == "audio-0")["packets"] > 0
    sent = lecturer.evaluate("media.stats()")["up"]["lines"]
    assert next(line for line in sent if line["what"] == "camera" and line["rid"] == "q")["frames"] > 0
    assert {line["what"] for line in sent} == {"camera", "mic", "screen"}, "all are there from the start"

    node_pid = server.get("/node")["pid"]
    started = time.monotonic()
    os.kill(node_pid, signal.SIGKILL)
    for page in (lecturer, point, visitor):
        page.wait_for_function("media_statuses.includes('reconnecting')", timeout=WITHIN_MS)
        page.wait_for_function("media_statuses.at(-1) === 'connected'", timeout=WITHIN_MS)
    frames_come(visitor, "guest")
    print(f"frames again after the node was killed: {time.monotonic() - started:.1f} s")

    negotiated = visitor.evaluate("media.stats()")["down"]["negotiations"]
    server.kill()
    frames_come(visitor, "guest")  # while there is no web process at all
    server.start()
    for page in (lecturer, point, visitor):
        page.wait_for_function("statuses.includes('offline') && statuses.at(-1) === 'online'", timeout=WITHIN_MS)
    frames_come(visitor, "guest")
    ask(point, "floor.release")
    assert visitor.evaluate("media.stats()")["down"]["negotiations"] == negotiated, "media never stopped"


REMEMBER = """
window.pcs = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...how) { super(...how); window.pcs.push(this); }
};
window.transports = async () => {
  const found = [];
  for (const pc of pcs) for (const entry of (await pc.getStats()).values())
    if (entry.type === "transport") found.push({
      dtls: entry.dtlsState, name: entry.iceLocalUsernameFragment, pair: entry.selectedCandidatePairId,
      changes: entry.selectedCandidatePairChanges, certificate: entry.localCertificateId, lines: pc.getTransceivers().length,
    });
  return found;
};
"""


def test_another_network_costs_a_leg_fresh_ice_names_and_no_handshake(browser: Browser, server: Server) -> None:
    lecture = server.lecture()
    lecturer = opened(browser, server, lecture, "usr_lecturer", "lecturer", REMEMBER)
    point = opened(browser, server, lecture, "bp_a", "point", REMEMBER)
    ask(lecturer, "lecture.start")
    frames_come(point, "stage")
    told = [page.evaluate("media_statuses.length") for page in (lecturer, point)]
    for page in (lecturer, point):
        before = page.evaluate("transports()")
        page.evaluate("dispatchEvent(new Event('online'))")
        moved = "old => transports().then((now) => now.every((one, i) => one.name !== old[i].name && one.pair !== old[i].pair))"
        until(partial(page.evaluate, moved, before), within_s=WITHIN_MS / 1000)
        after = page.evaluate("transports()")
        for old, new in zip(before, after, strict=True):
            assert new["dtls"] == "connected" and new["certificate"] == old["certificate"]
            assert new["lines"] == old["lines"]
    frames_come(point, "stage")
    frames_come(lecturer, "tile-0")
    assert [page.evaluate("media_statuses.length") for page in (lecturer, point)] == told, "nobody noticed"
    for page in (lecturer, point):
        stats = page.evaluate("media.stats()")
        assert [(leg["negotiations"], leg["connections"], leg["restarts"]) for leg in (stats["up"], stats["down"])] == [
            (1, 1, 1)
        ] * 2
