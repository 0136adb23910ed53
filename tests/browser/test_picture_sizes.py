"""Who sends and who gets pictures of which size, with the pages, the server and the media node as they are."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from app.auth import DEVICE_COOKIE
from tests.browser.live_class import Class, sign_in
from tests.flows.sockets import until
from tests.media.conftest import CHROMIUM_FLAGS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
WITHIN_MS = 30_000  # the machine may be busy

# Remembers the page's connections, so that what they really send can be read.
WATCH = """
window.pcs = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...how) { super(...how); window.pcs.push(this); }
};
window.sentFrames = async () => {
  const frames = {};
  for (const pc of pcs.filter((pc) => pc.connectionState === "connected"))
    for (const entry of (await pc.getStats()).values())
      if (entry.type === "outbound-rtp" && entry.kind === "video" && entry.rid) frames[entry.rid] = entry.framesSent ?? 0;
  return frames;
};
window.sending = async () => {
  const before = await sentFrames();
  await new Promise((done) => setTimeout(done, 700));
  const after = await sentFrames();
  return Object.keys(after).filter((rid) => after[rid] > (before[rid] ?? 0)).sort().join("");
};
window.heightOf = (slot) => document.querySelector(`video[data-slot="${slot}"]`)?.videoHeight ?? 0;
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    relay = {"TURN_URLS": "turn:127.0.0.1:9?transport=tcp", "TURN_TTL_S": "6"}
    one = Class(tmp_path_factory.mktemp("sizes"), node="media", **relay)
    yield one
    one.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


def opened(browser: Browser, width: int = 1280, height: int = 720, **how: Any) -> Page:
    page = browser.new_context(
        viewport={"width": width, "height": height}, locale="vi-VN", permissions=["camera", "microphone"], **how
    ).new_page()
    page.set_default_timeout(WITHIN_MS)
    page.add_init_script(WATCH)
    return page


def hall(browser: Browser, live: Class) -> Page:
    page = opened(browser)
    page.context.add_cookies([{"name": DEVICE_COOKIE, "value": live.there["device"], "url": live.url}])
    page.goto(live.url + "/kiosk")
    page.wait_for_selector("#room:not([hidden])")
    return page


def console(browser: Browser, live: Class, login: str) -> Page:
    page = opened(browser)
    sign_in(page, live, login)
    page.goto(f"{live.url}/lectures/{live.there['lecture']}/console")
    page.wait_for_selector(".point")
    return page


def wait_for(page: Page, expression: str) -> None:
    """Wait until an expression holds; asked from outside, because the pages' own policy forbids `eval`."""
    until(lambda: page.evaluate(expression), within_s=WITHIN_MS / 1000)


def test_a_point_sends_its_smallest_picture_until_it_is_given_the_floor(browser: Browser, live: Class) -> None:
    point, lecturer = hall(browser, live), console(browser, live, "giangvien")
    wait_for(point, "sending().then((rids) => rids === 'q')")
    wait_for(lecturer, "sending().then((rids) => rids === 'fhq')")
    point.keyboard.press("h")
    lecturer.wait_for_selector(".floor-hand")
    lecturer.keyboard.press("g")
    wait_for(point, "sending().then((rids) => rids === 'fhq')")
    wait_for(lecturer, "heightOf('guest') >= 540")
    point.keyboard.press("r")
    wait_for(point, "sending().then((rids) => rids === 'q')")
    assert point.evaluate("pcs.length") == 2, "nothing was negotiated again"
    for page in (point, lecturer):
        page.context.close()


def test_a_hall_gets_pictures_of_the_size_it_shows(browser: Browser, live: Class) -> None:
    lecturer, point = console(browser, live, "giangvien"), hall(browser, live)
    wait_for(point, "heightOf('stage') >= 720")
    point.set_viewport_size({"width": 400, "height": 700})
    wait_for(point, "heightOf('stage') > 0 && heightOf('stage') <= 180")
    point.set_viewport_size({"width": 1280, "height": 720})
    wait_for(point, "heightOf('stage') >= 720")
    for page in (point, lecturer):
        page.context.close()


# The driver keeps every tab of the browser visible: the page is told as the browser would tell it.
LOOKED_AT = """(yes) => {
  Object.defineProperty(document, "hidden", { configurable: true, value: !yes });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
FRAMES = """async () => {
  let frames = 0;
  for (const pc of pcs) for (const entry of (await pc.getStats()).values())
    if (entry.type === "inbound-rtp" && entry.kind === "video") frames += entry.framesReceived ?? 0;
  return frames;
}"""
SOUND = FRAMES.replace('"video"', '"audio"').replace("framesReceived", "packetsReceived")


def test_a_page_that_nobody_looks_at_gets_sound_only(browser: Browser, live: Class) -> None:
    lecturer, point = console(browser, live, "giangvien"), hall(browser, live)
    wait_for(point, "heightOf('stage') >= 720")
    point.evaluate(LOOKED_AT, False)
    until(lambda: stands_still(point), within_s=30)
    heard = point.evaluate(SOUND)
    point.wait_for_timeout(500)
    assert point.evaluate(SOUND) > heard, "the sound goes on"
    before = point.evaluate(FRAMES)
    point.evaluate(LOOKED_AT, True)
    until(lambda: point.evaluate(FRAMES) > before + 5, within_s=30)
    for page in (point, lecturer):
        page.context.close()


def stands_still(page: Page) -> bool:
    """Return whether no picture comes for a second."""
    before = page.evaluate(FRAMES)
    page.wait_for_timeout(1000)
    return bool(page.evaluate(FRAMES) == before)


RELAY = "pcs.map((pc) => pc.getConfiguration().iceServers.map((server) => `${server.urls} ${server.username}`).join())"
TARGETS = """async (ms) => {
  const { delay } = await import("/static/js/loss.js");
  const receivers = pcs.flatMap((pc) => pc.getReceivers());
  delay(receivers, ms);
  return [...new Set(receivers.map((receiver) => receiver.jitterBufferTarget))];
}"""


def test_a_hall_knows_the_relay_and_renews_its_credentials_for_another_network(browser: Browser, live: Class) -> None:
    point = hall(browser, live)
    wait_for(point, "pcs.length === 2 && pcs.every((pc) => pc.connectionState === 'connected')")
    before = point.evaluate(RELAY)
    assert all("turn:127.0.0.1:9?transport=tcp" in one and live.points[1] in one for one in before), before
    point.wait_for_timeout(3500)  # half of the credentials' time
    point.evaluate("dispatchEvent(new Event('online'))")
    until(lambda: all(new != old for new, old in zip(point.evaluate(RELAY), before, strict=True)), within_s=20)
    wait_for(point, "pcs.length === 2 && pcs.every((pc) => pc.connectionState === 'connected')")
    assert point.evaluate(TARGETS, 220) == [220], "a browser that can wait for repairs is told to"
    assert point.evaluate(TARGETS, None) == [None]
    point.context.close()
