"""What strangers and liars send to the port or to the control port, and that the class goes on."""

import asyncio
import os
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.media.conftest import ROOM, NodeProcess
from tests.media.light import LightPeer

A, B = "usr_a", "bp_b"
SLOTS = {"stage": f"{A}/camera", "audio-0": f"{A}/mic"}
ALERT = bytes.fromhex("15fefd000000000000000000020228")  # fatal handshake_failure
BAD_HELLO = bytes.fromhex("16feff0000000000000000003601 00002a 0000 000000 00002a fefd".replace(" ", "")) + b"\x11" * 32


def run(story: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(story(), 60))


async def flood(port: int, datagrams: list[bytes], stop: asyncio.Event, limit: int = 20_000) -> None:
    """A stranger's own socket: its address is never authenticated."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        for i in range(limit):
            if stop.is_set():
                return
            try:
                stranger.sendto(datagrams[i % len(datagrams)], ("127.0.0.1", port))
            except BlockingIOError:
                pass
            if i % 20 == 0:
                await asyncio.sleep(0.001)


def test_twenty_joins_succeed_while_a_stranger_races_their_hellos(node: NodeProcess) -> None:
    """ASVS 5 section 17.2.6: a stranger's DTLS datagram must not end somebody else's handshake."""

    async def story() -> int:
        node.plan(1, SLOTS, [A])
        stop = asyncio.Event()
        attack = asyncio.create_task(flood(node.media_port, [ALERT, BAD_HELLO, b"\x16" + os.urandom(60)], stop))
        joined = 0
        for i in range(20):
            peer = await LightPeer(node, f"bp_{i}").watch(["stage", "audio-0"])
            joined += peer.up.is_set()
            peer.close()
        stop.set()
        await attack
        return joined

    assert run(story) == 20


def test_an_unknown_or_forged_check_gets_no_answer(node: NodeProcess) -> None:
    async def story() -> None:
        node.plan(1, SLOTS, [A])
        peer = await LightPeer(node, A).publish()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.settimeout(0.3)
            for data in (
                peer.check(ufrag="nobody99"),
                peer.check(pwd="wrong" * 5),
                b"\0\1",
                peer.check()[:-6],
                b"\0" * 20,
            ):
                stranger.sendto(data, ("127.0.0.1", node.media_port))
                with pytest.raises(TimeoutError):
                    stranger.recv(2048)
            stranger.sendto(peer.check(**{"ICE-CONTROLLED": 7}), ("127.0.0.1", node.media_port))
            assert stranger.recv(2048)[:2] == b"\x01\x11", "a role conflict is told, RFC 8445 section 7.3.1.1"
        peer.close()

    run(story)


def test_injected_replayed_and_damaged_media_never_reach_a_viewer(node: NodeProcess) -> None:
    async def story() -> None:
        node.plan(1, SLOTS, [A])
        publisher = await LightPeer(node, A).publish()
        viewer = await LightPeer(node, B).watch(["stage", "audio-0"])
        await publisher.stream(0.4)
        replay = [publisher.send_media(21, 500 + i, 2_000_000 + i * 3600, b"\x78\0\4\x67abc") for i in range(20)]
        await asyncio.sleep(0.2)
        before = len(viewer.rtp)
        assert before > 20
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            plain = struct.pack("!BBHLL", 0x80, 96, 999, 1, 21) + b"\x67injected"
            for data in [*replay, plain, *(os.urandom(300) for _ in range(500))]:
                stranger.sendto(data, ("127.0.0.1", node.media_port))
        for data in replay:
            publisher.send(data)  # replayed from the right address
            publisher.send(bytes(data[:20]) + bytes((data[20] ^ 1,)) + data[21:])  # one bit turned
            publisher.send(data[:15])
        await asyncio.sleep(0.3)
        assert len(viewer.rtp) == before
        await publisher.stream(0.4, start=600)
        assert len(viewer.rtp) > before, "the class goes on"
        publisher.close()
        viewer.close()

    run(story)


def test_a_flood_at_line_rate_does_not_stop_the_class(node: NodeProcess) -> None:
    async def story() -> tuple[int, int]:
        node.plan(1, SLOTS, [A])
        publisher = await LightPeer(node, A).publish()
        viewer = await LightPeer(node, B).watch(["stage", "audio-0"])
        stop = asyncio.Event()
        rubbish = [bytes((random.choice((0, 22, 128, 200)),)) + os.urandom(200) for _ in range(50)]
        attack = asyncio.create_task(flood(node.media_port, rubbish, stop))
        viewer.rtp.clear()
        await publisher.stream(2.0, start=100)
        await asyncio.sleep(0.2)
        stop.set()
        await attack
        publisher.close()
        viewer.close()
        return len(viewer.rtp), 2 * 50

    received, sent = run(story)
    assert received >= sent * 0.95


def test_a_goodbye_frees_the_leg_at_once_and_the_slot_is_emptied(node: NodeProcess) -> None:
    async def story() -> None:
        node.plan(1, SLOTS, [A])
        publisher = await LightPeer(node, A).publish()
        await publisher.stream(0.3)
        assert node.plan(1, SLOTS, [A])["shown"] == SLOTS
        publisher.close()
        await asyncio.sleep(0.3)
        status = node.plan(1, SLOTS, [A])
        assert status["peers"] == [] and status["shown"] == {}

    run(story)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PUT", f"/rooms/{ROOM}", {"version": 1}, 422, "message.invalid"),
        (
            "PUT",
            f"/rooms/{ROOM}",
            {"version": 1, "slots": {}, "publishers": [], "colour": "red"},
            422,
            "message.invalid",
        ),
        (
            "PUT",
            f"/rooms/{ROOM}",
            {"version": 1, "slots": {"sofa": "usr_a/mic"}, "publishers": []},
            422,
            "message.invalid",
        ),
        (
            "PUT",
            f"/rooms/{ROOM}",
            {"version": 1, "slots": {"stage": "usr_a/smell"}, "publishers": []},
            422,
            "message.invalid",
        ),
        ("POST", f"/rooms/{ROOM}/peers/usr_a/up", {"sdp": "x" * 70_000}, 422, "message.invalid"),
        ("POST", f"/rooms/{ROOM}/peers/usr_a/up", {"sdp": "this is not a description"}, 422, "sdp.malformed"),
        ("POST", f"/rooms/{ROOM}/peers/usr_z/up", {"sdp": "this is not a description"}, 403, "publish.not_planned"),
        ("POST", "/rooms/lec_none/peers/usr_a/down", {"slots": ["stage"]}, 404, "room.unknown"),
        ("POST", f"/rooms/{ROOM}/peers/usr_a/down", {"slots": []}, 422, "message.invalid"),
        ("POST", f"/rooms/{ROOM}/peers/usr_a/down", {"slots": ["stage", "stage"]}, 409, "leg.slots"),
        ("PUT", f"/rooms/{ROOM}/peers/usr_b/down", {"leg": "leg_x", "sdp": "v=0" + "x" * 30}, 404, "leg.unknown"),
        ("DELETE", "/rooms/..%2f..%2fetc", None, 403, "name.malformed"),
    ],
)
def test_a_wrong_control_message_is_refused_with_its_reason(
    node: NodeProcess, method: str, path: str, body: Any, status: int, code: str
) -> None:
    node.plan(1, {}, [A])
    got, answer = node.call(method, path, body)
    assert (got, answer["error"]["code"]) == (status, code), answer
    assert answer["error"]["message"]


def test_nobody_commands_the_node_without_its_token(node: NodeProcess) -> None:
    for token in ("", "wrong", TOKEN_PREFIX):
        assert node.call("GET", "/healthz", token=token)[0] == 401
    assert node.call("GET", "/healthz")[0] == 200


TOKEN_PREFIX = "a-token-for-test"


def test_an_answer_to_an_old_offer_is_refused(node: NodeProcess) -> None:
    async def story() -> None:
        node.plan(1, {}, [A])
        path = f"/rooms/{ROOM}/peers/{B}/down"
        old = node.ok("POST", path, {"slots": ["stage"]})
        node.ok("POST", path, {"slots": ["stage"]})
        peer = LightPeer(node, B)
        status, answer = node.call("PUT", path, {"leg": old["leg"], "sdp": peer.offer()})
        assert (status, answer["error"]["code"]) == (409, "leg.stale")
        peer.close()

    run(story)
