"""A small registry for the tests of schedules.registry: a province, two communes, a point, an organiser."""

from datetime import timedelta

from core.bus import EventBus
from core.clock import Clock
from core.db import Database
from schedules.records import LectureDraft
from schedules.registry.records import EquipmentDraft, OrganisationDraft, PersonDraft, PointDraft
from schedules.registry.registry_service import Registry
from schedules.service import ScheduleService
from schedules.sheets.table import Row, Table

ZONE = "Asia/Ho_Chi_Minh"


def table(header, *rows):
    """Return a table as `read_table` would, its header in row 1."""
    return Table(header, tuple(Row(n, row + ("",) * (len(header) - len(row))) for n, row in enumerate(rows, 2)))


class Office:
    def __init__(self, db: Database, clock: Clock) -> None:
        self.db, self.clock = db, clock
        self.schedules = ScheduleService(db, EventBus(), clock)
        self.registry = Registry(db, clock, self.schedules.bookings, ZONE)
        self.orgs, self.points = self.registry.organisations, self.registry.points
        self.equipment, self.people = self.registry.equipment, self.registry.people
        self.province = self.orgs.add(OrganisationDraft("Tỉnh Quảng Trị", None, "QT", "tỉnh"))
        self.cam_lo = self.orgs.add(OrganisationDraft("Xã Cam Lộ", self.province, "CL", "xã"))
        self.dakrong = self.orgs.add(OrganisationDraft("Xã Đakrông", self.province, "DK", "xã"))
        self.admin = self.people.add(self.person("Nguyễn Minh Châu", "admin", login="quantri"), "argon2 of something")
        self.lecturer = self.people.add(self.person("Lê Thu Hà", "lecturer", login="ha", code="GV1"), "argon2")

    def person(self, name, *roles, **more):
        return PersonDraft(name, more.pop("org_id", self.province), frozenset(roles), **more)

    def point(self, name, **more):
        return self.points.add(PointDraft(name, more.pop("org_id", self.cam_lo), **more))

    def set_of(self, name, point_id=None, **more):
        return self.equipment.add(EquipmentDraft(name, point_id, **more))

    def lecture(self, *point_ids, days=1, hours=2, title="Chuyển đổi số"):
        """Plan a lecture so many days from now, the first point its main one."""
        if not self.schedules.courses():
            self.schedules.add_course("Bồi dưỡng", self.province, topics=("Chuyển đổi số",))
        at = self.clock.now() + timedelta(days=days)
        draft = LectureDraft(
            title=title,
            topic_id=self.schedules.courses()[0].topics[0].id,
            lecturer_id=self.lecturer,
            main_point_id=point_ids[0],
            point_ids=point_ids[1:],
            starts_at=at,
            ends_at=at + timedelta(hours=hours),
            zone=ZONE,
        )
        return self.schedules.create_lecture(draft, self.admin)

    def names(self, nodes):
        return [(node.depth, node.name) for node in nodes]
