"""The pages that belong to no feature: start, lecturer console, kiosk, and the two for machines."""

import logging
from datetime import timedelta

from flask import Blueprint, Flask, current_app, jsonify, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.attention import attention
from app.auth import services
from app.schema import is_current
from app.tokens import role_of
from core.errors import N_, NotAllowed

log = logging.getLogger(__name__)

AHEAD = timedelta(days=14)  # what the start page shows
BACK = timedelta(days=7)

bp = Blueprint("pages", __name__)


def init_app(app: Flask) -> None:
    """Offer the pages."""
    app.register_blueprint(bp)


@bp.get("/")
def home() -> ResponseReturnValue:
    """Show what is on now and what is next."""
    if not current_user.is_authenticated:
        return render_template("home.html", live=[], upcoming=[], ended=[])
    now = services().clock.now()
    lectures = services().schedules.lectures_between(now - BACK, now + AHEAD)
    return render_template(
        "home.html",
        live=[lecture for lecture in lectures if lecture.status in ("open", "live")],
        upcoming=[lecture for lecture in lectures if lecture.status == "planned" and lecture.ends_at > now],
        ended=[lecture for lecture in reversed(lectures) if lecture.status == "ended"],
        needs=attention(services(), current_user.roles),
    )


@bp.get("/lectures/<lecture_id>/console")
def console(lecture_id: str) -> ResponseReturnValue:
    """Show the console: to the lecturer, and to those who watch over the lecture."""
    lecture = services().schedules.lecture(lecture_id)
    role = role_of(lecture, current_user)
    if role is None:
        raise NotAllowed("room.no_part", N_("You have no part in this lecture."))
    page_data = {
        "lecture": lecture.id,
        "tokenUrl": f"/api/lectures/{lecture.id}/token",
        "role": role,
        "title": lecture.title,
        "topic": lecture.topic_title,
        "lecturer": lecture.lecturer_name,
        "startsAt": lecture.starts_at.isoformat(),
        "endsAt": lecture.ends_at.isoformat(),
        "pollUrl": "/p/",
    }
    return render_template("console.html", lecture=lecture, page_data=page_data)


@bp.get("/kiosk")
def kiosk() -> ResponseReturnValue:
    """Show the hall's screen: it pairs once, then joins its point's lectures by itself."""
    page_data = {"stateUrl": "/kiosk/state", "pairingUrl": "/kiosk/pairing", "pollUrl": "/p/"}
    return render_template("kiosk.html", page_data=page_data)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Say that the web process lives."""
    return jsonify(ok=True)


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Say whether a class could be held: database and media node both answer."""
    checks = {"database": _database_answers(), "media": _node_answers()}
    return jsonify(ok=all(checks.values()), **checks), 200 if all(checks.values()) else 503


def _database_answers() -> bool:
    try:
        return is_current(services().db)
    except Exception as error:
        log.warning("database does not answer", extra={"error": str(error)})
        return False


def _node_answers() -> bool:
    node = current_app.extensions.get("node")
    return bool(node and node.ready())
