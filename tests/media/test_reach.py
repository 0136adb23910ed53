"""Every way to the node: UDP and TCP on one port number, IPv4 and IPv6, another network in mid-class."""

import asyncio
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from media.tcp import FIRST_CHECK_S
from tests.media.conftest import ROOM, NodeProcess
from tests.media.light import LightPeer

A, B = "usr_a", "bp_b"
SLOTS = {"stage": f"{A}/camera", "audio-0": f"{A}/mic"}


def run(story: Any) -> Any:
    return asyncio.run(asyncio.wait_for(story(), 60))


@pytest.fixture
def wide(tmp_path: Path) -> Iterator[NodeProcess]:
    process = NodeProcess(tmp_path, "127.0.0.1,::1")
    yield process
    process.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("up_tcp", [False, True])
@pytest.mark.parametrize("down_tcp", [False, True])
def test_media_flows_over_every_pair_of_ways(wide: NodeProcess, host: str, up_tcp: bool, down_tcp: bool) -> None:
    async def story() -> int:
        wide.plan(1, SLOTS, [A])
        publisher = await LightPeer(wide, A, host, tcp=up_tcp).publish()
        viewer = await LightPeer(wide, B, host, tcp=down_tcp).watch(["stage", "audio-0"])
        await publisher.stream(0.5)
        await asyncio.sleep(0.2)
        got = len(viewer.rtp)
        publisher.close()
        viewer.close()
        return got

    assert run(story) >= 20


def test_the_offer_names_every_way_and_prefers_udp(wide: NodeProcess) -> None:
    wide.plan(1, SLOTS, [A])
    sdp = wide.ok("POST", f"/rooms/{ROOM}/peers/{B}/down", {"slots": ["stage"]})["sdp"]
    found = re.findall(r"a=candidate:(\d+) 1 (udp|tcp) (\d+) (\S+) (\d+) typ host( tcptype passive)?", sdp)
    assert len({number for number, *_ in found}) == 4
    assert {(kind, ip) for _, kind, _, ip, _, _ in found} == {
        (k, ip) for k in ("udp", "tcp") for ip in ("127.0.0.1", "::1")
    }
    assert {int(port) for *_, port, _ in found} == {wide.media_port}
    assert min(int(p) for _, k, p, *_ in found if k == "udp") > max(int(p) for _, k, p, *_ in found if k == "tcp")
    assert all(bool(passive) == (kind == "tcp") for _, kind, *_, passive in found)


def test_the_end_of_a_connection_frees_the_leg_at_once(node: NodeProcess) -> None:
    async def story() -> None:
        node.plan(1, SLOTS, [A])
        publisher = await LightPeer(node, A, tcp=True).publish()
        await publisher.stream(0.3)
        assert node.plan(1, SLOTS, [A])["peers"] == [A]
        asyncio.get_running_loop().remove_reader(publisher.socket)
        publisher.socket.close()  # a killed browser: no goodbye, only the kernel's FIN
        await asyncio.sleep(0.5)
        assert node.plan(1, SLOTS, [A])["peers"] == []

    run(story)


@pytest.mark.parametrize("tcp", [False, True])
def test_another_address_takes_the_leg_over_without_a_new_handshake(node: NodeProcess, tcp: bool) -> None:
    """A change of network: new ICE names on the same DTLS, and media goes on.  Source: RFC 8445 section 9."""

    async def story() -> None:
        node.plan(1, SLOTS, [A])
        publisher = await LightPeer(node, A).publish()
        viewer = await LightPeer(node, B, tcp=tcp).watch(["stage", "audio-0"])
        await publisher.stream(0.3)
        keys = viewer.dtls
        before = len(viewer.rtp)
        assert before
        path = f"/rooms/{ROOM}/peers/{B}/down"
        fresh = await asyncio.to_thread(node.ok, "PATCH", path, {"ufrag": None})
        assert fresh["ufrag"] != viewer.ufrag
        old, viewer.ufrag, viewer.pwd = (viewer.ufrag, viewer.pwd), fresh["ufrag"], fresh["pwd"]
        viewer.move()
        viewer.send(viewer.check())
        await asyncio.sleep(0.1)
        await publisher.stream(0.4, start=100)
        assert viewer.dtls is keys and len(viewer.rtp) > before + 10
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
            late.settimeout(0.3)
            late.sendto(viewer.check(*old), ("127.0.0.1", node.media_port))
            with pytest.raises(TimeoutError):  # the old names are gone once the new are used
                late.recv(2048)
        publisher.close()
        viewer.close()

    run(story)


def test_a_restart_of_a_leg_that_is_not_there_is_refused(node: NodeProcess) -> None:
    node.plan(1, SLOTS, [A])
    status, answer = node.call("PATCH", f"/rooms/{ROOM}/peers/{B}/down", {"ufrag": None})
    assert (status, answer["error"]["code"]) == (404, "leg.unknown")


def test_strangers_on_tcp_are_closed(node: NodeProcess) -> None:
    address = ("127.0.0.1", node.media_port)
    silent = socket.create_connection(address, 2)
    for first in (b"\x00\x05\x80aaaa", b"\xff\xff", b"GET / HTTP/1.1\r\n\r\n", struct.pack("!H", 40) + b"\x16" * 40):
        with socket.create_connection(address, 2) as rude:
            rude.sendall(first)
            rude.settimeout(2)
            try:
                assert rude.recv(100) == b""
            except ConnectionResetError:
                pass  # closed at once, as it should be
    silent.settimeout(FIRST_CHECK_S + 3)
    try:
        assert silent.recv(1) == b"", "a connection without a check is closed after 5 s"
    except ConnectionResetError:
        pass
    silent.close()


def test_a_node_that_listens_on_no_address_of_this_machine_says_so(tmp_path: Path) -> None:
    state = tmp_path / "node.json"
    process = subprocess.run(
        [sys.executable, "-m", "media", "--data-dir", tmp_path, "--host", "192.0.2.7", "--port", "0", "--state", state],
        env={**os.environ, "MEDIA_TOKEN": "x"}, stderr=subprocess.PIPE, timeout=30, check=False,
    )  # fmt: skip
    assert process.returncode and b"no media on 192.0.2.7" in process.stderr and not state.exists()
