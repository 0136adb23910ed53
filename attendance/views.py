"""Pages of attendance: the phone's, the point operator's, and the register."""

import io
import re
from datetime import datetime
from typing import Any, Protocol, cast
from zoneinfo import ZoneInfo

import segno
from flask import Blueprint, Response, current_app, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user
from itsdangerous import BadSignature, Signer

from attendance.access import Ties, Viewer, check_register, points_of, role_at_point
from attendance.ballots import MAX_PEOPLE
from attendance.register import LectureFacts, PointLine, whole_minutes
from attendance.service import AttendanceService, Question, Schedules
from attendance.spreadsheet import to_csv
from core.clock import Clock, from_ms
from core.config import Config
from core.errors import N_, AppError, Invalid, NotFound
from core.ids import new_id
from core.permissions import Role, require
from rooms.state import RoomState

bp = Blueprint("attendance", __name__, template_folder="templates")

PHONE_COOKIE = "phone"
PHONE_KEPT_S = 86_400  # longer than any class; nothing else is remembered of a phone
QR_KEPT_S = 3600
ONE_NUMBER = re.compile(r"[0-9]{1,9}")


class Timetable(Schedules, Protocol):
    """What these pages ask of the timetable."""

    def operates(self, user_id: str, point_id: str, /) -> bool:
        """Return whether this person is the operator of this point."""
        ...

    def organisations_over_lecture(self, lecture_id: str, /) -> set[str]:
        """Return the organisations that take part and all above them."""
        ...


class LiveRooms(Protocol):
    """What these pages ask of the live rooms."""

    def state(self, lecture: str, /) -> RoomState:
        """Return the folded state of a lecture's room."""
        ...


# ---- the phone ---------------------------------------------------------------------------------


@bp.get("/p/<poll_id>")
def phone(poll_id: str) -> ResponseReturnValue:
    """Show the question with its answers, or what this phone has chosen, or that the poll is closed."""
    question = _attendance().question(poll_id)
    if first := _first(question.lecture_id):
        return redirect(first)
    return _phone_page(question, _phone_id() or new_id("ph"))


@bp.post("/p/<poll_id>")
def answer(poll_id: str) -> ResponseReturnValue:
    """Take this phone's answer."""
    phone_id = _phone_id()
    question = _attendance().question(poll_id)
    try:
        if phone_id is None:
            raise Invalid(
                "phone.no_cookie",
                N_("Your browser did not keep our cookie. Please allow cookies and scan the code again."),
            )
        _attendance().cast(poll_id, phone_id, _one_number("choice", _bad_choice()))
    except AppError as error:
        return _phone_page(_attendance().question(poll_id), phone_id or new_id("ph"), error)
    return redirect(url_for("attendance.phone", poll_id=question.poll_id), 303)


@bp.get("/p/<poll_id>/qr.svg")
def qr(poll_id: str) -> ResponseReturnValue:
    """Draw the code that leads a phone to the poll: black on white with its quiet zone, in any theme.

    **Source:** ISO/IEC 18004 section 6.3.8 (a quiet zone of four modules).
    """
    if not _attendance().question(poll_id).is_live:
        raise NotFound("poll.unknown", N_("There is no such poll. Please scan the code on the screen again."))
    address = f"{_config().public_url}{url_for('attendance.phone', poll_id=poll_id)}"
    drawing = io.BytesIO()
    code = segno.make(address, error="m", micro=False)
    code.save(drawing, kind="svg", border=4, dark="#000", light="#fff", omitsize=True)
    response = Response(drawing.getvalue(), mimetype="image/svg+xml")
    response.headers["Cache-Control"] = f"public, max-age={QR_KEPT_S}"
    return response


def _first(lecture_id: str) -> str | None:
    """Return where somebody who has signed in has to go first, such as to the rules of the class; None: nowhere."""
    entry = current_app.extensions.get("entry") if current_user.is_authenticated else None
    return cast(str | None, entry(current_user.id, lecture_id, request.path)) if entry else None


def _phone_page(question: Question, phone_id: str, error: AppError | None = None) -> Response:
    chosen = _attendance().answer_of(question.poll_id, phone_id)
    page = render_template("attendance/phone.html", question=question, chosen=chosen, error=_sentence(error))
    response = Response(page, error.status if error else 200 if question.is_live else 410)
    if _phone_id() is None:
        response.set_cookie(
            PHONE_COOKIE,
            _signer().sign(phone_id).decode(),
            max_age=PHONE_KEPT_S,
            path="/p",
            httponly=True,
            samesite="Lax",
            secure=_config().public_url.startswith("https:"),
        )
    return response


def _phone_id() -> str | None:
    """Return the random id that we gave this phone; one that we did not sign is none."""
    try:
        return _signer().unsign(request.cookies.get(PHONE_COOKIE, "")).decode()
    except (BadSignature, UnicodeDecodeError):
        return None


def _signer() -> Signer:
    return Signer(cast(str, current_app.secret_key), salt="phone")


def _bad_choice() -> Invalid:
    return Invalid("poll.bad_choice", N_("Please choose one of the answers shown."))


# ---- the operator of a point -------------------------------------------------------------------


@bp.get("/lectures/<lecture_id>/points/<point_id>")
def operate(lecture_id: str, point_id: str) -> ResponseReturnValue:
    """Show the operator's page of one point in one lecture."""
    lecture, _ = _at_point(lecture_id, point_id)
    return _operator_page(lecture, point_id)


@bp.get("/lectures/<lecture_id>/points/<point_id>/state")
def operator_state(lecture_id: str, point_id: str) -> ResponseReturnValue:
    """Tell the operator's page what to watch for: phase, connection, open poll, people."""
    _at_point(lecture_id, point_id)
    state = _rooms().state(lecture_id)
    return jsonify(
        phase=state.phase,
        connected=point_id in state.present,
        poll=state.poll.poll if state.poll else None,
        people=state.people.get(point_id),
    )


@bp.post("/lectures/<lecture_id>/points/<point_id>/people")
def declare_people(lecture_id: str, point_id: str) -> ResponseReturnValue:
    """Take the head-count of a point."""
    lecture, role = _at_point(lecture_id, point_id)
    try:
        wrong = Invalid("people.out_of_range", N_("The number of people lies between 0 and %(most)s."), most=MAX_PEOPLE)
        people = _one_number("people", wrong)
        _attendance().declare_people(lecture_id, point_id, people, current_user.id, role)
    except AppError as error:
        return _operator_page(lecture, point_id, error, "people")
    flash(gettext("Saved: %(people)s people.", people=people), "ok")
    return redirect(url_for("attendance.operate", lecture_id=lecture_id, point_id=point_id), 303)


@bp.post("/lectures/<lecture_id>/points/<point_id>/hand-count")
def enter_hand_count(lecture_id: str, point_id: str) -> ResponseReturnValue:
    """Take the hands counted at a point for the open poll."""
    lecture, _ = _at_point(lecture_id, point_id)
    try:
        poll_id = request.form.get("poll", "")
        if _attendance().question(poll_id).lecture_id != lecture_id:
            raise NotFound("poll.unknown", N_("There is no such poll. Please scan the code on the screen again."))
        _attendance().enter_hand_count(poll_id, point_id, _hands(), current_user.id)
    except AppError as error:
        return _operator_page(lecture, point_id, error, "hands")
    flash(gettext("The hand-count is saved. You can correct it until the poll closes."), "ok")
    return redirect(url_for("attendance.operate", lecture_id=lecture_id, point_id=point_id), 303)


def _operator_page(
    lecture: LectureFacts, point_id: str, error: AppError | None = None, where: str = ""
) -> ResponseReturnValue:
    state = _rooms().state(lecture.id)
    question = _attendance().question(state.poll.poll) if state.poll else None
    page = render_template(
        "attendance/operate.html",
        lecture=lecture,
        point_id=point_id,
        point_name=_timetable().labels([point_id]).get(point_id, point_id),
        state=state,
        connected=point_id in state.present,
        people=request.form.get("people", state.people.get(point_id)),
        question=question if question and question.is_open else None,
        hands=_hands_shown(question, point_id),
        error=_sentence(error),
        where=where,
        most=MAX_PEOPLE,
    )
    return Response(page, error.status if error else 200)


def _hands_shown(question: Question | None, point_id: str) -> list[str]:
    """Return what the hand-count fields show: what was just typed, else what was saved, else nothing."""
    if question is None:
        return []
    typed = request.form.getlist("hands")
    saved = _attendance().hand_count(question.poll_id, point_id)
    shown = typed or [str(count) for count in saved or ()]
    return [shown[n] if n < len(shown) else "" for n in range(len(question.options))]


def _hands() -> list[int]:
    """Return the hands of the form; an empty field is none."""
    typed = [text.strip() or "0" for text in request.form.getlist("hands")]
    if not all(ONE_NUMBER.fullmatch(text) for text in typed):
        raise Invalid("hand_count.out_of_range", N_("A number of hands lies between 0 and %(most)s."), most=MAX_PEOPLE)
    return [int(text) for text in typed]


def _at_point(lecture_id: str, point_id: str) -> tuple[LectureFacts, Role]:
    require(current_user.roles, "point.people")
    lecture = _timetable().lecture(lecture_id)
    return lecture, role_at_point(_viewer(), lecture, point_id, _ties(lecture), "point.people")


# ---- the register ------------------------------------------------------------------------------


@bp.get("/lectures/<lecture_id>/register")
def register(lecture_id: str) -> ResponseReturnValue:
    """Show the register of a lecture, to read on a screen or to print and sign."""
    _check_register(lecture_id)
    made = _attendance().register(lecture_id)

    def remarks(line: PointLine) -> list[str]:
        return [str(gettext(message, **values)) for message, values in made.remarks(line)]

    return render_template(
        "attendance/register.html",
        register=made,
        lecture=made.lecture,
        now=_clock().now(),
        minutes=whole_minutes,
        remarks=remarks,
        moment=from_ms,
    )


@bp.get("/lectures/<lecture_id>/register.csv")
def register_csv(lecture_id: str) -> ResponseReturnValue:
    """Give the register as a file for spreadsheets."""
    _check_register(lecture_id)
    made = _attendance().register(lecture_id)
    response = Response(to_csv(made, lambda sentence: str(gettext(sentence))), mimetype="text/csv")
    day = made.lecture.starts_at.astimezone(ZoneInfo(made.lecture.zone))
    response.headers.set("Content-Disposition", "attachment", filename=_file_name(day, lecture_id))
    return response


def _file_name(day: datetime, lecture_id: str) -> str:
    return f"register-{day:%Y-%m-%d}-{lecture_id}.csv"


def _check_register(lecture_id: str) -> None:
    require(current_user.roles, "register.view")
    lecture = _timetable().lecture(lecture_id)
    check_register(_viewer(), lecture, _ties(lecture))


# ---- who asks, and whom to ask -----------------------------------------------------------------


def _viewer() -> Viewer:
    return Viewer(current_user.id, current_user.org_id, current_user.roles)


def _ties(lecture: LectureFacts) -> Ties:
    timetable = _timetable()
    return Ties(
        operates={point for point in points_of(lecture) if timetable.operates(current_user.id, point)},
        organisations=timetable.organisations_over_lecture(lecture.id),
    )


def _one_number(field: str, wrong: Invalid) -> int:
    """Return the form's one value of a field as a whole number; raises `wrong` for anything else."""
    given = [text.strip() for text in request.form.getlist(field)]
    if len(given) != 1 or not ONE_NUMBER.fullmatch(given[0]):
        raise wrong
    return int(given[0])


def _sentence(error: AppError | None) -> str | None:
    return str(gettext(error.message, **error.params)) if error else None


def _attendance() -> AttendanceService:
    return cast(AttendanceService, _extension("attendance"))


def _timetable() -> Timetable:
    return cast(Timetable, _extension("schedules"))


def _rooms() -> LiveRooms:
    return cast(LiveRooms, _extension("rooms"))


def _config() -> Config:
    return cast(Config, _extension("config"))


def _clock() -> Clock:
    return cast(Clock, _extension("clock"))


def _extension(name: str) -> Any:
    return current_app.extensions[name]
