"""A viewer whose machine gets another address in the middle of the class: real Chromium in a network of its own."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from bench.badnet.link import Link
from tests.flows.sockets import Server, until
from tests.flows.test_socket_media import FLAGS, OPEN, REMEMBER, WITHIN_MS, ask, frames_come

pytestmark = [pytest.mark.browser, pytest.mark.timeout(200)]


@pytest.fixture
def link() -> Iterator[Link]:
    with Link(limit_s=180) as one:
        yield one


@pytest.fixture
def server(link: Link, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("TEST_HOST", "0.0.0.0")
    monkeypatch.setenv("MEDIA_ANNOUNCE", link.near.address)
    with link.near.entered():
        one = Server("threading", tmp_path, node="media")
        one.start()
        yield one
        one.stop()


def opened(browser: Browser, url: str, **who: str) -> Page:
    page = browser.new_context(permissions=["camera", "microphone"]).new_page()
    page.add_init_script(REMEMBER)
    page.goto(url + "/page")
    page.evaluate(OPEN, who)
    page.wait_for_function("media_statuses.at(-1) === 'connected'", timeout=WITHIN_MS)
    return page


def test_a_viewer_goes_on_at_another_address_without_a_handshake(link: Link, server: Server, tmp_path: Path) -> None:
    lecture = server.lecture()
    with sync_playwright() as playwright:
        halls = {
            name: playwright.chromium.launch(
                executable_path=place.program(tmp_path / name, "/usr/bin/chromium"), args=FLAGS
            )
            for name, place in (("near", link.near), ("far", link.far))
        }
        lecturer = opened(halls["near"], server.url, lecture=lecture, me="usr_lecturer", role="lecturer")
        far_url = f"http://{link.near.address}:{server.port}"
        viewer = opened(halls["far"], far_url, lecture=lecture, me="usr_visitor", role="observer")
        ask(lecturer, "lecture.start")
        frames_come(viewer, "stage")
        before: list[dict[str, Any]] = viewer.evaluate("transports()")
        started = time.monotonic()
        move(link)
        until(lambda: viewer.evaluate("transports()")[0]["name"] != before[0]["name"], within_s=60)
        frames_come(viewer, "stage")
        print(f"frames again after another address: {time.monotonic() - started:.1f} s")
        stats = viewer.evaluate("media.stats()")["down"]
        assert (stats["negotiations"], stats["state"]) == (1, "connected"), stats
        assert stats["restarts"] >= 1
        after = viewer.evaluate("transports()")
        assert [(one["dtls"], one["certificate"]) for one in after] == [("connected", before[0]["certificate"])]
        for browser in halls.values():
            browser.close()


def move(link: Link) -> None:
    """Take the far side's address away and give it another."""
    old = link.far.address
    device = next(
        line.split()[1] for line in link.far.run("ip", "-o", "-4", "addr").splitlines() if f" {old}/" in f"{line} "
    )
    found = next(
        word for word in link.far.run("ip", "-o", "-4", "addr", "show", device).split() if word.startswith(old)
    )
    head, length = old.rsplit(".", 1)[0], found.partition("/")[2] or "32"
    link.far.run("ip", "addr", "del", found, "dev", device)
    link.far.run("ip", "addr", "add", f"{head}.77/{length}", "dev", device)
