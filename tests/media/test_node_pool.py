"""Two real media nodes under one pool: the legs of a room go on while the node of another room is killed."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from app.node_pool import NodePool
from core.config import Config
from core.errors import Unavailable
from media.client import NodeAddress
from media.control import RoomPlan
from tests.media.conftest import ROOM, wait_for
from tests.media.light import LightPeer

A, V = "usr_a", "bp_v"
OTHER = "lec_other"
PLAN = RoomPlan(version=1, slots={"stage": f"{A}/camera", "audio-0": f"{A}/mic"}, publishers=[A])


class OnPool:
    """The node that has the room, as `LightPeer` wants it."""

    def __init__(self, address: NodeAddress, media_port: int) -> None:
        self.address, self.media_port = address, media_port

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        answer = urllib3.request(
            method, self.address.control_url + path, json=body, timeout=5,
            headers={"Authorization": f"Bearer {self.address.token}"},
        )  # fmt: skip
        assert answer.status < 300, (answer.status, answer.data)
        return answer.json() if answer.data else None


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[NodePool]:
    config = Config(
        data_dir=tmp_path, media_host="127.0.0.1", media_announce=("127.0.0.1",), media_port=0, media_processes=2
    )
    one = NodePool(config)
    one.start()
    wait_for(lambda: all(node.ready() for node in one.nodes), "both nodes")
    yield one
    one.stop()


def node_of(pool: NodePool, room: str) -> Any:
    epoch = pool.media.epoch_of(room)
    return next(node for node in pool.nodes if (address := node.address()) and address.epoch == epoch)


def moved_from(pool: NodePool, epoch: str, plan: RoomPlan) -> bool:
    """Put a plan as the bridge does.  Returns whether another life of a node took it."""
    try:
        pool.media.put_plan(ROOM, plan)
    except Unavailable:
        return False
    return pool.media.epoch_of(ROOM) not in ("", epoch)


def taken(pool: NodePool) -> bool:
    try:
        pool.media.put_plan(OTHER, PLAN)
        return True
    except Unavailable:
        return False


def test_legs_of_a_room_go_on_while_the_node_of_another_room_is_killed(pool: NodePool) -> None:
    pool.media.put_plan(ROOM, PLAN)
    pool.media.put_plan(OTHER, PLAN)
    mine, other = node_of(pool, ROOM), node_of(pool, OTHER)
    assert mine.pid != other.pid
    address = mine.address()
    node: Any = OnPool(address, int(mine._read_state()["media_port"]))

    async def story() -> None:
        publisher = await LightPeer(node, A).publish()
        viewer = await LightPeer(node, V).watch(["stage", "audio-0"])
        following = await publisher.stream(1)
        before = len(viewer.rtp)
        assert before > 0
        os.kill(other.pid, signal.SIGKILL)
        await publisher.stream(3, start=following)
        assert len(viewer.rtp) - before >= 100, "of 150 sent: packets come as before"
        assert (publisher.down, viewer.down) == (None, None)
        status = await asyncio.to_thread(node.ok, "PUT", f"/rooms/{ROOM}", PLAN.model_dump())
        assert status["peers"] == [V, A], "the same two peers all the time"
        publisher.close()
        viewer.close()

    asyncio.run(asyncio.wait_for(story(), 60))
    assert node_of(pool, ROOM) is mine and mine.address() == address
    wait_for(lambda: taken(pool), "another node for the room of the one that was killed")
    assert node_of(pool, OTHER).pid != 0
    wait_for(lambda: all(each.ready() for each in pool.nodes), "both nodes again")


def test_a_node_says_what_it_has_to_do(pool: NodePool) -> None:
    pool.media.put_plan(ROOM, PLAN)
    node: Any = OnPool(node_of(pool, ROOM).address(), 0)
    wait_for(lambda: node.ok("GET", "/healthz")["load"] > 0, "a load")
    health = node.ok("GET", "/healthz")
    assert (health["rooms"], health["room_ids"], health["viewers"]) == (1, [ROOM], 0)
    node.ok("POST", f"/rooms/{ROOM}/peers/{V}/down", {"slots": ["stage"]})
    assert node.ok("GET", "/healthz")["viewers"] == 1
    assert 0 < health["load"] < 2


def test_a_room_that_moves_is_recorded_on_by_its_new_node(pool: NodePool, tmp_path: Path) -> None:
    recorded = PLAN.model_copy(update={"recording": True})
    pool.media.put_plan(OTHER, PLAN)  # so that the room's node and the one it moves to are two
    pool.media.put_plan(ROOM, recorded)

    def segments() -> list[str]:
        return sorted(f.name for f in (tmp_path / "recordings" / ROOM / "program").glob("*.m4s"))

    def teach(seconds: float) -> None:
        async def story() -> None:
            where = node_of(pool, ROOM)
            node: Any = OnPool(where.address(), int(where._read_state()["media_port"]))
            peer = await LightPeer(node, A).publish()
            await peer.stream(seconds)
            peer.close()

        asyncio.run(asyncio.wait_for(story(), 60))

    teach(5)
    before = wait_for(segments, "a first segment")
    epoch = pool.media.epoch_of(ROOM)
    os.kill(node_of(pool, ROOM).pid, signal.SIGKILL)
    wait_for(lambda: moved_from(pool, epoch, recorded), "another node", limit_s=20)
    assert node_of(pool, ROOM) is node_of(pool, OTHER), "at once, on the node that lives"
    teach(5)
    wait_for(lambda: len(segments()) > len(before), "another segment")
    pool.media.put_plan(ROOM, PLAN.model_copy(update={"version": 2}))
    playlist = tmp_path / "recordings" / ROOM / "program.m3u8"
    wait_for(lambda: playlist.exists() and "#EXT-X-ENDLIST" in playlist.read_text(), "the end of the playlist")
    text = playlist.read_text()
    assert set(before) <= set(segments()) and all(name in text for name in segments())
    assert "#EXT-X-DISCONTINUITY" in text
