"""The services of one running product, made once from its configuration."""

from dataclasses import dataclass

from attendance.service import AttendanceService
from core.bus import EventBus
from core.clock import Clock
from core.config import Config
from core.db import Database
from core.journal import Journal
from replays.service import ReplayService
from rooms.service import RoomService
from schedules.plans.file_store import FileStore
from schedules.plans.plan_service import PlanService
from schedules.plans.year_service import YearService
from schedules.service import ScheduleService


@dataclass(frozen=True)
class Services:
    """Everything a page, a socket or the ticker may ask."""

    config: Config
    clock: Clock
    bus: EventBus
    db: Database
    journal: Journal
    schedules: ScheduleService
    plans: PlanService
    years: YearService
    rooms: RoomService
    attendance: AttendanceService
    replays: ReplayService


def build(config: Config, clock: Clock) -> Services:
    """Open the database and make every service on it; nothing is subscribed yet (see wiring)."""
    config.data_dir.mkdir(parents=True, exist_ok=True)
    db, bus = Database(config.database), EventBus()
    schedules, rooms = ScheduleService(db, bus, clock), RoomService(db, bus, clock, config.grace_s)
    return Services(
        config=config,
        clock=clock,
        bus=bus,
        db=db,
        journal=Journal(db),
        schedules=schedules,
        plans=PlanService(db, bus, clock, FileStore(config.plans_dir)),
        years=YearService(db, clock, config.zone),
        rooms=rooms,
        attendance=AttendanceService(db, bus, clock, rooms, schedules),
        replays=ReplayService(db, config.recordings_dir, clock),
    )
