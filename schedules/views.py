"""Pages of schedules: lectures, points with their devices, courses, calendars, and the kiosk's two calls."""

from datetime import timedelta
from typing import Any, cast

from flask import Blueprint, Response, current_app, flash, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext
from flask_login import current_user

from core.clock import Clock, to_ms
from core.config import Config
from core.errors import N_, AppError, NotAllowed
from core.permissions import Role, any_may, require
from schedules.calendars.letter_text import link_labels
from schedules.forms import sentences
from schedules.ical import feed
from schedules.records import LectureView, PointView, Purpose, StreamTokenView
from schedules.service import CalendarKind, ScheduleService

bp = Blueprint("schedules", __name__, template_folder="templates")

DEVICE_COOKIE, PAIRING_COOKIE = "device", "pairing"
DEVICE_KEPT_S = 400 * 86_400  # the longest a browser keeps a cookie; every answer starts it anew
PAIRING_KEPT_S = 3600
FEED_KEPT_S = 300
EVERYWHERE: frozenset[Role] = frozenset({"admin", "organiser"})  # not bound to a point of their own


# ---- lectures (the timetable is in schedules/board/views.py) ------------------------------------


@bp.get("/lectures/<lecture_id>")
def lecture(lecture_id: str) -> ResponseReturnValue:
    """Show one lecture and the ways into it."""
    require(current_user.roles, "timetable.view")
    return _lecture_page(lecture_id)


def _lecture_page(lecture_id: str, made: tuple[StreamTokenView, str, str] | None = None) -> ResponseReturnValue:
    """Show a lecture.  made: a stream's key that was made just now, with the token and its address."""
    found = _schedules().lecture(lecture_id)
    plans = any_may(current_user.roles, "lecture.plan")
    mine = [point for point in found.all_point_ids if _schedules().operates(current_user.id, point)]
    return render_template(
        "schedules/lecture.html",
        lecture=found,
        feed_url=_feed_url("lecture", found.id),
        my_points=[(point, _schedules().point(point).name) for point in mine],
        streams=_schedules().streams.tokens(found.id) if plans else [],
        made=made,
        point_names=dict(zip(found.all_point_ids, (found.main_point_name, *found.point_names), strict=True)),
        extras=_extras(found),
        released=set(found.released),
        teaches=found.lecturer_id == current_user.id,
        watches=bool(current_user.roles & (EVERYWHERE | {"observer"})),
    )


def _extras(lecture: LectureView) -> dict[str, list[str]]:
    """Return what is said beside each point: the set that is brought there, and who looks after it."""
    pairs = (*lecture.equipment, *lecture.operators)
    names = _schedules().labels({chosen for _, chosen in pairs})
    extras: dict[str, list[str]] = {}
    for point_id, chosen in pairs:
        extras.setdefault(point_id, []).append(names.get(chosen, ""))
    return extras


# ---- keys of encoders and players -------------------------------------------------------------


@bp.post("/lectures/<lecture_id>/streams")
def make_stream(lecture_id: str) -> ResponseReturnValue:
    """Make a stream's key for one point of a lecture, and show it this once."""
    require(current_user.roles, "lecture.plan")
    purpose: Purpose = "playback" if request.form.get("purpose") == "playback" else "ingest"
    made, token = _schedules().streams.make(lecture_id, request.form.get("point", ""), purpose, by=current_user.id)
    kind = "whip" if purpose == "ingest" else "whep"
    return _lecture_page(lecture_id, (made, token, f"{_config().public_url}/{kind}/{lecture_id}"))


@bp.post("/lectures/<lecture_id>/streams/<token_id>/revoke")
def revoke_stream(lecture_id: str, token_id: str) -> ResponseReturnValue:
    """Make a stream's key worthless; what runs on it stops at once."""
    require(current_user.roles, "lecture.plan")
    _schedules().streams.revoke(token_id, lecture_id)
    flash(gettext("The stream key was revoked. What used it has stopped."), "success")
    return redirect(url_for("schedules.lecture", lecture_id=lecture_id), 303)


# ---- bridge points and their devices -----------------------------------------------------------


@bp.get("/points")
def points() -> ResponseReturnValue:
    """List the bridge points, those that one looks after first."""
    require(current_user.roles, "timetable.view")
    found = sorted(_schedules().points(), key=lambda point: current_user.id not in point.operator_ids)
    return render_template(
        "schedules/points.html",
        points=[(point, _may_pair(point), _schedules().pairing.devices(point.id)) for point in found],
    )


@bp.get("/points/<point_id>")
def point(point_id: str) -> ResponseReturnValue:
    """Show a point to who looks after it: pairing, devices, what comes next."""
    return _point_page(_my_point(point_id))


@bp.post("/points/<point_id>/pairing")
def pair(point_id: str) -> ResponseReturnValue:
    """Take the six digits that the hall's screen shows."""
    found = _my_point(point_id)
    try:
        _schedules().pairing.claim(request.form.get("code", "")[:20], point_id, by=current_user.id)
    except AppError as error:
        return _point_page(found, error)
    flash(gettext("The screen is paired with %(point)s. It goes on by itself.", point=found.name), "success")
    return redirect(url_for("schedules.point", point_id=point_id), 303)


@bp.post("/points/<point_id>/devices/<device_id>/revoke")
def revoke(point_id: str, device_id: str) -> ResponseReturnValue:
    """Take a device its right to come in."""
    _my_point(point_id)
    _schedules().pairing.revoke(device_id, point_id)
    flash(gettext("The device was revoked. It shows a new code now."), "success")
    return redirect(url_for("schedules.point", point_id=point_id), 303)


def _my_point(point_id: str) -> PointView:
    """Return a point that one may look after.  Raises NotAllowed, NotFound."""
    require(current_user.roles, "point.pair")
    found = _schedules().point(point_id)
    if not _may_pair(found):
        raise NotAllowed("point.not_yours", N_("You may only look after your own bridge points."))
    return found


def _may_pair(point: PointView) -> bool:
    bound = not current_user.roles & EVERYWHERE
    return any_may(current_user.roles, "point.pair") and (not bound or current_user.id in point.operator_ids)


def _point_page(point: PointView, error: AppError | None = None) -> ResponseReturnValue:
    service, now = _schedules(), _clock().now()
    current, following = service.at_point(point.id, now)
    devices = service.pairing.devices(point.id)
    page = render_template(
        "schedules/point.html",
        point=point,
        devices=devices,
        equipment=service.equipment(point.id),
        names=service.labels({*point.operator_ids, *(device.paired_by for device in devices)}),
        current=current,
        following=following,
        upcoming=service.lectures_between(now, now + timedelta(days=14), point_id=point.id),
        feed_url=_feed_url("point", point.id),
        kiosk_url=f"{_config().public_url}/kiosk",
        code=request.form.get("code", ""),
        said=sentences(error, gettext) if error else [],
        now=now,
    )
    return Response(page, error.status if error else 200)


# ---- courses -----------------------------------------------------------------------------------


@bp.route("/courses", methods=["GET", "POST"])
def courses() -> ResponseReturnValue:
    """List the courses with their topics, and add one."""
    require(current_user.roles, "timetable.view")
    error: AppError | None = None
    if request.method == "POST":
        require(current_user.roles, "course.manage")
        topics = [line.strip()[:200] for line in request.form.get("topics", "").splitlines() if line.strip()]
        title, audience = request.form.get("title", "").strip()[:200], request.form.get("audience", "").strip()[:200]
        try:
            _schedules().add_course(title, current_user.org_id, audience, topics)
        except AppError as refused:
            error = refused
        else:
            flash(gettext("The course was added."), "success")
            return redirect(url_for("schedules.courses"), 303)
    page = render_template(
        "schedules/courses.html",
        courses=_schedules().courses(),
        organisations={o.id: o.name for o in _schedules().organisations()},
        said=sentences(error, gettext) if error else [],
    )
    return Response(page, error.status if error else 200)


# ---- calendars ---------------------------------------------------------------------------------


@bp.get("/calendars/<any(lecture, point, lecturer, course, organisation, person):kind>/<of_id>.ics")
def calendar(kind: CalendarKind, of_id: str) -> ResponseReturnValue:
    """Give a calendar to a program that knows its secret key; nobody signs in here."""
    name, lectures = _schedules().calendar(kind, of_id, request.args.get("key", ""))
    body = feed(name, lectures, _config().public_url, link_labels(gettext))
    response = Response(body, content_type="text/calendar; charset=utf-8")
    response.headers["Content-Disposition"] = f'inline; filename="{of_id}.ics"'
    response.headers["Cache-Control"] = f"private, max-age={FEED_KEPT_S}"
    response.add_etag()
    return response.make_conditional(request)


@bp.post("/calendars/<any(lecture, point, lecturer, course, organisation, person):kind>/<of_id>/renew")
def renew_calendar(kind: CalendarKind, of_id: str) -> ResponseReturnValue:
    """Give a calendar a new address, after the old one got into wrong hands."""
    require(current_user.roles, "calendar.view")
    if kind == "point":
        _my_point(of_id)
    elif not (kind in ("lecturer", "person") and of_id == current_user.id):
        require(current_user.roles, "lecture.plan")
    _schedules().renew_calendar_key(kind, of_id)
    flash(gettext("The calendar has a new address. The old one no longer works."), "success")
    if kind in ("lecturer", "person", "course", "organisation"):
        return redirect(url_for("schedules.timetable" if kind == "lecturer" else "calendars.calendars"), 303)
    back = {f"{kind}_id": of_id}
    return redirect(url_for(f"schedules.{kind}", **back), 303)  # type: ignore[arg-type]


def _feed_url(kind: CalendarKind, of_id: str) -> str:
    path = url_for("schedules.calendar", kind=kind, of_id=of_id, key=_schedules().calendar_key(kind, of_id))
    return f"{_config().public_url}{path}"


# ---- the kiosk's calls -------------------------------------------------------------------------


@bp.post("/kiosk/pairing")
def kiosk_pairing() -> ResponseReturnValue:
    """Give an unpaired screen its six digits: the same ones until they expire."""
    pairing = _schedules().pairing
    if g.get("device") is not None:
        return jsonify(paired=True)
    shown = pairing.waiting(request.cookies.get(PAIRING_COOKIE, "")) or pairing.new_pairing()
    response = jsonify(paired=False, code=shown.code, expires_at=shown.expires_at.isoformat())
    _keep(response, PAIRING_COOKIE, shown.secret, PAIRING_KEPT_S)
    return response


@bp.get("/kiosk/state")
def kiosk_state() -> ResponseReturnValue:
    """Tell a screen who it is and what is on; the first call after pairing also gives it its token."""
    token, device = request.cookies.get(DEVICE_COOKIE, ""), g.get("device")
    secret = request.cookies.get(PAIRING_COOKIE, "")
    if device is None and secret:
        token = _schedules().pairing.collect(secret) or ""
        device = _schedules().device(token) if token else None
    now = _clock().now()
    base = {"server_ms": to_ms(now), "locale": str(get_locale())}
    if device is None:
        shown = _schedules().pairing.waiting(secret) if secret else None
        code = {"code": shown.code, "expires_at": shown.expires_at.isoformat()} if shown else {}
        return jsonify(paired=False, point=None, lecture=None, next=None, **code, **base)
    _schedules().pairing.seen(device.id)
    place = _schedules().point(device.point_id)
    current, following = _schedules().at_point(place.id, now)
    response = jsonify(
        paired=True,
        point={"id": place.id, "name": place.name},
        lecture=_for_kiosk(current),
        next=_for_kiosk(following),
        **base,
    )
    _keep(response, DEVICE_COOKIE, token, DEVICE_KEPT_S)
    if secret:
        response.delete_cookie(PAIRING_COOKIE, path="/kiosk")
    return response


def _for_kiosk(lecture: LectureView | None) -> dict[str, Any] | None:
    if lecture is None:
        return None
    return {
        "id": lecture.id,
        "title": lecture.title,
        "topic": lecture.topic_title,
        "lecturer": lecture.lecturer_name,
        "main_point": lecture.main_point_name,
        "starts_at": lecture.starts_at.isoformat(),
        "ends_at": lecture.ends_at.isoformat(),
        "status": lecture.status,
    }


def _keep(response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/" if name == DEVICE_COOKIE else "/kiosk",
        httponly=True,
        samesite="Lax",
        secure=_config().public_url.startswith("https:"),
    )


# ---- whom to ask -------------------------------------------------------------------------------


def _schedules() -> ScheduleService:
    return cast(ScheduleService, current_app.extensions["schedules"])


def _config() -> Config:
    return cast(Config, current_app.extensions["config"])


def _clock() -> Clock:
    return cast(Clock, current_app.extensions["clock"])
