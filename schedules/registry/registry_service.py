"""The registry of everything that can be planned: one door to organisations, points, equipment and people."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Database
from schedules.booking_service import Bookings
from schedules.models import Block, BridgePoint, Equipment, Organisation, User
from schedules.registry.import_service import Imports
from schedules.registry.load_service import Remarks
from schedules.registry.organisation_service import Organisations
from schedules.registry.people_service import People
from schedules.registry.place_service import EquipmentSets, Points
from schedules.registry.records import Node, Overview
from schedules.registry.report_service import Reports


class Registry:
    """`organisations`, `points`, `equipment`, `people`.

    `imports` fills them from sheets, `remarks` looks at plans, `reports` sums up what was.
    """

    def __init__(self, db: Database, clock: Clock, bookings: Bookings, zone: str) -> None:
        """Use `db` for every transaction; zone: the installation's, of days and years."""
        self._db = db
        self._clock = clock
        self.organisations = Organisations(db, clock, zone)
        self.points = Points(db, clock)
        self.equipment = EquipmentSets(db, clock)
        self.people = People(db, clock, bookings, zone)
        self.remarks = Remarks(db, zone)
        self.imports = Imports(db, clock, zone)
        self.reports = Reports(db, zone)

    def tree_at(self, moment: datetime) -> list[Node]:
        """Return the tree of organisations as it was at a moment, each parent before its children."""
        return self.organisations.tree_at(moment)

    def organisation_at(self, org_id: str, moment: datetime) -> Node:
        """Return what an organisation was called and belonged to at a moment.  Raises NotFound."""
        return self.organisations.organisation_at(org_id, moment)

    def overview(self) -> Overview:
        """Return how many there are of everything that is in use."""
        now = self._clock.now()
        with self._db.reading() as s:
            points = BridgePoint.retired_at.is_(None)
            staying = or_(User.left_at.is_(None), User.left_at > now)
            roles = s.scalars(select(User.roles).where(staying)).all()
            blocks = select(func.count()).select_from(Block).where(Block.ends_at > now, Block.lifted_at.is_(None))
            return Overview(
                organisations=_count(s, Organisation, Organisation.abolished_at.is_(None)),
                points=_count(s, BridgePoint, points),
                seats=s.scalar(select(func.coalesce(func.sum(BridgePoint.capacity), 0)).where(points)) or 0,
                equipment=_count(s, Equipment, Equipment.retired_at.is_(None)),
                people=len(roles),
                lecturers=sum("lecturer" in one for one in roles),
                blocks=s.scalar(blocks) or 0,
            )


def _count(s: Session, table: type[Any], condition: ColumnElement[bool]) -> int:
    return s.scalar(select(func.count()).select_from(table).where(condition)) or 0
