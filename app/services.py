"""The services of one running product, made once from its configuration."""

from dataclasses import dataclass
from functools import partial

from app.i18n import translation_of
from app.offload import Offload, directly
from attendance.service import AttendanceService
from core.bus import EventBus
from core.clock import Clock
from core.config import Config
from core.db import Database
from core.journal import Journal
from replays.service import ReplayService
from rooms.service import RoomService
from schedules.calendars.busy_reader import read_busy
from schedules.calendars.fetch import Fetcher
from schedules.calendars.letter_service import LetterService
from schedules.calendars.subscription_service import SubscriptionService
from schedules.plans.file_store import FileStore
from schedules.plans.plan_service import PlanService
from schedules.plans.year_service import YearService
from schedules.registry.registry_service import Registry
from schedules.rosters.roster_service import RosterService
from schedules.rosters.uploads import Uploads
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
    registry: Registry
    rosters: RosterService
    uploads: Uploads
    plans: PlanService
    years: YearService
    rooms: RoomService
    attendance: AttendanceService
    replays: ReplayService
    letters: LetterService
    subscriptions: SubscriptionService


def build(config: Config, clock: Clock, offload: Offload = directly) -> Services:
    """Open the database and make every service on it; nothing is subscribed yet (see wiring).

    offload: runs what would keep the processor from everybody else for long.
    """
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
        registry=Registry(db, clock, schedules.bookings, config.zone),
        rosters=RosterService(db, clock),
        uploads=Uploads(config.uploads_dir, clock),
        plans=PlanService(db, bus, clock, FileStore(config.plans_dir)),
        years=YearService(db, clock, config.zone),
        rooms=rooms,
        attendance=AttendanceService(db, bus, clock, rooms, schedules),
        replays=ReplayService(db, config.recordings_dir, clock),
        letters=LetterService(db, clock, config, translation_of(config.locale)),
        subscriptions=SubscriptionService(db, clock, Fetcher(), config.zone, partial(offload, read_busy)),
    )
