"""Who sends and who gets pictures of which size, with the pages, the server and the media node as they are."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from app.auth import DEVICE_COOKIE
from tests.browser.live_class import Class, sign_in
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
    one = Class(tmp_path_factory.mktemp("sizes"), node="media")
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


def wait_for(page: Page, expression: str, argument: Any = None) -> None:
    page.wait_for_function(expression, arg=argument, timeout=WITHIN_MS)


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
