"""The page of calendars: one's own, of courses and organisations, and of other bodies, which count as busy."""

from typing import cast

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user

from core.clock import Clock
from core.config import Config
from core.errors import N_, AppError, Invalid
from core.permissions import any_may, require
from schedules.calendars.subscription_service import SubscriptionService, SubscriptionView
from schedules.forms import sentences
from schedules.records import ResourceKind
from schedules.service import CalendarKind, ScheduleService

bp = Blueprint("calendars", __name__, template_folder="templates")

UNREADABLE = N_("What is there now cannot be read as a calendar.")
PROBLEMS = {  # why a followed calendar was not read the last time, by the code that is kept
    "calendar.host_unknown": N_("Its server cannot be found."),
    "calendar.no_answer": N_("Its server does not answer."),
    "calendar.too_slow": N_("Its server takes too long."),
    "calendar.bad_status": N_("Its server does not give the calendar any more."),
    "calendar.bad_certificate": N_("Its server's certificate is not valid."),
    "calendar.private_address": N_("Its server is not on the public internet any more."),
    "calendar.too_large": N_("It has become too large."),
}
FILE_MAX = 2_000_000  # bytes, as the reader's own bound


@bp.route("/calendars", methods=["GET", "POST"])
def calendars() -> ResponseReturnValue:
    """Show one's own calendar; organisers see all others, follow those of other bodies, and add one (POST)."""
    require(current_user.roles, "calendar.view")
    error: AppError | None = None
    if request.method == "POST":
        require(current_user.roles, "lecture.plan")
        try:
            added = _follow()
        except AppError as refused:
            error = refused
        else:
            flash(gettext("The calendar is followed. Its events count as busy."), "success")
            _tell_what_it_is_in_the_way_of(added.id)
            return redirect(url_for("calendars.calendars"), 303)
    plans = any_may(current_user.roles, "lecture.plan")
    subscriptions = _subscriptions().subscriptions() if plans else []
    page = render_template(
        "calendars/calendars.html",
        own=_address("person", current_user.id),
        chosen=_chosen() if plans else None,
        courses=_schedules().courses() if plans else [],
        organisations=_schedules().organisations() if plans else [],
        subscriptions=subscriptions,
        in_the_way=_subscriptions().in_the_way() if plans else {},
        now=cast(Clock, current_app.extensions["clock"]).now(),
        names=_schedules().labels({each.resource_id for each in subscriptions}),
        problems={each.id: gettext(PROBLEMS.get(each.error, UNREADABLE)) for each in subscriptions if each.error},
        groups=_resources() if plans else [],
        said=sentences(error, gettext) if error else [],
        sent=request.form,
    )
    return Response(page, error.status if error else 200)


@bp.post("/calendars/followed/<subscription_id>/refresh")
def refresh(subscription_id: str) -> ResponseReturnValue:
    """Read a followed calendar again now."""
    require(current_user.roles, "lecture.plan")
    if _subscriptions().refresh(subscription_id).error:
        flash(gettext("The calendar could not be read. What was known of it stays."), "warning")
    else:
        flash(gettext("The calendar was read again."), "success")
        _tell_what_it_is_in_the_way_of(subscription_id)
    return redirect(url_for("calendars.calendars"), 303)


@bp.post("/calendars/followed/<subscription_id>/remove")
def remove(subscription_id: str) -> ResponseReturnValue:
    """Follow a calendar no longer."""
    require(current_user.roles, "lecture.plan")
    _subscriptions().remove(subscription_id)
    flash(gettext("The calendar is not followed any more. Its events are free again."), "success")
    return redirect(url_for("calendars.calendars"), 303)


def _tell_what_it_is_in_the_way_of(subscription_id: str) -> None:
    lectures = _subscriptions().in_the_way().get(subscription_id)
    if lectures:
        words = gettext("Planned lectures that this calendar is in the way of: %(count)s.", count=len(lectures))
        more = gettext("They are listed beside it.")
        flash(f"{words} {more}", "warning")


def _follow() -> SubscriptionView:
    kind, _, resource_id = request.form.get("resource", "").partition(":")
    if kind not in ("point", "equipment", "lecturer"):
        raise Invalid("calendar.no_resource", N_("Please choose whom or what the calendar keeps busy."))
    name, url = request.form.get("name", ""), request.form.get("url", "").strip()
    file = request.files.get("file")
    if file is not None and file.filename:
        data = file.stream.read(FILE_MAX + 1)
        return _subscriptions().subscribe_file(name, cast(ResourceKind, kind), resource_id, data, current_user.id)
    return _subscriptions().subscribe_url(name, cast(ResourceKind, kind), resource_id, url, current_user.id)


def _chosen() -> tuple[CalendarKind, str, str] | None:
    """Return (kind, id, address) of the course's or organisation's calendar that was asked for."""
    kind, _, of_id = request.args.get("of", "").partition(":")
    if kind not in ("course", "organisation"):
        return None
    chosen = cast(CalendarKind, kind)
    return chosen, of_id, _address(chosen, of_id)


def _resources() -> list[tuple[str, list[tuple[str, str]]]]:
    service = _schedules()
    return [
        (gettext("Bridge points"), [(f"point:{point.id}", point.name) for point in service.points()]),
        (gettext("Lecturers"), [(f"lecturer:{user.id}", user.name) for user in service.users("lecturer")]),
        (gettext("Equipment"), [(f"equipment:{one.id}", one.name) for one in service.equipment()]),
    ]


def _address(kind: CalendarKind, of_id: str) -> str:
    path = url_for("schedules.calendar", kind=kind, of_id=of_id, key=_schedules().calendar_key(kind, of_id))
    return f"{cast(Config, current_app.extensions['config']).public_url}{path}"


def _schedules() -> ScheduleService:
    return cast(ScheduleService, current_app.extensions["schedules"])


def _subscriptions() -> SubscriptionService:
    return cast(SubscriptionService, current_app.extensions["subscriptions"])
