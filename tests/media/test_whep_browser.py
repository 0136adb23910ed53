"""A player in real Chromium at the node: the program, its key frames, and a change of network."""

import re
from typing import Any

import pytest

from tests.media.conftest import ROOM, NodeProcess, frozen, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
LECTURER, POINT, PLAYER = "usr_lecturer", "bp_one", "ses_player"
STAGE = {"stage": f"{LECTURER}/camera", "audio-0": f"{LECTURER}/mic"}
GUEST = {**STAGE, "guest": f"{POINT}/camera", "audio-1": f"{POINT}/mic"}
PATH = f"/rooms/{ROOM}/peers/{PLAYER}/play"
PLAY = """async () => {
  down = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  for (const kind of ["video", "audio"]) down.addTransceiver(kind, { direction: "recvonly" });
  down.ontrack = (e) => {
    const el = Object.assign(document.createElement(e.track.kind), { autoplay: true, muted: true });
    el.srcObject = new MediaStream([e.track]);
    document.body.append(el); el.play().catch(() => 0);
    videos[e.track.kind] = el; tracks[e.track.kind] = e;
  };
  await down.setLocalDescription();
  return down.localDescription.sdp;
}"""


def play(page: Any, node: NodeProcess) -> str:
    """Let a page play the program as a WHEP client does.  Returns the answer."""
    answer = node.ok("POST", PATH, {"sdp": page.page.evaluate(PLAY)})["sdp"]
    page.page.evaluate("sdp => down.setRemoteDescription({ type: 'answer', sdp })", answer)
    return str(answer)


def test_a_player_sees_and_hears_the_program_follow_the_floor(node: NodeProcess, page: Any) -> None:
    node.plan(1, STAGE, [LECTURER, POINT])
    lecturer, point, player = page(LECTURER), page(POINT), page(PLAYER)
    lecturer.publish("red")
    point.publish("blue", 880)
    play(player, node)
    player.wait_colour("video", "red")
    wait_for(lambda: player.stats("audio").get("packetsReceived", 0) > 20, "sound")
    froze = []
    for version, (plan, colour) in enumerate([(GUEST, "blue"), (STAGE, "red")] * 2, start=2):

        def change(version: int = version, plan: dict[str, str] = plan, colour: str = colour) -> None:
            node.plan(version, plan, [LECTURER, POINT], boost=[POINT] if plan is GUEST else [])
            player.wait_colour("video", colour)

        froze.append(frozen([player], "video", change))
    assert sum(froze) <= len(froze) / 2, froze
    assert player.page.evaluate("down.signalingState") == "stable"
    assert PLAYER in node.plan(5, STAGE, [LECTURER, POINT])["peers"]
    node.ok("DELETE", PATH)
    wait_for(lambda: PLAYER not in node.plan(5, STAGE, [LECTURER, POINT])["peers"], "the player to be gone")
    player.page.wait_for_function("down.connectionState !== 'connected'", timeout=20_000)


def test_ice_restarts_on_the_leg_of_a_player(node: NodeProcess, page: Any) -> None:
    node.plan(1, STAGE, [LECTURER])
    lecturer, player = page(LECTURER), page(PLAYER)
    lecturer.publish("red")
    answer = play(player, node)
    player.wait_colour("video", "red")
    offer = player.page.evaluate(
        "async () => { await down.setLocalDescription(await down.createOffer({ iceRestart: true })); return down.localDescription.sdp; }"
    )
    ours = re.search(r"a=ice-ufrag:(\S+)", offer)
    assert ours
    ice = node.ok("PATCH", PATH, {"ufrag": ours[1]})
    renewed = re.sub(r"a=ice-ufrag:\S+", f"a=ice-ufrag:{ice['ufrag']}", answer)
    renewed = re.sub(r"a=ice-pwd:\S+", f"a=ice-pwd:{ice['pwd']}", renewed)
    player.page.evaluate("sdp => down.setRemoteDescription({ type: 'answer', sdp })", renewed)
    before = player.stats("video")["framesDecoded"]
    wait_for(lambda: player.stats("video")["framesDecoded"] > before + 30, "pictures")
    assert player.page.evaluate("down.connectionState") == "connected"
