"""Room tokens: signed, short-lived, they say who may come into which room as what."""

from typing import Literal

from flask import Blueprint, Flask, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer
from pydantic import TypeAdapter, ValidationError

from app.auth import Nobody, Person, services
from core.errors import N_, Conflict, NotAllowed
from core.permissions import any_may
from rooms.events import RoomRole
from schedules.records import DeviceView, LectureView
from signaling.connections import TokenClaims

SALT = "room"
MAX_AGE_S = 600
_ROLE: TypeAdapter[RoomRole] = TypeAdapter(RoomRole)

bp = Blueprint("tokens", __name__)


def init_app(app: Flask) -> None:
    """Offer the one route that gives tokens out."""
    app.register_blueprint(bp)


def sign(secret: str, lecture: str, participant: str, role: RoomRole) -> str:
    """Return a token for `room.join`; it is checked there, once, and is old after ten minutes."""
    return str(URLSafeTimedSerializer(secret, salt=SALT).dumps({"l": lecture, "p": participant, "r": role}))


def verify(secret: str, given: str) -> TokenClaims:
    """Return what a token says.  Raises NotAllowed when it is old, or not ours."""
    try:
        body = URLSafeTimedSerializer(secret, salt=SALT).loads(given, max_age=MAX_AGE_S)
        return TokenClaims(str(body["l"]), str(body["p"]), _ROLE.validate_python(body["r"]))
    except SignatureExpired as error:
        raise NotAllowed("token.expired", N_("This page was open for too long. Please load it again.")) from error
    except (BadData, ValidationError, KeyError, TypeError) as error:
        raise NotAllowed("token.invalid", N_("This way in is not valid. Please load the page again.")) from error


@bp.post("/api/lectures/<lecture_id>/token")
def token(lecture_id: str) -> ResponseReturnValue:
    """Give a token to who may come in.

    `?as=point` asks as the paired device of this browser, whoever else is signed in in it.
    Raises NotFound for an unknown lecture, NotAllowed for who has no part in it.
    """
    lecture = services().schedules.lecture(lecture_id)
    if lecture.status == "cancelled":
        raise Conflict("lecture.cancelled", N_("This lecture was cancelled."))
    role, participant = who_comes(lecture, current_user, g.device, request.args.get("as"))
    return jsonify(token=sign(str(current_app.secret_key), lecture.id, participant, role))


def who_comes(
    lecture: LectureView, person: Person | Nobody, device: DeviceView | None, wish: str | None = None
) -> tuple[RoomRole, str]:
    """Return (role, participant id) with which somebody comes into a lecture's room.

    A device only into lectures of its point; a lecturer only into their own.
    Raises NotAllowed for everybody else.
    """
    role = None if wish == "point" else role_of(lecture, person)
    if role and person.id:
        return role, person.id
    if device and device.point_id in lecture.all_point_ids:
        return "point", device.point_id
    raise NotAllowed("room.no_part", N_("You have no part in this lecture."))


def role_of(lecture: LectureView, person: Person | Nobody) -> Literal["lecturer", "organiser", "observer"] | None:
    """Return a person's role in a lecture's room, or None when they have none.

    An observer watches lectures in which their organisation, or one below it, takes part.
    """
    if not any_may(person.roles, "room.join"):
        return None
    if person.id == lecture.lecturer_id:
        return "lecturer"
    if person.roles & {"organiser", "admin"}:
        return "organiser"
    return "observer" if "observer" in person.roles and _watches(lecture, person) else None


def _watches(lecture: LectureView, person: Person | Nobody) -> bool:
    return person.org_id in services().schedules.organisations_over_lecture(lecture.id)
