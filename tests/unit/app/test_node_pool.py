"""Several media nodes, real processes of the stand-in: where rooms are, and what a crash of one touches."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from app.node_pool import NodePool
from core.config import Config, from_environment
from core.errors import NotFound, Unavailable
from media.client import NodeAddress, NodeLost
from media.control import Health, Hello, RoomPlan, SlotSwitched
from signaling.media_pool import MediaPool, weight
from tests.fake_node import SDP
from tests.unit.app.test_node import FAKE, PLAN, until


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., NodePool]]:
    made: list[NodePool] = []

    def pool(processes: int = 2) -> NodePool:
        made.append(NodePool(Config(data_dir=tmp_path, media_port=0, media_processes=processes), FAKE))
        made[-1].start()
        until(lambda: all(node.ready() for node in made[-1].nodes))
        return made[-1]

    yield pool
    for one in made:
        one.stop()
    for node in [node for one in made for node in one.nodes]:
        if node._child:  # one that its supervisor left alone was stopped by the next one
            node._child.wait()


@pytest.fixture
def pool(make: Callable[..., NodePool]) -> NodePool:
    return make()


def post(address: NodeAddress, path: str) -> None:
    urllib3.request("POST", address.control_url + path, headers={"Authorization": f"Bearer {address.token}"})


def puts_of(address: NodeAddress) -> list[list[object]]:
    answer = urllib3.request("GET", address.control_url + "/puts", headers={"Authorization": f"Bearer {address.token}"})
    return list(answer.json())


def placed(pool: NodePool, room: str) -> NodeAddress:
    epoch = pool.media.epoch_of(room)
    return next(address for node in pool.nodes if (address := node.stated()) and address.epoch == epoch)


def put(pool: NodePool, *rooms: str) -> None:
    for room in rooms:
        pool.media.put_plan(room, PLAN)


def test_rooms_go_to_the_node_with_the_least_to_do(pool: NodePool) -> None:
    put(pool, "lec_1", "lec_2", "lec_3", "lec_4")
    first, second = (node.address() for node in pool.nodes)
    assert [placed(pool, f"lec_{n}") for n in (1, 2, 3, 4)] == [first, second, first, second]


def test_what_a_node_has_to_do_is_its_load_then_its_viewers() -> None:
    def health(load: float, viewers: int, rooms: int) -> Health:
        return Health(ok=True, epoch="e", rooms=rooms, peers=0, viewers=viewers, load=load)

    idle, waiting, busy, loaded = health(0.02, 0, 0), health(0.03, 0, 3), health(0.05, 60, 1), health(0.8, 10, 1)
    assert sorted([loaded, busy, waiting, idle], key=weight) == [idle, waiting, busy, loaded]


def test_everything_about_a_room_goes_to_its_node(pool: NodePool) -> None:
    put(pool, "lec_1", "lec_2")
    for room in ("lec_1", "lec_2"):
        assert pool.media.up(room, "usr_a", SDP) == SDP
        assert pool.media.down(room, "bp_a", ["stage"]).slots == ["stage"]
        pool.media.down_answer(room, "bp_a", "leg_1", SDP)
        pool.media.delete_peer(room, "bp_a")
    pool.media.delete_room("lec_1")
    assert pool.media.epoch_of("lec_1") == ""
    with pytest.raises(NotFound):
        pool.media.up("lec_1", "usr_a", SDP)
    pool.media.delete_room("lec_1")


def test_a_room_stays_on_its_node_though_another_has_less_to_do(pool: NodePool) -> None:
    put(pool, "lec_1", "lec_2", "lec_3")
    before = placed(pool, "lec_3")
    pool.media.delete_room("lec_2")
    pool.media.put_plan("lec_3", PLAN.model_copy(update={"version": 2}))
    assert placed(pool, "lec_3") == before


def test_the_next_web_process_finds_every_room_where_it_is(make: Callable[..., NodePool], pool: NodePool) -> None:
    put(pool, "lec_1", "lec_2", "lec_3")
    before = {room: placed(pool, room) for room in ("lec_1", "lec_2", "lec_3")}
    pool.stop(leave_node=True)
    following = make()
    put(following, "lec_3", "lec_2", "lec_1")
    assert {room: placed(following, room) for room in before} == before


def test_several_web_processes_place_a_room_only_once(make: Callable[..., NodePool], pool: NodePool) -> None:
    rooms = [f"lec_{n}" for n in range(12)]
    pools = [pool, make(), make()]  # locks on a file arbitrate between open files, as between processes
    threads = [threading.Thread(target=put, args=(one, *rooms)) for one in pools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({tuple(one.media.epoch_of(room) for room in rooms) for one in pools}) == 1
    named = [room for node in pool.nodes if (address := node.address()) for room in set(map(first, puts_of(address)))]
    assert sorted(named) == sorted(rooms)


def first(row: list[object]) -> str:
    return str(row[0])


def test_a_crash_of_one_node_touches_only_its_rooms(pool: NodePool) -> None:
    put(pool, "lec_1", "lec_2")
    crashed, other = placed(pool, "lec_1"), placed(pool, "lec_2")
    os.kill(next(node.pid for node in pool.nodes if node.address() == crashed), signal.SIGKILL)
    until(lambda: taken(pool, "lec_1"))
    assert placed(pool, "lec_1").epoch != crashed.epoch, "on the other node, or on its own one's next life"
    assert (placed(pool, "lec_2"), puts_of(other).count(["lec_2", 1])) == (other, 1)
    until(lambda: all(node.ready() for node in pool.nodes))
    assert placed(pool, "lec_2") == other
    put(pool, "lec_3")


def taken(pool: NodePool, room: str) -> bool:
    """Put a plan as the bridge does.  Returns whether a node took it."""
    try:
        pool.media.put_plan(room, PLAN)
        return True
    except Unavailable:
        return False


def test_the_rooms_of_a_node_that_ended_are_called_for_before_it_is_back(pool: NodePool) -> None:
    put(pool, "lec_1", "lec_2")
    crashed = placed(pool, "lec_1")
    number = next(node.number for node in pool.nodes if node.address() == crashed)
    seen: list[object] = []
    stream = pool.media.streams()[number]
    for event in stream(lambda: len(seen) < 3, lambda s: time.sleep(0.05)):
        if isinstance(event, Hello | NodeLost):
            seen.append(event)
        if len(seen) == 1:
            os.kill(pool.nodes[number].pid, signal.SIGKILL)
    hello, lost, again = seen
    assert isinstance(hello, Hello) and hello.epoch == crashed.epoch
    assert lost == NodeLost(crashed.epoch)
    assert isinstance(again, Hello) and again.epoch != crashed.epoch


def test_there_is_a_stream_of_events_for_every_node(pool: NodePool) -> None:
    put(pool, "lec_1", "lec_2")
    heard = []
    for stream, room in zip(pool.media.streams(), ("lec_1", "lec_2"), strict=True):
        for event in stream(lambda: True, lambda s: time.sleep(0.05)):
            if isinstance(event, Hello):
                pool.media.put_plan(room, RoomPlan(version=2, slots={}, publishers=[]))
            if isinstance(event, SlotSwitched):
                heard.append(event.room)
                break
    assert heard == ["lec_1", "lec_2"]


def test_while_a_node_is_silent_its_rooms_wait_and_no_other_is_placed_that_it_may_have(
    make: Callable[..., NodePool], pool: NodePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("media.client.READ_S", 0.5)
    put(pool, "lec_1", "lec_2")
    silent, well = placed(pool, "lec_1"), placed(pool, "lec_2")
    post(silent, "/fall-silent")
    assert not taken(pool, "lec_1")
    assert pool.media.epoch_of("lec_1") == silent.epoch, "it lives, so the room is still there"
    assert taken(pool, "lec_2") and placed(pool, "lec_2") == well
    second = MediaPool(pool.nodes, pool._config.data_dir / "media-rooms.lock")
    with pytest.raises(Unavailable):
        second.put_plan("lec_1", PLAN)
    second.put_plan("lec_2", PLAN)
    until(lambda: taken(pool, "lec_1"), within_s=30)
    assert pool.media.epoch_of("lec_1") not in ("", silent.epoch), "its supervisor ended it"


def test_a_room_that_two_nodes_have_stays_on_the_first_only(pool: NodePool) -> None:
    put(pool, "lec_1", "lec_2")
    strayed = placed(pool, "lec_2")
    headers = {"Authorization": f"Bearer {strayed.token}"}
    urllib3.request("PUT", strayed.control_url + "/rooms/lec_1", body=PLAN.model_dump_json(), headers=headers)
    following = MediaPool(pool.nodes, pool._config.data_dir / "media-rooms.lock")
    following.put_plan("lec_1", PLAN)
    health = urllib3.request("GET", strayed.control_url + "/healthz", headers=headers).json()
    assert health["room_ids"] == ["lec_2"]
    assert following.epoch_of("lec_1") == pool.media.epoch_of("lec_1")


def test_nodes_beyond_the_number_that_is_wanted_are_stopped(make: Callable[..., NodePool], pool: NodePool) -> None:
    pids = [node.pid for node in pool.nodes]
    pool.stop(leave_node=True)
    fewer = make(1)
    assert fewer.nodes[0].pid == pids[0]
    until(lambda: pool.nodes[1]._child is not None and pool.nodes[1]._child.poll() is not None)


def test_a_room_may_be_on_a_node_whose_supervisor_has_not_found_it_yet(pool: NodePool) -> None:
    class Late:
        """The same node, seen by its state file only."""

        stated = pool.nodes[0].stated

        def address(self) -> None:
            return None

    media = MediaPool([Late()], pool._config.data_dir / "media-rooms.lock")
    media.put_plan("lec_1", PLAN)
    stated = pool.nodes[0].stated()
    assert stated and media.epoch_of("lec_1") == stated.epoch
    assert media.up("lec_1", "usr_a", SDP) == SDP


def test_a_clean_shutdown_stops_all_nodes(pool: NodePool, tmp_path: Path) -> None:
    pool.stop()
    assert list(tmp_path.glob("media-node*.json")) == []
    assert all(node._child and node._child.poll() is not None for node in pool.nodes)


def test_each_node_has_ports_and_files_of_its_own(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path, media_port=5004, control_port=7000, media_processes=3)
    options = [node._options() for node in NodePool(config, FAKE).nodes]
    named = [dict(zip(each[::2], each[1::2], strict=True)) for each in options]
    assert [each["--port"] for each in named] == ["5004", "5005", "5006"]
    assert [each["--control-port"] for each in named] == ["7000", "7001", "7002"]
    assert len({each["--state"] for each in named}) == 3


def test_the_number_of_nodes_is_read_from_the_environment_or_leaves_a_core_to_the_web_process() -> None:
    assert from_environment({"MEDIA_PROCESSES": "3"}).media_nodes == 3
    assert from_environment({}).media_nodes == max(1, len(os.sched_getaffinity(0)) - 1)
    for wrong in ("0", "-1", "65", "many"):
        with pytest.raises(ValueError, match="MEDIA_PROCESSES"):
            from_environment({"MEDIA_PROCESSES": wrong})


def test_without_any_node_the_pool_says_so(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path, media_port=0, media_processes=2)
    media = NodePool(config, (sys.executable, "-c", "pass")).media
    with pytest.raises(Unavailable):
        media.put_plan("lec_1", PLAN)
    assert (media.epoch_of("lec_1"), media.metrics()) == ("", [None, None])
