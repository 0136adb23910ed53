"""Demo data: a province, its centres, eight bridge points, one course, lectures from now on.

Places are in the manner of Quảng Trị; all persons are invented.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.permissions import Role
from schedules.conflicts import BookingClash
from schedules.records import LectureDraft, NewUser, PointView
from schedules.service import ScheduleService
from schedules.zones import from_local, to_local

ZONE = "Asia/Ho_Chi_Minh"
PASSWORD = "diem-cau"
LENGTH = timedelta(minutes=90)

PROVINCE = "Tỉnh Quảng Trị"
SCHOOL = ("Trường Chính trị tỉnh", "Hội trường lớn", "Phường Nam Đông Hà", 180)
CENTRES = (  # organisation, hall, place, seats
    ("Trung tâm Chính trị Vĩnh Linh", "Hội trường A", "Xã Vĩnh Linh", 90),
    ("Trung tâm Chính trị Gio Linh", "Hội trường tầng 2", "Xã Gio Linh", 70),
    ("Trung tâm Chính trị Cam Lộ", "Phòng học số 1", "Xã Cam Lộ", 50),
    ("Trung tâm Chính trị Triệu Phong", "Hội trường B", "Xã Triệu Phong", 80),
    ("Trung tâm Chính trị Hải Lăng", "Hội trường tầng 1", "Xã Hải Lăng", 75),
    ("Trung tâm Chính trị Hướng Hóa", "Phòng họp trực tuyến", "Xã Khe Sanh", 60),
    ("Trung tâm Chính trị Đakrông", "Phòng học số 2", "Xã Đakrông", 45),
)
OPERATORS = (  # in the order of the points, the school's first
    "Hoàng Văn Tuấn",
    "Nguyễn Hữu Phước",
    "Lê Thị Ngọc Lan",
    "Trần Đình Khôi",
    "Võ Thị Thanh Tâm",
    "Phan Văn Hiếu",
    "Hồ Thị Mai",
    "Nguyễn Công Thành",
)
PEOPLE: tuple[tuple[str, str, Role], ...] = (
    ("quantri", "Nguyễn Minh Châu", "admin"),
    ("tochuc", "Trần Thị Bích Ngọc", "organiser"),
    ("giangvien", "Lê Thu Hà", "lecturer"),
    ("giangvien2", "Phạm Đức Long", "lecturer"),
    ("hocvien", "Đặng Quang Vinh", "learner"),
    ("quansat", "Bùi Thị Hồng Nhung", "observer"),
)
COURSE = "Bồi dưỡng kỹ năng số cho cán bộ cơ sở năm 2026"
AUDIENCE = "Cán bộ, công chức cấp xã"
TOPICS = (
    "An toàn thông tin trong công việc hằng ngày",
    "Xử lý văn bản và hồ sơ điện tử",
    "Hướng dẫn người dân dùng dịch vụ công trực tuyến",
)


@dataclass(frozen=True)
class DemoLogin:
    """An account of the demo; all have the same password."""

    login: str
    password: str
    name: str
    role: Role
    point_name: str = ""  # an operator's


@dataclass(frozen=True)
class DemoLogins:
    """What to tell whoever starts the demo."""

    logins: tuple[DemoLogin, ...]
    lecture_id: str | None  # the one that starts now
    point_ids: tuple[str, ...]  # the school's first


def make_demo(service: ScheduleService, hash_password: Callable[[str], str], now: datetime) -> DemoLogins:
    """Make the demo, or, where it is already, plan its lectures anew from now on.

    hash_password: encodes a password for storing; now: aware.  Returns the accounts.
    """
    if service.credentials(PEOPLE[0][0]) is None:
        _make_directory(service, hash_password)
    points = _points(service)
    _plan(service, points, now)
    on = service.lecture_for_point(points[0].id, now)
    return DemoLogins(demo_logins(), on.id if on else None, tuple(point.id for point in points))


def demo_logins() -> tuple[DemoLogin, ...]:
    """Return every account of the demo."""
    persons = [DemoLogin(login, PASSWORD, name, role) for login, name, role in PEOPLE]
    names = [_point_name(centre[0]) for centre in (SCHOOL, *CENTRES)]
    operators = [
        DemoLogin(f"kythuat{n}", PASSWORD, name, "operator", names[n - 1]) for n, name in enumerate(OPERATORS, 1)
    ]
    return (*persons, *operators)


def _make_directory(service: ScheduleService, hash_password: Callable[[str], str]) -> None:
    province = service.add_organisation(PROVINCE)
    school = service.add_organisation(SCHOOL[0], province)
    homes = [school, *(service.add_organisation(centre[0], province) for centre in CENTRES)]
    password = hash_password(PASSWORD)
    for login, name, role in PEOPLE:
        home = homes[1] if role == "learner" else province if role in ("admin", "observer") else school
        service.add_user(NewUser(login, password, name, home, frozenset({role})))
    for n, (home, (organisation, hall, place, seats)) in enumerate(zip(homes, (SCHOOL, *CENTRES), strict=True)):
        operator = NewUser(f"kythuat{n + 1}", password, OPERATORS[n], home, frozenset({"operator"}))
        point = service.add_point(_point_name(organisation), home, f"{hall}, {place}", seats)
        service.set_operators(point.id, [service.add_user(operator).id])
        service.add_equipment(f"Bộ thiết bị {_point_name(organisation)}", point.id)
    course = service.add_course(COURSE, school, AUDIENCE, TOPICS)
    learner = service.user_by_login("hocvien")
    if learner:
        service.enrol(learner.id, course.id)


def _point_name(organisation: str) -> str:
    return organisation.removeprefix("Trung tâm Chính trị ")


def _points(service: ScheduleService) -> list[PointView]:
    """Return the demo's points in its own order."""
    order = [_point_name(centre[0]) for centre in (SCHOOL, *CENTRES)]
    return sorted((p for p in service.points() if p.name in order), key=lambda p: order.index(p.name))


def _plan(service: ScheduleService, points: list[PointView], now: datetime) -> None:
    """Plan one lecture from this minute on and two in the next days; what clashes is there already."""
    organiser, first, second = (service.user_by_login(login) for login in ("tochuc", "giangvien", "giangvien2"))
    course = next((c for c in service.courses() if c.title == COURSE), None)
    if not (organiser and first and second and course):
        return
    ids = [point.id for point in points]
    plan = (
        (0, first.id, ids[1:4], now.replace(second=0, microsecond=0)),  # some points stay free to try things with
        (1, second.id, ids[1:6], _local(now, days=1, hour=8)),
        (2, first.id, ids[1:], _local(now, days=2, hour=14)),
    )
    for n, lecturer_id, joining, starts_at in plan:
        draft = LectureDraft(
            title=f"Buổi {n + 1}: {TOPICS[n]}",
            topic_id=course.topics[n].id,
            lecturer_id=lecturer_id,
            main_point_id=ids[0],
            point_ids=tuple(joining),
            starts_at=starts_at,
            ends_at=starts_at + LENGTH,
            zone=ZONE,
        )
        try:
            service.create_lecture(draft, organiser.id)
        except BookingClash:
            continue  # made by an earlier run


def _local(now: datetime, days: int, hour: int) -> datetime:
    day = to_local(now, ZONE).replace(tzinfo=None) + timedelta(days=days)
    return from_local(day.replace(hour=hour, minute=0, second=0, microsecond=0), ZONE)
