"""The bench's school: points with their equipment, lecturers, and random wishes."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.tables import metadata
from bench.booking.oracle import Wish
from core.bus import EventBus
from core.clock import SystemClock
from core.db import Database
from schedules.records import LectureDraft, LectureView, NewUser
from schedules.service import ScheduleService

FIRST_DAY = datetime(2030, 1, 6, 17, tzinfo=UTC)  # Monday 7 January 2030, midnight in Vietnam
ZONE = "Asia/Ho_Chi_Minh"
LECTURERS, SPARE_SETS = 16, 4
DAY_MIN = 1440


@dataclass(frozen=True)
class World:
    """Ids of everything there is."""

    organiser: str
    topic: str
    points: tuple[str, ...]
    standing: dict[str, str]  # point -> the set that stands there
    spare: tuple[str, ...]
    lecturers: tuple[str, ...]
    operators: dict[str, tuple[str, ...]]  # point -> who looks after it, and after its neighbour

    def wish(self, rng: random.Random, days: int) -> Wish:
        """Return a random wish within so many days, between seven in the morning and ten in the evening."""
        points = tuple(rng.sample(self.points, rng.randint(2, 5)))
        looked_after = points[: rng.randint(0, 2)]
        start = rng.randrange(days) * DAY_MIN + 7 * 60 + 15 * rng.randrange(44)
        return Wish(
            start=start,
            end=start + 15 * rng.randint(3, 16),
            setup=rng.choice((0, 15, 30)),
            teardown=rng.choice((0, 15)),
            lecturer=rng.choice(self.lecturers),
            points=points,
            equipment=((points[1], rng.choice(self.spare)),) if rng.random() < 0.2 else (),
            operators=tuple((point, rng.choice(self.operators[point])) for point in looked_after),
        )

    def wish_of(self, lecture: LectureView) -> Wish:
        """Return what a lecture of the engine is as a wish."""
        return Wish(
            start=minute(lecture.starts_at),
            end=minute(lecture.ends_at),
            setup=lecture.setup_min,
            teardown=lecture.teardown_min,
            lecturer=lecture.lecturer_id,
            points=lecture.all_point_ids,
            equipment=lecture.equipment,
        )

    def draft(self, wish: Wish) -> LectureDraft:
        """Return a wish as the engine takes it."""
        main, *joining = wish.points
        return LectureDraft(
            title="Buổi học",
            topic_id=self.topic,
            lecturer_id=wish.lecturer,
            main_point_id=main,
            point_ids=tuple(joining),
            starts_at=FIRST_DAY + timedelta(minutes=wish.start),
            ends_at=FIRST_DAY + timedelta(minutes=wish.end),
            zone=ZONE,
            equipment=wish.equipment,
            operators=wish.operators,
            setup_min=wish.setup,
            teardown_min=wish.teardown,
        )


def minute(at: datetime) -> int:
    """Return a moment in minutes since the bench's first day."""
    return round((at - FIRST_DAY).total_seconds() / 60)


def open_service(url: str) -> tuple[Database, ScheduleService]:
    """Open a database that has its tables."""
    db = Database(url)
    return db, ScheduleService(db, EventBus(), SystemClock())


def make_world(url: str, points: int) -> World:
    """Make the tables and a school with so many points."""
    db, service = open_service(url)
    metadata().drop_all(db.engine)
    metadata().create_all(db.engine)
    home = service.add_organisation("Tỉnh")
    organiser = service.add_user(NewUser("organiser", "", "Organiser", home, frozenset({"organiser"})))
    course = service.add_course("Khóa học", home, topics=("Chuyên đề",))
    halls = [service.add_point(f"Điểm {n}", home).id for n in range(points)]
    keepers = [
        service.add_user(NewUser(f"pt{n}", "", f"Phụ trách {n}", home, frozenset({"operator"}))).id
        for n in range(points)
    ]
    operators = {hall: (keepers[n], keepers[n - 1]) for n, hall in enumerate(halls)}
    for hall, people in operators.items():
        service.set_operators(hall, people)
    world = World(
        organiser=organiser.id,
        topic=course.topics[0].id,
        points=tuple(halls),
        standing={hall: service.add_equipment(f"Bộ {n}", hall).id for n, hall in enumerate(halls)},
        spare=tuple(service.add_equipment(f"Bộ lưu động {n}", None).id for n in range(SPARE_SETS)),
        lecturers=tuple(
            service.add_user(NewUser(f"gv{n}", "", f"Giảng viên {n}", home, frozenset({"lecturer"}))).id
            for n in range(LECTURERS)
        ),
        operators=operators,
    )
    db.engine.dispose()
    return world
