"""Chromium and Firefox in one class: both publish, both watch, over UDP and over TCP.

Debian's Firefox has no H.264 (its decoder is a download), Chromium prefers it: so the two codecs meet here as they
do in a class.
"""

from typing import Any

import pytest

from tests.media.conftest import ROOM, NodeProcess, frozen, wait_for

pytestmark = pytest.mark.browser
LECTURER, POINT = "usr_lecturer", "bp_one"
HALL = ["audio-0", "audio-1", "audio-2", "stage", "guest", "screen"]
BOTH = {
    "stage": f"{LECTURER}/camera",
    "audio-0": f"{LECTURER}/mic",
    "guest": f"{POINT}/camera",
    "audio-1": f"{POINT}/mic",
}


def heard(viewer: Any, slot: str) -> bool:
    return bool(viewer.stats(slot).get("totalAudioEnergy", 0) > 0)


def test_h264_of_chromium_and_vp8_of_firefox_meet_in_one_class(node: NodeProcess, page: Any, firefox_page: Any) -> None:
    node.plan(1, BOTH, [LECTURER, POINT])
    lecturer, hall = page(LECTURER), page("bp_two")
    point, fox_hall = firefox_page(POINT), firefox_page("bp_three")
    lecturer.publish("red")
    point.publish("blue", 880)
    hall.watch(HALL)
    fox_hall.watch(HALL)
    hall.wait_colour("stage", "red")
    hall.wait_colour("guest", "blue")
    assert hall.stats("stage")["codec"] == "video/H264"
    assert hall.stats("guest")["codec"] == "video/VP8"
    wait_for(lambda: heard(hall, "audio-0") and heard(hall, "audio-1"), "sound of both browsers in Chromium")
    # Firefox cannot decode the stage: it shows nothing there, and loses nothing else by it.
    fox_hall.wait_colour("guest", "blue")
    wait_for(lambda: heard(fox_hall, "audio-0"), "the lecturer's sound in Firefox")
    keys = lecturer.sends("video")["keyFramesEncoded"]
    frames = fox_hall.stats("guest")["framesDecoded"]
    more = 20

    def two_thirds_of_a_second() -> None:
        wait_for(lambda: fox_hall.stats("guest")["framesDecoded"] > frames + more, "more pictures in Firefox")

    froze = []
    for _ in range(4):
        froze.append(frozen([hall], "stage", two_thirds_of_a_second))
        more += 20
    assert fox_hall.colour("stage") == "nothing"
    answers = [viewer.page.evaluate("() => takesH264()") for viewer in (hall, fox_hall)]
    assert answers == [True, False], "by which the pages tell people to take another browser"
    assert fox_hall.stats("stage").get("framesDecoded", 0) == 0
    # ... nor does it make the lecturer send key frames that nobody can use.
    assert lecturer.sends("video")["keyFramesEncoded"] <= keys + 1
    assert sum(froze) <= len(froze) / 2, froze


def test_a_slot_passes_from_chromium_to_firefox_and_back_without_a_freeze(
    node: NodeProcess, page: Any, firefox_page: Any
) -> None:
    peers = [LECTURER, POINT]
    node.plan(1, {"stage": f"{LECTURER}/camera", "audio-0": f"{LECTURER}/mic"}, peers)
    lecturer, hall = page(LECTURER), page("bp_two")
    point, fox_hall = firefox_page(POINT), firefox_page("bp_three")
    lecturer.publish("red", codec="VP8")
    point.publish("blue", 880)
    viewers = [hall, fox_hall]
    for viewer in viewers:
        viewer.watch(HALL)
        viewer.wait_colour("stage", "red")
    wait_for(lambda: f"{POINT}/camera" in node.plan(1, {}, peers)["publications"], "the point's camera")
    froze = []
    for version, (peer, colour) in enumerate([(POINT, "blue"), (LECTURER, "red")] * 3, start=2):

        def change(version: int = version, peer: str = peer, colour: str = colour) -> None:
            node.plan(version, {"stage": f"{peer}/camera", "audio-0": f"{peer}/mic"}, peers)
            for viewer in viewers:
                viewer.wait_colour("stage", colour)

        froze.append(frozen(viewers, "stage", change))
    assert sum(froze) <= len(froze) / 2, froze
    for viewer in viewers:
        seen = viewer.stats("stage")
        assert seen["codec"] == "video/VP8"
        assert seen["framesDropped"] <= seen["framesDecoded"] * 0.1
        assert seen["packetsLost"] == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_both_browsers_publish_and_watch_over(transport: str, node: NodeProcess, page: Any, firefox_page: Any) -> None:
    node.plan(1, BOTH, [LECTURER, POINT])
    chromium, fox = page(LECTURER, transport), firefox_page(POINT, transport)
    chromium.publish("red", codec="VP8")
    fox.publish("blue", 880)
    for viewer in (chromium, fox):
        viewer.watch(HALL)
        viewer.wait_colour("stage", "red")
        viewer.wait_colour("guest", "blue")
        wait_for(lambda v=viewer: heard(v, "audio-0") and heard(v, "audio-1"), "the sound of both")
        assert viewer.protocol("up") == transport
        assert viewer.protocol("down") == transport


def test_three_sizes_of_firefox_reach_each_viewer_as_it_asks(node: NodeProcess, page: Any, firefox_page: Any) -> None:
    node.plan(1, {"stage": f"{POINT}/camera", "audio-0": f"{POINT}/mic"}, [POINT], boost=[POINT])
    point, hall, phone = firefox_page(POINT), page("bp_two"), page("usr_phone")
    point.publish("blue", 880, simulcast=True)
    for viewer in (hall, phone):
        viewer.watch(["stage", "audio-0"])
        viewer.wait_height("stage", 720, 720, limit_s=60)  # a sender that takes its line for poor begins small
    for wanted, least, most in ((200, 100, 200), (400, 300, 400), (1080, 720, 720)):
        node.ok("PUT", f"/rooms/{ROOM}/peers/usr_phone/sizes", {"heights": {"stage": wanted}})
        phone.wait_height("stage", least, most)
        assert phone.colour("stage") == hall.colour("stage") == "blue"
        assert hall.stats("stage")["frameHeight"] == 720
    assert phone.stats("stage")["codec"] == "video/VP8"
    sent = {s["rid"] for s in point.page.evaluate("() => outbound()") if s.get("rid") and s.get("framesSent")}
    assert sent == {"q", "h", "f"}
