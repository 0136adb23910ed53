"""The supervised media node, with a stand-in that speaks the same protocol."""

import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from app.node import NodeSupervisor
from core.config import Config
from core.errors import Conflict, Invalid, NotAllowed, NotFound, Unavailable
from media.client import MediaClient, NodeAddress
from media.control import Heartbeat, Hello, RoomPlan, SlotSwitched
from tests.fake_node import SDP

FAKE = (sys.executable, "-m", "tests.fake_node")
PLAN = RoomPlan(version=1, slots={"stage": "usr_a/camera"}, publishers=["usr_a"])


def until(true: Callable[[], object], within_s: float = 15) -> None:
    """Wait for something another process does; how long it takes is not what is tested."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[], NodeSupervisor]]:
    made: list[NodeSupervisor] = []

    def supervisor(command: tuple[str, ...] = FAKE) -> NodeSupervisor:
        made.append(NodeSupervisor(Config(data_dir=tmp_path, media_port=0), command))
        return made[-1]

    yield supervisor
    for one in made:
        one.stop()
    for one in made:
        if one._child:  # a node that its supervisor left alone was stopped by the next one
            one._child.wait()


@pytest.fixture
def node(make: Callable[[], NodeSupervisor]) -> NodeSupervisor:
    supervisor = make()
    supervisor.start()
    until(supervisor.ready)
    return supervisor


@pytest.fixture
def client(node: NodeSupervisor) -> MediaClient:
    return MediaClient(node.address)


def crash(supervisor: NodeSupervisor) -> None:
    """End a supervisor as kill -9 of its web process would: no goodbye, the lock freed by the system."""
    supervisor.stop(leave_node=True)


def test_a_node_is_started_and_answers(client: MediaClient, node: NodeSupervisor) -> None:
    assert client.health().ok
    assert client.epoch == client.health().epoch
    assert node.pid


def test_the_shared_secret_is_readable_by_this_user_only(node: NodeSupervisor, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "media-token").stat().st_mode) == 0o600


def test_a_killed_node_is_started_again(client: MediaClient, node: NodeSupervisor) -> None:
    before, epoch = node.pid, client.epoch
    os.kill(before, signal.SIGKILL)
    until(lambda: node.ready() and node.pid not in (0, before))
    assert client.health().epoch not in ("", epoch)


def test_a_node_that_falls_silent_is_started_again(
    client: MediaClient, node: NodeSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.node.SILENCE_S", 1.0)
    before, address = node.pid, node.address()
    assert address
    urllib3.request("POST", address.control_url + "/fall-silent", headers={"Authorization": f"Bearer {address.token}"})
    until(lambda: node.pid not in (0, before) and node.ready(), within_s=30)


def test_the_next_web_process_adopts_the_living_node(make: Callable[[], NodeSupervisor], node: NodeSupervisor) -> None:
    pid, address = node.pid, node.address()
    crash(node)
    following = make()
    following.start()
    assert following.ready(), "an adopted node is there at once"
    assert (following.pid, following.address()) == (pid, address)


def test_an_adopted_node_that_is_killed_is_started_again(
    make: Callable[[], NodeSupervisor], node: NodeSupervisor
) -> None:
    pid = node.pid
    crash(node)
    following = make()
    following.start()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)  # it is this test's child, and a dead child that nobody buried keeps its number
    until(lambda: following.ready() and following.pid not in (0, pid))


def test_a_second_web_process_uses_the_node_and_starts_none(
    make: Callable[[], NodeSupervisor], node: NodeSupervisor
) -> None:
    second = make()
    second.start()
    until(second.ready)
    assert second.address() == node.address()
    assert second.pid == 0, "it is not this one's to supervise"
    second.stop()
    assert MediaClient(node.address).health().ok, "and not this one's to stop"


def test_a_clean_shutdown_stops_the_node(node: NodeSupervisor, tmp_path: Path) -> None:
    address = node.address()
    node.stop()
    assert not (tmp_path / "media-node.json").exists()
    with pytest.raises(Unavailable):
        MediaClient(lambda: address).health()


def test_a_state_file_of_a_program_that_is_not_our_node_is_not_believed(
    make: Callable[[], NodeSupervisor], tmp_path: Path
) -> None:
    (tmp_path / "media-node.json").write_text(
        f'{{"pid": {os.getpid()}, "control_url": "http://127.0.0.1:9", "epoch": "e"}}'
    )
    supervisor = make()
    supervisor.start()
    until(supervisor.ready)
    assert supervisor.pid not in (0, os.getpid())


# ---- the client ---------------------------------------------------------------------------


def test_a_plan_is_put_and_the_room_is_what_it_says(client: MediaClient) -> None:
    assert client.put_plan("lec_1", PLAN).shown == {"stage": "usr_a/camera"}
    assert client.up("lec_1", "usr_a", SDP) == SDP
    assert client.down("lec_1", "bp_a", ["stage"]).slots == ["stage"]
    client.down_answer("lec_1", "bp_a", "leg_1", SDP)
    client.delete_peer("lec_1", "bp_a")
    client.delete_room("lec_1")
    client.delete_room("lec_1")


def test_each_refusal_of_the_node_is_one_of_our_errors(client: MediaClient) -> None:
    client.put_plan("lec_1", PLAN)
    with pytest.raises(NotFound):
        client.up("lec_unknown", "usr_a", SDP)
    with pytest.raises(NotAllowed):
        client.up("lec_1", "bp_a", SDP)
    with pytest.raises(Invalid):
        client.up("lec_1", "usr_a", "no description at all")
    with pytest.raises(Conflict):
        client.down_answer("lec_1", "bp_a", "leg_old", SDP)


def test_no_node_a_dead_address_and_a_wrong_token_are_all_unavailable(node: NodeSupervisor) -> None:
    address = node.address()
    assert address
    wrong = NodeAddress(address.control_url, "wrong", "")
    for where in (None, NodeAddress("http://127.0.0.1:9", "t", ""), wrong):
        with pytest.raises(Unavailable) as caught:
            MediaClient(lambda where=where: where).health()
        assert caught.value.code == "media.unavailable"


def test_events_go_on_by_themselves_after_the_node_was_restarted(client: MediaClient, node: NodeSupervisor) -> None:
    seen: list[object] = []
    for event in client.events(lambda: len(seen) < 3, lambda s: time.sleep(0.05)):
        if isinstance(event, Heartbeat):
            continue
        seen.append(event)
        if len(seen) == 1:
            client.put_plan("lec_1", PLAN)
        if len(seen) == 2:
            os.kill(node.pid, signal.SIGKILL)
    first, switched, again = seen
    assert isinstance(first, Hello) and isinstance(again, Hello) and first.epoch != again.epoch
    assert switched == SlotSwitched(room="lec_1", slot="stage", publication="usr_a/camera", latency_ms=7)
