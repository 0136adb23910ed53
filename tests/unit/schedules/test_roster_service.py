from datetime import UTC, datetime

import pytest

from app.passwords import Passwords
from core.bus import EventBus
from core.db import Database
from core.errors import AppError, Conflict, Invalid, NotFound
from schedules.models import BridgePoint, Enrolment, Organisation, User
from schedules.records import NewUser
from schedules.rosters.roster_service import RULES_MAX, RosterService
from schedules.service import ScheduleService
from schedules.sheets.table import Row, Table
from tests.fakes import FakeClock

HEADER = ("Họ và tên", "Mã cán bộ", "Chức vụ", "Email", "Điện thoại", "Điểm cầu", "Đơn vị")
HOA = ("Lê Thị Hoa", "CB01", "Chủ tịch", "hoa@x.vn", "0912345678", "Cam Lộ", "Xã Cam Lộ")
BINH = ("Trần Văn Bình", "CB02", "", "", "", "Đakrông", "")
AN = ("Hồ Văn Ân", "", "Phó bí thư", "an@x.vn", "", "", "Xã Đakrông")


def table(*rows, header=HEADER):
    return Table(header, tuple(Row(n, row + ("",) * (len(header) - len(row))) for n, row in enumerate(rows, 2)))


class Class:
    """A course of a province with two communes, two points and an organiser."""

    def __init__(self, db: Database, clock: FakeClock) -> None:
        self.db = db
        self.schedules = ScheduleService(db, EventBus(), clock)
        self.rosters = RosterService(db, clock)
        self.province = self.schedules.add_organisation("Tỉnh Quảng Trị")
        self.cam_lo = self.schedules.add_organisation("Xã Cam Lộ", self.province)
        self.dakrong = self.schedules.add_organisation("Xã Đakrông", self.province)
        self.point_cam_lo = self.schedules.add_point("Cam Lộ", self.cam_lo).id
        self.point_dakrong = self.schedules.add_point("Đakrông", self.dakrong).id
        self.organiser = self.add("tochuc", "Phạm Tổ Chức", "organiser")
        self.course = self.schedules.add_course("Bồi dưỡng", self.province).id

    def add(self, login, name, role="learner", org=None, **more):
        new = NewUser(login, "argon2 of something", name, org or self.province, frozenset({role}))
        user_id = self.schedules.add_user(new).id
        self.change(User, user_id, **more)
        return user_id

    def change(self, kind, row_id, **more):
        with self.db.transaction() as s:
            row = s.get(kind, row_id)
            for name, value in more.items():
                setattr(row, name, value)

    def load(self, *rows, **more):
        return self.rosters.import_sheet(self.course, table(*rows, **more), self.organiser)

    def wrong(self, *rows, **more):
        report = self.load(*rows, **more)
        assert not report.imported
        assert all(p.message % p.params for p in report.problems)
        return [(p.row, p.column, p.code) for p in report.problems]

    def lines(self):
        return {line.name: line for line in self.rosters.roster(self.course)}

    def counts(self):
        with self.db.reading() as s:
            return s.query(User).count(), s.query(Enrolment).count()


@pytest.fixture
def school(any_db, clock):
    return Class(any_db, clock)


def numbers(report):
    return report.imported, report.added, report.updated, report.unchanged


def test_a_sheet_puts_new_people_on_the_roster_with_their_point_and_organisation(school, clock):
    report = school.load(HOA, BINH, AN)
    assert numbers(report) == (True, 3, 0, 0)
    assert (report.new_people, report.problems, report.warnings) == (3, (), ())
    hoa, binh, an = (school.lines()[row[0]] for row in (HOA, BINH, AN))
    assert (hoa.point_id, hoa.point_name, hoa.org_id) == (school.point_cam_lo, "Cam Lộ", school.cam_lo)
    assert (hoa.code, hoa.position, hoa.email, hoa.phone) == ("CB01", "Chủ tịch", "hoa@x.vn", "0912345678")
    assert hoa.enrolled_at == clock.now()
    assert (binh.point_id, binh.org_id) == (school.point_dakrong, school.province)  # the course's, for want of another
    assert (an.point_id, an.org_name, an.code) == (None, "Xã Đakrông", None)


def test_new_people_are_learners_who_cannot_sign_in(school):
    school.load(HOA)
    user = school.schedules.user(school.lines()[HOA[0]].user_id)
    assert user.roles == {"learner"}
    credentials = school.schedules.credentials(user.login)
    passwords = Passwords(quick=True)
    for guess in ("", "nobody's password", user.login):
        assert not passwords.matches(guess, credentials.password_hash)


def test_the_same_sheet_twice_changes_nothing(school, clock):
    bare = ("Nguyễn Thị Đông",)
    school.load(HOA, BINH, AN, bare)
    before, lines = school.counts(), school.lines()
    clock.advance(days=1)
    assert numbers(school.load(HOA, BINH, AN, bare)) == (True, 0, 0, 4)
    assert (school.counts(), school.lines()) == (before, lines)


def test_a_changed_row_updates_the_person_and_the_place(school):
    school.load(HOA, BINH)
    changed = ("Lê Thị Hoa", "cb01", "Bí thư", "", "", "Đakrông", "Xã Đakrông")
    assert numbers(school.load(changed, BINH)) == (True, 0, 1, 1)
    hoa = school.lines()["Lê Thị Hoa"]
    assert (hoa.position, hoa.email) == ("Bí thư", "hoa@x.vn")  # what the sheet leaves open stays
    assert (hoa.point_id, hoa.org_id) == (school.point_dakrong, school.dakrong)


def test_people_are_known_by_code_then_by_e_mail(school):
    by_code = school.add("hoa", "Lê Thị Hoa", code="CB01")
    by_email = school.add("an", "Hồ Văn Ân", email="An@x.vn")
    report = school.load(HOA, AN)
    assert (report.added, report.new_people) == (2, 0)
    assert {line.user_id for line in school.lines().values()} == {by_code, by_email}


def test_a_code_in_letters_beyond_ascii_is_known_again(school):
    row = ("Lê Thị Hoa", "ĐH01")
    school.load(row)
    assert numbers(school.load(row)) == (True, 0, 0, 1)


def test_an_address_that_was_known_gets_its_code(school):
    school.load(AN)
    with_code = (AN[0], "CB09", *AN[2:])
    assert numbers(school.load(with_code)) == (True, 0, 1, 0)
    assert school.lines()[AN[0]].code == "CB09"


def test_a_sheet_does_not_change_people_who_can_sign_in(school):
    user_id = school.add("hoa", "Lê Thị Hoa", "admin", code="CB01", email="real@x.vn", position="Quản trị")
    report = school.load(HOA)
    assert report.imported
    assert [(w.row, w.column, w.code) for w in report.warnings] == [
        (2, "Chức vụ", "roster.kept"),
        (2, "Email", "roster.kept"),
    ]
    line = school.lines()["Lê Thị Hoa"]
    assert (line.user_id, line.email, line.position, line.phone) == (user_id, "real@x.vn", "Quản trị", "")
    assert school.schedules.user(user_id).roles == {"admin"}
    assert numbers(school.load(HOA)) == (True, 0, 0, 1)


def test_one_bad_row_and_nobody_is_imported_and_every_bad_row_is_told(school):
    before = school.counts()
    no_point = ("Trần Văn Bình", "CB02", "", "", "", "Gio Linh", "Xã Lạ")
    no_name = ("", "CB03", "", "b@x.vn", "", "", "")
    assert school.wrong(HOA, no_point, no_name) == [
        (3, "Đơn vị", "roster.unknown_org"),
        (3, "Điểm cầu", "roster.unknown_point"),
        (4, "Họ và tên", "nomination.no_name"),
    ]
    assert school.counts() == before


def test_points_and_organisations_are_known_by_code_name_or_name_without_marks(school):
    school.change(BridgePoint, school.point_cam_lo, code="DC-05")
    school.load(
        ("Lê Hoa", "1", "", "", "", "dc-05", "XA CAM LO"), ("Trần Bình", "2", "", "", "", "dakrong", "xã đakrông")
    )
    hoa, binh = school.lines()["Lê Hoa"], school.lines()["Trần Bình"]
    assert (hoa.point_id, hoa.org_id) == (school.point_cam_lo, school.cam_lo)
    assert (binh.point_id, binh.org_id) == (school.point_dakrong, school.dakrong)


def test_names_that_only_marks_tell_apart(school):
    school.schedules.add_point("Cam Lô", school.province)
    assert school.wrong(("Lê Hoa", "1", "", "", "", "cam lo")) == [(2, "Điểm cầu", "roster.which_point")]
    assert school.load(("Lê Hoa", "1", "", "", "", "CAM LỘ")).imported
    school.schedules.add_organisation("Xã Cam Lộ")
    assert school.wrong(("Lê Hoa", "1", "", "", "", "", "Xã Cam Lộ")) == [(2, "Đơn vị", "roster.which_org")]


def test_a_point_given_up_and_an_organisation_abolished(school):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    school.change(BridgePoint, school.point_cam_lo, retired_at=at)
    school.change(Organisation, school.cam_lo, abolished_at=at, successor_id=school.dakrong)
    report = school.load(HOA)
    assert [p.code for p in report.problems] == ["roster.abolished_org", "roster.unknown_point"]
    assert report.problems[0].params["successor"] == "Xã Đakrông"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (("Lê Thị Hoa", "", "", "", ""), "roster.ambiguous"),  # a name alone, and somebody has it
        (("Lê Thị Hoa", "", "", "twice@x.vn", ""), "roster.ambiguous"),
        (("Lê Thị Hoa", "CB01", "", "binh@x.vn", ""), "roster.two_people"),
        (("Trần Văn Bình", "CB77", "", "binh@x.vn", ""), "roster.other_code"),
        (("Nguyễn Ai Đó", "CB01", "", "", ""), "roster.other_name"),
        (("Võ Đã Nghỉ", "CB03", "", "", ""), "roster.left"),
    ],
)
def test_a_row_that_may_mean_somebody_else_is_refused(school, row, code):
    school.add("hoa", "Lê Thị Hoa", code="CB01", email="twice@x.vn")
    school.add("hoa2", "Lê Thu Hoa", email="twice@x.vn")
    school.add("binh", "Trần Văn Bình", code="CB02", email="binh@x.vn")
    school.add("nghi", "Võ Đã Nghỉ", code="CB03", left_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert [found[::2] for found in school.wrong(row)] == [(2, code)]


def test_the_same_name_in_another_organisation_is_somebody_new(school):
    school.add("hoa", "Lê Thị Hoa", org=school.dakrong)
    report = school.load(("Lê Thị Hoa", "", "", "", "", "", "Xã Cam Lộ"))
    assert (report.imported, report.new_people) == (True, 1)


def test_one_person_by_code_and_again_by_e_mail_in_a_sheet(school):
    school.add("hoa", "Lê Thị Hoa", code="CB01", email="hoa@x.vn")
    report = school.load(("Lê Thị Hoa", "CB01"), ("Lê Thị Hoa", "", "", "hoa@x.vn"))
    assert [(p.row, p.code, p.params["first"], p.params["second"]) for p in report.problems] == [
        (3, "roster.repeated", 2, 3)
    ]
    again = school.wrong(("Lê Thị Hoa", "CB01"), ("Lê Thị Hoa", "CB01"))
    assert again == [(3, "Mã cán bộ", "nomination.repeated")]  # told once


def test_a_preview_says_the_same_and_writes_nothing(school):
    before = school.counts()
    seen = school.rosters.preview(school.course, table(HOA, AN))
    assert numbers(seen) == (False, 2, 0, 0)
    assert school.counts() == before
    done = school.load(HOA, AN)
    assert (done.added, done.new_people) == (seen.added, seen.new_people)


def test_columns_that_nobody_understood_are_told(school):
    report = school.load(("Lê Hoa", "Huế"), header=("Họ tên", "Quê quán"))
    assert (report.imported, report.unknown_columns) == (True, ("Quê quán",))


def test_quotas_warn_and_do_not_stop(school):
    school.rosters.set_quota(school.course, school.cam_lo, 1)
    more = [(f"Lê Hoa {n}", f"H{n}", "", "", "", "", "Xã Cam Lộ") for n in "AB"]
    report = school.load(HOA, *more, AN)
    assert report.imported
    assert [(w.code, w.params["org"], w.params["taken"], w.params["seats"]) for w in report.warnings] == [
        ("roster.over_quota", "Xã Cam Lộ", 3, 1),
        ("roster.no_quota", "Xã Đakrông", 1, 0),
    ]
    [quota] = school.rosters.quotas(school.course)
    assert (quota.org_name, quota.seats, quota.taken) == ("Xã Cam Lộ", 1, 3)


def test_a_quota_is_changed_and_taken_away(school):
    for seats in (0, 5):
        school.rosters.set_quota(school.course, school.cam_lo, seats)
    assert [quota.seats for quota in school.rosters.quotas(school.course)] == [5]
    school.rosters.set_quota(school.course, school.cam_lo, None)
    assert school.rosters.quotas(school.course) == []
    with pytest.raises(Invalid):
        school.rosters.set_quota(school.course, school.cam_lo, -1)
    with pytest.raises(NotFound):
        school.rosters.set_quota(school.course, "org_none", 1)


def test_five_thousand_people(school):
    rows = [
        (f"Nguyễn Văn {chr(65 + n % 26)}", f"CB{n:05}", "Công chức", f"cb{n}@x.vn", f"09{n:08}", "Cam Lộ", "Xã Đakrông")
        for n in range(5000)
    ]
    assert numbers(school.load(*rows)) == (True, 5000, 0, 0)
    assert numbers(school.load(*rows)) == (True, 0, 0, 5000)
    moved = [(*row[:5], "Đakrông", row[6]) if n % 2 else row for n, row in enumerate(rows)]
    assert numbers(school.load(*moved)) == (True, 0, 2500, 2500)
    assert school.counts() == (5001, 5000)
    assert len(school.rosters.find(school.course, "cb04999")) == 1


def test_the_roster_is_sorted_by_given_name_and_found_without_marks(school):
    school.load(*[(name, f"C{n}") for n, name in enumerate(("Lê Thị Đào", "Hồ Ấn", "Trần An", "Lê Ân", "Võ Dũng"))])
    assert [line.name for line in school.rosters.roster(school.course)] == [
        "Trần An",
        "Lê Ân",
        "Hồ Ấn",
        "Võ Dũng",
        "Lê Thị Đào",
    ]
    found = school.rosters.find
    assert [line.name for line in found(school.course, "  DAO le ")] == ["Lê Thị Đào"]
    assert [line.name for line in found(school.course, "ấn")] == ["Trần An", "Lê Ân", "Hồ Ấn"]
    assert [line.name for line in found(school.course, "c4")] == ["Võ Dũng"]
    assert found(school.course, "%") == found(school.course, "le huy") == []
    assert len(found(school.course, "")) == 5


def test_people_added_by_hand_are_found_too(school):
    school.schedules.enrol(school.add("hoa", "Lê Thị Hồng"), school.course)
    assert [line.name for line in school.rosters.find(school.course, "hong")] == ["Lê Thị Hồng"]


def test_target_groups_are_added_renamed_and_given_to_courses(school):
    groups = school.rosters
    second = groups.add_target_group("Đảng viên mới", "Kết nạp trong năm")
    first = groups.add_target_group("  Công chức   cấp xã ")
    groups.set_target_group(school.course, first.id)
    assert [(g.name, g.courses) for g in groups.target_groups()] == [("Công chức cấp xã", 1), ("Đảng viên mới", 0)]
    groups.rename_target_group(second.id, "Bí thư chi bộ")
    assert [(g.name, g.description) for g in groups.target_groups()] == [
        ("Bí thư chi bộ", "Kết nạp trong năm"),
        ("Công chức cấp xã", ""),
    ]
    groups.rename_target_group(first.id, "CÔNG CHỨC CẤP XÃ")  # its own name is free for it
    groups.set_target_group(school.course, None)
    assert [g.courses for g in groups.target_groups()] == [0, 0]


def test_a_target_group_needs_a_name_of_its_own(school):
    school.rosters.add_target_group("Công chức cấp xã")
    with pytest.raises(Conflict):
        school.rosters.add_target_group("CÔNG CHỨC CẤP XÃ")
    for name in ("  ", "x" * 201):
        with pytest.raises(Invalid):
            school.rosters.add_target_group(name)
    with pytest.raises(NotFound):
        school.rosters.rename_target_group("tgr_none", "x")


def test_rules_are_accepted_by_version(school, clock):
    school.load(HOA)
    rosters, course, hoa = school.rosters, school.course, school.lines()[HOA[0]].user_id
    assert not rosters.needs_to_accept(course, hoa)  # there are none
    assert rosters.set_rules(course, "Đúng giờ.\r\n").version == 1
    assert rosters.needs_to_accept(course, hoa)
    rosters.accept_rules(course, hoa, version=1)
    accepted_at = clock.now()
    clock.advance(60)
    rosters.accept_rules(course, hoa)  # again
    assert not rosters.needs_to_accept(course, hoa)
    line = school.lines()[HOA[0]]
    assert (line.rules_version, line.rules_accepted_at) == (1, accepted_at)
    assert rosters.set_rules(course, "Đúng giờ.").version == 1  # the same text
    assert rosters.set_rules(course, "Đúng giờ, tắt điện thoại.").version == 2
    assert rosters.needs_to_accept(course, hoa)
    with pytest.raises(Conflict):
        rosters.accept_rules(course, hoa, version=1)
    assert rosters.set_rules(course, "").version == 3
    assert not rosters.needs_to_accept(course, hoa)
    assert rosters.rules(course).text == ""


def test_rules_are_for_those_on_the_roster(school):
    school.rosters.set_rules(school.course, "Đúng giờ.")
    assert not school.rosters.needs_to_accept(school.course, school.organiser)
    with pytest.raises(NotFound):
        school.rosters.accept_rules(school.course, school.organiser)
    with pytest.raises(Invalid):
        school.rosters.set_rules(school.course, "x" * (RULES_MAX + 1))


@pytest.mark.parametrize(
    "call",
    [
        lambda r: r.preview("crs_none", table(HOA)),
        lambda r: r.import_sheet("crs_none", table(HOA), "usr_none"),
        lambda r: r.roster("crs_none"),
        lambda r: r.find("crs_none", "hoa"),
        lambda r: r.rules("crs_none"),
        lambda r: r.quotas("crs_none"),
    ],
)
def test_a_course_that_is_not_there(school, call):
    with pytest.raises(NotFound) as caught:
        call(school.rosters)
    assert isinstance(caught.value, AppError)
    assert caught.value.code == "course.unknown"
