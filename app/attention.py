"""What needs somebody who plans, on the start page: classes that have not begun, other calendars, a late plan."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.services import Services
from core.permissions import Role, any_may
from schedules.plans.records import YearLine
from schedules.plans.year_plan import Progress
from schedules.records import LectureView

WORST = 3  # lines of the plan of the year that are named; the others are on its own page


@dataclass(frozen=True)
class Unbegun:
    """A lecture that has not begun long after its start.  came: whether the main point has been connected."""

    lecture: LectureView
    came: bool


@dataclass(frozen=True)
class Attention:
    """What needs somebody; all empty: nothing.

    in_the_way: planned lectures that other bodies' calendars are in the way of; worst: lines of the plan of the
    year, `late` of which are late or about to be; year: the local one.
    """

    unbegun: Sequence[Unbegun] = ()
    in_the_way: int = 0
    worst: Sequence[tuple[YearLine, Progress]] = ()
    late: int = 0
    year: int = 0


def attention(services: Services, roles: frozenset[Role]) -> Attention:
    """Return what needs somebody with these roles now."""
    plans, today = any_may(roles, "lecture.plan"), services.years.today()
    alerts = services.years.alerts(today.year) if any_may(roles, "year.view") else []
    others = services.subscriptions.in_the_way() if plans else {}
    return Attention(
        unbegun=[Unbegun(lecture, _came(services, lecture)) for lecture in _not_begun(services)] if plans else [],
        in_the_way=len({line.id for lines in others.values() for line in lines}),
        worst=alerts[:WORST],
        late=len(alerts),
        year=today.year,
    )


def _not_begun(services: Services) -> list[LectureView]:
    return services.schedules.not_begun(services.clock.now(), services.config.no_show_minutes)


def _came(services: Services, lecture: LectureView) -> bool:
    if lecture.main_point_id in services.rooms.state(lecture.id).present:
        return True
    return any(stay.participant == lecture.main_point_id for stay in services.attendance.intervals(lecture.id))
