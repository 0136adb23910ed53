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
    from app import auth, errors, headers, i18n, keys, metrics, pages, passwords, services, tokens, wiring
    from attendance.views import bp as attendance_pages
    from replays.views import bp as replay_pages
    from schedules.plans.views import bp as plan_pages
    from schedules.views import bp as schedule_pages

    app = Flask(__name__, static_folder=str(STATIC))
    app.config.update(TESTING=config.testing, MAX_CONTENT_LENGTH=BODY_MAX, SEND_FILE_MAX_AGE_DEFAULT=3600)
    app.secret_key = keys.secret_key(config)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]

    parts = services.build(config, clock or SystemClock())
    for name in ("config", "clock", "bus", "db", "schedules", "plans", "years", "rooms", "attendance", "replays"):
        app.extensions[name] = getattr(parts, name)
    app.extensions.update(
        services=parts, node=node, offload=offload, passwords=passwords.Passwords(offload, quick=config.testing)
    )

    headers.init_app(app, config)
    auth.init_app(app, config)
    i18n.init_app(app, config)
    errors.init_app(app)
    pages.init_app(app)
    tokens.init_app(app)
    metrics.init_app(app, config)
    for feature_pages in (schedule_pages, plan_pages, attendance_pages, replay_pages):
        app.register_blueprint(feature_pages)
    wiring.init_app(app, parts, node)
    return app
