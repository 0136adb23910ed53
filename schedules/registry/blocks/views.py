"""The page of blocks: who and what is out of the timetable, for how long and why."""

from datetime import date, timedelta
from typing import cast

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user

from core.clock import Clock
from core.config import Config
from core.errors import N_, AppError, Invalid
from core.permissions import require
from schedules.forms import LOCAL, sentences, wall_time
from schedules.records import ResourceKind
from schedules.registry.forms import day_of
from schedules.service import ScheduleService
from schedules.zones import from_local, midnight, to_local

bp = Blueprint("blocks", __name__)

PERIOD = timedelta(days=60)  # what the page shows at first
LONGEST = timedelta(days=1000)
Groups = list[tuple[str, list[tuple[str, str]]]]


@bp.route("/blocks", methods=["GET", "POST"])
def blocks() -> ResponseReturnValue:
    """List the blocks of a period, `?from=2026-03-01&until=2026-04-30`, and add one."""
    require(current_user.roles, "lecture.plan")
    error: AppError | None = None
    if request.method == "POST":
        try:
            _add()
        except AppError as refused:
            error = refused
        else:
            flash(gettext("The block is in the timetable."), "success")
            return redirect(url_for("blocks.blocks"), 303)
    first, last, unreadable = _period()
    error = error or unreadable
    zone = _config().zone
    found = _schedules().bookings.blocks(midnight(first, zone), midnight(last + timedelta(days=1), zone))
    page = render_template(
        "registry/blocks.html",
        blocks=found,
        names=_schedules().labels({block.made_by for block in found}),
        first=first,
        last=last,
        now=_clock().now(),
        groups=_groups(),
        said=sentences(error, gettext) if error else [],
        v=request.form if request.method == "POST" else _blank(),
    )
    return Response(page, error.status if error else 200)


@bp.post("/blocks/<block_id>/lift")
def lift(block_id: str) -> ResponseReturnValue:
    """End a block now, or before it begins."""
    require(current_user.roles, "lecture.plan")
    _schedules().bookings.lift(block_id)
    flash(gettext("The block was lifted. What it held is free again."), "success")
    return redirect(url_for("blocks.blocks"), 303)


def _add() -> None:
    kind, _, resource_id = request.form.get("resource", "").partition(":")
    if kind not in ("point", "equipment", "lecturer", "operator"):
        raise Invalid("block.no_resource", N_("Please choose who or what is to be blocked."))
    zone = _config().zone
    starts_at = from_local(wall_time(request.form.get("starts_at")), zone)
    ends_at = from_local(wall_time(request.form.get("ends_at")), zone)
    reason = request.form.get("reason", "")
    _schedules().bookings.block(
        cast(ResourceKind, kind), resource_id, starts_at, ends_at, reason, current_user.id, zone
    )


def _period() -> tuple[date, date, AppError | None]:
    today = to_local(_clock().now(), _config().zone).date()
    try:
        first = day_of(request.args.get("from", "")) or today
        last = day_of(request.args.get("until", "")) or first + PERIOD
    except AppError as error:
        return today, today + PERIOD, error
    return first, min(max(first, last), first + LONGEST), None


def _groups() -> Groups:
    """Return all that can be blocked, by kind."""
    service = _schedules()
    return [
        (gettext("Bridge points"), [(f"point:{point.id}", point.name) for point in service.points()]),
        (gettext("Lecturers"), [(f"lecturer:{user.id}", user.name) for user in service.users("lecturer")]),
        (gettext("Equipment"), [(f"equipment:{one.id}", one.name) for one in service.equipment()]),
        (gettext("Operators"), [(f"operator:{user.id}", user.name) for user in service.users("operator")]),
    ]


def _blank() -> dict[str, str]:
    tomorrow = to_local(_clock().now(), _config().zone).replace(hour=0, minute=0, tzinfo=None) + timedelta(days=1)
    return {
        "resource": request.args.get("resource", ""),
        "starts_at": tomorrow.replace(hour=7).strftime(LOCAL),
        "ends_at": tomorrow.replace(hour=17).strftime(LOCAL),
        "reason": "",
    }


def _schedules() -> ScheduleService:
    return cast(ScheduleService, current_app.extensions["schedules"])


def _config() -> Config:
    return cast(Config, current_app.extensions["config"])


def _clock() -> Clock:
    return cast(Clock, current_app.extensions["clock"])
