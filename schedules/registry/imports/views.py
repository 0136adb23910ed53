"""Pages that take the registry from sheets: a preview, then all of it or nothing; sheets to fill in."""

from collections.abc import Mapping
from typing import Any, cast

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user

from core.errors import N_, AppError, Invalid, TooLarge
from core.permissions import Action, require
from schedules.forms import sentences
from schedules.registry.carry import PACKED_MAX, pack, unpack
from schedules.registry.columns import COLUMNS
from schedules.registry.files import TITLES, template_csv, template_xlsx
from schedules.registry.import_service import Report
from schedules.registry.records import Kind
from schedules.registry.registry_service import Registry
from schedules.sheets.limits import UPLOAD_MAX, too_large
from schedules.sheets.table import Table, read_table
from schedules.sheets.writer import XLSX

bp = Blueprint("registry_import", __name__)

FORM_ROOM = 100_000  # bytes of a form besides the file or the table in it
BODY_MAX = UPLOAD_MAX + PACKED_MAX + FORM_ROOM
EDITS: dict[Kind, Action] = {
    "organisations": "organisation.manage",
    "points": "point.manage",
    "equipment": "point.manage",
    "people": "user.manage",
}


@bp.url_value_preprocessor
def make_room(endpoint: str | None, values: Mapping[str, Any] | None) -> None:
    """Let who may import send a whole sheet; before anything reads the form, as the check of its token does."""
    if endpoint != "registry_import.import_sheet" or values is None:
        return
    require(current_user.roles, EDITS[values["kind"]])
    request.max_content_length = BODY_MAX
    request.max_form_memory_size = PACKED_MAX + FORM_ROOM
    if (request.content_length or 0) > BODY_MAX:
        raise too_large()


@bp.errorhandler(TooLarge)
def say_too_large(error: TooLarge) -> ResponseReturnValue:
    """Show the page of the import again, with the sentence on top; what was sent is not read."""
    return _import_page((request.view_args or {})["kind"], error)


@bp.route("/registry/import/<any(organisations, points, equipment, people):kind>", methods=["GET", "POST"])
def import_sheet(kind: Kind) -> ResponseReturnValue:
    """Take a sheet: first show what it would do, then do it."""
    require(current_user.roles, EDITS[kind])
    error, report, packed = None, None, ""
    if request.method == "POST":
        try:
            upload = request.files.get("sheet")
            if upload is not None and upload.filename:
                data = upload.read()
                upload.close()  # a large one is a file on disk
                offload = current_app.extensions["offload"]  # a large sheet takes seconds
                table = cast(Table, offload(read_table, data, upload.filename))
                report = _registry().imports.preview(kind, table)
                packed = pack(table) if not report.problems else ""
                if len(packed) > PACKED_MAX:
                    raise Invalid("import.too_large", N_("This table is too large to be shown first. Please split it."))
            elif request.form.get("table"):
                report = _registry().imports.take(kind, unpack(request.form["table"]), current_user.id)
            else:
                raise Invalid("import.no_file", N_("Please choose a file."))
            if report.imported:
                words = gettext("The sheet was taken: %(added)s new, %(updated)s changed, %(unchanged)s as before.", added=report.count("added"), updated=report.count("updated"), unchanged=report.count("unchanged"))  # fmt: skip # noqa: E501
                flash(words, "success")
                return redirect(url_for(f"registry.{kind}"), 303)
        except AppError as refused:
            error = refused
    return _import_page(kind, error, report, packed)


def _import_page(
    kind: Kind, error: AppError | None, report: Report | None = None, packed: str = ""
) -> ResponseReturnValue:
    said = sentences(error, gettext) if error else []
    page = render_template(
        "registry/import.html", said=said, kind=kind, title=gettext(TITLES[kind]), report=report, packed=packed,
        columns=COLUMNS[kind], translate=gettext,
    )  # fmt: skip
    return Response(page, error.status if error else 200)


@bp.get("/registry/import/<any(organisations, points, equipment, people):kind>/template.<any(xlsx, csv):form>")
def template(kind: Kind, form: str) -> ResponseReturnValue:
    """Give a sheet with the headings that the import knows and two rows as examples."""
    require(current_user.roles, EDITS[kind])
    if form == "csv":
        answer = Response(template_csv(kind, gettext), mimetype="text/csv")
    else:
        organisations = [line.name for line in _registry().organisations.lines()]
        points = [line.draft.name for line in _registry().points.lines()]
        choices = {"org": organisations, "parent": organisations, "point": points}
        answer = Response(template_xlsx(kind, choices, gettext), mimetype=XLSX)
    answer.headers.set("Content-Disposition", "attachment", filename=f"{kind}.{form}")
    return answer


def _registry() -> Registry:
    return cast(Registry, current_app.extensions["registry"])
