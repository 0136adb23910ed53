"""Pages that plan, change and call off lectures and series."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from flask import Response, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal, gettext
from flask_login import current_user

from core.clock import Clock
from core.config import Config
from core.errors import N_, AppError, Invalid
from core.permissions import require
from schedules.alternatives import Offers
from schedules.conflicts import BookingClash
from schedules.forms import FIELD_OF, LOCAL, sentences
from schedules.lectures.form import PlanForm, by_organisation, plan_values
from schedules.records import LectureDraft, LectureView, Scope
from schedules.registry.registry_service import Registry
from schedules.service import ScheduleService
from schedules.views import bp
from schedules.zones import to_local

__all__ = ["bp"]

USUAL_LENGTH = timedelta(minutes=90)
USUAL_SETUP, USUAL_TEARDOWN = "30", "15"  # minutes: a hall is opened half an hour before
FEW_POINTS = 12  # up to so many are seen at a glance; more get a search and a box with its own scroll
MOST_SAID = 12  # clashes on one page: a year's series can have hundreds
FIELDS = {
    **FIELD_OF,
    "lecture.margin": "setup_min",
    "series.no_end": "count",
    "series.interval": "interval",
    "series.too_many": "count",
    "series.too_long": "until",
    "form.not_a_part": "parts",
    "form.not_a_day": "dates",
    "lecture.changed_meanwhile": "sequence",
}


@bp.route("/lectures/new", methods=["GET", "POST"])
def new_lecture() -> ResponseReturnValue:
    """Plan a lecture, or a series of them."""
    require(current_user.roles, "lecture.plan")
    if request.method == "GET":
        return _page(PlanForm(data=_blank()))
    form = PlanForm(request.form)
    if (looked := _only_look(form)) is not None:
        return looked
    try:
        _check(form)
        series = form.series()
        if series is None:
            lecture = _schedules().create_lecture(form.draft(), by=current_user.id)
            planned = [lecture]
            flash(gettext("The lecture is in the timetable."), "success")
        else:
            planned = _schedules().create_series(series, by=current_user.id)
            lecture = planned[0]
            flash(gettext("%(count)s lectures are in the timetable.", count=len(planned)), "success")
    except AppError as error:
        return _page(form, error)
    for words in _remarks({each.id: each for each in planned}):
        flash(words, "warning")
    return redirect(url_for("schedules.lecture", lecture_id=lecture.id), 303)


@bp.route("/lectures/<lecture_id>/edit", methods=["GET", "POST"])
def edit_lecture(lecture_id: str) -> ResponseReturnValue:
    """Change a lecture that has not begun, alone or with others of its series."""
    require(current_user.roles, "lecture.plan")
    found = _schedules().lecture(lecture_id)
    if request.method == "GET":
        return _page(PlanForm(data=plan_values(found)), lecture=found)
    form = PlanForm(request.form)
    if (looked := _only_look(form, found)) is not None:
        return looked
    try:
        _check(form)
        scope = cast(Scope, form.scope.data or "one")
        seen, draft = form.seen_sequence(), form.draft()
        changed = _schedules().plans_after(lecture_id, draft, scope)
        _schedules().update_lecture(lecture_id, draft, by=current_user.id, sequence=seen, scope=scope)
    except AppError as error:
        return _page(form, error, lecture=found)
    flash(gettext("The lecture was changed. Calendars follow by themselves."), "success")
    for words in _remarks(changed):
        flash(words, "warning")
    return redirect(url_for("schedules.lecture", lecture_id=lecture_id), 303)


@bp.route("/lectures/<lecture_id>/cancel", methods=["GET", "POST"])
def cancel_lecture(lecture_id: str) -> ResponseReturnValue:
    """Ask whether to call a lecture off, and do it."""
    require(current_user.roles, "lecture.plan")
    if request.method == "GET":
        return render_template("schedules/cancel.html", lecture=_schedules().lecture(lecture_id))
    scope = cast(Scope, said if (said := request.form.get("scope", "")) in ("following", "all") else "one")
    sequence = request.form.get("sequence", "")
    _schedules().cancel_lecture(
        lecture_id,
        by=current_user.id,
        because=request.form.get("because", ""),
        sequence=int(sequence) if sequence.isdecimal() and len(sequence) < 9 else None,
        scope=scope,
    )
    flash(gettext("The lecture was cancelled. Its points and lecturer are free again."), "success")
    return redirect(url_for("schedules.lecture", lecture_id=lecture_id), 303)


def _only_look(form: PlanForm, lecture: LectureView | None = None) -> ResponseReturnValue | None:
    """Show the form again when an alternative was taken or only a look was asked for; None when it is to be stored."""
    alternative = request.form.get("take", "")
    if not alternative and "look" not in request.form:
        return None
    if alternative:
        form.take(alternative)
    remarks: list[str] = []
    try:
        _check(form)
        series = form.series() if lecture is None else None
        if series is not None:
            drafts, clashes = _schedules().check_series(series)
            plans = {str(n): draft for n, draft in enumerate(drafts)}
        elif lecture is not None:
            draft, scope = form.draft(), cast(Scope, form.scope.data or "one")
            plans = _schedules().plans_after(lecture.id, draft, scope)
            clashes = _schedules().check_change(lecture.id, draft, scope)
        else:
            draft = form.draft()
            plans = {"": draft}
            clashes = _schedules().check(draft)
        remarks = _remarks(plans)
        if clashes:
            raise BookingClash(clashes)
    except AppError as error:
        return _page(form, error, lecture, remarks=remarks)
    return _page(form, lecture=lecture, free=True, remarks=remarks)


def _remarks(lectures: Mapping[str, LectureDraft | LectureView]) -> list[str]:
    """Return what a planner should know of lectures that are or would be: nothing is refused for it."""
    found = cast(Registry, current_app.extensions["registry"]).remarks.about(lectures)
    return [
        gettext(
            remark.sentence,
            **remark.words,
            **{key: format_decimal(round(value, 1)) for key, value in remark.figures.items()},
        )
        for remark in found[:MOST_SAID]
    ]


def _page(
    form: PlanForm,
    error: AppError | None = None,
    lecture: LectureView | None = None,
    free: bool = False,
    remarks: Sequence[str] = (),
) -> ResponseReturnValue:
    """Show the form, with all that was typed and, on top, what was wrong with it and what could be done instead."""
    wrong = {name: [gettext(words) for words in said] for name, said in form.errors.items()}
    said = [words for all_words in wrong.values() for words in all_words]
    if error is not None and not said:
        said = sentences(error, gettext)
    schedules = _schedules()
    points = schedules.points()
    page = render_template(
        "schedules/lecture_form.html",
        form=form,
        lecture=lecture,
        said=said[:MOST_SAID],
        more=max(0, len(said) - MOST_SAID),
        free=free,
        remarks=remarks,
        offers=_offers(form, error, lecture),
        marked=set(wrong) | ({FIELDS[error.code]} if error and error.code in FIELDS else set()),
        courses=schedules.courses(),
        lecturers=[(user.id, user.name) for user in schedules.users("lecturer")],
        points=points,
        point_groups=by_organisation(points),
        few_points=FEW_POINTS,
        point_names={point.id: point.name for point in points},
        names=schedules.labels({user for point in points for user in point.operator_ids}),
        sets=[(each.id, each.name, each.point_id) for each in schedules.equipment()],
        chosen=_chosen(form),
    )
    return Response(page, error.status if error else 200)


def _offers(form: PlanForm, error: AppError | None, lecture: LectureView | None) -> Offers:
    """Return what is free instead, for a series what is free for all of it; nothing for what else was wrong."""
    if not isinstance(error, BookingClash):
        return Offers()
    series = form.series() if lecture is None else None
    if lecture is not None:
        drafts = _schedules().plans_after(lecture.id, form.draft(), cast(Scope, form.scope.data or "one"))
    elif series is not None:
        drafts = {f"lec_new{n}": draft for n, draft in enumerate(_schedules().plans_of(series))}
    else:
        drafts = {"lec_new": form.draft()}
    (first_id, first), *others = drafts.items()
    return _schedules().alternatives.offers(first, error.clashes, first_id, dict(others))


def _chosen(form: PlanForm) -> set[str]:
    """Return the points for which something unusual is chosen, so that the page opens those choices."""
    return {name.partition("-")[2] for name, value in form.extras.items() if value}


def _check(form: PlanForm) -> None:
    if not form.validate():
        raise Invalid("lecture.incomplete", N_("Something is missing in the form."))


def _blank() -> dict[str, Any]:
    """Return what a new lecture's form shows: from the next full hour on, or from the time that was clicked."""
    config = _config()
    at = to_local(_clock().now(), config.zone).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return {
        "starts_at": at.strftime(LOCAL),
        "ends_at": (at + USUAL_LENGTH).strftime(LOCAL),
        "zone": config.zone,
        "point_ids": [],
        "setup_min": USUAL_SETUP,
        "teardown_min": USUAL_TEARDOWN,
    }


def _schedules() -> ScheduleService:
    return cast(ScheduleService, current_app.extensions["schedules"])


def _config() -> Config:
    return cast(Config, current_app.extensions["config"])


def _clock() -> Clock:
    return cast(Clock, current_app.extensions["clock"])
