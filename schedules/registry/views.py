"""Pages of the registry: organisations, bridge points, equipment, people."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Protocol, cast

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from core.clock import Clock
from core.config import Config
from core.errors import N_, AppError, Invalid
from core.permissions import ROLES, Role, require
from schedules.forms import sentences
from schedules.names import search_key
from schedules.records import LectureLine
from schedules.registry import forms
from schedules.registry.checks import PASSWORD_MIN, check_password
from schedules.registry.records import HeadCounts
from schedules.registry.registry_service import Registry
from schedules.service import ScheduleService
from schedules.zones import midnight, to_local

bp = Blueprint("registry", __name__, template_folder="templates")

SHOWN_MAX = 300  # people on one page
ROLE_NAMES: dict[Role, str] = {
    "admin": N_("Administrator"),
    "organiser": N_("Organiser"),
    "lecturer": N_("Lecturer"),
    "operator": N_("Operator"),
    "learner": N_("Learner"),
    "observer": N_("Observer"),
}


class Hasher(Protocol):
    """Hashes passwords; the application has it."""

    def hash(self, password: str) -> str:
        """Return the encoded hash to store."""
        ...


@bp.get("/registry")
def overview() -> ResponseReturnValue:
    """Show what there is, and where to change it."""
    require(current_user.roles, "point.manage")
    return _page("overview", counts=_registry().overview())


# ---- organisations -----------------------------------------------------------------------------


@bp.get("/registry/organisations")
def organisations() -> ResponseReturnValue:
    """Show the tree of now, or with `?day=2025-06-30` that of another day."""
    require(current_user.roles, "point.manage")
    service = _registry().organisations
    day, error = _asked_day()
    words = request.args.get("q", "")
    lines = service.lines(abolished=True)
    return _page(
        "organisations",
        error,
        day=day,
        today=_today(),
        q=words,
        past=service.tree_at(midnight(day, _config().zone)) if day and day < _today() else None,
        lines=_found(
            [line for line in lines if line.abolished_at is None], words, lambda line: (line.name, line.code, line.tier)
        ),
        abolished=[] if words else [line for line in lines if line.abolished_at is not None],
        names={line.id: line.name for line in lines},
    )


def _asked_day() -> tuple[date | None, AppError | None]:
    try:
        return forms.day_of(request.args.get("day", "")), None
    except AppError as error:
        return None, error


@bp.route("/registry/organisations/new", methods=["GET", "POST"])
def new_organisation() -> ResponseReturnValue:
    """Add an organisation."""
    require(current_user.roles, "organisation.manage")
    error = None
    if request.method == "POST":
        try:
            day = forms.day_of(request.form.get("at", ""))
            at = midnight(day, _config().zone) if day else None
            _registry().organisations.add(forms.organisation_of(request.form), at)
            return _saved(gettext("The organisation was added."), "organisations")
        except AppError as refused:
            error = refused
    return _organisation_page(error, _typed({"parent": request.args.get("parent", "")}))


@bp.route("/registry/organisations/<org_id>", methods=["GET", "POST"])
def organisation(org_id: str) -> ResponseReturnValue:
    """Show an organisation with its past; rename or re-parent it from a day on."""
    require(current_user.roles, "organisation.manage")
    line, error = _registry().organisations.line(org_id), None
    if request.method == "POST":
        try:
            _registry().organisations.update(org_id, forms.organisation_of(request.form), _moment(org_id))
            return _saved(gettext("The changes were saved."), "organisations")
        except AppError as refused:
            error = refused
    draft = forms.organisation_of(MultiDict({**vars(line), "parent": line.parent_id or ""}))
    values = {**forms.organisation_values(draft), "at": _today().isoformat()}
    return _organisation_page(error, _typed(values), org_id)


@bp.post("/registry/organisations/<org_id>/abolish")
def abolish(org_id: str) -> ResponseReturnValue:
    """End an organisation, and hand what belongs to it to its successor."""
    require(current_user.roles, "organisation.manage")
    service = _registry().organisations
    service.line(org_id)
    try:
        service.abolish(
            org_id, request.form.get("successor") or None, _moment(org_id), move=bool(request.form.get("move"))
        )
    except AppError as error:
        line = service.line(org_id)
        draft = forms.organisation_of(MultiDict({**vars(line), "parent": line.parent_id or ""}))
        return _organisation_page(error, MultiDict(forms.organisation_values(draft)), org_id, ending=True)
    return _saved(gettext("The organisation was abolished. Reports of the past keep its name."), "organisations")


def _moment(org_id: str) -> Any:
    day = forms.day_of(request.form.get("at", ""))
    return _registry().organisations.moment_of(org_id, day) if day else None


def _organisation_page(
    error: AppError | None, values: "MultiDict[str, str]", org_id: str | None = None, ending: bool = False
) -> ResponseReturnValue:
    lines = _registry().organisations.lines(abolished=True)
    attendance = cast(HeadCounts, current_app.extensions["attendance"])
    return _page(
        "organisation",
        error,
        v=values,
        line=next((line for line in lines if line.id == org_id), None),
        past=list(reversed(_registry().organisations.past(org_id))) if org_id else [],
        choices=[line for line in lines if line.abolished_at is None],
        names={line.id: line.name for line in lines},
        today=_today().isoformat(),
        ending=ending,
        report=_registry().reports.report(org_id, request.args.get("year", ""), attendance) if org_id else None,
    )


# ---- bridge points -----------------------------------------------------------------------------


@bp.get("/registry/points")
def points() -> ResponseReturnValue:
    """List the bridge points."""
    require(current_user.roles, "point.manage")
    words = request.args.get("q", "")
    lines = _registry().points.lines(retired=True)
    found = _found(lines, words, lambda line: (line.draft.name, line.draft.place, line.draft.code, line.org_name))
    return _page(
        "points",
        lines=[line for line in found if line.retired_at is None],
        retired=[line for line in found if line.retired_at is not None],
        q=words,
    )


@bp.route("/registry/points/new", methods=["GET", "POST"], defaults={"point_id": None})
@bp.route("/registry/points/<point_id>", methods=["GET", "POST"])
def point(point_id: str | None) -> ResponseReturnValue:
    """Add or change a bridge point."""
    require(current_user.roles, "point.manage")
    service, error = _registry().points, None
    line = service.line(point_id) if point_id else None
    if request.method == "POST":
        try:
            draft = forms.point_of(request.form)
            service.update(point_id, draft) if point_id else service.add(draft)
            return _saved(gettext("The bridge point was saved."), "points")
        except AppError as refused:
            error = refused
    return _point_page(error, line, _typed(forms.point_values(line.draft) if line else {}))


@bp.post("/registry/points/<point_id>/retire")
def retire_point(point_id: str) -> ResponseReturnValue:
    """Take a point out of use, or with `back` into use again."""
    require(current_user.roles, "point.manage")
    service = _registry().points
    line = service.line(point_id)
    if request.form.get("back"):
        service.restore(point_id)
        return _saved(gettext("The bridge point is in use again."), "points")
    try:
        service.retire(point_id)
    except AppError as error:
        return _point_page(error, line, MultiDict(forms.point_values(line.draft)))
    return _saved(gettext("The bridge point is not in use any more."), "points")


def _point_page(error: AppError | None, line: Any, values: "MultiDict[str, str]") -> ResponseReturnValue:
    halls = list(zip(values.getlist("hall"), values.getlist("hall_seats"), strict=False))
    chosen = values.getlist("operators")
    operators = {one.id: one.draft.name for one in _registry().people.find(role="operator")}
    operators |= {i: name for i, name in _schedules().labels(chosen).items()}
    return _page(
        "point",
        error,
        v=values,
        line=line,
        halls=halls + [("", "")] * max(forms.MORE_HALLS, 0),
        organisations=_registry().organisations.lines(),
        operators=operators,
        zone=_config().zone,
    )


# ---- equipment ---------------------------------------------------------------------------------


@bp.get("/registry/equipment")
def equipment() -> ResponseReturnValue:
    """List the sets of devices."""
    require(current_user.roles, "point.manage")
    words = request.args.get("q", "")
    lines = _registry().equipment.lines(retired=True)
    found = _found(lines, words, lambda line: (line.draft.name, line.draft.code, line.draft.note, line.point_name))
    return _page(
        "equipment",
        lines=[line for line in found if line.retired_at is None],
        retired=[line for line in found if line.retired_at is not None],
        q=words,
    )


@bp.route("/registry/equipment/new", methods=["GET", "POST"], defaults={"equipment_id": None})
@bp.route("/registry/equipment/<equipment_id>", methods=["GET", "POST"])
def one_set(equipment_id: str | None) -> ResponseReturnValue:
    """Add, change or move a set of devices."""
    require(current_user.roles, "point.manage")
    service, error = _registry().equipment, None
    line = service.line(equipment_id) if equipment_id else None
    if request.method == "POST":
        try:
            draft = forms.equipment_of(request.form)
            service.update(equipment_id, draft) if equipment_id else service.add(draft)
            return _saved(gettext("The equipment was saved."), "equipment")
        except AppError as refused:
            error = refused
    return _set_page(error, line, _typed(forms.equipment_values(line.draft) if line else {}))


@bp.post("/registry/equipment/<equipment_id>/retire")
def retire_set(equipment_id: str) -> ResponseReturnValue:
    """Take a set out of use, or with `back` into use again."""
    require(current_user.roles, "point.manage")
    service = _registry().equipment
    line = service.line(equipment_id)
    if request.form.get("back"):
        service.restore(equipment_id)
        return _saved(gettext("The equipment is in use again."), "equipment")
    try:
        service.retire(equipment_id)
    except AppError as error:
        return _set_page(error, line, MultiDict(forms.equipment_values(line.draft)))
    return _saved(gettext("The equipment is not in use any more."), "equipment")


def _set_page(error: AppError | None, line: Any, values: "MultiDict[str, str]") -> ResponseReturnValue:
    places = [(one.id, one.draft.name) for one in _registry().points.lines()]
    return _page("set", error, v=values, line=line, points=places)


# ---- people ------------------------------------------------------------------------------------


@bp.get("/registry/people")
def people() -> ResponseReturnValue:
    """List people; `?role=` only those who are that, `?q=` only those of that name."""
    require(current_user.roles, "point.manage")
    words, asked = request.args.get("q", ""), request.args.get("role", "")
    role = next((one for one in ROLE_NAMES if one == asked), None)
    left = bool(request.args.get("left"))
    return _page(
        "people",
        lines=_registry().people.find(words, role, left, SHOWN_MAX),
        most=SHOWN_MAX,
        q=words,
        role=role or "",
        left=left,
        roles=_role_names(),
        year=_today().year,
    )


@bp.route("/registry/people/new", methods=["GET", "POST"], defaults={"user_id": None})
@bp.route("/registry/people/<user_id>", methods=["GET", "POST"])
def person(user_id: str | None) -> ResponseReturnValue:
    """Add or change a person."""
    require(current_user.roles, "user.manage")
    service, error = _registry().people, None
    line = service.line(user_id) if user_id else None
    if request.method == "POST":
        try:
            draft = forms.person_of(request.form, _config().zone)
            password = request.form.get("password", "") if line is None else ""
            if password:
                check_password(password)
                if not draft.login:
                    raise Invalid("user.no_login", N_("Please give the person a login first."))
            if line is None:
                service.add(draft, _hasher().hash(password) if password else "")
            else:
                service.update(line.id, draft)
                if draft.profile.windows != line.draft.profile.windows and (late := _outside_hours(line)):
                    flash(gettext("The person was saved."), "success")
                    words = gettext("Planned lectures outside the weekly hours: %(count)s.", count=len(late))
                    more = gettext("They stay as they are; please move them or find somebody else.")
                    flash(f"{words} {more}", "warning")
                    return redirect(url_for("registry.person", user_id=line.id), 303)
            return _saved(gettext("The person was saved."), "people")
        except AppError as refused:
            error = refused
    values = forms.person_values(line.draft) if line else {"roles": [request.args.get("role", "lecturer")]}
    return _person_page(error, line, _typed(values))


@bp.post("/registry/people/<user_id>/password")
def password(user_id: str) -> ResponseReturnValue:
    """Give a person a password; it ends their other visits."""
    require(current_user.roles, "user.manage")
    service = _registry().people
    line = service.line(user_id)
    try:
        check_password(request.form.get("password", ""))
        service.set_password(user_id, _hasher().hash(request.form["password"]))
    except AppError as error:
        return _person_page(error, line, MultiDict(forms.person_values(line.draft)))
    return _saved(gettext("%(name)s has a new password.", name=line.draft.name), "people")


def _person_page(error: AppError | None, line: Any, values: "MultiDict[str, str]") -> ResponseReturnValue:
    return _page(
        "person",
        error,
        v=values,
        line=line,
        organisations=_registry().organisations.lines(),
        courses=[course for course in _schedules().courses() if course.topics],
        roles=_role_names(),
        weekdays=[gettext(day) for day in forms.WEEKDAYS],
        least=PASSWORD_MIN,
        year=_today().year,
        outside=_outside_hours(line) if line else [],
    )


def _outside_hours(line: Any) -> list[LectureLine]:
    return _schedules().bookings.planned_outside_hours(line.id) if "lecturer" in line.draft.roles else []


# ---- whom to ask -------------------------------------------------------------------------------


def _page(name: str, error: AppError | None = None, **more: Any) -> ResponseReturnValue:
    said = sentences(error, gettext) if error else []
    page = render_template(f"registry/{name}.html", said=said, **more)
    return Response(page, error.status if error else 200)


def _saved(words: str, page: str) -> ResponseReturnValue:
    flash(words, "success")
    return redirect(url_for(f"registry.{page}"), 303)


def _typed(values: Mapping[str, Any]) -> "MultiDict[str, str]":
    """Return what a form shows: what was typed, before that what there is."""
    return MultiDict(request.form) if request.method == "POST" else MultiDict(values)


def _found(lines: Iterable[Any], words: str, texts: Callable[[Any], Iterable[str]]) -> list[Any]:
    """Return the lines that have all the words somewhere; marks and case do not matter."""
    keys = search_key(words).split()
    return [line for line in lines if all(key in search_key(" ".join(texts(line))) for key in keys)]


def _role_names() -> dict[str, str]:
    return {role: gettext(ROLE_NAMES[role]) for role in ROLES if role in ROLE_NAMES}


def _today() -> date:
    return to_local(_clock().now(), _config().zone).date()


def _registry() -> Registry:
    return cast(Registry, current_app.extensions["registry"])


def _schedules() -> ScheduleService:
    return cast(ScheduleService, current_app.extensions["schedules"])


def _hasher() -> Hasher:
    return cast(Hasher, current_app.extensions["passwords"])


def _config() -> Config:
    return cast(Config, current_app.extensions["config"])


def _clock() -> Clock:
    return cast(Clock, current_app.extensions["clock"])
