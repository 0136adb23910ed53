"""A player at the node: its own payload types, and what becomes of offers that receive nothing."""

import asyncio
import re

import pytest

from tests.media.conftest import ROOM, NodeProcess
from tests.media.light import LightPeer

pytestmark = pytest.mark.timeout(120)
LECTURER, PLAYER = "usr_lecturer", "ses_player"
STAGE = {"stage": f"{LECTURER}/camera", "audio-0": f"{LECTURER}/mic"}
PATH = f"/rooms/{ROOM}/peers/{PLAYER}/play"
OFFER = (
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE a v\r\na=setup:actpass\r\n"
    "a=ice-ufrag:light\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 {print}\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 63\r\na=mid:a\r\na=recvonly\r\na=rtpmap:63 opus/48000/2\r\n{audio}"
    "m=video 9 UDP/TLS/RTP/SAVPF 40 41\r\na=mid:v\r\na=recvonly\r\na=rtpmap:40 H264/90000\r\n"
    "a=fmtp:40 packetization-mode=1;profile-level-id=42e01f\r\na=rtcp-fb:40 nack\r\na=rtpmap:41 rtx/90000\r\n"
    "a=fmtp:41 apt=40\r\n{video}"
)
SEND_TIME = "a=extmap:9 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n"


def test_packets_carry_the_players_own_numbers(node: NodeProcess) -> None:
    async def go() -> tuple[str, list[bytes]]:
        lecturer = await LightPeer(node, LECTURER).publish()
        player = LightPeer(node, PLAYER)
        offer = OFFER.format(print=player.fingerprint, audio="", video=SEND_TIME)
        answer = await player.play(offer)
        await lecturer.stream(1.5)
        received = list(player.rtp)
        for one in (lecturer, player):
            one.close()
        return answer, received

    node.plan(1, STAGE, [LECTURER])
    answer, packets = asyncio.run(go())
    assert "m=audio" in answer and "a=rtpmap:63 opus/48000/2" in answer and "a=extmap:9 " in answer
    assert answer.count("a=sendonly") == 2 and "a=setup:passive" in answer
    by_type = {packet[1] & 0x7F: packet for packet in packets}
    assert set(by_type) == {63, 40}
    sound, picture = by_type[63], by_type[40]
    assert sound[0] == 0x80 and sound[12:] == b"opus", "no extension where none was asked for"
    assert picture[0] == 0x90 and picture[16] >> 4 == 9
    for ssrc in (sound[8:12], picture[8:12]):
        assert f"a=ssrc:{int.from_bytes(ssrc, 'big')} " in answer


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("a=recvonly", "a=sendonly"), "sdp.sections"),
        (("a=recvonly", "a=inactive"), "sdp.sections"),
        (("opus/48000/2", "PCMU/8000"), ""),  # the picture alone
        (("H264/90000", "VP9/90000"), ""),  # the sound alone
        (("a=fingerprint", "a=fingerprints"), "sdp.fingerprint"),
        (("m=video", "m=application"), "sdp.malformed"),
    ],
)
def test_an_offer_is_taken_for_what_it_can_receive(node: NodeProcess, change: tuple[str, str], code: str) -> None:
    node.plan(1, STAGE, [LECTURER])
    offer = OFFER.format(print=":".join(["AB"] * 32), audio="", video="").replace(*change)
    status, answer = node.call("POST", PATH, {"sdp": offer})
    if code:
        assert (status, answer["error"]["code"]) == (422, code)
        return
    assert status == 200
    assert len(re.findall(r"^m=\S+ 0 ", answer["sdp"], re.M)) == 1, "one line is refused"
    assert answer["sdp"].count("a=sendonly") == 1
