"""WHIP and WHEP over HTTP: who may is decided by a bearer token alone, never by a cookie.

**Source:** RFC 9725 (WHIP), draft-ietf-wish-whep, RFC 8840 (trickle-ice-sdpfrag), RFC 6750 (bearer tokens).
"""

import re
from typing import cast

from flask import Blueprint, Flask, Response, current_app, request, url_for

from core.errors import N_, AppError, Invalid
from media.control import IceRestarted
from signaling.media_bridge import is_session_description
from signaling.messages import MAX_SDP, Ice
from signaling.streams import Purpose, Streams, unauthorised
from signaling.turn import Turn

PURPOSES: dict[str, Purpose] = {"whip": "ingest", "whep": "playback"}
SDP, FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"
RETRY_AFTER_S = 5
CORS = {
    "Access-Control-Allow-Origin": "*",  # no cookie counts here, so every page may ask with a token of its own
    "Access-Control-Expose-Headers": "Location, ETag, Link, Accept-Post, Accept-Patch",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Max-Age": "3600",
}
ICE_WORD = re.compile(r"[A-Za-z0-9+/]{4,256}")  # RFC 8839 section 5.4

bp = Blueprint("streams", __name__)


class Malformed(AppError):
    """The body is not what its type says."""

    status = 400


class WrongType(AppError):
    """A body of another type than the one that is taken."""

    status = 415


class TooLarge(AppError):
    """A body longer than any that a client of ours sends."""

    status = 413


class NoPrecondition(AppError):
    """A change that does not say what it changes."""

    status = 428


def init_app(app: Flask, streams: Streams, turn: Turn) -> None:
    """Offer the routes."""
    app.extensions.update(streams=streams, turn=turn)
    app.register_blueprint(bp)


@bp.route("/<any(whip, whep):kind>/<lecture_id>", methods=["OPTIONS"], provide_automatic_options=False)
def endpoint_options(kind: str, lecture_id: str) -> Response:
    """Say what an endpoint takes; a browser asks before it posts."""
    return Response(status=200, headers={"Accept-Post": SDP, "Allow": "POST, OPTIONS", **PREFLIGHT})


@bp.route("/<any(whip, whep):kind>/<lecture_id>", methods=["POST"], provide_automatic_options=False)
def begin(kind: str, lecture_id: str) -> Response:
    """Begin a session: offer in, answer out.  Source: RFC 9725 section 4.2."""
    token, offer = _token(), _body(SDP)
    if not is_session_description(offer):
        raise Malformed("media.malformed", N_("This is no session description."))
    started = _streams().start(lecture_id, PURPOSES[kind], token, request.remote_addr or "", offer)
    response = Response(started.sdp, status=201, content_type=SDP)
    response.headers["Location"] = url_for(
        "streams.end", kind=kind, lecture_id=lecture_id, session=started.session, _external=False
    )
    response.headers["Accept-Patch"] = FRAGMENT
    response.set_etag(started.etag)
    for link in links(cast(Turn, current_app.extensions["turn"]).ice(started.point)):
        response.headers.add("Link", link)
    return response


@bp.route("/<any(whip, whep):kind>/<lecture_id>/<session>", methods=["OPTIONS"], provide_automatic_options=False)
def session_options(kind: str, lecture_id: str, session: str) -> Response:
    """Say what a session takes."""
    return Response(status=200, headers={"Accept-Patch": FRAGMENT, "Allow": "PATCH, DELETE, OPTIONS", **PREFLIGHT})


@bp.route("/<any(whip, whep):kind>/<lecture_id>/<session>", methods=["DELETE"], provide_automatic_options=False)
def end(kind: str, lecture_id: str, session: str) -> Response:
    """End a session."""
    _streams().stop(lecture_id, PURPOSES[kind], _token(), session)
    return Response(status=200)


@bp.route("/<any(whip, whep):kind>/<lecture_id>/<session>", methods=["PATCH"], provide_automatic_options=False)
def change(kind: str, lecture_id: str, session: str) -> Response:
    """Take candidates, which an ICE-lite node needs none of, or restart ICE.

    Source: RFC 9725 section 4.3: `If-Match` names the ICE names that are meant, `*` asks for others.
    """
    token, fragment, given = _token(), _body(FRAGMENT), request.headers.get("If-Match", "").strip()
    if not given:
        raise NoPrecondition("stream.no_precondition", N_("If-Match is missing."))
    names = ice_names(fragment)
    if given != "*":
        _streams().check_etag(lecture_id, PURPOSES[kind], token, session, given.strip('"'))
        return Response(status=204)
    if names is None:
        raise Invalid("stream.no_names", N_("An ICE restart carries new ICE names."))
    etag, ice, candidates = _streams().restart(lecture_id, PURPOSES[kind], token, session, names[0])
    response = Response(restarted(ice, candidates), status=200, content_type=FRAGMENT)
    response.set_etag(etag)
    return response


@bp.after_request
def add_headers(response: Response) -> Response:
    """Let pages of other sites read the answer, and say what a refusal asks for."""
    for name, value in CORS.items():
        response.headers[name] = value
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    if response.status_code == 429:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def links(ice: Ice) -> list[str]:
    """Return the values of the Link headers that name the relay.  Source: RFC 9725 section 4.6."""
    return [
        f'<{url}>; rel="ice-server"; username="{server.username}"; credential="{server.credential}"; '
        'credential-type="password"'
        for server in ice.servers
        for url in server.urls
    ]


def ice_names(fragment: str) -> tuple[str, str] | None:
    """Return (ufrag, password) of an SDP fragment, None when it has none.  Raises Malformed."""
    found: dict[str, str] = {}
    for line in fragment.replace("\r\n", "\n").split("\n"):
        if line and not (len(line) > 2 and line[1] == "=" and line[0] in "am" and line.isprintable()):
            raise Malformed("stream.malformed", N_("This is no fragment of a session description."))
        name, _, value = line.partition(":")
        if name not in ("a=ice-ufrag", "a=ice-pwd"):
            continue
        if not ICE_WORD.fullmatch(value) or found.setdefault(name, value) != value:
            raise Malformed("stream.malformed", N_("This is no fragment of a session description."))
    return (found["a=ice-ufrag"], found["a=ice-pwd"]) if len(found) == 2 else None


def restarted(ice: IceRestarted, candidates: tuple[str, ...]) -> str:
    """Return the fragment that answers an ICE restart.  candidates: the lines of the answer's first section."""
    lines = ["a=ice-lite", f"a=ice-ufrag:{ice.ufrag}", f"a=ice-pwd:{ice.pwd}", *candidates]
    return "\r\n".join(lines) + "\r\n"


def _body(kind: str) -> str:
    if request.mimetype != kind:
        raise WrongType("stream.wrong_type", N_("The content type must be %(kind)s."), kind=kind)
    if (request.content_length or 0) > MAX_SDP:
        raise TooLarge("stream.too_large", N_("What was sent is too large."))
    data = request.get_data(cache=False)
    if len(data) > MAX_SDP:
        raise TooLarge("stream.too_large", N_("What was sent is too large."))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("stream.malformed", N_("This is no fragment of a session description.")) from error


def _token() -> str:
    """Return the token of the request.  Raises Unauthorised when there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorised()
    return token.strip()


def _streams() -> Streams:
    return cast(Streams, current_app.extensions["streams"])
