"""Two media nodes, two classes: what a crash of one node does to its own class, and not to the other."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fake_node import SDP
from tests.flows.sockets import Page, Server, code, until


@pytest.fixture(params=["eventlet", "gevent", "threading"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    one = Server(request.param, tmp_path, nodes=2)
    one.start()
    yield one
    assert one.faults() == []
    one.stop()


@pytest.fixture
def page(server: Server) -> Iterator[Callable[..., Page]]:
    pages: list[Page] = []

    def make(lecture: str, me: str, role: str, **how: bool) -> Page:
        pages.append(Page(server, **how))
        return pages[-1].join(lecture, me, role)

    yield make
    for one in pages:
        one.close()


def test_a_crash_of_one_node_touches_only_its_class(server: Server, page: Callable[..., Page]) -> None:
    lectures = [server.lecture(), server.lecture()]
    points = [page(lecture, "bp_a", "point") for lecture in lectures]
    for point in points:
        assert point.ack and point.ack["media"]["epoch"].startswith("epoch_")
        assert point.ask("media.up", {"sdp": SDP})["ok"]
    nodes = [server.get(f"/node/{lecture}") for lecture in lectures]
    assert nodes[0]["pid"] != nodes[1]["pid"], "each class has a node of its own"

    os.kill(nodes[0]["pid"], signal.SIGKILL)
    kind, message = until(lambda: points[0].others)[0]
    assert kind == "media.reset"
    assert message["epoch"] not in ("", nodes[0]["epoch"])
    assert points[0].ask("media.up", {"sdp": SDP})["ok"], "the class goes on elsewhere"

    until(lambda: server.get("/node")["ready"])  # both live again
    assert server.get(f"/node/{lectures[1]}") == nodes[1], "and the other class is where it was"
    assert points[1].ask("media.up", {"sdp": SDP})["ok"]
    late = page(lectures[1], "bp_b", "point")
    assert late.ack and late.ack["media"]["epoch"] == nodes[1]["epoch"]
    assert points[1].others == [], "nobody there was told anything"


def test_sizes_and_restarts_go_to_the_node_that_has_the_room(server: Server, page: Callable[..., Page]) -> None:
    lectures = [server.lecture(), server.lecture()]
    points = [page(lecture, "bp_a", "point") for lecture in lectures]
    for lecture, point in zip(lectures, points, strict=True):
        until(lambda lecture=lecture: placed(server, lecture))
        assert point.ask("media.size", {"heights": {"stage": 544, "tile-3": 0}})["ok"]
        assert code(point.ask("media.restart", {"leg": "up"})) == "media.not_found", "it has no leg yet"
        assert point.ask("media.up", {"sdp": SDP})["ok"]
        assert point.ask("media.restart", {"leg": "up"}) == {"ok": True, "ufrag": "after-None", "pwd": "p" * 32}
        assert point.ask("media.restart", {"leg": "up", "ufrag": "abcd"})["ufrag"] == "after-abcd"
        assert code(point.ask("media.restart", {"leg": "play"})) == "message.invalid"
    told = [server.of_node("/sizes", number) for number in (0, 1)]
    assert sorted(room for of_one in told for room, _, _ in of_one) == sorted(lectures)
    assert [len(of_one) for of_one in told] == [1, 1], "each node heard of its own room only"
    assert told[0][0][1:] == ["bp_a", {"stage": 544, "tile-3": 0}]


def test_a_size_that_cannot_be_is_refused(server: Server, page: Callable[..., Page]) -> None:
    point = page(server.lecture(), "bp_a", "point")
    never: list[object] = [{"stage": -1}, {"stage": 5000}, {"stage": 1.5}, {"attic": 100}, {"stage": "100"}, [], None]
    answers = [point.ask("media.size", {"heights": heights}) for heights in never]
    assert [code(answer) for answer in answers] == ["message.invalid"] * len(never)


def test_rooms_are_where_they_were_after_the_web_process_was_killed(server: Server, page: Callable[..., Page]) -> None:
    lectures = [server.lecture(), server.lecture()]
    points = [page(lecture, "bp_a", "point", comes_back=True) for lecture in lectures]
    before = [until(lambda lecture=lecture: placed(server, lecture)) for lecture in lectures]
    joins = [point.joins for point in points]
    server.kill()
    server.start()
    until(lambda: all(point.joins > once for point, once in zip(points, joins, strict=True)), within_s=30)
    after = [until(lambda lecture=lecture: placed(server, lecture)) for lecture in lectures]
    assert [one["epoch"] for one in after] == [one["epoch"] for one in before]
    assert [point.others for point in points] == [[], []]


def placed(server: Server, lecture: str) -> dict[str, object] | None:
    found: dict[str, object] = server.get(f"/node/{lecture}")
    return found if found["epoch"] else None
