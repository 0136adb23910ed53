"""The accounts of the class day, as an administrator enters them: `python -m bench.class_day.school POINTS`.

Runs in the installation's own environment and prints one JSON object with the ids. Everything
else of the day is done by people through pages.
"""

import json
import sys
from typing import Any

from app.passwords import Passwords
from app.services import Services, build
from core.clock import SystemClock
from core.config import from_environment
from core.permissions import Role
from schedules.records import NewUser

PASSWORD = "một-ngày-học-2026"
HALLS = (
    "Đông Hà", "Cam Lộ", "Hải Lăng", "Triệu Phong", "Vĩnh Linh", "Gio Linh", "Hướng Hoá", "Đakrông",
    "Quỳnh Phụ", "Tiền Hải", "Kiến Xương", "Vũ Thư", "Phong Thổ", "Sìn Hồ", "Tam Đường", "Than Uyên",
)  # fmt: skip
COURSE = "Bồi dưỡng cấp uỷ cơ sở năm 2026"
TOPICS = (
    "Công tác chi bộ trong tình hình mới",
    "Kỹ năng tuyên truyền miệng ở cơ sở",
    "Chuyển đổi số trong công tác Đảng",
)


def found(services: Services, points: int) -> dict[str, Any]:
    """Enter organisations, people, points and one course.

    points: joining points, at most 16.  Returns ids and logins.
    """
    schedules = services.schedules
    hashed = Passwords().hash(PASSWORD)
    province = schedules.add_organisation("Ban Tuyên giáo Tỉnh uỷ Quảng Trị")

    def person(login: str, name: str, role: Role, org: str = province) -> str:
        return schedules.add_user(NewUser(login, hashed, name, org, frozenset({role}))).id

    person("tochuc", "Lê Thị Hạnh", "organiser")
    lecturer = person("giangvien", "Nguyễn Văn Bình", "lecturer")
    main = schedules.add_point("Trung tâm Chính trị tỉnh Quảng Trị", province, "Đông Hà", 120)
    halls = []
    for number, name in enumerate(HALLS[:points], 1):
        org = schedules.add_organisation(f"Trung tâm Chính trị {name}", province)
        point = schedules.add_point(f"Trung tâm Chính trị {name}", org, name, 60 + 10 * number)
        operator = person(f"vanhanh{number}", f"Trần Quốc {name}", "operator", org)
        schedules.set_operators(point.id, [operator])
        halls.append({"point": point.id, "name": point.name, "operator": f"vanhanh{number}"})
    course = schedules.add_course(COURSE, province, "Cấp uỷ viên cơ sở", TOPICS)
    learner = person("hocvien", "Phạm Thị Mai", "learner")
    person("nguoila", "Người Lạ", "learner", schedules.add_organisation("Một nơi khác"))
    schedules.enrol(learner, course.id)
    return {"main": main.id, "lecturer": lecturer, "course": course.id, "topic": TOPICS[0], "halls": halls}


def main() -> None:
    """Enter everything and print the ids."""
    services = build(from_environment(), SystemClock())
    print(json.dumps(found(services, int(sys.argv[1]))))


if __name__ == "__main__":
    main()
