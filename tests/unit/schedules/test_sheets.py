import io
import struct
import unicodedata
import zipfile
from datetime import date, datetime, time

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import AppError, Invalid
from schedules.sheets import limits
from schedules.sheets.legacy import encoding_of_bytes, legacy_encoding
from schedules.sheets.syllables import is_syllable
from schedules.sheets.table import Row, Table, read_table

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def book(*rows, **cells):
    """An .xlsx with these rows from the top, then single cells such as B7=3."""
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    for place, value in cells.items():
        made.active[place] = value
    return saved(made)


def saved(made):
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def changed(data, **parts):
    """The same archive with some parts' text changed by functions; sheet1 stands for the first worksheet."""
    names = {"sheet1": "xl/worksheets/sheet1.xml", "workbook": "xl/workbook.xml"}
    wanted = {names[short]: change for short, change in parts.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            content = old.read(part)
            if part.filename in wanted:
                content = wanted[part.filename](content.decode()).encode()
            new.writestr(part.filename, content)
    return out.getvalue()


def refused(data, name="danh sách.xlsx"):
    with pytest.raises(Invalid) as caught:
        read_table(data, name)
    str(caught.value)  # every place of the sentence has a value
    return caught.value


def code(data):
    return refused(data).code


PEOPLE = book(["Họ và tên", "Mã cán bộ"], ["Nguyễn Văn Bình", "007"], ["Lê Thị Hoa", 12.0])


def test_a_workbook_is_read_with_the_numbers_of_its_rows():
    table = read_table(PEOPLE, "x")
    assert table == Table(
        ("Họ và tên", "Mã cán bộ"), (Row(2, ("Nguyễn Văn Bình", "007")), Row(3, ("Lê Thị Hoa", "12")))
    )


def test_the_name_of_the_file_decides_nothing():
    assert read_table(PEOPLE, "x.csv") == read_table(PEOPLE, "x.xlsx")
    assert read_table(b"a,b\n1,2", "x.xlsx").rows == (Row(2, ("1", "2")),)


def test_blank_rows_are_left_out_and_keep_their_numbers():
    table = read_table(book(["a", "b"], A4="x", B9="y"), "x")
    assert table.rows == (Row(4, ("x", "")), Row(9, ("", "y")))


def test_titles_above_the_header_are_skipped_even_merged_ones():
    made = openpyxl.Workbook()
    sheet = made.active
    for row in (["UBND TỈNH", None, "CỘNG HÒA"], [], ["DANH SÁCH"], ["STT", "Họ tên", "Mã", "Email"], [1, "Lê Hoa"]):
        sheet.append(row)
    sheet.append([2, "Trần Bình"])
    sheet.merge_cells("A3:D3")
    table = read_table(saved(made), "x")
    assert table.header == ("STT", "Họ tên", "Mã", "Email")
    assert [row.number for row in table.rows] == [5, 6]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.0, "12"),
        (0.5, "0.5"),
        (-3, "-3"),
        (84912345678, "84912345678"),
        ("0012345678901234567890", "0012345678901234567890"),
        (True, "TRUE"),
        (date(2026, 3, 2), "2026-03-02"),
        (datetime(2026, 3, 2, 7, 30), "2026-03-02T07:30:00"),
        (time(7, 30), "07:30:00"),
        ("  Lê \u00a0 Thị\tHoa\u200b ", "Lê Thị Hoa"),
        ("a_x0000_b_x000D_", "ab"),
        ("@SUM(A1)", "@SUM(A1)"),
        ("-1+2", "-1+2"),
        ("Le\u0302\u0323", "Lệ"),
    ],
)
def test_a_value_becomes_the_text_that_people_see(value, text):
    assert read_table(book(["a", "b"], ["x", value]), "x").rows[0].cells[1] == text


def test_leading_zeros_that_only_the_number_format_shows_are_kept():
    made = openpyxl.Workbook()
    made.active.append(["a", "b"])
    made.active.append(["x", 42])
    made.active["B2"].number_format = "000000"
    assert read_table(saved(made), "x").rows[0].cells == ("x", "000042")


def test_the_first_visible_sheet_with_anything_in_it_is_read():
    made = openpyxl.Workbook()
    made.active.append(["ẩn"])
    made.active.sheet_state = "hidden"
    made.create_sheet("trống")
    made.create_sheet("đây").append(["a", "b"])
    assert read_table(saved(made), "x").header == ("a", "b")


def test_a_formula_with_a_result_is_its_result_and_one_without_is_reported():
    data = book(["a", "b"], ["x", "=1+1"])
    error = refused(data)
    assert (error.code, error.params) == ("sheet.formula", {"row": 2, "column": "B"})
    with_result = changed(data, sheet1=lambda xml: xml.replace("<v></v>", "<v>2</v>").replace("<v />", "<v>2</v>"))
    assert read_table(with_result, "x").rows[0].cells == ("x", "2")


def test_a_formula_as_text_in_csv_is_data():
    assert read_table(b'a,b\n=1+1,"@x"', "x").rows[0].cells == ("=1+1", "@x")


def test_an_error_value_is_reported_with_its_place():
    error = refused(book(["a", "b"], ["x", "#N/A"]))
    assert (error.code, error.params) == ("sheet.cell_error", {"row": 2, "column": "B", "value": "#N/A"})


def test_merged_cells_in_the_data_are_named():
    made = openpyxl.Workbook()
    for row in (["a", "b"], ["x", "y"], ["x", "y"]):
        made.active.append(row)
    made.active.merge_cells("B2:B3")
    assert refused(saved(made)).params == {"range": "B2:B3"}


def test_merged_cells_below_the_data_are_nobody_s_business():
    made = openpyxl.Workbook()
    made.active.append(["a", "b"])
    made.active.append(["x", "y"])
    made.active.merge_cells("A9:B9")
    assert len(read_table(saved(made), "x").rows) == 1


def test_the_same_heading_twice_is_refused():
    error = refused("Họ tên,Mã,HỌ  TÊN\na,b,c".encode())
    assert (error.code, error.params["first"], error.params["second"]) == ("sheet.same_heading", "A", "C")


def test_a_cell_without_a_heading_is_refused():
    error = refused(b"a,b,c\n1,2,3\n1,2,3,4")
    assert (error.code, error.params) == ("sheet.no_heading", {"row": 3, "column": "D"})


# ---- text ----

LINE = "Họ và tên,Ghi chú\nNguyễn Văn Bình,Trưởng phòng\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_csv_in_the_encodings_and_with_the_signs_that_programs_write(encoding, delimiter, ends):
    data = LINE.replace(",", delimiter).replace("\n", ends).encode(encoding)
    table = read_table(data, "x")
    assert table.header == ("Họ và tên", "Ghi chú")
    assert table.rows == (Row(2, ("Nguyễn Văn Bình", "Trưởng phòng")),)


def in_1258(text):
    """Letters that Windows-1258 has, the others with their tone after them, as it writes them."""
    out = b""
    for letter in text:
        try:
            out += letter.encode("cp1258")
        except UnicodeEncodeError:
            marks = unicodedata.normalize("NFD", letter)
            tone = next(mark for mark in marks if mark in "\u0300\u0301\u0303\u0309\u0323")
            out += (unicodedata.normalize("NFC", marks.replace(tone, "")) + tone).encode("cp1258")
    return out


def test_windows_1258_is_read():
    assert read_table(in_1258(LINE), "x").rows[0].cells == ("Nguyễn Văn Bình", "Trưởng phòng")


def test_cells_with_commas_quotes_and_line_ends():
    table = read_table(b'a,b\n"x, ""y""","1\r\n2"\n\nz,\n', "x")
    assert table.rows == (Row(2, ('x, "y"', "1\n2")), Row(4, ("z", "")))


def test_a_decimal_comma_does_not_hide_the_semicolon():
    assert read_table(b"a;b\n1,5;2,5\n3,5;4,5", "x").rows[0].cells == ("1,5", "2,5")


def test_the_line_that_names_the_sign_is_not_a_row():
    assert read_table(b"sep=;\r\na;b\r\n1;2", "x").rows == (Row(2, ("1", "2")),)


def test_nul_and_control_characters_are_cleaned():
    assert read_table(b"aaaaaaaaaaaaaaaaaaaaaaaa,b\nx\0y\x07,\x1bz\n", "x").rows[0].cells == ("xy", "z")


def test_a_quotation_mark_without_end_is_named():
    error = refused(b'a,b\n1,2\n"3,4\n5,6\n')
    assert (error.code, error.params) == ("sheet.csv_broken", {"row": 3})


# ---- old encodings ----


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("NguyÔn V¨n B×nh", "TCVN3 (ABC)"),
        ("Hå S¬", "TCVN3 (ABC)"),
        ("T©m", "TCVN3 (ABC)"),
        ("Tr­ëng phßng", "TCVN3 (ABC)"),
        ("§inh ThÞ H­¬ng", "TCVN3 (ABC)"),
        ("Nguyeãn Vaên Bình", "VNI"),
        ("NGUYEÃN THÒ HAÏNH", "VNI"),
        ("Tröôûng phoøng", "VNI"),
        ("Ñoàng Höôùng", "VNI"),
        ("Nguyễn Văn Bình", None),
        ("Hà Tĩnh", None),
        ("Hoàng Thuỷ Chí Công", None),
        ("Hồ A Păng, Đakrông", None),
        ("Niê H'Bía Krông", None),
        ("José Müller", None),
        ("Loïc Noël", None),
        ("5 m² © 2026 · 20°C", None),
        ("Nguyen Van Binh", None),
        ("", None),
    ],
)
def test_old_encodings_are_told_from_unicode(text, encoding):
    assert legacy_encoding(text) == encoding


@pytest.mark.parametrize("make", [lambda rows: book(*rows), lambda rows: "\n".join(map(",".join, rows)).encode()])
@pytest.mark.parametrize(("name", "encoding"), [("NguyÔn V¨n B×nh", "TCVN3 (ABC)"), ("Leâ Thò Hoaøi", "VNI")])
def test_a_cell_in_an_old_encoding_is_refused_by_its_place(make, name, encoding):
    error = refused(make([["Mã", "Họ và tên"], ["1", "Lê Thị Hoa"], ["2", name]]))
    assert error.code == "sheet.legacy_encoding"
    assert error.params == {"row": 3, "column": "B", "encoding": encoding}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("M·,Hä vµ tªn\n1,Lª V¨n C¶nh\n", "TCVN3 (ABC)"), ("Maõ,Hoï vaø teân\n1,Leâ Vaên Caûnh\n", "VNI")],
)
def test_a_file_of_one_byte_a_letter_in_an_old_encoding(text, encoding):
    error = refused(text.encode("latin-1"))
    assert (error.code, error.params["encoding"]) == ("sheet.legacy_encoding", encoding)


def test_single_words_in_many_cells_tell_it_together():
    error = refused("Ten,Ma\nHå,1\nVâ,2\nKhæng,3\n".encode())
    assert error.code == "sheet.legacy_encoding"


VIETNAMESE = st.text("aăâeêioôơuưyđhnbtgclmr àáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ")


@settings(deadline=None)
@given(VIETNAMESE.map(lambda text: " ".join(word for word in text.split() if is_syllable(word))))
def test_vietnamese_in_unicode_is_never_taken_for_an_old_encoding(text):
    assert legacy_encoding(text) is None
    assert legacy_encoding(text.upper()) is None


def test_words_of_windows_1258_are_not_taken_for_old_ones():
    assert encoding_of_bytes(in_1258("Lê Văn Hoà, Trần Thị Hà")) is None


# ---- limits and hostile files ----


def test_an_upload_that_is_too_large_is_not_looked_at():
    assert code(b"a" * (limits.UPLOAD_MAX + 1)) == "sheet.too_large"


def test_too_many_rows_and_too_many_columns():
    fits = b"a,b\n" + b"1,2\n" * limits.ROWS_MAX
    assert len(read_table(fits, "x").rows) == limits.ROWS_MAX
    assert code(fits + b"1,2\n") == "sheet.too_many_rows"
    wide = [f"c{n}" for n in range(limits.COLUMNS_MAX)]
    assert len(read_table(book(wide), "x").header) == limits.COLUMNS_MAX
    assert code(book([*wide, "more"])) == "sheet.too_many_columns"
    assert code(",".join([*wide, "more"]).encode()) == "sheet.too_many_columns"


def test_a_file_of_blank_lines_or_of_commas_is_given_up_early():
    assert code(b"a\n" + b"\n" * limits.LAST_ROW) == "sheet.too_many_rows"
    assert code(b"\xe1," * 1_000_000) == "sheet.too_many_columns"


def test_too_many_rows_in_a_workbook():
    made = openpyxl.Workbook(write_only=True)
    sheet = made.create_sheet()
    for _ in range(limits.ROWS_MAX + 2):
        sheet.append(["a"])
    assert code(saved(made)) == "sheet.too_many_rows"


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n",
        b"\x89PNG\r\n\x1a\n",
        b"<html><table><tr><td>1</td></tr></table></html>",
        b"\xef\xbb\xbf <?xml version='1.0'?><Workbook/>",
        b"{\\rtf1 x}",
        "a,b\n1,2\n".encode("utf-16-le"),
    ],
)
def test_other_kinds_of_files_are_named_as_such(data):
    assert code(data) == "sheet.not_a_table"


def test_an_archive_that_is_no_workbook():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    assert code(out.getvalue()) == "sheet.not_a_table"


def test_old_excel_and_encrypted_files_get_their_own_sentence():
    error = refused(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "cũ.xls")
    assert (error.code, error.params) == ("sheet.old_excel", {"filename": "cũ.xls"})


@pytest.mark.parametrize("data", [b"", b"\n\n", b" , \n", book()])
def test_a_table_with_nothing_in_it(data):
    assert code(data) == "sheet.empty"


def with_part(name, content, data=PEOPLE):
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def test_a_bomb_is_refused_by_its_directory():
    assert code(with_part("xl/media/image1.png", bytes(3 * 1024**2))) == "sheet.bomb"  # 1000:1
    assert code(with_part("xl/theme/more.xml", struct.pack(">I", 7) * (3 * 1024**2))) == "sheet.bomb"  # 12 MB


def test_a_bomb_whose_directory_lies_is_refused_by_what_it_unfolds_to():
    bomb = bytearray(with_part("xl/media/a.png", bytes(3 * 1024**2)))
    entry = bomb.rfind(b"PK\x01\x02")
    bomb[entry + 24 : entry + 28] = struct.pack("<I", 1000)  # its size unfolded, as the directory has it
    assert code(bytes(bomb)) == "sheet.unreadable"


def test_an_encrypted_part_and_a_part_that_comes_twice():
    locked = bytearray(PEOPLE)
    entry = locked.rfind(b"PK\x01\x02")
    locked[entry + 8] |= 1
    assert code(bytes(locked)) == "sheet.unreadable"
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = with_part("xl/workbook.xml", "<workbook/>")
    assert code(twice) == "sheet.unreadable"


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize("part", ["sheet1", "workbook"])
def test_entities_are_refused_wherever_they_are(part):
    data = changed(PEOPLE, **{part: lambda xml: LAUGHS + xml[xml.find("<", xml.find("?>") + 1) :]})
    assert code(data) == "sheet.entities"


def test_entities_are_found_in_utf_16_too():
    text = '<?xml version="1.0" encoding="utf-16"?>' + LAUGHS + f'<sst xmlns="{MAIN}"><si><t>&b;</t></si></sst>'
    assert code(with_part("xl/other.xml", text.encode("utf-16"))) == "sheet.entities"


def test_the_library_parses_with_defused_xml():
    assert openpyxl.DEFUSEDXML


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<row r="3"', '<row r="99999999999"'),
        ('<row r="3"', '<row r="1"'),
        ('<row r="3"', '<row r="x"'),
        ('r="A3"', 'r="ZZZ3"'),
        ('r="A3"', 'r="A2"'),
        ("</sheetData>", "</sheetData><mergeCells><mergeCell ref='?'/></mergeCells>"),
        ("</worksheet>", ""),
    ],
)
def test_a_worksheet_that_contradicts_itself_is_refused(old, new):
    assert f"{old}" in zipfile.ZipFile(io.BytesIO(PEOPLE)).read("xl/worksheets/sheet1.xml").decode()
    assert code(changed(PEOPLE, sheet1=lambda xml: xml.replace(old, new))) == "sheet.unreadable"


def test_what_a_file_says_of_its_own_size_is_not_believed():
    data = changed(PEOPLE, sheet1=lambda xml: xml.replace('<dimension ref="A1:B3"', '<dimension ref="A1"'))
    assert len(read_table(data, "x").rows) == 2


def only_app_errors(data):
    try:
        table = read_table(data, "x")
    except AppError as error:
        assert str(error)
    else:
        assert all(len(row.cells) == len(table.header) for row in table.rows)
        "".join(cell for row in table.rows for cell in row.cells).encode()


@settings(deadline=None)
@given(st.binary(max_size=2000), st.sampled_from([b"", b"PK\x03\x04", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"]))
def test_only_app_errors_leave_on_any_bytes(data, start):
    only_app_errors(start + data)


@settings(deadline=None)
@given(st.text(max_size=500))
def test_only_app_errors_leave_on_any_text(text):
    only_app_errors(text.encode("utf-8", "surrogatepass"))


MUTATIONS = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(MUTATIONS, st.integers(0, 1 << 16))
def test_only_app_errors_leave_on_a_damaged_workbook(mutations, length):
    data = bytearray(PEOPLE)
    for place, value in mutations:
        data[place % len(data)] = value
    only_app_errors(bytes(data[: len(data) - length % 50]))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(MUTATIONS, st.integers(0, 20))
def test_only_app_errors_leave_on_damaged_xml_in_a_sound_archive(mutations, which):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(PEOPLE)) as old, zipfile.ZipFile(out, "w") as new:
        parts = old.infolist()
        for n, part in enumerate(parts):
            content = bytearray(old.read(part))
            if n == which % len(parts):
                for place, value in mutations:
                    content[place % len(content)] = value
            new.writestr(part.filename, bytes(content))
    only_app_errors(out.getvalue())
