"""What every answer says to the browser about itself, and whom a state-changing request may come from."""

import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request
from flask_wtf.csrf import CSRFProtect

from core.config import Config
from core.errors import N_, NotAllowed

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
BEARER_ONLY = ("/whip/", "/whep/")  # no cookie counts there, so no other site can use one
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
PERMISSIONS = (
    "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), screen-wake-lock=(self), "
    "autoplay=(self), geolocation=(), payment=(), usb=()"
)
_csrf = CSRFProtect()


def init_app(app: Flask, config: Config) -> None:
    """Check the origin of every request that changes something, and set the headers of every answer."""
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=False)
    _csrf.init_app(app)
    app.jinja_env.globals["csp_nonce"] = csp_nonce
    app.before_request(refuse_strangers)
    app.after_request(set_headers)
    app.extensions["own_origins"] = frozenset({_netloc(config.public_url)})


def csp_nonce() -> str:
    """Return this answer's nonce for inline scripts."""
    nonce: str | None = g.get("csp_nonce")
    if nonce is None:
        nonce = g.csp_nonce = secrets.token_urlsafe(16)
    return nonce


def refuse_strangers() -> None:
    """Let nobody else's page change something in our user's name.

    A foreign Origin is refused. A form must carry its CSRF token. Anything else must be JSON (which
    another site cannot send without our leave) or come with our own Origin.
    Raises NotAllowed; flask_wtf's CSRFError for a form without its token.
    Source: OWASP ASVS 5.0 section 3.5.
    """
    if request.method in SAFE_METHODS or request.path.startswith(BEARER_ONLY):
        return
    origin = request.headers.get("Origin")
    own = {request.host, *current_app.extensions["own_origins"]}
    if origin is not None and _netloc(origin) not in own:
        raise NotAllowed("request.foreign_origin", N_("This request came from another site and was refused."))
    if request.mimetype in FORM_TYPES or (origin is None and request.mimetype != "application/json"):
        _csrf.protect()


def set_headers(response: Response) -> Response:
    """Add the security and caching headers; a view that set its own Cache-Control keeps it."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", _content_policy())
    headers.setdefault("Permissions-Policy", PERMISSIONS)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint != "static":
        response.vary.add("Cookie")
        headers.setdefault("Cache-Control", "no-store")
    return response


def _content_policy() -> str:
    socket = f"ws://{request.host} wss://{request.host}"  # 'self' covers ws only in newer browsers
    return (
        f"default-src 'self'; script-src 'self' 'nonce-{csp_nonce()}'; style-src 'self'; "
        f"img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self' {socket}; "
        "worker-src 'self' blob:; font-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )


def _netloc(url: str) -> str:
    return urlsplit(url).netloc
