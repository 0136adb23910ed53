"""The application: one factory, and everything that puts the features together."""

from pathlib import Path
from typing import Any

from flask import Flask

from app.offload import Offload, directly
from core.clock import Clock, SystemClock
from core.config import Config

STATIC = Path(__file__).resolve().parent.parent / "static"
BODY_MAX = 1_000_000  # bytes of a request; no page of ours sends more


def create_app(
    config: Config, *, clock: Clock | None = None, node: Any | None = None, offload: Offload = directly
) -> Flask:
    """Make the whole web application.

    config: see `core.config`; clock: the machine's by default; node: the supervised media node
    (`app.node`), None for tests without media; offload: runs what would block the hub.
    Nothing is started: `wsgi.py` starts the ticker and the node.
    """
    from app import (
        auth,
        errors,
        features,
        headers,
        i18n,
        keys,
        metrics,
        pages,
        passwords,
        services,
        tokens,
        typed,
        wiring,
    )

    app = Flask(__name__, static_folder=str(STATIC))
    app.config.update(TESTING=config.testing, MAX_CONTENT_LENGTH=BODY_MAX, SEND_FILE_MAX_AGE_DEFAULT=3600)
    app.secret_key = keys.secret_key(config)
    typed.init_app(app)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]

    parts = services.build(config, clock or SystemClock(), offload)
    for name in features.SERVICES:
        app.extensions[name] = getattr(parts, name)
    app.extensions.update(services=parts, node=node, passwords=passwords.Passwords(offload, quick=config.testing))
    app.extensions["offload"] = offload
    parts.uploads.tidy()  # they have people's data: none outlives a restart by more than its half hour

    headers.init_app(app, config)
    auth.init_app(app, config)
    i18n.init_app(app, config)
    errors.init_app(app)
    pages.init_app(app)
    tokens.init_app(app)
    metrics.init_app(app, config)
    for pages_of_feature in features.blueprints():
        app.register_blueprint(pages_of_feature)
    wiring.init_app(app, parts, node)
    return app
