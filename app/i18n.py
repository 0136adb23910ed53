"""Two languages: which one a request gets, times on screen, and the words the pages' scripts need."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.support import Translations
from flask import Blueprint, Flask, current_app, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import Babel, format_datetime, format_decimal, get_locale, gettext
from flask_login import current_user

from core.config import Config
from core.errors import N_, NotFound

LANGUAGES = ("vi", "en")
COOKIE = "language"
YEAR_S = 365 * 86400
TRANSLATIONS = Path(__file__).parent / "translations"

bp = Blueprint("language", __name__)


def init_app(app: Flask, config: Config) -> None:
    """Choose the language of each request; put the words and filters where templates find them."""
    app.config.update(BABEL_DEFAULT_LOCALE=config.locale, BABEL_DEFAULT_TIMEZONE=config.zone)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    Babel(app, locale_selector=choose_language)
    app.register_blueprint(bp)
    app.jinja_env.globals.update(js_catalogue=js_catalogue, languages=LANGUAGES)
    app.jinja_env.filters.update(local=local, number=number)
    app.context_processor(lambda: {"locale": str(get_locale())})


def choose_language() -> str:
    """Return the language of this request: the visitor's choice, else the account's, else the installation's."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    if current_user and current_user.is_authenticated and current_user.locale in LANGUAGES:
        return str(current_user.locale)
    return str(current_app.config["BABEL_DEFAULT_LOCALE"])


@bp.get("/language/<code>")
def choose(code: str) -> ResponseReturnValue:
    """Keep the visitor's choice for a year and go back to where they were."""
    if code not in LANGUAGES:
        raise NotFound("language.unknown", N_("There is no such language."))
    answer = redirect(safe_path(request.args.get("next")))
    answer.set_cookie(COOKIE, code, max_age=YEAR_S, samesite="Lax", secure=request.is_secure, httponly=True)
    return answer


def safe_path(target: str | None) -> str:
    """Return a path on this site to go to, never another site's address.

    target: what the query said, such as `/timetable?week=2`.  Returns `/` for anything doubtful.
    """
    doubtful = not target or not target.startswith("/") or target[1:2] in ("/", "\\")
    if doubtful or any(ord(c) < 32 for c in str(target)):
        return "/"
    return str(target)


def local(at: datetime, form: str = "medium", zone: str | None = None) -> str:
    """Show an aware moment in a place's zone.

    at: aware datetime; form: "short", "medium", "long" or a Babel pattern such as `EEEE d/M, HH:mm`;
    zone: IANA name, by default the installation's.
    """
    place = ZoneInfo(zone or current_app.config["BABEL_DEFAULT_TIMEZONE"])
    return str(format_datetime(at.astimezone(place), form, rebase=False))


def number(value: float) -> str:
    """Show a number as the reader writes it, with one decimal at most: `7.151` and `1,5` in Vietnamese."""
    return str(format_decimal(round(value, 1), format="#,##0.#"))


def translation_of(locale: str) -> Callable[[str], str]:
    """Return what puts an English sentence into one language, outside of any request."""
    return Translations.load(str(TRANSLATIONS), [locale]).gettext


def js_catalogue() -> str:
    """Return the words that scripts need, as JSON safe to stand inside a script element."""
    words = {msgid: gettext(msgid) for msgid in js_messages()} if str(get_locale()) != "en" else {}
    return json.dumps(words, ensure_ascii=False).replace("<", "\\u003c")


def js_messages() -> list[str]:
    """Return every English sentence in static/js; the list is made with the catalogues."""
    listed = TRANSLATIONS / "js.json"
    return _read_list(listed, listed.stat().st_mtime_ns) if listed.exists() else []


@lru_cache(maxsize=1)
def _read_list(path: Path, changed_ns: int) -> list[str]:
    messages: list[str] = json.loads(path.read_text("utf-8"))
    return messages
