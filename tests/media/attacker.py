"""A process that attacks a node on loopback, bounded in time and count; see test_node_attacks.py.

`blast` sends the datagrams of a file, over and over, from a socket it is given or from many of its own;
`connect` opens TCP connections from many loopback addresses and holds them; `watch` is a viewer, to be stopped.
The last line says what was done, as one JSON object.
"""

import argparse
import asyncio
import json
import resource
import selectors
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import urllib3

from tests.fuzz.corpus import split


def blast(given: argparse.Namespace) -> dict[str, Any]:
    """Send as fast as `--rate` says (0: as fast as it goes)."""
    datagrams = split(Path(given.file).read_bytes(), 1 << 20)
    target = ("127.0.0.1", given.port)
    if given.fd is not None:
        sockets = [socket.socket(fileno=given.fd)]
    else:
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(given.sources)]
        for i, sock in enumerate(sockets):
            sock.bind((f"127.0.{1 + i // 250}.{1 + i % 250}" if given.hosts else "127.0.0.1", 0))
    started, sent = time.monotonic(), 0
    limit = len(datagrams) if given.once else 1 << 40
    while sent < limit and (now := time.monotonic() - started) < given.seconds:
        if given.rate and sent > now * given.rate:
            time.sleep(0.001)
            continue
        for _ in range(min(32, limit - sent)):
            try:
                sockets[sent % len(sockets)].sendto(datagrams[sent % len(datagrams)], target)
            except (BlockingIOError, ConnectionError):
                pass
            sent += 1
    return {"sent": sent, "seconds": round(time.monotonic() - started, 2)}


def connect(given: argparse.Namespace) -> dict[str, Any]:
    """Open connections, say something on each now and then, and count those that the node closes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    selector, say = selectors.DefaultSelector(), bytes.fromhex(given.say)
    opened, refused, closed, started = 0, 0, 0, time.monotonic()
    said: dict[socket.socket, int] = {}
    while time.monotonic() - started < given.seconds and (said or opened + refused < given.connections):
        for _ in range(50):
            if opened + refused >= given.connections:
                break
            sock = socket.socket()
            sock.setblocking(False)
            try:
                n = opened + refused
                sock.bind((f"127.0.{2 + n % given.hosts // 250}.{1 + n % given.hosts % 250}", 0))
                sock.connect_ex(("127.0.0.1", given.port))
            except OSError:
                refused += 1
                sock.close()
                continue
            opened += 1
            selector.register(sock, selectors.EVENT_READ)
            said[sock] = 0
        for key, _ in selector.select(0.01):
            try:
                over = not key.fileobj.recv(4096)  # type: ignore[union-attr]
            except OSError:
                over = True
            if over:
                closed += 1
                selector.unregister(key.fileobj)
                said.pop(key.fileobj)  # type: ignore[call-overload]
                key.fileobj.close()  # type: ignore[union-attr]
        if say:
            for sock, at in list(said.items()):
                try:
                    sock.send(say[at : at + given.step])
                except OSError:
                    continue
                said[sock] = (at + given.step) % len(say)
            time.sleep(given.pause)
    left = len(said)
    for sock in said:
        sock.close()
    return {"opened": opened, "refused": refused, "closed": closed, "left": left}


def watch(given: argparse.Namespace) -> dict[str, Any]:
    """Be a viewer of the stage until told to stop, or for `--seconds`."""
    from tests.media.light import LightPeer

    state, http = json.loads(Path(given.state).read_text()), urllib3.PoolManager(retries=False, timeout=5)

    def ok(method: str, path: str, body: Any = None) -> Any:
        answer = http.request(
            method, state["control_url"] + path, json=body, headers={"Authorization": f"Bearer {given.token}"}
        )
        assert answer.status < 300, answer.data
        return json.loads(answer.data) if answer.data else None

    async def story() -> int:
        node: Any = SimpleNamespace(ok=ok, media_port=state["media_port"])
        peer = await LightPeer(node, given.peer, tcp=given.tcp).watch(["stage", "guest"])
        print("watching", flush=True)
        end = time.monotonic() + given.seconds
        while time.monotonic() < end:
            await asyncio.sleep(2)
            peer.send(peer.check())
        return len(peer.rtp)

    return {"packets": asyncio.run(story())}


def main() -> None:
    """Attack as the command line says."""
    parser = argparse.ArgumentParser(prog="tests.media.attacker")
    parser.add_argument("what", choices=["blast", "connect", "watch"])
    parser.add_argument("--port", type=int)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--file")
    parser.add_argument("--fd", type=int)
    parser.add_argument("--sources", type=int, default=1)
    parser.add_argument("--hosts", type=int, default=0)
    parser.add_argument("--rate", type=int, default=0)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--connections", type=int, default=0)
    parser.add_argument("--say", default="")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.1)
    parser.add_argument("--state")
    parser.add_argument("--token")
    parser.add_argument("--peer", default="bp_stopped")
    parser.add_argument("--tcp", action="store_true")
    given = parser.parse_args()
    print(json.dumps({"blast": blast, "connect": connect, "watch": watch}[given.what](given)), flush=True)


if __name__ == "__main__":
    main()
