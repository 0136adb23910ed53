"""Which part of the timetable a page shows: the view, the days, what is left out. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal, get_args

from schedules.records import LectureView
from schedules.week import monday_of
from schedules.zones import FIRST_YEAR, LAST_YEAR

View = Literal["week", "day", "month"]
Rows = Literal["points", "lecturers"]
VIEWS: tuple[View, ...] = get_args(View)


@dataclass(frozen=True)
class Choice:
    """What is asked for; an empty id leaves nothing out.  day: a day of the week or month that is shown."""

    view: View
    day: date
    rows: Rows = "points"
    point: str = ""
    lecturer: str = ""
    org: str = ""
    course: str = ""
    topic: str = ""

    @property
    def days(self) -> list[date]:
        """Return the days that are shown; a month in whole weeks, from Monday to Sunday."""
        if self.view == "day":
            return [self.day]
        first, last = self.day, self.day
        if self.view == "month":
            first = self.day.replace(day=1)
            last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        first -= timedelta(days=first.weekday())
        last += timedelta(days=6 - last.weekday())
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    @property
    def is_single(self) -> bool:
        """Return whether one point or one lecturer is shown: then the rows are days."""
        return bool(self.point or self.lecturer)

    def step(self, by: int) -> date:
        """Return a day of the day, week or month that is `by` later."""
        if self.view == "month":
            months = self.day.year * 12 + self.day.month - 1 + by
            return date(months // 12, months % 12 + 1, 1)
        return self.day + timedelta(days=by * (7 if self.view == "week" else 1))

    def args(self, **changes: object) -> dict[str, str]:
        """Return the query of the page with some of this changed; what is as usual is absent."""
        other = replace(self, **changes)  # type: ignore[arg-type]
        said = {name: str(getattr(other, name)) for name in ("point", "lecturer", "org", "course", "topic")}
        said["view"] = "" if other.view == "week" else other.view
        said["rows"] = "" if other.rows == "points" else other.rows
        said["date"] = other.day.isoformat()
        return {name: value for name, value in said.items() if value}


def choice_of(args: Mapping[str, str], today: date) -> Choice:
    """Return what a query asks for; whatever makes no sense in it is as usual.

    args: of the address; `week=2026-W10` is understood beside `date`; today: in the installation's zone.
    """
    view: View = next((view for view in VIEWS if view == args.get("view")), "week")
    point = args.get("point", "")[:26]
    day = monday_of(args["week"], today) if args.get("week") else _day(args.get("date", ""), today)
    return Choice(
        view=view,
        day=day if FIRST_YEAR <= day.year <= LAST_YEAR else today,
        rows="lecturers" if args.get("rows") == "lecturers" else "points",
        point=point,
        lecturer="" if point else args.get("lecturer", "")[:26],
        org=args.get("org", "")[:26],
        course=args.get("course", "")[:26],
        topic=args.get("topic", "")[:26],
    )


def _day(words: str, today: date) -> date:
    try:
        return date.fromisoformat(words)
    except ValueError:
        return today


def is_shown(lecture: LectureView, choice: Choice, orgs: Collection[str]) -> bool:
    """Return whether a lecture is among those asked for.

    orgs: the organisation that is asked for and all below it when the lecture begins; not asked when there is none.
    """
    if choice.topic and lecture.topic_id != choice.topic:
        return False
    if choice.course and lecture.course_id != choice.course:
        return False
    if choice.point and choice.point not in lecture.all_point_ids:
        return False
    if choice.lecturer and lecture.lecturer_id != choice.lecturer:
        return False
    return not choice.org or lecture.lecturer_org_id in orgs or any(org_id in orgs for org_id in lecture.org_ids)
