"""The instruments of the class day measure right before they measure the product."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from bench.class_day.browsers import DESK, LECTURER, launch, open_page
from bench.generate import camera, microphone
from bench.tones import PITCHES_HZ, pitch_of_source

pytestmark = pytest.mark.browser
SOURCE = 3
SPOKEN = "Kính chào các đồng chí, điểm cầu chúng tôi xin có ý kiến."

LOOP = """async ({width, height}) => {
  const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: {width, height}});
  const from = new RTCPeerConnection(), to = new RTCPeerConnection();
  from.onicecandidate = (e) => e.candidate && to.addIceCandidate(e.candidate);
  to.onicecandidate = (e) => e.candidate && from.addIceCandidate(e.candidate);
  const shown = document.createElement("video");
  shown.id = "far"; shown.muted = true; shown.autoplay = true;
  document.body.append(shown);
  to.ontrack = (e) => {
    const element = e.track.kind === "video" ? shown : document.body.appendChild(document.createElement("audio"));
    element.srcObject = new MediaStream([e.track]);
    element.play();
  };
  for (const track of stream.getTracks()) {
    const sender = from.addTransceiver(track, {direction: "sendonly", streams: [stream],
      sendEncodings: track.kind === "video" ? [{maxBitrate: 250000}] : undefined});
    if (track.kind !== "video") continue;
    const codecs = RTCRtpReceiver.getCapabilities("video").codecs;
    sender.setCodecPreferences(codecs.filter((c) => /h264/i.test(c.mimeType)));
  }
  classDay.watch("#far");
  await from.setLocalDescription(); await to.setRemoteDescription(from.localDescription);
  await to.setLocalDescription(); await from.setRemoteDescription(to.localDescription);
}"""


@pytest.fixture(scope="module")
def playing() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playing: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder: Path = tmp_path_factory.mktemp("devices")
    camera(folder / "p.y4m", SOURCE, seconds=4)
    microphone(folder / "p.wav", SOURCE, SPOKEN, seconds=4)
    browser = launch(playing, (folder / "p.y4m", folder / "p.wav"))
    yield browser
    browser.close()


def through_a_connection(page: Page, pitches: list[int]) -> dict[str, Any]:
    page.route("http://localhost/", lambda route: route.fulfill(body="<!doctype html><body>", content_type="text/html"))
    page.goto("http://localhost/")
    page.evaluate(LOOP, {"width": 640, "height": 360})
    page.evaluate("p => classDay.listenFor(p)", pitches)
    page.wait_for_function("classDay.seen('#far').samples.length > 45", timeout=20_000)
    page.wait_for_function("Object.values(classDay.heard()).some((db) => db > 25)", timeout=20_000)
    seen = page.evaluate("classDay.seen('#far')")
    return {**seen, "heard": page.evaluate("classDay.heard()"), "energy": page.evaluate("classDay.soundEnergy()")}


def test_a_points_fake_camera_and_microphone_arrive_through_h264_and_opus(browser: Browser) -> None:
    page = open_page(browser, DESK, watching=True)
    got = through_a_connection(page, [pitch_of_source(SOURCE), pitch_of_source(SOURCE + 1)])
    page.context.close()
    assert {sample[1] for sample in got["samples"]} == {SOURCE}
    assert len({sample[2] for sample in got["samples"]}) > 20
    assert got["bad"] <= 3
    assert got["energy"] > 0
    heard = {int(pitch): level for pitch, level in got["heard"].items()}
    assert heard[pitch_of_source(SOURCE)] > heard[pitch_of_source(SOURCE + 1)] + 10


def test_the_lecturers_clock_tells_the_delay(browser: Browser) -> None:
    page = open_page(browser, DESK, watching=True, clock=True)
    got = through_a_connection(page, list(PITCHES_HZ))
    page.context.close()
    assert {sample[1] for sample in got["samples"]} == {LECTURER}
    assert got["bad"] <= 3
    delays = [(sample[0] - sample[2]) % 2**32 for sample in got["samples"]]
    assert 0 < median(delays) < 1500  # a code misread by one bit would be seconds or weeks away
