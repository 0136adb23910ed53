"""A class over the sockets, in each of the three async modes, with the real client library."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest
import urllib3
from socketio.exceptions import ConnectionError

from tests.fake_node import SDP
from tests.flows.sockets import TURN_URL, Page, Server, code, token, until

MODES = ("eventlet", "gevent", "threading")


@pytest.fixture(scope="module", params=MODES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server(request.param, tmp_path_factory.mktemp(request.param))
    one.start()
    yield one
    one.stop()
    assert one.faults() == []


@pytest.fixture
def page(server: Server) -> Iterator[Callable[..., Page]]:
    made: list[Page] = []

    def make(**how: object) -> Page:
        made.append(Page(server, **how))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def lecture(server: Server) -> str:
    return server.lecture()


def test_a_class_runs_over_the_sockets(server: Server, page: Callable[..., Page], lecture: str) -> None:
    lecturer = page().join(lecture, "usr_lecturer", "lecturer")
    point = page().join(lecture, "bp_a", "point")
    assert lecturer.ack and lecturer.ack["you"] == "usr_lecturer"
    assert lecturer.ack["state"]["phase"] == "lobby"
    assert lecturer.ack["labels"]["bp_main"] == "Tên bp_main"
    assert lecturer.ack["media"]["publish"] == ["mic", "camera", "screen"]
    assert lecturer.ack["media"]["epoch"].startswith("epoch_")
    assert lecturer.saw("participant.joined")["event"]["participant"] == "bp_a"

    assert lecturer.ask("lecture.start") == {"ok": True}
    assert point.ask("floor.request") == {"ok": True}
    assert lecturer.saw("floor.requested")["event"]["participant"] == "bp_a"
    assert lecturer.ask("floor.grant", {"participant": "bp_a"}) == {"ok": True}
    assert point.saw("floor.granted")["event"]["participant"] == "bp_a"
    until(lambda: "bp_a/camera" in [e["event"].get("publication") for e in point.events])
    assert point.ask("floor.release") == {"ok": True}

    opened = lecturer.ask("poll.open", {"question": "Đã rõ\x00 chưa?", "options": ["Rõ\x01", "Chưa"]})
    assert point.saw("poll.opened")["labels"][opened["poll"]]["options"] == ["a", "b"]
    assert lecturer.ask("poll.close", {"poll": opened["poll"]})["ok"]
    assert lecturer.ask("lecture.end") == {"ok": True}
    point.saw("lecture.ended")

    numbers = [e["seq"] for e in point.events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "no number is missing, none comes twice"


def test_the_node_says_what_a_slot_shows_and_everybody_hears_of_it(page: Callable[..., Page], lecture: str) -> None:
    visitor = page().join(lecture, "usr_visitor", "observer")
    assert visitor.ack and visitor.ack["media"]["publish"] == []
    page().join(lecture, "usr_lecturer", "lecturer").ask("lecture.start")
    shown = until(lambda: [e for e in visitor.events if e["event"].get("slot") == "stage"])[0]
    assert (shown["event"]["publication"], shown["event"]["latency_ms"]) == ("usr_lecturer/camera", 7)


def test_the_ways_past_a_firewall_come_with_the_join_and_again_when_asked(
    page: Callable[..., Page], lecture: str
) -> None:
    point = page().join(lecture, "bp_a", "point")
    assert point.ack is not None
    for ice in (point.ack["media"]["ice"], point.ask("media.ice")):
        (server,) = ice["servers"]
        assert server["urls"] == [TURN_URL]
        assert server["username"].endswith(":bp_a") and server["credential"]


def test_both_legs_are_negotiated_through_the_socket(page: Callable[..., Page], lecture: str) -> None:
    point = page().join(lecture, "bp_a", "point")
    assert point.ask("media.up", {"sdp": SDP}) == {"ok": True, "sdp": SDP}
    offer = point.ask("media.down")
    assert offer["slots"] == ["audio-0", "audio-1", "audio-2", "stage", "guest", "screen"]
    assert point.ask("media.down_answer", {"leg": offer["leg"], "sdp": SDP}) == {"ok": True}
    assert code(point.ask("media.down_answer", {"leg": "leg_of_before", "sdp": SDP})) == "media.replaced"
    assert code(point.ask("media.up", {"sdp": "no session description"})) == "media.invalid"
    lecturer = page().join(lecture, "usr_lecturer", "lecturer")
    assert "tile-7" in lecturer.ask("media.down")["slots"]


def test_who_comes_back_after_a_lost_line_was_never_gone(
    server: Server, page: Callable[..., Page], lecture: str
) -> None:
    lecturer = page().join(lecture, "usr_lecturer", "lecturer")
    lost = page().join(lecture, "bp_a", "point")
    lost.drop()
    lecturer.ask("lecture.start")
    lecturer.ask("poll.open", {"question": "?", "options": ["1", "2"]})
    back = page().join(lecture, "bp_a", "point")
    whole = lecturer.ask("room.snapshot")
    assert back.ack
    assert back.ack["state"]["poll"] == whole["state"]["poll"]
    assert back.ack["state"]["phase"] == "live"
    assert back.ack["labels"].keys() >= {"bp_a", "usr_lecturer", whole["state"]["poll"]["poll"]}
    kinds = [(row["type"], row.get("participant")) for row in server.journal(lecture)]
    assert kinds.count(("participant.joined", "bp_a")) == 1
    assert ("participant.left", "bp_a") not in kinds


def test_the_same_participant_elsewhere_ends_the_first_connection(
    server: Server, page: Callable[..., Page], lecture: str
) -> None:
    first = page().join(lecture, "bp_a", "point")
    second = page().join(lecture, "bp_a", "point")
    assert first.gone.wait(5)
    assert first.others == [("room.replaced", {})]
    assert second.ask("point.report", {"camera": "ok", "microphone": "silent"}) == {"ok": True}
    kinds = [row["type"] for row in server.journal(lecture)]
    assert kinds.count("participant.joined") == 1 and "participant.left" not in kinds


def test_every_wrong_request_has_a_code_and_a_sentence_in_the_language_of_the_page(
    page: Callable[..., Page], lecture: str
) -> None:
    stranger = page(language="en").connect()
    assert code(stranger.ask("room.snapshot")) == "room.not_joined"
    assert code(stranger.ask("room.join", {"token": "x" * 20})) == "token.invalid"
    good = token(lecture, "bp_a", "point")
    forged = good[:-5] + ("x" if good[-5] != "x" else "y") + good[-4:]  # the last letter has bits that mean nothing
    assert code(stranger.ask("room.join", {"token": forged})) == "token.invalid"
    assert code(stranger.ask("room.join", {})) == "message.invalid"
    assert code(stranger.ask("no.such.type")) == "message.unknown_type"
    assert code(stranger.ask("message")) == "message.unknown_type"
    refused = stranger.ask("no.such.type")["error"]["message"]
    assert refused.startswith("[en] ")

    point = page().join(lecture, "bp_a", "point")
    assert code(point.ask("room.join", {"token": token(lecture, "bp_b", "point")})) == "room.already_joined"
    assert code(point.ask("floor.request", {"participant": "bp_b"})) == "message.invalid"
    assert code(point.ask("floor.request", ["not an object"])) == "message.invalid"
    assert code(point.ask("point.report", {"camera": "ok"})) == "message.invalid"
    assert code(point.ask("point.report", {"camera": "ok", "microphone": 1})) == "message.invalid"
    assert code(point.ask("media.up", {"sdp": "v=0\r\n" + "a" * 60_000})) == "message.invalid"
    assert point.client.call("floor.request", ({}, {}), timeout=5)["error"]["code"] == "message.invalid"


def test_nobody_acts_for_another(server: Server, page: Callable[..., Page], lecture: str) -> None:
    point, other = page().join(lecture, "bp_a", "point"), page().join(lecture, "bp_b", "point")
    lecturer = page().join(lecture, "usr_lecturer", "lecturer")
    lecturer.ask("lecture.start")
    other.ask("floor.request")
    assert code(point.ask("floor.withdraw", {"participant": "bp_b"})) == "floor.not_yours"
    for kind, payload in (
        ("floor.grant", {"participant": "bp_a"}), ("floor.revoke", {}), ("lecture.end", {}), ("lecture.start", {}),
        ("poll.open", {"question": "?", "options": ["1", "2"]}),
    ):  # fmt: skip
        assert code(point.ask(kind, payload)) == "permission.denied"
    visitor = page().join(lecture, "usr_visitor", "observer")
    assert code(visitor.ask("media.up", {"sdp": SDP})) == "permission.denied"
    assert code(visitor.ask("floor.request")) == "permission.denied"
    stranger = page().connect()
    assert not stranger.ask("room.join", {"token": token(lecture, "bp_stranger", "point")})["ok"]
    assert not stranger.ask("room.join", {"token": token(lecture, "usr_other", "lecturer")})["ok"]
    assert [row.get("by") for row in server.journal(lecture) if row["type"] == "floor.granted"] == []


def test_a_page_of_another_origin_cannot_connect(server: Server, page: Callable[..., Page]) -> None:
    polling = f"{server.url}/socket.io/?EIO=4&transport=polling"
    for origin, status in (("https://elsewhere.example", 400), ("null", 400), (server.url, 200)):
        headers = {"Origin": origin}
        assert urllib3.request("GET", polling, headers=headers, timeout=5).status == status
        if origin != server.url:
            with pytest.raises(ConnectionError):
                page().connect(headers=headers)


def test_everybody_is_told_to_negotiate_again_when_the_node_was_restarted(
    server: Server, page: Callable[..., Page], lecture: str
) -> None:
    point = page().join(lecture, "bp_a", "point")
    assert point.ack
    os.kill(server.get("/node")["pid"], signal.SIGKILL)
    kind, message = until(lambda: point.others)[0]
    assert kind == "media.reset"
    assert message["epoch"] not in ("", point.ack["media"]["epoch"])
    assert point.ask("media.up", {"sdp": SDP})["ok"], "the plan was put to the new node by itself"


def test_nothing_is_left_of_a_room_that_was_never_opened(page: Callable[..., Page]) -> None:
    assert code(page().connect().ask("room.join", {"token": token("lec_none", "bp_a", "point")})) != "internal"


def journal_types(server: Server, lecture: str) -> list[str]:
    return [row["type"] for row in server.journal(lecture)]


def test_a_socket_that_stays_away_is_gone_after_the_grace(
    server: Server, page: Callable[..., Page], lecture: str
) -> None:
    page().join(lecture, "bp_a", "point").drop()
    until(lambda: "participant.left" in journal_types(server, lecture), within_s=15)


def test_lines_and_voices_reach_the_chair_and_the_hall_itself(
    server: Server, page: Callable[..., Page], lecture: str
) -> None:
    lecturer = page().join(lecture, "usr_lecturer", "lecturer")
    point, other = page().join(lecture, "bp_a", "point"), page().join(lecture, "bp_b", "point")
    figures = {"loss": 0.2, "rtt_ms": 90, "jitter_ms": 5, "layer": 0, "bitrate_kbps": 40, "audio_only": True}
    of_bp_a = {"room": lecture, "peer": "bp_a"}
    server.node_says({"type": "quality", "leg": "down", **of_bp_a, **figures})
    poor = {"level": "sound", "loss_percent": 20, "rtt_ms": 100, "speaking": False}
    until(lambda: {"bp_a": poor} in lecturer.signals)
    until(lambda: {"bp_a": {"level": "sound", "loss_percent": 0, "rtt_ms": None, "speaking": False}} in point.signals)
    server.node_says({"type": "speaking", "speaking": True, **of_bp_a})
    until(lambda: {"bp_a": {**poor, "speaking": True}} in lecturer.signals)
    server.node_says({"type": "peer.down", "leg": "down", "reason": "left", **of_bp_a})
    until(lambda: {"bp_a": None} in lecturer.signals)
    assert other.signals == []
    kinds = {row["type"] for row in server.journal(lecture)}
    assert not kinds & {"quality", "speaking", "peer.down"}, "nothing of it is journalled"
