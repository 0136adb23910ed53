import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.rosters.nominations import Nomination, heading_key, read_nominations
from schedules.sheets.table import Row, Table


def table(header, *rows):
    """A table whose first row below the header is number 2."""
    return Table(tuple(header), tuple(Row(n, tuple(cells)) for n, cells in enumerate(rows, 2)))


def problems(*args):
    return [(p.row, p.column, p.code) for p in read_nominations(table(*args)).problems]


VIETNAMESE = ("STT", "Họ và tên", "Mã cán bộ", "Chức vụ", "Email", "Điện thoại", "Điểm cầu", "Đơn vị")
ENGLISH = ("No.", "Full name", "Staff code", "Position", "E-mail", "Phone", "Bridge point", "Organisation")
ROW = ("1", "Nguyễn Văn Bình", "CB01", "Chuyên viên", "Binh@Example.vn", "0912 345.678", "Cam Lộ", "Xã Cam Lộ")
BINH = Nomination(2, "Nguyễn Văn Bình", "CB01", "Chuyên viên", "binh@example.vn", "0912345678", "Cam Lộ", "Xã Cam Lộ")


@pytest.mark.parametrize(
    "header",
    [
        VIETNAMESE,
        ENGLISH,
        tuple(heading.upper() for heading in VIETNAMESE),
        ("tt", "ho ten", "ma so", "chuc vu", "thu dien tu", "SĐT", "diem cau", "don vi cong tac"),
        ("Số TT", "Họ, tên (*)", "Mã CB:", "Chức vụ / chức danh", "Hộp thư", "Di động", "Điểm học", "Cơ quan (xã)"),
    ],
)
def test_headings_in_both_languages_with_and_without_marks(header):
    sheet = read_nominations(table(header, ROW))
    assert sheet.problems == ()
    assert sheet.nominations == (BINH,)
    assert sheet.columns.unknown == ()


def test_headings_are_compared_without_marks_signs_and_brackets():
    assert heading_key(" Họ  và tên (*) :") == "ho va ten"
    assert heading_key("E-mail") == "e mail"


def test_family_and_given_names_in_two_columns_are_put_together():
    sheet = read_nominations(table(("Họ và tên đệm", "Tên"), ("Nguyễn Văn", "Bình")))
    assert sheet.nominations == (Nomination(2, "Nguyễn Văn Bình"),)


def test_headings_that_nobody_understood_are_told():
    sheet = read_nominations(table(("Họ tên", "Quê quán", "Ghi chú", ""), ("Lê Hoa", "Huế", "x", "")))
    assert sheet.columns.unknown == ("Quê quán",)
    assert len(sheet.nominations) == 1


def test_a_table_without_names_and_a_heading_that_comes_twice_in_other_words():
    assert problems(("Mã", "Email"), ("1", "")) == [(0, "", "nomination.no_name_column")]
    assert problems(("Họ tên", "SĐT", "Điện thoại"), ("a", "", "")) == [(0, "Điện thoại", "nomination.same_column")]


def test_a_sheet_with_a_header_only():
    assert problems(("Họ tên",)) == [(0, "", "nomination.no_rows")]


@pytest.mark.parametrize(
    ("cells", "column", "code"),
    [
        (("", "1", "", ""), "Họ tên", "no_name"),
        (("12", "1", "", ""), "Họ tên", "not_a_name"),
        (("x" * 201, "1", "", ""), "Họ tên", "too_long"),
        (("Lê Hoa", "1" * 61, "", ""), "Mã", "too_long"),
        (("Lê Hoa", "1", "hoa@", ""), "Email", "email"),
        (("Lê Hoa", "1", "a@b.vn, c@d.vn", ""), "Email", "email"),
        (("Lê Hoa", "1", "", "không có"), "Điện thoại", "phone"),
        (("Lê Hoa", "1", "", "123"), "Điện thoại", "phone"),
    ],
)
def test_what_is_wrong_is_told_by_row_and_column(cells, column, code):
    header = ("Họ tên", "Mã", "Email", "Điện thoại")
    good = ("Trần Bình", "2", "b@x.vn", "0912345678")
    assert problems(header, good, cells) == [(3, column, f"nomination.{code}")]


def test_every_problem_of_every_row_is_told():
    header = ("Họ tên", "Email", "Điện thoại")
    assert problems(header, ("", "x", "y"), ("Lê Hoa", "", ""), ("1", "", "")) == [
        (2, "Họ tên", "nomination.no_name"),
        (2, "Email", "nomination.email"),
        (2, "Điện thoại", "nomination.phone"),
        (4, "Họ tên", "nomination.not_a_name"),
    ]


@pytest.mark.parametrize(
    ("written", "phone"),
    [("+84 912 345 678", "+84912345678"), ("(0233) 3-852-123", "02333852123"), ("912345678", "0912345678")],
)
def test_phone_numbers_are_kept_as_digits_with_the_zero_that_a_spreadsheet_lost(written, phone):
    assert read_nominations(table(("Họ tên", "SĐT"), ("Lê Hoa", written))).nominations[0].phone == phone


@pytest.mark.parametrize(
    ("first", "second", "column"),
    [
        (("Lê Hoa", "cb1", ""), ("Lê Thị Hoa", "CB1", ""), "Mã"),
        (("Lê Hoa", "1", "A@x.vn"), ("Lê Hoa", "2", "a@X.vn"), "Email"),
        (("Lê Hoa", "", ""), ("LÊ HOA", "", ""), "Họ tên"),
    ],
)
def test_the_same_person_twice_is_told_with_both_rows(first, second, column):
    header = ("Họ tên", "Mã", "Email")
    found = read_nominations(table(header, first, ("Trần Bình", "9", "b@x.vn"), second)).problems
    assert [(p.row, p.column, p.code) for p in found] == [(4, column, "nomination.repeated")]
    assert (found[0].params["first"], found[0].params["second"]) == (2, 4)
    assert found[0].message % found[0].params


def test_two_people_of_one_name_are_two_people_with_codes_or_in_two_organisations():
    assert problems(("Họ tên", "Mã"), ("Lê Hoa", "1"), ("Lê Hoa", "2")) == []
    assert problems(("Họ tên", "Đơn vị"), ("Lê Hoa", "Xã A"), ("Lê Hoa", "Xã B")) == []


CELLS = st.lists(st.text(max_size=30), min_size=4, max_size=4)


@settings(deadline=None)
@given(st.lists(CELLS, max_size=5))
def test_whatever_is_in_the_cells_each_row_is_good_or_told(rows):
    sheet = read_nominations(table(("Họ tên", "Mã", "Email", "SĐT"), *rows))
    told = {p.row for p in sheet.problems}
    assert {n.row for n in sheet.nominations} | told >= {row for row in range(2, len(rows) + 2)}
    assert all(p.message % p.params for p in sheet.problems)
