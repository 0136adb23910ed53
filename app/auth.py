"""Who is asking: a person by a signed cookie after login, or a bridge point by its device's cookie."""

import hashlib
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from flask import Blueprint, Flask, current_app, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import AnonymousUserMixin, LoginManager, UserMixin, current_user, login_user, logout_user

from app.i18n import safe_path
from app.passwords import Attempts, Passwords
from app.services import Services
from core.config import Config
from core.permissions import Action, Role, any_may

log = logging.getLogger(__name__)

DEVICE_COOKIE = "device"
SIGNED_IN_FOR = timedelta(hours=12)  # a class day with its preparation
FAILURES = 5  # per name and address in one minute: a person's typing errors, not a program's guesses
FAILURES_AT = 40  # per address in one minute: a whole hall may sit behind one
LOGIN_MAX, PASSWORD_MAX = 100, 200  # characters; a longer password costs us time to hash

bp = Blueprint("auth", __name__)


@dataclass(frozen=True, eq=False)
class Person(UserMixin):  # type: ignore[misc]  # flask_login has no types
    """Somebody who has signed in."""

    id: str
    name: str
    org_id: str
    roles: frozenset[Role]
    locale: str
    mark: str = field(repr=False)  # of the password: a changed password ends all other visits

    def get_id(self) -> str:
        """Return what the cookie keeps."""
        return f"{self.id}.{self.mark}"


class Nobody(AnonymousUserMixin):  # type: ignore[misc]
    """A visitor who has not signed in."""

    id = None
    name = ""
    org_id = None
    roles: frozenset[Role] = frozenset()
    locale = None


def init_app(app: Flask, config: Config) -> None:
    """Recognise persons and devices before each request."""
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.public_url.startswith("https:"),
        PERMANENT_SESSION_LIFETIME=SIGNED_IN_FOR,
    )
    logins = LoginManager(app)
    logins.anonymous_user = Nobody
    logins.session_protection = None  # it ends visits when a phone changes networks; SameSite and mark guard us
    logins.user_loader(load_person)
    app.before_request(load_device)
    app.register_blueprint(bp)
    app.context_processor(lambda: {"may": i_may, "device": g.get("device")})
    clock = app.extensions["clock"]
    app.extensions["login_attempts"] = (Attempts(clock, FAILURES, 60), Attempts(clock, FAILURES_AT, 60))


def services() -> Services:
    """Return the services of the running app."""
    return cast(Services, current_app.extensions["services"])


def i_may(action: Action) -> bool:
    """Return whether the person who asks may do this, for templates."""
    return any_may(current_user.roles, action)


def load_person(kept: str) -> Person | None:
    """Return the person of a cookie, or None when the account is gone or its password was changed."""
    user_id, _, mark = kept.partition(".")
    found = services().schedules.credentials_of(user_id)
    person = _person(found) if found else None
    return person if person and person.mark == mark else None


def load_device() -> None:
    """Put the paired device of this request into `g.device`, or None."""
    token = None if request.endpoint == "static" else request.cookies.get(DEVICE_COOKIE)
    g.device = services().schedules.device(token) if token else None


@bp.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """Ask for name and password; sign in and go where the visitor wanted to."""
    target = safe_path(request.values.get("next"))
    if request.method == "GET":
        return render_template("login.html", error=None, login="", next=target)
    name = request.form.get("login", "").strip()[:LOGIN_MAX].lower()
    person = _check(name, request.form.get("password", "")[:PASSWORD_MAX])
    if person is None:
        error = gettext("Name or password is wrong.")
        return render_template("login.html", error=error, login=name, next=target), 422
    session.clear()
    session.permanent = True
    login_user(person)
    log.info("signed in", extra={"user": person.id})
    return redirect(target)


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """Sign out."""
    logout_user()
    session.clear()
    return redirect(url_for("pages.home"))


def _check(name: str, password: str) -> Person | None:
    of_pair, of_address = current_app.extensions["login_attempts"]
    passwords: Passwords = current_app.extensions["passwords"]
    address = request.remote_addr or ""
    pair = f"{address} {name}"
    of_pair.check(pair)
    of_address.check(address)
    found = services().schedules.credentials(name)
    if not passwords.matches(password, found.password_hash if found else None):
        of_pair.failed(pair)
        of_address.failed(address)
        return None
    of_pair.succeeded(pair)
    return _person(found)


def _person(found: Any) -> Person:
    user = found.user
    mark = hashlib.sha256(found.password_hash.encode()).hexdigest()[:16]
    return Person(user.id, user.name, user.org_id, frozenset(user.roles), user.locale, mark)
