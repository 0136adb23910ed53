"""The registry and the blocks through their pages, as a clerk uses them."""

import html
import io
import re
from typing import Any

import pytest
from flask import Flask
from openpyxl import load_workbook

from schedules.registry.carry import pack, unpack
from schedules.sheets.limits import UPLOAD_MAX
from schedules.sheets.table import Row, Table, read_table
from tests.browsing import multipart, unread_body
from tests.builders import PASSWORD, School
from tests.fakes import FakeClock

Browser = Any


@pytest.fixture
def admin(login: Any, school: School) -> Browser:
    return login("quantri", PASSWORD)


@pytest.fixture
def organiser(login: Any, school: School) -> Browser:
    return login("tochuc", PASSWORD)


@pytest.fixture
def registry(app: Flask) -> Any:
    return app.extensions["registry"]


def text(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
    return str(answer.get_data(as_text=True))


def alerts(page: str) -> str:
    return " ".join(re.findall(r'role="alert">(.*?)</div>', page, re.DOTALL))


def test_the_overview_leads_everywhere(admin: Browser, school: School) -> None:
    page = text(admin.get("/registry"))
    for path in ("/registry/organisations", "/registry/points", "/registry/equipment", "/registry/people", "/blocks"):
        assert f'href="{path}"' in page
        text(admin.get(path))
    assert 'href="/registry" aria-current="page"' in page


def test_an_organiser_sees_the_tree_and_people_but_no_way_to_change_them(organiser: Browser, school: School) -> None:
    for path in ("organisations", "people"):
        page = text(organiser.get(f"/registry/{path}"))
        assert f"/registry/{path}/new" not in page
        assert f"/registry/import/{path}" not in page
    assert "/registry/points/new" in text(organiser.get("/registry/points"))


def test_an_organisation_is_added_renamed_and_abolished(
    admin: Browser, school: School, registry: Any, clock: FakeClock
) -> None:
    data = {"name": "Xã  Hướng Phùng", "parent": school.province, "code": "HP", "tier": "xã", "at": "2026-01-01"}
    assert admin.post("/registry/organisations/new", data=data).status_code == 303
    org = next(line for line in registry.organisations.lines() if line.code == "HP")
    assert (org.name, org.parent_id) == ("Xã Hướng Phùng", school.province)
    changed = {**data, "name": "Xã Hướng Phùng mới", "at": "2026-02-01"}
    assert admin.post(f"/registry/organisations/{org.id}", data=changed).status_code == 303
    assert "Xã Hướng Phùng mới" not in text(admin.get("/registry/organisations?day=2026-01-31"))
    assert "Xã Hướng Phùng mới" in text(admin.get("/registry/organisations"))
    assert "Xã Hướng Phùng mới" in text(admin.get("/registry/organisations?q=huong phung"))
    refused = admin.post(f"/registry/organisations/{org.id}", data={**data, "name": "Tên khác", "at": "2026-01-15"})
    page = text(refused, 409)
    assert "01/02/2026" in alerts(page)
    assert 'value="Tên khác"' in page
    end = {"successor": school.province, "move": "1", "at": "2026-03-01"}
    assert admin.post(f"/registry/organisations/{org.id}/abolish", data=end).status_code == 303
    assert "Xã Hướng Phùng mới" in text(admin.get(f"/registry/organisations/{org.id}"))


def test_an_organisation_with_parts_is_abolished_only_with_them(admin: Browser, school: School, registry: Any) -> None:
    path = f"/registry/organisations/{school.centre}/abolish"
    assert "Hướng Hóa" in alerts(text(admin.post(path, data={"successor": school.province}), 409))
    assert admin.post(path, data={"successor": school.province, "move": "1"}).status_code == 303
    assert {point.org_id for point in school.schedules.points()} == {school.province}


def test_the_same_day_takes_two_changes(admin: Browser, school: School, registry: Any, clock: FakeClock) -> None:
    for name in ("Tên một", "Tên hai"):
        clock.advance(minutes=1)
        data = {"name": name, "parent": school.province, "at": "2026-03-02"}
        assert admin.post(f"/registry/organisations/{school.centre}", data=data).status_code == 303
    assert registry.organisations.line(school.centre).name == "Tên hai"


def test_a_point_is_changed_and_a_wrong_form_keeps_what_was_typed(
    organiser: Browser, school: School, registry: Any
) -> None:
    data = {
        "name": "Hướng Hóa", "org": school.centre, "place": "Khe Sanh", "capacity": "90", "zone": "",
        "hall": ["Hội trường A", "Phòng 2", ""], "hall_seats": ["60", "ba mươi", ""],
        "contact_name": "Hồ Văn Nam", "operators": [school.operator.id],
    }  # fmt: skip
    page = text(organiser.post(f"/registry/points/{school.a.id}", data=data), 422)
    assert "ba mươi" in alerts(page)
    for typed in ('value="Khe Sanh"', 'value="Phòng 2"', 'value="Hồ Văn Nam"', f'value="{school.operator.id}" checked'):
        assert typed in page
    data["hall_seats"] = ["60", "30", ""]
    assert organiser.post(f"/registry/points/{school.a.id}", data=data).status_code == 303
    draft = registry.points.line(school.a.id).draft
    assert (draft.capacity, [(h.name, h.capacity) for h in draft.halls]) == (
        90, [("Hội trường A", 60), ("Phòng 2", 30)],
    )  # fmt: skip
    assert "Khe Sanh" in text(organiser.get("/registry/points?q=khe sanh"))
    assert "Khe Sanh" not in text(organiser.get("/registry/points?q=vinh linh"))


def test_a_point_that_a_lecture_needs_stays(organiser: Browser, school: School, clock: FakeClock) -> None:
    lecture = school.lecture(clock.advance(hours=1), title="Cải cách")
    path = f"/registry/points/{school.b.id}/retire"
    assert "Cải cách" in alerts(text(organiser.post(path), 409))
    school.schedules.cancel_lecture(lecture.id, school.organiser.id)
    assert organiser.post(path).status_code == 303
    assert "Đakrông" not in [point.name for point in school.schedules.points()]
    assert organiser.post(path, data={"back": "1"}).status_code == 303
    assert "Đakrông" in [point.name for point in school.schedules.points()]


def test_equipment_is_added_moved_and_retired(organiser: Browser, school: School, registry: Any) -> None:
    data = {"name": "Bộ lưu động", "point": "", "code": "TB9", "note": "2 micro"}
    assert organiser.post("/registry/equipment/new", data=data).status_code == 303
    one = next(line for line in registry.equipment.lines() if line.draft.code == "TB9")
    path = f"/registry/equipment/{one.id}"
    assert organiser.post(path, data={**data, "point": school.a.id}).status_code == 303
    assert registry.equipment.line(one.id).point_name == "Hướng Hóa"
    assert "Bộ lưu động" in text(organiser.get("/registry/equipment?q=huong hoa luu dong"))
    assert organiser.post(f"{path}/retire").status_code == 303
    assert alerts(text(organiser.post(path, data={**data, "name": ""}), 422)).strip()


def test_a_lecturer_is_added_and_signs_in_with_the_first_password(
    admin: Browser, school: School, registry: Any, login: Any
) -> None:
    data = {
        "name": "Phạm Đức Long", "org": school.province, "roles": ["lecturer"], "login": "Long", "password": "ngắn",
        "hours_max": "200", "employment": "part", "hours0": "7h30-11h30, 13:30–17:00",
        "topics": [school.course.topics[0].id],
    }  # fmt: skip
    page = text(admin.post("/registry/people/new", data=data), 422)
    assert "10" in alerts(page)
    assert "ngắn" not in page, "a password is never sent back"
    assert 'value="7h30-11h30, 13:30–17:00"' in page
    data["password"] = "một mật khẩu dài"
    assert admin.post("/registry/people/new", data=data).status_code == 303
    login("long", "một mật khẩu dài")
    line = registry.people.find("duc long")[0]
    assert [(w.starts_min, w.ends_min) for w in line.draft.profile.windows] == [(450, 690), (810, 1020)]
    page = text(admin.get(f"/registry/people/{line.id}"))
    assert 'value="07:30–11:30, 13:30–17:00"' in page
    assert "200" in page
    path = f"/registry/people/{line.id}/password"
    assert admin.post(path, data={"password": "mật khẩu mới hơn"}).status_code == 303
    login("long", "mật khẩu mới hơn")
    assert alerts(text(admin.post(path, data={"password": "x"}), 422)).strip()
    again = {**data, "hours0": "sáng"}
    assert "sáng" in alerts(text(admin.post(f"/registry/people/{line.id}", data=again), 422))


def test_somebody_who_leaves_is_signed_out(admin: Browser, school: School, login: Any, clock: FakeClock) -> None:
    theirs = login("giangvien2", PASSWORD)
    person = school.other_lecturer
    data = {"name": person.name, "org": person.org_id, "roles": ["lecturer"], "login": person.login}
    path = f"/registry/people/{person.id}"
    assert admin.post(path, data={**data, "last_day": "2026-03-01"}).status_code == 303
    assert theirs.get("/timetable").status_code == 302
    assert person.name not in text(admin.get("/registry/people?role=lecturer"))
    assert person.name in text(admin.get("/registry/people?role=lecturer&left=1"))


def sheet(words: str) -> dict[str, Any]:
    return {"sheet": (io.BytesIO(words.encode()), "danh-muc.csv")}


def test_a_sheet_is_shown_first_then_taken_then_known(admin: Browser, school: School, registry: Any) -> None:
    words = "Mã,Tên đơn vị,Đơn vị cấp trên\nA1,Xã Cam Lộ,Tỉnh Quảng Trị\nA2,Thôn Một,A1\n"
    page = text(admin.post("/registry/import/organisations", data=sheet(words)))
    assert "Thôn Một" in page
    assert len(registry.organisations.lines()) == 2, "nothing was written"
    packed = re.search(r'name="table" value="([^"]+)"', page)
    assert packed
    assert admin.post("/registry/import/organisations", data={"table": packed[1]}).status_code == 303
    assert [line.name for line in registry.organisations.lines()][1:3] == ["Trung tâm Chính trị Đông Hà", "Xã Cam Lộ"]
    assert len(registry.organisations.lines()) == 4
    assert 'name="table"' not in text(admin.post("/registry/import/organisations", data=sheet(words)))


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("kind", ["organisations", "points", "equipment", "people"])
def test_the_page_explains_the_columns_and_gives_a_sheet_to_fill_in(
    admin: Browser, school: School, kind: str, language: str
) -> None:
    admin.get(f"/language/{language}")
    page = html.unescape(text(admin.get(f"/registry/import/{kind}")))
    headers = set()
    for form in ("xlsx", "csv"):
        assert f'href="/registry/import/{kind}/template.{form}"' in page
        answer = admin.get(f"/registry/import/{kind}/template.{form}")
        assert answer.headers["Content-Disposition"] == f"attachment; filename={kind}.{form}"
        table = read_table(answer.data, f"{kind}.{form}")
        assert len(table.rows) == 2
        headers.add(table.header)
        shown = text(admin.post(f"/registry/import/{kind}", data={"sheet": (io.BytesIO(answer.data), f"a.{form}")}))
        assert "VD-" in shown, "its rows, or what they name and nobody has"
    (header,) = headers
    assert ("Mã" if language == "vi" else "ode") in header[0]
    for heading in header:
        assert f"<dt>{heading} <" in page


def test_a_workbook_to_fill_in_offers_what_the_registry_has(admin: Browser, school: School, registry: Any) -> None:
    book = load_workbook(io.BytesIO(admin.get("/registry/import/equipment/template.xlsx").data))
    offered = [cell.value for cell in book.worksheets[1]["A"]][1:]
    assert offered == [line.draft.name for line in registry.points.lines()]


def test_what_is_wrong_with_a_sheet_is_told_row_by_row(admin: Browser, school: School, registry: Any) -> None:
    words = "Mã,Tên điểm cầu,Đơn vị,Số chỗ,Màu\n1,A,Tỉnh Quảng Trị,nhiều,đỏ\n2,B,Xã Lạ,5,xanh\n"
    page = text(admin.post("/registry/import/points", data=sheet(words)))
    for said in ("nhiều", "Xã Lạ", "Số chỗ", "Màu"):
        assert said in page
    assert 'name="table"' not in page
    assert len(registry.points.lines()) == 3


@pytest.mark.parametrize("data", [{}, {"table": "AAAA"}, {"table": "ă"}, {"table": "eJwDAAAAAAE="}])
def test_an_import_of_nothing_is_answered_with_a_sentence(admin: Browser, data: dict[str, str]) -> None:
    assert alerts(text(admin.post("/registry/import/people", data=data), 422)).strip()


def test_a_sheet_of_more_than_a_megabyte_is_taken(admin: Browser, school: School) -> None:
    rows = "".join(f"TB{n},Bộ {n},,{'mô tả ' * 100}\n" for n in range(2000))
    # put together by hand: the client would leave a temporary file open for so much
    head = '--cut\r\nContent-Disposition: form-data; name="sheet"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n'
    body = f"{head}Mã,Tên,Điểm cầu,Ghi chú\n{rows}\r\n--cut--\r\n".encode()
    assert len(body) > 1_000_000
    kind = "multipart/form-data; boundary=cut"
    page = text(admin.post("/registry/import/equipment", data=body, content_type=kind))
    assert 'name="table"' in page


def test_a_packed_table_is_the_same_table() -> None:
    table = Table(("Mã", "Tên"), (Row(2, ("1", "Xã\nCam Lộ")), Row(9, ("", "<b>"))))
    assert unpack(pack(table)) == table


def test_a_block_is_made_refused_over_a_lecture_and_lifted(
    organiser: Browser, school: School, clock: FakeClock
) -> None:
    school.lecture(clock.advance(hours=1), title="Cải cách")
    data = {
        "resource": f"point:{school.a.id}", "starts_at": "2026-03-02T08:00", "ends_at": "2026-03-03T08:00",
        "reason": "Sửa mái",
    }  # fmt: skip
    page = text(organiser.post("/blocks", data=data), 409)
    assert "Cải cách" in alerts(page)
    assert 'value="Sửa mái"' in page
    for change in ({"resource": ""}, {"starts_at": "mai"}, {"reason": " "}, {"ends_at": "2026-03-01T08:00"}):
        assert alerts(text(organiser.post("/blocks", data=data | change), 422)).strip()
    for kind, of_id in (("lecturer", school.other_lecturer.id), ("equipment", school.schedules.equipment()[0].id)):
        later = {"resource": f"{kind}:{of_id}", "starts_at": "2026-03-09T08:00", "ends_at": "2026-03-10T08:00"}
        assert organiser.post("/blocks", data=data | later).status_code == 303
    page = text(organiser.get("/blocks"))
    assert page.count("Sửa mái") == 2
    assert "Sửa mái" not in text(organiser.get("/blocks?from=2026-04-01&until=2026-04-30"))
    lift = re.findall(r'action="(/blocks/[^"]+/lift)"', page)[0]
    assert organiser.post(lift).status_code == 303
    assert text(organiser.get("/blocks")).count("Sửa mái") == 1
    assert alerts(text(organiser.get("/blocks?from=mai"), 422)).strip()


def test_sixty_four_points_and_a_hundred_lecturers_fit_on_a_page(
    organiser: Browser, school: School, registry: Any
) -> None:
    from tests.builders import make_point, make_user

    for n in range(64):
        make_point(school.schedules, f"Điểm cầu {n}", school.centre)
    for n in range(100):
        make_user(school.schedules, f"gv{n}", school.province, "lecturer", name=f"Nguyễn Văn {n}")
    assert text(organiser.get("/registry/points")).count('scope="row"') == 67
    assert text(organiser.get("/registry/people?role=lecturer")).count('scope="row"') == 102


def test_a_sheet_over_the_limit_is_refused_with_the_page_of_the_import(admin: Browser, organiser: Browser) -> None:
    sheet = {"sheet": (io.BytesIO(b"x" * (UPLOAD_MAX + 1)), "đơn vị.csv")}
    page = text(admin.post("/registry/import/people", **multipart(sheet)), 422)
    assert "10 MB" in alerts(page)
    huge = unread_body(200_000_000)
    page = text(admin.post("/registry/import/people", **huge), 413)
    assert "10 MB" in alerts(page)
    assert 'name="sheet"' in page
    refused = organiser.post("/registry/import/people", **unread_body(5_000_000))
    assert refused.status_code == 403


def test_a_sheet_is_read_where_it_stops_nobody(admin: Browser, app: Flask, school: School) -> None:
    elsewhere: list[Any] = []

    def offload(function: Any, *args: Any) -> Any:
        elsewhere.append(function)
        return function(*args)

    app.extensions["offload"] = offload
    sheet = {"sheet": (io.BytesIO("Mã đơn vị,Tên đơn vị\nXM,Xã mới\n".encode()), "đơn vị.csv")}
    text(admin.post("/registry/import/organisations", data=sheet, content_type="multipart/form-data"))
    assert read_table in elsewhere
