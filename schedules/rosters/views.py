"""Pages of rosters: a course with its people, the import of nominations, class rules, target groups."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user

from core.clock import Clock
from core.config import Config
from core.errors import N_, AppError, Invalid, NotAllowed, TooLarge
from core.permissions import any_may, require
from schedules.forms import sentences
from schedules.names import place_key
from schedules.records import CourseView
from schedules.rosters.files import problems_csv, roster_csv, template_csv, template_xlsx
from schedules.rosters.records import ImportReport, QuotaView, RosterLine
from schedules.rosters.roster_service import RULES_MAX, RosterService
from schedules.rosters.uploads import Uploads
from schedules.service import ScheduleService
from schedules.sheets.limits import UPLOAD_MAX, too_large
from schedules.sheets.table import Table, read_table
from schedules.sheets.writer import XLSX

bp = Blueprint("rosters", __name__, template_folder="templates")

PAGE = 100  # people on a page
SHOWN = 200  # bad rows on the page; the file has all of them
AROUND = 64 * 1024  # bytes of a form around its file
NAME_SHOWN = 120  # characters of an uploaded file's name
NOWHERE = "none"  # in the filter by bridge point: those of whom nobody said where they attend
WAY_BACK = re.compile(r"/(?:lectures|p)/[A-Za-z0-9_]+(?:/[a-z]+)?")  # pages that send here to accept rules
NUMBER = re.compile(r"[0-9]{1,7}")


class Offload(Protocol):
    """Runs a function where it stops no green thread."""

    def __call__(self, function: Any, *args: Any) -> Any:
        """Return `function(*args)`."""
        ...


@dataclass(frozen=True)
class RosterPage:
    """A page of a roster.  first: the number of its first line, from 1; found: lines on all pages."""

    lines: Sequence[RosterLine]
    first: int
    found: int
    number: int
    pages: int


# ---- a course ----------------------------------------------------------------------------------


@bp.get("/courses/<course_id>")
def course(course_id: str) -> ResponseReturnValue:
    """Show a course: topics and lectures to everybody; people, quotas and forms to those who manage courses."""
    require(current_user.roles, "timetable.view")
    return _course_page(_schedules().course(course_id))


@bp.post("/courses/<course_id>/topics")
def add_topic(course_id: str) -> ResponseReturnValue:
    """Add a topic at the end."""
    found = _managed(course_id)
    try:
        _schedules().add_topic(course_id, " ".join(request.form.get("title", "").split())[:200])
    except AppError as error:
        return _course_page(found, error, "topic")
    return _back(course_id, gettext("The topic was added."))


@bp.post("/courses/<course_id>/about")
def change_course(course_id: str) -> ResponseReturnValue:
    """Say whom the course is for."""
    found = _managed(course_id)
    try:
        _rosters().set_audience(course_id, request.form.get("audience", ""))
        _rosters().set_target_group(course_id, request.form.get("group") or None)
    except AppError as error:
        return _course_page(found, error, "about")
    return _back(course_id, gettext("The course was changed."))


@bp.post("/courses/<course_id>/quotas")
def set_quota(course_id: str) -> ResponseReturnValue:
    """Say how many people an organisation is to send; an empty number takes its quota away."""
    found, seats = _managed(course_id), request.form.get("seats", "").strip()
    try:
        if seats and not NUMBER.fullmatch(seats):
            raise Invalid("quota.seats", N_("A quota is a number of people from 0 to %(limit)s."), limit=1_000_000)
        _rosters().set_quota(course_id, request.form.get("org", ""), int(seats) if seats else None)
    except AppError as error:
        return _course_page(found, error, "quota")
    return _back(course_id, gettext("The quota was saved."))


def _course_page(found: CourseView, error: AppError | None = None, form: str = "") -> ResponseReturnValue:
    """Show a course.  form: the name of the one that the error is about; it stays open with what was typed."""
    manages = any_may(current_user.roles, "course.manage")
    rosters, rules = _rosters(), _rosters().rules(found.id)
    everybody = rosters.roster(found.id) if manages else []
    lectures, now = rosters.lectures(found.id), _clock().now()
    all_orgs = _schedules().organisations()
    page = render_template(
        "rosters/course.html",
        course=found,
        organisations=(organisations := {o.id: o.name for o in all_orgs}),
        senders=[(o.id, o.name) for o in all_orgs if not o.is_abolished],
        group_id=rosters.target_group(found.id) or "",
        groups=[(group.id, group.name) for group in rosters.target_groups()],
        coming=[lecture for lecture in lectures if lecture.status in ("open", "live") or lecture.starts_at > now],
        past=[x for x in reversed(lectures) if x.status not in ("open", "live") and x.starts_at <= now],
        rules=rules,
        accepted=sum(line.rules_version == rules.version for line in everybody) if rules.text else 0,
        quotas=_quotas(rosters.quotas(found.id), everybody, organisations) if manages else [],
        roster=_page_of(everybody, _chosen(found.id, everybody)) if manages else None,
        everybody=len(everybody),
        points=rosters.open_points() if manages else [],
        taken_points=sorted({(x.point_id, x.point_name) for x in everybody if x.point_id}, key=lambda x: x[1]),
        nowhere=NOWHERE,
        q=request.args.get("q", ""),
        point_id=request.args.get("point", ""),
        said=sentences(error, gettext) if error else [],
        form=form,
    )
    return Response(page, error.status if error else 200)


def _chosen(course_id: str, everybody: list[RosterLine]) -> list[RosterLine]:
    """Return those whom the search and the filter leave."""
    words, point_id = request.args.get("q", "").strip()[:200], request.args.get("point", "")
    lines = _rosters().find(course_id, words) if words else everybody
    if point_id:
        wanted = None if point_id == NOWHERE else point_id
        lines = [line for line in lines if line.point_id == wanted]
    return lines


def _page_of(everybody: Sequence[RosterLine], lines: Sequence[RosterLine]) -> RosterPage:
    """Return the page that `?page=` asks for, the nearest there is."""
    asked = request.args.get("page", "")
    pages = max(1, -(-len(lines) // PAGE))
    number = min(max(int(asked), 1), pages) if NUMBER.fullmatch(asked) else 1
    start = (number - 1) * PAGE
    return RosterPage(lines[start : start + PAGE], start + 1, len(lines), number, pages)


def _quotas(
    quotas: Sequence[QuotaView], everybody: Sequence[RosterLine], names: dict[str, str]
) -> list[tuple[str, int, int | None]]:
    """Return (organisation, people, seats) of all that have people or a quota; seats is None without one."""
    taken = Counter(line.org_id for line in everybody if line.org_id)
    seats = {quota.org_id: quota.seats for quota in quotas}
    orgs = sorted({*taken, *seats}, key=lambda org_id: place_key(names.get(org_id, "")))
    return [(names.get(org_id, ""), taken[org_id], seats.get(org_id)) for org_id in orgs]


# ---- people ------------------------------------------------------------------------------------


@bp.post("/courses/<course_id>/people")
def enrol(course_id: str) -> ResponseReturnValue:
    """Put one person on the roster by login or staff code."""
    found = _managed(course_id)
    try:
        line = _rosters().enrol(course_id, request.form.get("who", "")[:200], request.form.get("at") or None)
    except AppError as error:
        return _course_page(found, error, "person")
    return _back(course_id, gettext("%(name)s is on the roster.", name=line.name), "roster")


@bp.route("/courses/<course_id>/people/<user_id>", methods=["GET", "POST"])
def person(course_id: str, user_id: str) -> ResponseReturnValue:
    """Show one person of the roster, and say where they attend."""
    found, error = _managed(course_id), None
    line = _rosters().line(course_id, user_id)
    if request.method == "POST":
        try:
            _rosters().set_point(course_id, user_id, request.form.get("at") or None)
        except AppError as refused:
            error = refused
        else:
            return _back(course_id, gettext("Saved: where %(name)s attends.", name=line.name), "roster")
    page = render_template(
        "rosters/person.html",
        course=found,
        line=line,
        rules=_rosters().rules(course_id),
        points=_rosters().open_points(),
        said=sentences(error, gettext) if error else [],
    )
    return Response(page, error.status if error else 200)


@bp.post("/courses/<course_id>/people/<user_id>/remove")
def remove(course_id: str, user_id: str) -> ResponseReturnValue:
    """Take a person off the roster."""
    _managed(course_id)
    line = _rosters().line(course_id, user_id)
    _rosters().remove(course_id, user_id, by=current_user.id)
    return _back(course_id, gettext("%(name)s is no longer on the roster.", name=line.name), "roster")


@bp.get("/courses/<course_id>/roster.csv")
def export(course_id: str) -> ResponseReturnValue:
    """Give the whole roster as a file for spreadsheets."""
    _managed(course_id)
    data = roster_csv(_rosters().roster(course_id), _config().zone, gettext)
    return _file(data, "text/csv", f"roster-{course_id}.csv")


# ---- import ------------------------------------------------------------------------------------


@bp.url_value_preprocessor
def take_sheets(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Let those who manage courses upload more than other forms may send, before anybody reads the body."""
    if endpoint != "rosters.preview" or values is None:
        return
    require(current_user.roles, "course.manage")
    _schedules().course(values["course_id"])
    request.max_content_length = UPLOAD_MAX + AROUND
    if (request.content_length or 0) > UPLOAD_MAX + AROUND:
        raise too_large()


@bp.errorhandler(TooLarge)
def say_too_large(error: TooLarge) -> ResponseReturnValue:
    """Show the page of the import again, with the sentence on top."""
    return _import_page(_schedules().course((request.view_args or {})["course_id"]), error)


@bp.get("/courses/<course_id>/import")
def import_sheet(course_id: str) -> ResponseReturnValue:
    """Ask for a sheet of nominations."""
    found = _managed(course_id)
    _uploads().tidy()
    return _import_page(found)


@bp.post("/courses/<course_id>/import")
def preview(course_id: str) -> ResponseReturnValue:
    """Say what a sheet would do; import nothing."""
    found = _managed(course_id)
    file = request.files.get("sheet")
    name = (file.filename or "")[-NAME_SHOWN:] if file else ""
    try:
        if file is None or not name:
            raise Invalid("upload.none", N_("Please choose a file."))
        data = file.read(UPLOAD_MAX + 1)
        report = _rosters().preview(course_id, _read(data, name))
    except AppError as error:
        return _import_page(found, error)
    key = _uploads().keep(data, current_user.id, course_id)
    return _preview_page(found, report, key, name)


@bp.post("/courses/<course_id>/import/confirm")
def confirm(course_id: str) -> ResponseReturnValue:
    """Import the very bytes that were previewed."""
    found = _managed(course_id)
    key, name = request.form.get("key", ""), request.form.get("name", "")[:NAME_SHOWN]
    try:
        data = _uploads().read(key, current_user.id, course_id)
        report = _rosters().import_sheet(course_id, _read(data, name), by=current_user.id)
    except AppError as error:
        return _import_page(found, error)
    if not report.imported:  # what the sheet names was changed since the preview
        return _preview_page(found, report, key, name)
    _uploads().forget(key, current_user.id, course_id)
    words = gettext(
        "Imported: %(added)s people added, %(updated)s updated, %(unchanged)s as before.", **_counts(report)
    )
    return _back(course_id, words, "roster")


@bp.get("/courses/<course_id>/import/problems.csv")
def problems(course_id: str) -> ResponseReturnValue:
    """Give the rows of a previewed sheet that are wrong, each with its reason."""
    _managed(course_id)
    data = _uploads().read(request.args.get("key", ""), current_user.id, course_id)
    table = _read(data, "")
    report = _rosters().preview(course_id, table)
    return _file(problems_csv(report.problems, table, gettext), "text/csv", f"problems-{course_id}.csv")


@bp.get("/courses/<course_id>/import/template.<any(xlsx, csv):kind>")
def template(course_id: str, kind: str) -> ResponseReturnValue:
    """Give an empty sheet with the headings that the import knows."""
    _managed(course_id)
    name = f"nominations.{kind}"
    if kind == "csv":
        return _file(template_csv(gettext), "text/csv", name)
    points = [words for _, words in _rosters().open_points()]
    organisations = [one.name for one in _schedules().organisations() if not one.is_abolished]
    return _file(template_xlsx(points, organisations, gettext), XLSX, name)


def _read(data: bytes, name: str) -> Table:
    """Return the table.  A sheet of 5,000 rows takes three seconds, so it is read elsewhere."""
    return cast(Table, cast(Offload, _extension("offload"))(read_table, data, name))


def _counts(report: ImportReport) -> dict[str, int]:
    return {"added": report.added, "updated": report.updated, "unchanged": report.unchanged}


def _import_page(found: CourseView, error: AppError | None = None) -> ResponseReturnValue:
    said = sentences(error, gettext) if error else []
    page = render_template("rosters/import.html", course=found, said=said, limit=UPLOAD_MAX // 1024**2)
    return Response(page, error.status if error else 200)


def _preview_page(found: CourseView, report: ImportReport, key: str, name: str) -> ResponseReturnValue:
    def words(told: Any) -> str:
        return str(gettext(told.message, **told.params))

    page = render_template(
        "rosters/preview.html",
        course=found,
        report=report,
        problems=[(told.row, told.column, words(told)) for told in report.problems[:SHOWN]],
        bad_rows=len({told.row for told in report.problems}),
        warnings=[(told.row, words(told)) for told in report.warnings[:SHOWN]],
        key=key,
        name=name,
        limit=UPLOAD_MAX // 1024**2,
    )
    return Response(page)


# ---- rules of the class ------------------------------------------------------------------------


@bp.route("/courses/<course_id>/rules", methods=["GET", "POST"])
def rules(course_id: str) -> ResponseReturnValue:
    """Show the rules: to accept for who is on the roster, to write for who manages courses."""
    require(current_user.roles, "timetable.view")
    found = _schedules().course(course_id)
    if request.method == "GET":
        return _rules_page(found)
    require(current_user.roles, "course.manage")
    try:
        _rosters().set_rules(course_id, request.form.get("text", ""))
    except AppError as error:
        return _rules_page(found, error)
    flash(gettext("The rules were saved."), "success")
    return redirect(url_for("rosters.rules", course_id=course_id), 303)


@bp.post("/courses/<course_id>/rules/accept")
def accept_rules(course_id: str) -> ResponseReturnValue:
    """Take somebody's word that they accept the rules they have just read."""
    require(current_user.roles, "timetable.view")
    found, version = _schedules().course(course_id), request.form.get("version", "")
    if not _schedules().enrolled(current_user.id, course_id):
        raise NotAllowed("rules.not_yours", N_("Only people on the roster accept the rules of a class."))
    try:
        _rosters().accept_rules(course_id, current_user.id, int(version) if NUMBER.fullmatch(version) else -1)
    except AppError as error:
        return _rules_page(found, error)
    flash(gettext("You accepted the rules of the class."), "success")
    return redirect(_way_back() or url_for("rosters.course", course_id=course_id), 303)


def _rules_page(found: CourseView, error: AppError | None = None) -> ResponseReturnValue:
    manages = any_may(current_user.roles, "course.manage")
    kept = _rosters().rules(found.id)
    mine = _rosters().line(found.id, current_user.id) if _schedules().enrolled(current_user.id, found.id) else None
    page = render_template(
        "rosters/rules.html",
        course=found,
        rules=kept,
        text=request.form.get("text", kept.text),
        manages=manages,
        mine=mine,
        asks=bool(kept.text) and mine is not None and mine.rules_version != kept.version,
        accepted=sum(x.rules_version == kept.version for x in _rosters().roster(found.id)) if manages else 0,
        way_back=_way_back(),
        limit=RULES_MAX,
        said=sentences(error, gettext) if error else [],
    )
    return Response(page, error.status if error else 200)


def _way_back() -> str:
    """Return the page of a class that sent here, empty for any other address."""
    target = request.values.get("next", "")
    return target if WAY_BACK.fullmatch(target) else ""


# ---- target groups -----------------------------------------------------------------------------


@bp.route("/target-groups", methods=["GET", "POST"])
def target_groups() -> ResponseReturnValue:
    """List whom content is for, and add a group."""
    require(current_user.roles, "course.manage")
    if request.method == "GET":
        return _groups_page()
    try:
        made = _rosters().add_target_group(request.form.get("name", ""), request.form.get("description", "")[:2000])
    except AppError as error:
        return _groups_page(error)
    flash(gettext("The target group “%(name)s” was added.", name=made.name), "success")
    return redirect(url_for("rosters.target_groups"), 303)


@bp.post("/target-groups/<group_id>")
def rename_target_group(group_id: str) -> ResponseReturnValue:
    """Give a group another name and description."""
    require(current_user.roles, "course.manage")
    name, description = request.form.get("name", ""), request.form.get("description", "")[:2000]
    try:
        _rosters().rename_target_group(group_id, name, description)
    except AppError as error:
        return _groups_page(error, group_id)
    flash(gettext("The target group was changed."), "success")
    return redirect(url_for("rosters.target_groups"), 303)


def _groups_page(error: AppError | None = None, group_id: str = "") -> ResponseReturnValue:
    """Show the groups.  group_id: of the one whose change was refused; empty when it is the new one."""
    page = render_template(
        "rosters/target_groups.html",
        groups=_rosters().target_groups(),
        courses=_rosters().courses_by_group(),
        wrong=group_id,
        said=sentences(error, gettext) if error else [],
    )
    return Response(page, error.status if error else 200)


# ---- whom to ask -------------------------------------------------------------------------------


def _managed(course_id: str) -> CourseView:
    """Return a course to somebody who manages courses.  Raises NotAllowed, NotFound."""
    require(current_user.roles, "course.manage")
    return _schedules().course(course_id)


def _back(course_id: str, words: str, anchor: str | None = None) -> ResponseReturnValue:
    flash(words, "success")
    return redirect(url_for("rosters.course", course_id=course_id, _anchor=anchor), 303)


def _file(data: bytes, mimetype: str, name: str) -> Response:
    response = Response(data, mimetype=mimetype)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _schedules() -> ScheduleService:
    return cast(ScheduleService, _extension("schedules"))


def _rosters() -> RosterService:
    return cast(RosterService, _extension("rosters"))


def _uploads() -> Uploads:
    return cast(Uploads, _extension("uploads"))


def _config() -> Config:
    return cast(Config, _extension("config"))


def _clock() -> Clock:
    return cast(Clock, _extension("clock"))


def _extension(name: str) -> Any:
    return current_app.extensions[name]
