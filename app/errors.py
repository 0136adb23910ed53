"""Errors to HTTP, once: a translated page for people, RFC 9457 problem JSON for programs."""

import logging
import secrets

from flask import Flask, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from core.errors import N_, AppError, NotAllowed

log = logging.getLogger(__name__)

TITLES = {
    400: N_("The request cannot be read"),
    401: N_("Not allowed"),
    403: N_("Not allowed"),
    404: N_("Not found"),
    405: N_("The request cannot be read"),
    409: N_("Not possible now"),
    412: N_("Not possible now"),
    413: N_("Too large"),
    415: N_("The request cannot be read"),
    422: N_("Please check what you entered"),
    428: N_("The request cannot be read"),
    429: N_("Too many attempts"),
    500: N_("Something went wrong"),
    503: N_("Not available now"),
}
SENTENCES = {
    404: N_("There is nothing here, or you are not allowed to see it."),
    413: N_("What was sent is too large."),
}


def init_app(app: Flask) -> None:
    """Answer every kind of failure here and nowhere else."""
    app.register_error_handler(AppError, on_app_error)
    app.register_error_handler(CSRFError, on_csrf_error)
    app.register_error_handler(HTTPException, on_http_error)
    app.register_error_handler(Exception, on_unexpected)


def translated(error: AppError) -> str:
    """Return the error's sentence in the language of the request."""
    return str(gettext(error.message, **error.params))


def on_app_error(error: AppError) -> ResponseReturnValue:
    """Answer one of the five kinds; an anonymous person who may not see a page is asked to sign in."""
    refused_page = isinstance(error, NotAllowed) and request.method == "GET" and not _wants_json()
    if refused_page and not current_user.is_authenticated:
        return redirect(url_for("auth.login", next=request.full_path.rstrip("?")))
    return _answer(error.status, error.code, translated(error))


def on_csrf_error(error: CSRFError) -> ResponseReturnValue:
    """Answer a form that was open too long or came from elsewhere."""
    return _answer(400, "request.csrf", gettext("This page was open for too long. Please load it again."))


def on_http_error(error: HTTPException) -> ResponseReturnValue:
    """Answer what Flask itself refuses: unknown address, wrong method, too large."""
    status = error.code or 500
    if status < 400 and error.response is not None:
        return error.get_response()
    sentence = SENTENCES.get(status, N_("The request cannot be read."))
    answer = _answer(status, f"http.{status}", gettext(sentence))
    for name, value in error.get_headers():
        if name in ("Allow", "Content-Range", "Retry-After"):
            answer.headers[name] = value
    return answer


def on_unexpected(error: Exception) -> ResponseReturnValue:
    """Log what nobody foresaw under an id; the person is told the id and nothing else."""
    error_id = secrets.token_hex(4)
    log.exception("unexpected error", extra={"error_id": error_id, "path": request.path})
    sentence = gettext("Something went wrong on our side. Please tell the organiser this number: %(id)s", id=error_id)
    return _answer(500, "unexpected", sentence)


def _wants_json() -> bool:
    if request.path.startswith(("/api/", "/whip/", "/whep/")) or request.is_json:
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json" and not request.accept_mimetypes.accept_html


def _answer(status: int, code: str, sentence: str) -> Response:
    title = gettext(TITLES.get(status, TITLES[500]))
    if _wants_json():
        problem = jsonify(type="about:blank", title=title, status=status, code=code, detail=sentence)
        problem.status_code = status
        problem.mimetype = "application/problem+json"
        return problem
    page = render_template("error.html", status=status, title=title, sentence=sentence, code=code)
    return Response(page, status)
