"""The node with real Chromium: publish, watch, switch, refuse, come back."""

import re
from typing import Any

import pytest

from tests.media.conftest import ROOM, NodeProcess, frozen, wait_for

pytestmark = pytest.mark.browser
LECTURER, POINT = "usr_lecturer", "bp_one"
HALL = ["audio-0", "audio-1", "audio-2", "stage", "guest", "screen"]
STAGE = {"stage": f"{LECTURER}/camera", "audio-0": f"{LECTURER}/mic"}


def test_a_slot_passes_from_one_publisher_to_another_without_renegotiation(node: NodeProcess, page: Any) -> None:
    node.plan(1, STAGE, [LECTURER, POINT])
    lecturer, point, hall = page(LECTURER), page(POINT), page("bp_two")
    lecturer.publish("red")
    point.publish("blue", 880)
    hall.watch(HALL)
    hall.wait_colour("stage", "red")
    assert hall.colour("guest") == "nothing"
    node.plan(2, {**STAGE, "guest": f"{POINT}/camera", "audio-1": f"{POINT}/mic"}, [LECTURER, POINT], boost=[POINT])
    hall.wait_colour("guest", "blue")
    assert hall.colour("stage") == "red"
    # The stage itself changes hands: same m-line, same SSRC, other picture.
    froze = []
    for version, (peer, colour) in enumerate([(POINT, "blue"), (LECTURER, "red")] * 3, start=3):

        def change(version: int = version, peer: str = peer, colour: str = colour) -> None:
            node.plan(version, {**STAGE, "stage": f"{peer}/camera"}, [LECTURER, POINT])
            hall.wait_colour("stage", colour)

        froze.append(frozen([hall], "stage", change))
    stats = hall.stats("stage")
    assert stats["framesDecoded"] > 0 and stats["framesDropped"] <= stats["framesDecoded"] * 0.1
    assert sum(froze) <= len(froze) / 2, froze
    assert hall.page.evaluate("down.signalingState") == "stable"


def test_who_is_not_in_the_plan_is_not_forwarded_whatever_it_sends(node: NodeProcess, page: Any) -> None:
    node.plan(1, STAGE, [LECTURER, POINT])
    point, hall = page(POINT), page("bp_two")
    point.publish("blue")
    hall.watch(HALL)
    wait_for(lambda: f"{POINT}/camera" in node.plan(1, STAGE, [LECTURER, POINT])["publications"], "the camera")
    before = hall.stats("audio-0").get("packetsReceived", 0)
    assert before == 0
    assert hall.colour("stage") == hall.colour("guest") == "nothing"
    status, answer = node.call("POST", f"/rooms/{ROOM}/peers/bp_stranger/up", {"sdp": "v=0\r\n" + "x" * 40})
    assert (status, answer["error"]["code"]) == (403, "publish.not_planned")
    node.plan(2, {}, [LECTURER])  # the point may not publish any more: its leg is closed
    wait_for(lambda: node.plan(2, {}, [LECTURER])["publications"] == [], "the camera to go")


def test_a_reloaded_page_takes_its_place_again(node: NodeProcess, page: Any) -> None:
    node.plan(1, STAGE, [LECTURER])
    first, hall = page(LECTURER), page("bp_two")
    first.publish("red")
    hall.watch(HALL)
    hall.wait_colour("stage", "red")
    second = page(LECTURER)
    second.publish("green")
    hall.wait_colour("stage", "green")


def test_a_wrong_fingerprint_never_connects(node: NodeProcess, page: Any) -> None:
    node.plan(1, STAGE, [LECTURER])
    one = page(LECTURER)
    offer = one.page.evaluate("() => offerUp('red', 440)")
    forged = re.sub(r"(a=fingerprint:sha-256 )(\S\S)", lambda m: m[1] + ("00" if m[2] != "00" else "11"), offer)
    answer = node.ok("POST", f"/rooms/{ROOM}/peers/{LECTURER}/up", {"sdp": forged})
    one.page.evaluate("sdp => answered(sdp)", answer["sdp"])
    wait_for(lambda: node.plan(1, STAGE, [LECTURER])["peers"] == [], "the leg to be closed")
    assert node.plan(1, STAGE, [LECTURER])["publications"] == []
