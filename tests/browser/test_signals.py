"""How good a line is and who speaks, as a lecturer and a hall see it in real Chromium."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from app.auth import DEVICE_COOKIE
from tests.browser.live_class import Class, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(200)]
WITHIN_MS = 30_000  # the machine may be busy
GOOD = {"loss": 0.0, "rtt_ms": 40, "jitter_ms": 3, "layer": 360, "bitrate_kbps": 700, "audio_only": False}
POOR = {**GOOD, "loss": 0.2, "rtt_ms": 400}
SOUND = {**POOR, "layer": 0, "audio_only": True}


def lines(live: Class) -> None:
    """One good line, one poor, one that carries sound only; the first point speaks."""
    for point, figures in zip(live.points, (GOOD, POOR, SOUND), strict=True):
        live.says("quality", point, leg="down", **figures)
    live.says("speaking", live.points[0], speaking=True)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    one = Class(tmp_path_factory.mktemp("signals"))
    yield one
    one.stop()


def console(browser: Browser, live: Class, width: int, **how: Any) -> Page:
    page = browser.new_context(viewport={"width": width, "height": 800}, locale="vi-VN", **how).new_page()
    page.set_default_timeout(WITHIN_MS)
    sign_in(page, live, "tochuc")
    page.goto(f"{live.url}/lectures/{live.there['lecture']}/console")
    page.wait_for_selector(".point")
    return page


def keep(page: Page, name: str) -> None:
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("name", "width", "how"),
    [("1280", 1280, {}), ("1280-dark", 1280, {"color_scheme": "dark"}), ("390", 390, {"has_touch": True})],
)
def test_the_console_shows_each_line_and_who_speaks(
    browser: Browser, live: Class, name: str, width: int, how: dict[str, Any]
) -> None:
    page = console(browser, live, width, **how)
    lines(live)
    rows = [page.locator(f'[data-point-row="{point}"]') for point in live.points]
    for row, level in zip(rows, ("good", "poor", "sound"), strict=True):
        expect(row.locator(".signal")).to_have_attribute("data-level", level, timeout=WITHIN_MS)
    words = "Đường truyền quá yếu, chỉ giữ tiếng. Mất gói 20 %, độ trễ 400 ms."
    expect(rows[2].get_by_role("button", name=words)).to_be_visible()
    expect(rows[2].locator(".point-state")).to_have_text("Chỉ có tiếng")
    expect(rows[0].locator(".point-speaking")).to_have_text("Đang nói")
    assert rows[0].get_attribute("data-speaking") is not None and rows[1].get_attribute("data-speaking") is None
    expect(rows[2].locator(".point-line")).to_be_hidden()
    rows[2].locator(".signal").click()
    expect(rows[2].locator(".point-line")).to_have_text(words)
    expect(rows[2].locator(".point-line")).to_be_visible()
    assert rows[2].locator(".signal").get_attribute("aria-expanded") == "true"
    box = rows[2].locator(".signal").bounding_box()
    assert box and min(box["width"], box["height"]) >= 44, "large enough for a finger"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    keep(page, f"console-{name}")
    rows[2].locator(".signal").click()
    expect(rows[2].locator(".point-line")).to_be_hidden()
    page.context.close()


def test_the_hall_says_calmly_that_only_its_sound_is_kept(browser: Browser, live: Class) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="vi-VN")
    context.add_cookies([{"name": DEVICE_COOKIE, "value": live.there["device"], "url": live.url}])
    page = context.new_page()
    page.goto(live.url + "/kiosk")
    page.wait_for_selector("#room:not([hidden])", timeout=WITHIN_MS)
    assert page.locator("#weak").is_hidden()
    live.says("quality", live.points[1], leg="down", **SOUND)
    expect(page.locator("#weak")).to_have_text("Đường truyền yếu, chỉ giữ tiếng.", timeout=WITHIN_MS)
    expect(page.locator("#weak")).to_be_visible(timeout=WITHIN_MS)
    keep(page, "kiosk")
    for _ in range(3):
        live.says("quality", live.points[1], leg="down", **GOOD)
    expect(page.locator("#weak")).to_be_hidden(timeout=WITHIN_MS)
    context.close()
