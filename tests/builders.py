"""What tests need to exist, made through the services' own front doors."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.passwords import Passwords
from core.permissions import Role
from schedules.records import CourseView, LectureDraft, LectureView, NewUser, PointView, UserView
from schedules.service import ScheduleService

PASSWORD = "mật khẩu để thử"
ZONE = "Asia/Ho_Chi_Minh"


def make_user(schedules: ScheduleService, login: str, org_id: str, *roles: Role, name: str = "") -> UserView:
    """Add a person who signs in with `login` and PASSWORD."""
    password_hash = Passwords(quick=True).hash(PASSWORD)
    return schedules.add_user(NewUser(login, password_hash, name or login.title(), org_id, frozenset(roles)))


def make_point(schedules: ScheduleService, name: str, org_id: str, *operators: str) -> PointView:
    """Add a bridge point with one set of equipment and its operators' ids."""
    point = schedules.add_point(name, org_id, place=f"Hội trường {name}", capacity=50)
    schedules.add_equipment(f"Bộ thiết bị {name}", point.id)
    schedules.set_operators(point.id, operators)
    return schedules.point(point.id)


@dataclass(frozen=True)
class School:
    """A province with one centre, a course, three points, and a person of every role."""

    schedules: ScheduleService
    province: str  # organisation id
    centre: str  # organisation id
    main: PointView
    a: PointView
    b: PointView
    course: CourseView
    admin: UserView
    organiser: UserView
    lecturer: UserView
    other_lecturer: UserView
    operator: UserView  # of point a
    learner: UserView  # enrolled
    observer: UserView

    def draft(self, starts_at: datetime, minutes: int = 90, **changes: object) -> LectureDraft:
        """Return the draft of a lecture from `main` to `a` and `b`."""
        wish: dict[str, object] = {
            "title": "Chuyển đổi số ở cơ sở",
            "topic_id": self.course.topics[0].id,
            "lecturer_id": self.lecturer.id,
            "main_point_id": self.main.id,
            "point_ids": (self.a.id, self.b.id),
            "starts_at": starts_at,
            "ends_at": starts_at + timedelta(minutes=minutes),
            "zone": ZONE,
            **changes,
        }
        return LectureDraft(**wish)  # type: ignore[arg-type]

    def lecture(self, starts_at: datetime, minutes: int = 90, **changes: object) -> LectureView:
        """Plan such a lecture."""
        return self.schedules.create_lecture(self.draft(starts_at, minutes, **changes), by=self.organiser.id)

    def paired_device(self, point_id: str) -> tuple[str, str]:
        """Pair a device with a point as its operator would.  Returns (device id, token)."""
        pairing = self.schedules.pairing.new_pairing()
        device = self.schedules.pairing.claim(pairing.code, point_id, by=self.operator.id)
        token = self.schedules.pairing.collect(pairing.secret)
        assert token
        return device.id, token


def make_school(schedules: ScheduleService) -> School:
    """Build the school in an empty database."""
    province = schedules.add_organisation("Tỉnh Quảng Trị")
    centre = schedules.add_organisation("Trung tâm Chính trị Đông Hà", province)
    operator = make_user(schedules, "phutrach", centre, "operator", name="Lê Thị Hoa")
    learner = make_user(schedules, "hocvien", centre, "learner", name="Hồ Văn Khiêm")
    course = schedules.add_course(
        "Bồi dưỡng công chức xã", province, "Công chức cấp xã", ("Chuyển đổi số", "Cải cách hành chính")
    )
    schedules.enrol(learner.id, course.id)
    return School(
        schedules=schedules,
        province=province,
        centre=centre,
        main=make_point(schedules, "Đông Hà", province),
        a=make_point(schedules, "Hướng Hóa", centre, operator.id),
        b=make_point(schedules, "Đakrông", centre),
        course=course,
        admin=make_user(schedules, "quantri", province, "admin"),
        organiser=make_user(schedules, "tochuc", province, "organiser"),
        lecturer=make_user(schedules, "giangvien", province, "lecturer", name="Nguyễn Thị Minh"),
        other_lecturer=make_user(schedules, "giangvien2", province, "lecturer", name="Trần Văn Bình"),
        operator=operator,
        learner=learner,
        observer=make_user(schedules, "dusat", province, "observer"),
    )
