"""The timetable's page, and what it asks while a lecture is dragged."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlencode

from flask import Response, current_app, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_date, gettext
from flask_login import current_user

from core.clock import Clock
from core.config import Config
from core.errors import AppError, Conflict
from core.permissions import any_may, require
from schedules.board.choice import Choice, choice_of, is_shown
from schedules.board.layout import (
    CLOSES,
    GRID,
    OPENS,
    SPAN,
    Hatch,
    Piece,
    Row,
    Spot,
    days_as_rows,
    hues_of,
    pieces,
    place,
    rows_of,
)
from schedules.board.moves import (
    Wish,
    block_json,
    busy_json,
    draft_of,
    in_place,
    lecture_json,
    offers_json,
    ways_back,
    wish_of,
    wishes_back,
)
from schedules.calendars.subscription_service import BusyView, SubscriptionService
from schedules.conflicts import BookingClash, NamedClash, sentence_of, words_of
from schedules.forms import sentences
from schedules.planning_service import Change
from schedules.records import BlockView, LectureDraft, LectureView
from schedules.registry.lineage import Lineage
from schedules.service import ScheduleService
from schedules.views import bp
from schedules.week import days_of
from schedules.zones import midnight, to_local

__all__ = ["bp"]  # the schedules' own blueprint, with these routes

DAY = timedelta(days=1)
ANY_DAY = date(2000, 1, 1)  # stands in an address where the page puts another
MOST_IN_A_DAY = 4  # lectures in a cell of the month; the rest is behind a link


# ---- the page ----------------------------------------------------------------------------------


@bp.get("/timetable")
def timetable() -> ResponseReturnValue:
    """Show a day, a week or a month of all points, all lecturers, or one of them; see `choice_of` for the query."""
    require(current_user.roles, "timetable.view")
    zone, now = _config().zone, to_local(_clock().now(), _config().zone)
    choice = choice_of(request.args, now.date())
    everything, lineage = _lectures(choice), _schedules().lineage()
    listed = _listed(choice, everything, lineage)
    standing = [lecture for lecture in listed if lecture.status != "cancelled"]
    plans = any_may(current_user.roles, "lecture.plan")
    held = Held(_schedules().bookings.blocks(*_range(choice)), _busy(choice, plans))
    agenda = days_of(choice.days[0], listed, zone, len(choice.days))
    rows = [] if choice.view == "month" else _rows(choice, standing, held, lineage)
    hues = hues_of(lecture.course_id for lecture in listed)
    names = {lecture.course_id: lecture.course_title for lecture in listed}
    return render_template(
        "schedules/timetable.html",
        choice=choice,
        link=lambda **changes: _address(choice, **changes),
        days=choice.days,
        title=_title(choice),
        words=format_date,
        today=now.date(),
        now_at=_now_at(now),
        rows=rows,
        flat=choice.is_single and choice.view == "week",
        hours=[(hour, place(hour * 60 - OPENS, 60)) for hour in range(OPENS // 60, CLOSES // 60 + 1)],
        agenda=[day for day in agenda if day.lectures or choice.view != "month"],
        weeks=[days_of_month(agenda[n : n + 7]) for n in range(0, len(agenda), 7)] if choice.view == "month" else [],
        most=MOST_IN_A_DAY,
        hues=hues,
        legend=sorted(((names[i], i, hue) for i, hue in hues.items()), key=lambda entry: entry[0]),
        unbegun=_not_begun(now) if plans else {},
        hatched={h.busy for row in rows for cell in row.cells for h in cell.hatches if h.reason},
        filters=_filters(choice),
        page_data=_page_data(choice, everything, held) if plans else None,
        my_feed=_feed_url() if "lecturer" in current_user.roles else None,
    )


def _address(choice: Choice, **changes: object) -> str:
    return f"{url_for('schedules.timetable')}?{urlencode(choice.args(**changes))}"


@dataclass(frozen=True)
class MonthDay:
    """A cell of the month."""

    date: date
    lectures: Sequence[LectureView]


def days_of_month(days: Iterable[Any]) -> list[MonthDay]:
    """Return a week's cells, without what was called off."""
    return [MonthDay(day.date, [x for x in day.lectures if x.status != "cancelled"]) for day in days]


def _range(choice: Choice) -> tuple[datetime, datetime]:
    zone = _config().zone
    return midnight(choice.days[0], zone), midnight(choice.days[-1] + DAY, zone)


def _lectures(choice: Choice) -> list[LectureView]:
    return _schedules().lectures_between(*_range(choice))


@dataclass(frozen=True)
class Held:
    """What is taken without a lecture: by hand, and by events of other bodies."""

    blocks: Sequence[BlockView]
    busy: Sequence[BusyView]


def _busy(choice: Choice, plans: bool) -> list[BusyView]:
    """Return the events of other bodies; what they are about, only who plans reads, and who they are about."""
    found = cast(SubscriptionService, current_app.extensions["subscriptions"]).busy(None, *_range(choice))
    said = [view.summary if plans or view.resource_id == current_user.id else "" for view in found]
    return [replace(view, summary=words or gettext("Busy")) for view, words in zip(found, said, strict=True)]


def _not_begun(now: datetime) -> dict[str, str]:
    """Return what is said of lectures that should have begun long ago, by their ids."""
    late = _schedules().not_begun(now, _config().no_show_minutes)
    since = {x.id: f"{to_local(x.starts_at, _config().zone):%H:%M}" for x in late}
    return {i: gettext("has not begun since %(time)s", time=time) for i, time in since.items()}


def _listed(choice: Choice, lectures: Sequence[LectureView], lineage: Lineage) -> list[LectureView]:
    return [lecture for lecture in lectures if is_shown(lecture, choice, lineage.below(choice.org, lecture.starts_at))]


def _resources(choice: Choice, lectures: Sequence[LectureView], lineage: Lineage) -> list[tuple[str, str, str]]:
    """Return (id, name, note) of what the rows could be.

    Of an organisation: what belongs to it now, and what belonged to it when the lectures that are shown began.
    """
    service = _schedules()
    if choice.lecturer or (choice.rows == "lecturers" and not choice.point):
        found = [(user.id, user.name, "", user.org_id) for user in service.users("lecturer")]
    else:
        found = [(point.id, point.name, point.place, point.org_id) for point in service.points()]
    only = choice.lecturer or choice.point
    if only or not choice.org:
        return [entry[:3] for entry in found if not only or entry[0] == only]
    then = {
        resource
        for lecture in lectures
        for resource, org_id in _homes(lecture)
        if org_id in lineage.below(choice.org, lecture.starts_at)
    }
    orgs = lineage.below(choice.org, _range(choice)[1])
    return [entry[:3] for entry in found if entry[3] in orgs or entry[0] in then]


def _homes(lecture: LectureView) -> list[tuple[str, str]]:
    """Return (point or lecturer, organisation) of all who take part."""
    pairs = zip(lecture.all_point_ids, lecture.org_ids, strict=True)
    return [*pairs, (lecture.lecturer_id, lecture.lecturer_org_id)]


def _rows(choice: Choice, lectures: Sequence[LectureView], held: Held, lineage: Lineage) -> list[Row]:
    """Return the board's rows; when a course or topic is asked for, only those that have something to show."""
    zone, days = _config().zone, choice.days
    items: dict[Spot, list[tuple[object, Piece]]] = defaultdict(list)
    hatches: dict[Spot, list[Hatch]] = defaultdict(list)
    by_lecturer = bool(choice.lecturer) or (choice.rows == "lecturers" and not choice.point)
    for lecture in lectures:
        start, end = _wall(lecture.starts_at, zone), _wall(lecture.ends_at, zone)
        on = pieces(start, end, days)
        margins = _margins(lecture, start, end, days) if not by_lecturer else []
        for resource in (lecture.lecturer_id,) if by_lecturer else lecture.all_point_ids:
            for piece in on:
                items[resource, piece.day].append((lecture, piece))
            for hatch in margins:
                hatches[resource, hatch.piece.day].append(hatch)
    for block in held.blocks:
        for piece in pieces(_wall(block.starts_at, zone), _wall(block.ends_at, zone), days):
            hatches[block.resource_id, piece.day].append(Hatch(piece, block.reason))
    for busy in held.busy:
        words = gettext("%(what)s (calendar “%(name)s”)", what=busy.summary, name=busy.calendar)
        for piece in pieces(_wall(busy.starts_at, zone), _wall(busy.ends_at, zone), days):
            hatches[busy.resource_id, piece.day].append(Hatch(piece, words, busy=True))
    taking_part = {resource for resource, _ in items}
    found = _resources(choice, lectures, lineage)
    wanted = [r for r in found if r[0] in taking_part or choice.is_single or not (choice.course or choice.topic)]
    rows = rows_of(wanted, days, items, hatches)
    if choice.is_single and choice.view == "week" and rows:
        return days_as_rows(rows[0], {day: format_date(day, "EEEE, d/M") for day in days})
    return rows


def _margins(lecture: LectureView, start: datetime, end: datetime, days: Sequence[date]) -> list[Hatch]:
    spans = (
        (start - timedelta(minutes=lecture.setup_min), start),
        (end, end + timedelta(minutes=lecture.teardown_min)),
    )
    return [Hatch(piece) for span in spans if span[0] < span[1] for piece in pieces(*span, days)]


def _wall(at: datetime, zone: str) -> datetime:
    return to_local(at, zone).replace(tzinfo=None)


def _title(choice: Choice) -> str:
    if choice.view == "day":
        return cast(str, format_date(choice.day, "EEEE, d MMMM y"))
    if choice.view == "month":
        return cast(str, format_date(choice.day, "LLLL y"))
    return f"{format_date(choice.days[0], 'd MMMM')} – {format_date(choice.days[-1], 'd MMMM y')}"


def _now_at(now: datetime) -> str:
    """Return the classes for the line of the present moment, or none outside the board's hours."""
    minutes = (now.hour * 60 + now.minute - OPENS) // GRID * GRID
    return place(minutes, 0) if 0 <= minutes < SPAN else ""


def _filters(choice: Choice) -> dict[str, Any]:
    """Return what the filter offers, and in words what is chosen."""
    service = _schedules()
    courses, organisations = service.courses(), service.organisations()
    abolished = [(o.id, o.name) for o in organisations if o.is_abolished]
    offered: dict[str, list[tuple[str, str]]] = {
        "point": [(point.id, point.name) for point in service.points()],
        "lecturer": [(user.id, user.name) for user in service.users("lecturer")],
        "org": [(o.id, "\u2003" * o.depth + o.name) for o in organisations if not o.is_abolished],
        "course": [(course.id, course.title) for course in courses],
        "topic": [(t.id, t.title) for c in courses for t in c.topics if choice.course in ("", c.id)],
    }
    chosen = [
        (name, words.strip()) for name, choices in offered.items() for i, words in choices if i == getattr(choice, name)
    ]
    chosen += [("org", gettext("%(name)s (abolished)", name=words)) for i, words in abolished if i == choice.org]
    return {"offered": offered, "abolished": {"org": abolished}, "chosen": chosen}


def _page_data(choice: Choice, lectures: Sequence[LectureView], held: Held) -> dict[str, Any]:
    """Return what dragging needs: all lectures of these days, also those that the filter leaves out."""
    zone = _config().zone
    standing = [lecture for lecture in lectures if lecture.status not in ("cancelled", "ended")]
    ids = {i for x in standing for i in (*x.all_point_ids, x.lecturer_id, *(u for pair in x.operators for u in pair))}
    ids |= {i for x in standing for pair in x.equipment for i in pair} | {block.resource_id for block in held.blocks}
    ids |= {busy.resource_id for busy in held.busy}
    return {
        "view": choice.view,
        "opens": OPENS,
        "closes": CLOSES,
        "lectures": [lecture_json(lecture, zone) for lecture in standing],
        "blocks": [*(block_json(each, zone) for each in held.blocks), *(busy_json(each, zone) for each in held.busy)],
        "names": _schedules().labels(ids),
        "check": url_for("schedules.check_move"),
        "move": url_for("schedules.move_lecture"),
        "back": url_for("schedules.move_back"),
        "page": _address(choice, day=ANY_DAY).replace(ANY_DAY.isoformat(), "DATE"),
    }


# ---- dragging ----------------------------------------------------------------------------------


@bp.post("/timetable/check")
def check_move() -> ResponseReturnValue:
    """Say what would stand in the way of a lecture elsewhere, and what is free instead."""
    require(current_user.roles, "lecture.plan")
    wish, lecture, draft = _asked()
    clashes = _schedules().check(draft, lecture.id)
    return jsonify(clashes=_clashes(clashes), offers=_offers(draft, clashes, wish))


@bp.post("/timetable/move")
def move_lecture() -> ResponseReturnValue:
    """Move a lecture; when it cannot go there, say why and what is free instead."""
    require(current_user.roles, "lecture.plan")
    wish, lecture, draft = _asked()
    try:
        changed = _schedules().change_alike(lecture.id, draft, current_user.id, wish.sequence, wish.scope)
    except Conflict as error:
        return _refused(error, draft, wish)
    return jsonify(lecture=lecture_json(changed[0][1], _config().zone), back=ways_back(changed))


@bp.post("/timetable/back")
def move_back() -> ResponseReturnValue:
    """Put back exactly the lectures that a move has moved, all or none."""
    require(current_user.roles, "lecture.plan")
    wishes = wishes_back(request.get_json())
    changes = [
        Change(wish.lecture, draft_of(_schedules().lecture(wish.lecture), wish), wish.sequence) for wish in wishes
    ]
    try:
        _schedules().change_each(changes, current_user.id)
    except Conflict as error:
        return _refused(error, changes[0].draft, replace(wishes[0], scope="all"))
    return jsonify(lectures=[change.lecture_id for change in changes])


def _asked() -> tuple[Wish, LectureView, LectureDraft]:
    wish = wish_of(request.get_json(), _config().zone)
    lecture = _schedules().lecture(wish.lecture)
    wish = in_place(lecture, wish)
    return wish, lecture, draft_of(lecture, wish)


def _clashes(clashes: Iterable[NamedClash]) -> list[dict[str, str]]:
    return [
        {
            "sentence": gettext(sentence_of(clash), **words_of(clash)),
            "kind": clash.kind,
            "resource": clash.resource_id,
            "holder": clash.holder_id,
        }
        for clash in clashes
    ]


def _offers(draft: LectureDraft, clashes: Sequence[NamedClash], wish: Wish) -> dict[str, object]:
    """Return what is free instead; nothing for a series, of which each lecture would need something else."""
    if not clashes or wish.scope != "one":
        return {"times": [], "points": [], "equipment": []}
    return offers_json(_schedules().alternatives.offers(draft, clashes, wish.lecture), _config().zone)


def _refused(error: AppError, draft: LectureDraft, wish: Wish) -> Response:
    """Answer with problem details (RFC 9457) and, beside them, all sentences and what is free instead."""
    clashes = error.clashes if isinstance(error, BookingClash) else ()
    said = sentences(error, gettext)
    answer = jsonify(
        type="about:blank",
        title=gettext("Not possible now"),
        status=error.status,
        code=error.code,
        detail=said[0],
        sentences=said,
        clashes=_clashes(clashes),
        offers=_offers(draft, clashes, wish),
    )
    answer.status_code, answer.mimetype = error.status, "application/problem+json"
    return answer


# ---- whom to ask -------------------------------------------------------------------------------


def _feed_url() -> str:
    key = _schedules().calendar_key("lecturer", current_user.id)
    path = url_for("schedules.calendar", kind="lecturer", of_id=current_user.id, key=key)
    return f"{_config().public_url}{path}"


def _schedules() -> ScheduleService:
    return cast(ScheduleService, current_app.extensions["schedules"])


def _config() -> Config:
    return cast(Config, current_app.extensions["config"])


def _clock() -> Clock:
    return cast(Clock, current_app.extensions["clock"])
