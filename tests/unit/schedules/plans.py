"""A lecture as calendars and timetables get it, without a database."""

from datetime import UTC, datetime, timedelta

from schedules.records import LectureView

EIGHT = datetime(2026, 3, 2, 1, tzinfo=UTC)  # 08:00 in Vietnam


def plan(**changes: object) -> LectureView:
    starts_at = changes.get("starts_at", EIGHT)
    assert isinstance(starts_at, datetime)
    facts: dict[str, object] = {
        "id": "lec_0123456789abcdef",
        "title": "Chuyển đổi số ở cơ sở",
        "description": "",
        "course_id": "crs_1",
        "course_title": "Bồi dưỡng công chức xã",
        "topic_id": "top_1",
        "topic_title": "Chuyển đổi số",
        "lecturer_id": "usr_1",
        "lecturer_name": "Nguyễn Thị Minh",
        "main_point_id": "bp_main",
        "main_point_name": "Đông Hà",
        "point_ids": ("bp_a", "bp_b"),
        "point_names": ("Hướng Hóa", "Đakrông"),
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(minutes=90),
        "zone": "Asia/Ho_Chi_Minh",
        "status": "planned",
        "uid": "lec_0123456789abcdef@diem-cau",
        "sequence": 0,
        "changed_at": datetime(2026, 2, 20, tzinfo=UTC),
        **changes,
    }
    return LectureView(**facts)  # type: ignore[arg-type]
