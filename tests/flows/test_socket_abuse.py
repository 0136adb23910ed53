"""Frames that no page of ours sends: nonsense, floods, giants. The others in the room notice nothing."""

import contextlib
import json
import random
import time
from collections.abc import Callable, Iterator

import pytest
import websocket

from tests.flows.sockets import Page, Server, code, token, until

FRAMES = 300
SEEDS = [
    "40", "41", "40/other,", "42[\"room.join\",{\"token\":\"xxxxxxxxxxxx\"}]", "420[\"room.snapshot\",{}]",
    "421[\"floor.request\"]", "42[\"poll.open\",{\"question\":\"?\",\"options\":[\"a\",\"b\"]}]", "430[{}]", "43",
    "452-[\"media.up\",{\"_placeholder\":true,\"num\":0}]", "44{}", "2", "3", "5", "6", "1", "2probe",
    "42[\"disconnect\"]", "42[\"connect\"]", "42{}", "42[]", "42[[]]", "42null", "4", "49[]", "42[\"\\ud800\"]",
]  # fmt: skip


@pytest.fixture(scope="module", params=["eventlet", "gevent", "threading"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server(request.param, tmp_path_factory.mktemp(request.param))
    one.start()
    yield one
    one.stop()


@pytest.fixture
def page(server: Server) -> Iterator[Callable[..., Page]]:
    made: list[Page] = []

    def make() -> Page:
        made.append(Page(server))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Wire:
    """A raw WebSocket; what is sent is up to the test."""

    def __init__(self, server: Server) -> None:
        self.ws = websocket.create_connection(
            server.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket", timeout=10
        )
        self.ws.recv()
        self.ws.send("40")
        self.ws.recv()

    def send(self, frame: str | bytes) -> bool:
        """Send a frame.  Returns False once the server has cut the line."""
        try:
            if isinstance(frame, bytes):
                self.ws.send_binary(frame)
            else:
                self.ws.send(frame)
        except (OSError, websocket.WebSocketException):
            return False
        return True

    def was_cut(self, within_s: float = 5) -> bool:
        """Wait for the server to cut the line."""
        self.ws.settimeout(0.2)
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            try:
                if self.ws.recv() in ("", "1"):
                    return True
            except websocket.WebSocketTimeoutException:
                continue
            except (OSError, websocket.WebSocketException):
                return True
        return False

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.ws.shutdown()


def mutated(chance: random.Random) -> str | bytes:
    """A frame that was once good."""
    frame = list(chance.choice(SEEDS))
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(frame) + 1)
        what = chance.randrange(4)
        if what == 0 and frame:
            del frame[min(at, len(frame) - 1)]
        elif what == 1:
            frame.insert(at, chance.choice('0123456789[]{}",:-/b\\\x00é\u202e'))
        elif what == 2:
            frame[at:at] = frame[at : at + 5] * chance.randrange(1, 50)
        elif frame:
            frame[min(at, len(frame) - 1)] = chr(chance.randrange(32, 0x2000))
    text = "".join(frame)
    return text.encode() if chance.random() < 0.1 else text


def test_mutated_frames_hurt_nobody(server: Server, page: Callable[..., Page]) -> None:
    lecture = server.lecture()
    witness = page().join(lecture, "usr_lecturer", "lecturer")
    chance, sent = random.Random(27), 0
    while sent < FRAMES:
        wire = Wire(server)
        for _ in range(20):
            sent += 1
            if not wire.send(mutated(chance)):
                break
        wire.close()
    assert witness.ask("room.snapshot")["ok"]
    started = time.monotonic()
    assert page().join(lecture, "bp_a", "point").ack
    assert time.monotonic() - started < 5, "a good client is let in as ever"
    assert server.faults() == []


def test_a_flood_is_cut_and_the_others_are_not_slowed_down(server: Server, page: Callable[..., Page]) -> None:
    witness = page().join(server.lecture(), "usr_lecturer", "lecturer")
    wire = Wire(server)
    frame = '42["room.join",' + json.dumps({"token": "x" * 50}) + "]"
    for _ in range(2000):
        if not wire.send(frame):
            break
    assert wire.was_cut()
    wire.close()
    assert witness.ask("room.snapshot")["ok"]
    assert witness.client.connected


def test_empty_pings_of_the_protocol_below_are_no_way_around_the_limit(server: Server) -> None:
    wire = Wire(server)
    for _ in range(500):
        wire.send("4")
    assert wire.was_cut()
    wire.close()


@pytest.mark.parametrize("size", [150_000, 2_000_000])
def test_a_frame_that_is_too_large_cuts_its_line_only(server: Server, page: Callable[..., Page], size: int) -> None:
    witness = page().join(server.lecture(), "usr_lecturer", "lecturer")
    wire = Wire(server)
    wire.send('42["media.up",{"sdp":"' + "v" * size + '"}]')
    assert wire.was_cut()
    wire.close()
    assert witness.ask("room.snapshot")["ok"]


def test_a_name_that_stands_twice_in_an_object_is_not_taken(server: Server) -> None:
    lecture = server.lecture()
    wire = Wire(server)
    good, bad = json.dumps(token(lecture, "bp_a", "point")), json.dumps(token(lecture, "bp_b", "point"))
    wire.send(f'420["room.join",{{"token":{good},"token":{bad}}}]')
    wire.send(f'421["room.join",{{"token":{good}}}]')
    answer = until(lambda: (got := wire.ws.recv()).startswith("43") and got)
    assert answer.startswith("431"), "the first was no frame, so only the second is answered"
    assert json.loads(answer[3:])[0]["you"] == "bp_a"
    wire.close()


def test_a_client_that_says_it_disconnected_is_still_who_it_was(server: Server, page: Callable[..., Page]) -> None:
    point = page().join(server.lecture(), "bp_a", "point")
    point.client.emit("disconnect")
    assert code(point.ask("floor.request")) == "lecture.not_live"
