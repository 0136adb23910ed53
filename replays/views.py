"""The replay page and the files it plays."""

from dataclasses import asdict
from typing import Any, Protocol, cast

from flask import Blueprint, Response, current_app, jsonify, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from core.clock import Clock
from core.errors import N_, Invalid, NotAllowed
from core.permissions import require
from replays.access import Decisions, Ties, Viewer, may_watch
from replays.service import Replay, ReplayService

bp = Blueprint("replays", __name__, template_folder="templates")

FOR_EVER_S = 365 * 24 * 3600
TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".mp4": "video/mp4", ".m4s": "video/iso.segment"}


class Lecture(Protocol):
    """What these pages need to know of a lecture."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def course_id(self) -> str: ...  # noqa: D102
    @property
    def lecturer_id(self) -> str: ...  # noqa: D102


class Timetable(Protocol):
    """What these pages ask of the timetable."""

    def lecture(self, lecture_id: str, /) -> Lecture:
        """Return a lecture.  Raises NotFound."""
        ...

    def organisations_of_lecture(self, lecture_id: str, /) -> set[str]:
        """Return the organisations that take part."""
        ...

    def organisations_over_lecture(self, lecture_id: str, /) -> set[str]:
        """Return the organisations that take part and all above them."""
        ...

    def enrolled(self, user_id: str, course_id: str, /) -> bool:
        """Return whether a person is on a course's roster."""
        ...

    def labels(self, ids: list[str], /) -> dict[str, str]:
        """Return names of persons and points."""
        ...


class PollLabel(Protocol):
    """The words of a poll."""

    @property
    def question(self) -> str: ...  # noqa: D102
    @property
    def options(self) -> tuple[str, ...]: ...  # noqa: D102


class Rooms(Protocol):
    """What these pages ask of the rooms."""

    def labels_of_polls(self, ids: list[str], /) -> dict[str, PollLabel]:
        """Return the words of polls."""
        ...


@bp.get("/lectures/<lecture_id>/replay")
def watch(lecture_id: str) -> ResponseReturnValue:
    """Show the replay: the picture, the chapters, and the class's state at each moment."""
    lecture = _check(lecture_id)
    if first := _first(lecture_id):
        return redirect(first)
    replay = _replays().replay(lecture_id)
    return render_template(
        "replays/replay.html", lecture=lecture, replay=replay, page_data=_page_data(lecture_id, replay)
    )


def _page_data(lecture_id: str, replay: Replay) -> dict[str, Any]:
    return {
        "lecture": lecture_id,
        "master": url_for("replays.recording", lecture_id=lecture_id, name="master.m3u8"),
        "positionUrl": url_for("replays.position", lecture_id=lecture_id),
        "positionMs": _replays().position(current_user.id, lecture_id),
        "stretches": [[stretch.start_ms, stretch.duration_ms] for stretch in replay.recorded.stretches],
        "entries": replay.entries,
        "chapters": [asdict(chapter) for chapter in replay.chapters],
        "labels": _labels(replay.ids),
    }


def _labels(ids: set[str]) -> dict[str, Any]:
    polls = sorted(name for name in ids if name.startswith("pol_"))
    names: dict[str, Any] = {**_timetable().labels(sorted(ids - set(polls)))}
    words = cast(Rooms, _extension("rooms")).labels_of_polls(polls)
    return names | {poll: {"question": it.question, "options": list(it.options)} for poll, it in words.items()}


@bp.get("/lectures/<lecture_id>/replay/position")
def position(lecture_id: str) -> ResponseReturnValue:
    """Tell where the viewer stopped."""
    _check(lecture_id)
    return jsonify(position_ms=_replays().position(current_user.id, lecture_id))


@bp.put("/lectures/<lecture_id>/replay/position")
def keep_position(lecture_id: str) -> ResponseReturnValue:
    """Remember where the viewer is."""
    _check(lecture_id)
    body = request.get_json(silent=True)
    given = body.get("position_ms") if isinstance(body, dict) and set(body) == {"position_ms"} else None
    if not isinstance(given, int) or isinstance(given, bool):
        raise Invalid("replay.bad_position", N_("This is not a place in a recording."))
    _replays().keep_position(current_user.id, lecture_id, given)
    return "", 204


@bp.get("/recordings/<lecture_id>/<path:name>")
def recording(lecture_id: str, name: str) -> ResponseReturnValue:
    """Give a playlist, an init or a segment, whole or in ranges."""
    _check(lecture_id)
    path = _replays().file(lecture_id, name)
    response: Response = send_file(path, mimetype=TYPES[path.suffix], conditional=True, etag=True)
    if path.suffix == ".m3u8":
        response.headers["Cache-Control"] = "private, no-cache"
    else:  # never written again under this name
        response.headers["Cache-Control"] = f"private, max-age={FOR_EVER_S}, immutable"
    return response


# ---- who asks, and whom to ask -----------------------------------------------------------------


def _check(lecture_id: str) -> Lecture:
    """Return the lecture if the person who asks may watch it; raises NotAllowed otherwise."""
    require(current_user.roles, "replay.view")
    viewer = Viewer(current_user.id, current_user.org_id, current_user.roles)
    lecture = _timetable().lecture(lecture_id)
    if not _allowed(viewer, lecture):
        raise NotAllowed("replay.not_yours", N_("You may only watch replays of lectures you take part in."))
    return lecture


def _allowed(viewer: Viewer, lecture: Lecture) -> bool:
    decisions: Decisions = current_app.extensions.setdefault("replay_decisions", Decisions())
    now_s = cast(Clock, _extension("clock")).now().timestamp()
    answer = decisions.recall(viewer, lecture.id, now_s)
    if answer is None:
        timetable = _timetable()
        ties = Ties(
            lecturer_id=lecture.lecturer_id,
            organisations=timetable.organisations_of_lecture(lecture.id),
            organisations_over=timetable.organisations_over_lecture(lecture.id),
            is_enrolled=timetable.enrolled(viewer.id, lecture.course_id),
        )
        answer = may_watch(viewer, ties)
        decisions.keep(viewer, lecture.id, now_s, answer)
    return answer


def _first(lecture_id: str) -> str | None:
    """Return where the viewer has to go before they watch, such as to the rules of the class; None: nowhere."""
    entry = current_app.extensions.get("entry")
    return cast(str | None, entry(current_user.id, lecture_id, request.path)) if entry else None


def _replays() -> ReplayService:
    return cast(ReplayService, _extension("replays"))


def _timetable() -> Timetable:
    return cast(Timetable, _extension("schedules"))


def _extension(name: str) -> Any:
    return current_app.extensions[name]
