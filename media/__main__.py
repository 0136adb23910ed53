"""`python -m media`: run one media node until it is told to stop."""

import argparse
import asyncio
import json
import logging
import os
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
    parser.add_argument("--host", default="0.0.0.0", help="address of the media port")
    parser.add_argument("--port", type=int, default=5004, help="UDP port for media; 0: any free one")
    parser.add_argument("--announce", default="auto", help="addresses in candidates, comma separated, or auto")
    parser.add_argument("--control-port", type=int, default=0, help="loopback TCP port; 0: any free one")
    parser.add_argument("--state", type=Path, required=True, help="JSON file written when the node is ready")
    return parser.parse_args()


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGTERM, SIGINT, or until nobody has listened for ten minutes."""
    token = os.environ.get("MEDIA_TOKEN") or (options.data_dir / "media-token").read_text().strip()
    port = Port(options.host, options.port, announced(options.announce))
    recordings = options.data_dir / "recordings"
    recordings.mkdir(parents=True, exist_ok=True)
    node = Node(port, recordings)
    runner = web.AppRunner(make_app(node, token), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", options.control_port)
    await site.start()
    node.open()
    control_port = runner.addresses[0][1]
    _write(options.state, {"pid": os.getpid(), "control_url": f"http://127.0.0.1:{control_port}",
                           "epoch": node.epoch, "media_port": port.addresses[0][1]})  # fmt: skip
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


def announced(wanted: str) -> tuple[str, ...]:
    """Return the IPv4 addresses for candidates.

    wanted: comma separated; `auto` stands for this machine's own address, then loopback.
    """
    found: list[str] = []
    for address in filter(None, wanted.replace(" ", "").split(",")):
        found += [*_own_address(), "127.0.0.1"] if address == "auto" else [address]
    return tuple(dict.fromkeys(found)) or ("127.0.0.1",)


def _own_address() -> list[str]:
    """Return the address the default route leaves from; connecting a UDP socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737
            return [str(probe.getsockname()[0])]
        except OSError:  # no network at all
            return []


def _write(path: Path, state: dict[str, object]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(state))
    temporary.replace(path)


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=os.environ.get("LOG_LEVEL", "INFO"))
    asyncio.run(run(arguments()))
