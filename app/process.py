"""One web process from start to stop; `wsgi.py` calls it once the async mode is patched in."""

import logging
import os
import signal
from types import FrameType
from typing import Any

from app import create_app
from app.logs import init_logs
from app.node_pool import NodePool
from app.offload import Offload, directly
from app.wiring import Wiring
from core.config import from_environment

log = logging.getLogger(__name__)


def serve(offload: Offload = directly) -> None:
    """Serve until SIGTERM or SIGINT, then stop the nodes and everything else in order.

    offload: the async mode's own way to run what would block all its green threads.
    """
    config = from_environment()
    init_logs(os.environ.get("LOG_FORMAT", "console"))
    node = NodePool(config)
    app = create_app(config, node=node, offload=offload)
    wiring: Wiring = app.extensions["wiring"]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    options: dict[str, Any] = {"allow_unsafe_werkzeug": True} if config.async_mode == "threading" else {}
    try:
        node.start()
        wiring.start()
        log.info("ready", extra={"url": config.public_url, "async_mode": config.async_mode})
        wiring.socketio.run(app, host=config.host, port=config.port, **options)
    except (KeyboardInterrupt, SystemExit):
        log.info("stopping")
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # once is enough: the recordings are being closed
        wiring.stop()
        node.stop()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
