"""Simulcast in real Chromium: each viewer gets the layer it can use, and nobody notices the change."""

from typing import Any

import pytest

from tests.media.conftest import ROOM, NodeProcess, wait_for

pytestmark = pytest.mark.browser
LECTURER = "usr_lecturer"
COUNT_STALLS = """
() => {
  window.stalls = 0;
  let sent = 0, at = performance.now();
  setInterval(async () => {
    const layers = await outbound(), now = performance.now();
    const count = layers.reduce((sum, s) => sum + (s.rid === "f" ? s.framesSent || 0 : 0), 0);
    if (count !== sent) {
      stalls += now - at > 140;  // a viewer's freeze is 183 ms at 30 frames a second, read here every 40 ms
      [sent, at] = [count, now];
    }
  }, 40);
}
"""
# Starting, a sender on a busy machine may take its line for a poor one and leave the largest layer out for some 9 s.
ALL_LAYERS = """
async () => {
  const layers = (await outbound()).filter((s) => s.rid);
  return layers.length === 3 && layers.every((s) => s.targetBitrate && s.qualityLimitationReason !== "bandwidth");
}
"""
STAGE = {"stage": f"{LECTURER}/camera", "audio-0": f"{LECTURER}/mic", "tile-0": f"{LECTURER}/camera"}


def test_each_viewer_gets_the_size_it_asks_for_without_a_freeze(node: NodeProcess, page: Any) -> None:
    node.plan(1, STAGE, [LECTURER], boost=[LECTURER])
    lecturer, hall, phone = page(LECTURER), page("bp_hall"), page("usr_phone")
    lecturer.publish("red", simulcast=True)
    hall.watch(["stage", "audio-0", "tile-0"])
    phone.watch(["stage", "audio-0"])
    for viewer in (hall, phone):
        viewer.wait_height("stage", 720, 720)
    hall.wait_height("tile-0", 100, 200)
    lecturer.page.wait_for_function(ALL_LAYERS, timeout=30_000)
    for viewer in (hall, phone):
        viewer.wait_height("stage", 720, 720)
    lecturer.page.evaluate(COUNT_STALLS)
    # Until its first picture is there a browser asks every 200 ms, however long that takes on a busy machine.
    joined = {viewer: viewer.stats("stage") for viewer in (hall, phone)}
    for wanted, least, most in ((200, 100, 200), (400, 300, 400), (1080, 720, 720), (200, 100, 200), (1080, 720, 720)):
        node.ok("PUT", f"/rooms/{ROOM}/peers/usr_phone/sizes", {"heights": {"stage": wanted}})
        phone.wait_height("stage", least, most)
        assert phone.colour("stage") == hall.colour("stage") == "red"
    before = phone.stats("stage")["framesDecoded"]
    node.ok("PUT", f"/rooms/{ROOM}/peers/usr_phone/sizes", {"heights": {"stage": 0}})
    phone.page.wait_for_timeout(800)
    paused = phone.stats("stage")["framesDecoded"]
    phone.page.wait_for_timeout(800)
    assert phone.stats("stage")["framesDecoded"] == paused >= before, "a window that shows nothing gets nothing"
    node.ok("PUT", f"/rooms/{ROOM}/peers/usr_phone/sizes", {"heights": {"stage": 1080}})
    wait_for(lambda: phone.stats("stage")["framesDecoded"] > paused + 5, "pictures")
    stalls = lecturer.page.evaluate("stalls")  # of a busy machine's encoder: what it does not send nobody can see
    for viewer in (hall, phone):
        stats = viewer.stats("stage")
        frozen = stats["freezeCount"] - joined[viewer]["freezeCount"]
        # A busy machine's decoder may stop once or twice by itself; a change that is seen stops it five times.
        assert frozen <= stalls + (viewer is phone) + 2, "only the pause that was asked for may count"
        asked = stats.get("pliCount", 0) - joined[viewer].get("pliCount", 0)
        assert asked <= 6 + 3 * stalls, stats  # not more than one for each of the six changes


def test_a_layer_the_publisher_switches_off_is_replaced_by_the_next(node: NodeProcess, page: Any) -> None:
    node.plan(1, STAGE, [LECTURER], boost=[LECTURER])
    lecturer, hall = page(LECTURER), page("bp_hall")
    lecturer.publish("red", simulcast=True)
    hall.watch(["stage", "audio-0"])
    hall.wait_height("stage", 720, 720)
    lecturer.page.evaluate("layers(['q'])")
    hall.wait_height("stage", 100, 200)
    lecturer.page.wait_for_timeout(6000)  # the node forgets a stream after 5 s; the browser does not name it again
    lecturer.page.evaluate("layers(['q', 'h', 'f'])")
    hall.wait_height("stage", 720, 720)


def test_the_publisher_learns_from_arrivals_how_much_its_line_carries(node: NodeProcess, page: Any) -> None:
    node.plan(1, STAGE, [LECTURER], boost=[LECTURER])
    lecturer, hall = page(LECTURER), page("bp_hall")
    lecturer.publish("red", simulcast=True)
    hall.watch(["stage"])
    hall.wait_height("stage", 720, 720)
    sent = lecturer.page.evaluate("outbound()")
    assert {s["rid"] for s in sent if s.get("framesSent")} == {"q", "h", "f"}
    assert all(
        "transport-wide-cc" in answer or "transport-cc" in answer
        for answer in [lecturer.page.evaluate("up.remoteDescription.sdp")]
    )
    # A browser begins at 300 kbit/s and rises above three layers' sum only with news of its packets' arrivals.
    enough = "async () => [...(await up.getStats()).values()].some((s) => s.availableOutgoingBitrate > 1_500_000)"
    wait_for(lambda: lecturer.page.evaluate(enough), "the estimate to rise", limit_s=40)
