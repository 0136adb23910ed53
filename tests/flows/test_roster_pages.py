"""Rosters through the pages: import with preview and confirmation, people by hand, rules, target groups."""

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from openpyxl import Workbook, load_workbook

from schedules.rosters.nominations import read_nominations
from schedules.rosters.roster_service import RosterService
from schedules.sheets.limits import UPLOAD_MAX
from schedules.sheets.table import read_table
from tests.builders import PASSWORD, School, make_user
from tests.fakes import FakeClock

Browser = Any  # Flask's test client

HEADER = "Họ và tên,Mã cán bộ,Email,Điểm cầu,Đơn vị"
HOA = "Lê Thị Hoa,CB01,hoa@x.vn,Hướng Hóa,Trung tâm Chính trị Đông Hà"
AN = "Trần Văn Ân,CB02,an@x.vn,Đakrông,"
RULES = "Vào lớp đúng giờ.\nTắt micro khi chưa được phát biểu."


@pytest.fixture
def rosters(app: Flask) -> RosterService:
    service: RosterService = app.extensions["rosters"]
    return service


@pytest.fixture
def organiser(login: Callable[..., Browser], school: School) -> Browser:
    return login("tochuc", PASSWORD)


@pytest.fixture
def learner(login: Callable[..., Browser], school: School) -> Browser:
    return login("hocvien", PASSWORD)


@pytest.fixture
def address(school: School) -> str:
    return f"/courses/{school.course.id}"


def sheet(*rows: str) -> bytes:
    return "\r\n".join([HEADER, *rows]).encode()


def send(browser: Browser, address: str, data: bytes, name: str = "danh sách.csv") -> Any:
    """Upload a file as a browser does.  The body is put together here: the test client leaves large ones open."""
    head = f'--border\r\nContent-Disposition: form-data; name="sheet"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + b"\r\n--border--\r\n"
    return browser.post(f"{address}/import", data=body, content_type="multipart/form-data; boundary=border")


def key_of(page: str) -> str:
    found = re.search(r'name="key" value="([^"]+)"|problems\.csv\?key=([^"]+)"', page)
    assert found, page
    return found[1] or found[2]


def text(answer: Any) -> str:
    return str(answer.get_data(as_text=True))


def alerts(answer: Any) -> str:
    return " ".join(re.findall(r'role="alert">(.*?)</div>', text(answer), re.DOTALL))


def figures(answer: Any) -> list[int]:
    return [int(n) for n in re.findall(r'stat-value">(\d+)<', text(answer))]


def names(rosters: RosterService, school: School) -> list[str]:
    return [line.name for line in rosters.roster(school.course.id)]


# ---- import ------------------------------------------------------------------------------------


def test_nothing_is_imported_before_the_person_confirms(
    organiser: Browser, rosters: RosterService, school: School, address: str
) -> None:
    assert organiser.get(f"{address}/import").status_code == 200
    shown = send(organiser, address, sheet(HOA, AN))
    assert (shown.status_code, figures(shown)) == (200, [2, 0, 0])
    assert names(rosters, school) == ["Hồ Văn Khiêm"]
    answer = organiser.post(f"{address}/import/confirm", data={"key": key_of(text(shown)), "name": "danh sách.csv"})
    assert (answer.status_code, answer.location) == (303, f"{address}#roster")
    assert names(rosters, school) == ["Trần Văn Ân", "Lê Thị Hoa", "Hồ Văn Khiêm"]
    page = text(organiser.get(address))
    assert page.index("Trần Văn Ân") < page.index("Lê Thị Hoa") < page.index("Hồ Văn Khiêm")
    assert "hoa@x.vn" in page


def test_the_same_sheet_twice_changes_nothing(
    organiser: Browser, rosters: RosterService, school: School, address: str
) -> None:
    for expected in ([2, 0, 0], [0, 0, 2]):
        shown = send(organiser, address, sheet(HOA, AN))
        assert figures(shown) == expected
        if expected[0]:
            organiser.post(f"{address}/import/confirm", data={"key": key_of(text(shown))})
        else:
            assert "import/confirm" in text(shown)
            assert "button-primary button-large" not in text(shown), "there is nothing to import"
    before = rosters.roster(school.course.id)
    assert organiser.post(f"{address}/import/confirm", data={"key": key_of(text(shown))}).status_code == 303
    assert rosters.roster(school.course.id) == before


def test_every_bad_row_is_told_with_its_place_and_nobody_comes_in(
    organiser: Browser, rosters: RosterService, school: School, address: str
) -> None:
    bad = sheet(HOA, "Võ Thị Mai,CB03,không có,,", "Hồ Văn Long,CB04,long@x.vn,Cồn Cỏ,", "=cmd(),CB05,,,Xã Lạ")
    shown = send(organiser, address, bad)
    page = text(shown)
    assert shown.status_code == 200
    rows = re.findall(r'<tr><td class="num">(\d+)</td><td>(.*?)</td><td>(.*?)</td></tr>', page)
    assert [(row, column) for row, column, _ in rows] == [("3", "Email"), ("4", "Điểm cầu"), ("5", "Đơn vị")]
    assert "không có" in rows[0][2]
    assert "Cồn Cỏ" in rows[1][2]
    assert "import/confirm" not in page
    answer = organiser.post(f"{address}/import/confirm", data={"key": key_of(page)})
    assert 'name="key"' not in text(answer)
    assert names(rosters, school) == ["Hồ Văn Khiêm"]

    file = organiser.get(f"{address}/import/problems.csv?key={key_of(page)}")
    assert file.data.startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(io.StringIO(file.data.decode("utf-8-sig"))))
    assert [line[0] for line in lines[1:]] == ["3", "4", "5"]
    assert lines[0][3:] == HEADER.split(",")
    assert lines[3][3] == "'=cmd()", "no cell runs"


def test_a_sheet_over_quota_is_warned_of_and_still_imported(
    organiser: Browser, rosters: RosterService, school: School, address: str
) -> None:
    assert organiser.post(f"{address}/quotas", data={"org": school.centre, "seats": "1"}).status_code == 303
    shown = send(organiser, address, sheet(HOA, "Võ Thị Mai,CB03,,,Trung tâm Chính trị Đông Hà"))
    assert "notice-warn" in text(shown)
    organiser.post(f"{address}/import/confirm", data={"key": key_of(text(shown))})
    assert len(names(rosters, school)) == 3
    assert "pill-warn" in text(organiser.get(address))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.7 not a table",
        b"PK\x03\x04 a broken zip",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old",
        b'"open quotation mark\n',
        b"\x00" * 5000,
        b"Ngay,Thang\n1,2\n<script>alert(1)</script>,3\n",
    ],
    ids=["empty", "pdf", "broken zip", "xls", "broken csv", "zeros", "no names"],
)
def test_a_hostile_file_is_answered_with_a_sentence(
    organiser: Browser, rosters: RosterService, school: School, address: str, data: bytes
) -> None:
    answer = send(organiser, address, data, "<script>alert(1)</script>.csv")
    assert answer.status_code in (200, 422)
    assert alerts(answer).strip()
    assert "<script>alert" not in text(answer)
    assert "import/confirm" not in text(answer)
    assert names(rosters, school) == ["Hồ Văn Khiêm"]


def test_no_file_is_told_on_the_page(organiser: Browser, address: str) -> None:
    answer = organiser.post(f"{address}/import", data={})
    assert answer.status_code == 422
    assert alerts(answer).strip()


def test_a_file_that_is_too_large_is_not_read_and_the_page_says_how_large_one_may_be(
    organiser: Browser, address: str
) -> None:
    for size in (UPLOAD_MAX + 1, UPLOAD_MAX + 1_000_000):
        answer = send(organiser, address, b"x" * size)
        assert answer.status_code in (413, 422)
        assert "10 MB" in alerts(answer)
        assert 'type="file"' in text(answer)


def test_a_file_of_several_megabytes_comes_in_but_only_through_this_door(
    organiser: Browser, learner: Browser, address: str
) -> None:
    large = sheet(HOA) + b"\r\n" + b"," * 2_000_000
    assert send(organiser, address, large).status_code in (200, 422)
    assert organiser.post(f"{address}/topics", data={"title": "x" * 2_000_000}).status_code == 413
    assert send(learner, address, large).status_code == 403


def test_a_preview_belongs_to_one_person_one_course_and_half_an_hour(
    app: Flask,
    organiser: Browser,
    login: Callable[..., Browser],
    rosters: RosterService,
    school: School,
    clock: FakeClock,
    address: str,
) -> None:
    key = key_of(text(send(organiser, address, sheet(HOA))))
    other_course = school.schedules.add_course("Lớp khác", school.province).id
    admin = login("quantri", PASSWORD)
    assert admin.post(f"{address}/import/confirm", data={"key": key}).status_code == 409
    assert organiser.post(f"/courses/{other_course}/import/confirm", data={"key": key}).status_code == 409
    for guess in ("", "../../test.sqlite3", "x" * 5000, "Đ"):
        assert organiser.post(f"{address}/import/confirm", data={"key": guess}).status_code == 409
    folder = app.extensions["config"].uploads_dir
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]
    clock.advance(31 * 60)
    answer = organiser.post(f"{address}/import/confirm", data={"key": key})
    assert answer.status_code == 409
    assert alerts(answer).strip()
    organiser.get(f"{address}/import")
    assert list(folder.iterdir()) == [], "old uploads are removed"
    assert names(rosters, school) == ["Hồ Văn Khiêm"]


def test_a_confirmed_upload_is_gone_and_one_person_keeps_few(app: Flask, organiser: Browser, address: str) -> None:
    folder = app.extensions["config"].uploads_dir
    keys = [key_of(text(send(organiser, address, sheet(HOA)))) for _ in range(7)]
    assert len(list(folder.iterdir())) == 4
    assert organiser.post(f"{address}/import/confirm", data={"key": keys[-1]}).status_code == 303
    assert len(list(folder.iterdir())) == 3
    assert organiser.post(f"{address}/import/confirm", data={"key": keys[-1]}).status_code == 409


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_empty_sheets_are_understood_when_they_are_filled_in(
    organiser: Browser, address: str, language: str
) -> None:
    organiser.get(f"/language/{language}")
    person = ["Lê Thị Hoa", "0042", "Chủ tịch", "hoa@x.vn", "0912345678", "Hướng Hóa", "Trung tâm Chính trị Đông Hà"]
    empty = organiser.get(f"{address}/import/template.csv")
    filled = empty.data + ",".join(person).encode()
    book = load_workbook(io.BytesIO(organiser.get(f"{address}/import/template.xlsx").data))
    book.worksheets[0].append(person)
    out = io.BytesIO()
    book.save(out)
    for data in (filled, out.getvalue()):
        read = read_nominations(read_table(data, "mẫu"))
        assert (read.problems, read.columns.unknown, len(read.columns.places)) == ((), (), 7)
        assert (read.nominations[0].name, read.nominations[0].code) == ("Lê Thị Hoa", "0042")
    assert [cell.value for cell in book.worksheets[1]["A"]][1:] == ["Đakrông", "Đông Hà", "Hướng Hóa"]


def test_a_workbook_is_parsed_through_the_offload(app: Flask, organiser: Browser, address: str) -> None:
    called = []

    def offload(function: Callable[..., Any], *args: Any) -> Any:
        called.append(function)
        return function(*args)

    app.extensions["offload"] = offload
    book = Workbook()
    book.worksheets[0].append(HEADER.split(","))
    book.worksheets[0].append(HOA.split(","))
    out = io.BytesIO()
    book.save(out)
    assert figures(send(organiser, address, out.getvalue(), "a.xlsx")) == [1, 0, 0]
    assert called == [read_table]


# ---- the roster --------------------------------------------------------------------------------


def test_the_roster_is_searched_without_marks_filtered_by_point_and_turned_by_pages(
    organiser: Browser, address: str, school: School
) -> None:
    many = [f"Nguyễn Văn Bình {n:03},M{n:03},,Hướng Hóa," for n in range(150)]
    shown = send(organiser, address, sheet(HOA, AN, *many))
    organiser.post(f"{address}/import/confirm", data={"key": key_of(text(shown))})

    def rows(query: str) -> list[str]:
        return re.findall(r'<th scope="row"><a[^>]*>(.*?)</a>', text(organiser.get(f"{address}{query}")))

    assert rows("?q=le thi hoa") == ["Lê Thị Hoa"]
    assert rows("?q=cb02") == ["Trần Văn Ân"]
    assert rows(f"?point={school.b.id}") == ["Trần Văn Ân"]
    assert rows("?point=none") == ["Hồ Văn Khiêm"]
    assert [len(rows(f"?page={page}")) for page in (1, 2, 99, "x", "-1")] == [100, 53, 53, 100, 100]
    assert rows("?q=nobody") == []


def test_the_roster_as_a_file_has_no_cell_that_runs(organiser: Browser, address: str) -> None:
    shown = send(organiser, address, sheet("=HYPERLINK(1) An,CB09,,,", HOA))
    organiser.post(f"{address}/import/confirm", data={"key": key_of(text(shown))})
    answer = organiser.get(f"{address}/roster.csv")
    assert answer.mimetype == "text/csv"
    lines = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert [line[0] for line in lines[1:]] == ["'=HYPERLINK(1) An", "Lê Thị Hoa", "Hồ Văn Khiêm"]
    assert lines[2][1:7] == ["CB01", "", "hoa@x.vn", "", "Hướng Hóa", "Trung tâm Chính trị Đông Hà"]


def test_one_person_is_enrolled_moved_and_taken_off_by_hand(
    organiser: Browser, rosters: RosterService, school: School, address: str
) -> None:
    make_user(school.schedules, "lan", school.centre, "learner", name="Võ Thị Lan")
    answer = organiser.post(f"{address}/people", data={"who": " LAN ", "at": school.a.id})
    assert answer.status_code == 303
    (line,) = rosters.find(school.course.id, "lan")
    assert (line.point_id, line.org_id) == (school.a.id, school.centre)
    for who, status in (("lan", 409), ("khong-co", 404), ("", 404)):
        answer = organiser.post(f"{address}/people", data={"who": who})
        assert (answer.status_code, bool(alerts(answer).strip())) == (status, True)
    person = f"{address}/people/{line.user_id}"
    assert "Võ Thị Lan" in text(organiser.get(person))
    assert organiser.post(person, data={"at": "bp_none"}).status_code == 404
    assert organiser.post(person, data={"at": school.b.id}).status_code == 303
    assert rosters.line(school.course.id, line.user_id).point_id == school.b.id
    assert organiser.post(person, data={"at": ""}).status_code == 303
    assert rosters.line(school.course.id, line.user_id).point_id is None
    assert organiser.post(f"{person}/remove").status_code == 303
    assert organiser.post(f"{person}/remove").status_code == 404
    assert names(rosters, school) == ["Hồ Văn Khiêm"]
    assert school.schedules.user(line.user_id).name == "Võ Thị Lan"


def test_a_person_is_known_by_staff_code_in_any_case(
    organiser: Browser, rosters: RosterService, school: School, address: str
) -> None:
    shown = send(organiser, address, sheet(HOA))
    organiser.post(f"{address}/import/confirm", data={"key": key_of(text(shown))})
    other = school.schedules.add_course("Lớp khác", school.province).id
    assert organiser.post(f"/courses/{other}/people", data={"who": "cb01"}).status_code == 303
    assert [line.name for line in rosters.roster(other)] == ["Lê Thị Hoa"]


def test_a_course_tells_its_topics_lectures_and_quotas(
    organiser: Browser, school: School, clock: FakeClock, address: str
) -> None:
    school.lecture(clock.now() + timedelta(days=1), title="Buổi đầu tiên")
    organiser.post(f"{address}/topics", data={"title": " Chữ  ký số "})
    assert organiser.post(f"{address}/topics", data={"title": " "}).status_code == 422
    organiser.post(f"{address}/quotas", data={"org": school.centre, "seats": "25"})
    for wrong in ("-1", "năm", "1.5", "99999999"):
        answer = organiser.post(f"{address}/quotas", data={"org": school.centre, "seats": wrong})
        assert (answer.status_code, f'value="{wrong}"' in text(answer)) == (422, True)
    page = text(organiser.get(address))
    assert [topic.title for topic in school.schedules.course(school.course.id).topics][-1] == "Chữ ký số"
    assert "Buổi đầu tiên" in page
    assert '<td class="num">25</td>' in page
    organiser.post(f"{address}/quotas", data={"org": school.centre, "seats": ""})
    assert '<td class="num">25</td>' not in text(organiser.get(address))
    assert f'href="{address}"' in text(organiser.get("/courses"))


# ---- who may -----------------------------------------------------------------------------------


def test_a_learner_sees_the_course_and_nobody_elses_data(
    organiser: Browser, learner: Browser, rosters: RosterService, school: School, address: str
) -> None:
    shown = send(organiser, address, sheet(HOA))
    organiser.post(f"{address}/import/confirm", data={"key": key_of(text(shown))})
    page = text(learner.get(address))
    assert "Chuyển đổi số" in page
    assert "Lê Thị Hoa" not in page
    assert "hoa@x.vn" not in page
    user = rosters.find(school.course.id, "hoa")[0].user_id
    for path in ("/roster.csv", "/import", f"/people/{user}", "/import/template.csv", "/import/problems.csv?key=x"):
        assert learner.get(address + path).status_code == 403
    assert learner.post(f"{address}/people/{user}/remove").status_code == 403
    assert learner.post(f"{address}/rules", data={"text": "Không có"}).status_code == 403
    assert len(names(rosters, school)) == 2


def test_organisers_are_bound_to_no_organisation(
    login: Callable[..., Browser], rosters: RosterService, school: School, address: str
) -> None:
    """As with lectures and points: course.manage is asked of the role, wherever the person works."""
    elsewhere = school.schedules.add_organisation("Tỉnh Lai Châu")
    make_user(school.schedules, "tochuc2", elsewhere, "organiser")
    browser = login("tochuc2", PASSWORD)
    shown = send(browser, address, sheet(HOA))
    assert browser.post(f"{address}/import/confirm", data={"key": key_of(text(shown))}).status_code == 303
    assert "Lê Thị Hoa" in names(rosters, school)


# ---- rules and target groups -------------------------------------------------------------------


def test_a_learner_accepts_the_rules_on_entry_and_again_when_they_change(
    app: Flask,
    organiser: Browser,
    learner: Browser,
    rosters: RosterService,
    school: School,
    clock: FakeClock,
    address: str,
) -> None:
    lecture = school.lecture(clock.now() + timedelta(minutes=5))
    replay = f"/lectures/{lecture.id}/replay"
    assert learner.get(replay).status_code == 200, "no rules, no question"
    for version, words in ((1, RULES), (2, RULES + "\nKhông ghi hình.")):
        assert organiser.post(f"{address}/rules", data={"text": words}).status_code == 303
        asked = learner.get(replay)
        assert (asked.status_code, asked.location) == (302, f"{address}/rules?next={replay}")
        page = text(learner.get(asked.location))
        assert "Vào lớp đúng giờ." in page
        assert f'name="version" value="{version}"' in page
        form = {"version": str(version), "next": replay}
        accepted = learner.post(f"{address}/rules/accept", data=form)
        assert (accepted.status_code, accepted.location) == (303, replay)
        line = rosters.line(school.course.id, school.learner.id)
        assert (line.rules_version, line.rules_accepted_at) == (version, clock.now())
        assert learner.get(replay).status_code == 200
        clock.advance(60)
    assert organiser.get(replay).status_code == 200, "who is not on the roster is not asked"


def test_a_signed_in_learner_is_asked_before_the_poll_and_a_phone_without_account_is_not(
    app: Flask, organiser: Browser, learner: Browser, school: School, clock: FakeClock, address: str
) -> None:
    organiser.post(f"{address}/rules", data={"text": RULES})
    lecture, rooms = school.lecture(clock.now()), app.extensions["rooms"]
    rooms.open(lecture.id, lecture.lecturer_id, lecture.main_point_id, lecture.point_ids)
    rooms.join(lecture.id, lecture.lecturer_id, "lecturer", "c0")
    rooms.start(lecture.id, lecture.lecturer_id, "lecturer")
    poll = f"/p/{rooms.open_poll(lecture.id, lecture.lecturer_id, 'lecturer', 'Đã rõ chưa?', ['Rõ', 'Chưa'])}"
    assert learner.get(poll).location == f"{address}/rules?next={poll}"
    assert app.test_client().get(poll).status_code == 200
    learner.post(f"{address}/rules/accept", data={"version": "1"})
    assert learner.get(poll).status_code == 200


@pytest.mark.parametrize("version", ["", "0", "2", "x", "-1"])
def test_only_the_version_that_was_read_is_accepted(
    organiser: Browser, learner: Browser, rosters: RosterService, school: School, address: str, version: str
) -> None:
    organiser.post(f"{address}/rules", data={"text": RULES})
    answer = learner.post(f"{address}/rules/accept", data={"version": version})
    assert (answer.status_code, bool(alerts(answer).strip())) == (409, True)
    assert rosters.needs_to_accept(school.course.id, school.learner.id)


@pytest.mark.parametrize("target", ["https://x.vn/", "//x.vn", "/\\x.vn", "/p/../login", "javascript:alert(1)"])
def test_the_way_back_leads_nowhere_else(organiser: Browser, learner: Browser, address: str, target: str) -> None:
    organiser.post(f"{address}/rules", data={"text": RULES})
    answer = learner.post(f"{address}/rules/accept", data={"version": "1", "next": target})
    assert answer.location == address


def test_rules_that_are_too_long_stay_on_the_page(organiser: Browser, rosters: RosterService, address: str) -> None:
    answer = organiser.post(f"{address}/rules", data={"text": "Điều " * 5000})
    assert answer.status_code == 422
    assert alerts(answer).strip()
    assert "Điều Điều" in text(answer)


def test_target_groups_are_added_renamed_and_given_to_courses(
    organiser: Browser, rosters: RosterService, school: School, address: str
) -> None:
    organiser.post("/target-groups", data={"name": "Công chức xã", "description": "Ở cơ sở"})
    (group,) = rosters.target_groups()
    refused = organiser.post("/target-groups", data={"name": "công chức xã"})
    assert (refused.status_code, 'value="công chức xã"' in text(refused)) == (409, True)
    assert organiser.post(f"/target-groups/{group.id}", data={"name": " "}).status_code == 422
    organiser.post(f"/target-groups/{group.id}", data={"name": "Công chức", "description": ""})
    organiser.post(f"{address}/about", data={"audience": "Cán bộ xã", "group": group.id})
    page = text(organiser.get("/target-groups"))
    assert "Công chức" in page
    assert school.course.title in page
    assert school.schedules.course(school.course.id).audience == "Cán bộ xã"
    assert organiser.post(f"{address}/about", data={"audience": "x" * 201, "group": group.id}).status_code == 422
    assert organiser.post(f"{address}/about", data={"audience": "", "group": ""}).status_code == 303
    assert rosters.target_group(school.course.id) is None
