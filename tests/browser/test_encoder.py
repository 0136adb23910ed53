"""FFmpeg's WHIP muxer sends for a hall, a browser plays by WHEP; the organiser makes the keys and takes one back."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator

import imageio_ffmpeg
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.live_class import Class, sign_in
from tests.flows.sockets import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
WITHIN_MS = 30_000
DATABASE = "diemcau.sqlite3"
FPS, STREAM_S, PATIENCE_S = 25, 8, 60
ENCODER = (
    f"-hide_banner -loglevel error -re -f lavfi -i testsrc2=size=320x180:rate={FPS} "
    "-f lavfi -i sine=440:sample_rate=48000 -c:v libx264 -profile:v baseline -preset ultrafast -tune zerolatency "
    f"-g {FPS} -bf 0 -pix_fmt yuv420p -c:a libopus -ac 2"
).split()
PLAY = """async ([url, key]) => {
  window.down = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  for (const kind of ["video", "audio"]) down.addTransceiver(kind, { direction: "recvonly" });
  await down.setLocalDescription();
  await new Promise((done) => { if (down.iceGatheringState === "complete") done();
                                down.onicegatheringstatechange = () => down.iceGatheringState === "complete" && done(); });
  const answer = await fetch(url, { method: "POST", body: down.localDescription.sdp,
                                    headers: { "Content-Type": "application/sdp", Authorization: `Bearer ${key}` } });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  await down.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  return answer.headers.get("Location");
}"""
PLAYED = """async () => [...(await down.getStats()).values()].filter((s) => s.type === "inbound-rtp")
  .reduce((all, s) => ({ ...all, [s.kind]: s.kind === "video" ? s.framesDecoded : s.packetsReceived }), { video: 0, audio: 0 })"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    one = Class(tmp_path_factory.mktemp("encoder"), node="media", TEST_FLOOR="2", MEDIA_HOST="127.0.0.1")
    yield one
    one.stop()


def encoder(url: str, key: str, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [imageio_ffmpeg.get_ffmpeg_exe(), *ENCODER, *more, "-f", "whip", "-authorization", key, url],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def make_key(page: Page, point: str, purpose: str) -> tuple[str, str]:
    """Make a stream's key on the lecture's page.  Returns its address and the key."""
    page.select_option("#stream-point", point)
    page.select_option("#stream-purpose", purpose)
    page.click("form:has(#stream-point) button[type=submit]")
    page.wait_for_selector("#stream-key")
    return page.input_value("#stream-url"), page.input_value("#stream-key")


def journal(live: Class) -> list[str]:
    with sqlite3.connect(live.folder / DATABASE) as database:
        query = "select type from journal where lecture_id = ? and type like 'encoder.%' order by seq"
        return [row[0] for row in database.execute(query, (live.there["lecture"],))]


def keep(page: Page, name: str) -> None:
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_an_encoder_is_seen_by_a_player_logged_and_cut_off_when_its_key_is_revoked(
    browser: Browser, live: Class
) -> None:
    page = browser.new_context(locale="vi-VN", viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(WITHIN_MS)
    sign_in(page, live, "tochuc")
    lecture = f"{live.url}/lectures/{live.there['lecture']}"
    page.goto(lecture)
    whep = make_key(page, live.points[2], "playback")
    whip = make_key(page, live.points[2], "ingest")
    keep(page, "keys-1280")

    player = browser.new_context().new_page()
    player.goto(f"{live.url}/login")  # a page of the same origin: players are programs, not other sites
    player.evaluate(PLAY, list(whep))
    sending = encoder(*whip, "-t", str(STREAM_S))
    try:
        until(lambda: min(player.evaluate(PLAYED).values()) > 100, within_s=PATIENCE_S)
        until(lambda: journal(live) == ["encoder.started"], within_s=STREAM_S / 4)
        _, said = sending.communicate(timeout=PATIENCE_S)
        assert sending.returncode == 0, said
    finally:
        sending.kill()
        sending.communicate(timeout=PATIENCE_S)
    until(lambda: journal(live) == ["encoder.started", "encoder.stopped"], within_s=PATIENCE_S)

    again = encoder(*whip, "-t", str(2 * PATIENCE_S))
    try:
        until(lambda: journal(live)[2:] == ["encoder.started"], within_s=PATIENCE_S)
        page.goto(lecture)
        row = page.locator("*:has(> form[action*='/revoke'])").filter(has_text="WHIP")
        expect(row.locator(".pill-ok")).to_be_visible()
        keep(page, "keys-connected")
        row.locator("form button").click()
        until(lambda: journal(live)[2:] == ["encoder.started", "encoder.stopped"], within_s=PATIENCE_S / 2)
        before = player.evaluate(PLAYED)["video"]
        player.wait_for_timeout(1500)
        assert player.evaluate(PLAYED)["video"] == before, "what used the key has stopped"
        refused = encoder(*whip, "-t", "1")
        _, said = refused.communicate(timeout=PATIENCE_S)
        assert refused.returncode != 0 and "401" in said, said
    finally:
        again.kill()
        again.communicate(timeout=PATIENCE_S)
    for width, scheme in ((390, "light"), (1280, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        keep(page, f"keys-{width}-{scheme}")
