"""One web process from start to stop; `wsgi.py` calls it once the async mode is patched in."""

import logging
import os
from collections.abc import Callable
from typing import Any

from app import create_app
from app.interrupt import end_on_signals, ignore_signals
from app.logs import init_logs
from app.node_pool import NodePool
from app.offload import Offload, directly
from app.wiring import Wiring
from core.config import from_environment

log = logging.getLogger(__name__)


def serve(offload: Offload | None = None, later: Callable[[], object] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then stop the nodes and everything else in order.

    offload: the async mode's own way to run what would block all its green threads; later: its way to
    interrupt this one from within a signal's handler.
    """
    config = from_environment()
    init_logs(os.environ.get("LOG_FORMAT", "console"))
    node = NodePool(config)
    app = create_app(config, node=node, offload=offload or directly)
    wiring: Wiring = app.extensions["wiring"]
    end_on_signals(later)
    options: dict[str, Any] = {"allow_unsafe_werkzeug": True} if config.async_mode == "threading" else {}
    try:
        node.start()
        wiring.start()
        log.info("ready", extra={"url": config.public_url, "async_mode": config.async_mode})
        wiring.socketio.run(app, host=config.host, port=config.port, **options)
    except (KeyboardInterrupt, SystemExit):
        log.info("stopping")
    finally:
        ignore_signals()  # the recordings are being closed
        wiring.stop()
        node.stop()
