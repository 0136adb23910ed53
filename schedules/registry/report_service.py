"""What organisations took part in, year by year; also of those that are no more."""

from collections import Counter, defaultdict
from datetime import date

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from core.db import Database
from schedules.directory_service import found
from schedules.models import Lecture, LecturePoint, Organisation
from schedules.registry.belonging_service import lineage_of, takes_part
from schedules.registry.lineage import Lineage
from schedules.registry.records import HeadCounts, Report, TakenPart
from schedules.zones import midnight, to_local

HELD = ("live", "ended")


class Reports:
    """The lectures that organisations, with all that was below them then, took part in."""

    def __init__(self, db: Database, zone: str) -> None:
        """Use `db`; zone: of years."""
        self._db = db
        self._zone = zone

    def report(self, org_id: str, asked: str, attendance: HeadCounts) -> Report | None:
        """Return what an organisation took part in in one year, None when it never did.

        asked: the year, else the latest one; attendance: knows how many people there were.  Raises NotFound.
        """
        years = self.years(org_id)
        if not years:
            return None
        year = next((year for year in years if str(year) == asked), max(years))
        lectures = self.taken_part(org_id, year)
        declared = attendance.people_declared([lecture.lecture_id for lecture in lectures])
        people: Counter[str] = Counter()
        for lecture in lectures:
            for place in ((lecture.lecture_id, point_id) for point_id in lecture.point_ids):
                if place in declared:
                    people[lecture.lecture_id] += declared[place]
        return Report(list(years.items()), year, lectures, people)

    def years(self, org_id: str) -> dict[int, int]:
        """Return how many lectures an organisation took part in, by local year, the latest first.  Raises NotFound."""
        with self._db.reading() as s:
            held = self._held(s, org_id, lineage_of(s))
            starts = s.scalars(select(Lecture.starts_at).where(held)).all()
        counts = Counter(to_local(at, self._zone).year for at in starts)
        return dict(sorted(counts.items(), reverse=True))

    def taken_part(self, org_id: str, year: int) -> list[TakenPart]:
        """Return the lectures of a local year that an organisation took part in, the latest first.  Raises NotFound."""
        first, last = midnight(date(year, 1, 1), self._zone), midnight(date(year + 1, 1, 1), self._zone)
        with self._db.reading() as s:
            lineage = lineage_of(s)
            columns = (Lecture.id, Lecture.title, Lecture.starts_at, Lecture.ends_at, Lecture.zone)
            query = select(*columns).where(
                self._held(s, org_id, lineage), Lecture.starts_at >= first, Lecture.starts_at < last
            )
            rows = s.execute(query.order_by(Lecture.starts_at.desc(), Lecture.id)).all()
            in_year = select(LecturePoint.lecture_id, LecturePoint.point_id, LecturePoint.org_id).join(Lecture)
            in_year = in_year.where(
                Lecture.starts_at >= first, Lecture.starts_at < last, LecturePoint.released_at.is_(None)
            )
            places: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
            for lecture_id, point_id, at_org in s.execute(in_year.order_by(LecturePoint.position)):
                places[lecture_id].append((point_id, at_org))
        return [
            TakenPart(*row, tuple(i for i, at in places[row.id] if at in lineage.below(org_id, row.starts_at)))
            for row in rows
        ]

    def _held(self, s: Session, org_id: str, lineage: Lineage) -> ColumnElement[bool]:
        found(s, Organisation, org_id)
        took_part = or_(*(takes_part(period) for period in lineage.periods(org_id)))
        return Lecture.status.in_(HELD) & took_part
