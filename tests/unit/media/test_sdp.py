"""SDP: real offers are answered line by line; anything else is one clear error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import AppError, Invalid
from media import sdp
from media.slots import Slot

PRINT = ":".join(["AB"] * 32)
OURS = sdp.Credentials("ours1234", "p" * 32, bytes(32), (("203.0.113.5", 5004),))


def offer(video: str = "96 97", extra: str = "") -> str:
    head = (
        f"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\na=fingerprint:sha-256 {PRINT}\r\n"
    )
    ice = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=setup:actpass\r\n"
    audio = f"m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n{ice}a=extmap:4/sendonly {sdp.MID_URI}\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=ssrc:11 cname:x\r\n"
    one = f"m=video 9 UDP/TLS/RTP/SAVPF {video}\r\nc=IN IP4 0.0.0.0\r\na=mid:%d\r\n{ice}a=extmap:4 {sdp.MID_URI}\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:98 VP8/90000\r\na=rtpmap:100 AV1/90000\r\na=ssrc-group:FID %d %d\r\na=ssrc:%d cname:x\r\na=ssrc:%d cname:x\r\n"
    return head + audio + one % (1, 21, 22, 21, 22) + one % (2, 31, 32, 31, 32) + extra


def test_a_publishing_offer_is_answered_with_the_offers_own_numbers() -> None:
    text, tracks = sdp.answer_up(sdp.read(offer()), OURS)
    assert [(t.kind, t.codec.name, t.codec.payload_type, t.codec.rtx) for t in tracks] == [
        ("mic", "opus", 111, None), ("camera", "H264", 96, 97), ("screen", "H264", 96, 97)]  # fmt: skip
    lines = text.split("\r\n")
    assert "a=ice-lite" in lines and "a=group:BUNDLE 0 1 2" in lines
    assert lines.count("a=setup:passive") == 3 and lines.count("a=recvonly") == 3
    assert sum(line.startswith("a=candidate:") for line in lines) == 2, "candidates only in the first section"
    assert f"a=extmap:4 {sdp.MID_URI}" in lines


def test_without_h264_the_answer_takes_vp8() -> None:
    _, tracks = sdp.answer_up(sdp.read(offer(video="98")), OURS)
    assert tracks[1].codec.name == "VP8"


def test_simulcast_is_taken_layer_by_layer_with_the_extensions_that_name_them() -> None:
    layers = "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\na=simulcast:send q;~h,x;f\r\n"
    layers += (
        f"a=extmap:10 {sdp.RID_URI}\r\na=extmap:11 {sdp.REPAIRED_RID_URI}\r\na=extmap:3 {sdp.TRANSPORT_CC_URI}\r\n"
    )
    layers += "a=extmap:9 urn:3gpp:video-orientation\r\na=rtcp-fb:96 transport-cc\r\na=rtcp-fb:96 nack\r\n"
    text, tracks = sdp.answer_up(sdp.read(offer().replace("a=mid:1\r\n", "a=mid:1\r\n" + layers)), OURS)
    assert tracks[1].section.rids == ("q", "h", "f")
    camera = text.split("m=video")[1]
    assert "a=simulcast:recv q;h;f\r\n" in camera and camera.count("a=rid:") == 3
    assert f"a=extmap:10 {sdp.RID_URI}" in camera and f"a=extmap:3 {sdp.TRANSPORT_CC_URI}" in camera
    assert "video-orientation" not in camera, "what we do not read is not accepted"
    assert "a=rtcp-fb:96 transport-cc" in camera and "a=rtcp-fb:96 goog-remb" not in camera, "only what was offered"
    assert "simulcast" not in text.split("m=video")[2]


def test_an_encoder_that_insists_on_its_dtls_role_gets_the_other() -> None:
    """FFmpeg's WHIP muxer offers `passive`.  Source: RFC 9725 section 4.4.1."""
    text, tracks = sdp.answer_up(sdp.read(offer().replace("actpass", "passive")), OURS)
    assert "a=setup:active" in text and "a=setup:passive" not in text and len(tracks) == 3


def test_the_order_of_an_encoders_lines_does_not_matter() -> None:
    head, audio, *videos = offer().replace("m=", "\0m=").split("\0")
    _, tracks = sdp.answer_up(sdp.read(head + videos[0] + audio), OURS)
    assert [t.kind for t in tracks] == ["camera", "mic"]
    _, tracks = sdp.answer_up(sdp.read(head + audio), OURS)
    assert [t.kind for t in tracks] == ["mic"]


def test_a_mid_that_cannot_be_sent_is_refused() -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        sdp.read(offer().replace("a=mid:1", "a=mid:\ud800"))


def test_streams_are_known_by_their_primary_ssrc() -> None:
    read = sdp.read(offer())
    assert [s.ssrcs for s in read.sections] == [(11,), (21,), (31,)]
    assert read.sections[1].repairs == {22: 21}


def test_the_media_ssrc_comes_before_the_rtx_one() -> None:
    """Chromium takes the first it reads as primary and would drop all video without an error."""
    text = sdp.offer_down([Slot("stage", "video", 4000)], OURS)
    assert text.index("a=ssrc:4000 ") < text.index("a=ssrc:4001 ")
    assert "a=ssrc-group:FID 4000 4001" in text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hello, this is no description at all", "sdp.malformed"),
        ("v=0\r\nm=audio", "sdp.malformed"),
        (offer().replace("a=mid:1", "a=middle:1"), "sdp.malformed"),
        (offer().replace("a=ssrc:21 ", "a=ssrc:twenty "), "sdp.malformed"),
        (offer().replace("a=extmap:4 ", "a=extmap:four "), "sdp.malformed"),
        (offer().replace("m=audio", "m=application"), "sdp.malformed"),
        (offer().replace("sha-256", "sha-1"), "sdp.fingerprint"),
        (offer() + "a=fingerprint:sha-256 " + ":".join(["CD"] * 32), "sdp.fingerprint"),
        (offer().replace(PRINT, "AB:CD"), "sdp.fingerprint"),
        (offer(extra="m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:3\r\n"), "sdp.sections"),
    ],
)
def test_what_is_wrong_is_named(text: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        sdp.answer_up(sdp.read(text), OURS)
    assert caught.value.code == code


@given(
    st.lists(st.tuples(st.integers(0, len(offer()) - 1), st.sampled_from("\0 :=-9a\n")), max_size=12),
    st.integers(0, 3000),
)
def test_a_damaged_offer_is_taken_or_refused_but_never_breaks(edits: list[tuple[int, str]], cut: int) -> None:
    text = list(offer())
    for at, letter in edits:
        text[at] = letter
    try:
        sdp.answer_up(sdp.read("".join(text)[cut if cut < 50 else 0 :]), OURS)
    except AppError as error:
        assert error.code.startswith("sdp.")
