"""Pages of lesson plans: a lecture's plan with files and review, the reviewers' desk, the plan of the year."""

from dataclasses import asdict
from datetime import date
from typing import Any, Literal, cast

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user
from werkzeug.exceptions import RequestEntityTooLarge

from core.config import Config
from core.errors import N_, AppError, Invalid, NotAllowed
from core.permissions import any_may, require
from schedules.plans import review as rules
from schedules.plans.file_store import Kept
from schedules.plans.files import MEGABYTE, SIZE_MAX
from schedules.plans.plan_service import PlanService
from schedules.plans.records import PlanView, YearDraft
from schedules.plans.review import Person
from schedules.plans.year_plan import YEARS
from schedules.plans.year_service import YearService
from schedules.records import LectureView
from schedules.service import ScheduleService

bp = Blueprint("plans", __name__, template_folder="templates")

Step = Literal["submit", "withdraw", "approve", "return", "comment", "waive", "unwaive"]
STEPS = "submit, withdraw, approve, return, comment, waive, unwaive"
BODY_MAX = SIZE_MAX + MEGABYTE  # bytes of an upload: one file of the largest size, and the form around it
READ_ONLY = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'none'; sandbox"

DONE: dict[str, str] = {
    "submit": N_("The lesson plan was submitted. A reviewer sees it now."),
    "withdraw": N_("The lesson plan was withdrawn. You can change it again."),
    "approve": N_("The lesson plan was approved. The class may go live."),
    "return": N_("The lesson plan was returned with your words."),
    "comment": N_("Your comment was added."),
    "waive": N_("The lecture may go live without an approved lesson plan."),
    "unwaive": N_("The waiver was revoked."),
}
PROBLEMS: dict[str, str] = {
    "plan.no_converter": N_("No PDF: there is no converter on this server. Download the file to look at it."),
    "plan.convert_failed": N_("No PDF: the file could not be converted. Download it, or upload a PDF."),
    "plan.convert_timeout": N_("No PDF: converting took too long. Download the file, or upload a PDF."),
}


@bp.url_value_preprocessor
def allow_large_uploads(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Let those who may upload send more than a page's form; before anything reads the request's body."""
    if endpoint == "plans.upload" and any_may(current_user.roles, "plan.upload"):
        request.max_content_length = BODY_MAX


@bp.app_context_processor
def for_other_pages() -> dict[str, Any]:
    """Offer `plan_for(lecture)` to the pages of a lecture: its plan, None for who may not see it."""

    def plan_for(lecture: LectureView) -> PlanView | None:
        return _plans().plan(lecture.id) if _may_see(lecture) else None

    return {"plan_for": plan_for, "plan_required": _config().plan_required}


# ---- a lecture's plan --------------------------------------------------------------------------


@bp.get("/lectures/<lecture_id>/plan")
def plan(lecture_id: str) -> ResponseReturnValue:
    """Show a lecture's plan: files, review, waiver, history."""
    return _page(_lecture(lecture_id))


@bp.post("/lectures/<lecture_id>/plan/files")
def upload(lecture_id: str) -> ResponseReturnValue:
    """Take files in; the new version has them and what was there before."""
    lecture = _lecture(lecture_id)
    require(current_user.roles, "plan.upload")
    try:
        _plans().check_may_edit(lecture_id, current_user.id)
        _plans().upload(lecture_id, _received(), current_user.id)
    except NotAllowed:
        raise
    except AppError as error:
        return _page(lecture, error)
    flash(gettext("The files were added. Submit the lesson plan when it is complete."), "success")
    return _back(lecture_id)


@bp.errorhandler(RequestEntityTooLarge)
def too_large(error: RequestEntityTooLarge) -> ResponseReturnValue:
    """Say on the page that an upload was refused for its size."""
    sentence = Invalid(
        "plan.too_large",
        N_("What you sent is larger than %(most)s MB. Upload files one at a time, or make their pictures smaller."),
        most=SIZE_MAX // MEGABYTE,
    )
    try:
        answer = _page(_lecture((request.view_args or {}).get("lecture_id", "")), sentence)
    except AppError:  # nobody to show the plan to
        said = gettext(sentence.message, **sentence.params)
        return render_template(
            "error.html", status=413, title=gettext("Too large"), sentence=said, code=sentence.code
        ), 413
    answer.status_code = 413
    return answer


@bp.post("/lectures/<lecture_id>/plan/files/<file_id>/remove")
def remove(lecture_id: str, file_id: str) -> ResponseReturnValue:
    """Make a new version without a file; earlier versions keep it."""
    lecture = _lecture(lecture_id)
    require(current_user.roles, "plan.upload")
    try:
        _plans().remove(lecture_id, file_id, current_user.id)
    except NotAllowed:
        raise
    except AppError as error:
        return _page(lecture, error)
    flash(gettext("The file was taken out. Earlier versions still have it."), "success")
    return _back(lecture_id)


@bp.get("/lectures/<lecture_id>/plan/files/<file_id>")
def download(lecture_id: str, file_id: str) -> ResponseReturnValue:
    """Give a file to keep, never to be shown by the browser within our site."""
    _lecture(lecture_id)
    file = _plans().file(lecture_id, file_id)
    path = _plans().store.path(file.sha256)
    return _guarded(
        send_file(path, "application/octet-stream", as_attachment=True, download_name=file.name, etag=file.sha256)
    )


@bp.get("/lectures/<lecture_id>/plan/files/<file_id>/pdf")
def show_pdf(lecture_id: str, file_id: str) -> ResponseReturnValue:
    """Show a file's PDF, with a policy under which it can do nothing.  Raises Invalid when there is none."""
    _lecture(lecture_id)
    file = _plans().file(lecture_id, file_id)
    if file.pdf_sha256 is None:
        raise Invalid("plan.no_pdf", N_("There is no PDF of this file."))
    name = f"{file.name.rpartition('.')[0]}.pdf"
    path = _plans().store.path(file.pdf_sha256)
    return _guarded(send_file(path, "application/pdf", download_name=name, etag=file.pdf_sha256))


@bp.post(f"/lectures/<lecture_id>/plan/<any({STEPS}):step>")
def take(lecture_id: str, step: Step) -> ResponseReturnValue:
    """Take a step of review: the authors' or the reviewers'."""
    lecture = _lecture(lecture_id)
    try:
        _taken(lecture_id, step)
    except NotAllowed:
        raise
    except AppError as error:
        return _page(lecture, error, step)
    flash(gettext(DONE[step]), "success")
    return _back(lecture_id)


def _taken(lecture_id: str, step: Step) -> None:
    plans, by = _plans(), current_user.id
    words = request.form.get("words", "").replace("\r\n", "\n")
    if step in ("submit", "withdraw"):
        require(current_user.roles, "plan.upload")
        plans.submit(lecture_id, by, words) if step == "submit" else plans.withdraw(lecture_id, by)
    elif step == "comment":
        plans.comment(lecture_id, by, words)
    else:
        require(current_user.roles, "plan.review")
        if step == "waive":
            plans.waive(lecture_id, by, words)
        elif step == "unwaive":
            plans.revoke_waiver(lecture_id, by, words)
        else:
            decide = plans.approve if step == "approve" else plans.return_
            decide(lecture_id, by, _number(request.form.get("version", ""), -1), words)


def _received() -> list[Kept]:
    """Keep what was sent; the disk and the judging would hold every green thread, so they go elsewhere."""
    files = [file for file in request.files.getlist("files") if file.filename]
    if not files:
        raise Invalid("plan.no_file", N_("Please choose a file first."))
    offload = current_app.extensions["offload"]
    return [offload(_plans().store.keep, file.stream, file.filename) for file in files]


def _page(lecture: LectureView, error: AppError | None = None, step: str = "") -> Response:
    """Show the plan, with an error's sentence on top and the words that were typed where they were.

    step: the one that was refused.
    """
    plans, schedules = _plans(), _schedules()
    view, history, versions = plans.plan(lecture.id), plans.history(lecture.id), plans.versions(lecture.id)
    people = {entry.by for entry in history} | {file.added_by for files in versions.values() for file in files}
    people |= {view.waiver.by} if view.waiver else set()
    who, over = Person(current_user.id, current_user.roles), lecture.status in ("ended", "cancelled")
    edits = rules.may_edit(view.review, who) and not over
    page = render_template(
        "plans/plan.html",
        lecture=lecture,
        plan=view,
        history=history,
        earlier={number: files for number, files in versions.items() if number != view.version},
        names=schedules.labels(people | ({view.approved_by} if view.approved_by else set())),
        changes=edits and view.state != "submitted",
        edits=edits,
        withdraws=edits and view.state == "submitted" and not rules.may_review(view.review, who),
        reviews=rules.may_review(view.review, who) and not over,
        is_reviewer=any_may(who.roles, "plan.review") and not over,
        comments=rules.may_comment(view.review, who),
        own=who.id in view.review.authors,
        required=_config().plan_required,
        problems=PROBLEMS,
        most=SIZE_MAX // MEGABYTE,
        said=gettext(error.message, **error.params) if error else "",
        typed=request.form.get("words", "") if error and step else "",
        step=step,
    )
    return Response(page, error.status if error else 200)


def _guarded(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = READ_ONLY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _back(lecture_id: str) -> ResponseReturnValue:
    return redirect(url_for("plans.plan", lecture_id=lecture_id), 303)


# ---- the reviewers' desk -----------------------------------------------------------------------


@bp.get("/plans")
def desk() -> ResponseReturnValue:
    """Show what waits for review, and which lectures have nothing to show yet; soonest first."""
    require(current_user.roles, "plan.review")
    return render_template("plans/desk.html", desk=_plans().desk(current_user.id), required=_config().plan_required)


# ---- the plan of the year ----------------------------------------------------------------------


@bp.route("/year", methods=["GET", "POST"])
def year() -> ResponseReturnValue:
    """Show the plan of a year, `?year=2026` and with `?org=` one organisation's; add a line."""
    require(current_user.roles, "year.view")
    error: AppError | None = None
    if request.method == "POST":
        require(current_user.roles, "year.plan")
        try:
            draft = _year_draft()
            _years().add(draft, current_user.id)
        except AppError as refused:
            error = refused
        else:
            flash(gettext("The line was added to the plan of the year."), "success")
            return redirect(url_for("plans.year", year=draft.year), 303)
    today = _years().today()
    shown = _number(request.args.get("year", ""), today.year)
    shown = shown if YEARS[0] <= shown <= YEARS[1] else today.year
    org_id = request.args.get("org", "")
    lines = _years().lines(shown, org_id or None)
    page = render_template(
        "plans/year.html",
        year=shown,
        org_id=org_id,
        lines=lines,
        alerts=[pair for pair in lines if pair[1].standing in ("late", "late_start", "short")],
        today=today,
        form=request.form if error else {"year": shown, "org_id": org_id or current_user.org_id, "lectures": 1},
        said=gettext(error.message, **error.params) if error else "",
        **_year_choices(),
    )
    return Response(page, error.status if error else 200)


@bp.route("/year/<item_id>", methods=["GET", "POST"])
def year_item(item_id: str) -> ResponseReturnValue:
    """Change a line of the plan of a year."""
    require(current_user.roles, "year.plan")
    line, error = _years().line(item_id), None
    form: Any = {**asdict(line.draft), "of": line.draft.topic_id or line.draft.course_id or ""}
    if request.method == "POST":
        form = request.form
        try:
            draft = _year_draft()
            _years().edit(item_id, draft, current_user.id)
        except AppError as refused:
            error = refused
        else:
            flash(gettext("The line was changed."), "success")
            return redirect(url_for("plans.year", year=draft.year), 303)
    said = gettext(error.message, **error.params) if error else ""
    page = render_template("plans/year_item.html", line=line, form=form, said=said, **_year_choices())
    return Response(page, error.status if error else 200)


@bp.post("/year/<item_id>/remove")
def remove_year_item(item_id: str) -> ResponseReturnValue:
    """Take a line out of the plan of a year."""
    require(current_user.roles, "year.plan")
    of = _years().line(item_id).draft.year
    _years().remove(item_id, current_user.id)
    flash(gettext("The line was taken out of the plan of the year."), "success")
    return redirect(url_for("plans.year", year=of), 303)


def _year_draft() -> YearDraft:
    """Read the form.  Raises Invalid for a day that is none; the numbers are judged later."""
    form, of = request.form, request.form.get("of", "")
    try:
        opens_on = date.fromisoformat(form.get("opens_on", ""))
        due_on = date.fromisoformat(form.get("due_on", ""))
    except ValueError as error:
        raise Invalid("year.no_day", N_("Please give both days, of the first and of the last lecture.")) from error
    return YearDraft(
        year=_number(form.get("year", ""), -1),
        org_id=form.get("org_id", ""),
        title=form.get("title", "").strip(),
        opens_on=opens_on,
        due_on=due_on,
        lectures=_number(form.get("lectures", ""), -1),
        course_id=of if of.startswith("crs_") else None,
        topic_id=of if of.startswith("top_") else None,
        people=_number(form.get("people", "") or "0", -1),
        note=form.get("note", ""),
    )


def _year_choices() -> dict[str, Any]:
    """Return what the form of a line offers: organisations by the tree, courses with their topics."""
    of = []
    for course in _schedules().courses():
        of.append((course.id, course.title))
        of += [(topic.id, f"\u2003{topic.title}") for topic in course.topics]
    everything = _schedules().organisations()
    organisations = [(o.id, "\u2003" * o.depth + o.name) for o in everything if not o.is_abolished]
    abolished = [(o.id, o.name) for o in everything if o.is_abolished]
    return {"organisations": organisations, "abolished": abolished, "of_choices": of}


def _number(given: str, otherwise: int) -> int:
    given = given.strip()
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else otherwise


# ---- whom to ask -------------------------------------------------------------------------------


def _lecture(lecture_id: str) -> LectureView:
    """Return a lecture whose plan one may see.  Raises NotAllowed, NotFound."""
    require(current_user.roles, "plan.view")
    lecture = _schedules().lecture(lecture_id)
    if not _may_see(lecture):
        raise NotAllowed("plan.not_shown", N_("Only those who teach, plan or watch over this lecture see its plan."))
    return lecture


def _may_see(lecture: LectureView) -> bool:
    roles = current_user.roles
    if not any_may(roles, "plan.view"):
        return False
    if roles & {"organiser", "admin"} or lecture.lecturer_id == current_user.id:
        return True
    return "observer" in roles and current_user.org_id in _schedules().organisations_over_lecture(lecture.id)


def _plans() -> PlanService:
    return cast(PlanService, current_app.extensions["plans"])


def _years() -> YearService:
    return cast(YearService, current_app.extensions["years"])


def _schedules() -> ScheduleService:
    return cast(ScheduleService, current_app.extensions["schedules"])


def _config() -> Config:
    return cast(Config, current_app.extensions["config"])
