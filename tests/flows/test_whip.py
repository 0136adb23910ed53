"""WHIP and WHEP as RFC 9725 has them, case by case, on the whole application; the media node is the stand-in."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from app.node_pool import NodePool
from app.tables import metadata
from app.wiring import Wiring
from core.config import Config
from schedules.records import Purpose
from tests.browsing import Browser
from tests.builders import School, make_school
from tests.fakes import FakeClock
from tests.flows.sockets import until

OFFER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na={way}\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na={way}\r\n"
)
KINDS = pytest.mark.parametrize("kind", ["whip", "whep"])
FRAGMENT = "application/trickle-ice-sdpfrag"
NAMES = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"


class World:
    """A lecture with an open lobby, its tokens, and a program that speaks HTTP."""

    def __init__(self, app: Flask, clock: FakeClock, node: NodePool) -> None:
        self.app, self.node = app, node
        self.wiring: Wiring = app.extensions["wiring"]
        self.rooms, self.schedules = self.wiring.services.rooms, self.wiring.services.schedules
        self.school: School = make_school(self.schedules)
        self.lecture = self.school.lecture(clock.now())
        self.point = self.school.a.id
        self.tokens = {kind: self.token(kind) for kind in ("whip", "whep")}

    def token(self, kind: str, point: str = "") -> str:
        purpose: Purpose = "ingest" if kind == "whip" else "playback"
        return self.schedules.streams.make(self.lecture.id, point or self.point, purpose, self.school.organiser.id)[1]

    def open(self) -> None:
        of = self.lecture
        self.rooms.open(of.id, of.lecturer_id, of.main_point_id, of.point_ids)
        self.schedules.mark(of.id, "open")

    def ask(self, method: str, path: str, token: str | None, body: str | bytes | None = None, **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        return self.app.test_client().open(path, method=method, data=body, headers=sent)

    def start(self, kind: str, token: str | None = None, **headers: str) -> Any:
        way = "sendonly" if kind == "whip" else "recvonly"
        given = {"Content-Type": "application/sdp", **headers}
        path = f"/{kind}/{self.lecture.id}"
        return self.ask("POST", path, self.tokens[kind] if token is None else token, OFFER.format(way=way), **given)

    def legs(self) -> list[list[str]]:
        address = self.node.nodes[0].address()
        assert address
        import urllib3

        answer = urllib3.request(
            "GET", f"{address.control_url}/legs", headers={"Authorization": f"Bearer {address.token}"}
        )
        return list(json.loads(answer.data))

    def journal(self) -> list[str]:
        return [entry.type for entry in self.rooms.entries(self.lecture.id)]


@pytest.fixture
def world(config: Config, clock: FakeClock, translations: None) -> Iterator[World]:
    from app import create_app

    node = NodePool(config, (sys.executable, "-m", "tests.fake_node"))
    node.start()
    app = create_app(config, clock=clock, node=node)
    metadata().create_all(app.extensions["db"].engine)
    app.test_client_class = Browser
    made = World(app, clock, node)
    until(node.ready, within_s=30)
    made.wiring.bridge.start()
    made.open()
    yield made
    made.wiring.bridge.stop()
    node.stop()
    app.extensions["db"].engine.dispose()


def code(answer: Any) -> str:
    assert answer.mimetype == "application/problem+json", answer.get_data(as_text=True)
    return str(answer.get_json()["code"])


@KINDS
def test_a_session_begins_and_ends(world: World, kind: str) -> None:
    begun = world.start(kind)
    assert begun.status_code == 201
    assert begun.mimetype == "application/sdp" and begun.get_data(as_text=True).startswith("v=0")
    place = begun.headers["Location"]
    assert place.startswith(f"/{kind}/{world.lecture.id}/ses_")
    assert begun.headers["ETag"].startswith('"') and begun.headers["Accept-Patch"] == FRAGMENT
    assert len(world.legs()) == 1
    ended = world.ask("DELETE", place, world.tokens[kind])
    assert ended.status_code == 200
    assert world.legs() == []
    again = world.ask("DELETE", place, world.tokens[kind])
    assert (again.status_code, code(again)) == (404, "stream.no_session")


@KINDS
def test_only_a_token_for_this_very_thing_begins_a_session(world: World, kind: str) -> None:
    other = {"whip": "whep", "whep": "whip"}[kind]
    for token in ("", "guess", world.tokens[kind] + "x"):
        refused = world.start(kind, token)
        assert (refused.status_code, code(refused)) == (401, "stream.no_key"), token
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    nothing = world.ask("POST", f"/{kind}/{world.lecture.id}", None, OFFER, Content_Type="application/sdp")
    assert nothing.status_code == 401
    assert (world.start(kind, world.tokens[other]).status_code, world.legs()) == (403, [])
    elsewhere = world.ask("POST", f"/{kind}/lec_other", world.tokens[kind], OFFER, Content_Type="application/sdp")
    assert (elsewhere.status_code, code(elsewhere)) == (403, "stream.other_scope")


@KINDS
def test_what_is_not_an_offer_is_refused(world: World, kind: str) -> None:
    path, token = f"/{kind}/{world.lecture.id}", world.tokens[kind]
    for body, content, status in (
        (OFFER, "text/plain", 415),
        (OFFER, "application/json", 415),
        (OFFER, "", 415),
        ("hello", "application/sdp", 400),
        (b"\xff\xfe", "application/sdp", 400),
        ("v=0\r\n" + "a=x\r\n" * 20_000, "application/sdp", 413),
    ):
        assert world.ask("POST", path, token, body, Content_Type=content).status_code == status, (content, status)
    assert world.legs() == []


def test_an_offer_that_the_node_cannot_use_leaves_nobody_behind(world: World) -> None:
    refused = world.ask("POST", f"/whep/{world.lecture.id}", world.tokens["whep"], OFFER.format(way="sendonly"),
                        Content_Type="application/sdp")  # fmt: skip
    assert (refused.status_code, code(refused)) == (422, "media.invalid")


@KINDS
def test_other_methods_are_not_allowed(world: World, kind: str) -> None:
    place = world.start(kind).headers["Location"]
    for path, methods in ((f"/{kind}/{world.lecture.id}", ("GET", "HEAD", "PUT", "PATCH", "DELETE")),
                          (place, ("GET", "HEAD", "PUT", "POST"))):  # fmt: skip
        for method in methods:
            answer = world.ask(method, path, world.tokens[kind])
            assert answer.status_code == 405, (method, path)
            assert "OPTIONS" in answer.headers["Allow"]


@KINDS
def test_a_page_of_another_site_may_ask_with_a_token_of_its_own(world: World, kind: str) -> None:
    path = f"/{kind}/{world.lecture.id}"
    asked = world.ask("OPTIONS", path, None, Origin="https://player.example", Access_Control_Request_Method="POST")
    assert asked.status_code == 200
    assert asked.headers["Accept-Post"] == "application/sdp"
    assert asked.headers["Access-Control-Allow-Origin"] == "*"
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    begun = world.start(kind, Origin="https://player.example")
    assert begun.status_code == 201
    assert {"Location", "ETag", "Link"} <= set(begun.headers["Access-Control-Expose-Headers"].split(", "))
    session = world.ask("OPTIONS", begun.headers["Location"], None)
    assert session.headers["Accept-Patch"] == FRAGMENT
    assert {"PATCH", "DELETE"} <= set(session.headers["Access-Control-Allow-Methods"].split(", "))


@KINDS
def test_candidates_are_taken_for_the_ice_names_in_force(world: World, kind: str) -> None:
    begun = world.start(kind)
    place, etag, token = begun.headers["Location"], begun.headers["ETag"], world.tokens[kind]
    trickled = NAMES + "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
    for body, headers, status in (
        (trickled, {"Content-Type": FRAGMENT, "If-Match": etag}, 204),
        (trickled, {"Content-Type": FRAGMENT}, 428),
        (trickled, {"Content-Type": FRAGMENT, "If-Match": '"old"'}, 412),
        (trickled, {"Content-Type": "application/sdp", "If-Match": etag}, 415),
        ("nonsense", {"Content-Type": FRAGMENT, "If-Match": etag}, 400),
        ("a=ice-ufrag:x\r\n", {"Content-Type": FRAGMENT, "If-Match": "*"}, 400),
        ("a=ice-ufrag:EsAw\r\n", {"Content-Type": FRAGMENT, "If-Match": "*"}, 422),
    ):
        assert world.ask("PATCH", place, token, body, **headers).status_code == status, (status, headers)
    assert world.ask("PATCH", place, None, trickled, Content_Type=FRAGMENT, If_Match=etag).status_code == 401
    wrong = world.ask("PATCH", place + "x", token, trickled, Content_Type=FRAGMENT, If_Match=etag)
    assert wrong.status_code == 404


@KINDS
def test_ice_restarts_on_the_same_session(world: World, kind: str) -> None:
    begun = world.start(kind)
    place, etag, token = begun.headers["Location"], begun.headers["ETag"], world.tokens[kind]
    again = world.ask("PATCH", place, token, NAMES, Content_Type=FRAGMENT, If_Match="*")
    assert (again.status_code, again.mimetype) == (200, FRAGMENT)
    said = again.get_data(as_text=True).split("\r\n")
    assert {"a=ice-lite", "a=ice-ufrag:after-EsAw", f"a=ice-pwd:{'p' * 32}"} <= set(said)
    assert "a=mid:0" in said and any(line.startswith("a=candidate:") for line in said)
    assert again.headers["ETag"] != etag
    for tag, status in ((etag, 412), (again.headers["ETag"], 204)):
        assert world.ask("PATCH", place, token, NAMES, Content_Type=FRAGMENT, If_Match=tag).status_code == status
    assert len(world.legs()) == 1


def test_the_relay_is_named_in_links(world: World) -> None:
    from signaling.turn import Turn

    url = "turns:turn.example.vn:443?transport=tcp"
    world.app.extensions["turn"] = Turn((url,), "secret", 600, world.wiring.services.clock)
    (link,) = world.start("whip").headers.getlist("Link")
    assert link.startswith(f'<{url}>; rel="ice-server"; username="') and world.point in link
    assert link.endswith('credential-type="password"')


def test_an_encoder_brings_its_point_in_and_the_journal_says_so(world: World) -> None:
    place = world.start("whip").headers["Location"]
    state = world.rooms.state(world.lecture.id)
    assert (state.present[world.point].role, state.encoders) == ("point", (world.point,))
    assert world.legs() == [[world.lecture.id, world.point, "up"]]
    world.ask("DELETE", place, world.tokens["whip"])
    assert world.journal()[-3:] == ["participant.joined", "encoder.started", "encoder.stopped"]
    assert world.rooms.state(world.lecture.id).encoders == ()


def test_the_points_own_page_does_not_publish_beside_an_encoder(world: World) -> None:
    from app.tokens import sign

    page = world.wiring.socketio.test_client(world.app, flask_test_client=world.app.test_client())
    token = sign(str(world.app.secret_key), world.lecture.id, world.point, "point")
    assert page.emit("room.join", {"token": token}, callback=True)["ok"]
    up: Callable[[], Any] = lambda: page.emit("media.up", {"sdp": OFFER.format(way="sendonly")}, callback=True)  # noqa: E731
    assert up()["ok"]
    place = world.start("whip").headers["Location"]
    assert up()["error"]["code"] == "media.encoder_active"
    restart = page.emit("media.restart", {"leg": "up"}, callback=True)
    assert restart["error"]["code"] == "media.encoder_active", "the encoder's leg is not the page's"
    assert page.emit("media.down", {}, callback=True)["ok"], "it goes on watching"
    world.ask("DELETE", place, world.tokens["whip"])
    assert up()["ok"]
    assert world.point in world.rooms.state(world.lecture.id).present, "its page is still here"


def test_one_point_has_one_encoder_and_one_that_comes_back_takes_its_own_place(world: World) -> None:
    first = world.start("whip").headers["Location"]
    other = world.start("whip", world.token("whip"))
    assert (other.status_code, code(other)) == (409, "media.encoder_active")
    second = world.start("whip")
    assert second.status_code == 201
    assert world.ask("DELETE", first, world.tokens["whip"]).status_code == 404, "that session is over"
    assert len(world.legs()) == 1
    assert world.journal().count("encoder.started") == 1
    elsewhere = world.start("whip", world.token("whip", world.school.b.id))
    assert elsewhere.status_code == 201 and len(world.legs()) == 2


@KINDS
def test_a_revoked_token_stops_what_runs_on_it(world: World, kind: str) -> None:
    place = world.start(kind).headers["Location"]
    (token,) = world.schedules.streams.sessions(world.lecture.id)
    world.schedules.streams.revoke(token.id, world.lecture.id)
    assert world.legs() == []
    assert world.start(kind).status_code == 401
    assert world.ask("DELETE", place, world.tokens[kind]).status_code == 401
    if kind == "whip":
        stopped = world.rooms.entries(world.lecture.id)[-1]
        assert (stopped.type, stopped.body["reason"]) == ("encoder.stopped", "revoked")


def test_an_encoder_that_vanishes_is_noted(world: World) -> None:
    import urllib3

    world.start("whip")
    address = world.node.nodes[0].address()
    assert address
    leg = f"{address.control_url}/rooms/{world.lecture.id}/peers/{world.point}/up"
    urllib3.request("DELETE", leg, headers={"Authorization": f"Bearer {address.token}"})
    until(lambda: world.journal()[-1] == "encoder.stopped")
    assert world.schedules.streams.sessions(world.lecture.id) == []


@KINDS
def test_a_class_that_is_not_open_takes_no_stream_and_one_that_ends_ends_them(world: World, kind: str) -> None:
    later = world.school.lecture(world.lecture.ends_at)
    token = world.schedules.streams.make(
        later.id, world.point, "ingest" if kind == "whip" else "playback", world.school.organiser.id
    )[1]
    way = "sendonly" if kind == "whip" else "recvonly"
    early = world.ask("POST", f"/{kind}/{later.id}", token, OFFER.format(way=way), Content_Type="application/sdp")
    assert (early.status_code, code(early)) == (409, "lecture.not_open")
    place = world.start(kind).headers["Location"]
    world.rooms.expire(world.lecture.id)
    until(lambda: world.legs() == [])
    assert world.ask("DELETE", place, world.tokens[kind]).status_code == 401, "the token went with the class"
    assert world.schedules.streams.sessions(world.lecture.id) == []


def test_an_encoder_in_a_hurry_is_told_to_wait(world: World) -> None:
    statuses = [world.start("whip").status_code for _ in range(8)]
    assert statuses[:5] == [201] * 5 and statuses[-1] == 429
    slowed = world.start("whip")
    assert int(slowed.headers["Retry-After"]) > 0


def test_a_restarted_web_process_finds_the_encoder_that_runs_on(world: World, config: Config) -> None:
    from app import create_app

    begun = world.start("whip")
    world.wiring.bridge.stop()
    second = create_app(config, clock=world.wiring.services.clock, node=world.node)  # type: ignore[arg-type]
    after: Wiring = second.extensions["wiring"]
    after.services.rooms.resume()
    after.bridge.start()
    world.app, world.wiring = second, after
    world.rooms = after.services.rooms
    until(lambda: after.bridge.watcher is not None and after.bridge.watcher._live)  # type: ignore[attr-defined]
    after.services.clock.advance(60)  # type: ignore[attr-defined]
    assert after.services.rooms.sweep() == [], "nobody was away"
    assert world.ask("DELETE", begun.headers["Location"], world.tokens["whip"]).status_code == 200
    assert world.journal()[-1] == "encoder.stopped"
    after.bridge.stop()
    second.extensions["db"].engine.dispose()
