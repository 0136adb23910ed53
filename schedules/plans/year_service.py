"""The plan of the year against the database: its lines, and which lectures fulfil each."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Database
from core.errors import N_, Invalid, NotFound
from core.ids import new_id
from core.permissions import Role, require
from schedules.directory_service import check_home, found
from schedules.models import Course, Enrolment, Lecture, Organisation, Topic, User
from schedules.plans.models import YearItem
from schedules.plans.records import YearDraft, YearLine
from schedules.plans.year_plan import LectureDay, Progress, checked, progress
from schedules.zones import midnight, to_local

ORDER: dict[str, int] = {"late": 0, "late_start": 1, "short": 2, "on_track": 3, "done": 4}


class YearService:
    """What organisations mean to teach in a year, and how far they are."""

    def __init__(self, db: Database, clock: Clock, zone: str) -> None:
        """Use `db` for every transaction, ask `clock` which day it is in `zone`, an IANA name."""
        self._db, self._clock, self._zone = db, clock, zone

    def today(self) -> date:
        """Return the installation's local day."""
        return to_local(self._clock.now(), self._zone).date()

    def lines(self, year: int, org_id: str | None = None) -> list[tuple[YearLine, Progress]]:
        """Return the lines of a year, of all organisations or of one, by due day."""
        query = select(YearItem).where(YearItem.year == year).order_by(YearItem.due_on, YearItem.title, YearItem.id)
        if org_id:
            query = query.where(YearItem.org_id == org_id)
        with self._db.reading() as s:
            items = s.scalars(query).all()
            names, enrolled = _names(s, items), _enrolled(s)
            by_course, by_topic = self._days(s, year)
        today = self.today()
        result = []
        for item in items:
            days = by_topic[item.topic_id] if item.topic_id else by_course[item.course_id or ""]
            far = progress(item.lectures, item.opens_on, item.due_on, days, today)
            result.append((_line(item, names, enrolled), far))
        return result

    def alerts(self, year: int) -> list[tuple[YearLine, Progress]]:
        """Return the lines of a year that are late or will be, the worst first."""
        lines = [pair for pair in self.lines(year) if pair[1].standing in ("late", "late_start", "short")]
        return sorted(lines, key=lambda pair: (ORDER[pair[1].standing], pair[0].draft.due_on))

    def line(self, item_id: str) -> YearLine:
        """Return one line.  Raises NotFound."""
        with self._db.reading() as s:
            item = _item(s, item_id)
            return _line(item, _names(s, [item]), _enrolled(s))

    def add(self, draft: YearDraft, by: str) -> str:
        """Add a line.  Returns its id.  Raises Invalid, NotFound for what it names, NotAllowed.

        And Conflict for an organisation that has been abolished.
        """
        with self._db.transaction() as s:
            item = YearItem(id=new_id("yit"))
            self._write(s, item, draft, by)
            s.add(item)
            return item.id

    def edit(self, item_id: str, draft: YearDraft, by: str) -> None:
        """Change a line.  Raises what `add` raises, NotFound for the line."""
        with self._db.transaction() as s:
            self._write(s, _item(s, item_id), draft, by)

    def remove(self, item_id: str, by: str) -> None:
        """Take a line out.  Raises NotFound, NotAllowed."""
        with self._db.transaction() as s:
            _require_planner(s, by)
            s.delete(_item(s, item_id))

    def _write(self, s: Session, item: YearItem, draft: YearDraft, by: str) -> None:
        _require_planner(s, by)
        checked(draft)
        if draft.org_id != item.org_id:  # a line of before its end stays
            check_home(s, draft.org_id)
        course_id = draft.course_id
        if draft.topic_id:
            topic = found(s, Topic, draft.topic_id)
            if course_id not in (None, topic.course_id):
                raise Invalid("year.other_topic", N_("The topic belongs to another course."))
            course_id = topic.course_id
        if course_id:
            found(s, Course, course_id)
        item.year, item.org_id, item.title = draft.year, draft.org_id, draft.title.strip()
        item.course_id, item.topic_id = course_id, draft.topic_id
        item.opens_on, item.due_on = draft.opens_on, draft.due_on
        item.lectures, item.people, item.note = draft.lectures, draft.people, draft.note.strip()

    def _days(self, s: Session, year: int) -> tuple[dict[str, list[LectureDay]], dict[str, list[LectureDay]]]:
        """Return the lectures of a local year by course and by topic, the cancelled ones left out."""
        first = midnight(date(year, 1, 1), self._zone)
        last = midnight(date(year, 12, 31) + timedelta(days=1), self._zone)
        query = select(Lecture.starts_at, Lecture.status, Lecture.topic_id, Topic.course_id)
        query = query.join(Topic, Topic.id == Lecture.topic_id)
        query = query.where(Lecture.starts_at >= first, Lecture.starts_at < last, Lecture.status != "cancelled")
        by_course: dict[str, list[LectureDay]] = defaultdict(list)
        by_topic: dict[str, list[LectureDay]] = defaultdict(list)
        for starts_at, status, topic_id, course_id in s.execute(query):
            day = LectureDay(to_local(starts_at, self._zone).date(), status in ("live", "ended"))
            by_course[course_id].append(day)
            by_topic[topic_id].append(day)
        return by_course, by_topic


def _item(s: Session, item_id: str) -> YearItem:
    item = s.get(YearItem, item_id)
    if item is None:
        raise NotFound("year.unknown", N_("There is no such line in the plan of the year."))
    return item


def _require_planner(s: Session, by: str) -> None:
    require(frozenset(cast(list[Role], found(s, User, by).roles)), "year.plan")


def _names(s: Session, rows: Sequence[YearItem]) -> dict[str, str]:
    names: dict[str, str] = {}
    for table, column, ids in (
        (Organisation, Organisation.name, {item.org_id for item in rows}),
        (Course, Course.title, {item.course_id for item in rows}),
        (Topic, Topic.title, {item.topic_id for item in rows}),
    ):
        names.update((i, name) for i, name in s.execute(select(table.id, column).where(table.id.in_(ids - {None}))))
    return names


def _enrolled(s: Session) -> dict[str, int]:
    query = select(Enrolment.course_id, func.count()).group_by(Enrolment.course_id)
    return {course_id: count for course_id, count in s.execute(query)}


def _line(item: YearItem, names: dict[str, str], enrolled: dict[str, int]) -> YearLine:
    draft = YearDraft(
        year=item.year,
        org_id=item.org_id,
        title=item.title,
        opens_on=item.opens_on,
        due_on=item.due_on,
        lectures=item.lectures,
        course_id=item.course_id,
        topic_id=item.topic_id,
        people=item.people,
        note=item.note,
    )
    return YearLine(
        id=item.id,
        draft=draft,
        org_name=names[item.org_id],
        course_title=names.get(item.course_id or "", ""),
        topic_title=names.get(item.topic_id or "", ""),
        enrolled=enrolled.get(item.course_id or "", 0),
    )
