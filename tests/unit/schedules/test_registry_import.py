"""Sheets into the registry: all of a sheet, or nothing of it."""

import io
import re

import pytest
from openpyxl import load_workbook
from sqlalchemy import update

from app import catalogue
from schedules.models import User
from schedules.registry.columns import COLUMNS
from schedules.registry.files import template_csv, template_xlsx
from schedules.registry.records import HallDraft, OrganisationDraft, PointDraft
from schedules.registry.sheets import read_sheet
from schedules.sheets.table import read_table
from tests.unit.schedules.registry_office import Office, table

ORGS = ("Mã đơn vị", "Tên đơn vị", "Cấp", "Đơn vị cấp trên")
POINTS = ("Mã", "Tên điểm cầu", "Địa chỉ", "Số chỗ", "Đơn vị", "Múi giờ", "Người liên hệ", "Điện thoại", "Email")
SETS = ("Mã", "Tên thiết bị", "Điểm cầu", "Ghi chú")
PEOPLE = ("Mã cán bộ", "Họ và tên", "Đơn vị", "Vai trò", "Tên đăng nhập", "Email", "Định mức giờ", "Hình thức")


@pytest.fixture
def office(any_db, clock):
    return Office(any_db, clock)


def take(office, kind, header, *rows):
    """Import, having checked that the preview says the same and writes nothing."""
    sheet = table(header, *rows)
    shown = office.registry.imports.preview(kind, sheet)
    assert not shown.imported
    report = office.registry.imports.take(kind, sheet, office.admin)
    assert (shown.taken, shown.problems) == (report.taken, report.problems)
    assert report.imported == (not report.problems)
    return report


def counts(report):
    return report.count("added"), report.count("updated"), report.count("unchanged")


def wrong(report):
    assert not report.imported
    assert all(p.message % p.params for p in report.problems)
    return [(p.row, p.column, p.code) for p in report.problems]


def test_organisations_come_in_with_parents_of_the_same_sheet(office, clock):
    rows = [
        ("HH", "Xã Hướng Hóa", "xã", "Khu Tây"),  # named before it comes
        ("KT", "Khu Tây", "khu", "QT"),
        ("CL", "Xã Cam Lộ Mới", "", "KT"),
    ]
    before = clock.now()
    clock.advance(days=1)
    assert counts(take(office, "organisations", ORGS, *rows)) == (2, 1, 0)
    assert office.names(office.registry.tree_at(clock.now())) == [
        (0, "Tỉnh Quảng Trị"), (1, "Khu Tây"), (2, "Xã Cam Lộ Mới"), (2, "Xã Hướng Hóa"), (1, "Xã Đakrông"),
    ]  # fmt: skip
    assert office.registry.organisation_at(office.cam_lo, before).name == "Xã Cam Lộ"
    assert office.orgs.line(office.cam_lo).tier == "xã", "what a cell leaves empty stays"
    assert counts(take(office, "organisations", ORGS, *rows)) == (0, 0, 3)
    pasts = [len(office.orgs.past(line.id)) for line in office.orgs.lines()]
    assert pasts == [1, 1, 2, 1, 1], "only the one that changed has been something else"


def test_a_preview_tries_everything_without_keeping_others_from_writing(office):
    office.point("Cam Lộ", code="DC1")
    sheets = {
        "organisations": table(ORGS, ("CL", "Xã Cam Lộ", "xã", "DK"), ("HH", "Xã Hướng Hóa", "xã", "CL")),
        "points": table((*POINTS, "Hội trường"), ("DC1", "Cam Lộ", "Số 1", "", "", "", "", "", "", "Hội trường A (40)"),
                        ("DC2", "Đakrông", "", "30", "DK")),
        "equipment": table(SETS, ("TB1", "Bộ 1", "DC1", ""), ("TB2", "Bộ 2", "Cam Lộ", "mới")),
        "people": table((*PEOPLE, "Giờ dạy"), ("GV1", "Lê Thu Hà", "", "", "ha2", "", "120", "", "T2 08:00-10:00"),
                        ("GV2", "Hồ Văn Khiêm", "CL", "Giảng viên", "ha", "", "", "")),
    }  # fmt: skip
    with office.db.engine.connect().execution_options(sqlite_begin="IMMEDIATE") as other:  # who writes meanwhile
        other.execute(update(User).where(User.id == office.admin).values(phone="0233"))
        shown = {kind: office.registry.imports.preview(kind, sheet) for kind, sheet in sheets.items()}
        other.rollback()
    assert {kind: (counts(report), report.problems) for kind, report in shown.items()} == {
        "organisations": ((1, 1, 0), ()), "points": ((1, 1, 0), ()), "equipment": ((2, 0, 0), ()),
        "people": ((1, 1, 0), ()),  # the second takes the login that the first gives up
    }  # fmt: skip
    assert [line.code for line in office.equipment.lines()] == []
    assert office.people.line(office.lecturer).draft.login == "ha"
    for kind, sheet in sheets.items():
        assert office.registry.imports.take(kind, sheet, office.admin).taken == shown[kind].taken


def test_two_organisations_change_places(office):
    office.orgs.move(office.dakrong, office.cam_lo)
    rows = [("CL", "Xã Cam Lộ", "", "DK"), ("DK", "Xã Đakrông", "", "QT")]
    assert counts(take(office, "organisations", ORGS, *rows)) == (0, 2, 0)
    assert office.orgs.line(office.cam_lo).parent_id == office.dakrong


def test_what_is_wrong_with_organisations_is_told_by_row_and_column(office):
    office.orgs.abolish(office.dakrong, office.cam_lo)
    report = take(
        office,
        "organisations",
        ORGS,
        ("", "Không mã", "", ""),
        ("A", "", "", ""),
        ("B", "B", "", "Không có"),
        ("C", "C", "", "DK"),
        ("DK", "Xã Đakrông", "", ""),
        ("D", "D", "", "E"),
        ("E", "E", "", "D"),
        ("d", "D nữa", "", ""),
    )
    assert wrong(report) == [
        (2, "Mã đơn vị", "import.no_code"),
        (3, "Tên đơn vị", "import.no_name"),
        (4, "Đơn vị cấp trên", "import.unknown_org"),
        (5, "Đơn vị cấp trên", "import.abolished_org"),
        (6, "", "organisation.abolished"),
        (7, "Đơn vị cấp trên", "organisation.circle"),
        (8, "Đơn vị cấp trên", "organisation.circle"),
        (9, "Mã đơn vị", "import.repeated"),
    ]
    assert len(office.orgs.lines(abolished=True)) == 3, "nothing was written"


def test_points_come_in_and_keep_what_no_sheet_says(office):
    known = office.points.add(PointDraft("Đông Hà", office.province, code="DC1", halls=(HallDraft("A", 9),)))
    rows = [
        ("DC1", "Đông Hà", "1 Hùng Vương", "120", "Tỉnh Quảng Trị", "", "", "", ""),
        ("DC2", "Cam Lộ", "", "80.0", "xa cam lo", "Asia/Ho_Chi_Minh", "Hồ Nam", "912 345 678", "Nam@x.vn"),
    ]
    assert counts(take(office, "points", POINTS, *rows)) == (1, 1, 0)
    assert office.points.line(known).draft.halls == (HallDraft("A", 9),)
    new = office.points.lines()[0].draft
    assert (new.capacity, new.org_id, new.contact_phone, new.contact_email) == (
        80, office.cam_lo, "0912345678", "nam@x.vn",
    )  # fmt: skip
    assert counts(take(office, "points", POINTS, *rows)) == (0, 0, 2)


def test_what_is_wrong_with_points_is_told_by_row_and_column(office):
    report = take(
        office,
        "points",
        POINTS,
        ("1", "A", "", "nhiều", "QT"),
        ("2", "B", "", "", ""),
        ("3", "C", "", "", "Xã Lạ"),
        ("4", "D", "", "", "QT", "Asia/Hanoi"),
        ("5", "E", "", "", "QT", "", "", "12", "x"),
        ("6", "G", "", "", "QT"),
    )
    assert wrong(report) == [
        (2, "Số chỗ", "import.number"),
        (3, "Đơn vị", "import.no_org"),
        (4, "Đơn vị", "import.unknown_org"),
        (5, "", "lecture.unknown_zone"),
        (6, "Điện thoại", "import.phone"),
        (6, "Email", "import.email"),
    ]
    assert office.points.lines() == []


def test_equipment_comes_in_and_moves_unless_it_is_booked(office):
    main, other = office.point("Cam Lộ"), office.point("Đakrông", code="DC2")
    rows = [("TB1", "Bộ A", "Cam Lộ", "máy chiếu"), ("TB2", "Bộ B", "", "")]
    assert counts(take(office, "equipment", SETS, *rows)) == (2, 0, 0)
    assert counts(take(office, "equipment", SETS, *rows)) == (0, 0, 2)
    office.lecture(main, other)
    report = take(office, "equipment", SETS, ("TB1", "Bộ A", "DC2"), ("TB2", "Bộ B", "DC2"), ("TB3", "C", "Lạ"))
    assert wrong(report) == [(2, "Điểm cầu", "registry.booked"), (4, "Điểm cầu", "import.unknown_point")]
    assert counts(take(office, "equipment", SETS, ("TB2", "Bộ B", "DC2"))) == (0, 1, 0)


def test_people_come_in_without_a_password_and_keep_their_hours(office):
    rows = [
        ("GV1", "Lê Thu Hà", "Tỉnh Quảng Trị", "Giảng viên; Quản trị", "", "ha@x.vn", "200", "kiêm chức"),
        ("GV2", "Trần Văn Bình", "CL", "giảng viên", "Binh", "", "", "cơ hữu"),
        ("HV1", "Hồ Thị Mai", "DK", "", "", "", "", ""),
    ]
    assert counts(take(office, "people", PEOPLE, *rows)) == (2, 1, 0)
    ha = office.people.line(office.lecturer)
    assert (ha.draft.roles, ha.draft.login, ha.draft.email) == ({"lecturer", "admin"}, "ha", "ha@x.vn")
    assert (ha.draft.profile.hours_max, ha.draft.profile.employment, ha.may_sign_in) == (200, "part", True)
    found = {line.draft.name: line for line in office.people.find()}
    assert found["Trần Văn Bình"].draft.login == "binh"
    assert not found["Trần Văn Bình"].may_sign_in
    assert found["Hồ Thị Mai"].draft.roles == {"learner"}
    assert counts(take(office, "people", PEOPLE, *rows)) == (0, 0, 3)


def test_what_is_wrong_with_people_is_told_by_row_and_column(office):
    office.lecture(office.point("Cam Lộ"), office.point("Đakrông"))
    report = take(
        office,
        "people",
        PEOPLE,
        ("1", "A", "QT", "vua"),
        ("2", "B", "QT", "", "quantri"),
        ("3", "C", "QT", "", "có cách"),
        ("GV1", "Lê Thu Hà", "", "học viên"),
        ("5", "D", "QT", "", "", "", "", "đôi khi"),
        ("6", "E", "QT", "", "e"),
        ("7", "G", "QT", "", "E"),
    )
    assert wrong(report) == [
        (2, "Vai trò", "import.role"),
        (3, "Tên đăng nhập", "user.login_taken"),
        (4, "", "user.login"),
        (5, "", "registry.booked"),
        (6, "Hình thức", "import.employment"),
        (8, "Tên đăng nhập", "user.login_taken"),
    ]
    assert len(office.people.find()) == 2


@pytest.mark.parametrize(
    ("header", "rows", "codes"),
    [
        (("Tên",), [("A",)], ["import.no_code_column"]),
        (("Mã", "Màu"), [("A", "đỏ")], ["import.no_name_column"]),
        (("Mã", "Tên"), [], ["import.no_rows"]),
        (("Mã", "Mã số", "Tên"), [("A", "A", "A")], ["nomination.same_column"]),
        (("Mã", "Tên"), [("x" * 61, "A")], ["import.too_long"]),
    ],
)
def test_a_table_that_is_none_of_ours_is_refused(header, rows, codes):
    sheet = read_sheet("equipment", table(header, *rows))
    assert [problem.code for problem in sheet.problems] == codes
    assert sheet.lines == ()


def test_headings_that_nobody_understands_are_told():
    assert read_sheet("equipment", table(("Mã", "Tên", "Màu", "STT"), ("A", "B", "đỏ", "1"))).columns.unknown == (
        "Màu",
    )


def test_points_come_in_with_their_halls_and_operators(office):
    header = ("Mã", "Tên điểm cầu", "Đơn vị", "Hội trường", "Phụ trách kỹ thuật")
    take(office, "people", ("Mã", "Họ và tên", "Đơn vị", "Vai trò"), ("K1", "Lê Thị Hoa", "QT", "kỹ thuật"))
    row = ("P1", "Gio Linh", "QT", "Phòng 2 (40 chỗ); Hội trường A (120)", "le thi hoa; K1")
    assert counts(take(office, "points", header, row)) == (1, 0, 0)
    (line,) = [line for line in office.registry.points.lines() if line.draft.code == "P1"]
    assert line.draft.halls == (HallDraft("Hội trường A", 120), HallDraft("Phòng 2", 40))
    assert line.operators == ("Lê Thị Hoa",)
    assert counts(take(office, "points", header, row)) == (0, 0, 1)
    bad = [("P1", "Gio Linh", "QT", "Phòng rộng", ""), ("P2", "B", "QT", "", "Nguyễn Vô Danh")]
    assert wrong(take(office, "points", header, *bad)) == [
        (2, "Hội trường", "import.hall"), (3, "Phụ trách kỹ thuật", "import.unknown_person"),
    ]  # fmt: skip


def test_lecturers_come_in_with_their_topics_and_hours(office):
    courses = [
        office.schedules.add_course(title, office.province, topics=("Đạo đức",)) for title in ("Khóa A", "Khóa B")
    ]
    office.schedules.add_topic(courses[0].id, "Chuyển đổi số")
    header = ("Mã", "Họ và tên", "Đơn vị", "Vai trò", "Chuyên đề", "Giờ nhận dạy")
    row = ("GV9", "Trần Văn Bình", "QT", "giảng viên", "chuyen doi so; Khóa B: Đạo đức",
           "T2 07:30–11:30, 13h30-17h; Thứ Năm 08:00-10:00; CN: 8h-9h")  # fmt: skip
    assert counts(take(office, "people", header, row)) == (1, 0, 0)
    (line,) = [line for line in office.registry.people.find("GV9")]
    profile = office.registry.people.line(line.id).draft.profile
    assert len(profile.topic_ids) == 2
    assert [(w.weekday, w.starts_min, w.ends_min) for w in profile.windows] == [
        (0, 450, 690), (0, 810, 1020), (3, 480, 600), (6, 480, 540),
    ]  # fmt: skip
    assert counts(take(office, "people", header, row)) == (0, 0, 1)
    bad = [
        ("GV9", "Trần Văn Bình", "QT", "", "Đạo đức", ""),
        ("GV2", "Lê Văn Ba", "QT", "giảng viên", "Không có", ""),
        ("GV3", "Lê Văn Tư", "QT", "giảng viên", "", "sáng thứ hai"),
        ("GV4", "Lê Văn Sáu", "QT", "giảng viên", "", "T3 11:00-09:00"),
    ]
    assert wrong(take(office, "people", header, *bad)) == [
        (2, "Chuyên đề", "import.which_topic"), (3, "Chuyên đề", "import.unknown_topic"),
        (4, "Giờ nhận dạy", "import.weekday"), (5, "Giờ nhận dạy", "import.hours"),
    ]  # fmt: skip


def test_lines_of_a_cell_are_things_of_their_own():
    rows = table(
        ("Mã", "Tên", "Hội trường", "Phụ trách kỹ thuật"), ("1", "A", "Hội trường A (120)\nPhòng 2 (40)", "K1\nK2;")
    )
    (line,) = read_sheet("points", rows).lines
    assert line["halls"] == (HallDraft("Hội trường A", 120), HallDraft("Phòng 2", 40))
    assert line["operators"] == ("K1", "K2")
    rows = table(("Mã", "Tên", "Vai trò"), ("1", "A", "giảng viên\nhọc viên"))
    assert read_sheet("people", rows).lines[0]["roles"] == {"lecturer", "learner"}


@pytest.mark.parametrize(
    ("words", "number"),
    [("120", 120), ("120.0", 120), ("1.200", 1200), ("12 000", 12000), ("12.5", None), ("1,5", None), ("²", None)],
)
def test_seats_are_whole_numbers(words, number):
    sheet = read_sheet("points", table(("Mã", "Tên", "Số chỗ"), ("1", "A", words)))
    assert [line["capacity"] for line in sheet.lines] == ([] if number is None else [number])


@pytest.mark.parametrize(
    ("words", "windows"),
    [
        ("T2 07:30–11:30,\n13:30–17:00\nT3 8h-9h", [(0, 450), (0, 810), (1, 480)]),
        ("Thu 20:00–21:00; Thu 2:30–4:00", [(3, 150), (3, 1200)]),
        ("Thứ 2: 07:30–11:30; thứ 7 8h-9h", [(0, 450), (5, 480)]),
    ],
)
def test_days_and_hours_are_told_apart(office, words, windows):
    header = ("Mã", "Họ và tên", "Đơn vị", "Vai trò", "Giờ nhận dạy")
    take(office, "people", header, ("GV9", "Trần Văn Bình", "QT", "giảng viên", words))
    found = office.people.line(office.people.find("GV9")[0].id).draft.profile.windows
    assert [(window.weekday, window.starts_min) for window in found] == windows


# ---- what the page says of the columns, and the templates ----


@pytest.fixture(scope="module", params=["vi", "en"])
def say(request):
    """Return what translates; a word that is no sentence of ours stays, as it does with gettext."""
    words = {m.id: m.string for m in catalogue.load() if m.id} if request.param == "vi" else {}
    return lambda sentence: words.get(sentence) or sentence


@pytest.fixture
def furnished(office):
    """Return an office that has what the examples name."""
    course = office.schedules.add_course("Khóa A", office.province, topics=("Chuyển đổi số",))
    office.schedules.add_topic(course.id, "Đạo đức công vụ")
    unit = office.orgs.add(OrganisationDraft("Ủy ban nhân dân tỉnh An Giang", office.province, "VD-T01"))
    office.orgs.add(OrganisationDraft("Ủy ban nhân dân xã Ba Chúc", unit, "VD-X01"))
    for n, name in enumerate(("Trần Văn Bình", "Nguyễn Thị Hoa"), 1):
        office.people.add(office.person(name, "operator", code=f"VD-CB0{n}", org_id=unit), "")
    office.point("Điểm cầu tỉnh An Giang", code="VD-DC01")
    return office


def preview(office, kind, cells, say):
    """Show what a row of these cells would do, by the names of their columns."""
    titles = {column.name: say(column.title) for column in COLUMNS[kind]}
    return office.registry.imports.preview(kind, table(tuple(titles[name] for name in cells), tuple(cells.values())))


def needed(kind, *needs):
    return {column.name: column.examples[0] for column in COLUMNS[kind] if column.need in needs} | {"code": "MOI"}


@pytest.mark.parametrize("kind", list(COLUMNS))
def test_every_column_is_explained_and_its_examples_and_words_are_accepted(furnished, say, kind):
    for column in COLUMNS[kind]:
        assert say(column.hint).strip()
        for words in filter(None, (*column.examples, *column.choices)):
            cells = needed(kind, "always", "new") | {column.name: say(words)}
            report = preview(furnished, kind, cells, say)
            assert (report.problems, report.unknown_columns, len(report.taken)) == ((), (), 1), column.name


@pytest.mark.parametrize("kind", list(COLUMNS))
def test_a_column_is_needed_as_the_page_says(furnished, say, kind):
    new = needed(kind, "always", "new")
    for column in COLUMNS[kind]:
        told = preview(furnished, kind, {name: words for name, words in new.items() if name != column.name}, say)
        assert bool(told.problems) == (column.need != "never"), column.name
        if column.need == "new":
            known = needed(kind, "always") | {"code": {"points": "VD-DC01", "people": "VD-CB01"}[kind]}
            assert preview(furnished, kind, known, say).problems == ()


def test_the_page_names_the_days_that_the_import_knows(furnished, say):
    (column,) = [column for column in COLUMNS["people"] if column.name == "windows"]
    days = say(column.hint).rstrip(".").rpartition(": ")[2].split(", ")
    hours = "; ".join(f"{day} 08:00–10:00" for day in days)
    take(furnished, "people", ("Mã", "Họ và tên", "Đơn vị", "Vai trò", say("Weekly hours")),
         ("MOI", "Lê Văn Ba", "VD-T01", "giảng viên", hours))  # fmt: skip
    (line,) = furnished.people.find("MOI")
    windows = furnished.people.line(line.id).draft.profile.windows
    assert [window.weekday for window in windows] == list(range(7))


@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_the_templates_are_taken_as_they_are_one_after_the_other(office, say, form):
    course = office.schedules.add_course("Khóa A", office.province, topics=("Chuyển đổi số",))
    office.schedules.add_topic(course.id, "Đạo đức công vụ")
    for kind in ("organisations", "people", "points", "equipment"):  # each names what came before
        data = template_csv(kind, say) if form == "csv" else template_xlsx(kind, {}, say)
        sheet = read_table(data, f"{kind}.{form}")
        shown = office.registry.imports.preview(kind, sheet)
        assert (shown.problems, shown.unknown_columns, shown.count("added")) == ((), (), 2)
        assert office.registry.imports.take(kind, sheet, office.admin).imported
    point = next(line for line in office.points.lines() if line.draft.code == "VD-DC01")
    assert point.draft.halls == (HallDraft("Hội trường A", 120), HallDraft("Phòng họp 2", 40))
    assert len(point.operators) == 2
    person = office.people.line(office.people.find("VD-CB01")[0].id).draft
    assert (person.roles, person.phone, person.profile.hours_max) == ({"lecturer", "organiser"}, "0912345678", 120)
    assert [window.weekday for window in person.profile.windows] == [0, 0, 3]


def test_the_cells_of_a_workbook_are_text_or_whole_numbers_and_offer_what_there_is(say):
    book = load_workbook(io.BytesIO(template_xlsx("points", {"org": ["Tỉnh Quảng Trị", "=1+1"]}, say)))
    sheet, lists = book.worksheets
    places = {column.name: n for n, column in enumerate(COLUMNS["points"])}
    for cells in sheet.iter_rows(min_row=2):
        assert {cell.number_format for cell in cells} == {"@", "0"}
        assert isinstance(cells[places["capacity"]].value, int)
        assert isinstance(cells[places["contact_phone"]].value, str)
    assert [cell.value for cell in lists["A"]] == [say("Organisation"), "Tỉnh Quảng Trị", "'=1+1"]
    (choice,) = sheet.data_validations.dataValidation
    assert str(choice.sqref).startswith("E2:")


def test_a_csv_template_begins_with_a_byte_order_mark_and_has_nothing_that_spreadsheets_turn_into_dates(say):
    for kind in COLUMNS:
        data = template_csv(kind, say)
        assert data.startswith(b"\xef\xbb\xbf")
        for row in read_table(data, "mẫu.csv").rows:
            assert not [cell for cell in row.cells if cell[:1] in "=+-@" and cell]
            assert not [cell for cell in row.cells if cell[:1] == "0" and cell.isdigit()], "it would lose its zero"
            assert not [cell for cell in row.cells if re.fullmatch(r"\d+[-/.:]\d+.*", cell)]
