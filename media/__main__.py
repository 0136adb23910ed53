"""`python -m media`: run one media node until it is told to stop."""

import argparse
import asyncio
import gc
import json
import logging
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path

from aiohttp import web

from media.node import Node
from media.server import make_app
from media.transport import Port

ORPHAN_S = 600.0  # a node nobody listens to for this long stops by itself


def arguments() -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(prog="python -m media", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="holds recordings/ and media-token")
    parser.add_argument("--host", default="0.0.0.0,::", help="local addresses of the media port, comma separated")
    parser.add_argument("--port", type=int, default=5004, help="UDP and TCP port for media; 0: any free one")
    parser.add_argument("--announce", default="auto", help="addresses in candidates, comma separated, or auto")
    parser.add_argument("--control-port", type=int, default=0, help="loopback TCP port; 0: any free one")
    parser.add_argument("--state", type=Path, required=True, help="JSON file written when the node is ready")
    return parser.parse_args()


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGTERM, SIGINT, or until nobody has listened for ten minutes."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))  # Debian's soft limit is 1024, a TCP peer needs one
    token = os.environ.get("MEDIA_TOKEN") or (options.data_dir / "media-token").read_text().strip()
    hosts = tuple(filter(None, options.host.replace(" ", "").split(",")))
    port = Port(hosts, options.port, announced(options.announce, hosts))
    recordings = options.data_dir / "recordings"
    recordings.mkdir(parents=True, exist_ok=True)
    node = Node(port, recordings)
    runner = web.AppRunner(make_app(node, token), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", options.control_port)
    await site.start()
    await node.open()
    control_port = runner.addresses[0][1]
    _write(options.state, {"pid": os.getpid(), "control_url": f"http://127.0.0.1:{control_port}",
                           "epoch": node.epoch, "media_port": port.addresses[0][1]})  # fmt: skip
    # What is here now stays: without it to go through, the collector comes sooner and is done sooner.
    gc.collect()
    gc.freeze()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    while not stop.is_set() and time.monotonic() - node.heard_at < ORPHAN_S:
        try:
            await asyncio.wait_for(stop.wait(), 1.0)
        except TimeoutError:
            continue
    await node.close()
    await runner.cleanup()


def announced(wanted: str, hosts: tuple[str, ...] = ("0.0.0.0",)) -> tuple[str, ...]:
    """Return the addresses for candidates.

    wanted: comma separated; `auto` stands for this machine's own addresses, then loopback;
    hosts: where the port listens: only families that do are announced by `auto`.
    """
    found: list[str] = []
    for address in filter(None, wanted.replace(" ", "").split(",")):
        found += _automatic(hosts) if address == "auto" else [address]
    return tuple(dict.fromkeys(found)) or ("127.0.0.1",)


def _automatic(hosts: tuple[str, ...]) -> list[str]:
    found = []
    for family, anywhere, probe, own in (
        (socket.AF_INET, "0.0.0.0", "192.0.2.1", "127.0.0.1"),  # TEST-NET-1, RFC 5737
        (socket.AF_INET6, "::", "2001:db8::1", "::1"),  # documentation, RFC 3849
    ):
        named = [h for h in hosts if (":" in h) == (family == socket.AF_INET6)]
        if anywhere in named:
            found += [*_own_address(family, probe), own]
        else:
            found += named
    return sorted(found, key=lambda ip: ip in ("127.0.0.1", "::1"))


def _own_address(family: int, elsewhere: str) -> list[str]:
    """Return the address the default route leaves from; connecting a UDP socket sends nothing."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            return [str(probe.getsockname()[0])]
    except OSError:  # no network of this family
        return []


def _write(path: Path, state: dict[str, object]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(state))
    temporary.replace(path)


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=os.environ.get("LOG_LEVEL", "INFO"))
    asyncio.run(run(arguments()))
