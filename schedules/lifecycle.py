"""A lecture's status and what may follow it, and whether a draft makes sense. Pure."""

from datetime import timedelta

from core.errors import N_, Conflict, Invalid
from schedules.records import LectureDraft, Status
from schedules.zones import check_year, zone_named

LONGEST = timedelta(hours=24)
OVERRUN = timedelta(minutes=30)  # a class that nobody ended is ended this long after its planned end
TITLE_MAX = 200  # characters
MARGIN_MAX = 240  # minutes of set-up or tear-down
REASON_MAX = 200  # characters

FOLLOWS: dict[Status, frozenset[Status]] = {
    "planned": frozenset({"open", "live", "ended", "cancelled"}),  # live: the tick that says open may be late
    "open": frozenset({"live", "ended", "cancelled"}),
    "live": frozenset({"ended"}),
    "ended": frozenset(),
    "cancelled": frozenset(),
}


def check_step(now: Status, then: Status) -> bool:
    """Return whether a lecture goes from one status to another; False when it is there already.

    A lecture that was called off in its lobby stays cancelled when its room closes after it.
    Raises Conflict for a step that does not exist.
    """
    if now == then or (now, then) == ("cancelled", "ended"):
        return False
    if then not in FOLLOWS[now]:
        raise Conflict(
            "lecture.wrong_status",
            N_("The lecture is too far along, or already over, for that."),
            now=now,
            then=then,
        )
    return True


def check_editable(status: Status) -> None:
    """Raise Conflict unless the plan of a lecture in this status may still be changed."""
    if status != "planned":
        raise Conflict("lecture.not_planned", N_("Only a lecture that has not begun can be changed."))


def check_draft(draft: LectureDraft) -> None:
    """Raise Invalid, with a sentence of its own, for each way a draft makes no sense by itself."""
    zone_named(draft.zone)
    check_year(draft.starts_at)
    check_year(draft.ends_at)
    if not draft.title.strip():
        raise Invalid("lecture.no_title", N_("Please give the lecture a title."))
    if len(draft.title) > TITLE_MAX:
        raise Invalid("lecture.long_title", N_("The title has more than %(most)s characters."), most=TITLE_MAX)
    if draft.ends_at <= draft.starts_at:
        raise Invalid("lecture.ends_before_start", N_("The lecture must end after it starts."))
    if draft.ends_at - draft.starts_at > LONGEST:
        raise Invalid("lecture.too_long", N_("A lecture lasts at most 24 hours."))
    if not draft.point_ids:
        raise Invalid("lecture.no_points", N_("Please choose at least one bridge point to join."))
    if draft.main_point_id in draft.point_ids:
        raise Invalid("lecture.main_point_joins", N_("The main point takes part anyway; choose the others."))
    if len(set(draft.point_ids)) != len(draft.point_ids):
        raise Invalid("lecture.point_twice", N_("A bridge point was chosen twice."))
    if not (0 <= draft.setup_min <= MARGIN_MAX and 0 <= draft.teardown_min <= MARGIN_MAX):
        raise Invalid(
            "lecture.margin",
            N_("Set-up and tear-down take between 0 and %(most)s minutes each."),
            most=MARGIN_MAX,
        )
    points = {draft.main_point_id, *draft.point_ids}
    if not points.issuperset(point_id for point_id, _ in draft.equipment):
        raise Invalid("lecture.equipment_elsewhere", N_("Equipment was chosen for a point that does not join."))
    if not points.issuperset(point_id for point_id, _ in draft.operators):
        raise Invalid("lecture.operator_elsewhere", N_("An operator was chosen for a point that does not join."))
    sets = [equipment_id for _, equipment_id in draft.equipment]
    if len(set(sets)) != len(sets):
        raise Invalid("lecture.equipment_twice", N_("The same equipment was chosen for two points."))
