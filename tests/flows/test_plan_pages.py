"""Lesson plans by their pages, and the gate before going live, through the whole app."""

import gc
import io
from dataclasses import replace
from datetime import timedelta

import pytest

from core.errors import Conflict
from schedules.plans.files import MEGABYTE
from tests.builders import PASSWORD
from tests.unit.schedules.plan_files import office, pdf


@pytest.fixture
def config(config):
    return replace(config, plan_required=True)


class Pages:
    """The plan of one lecture as different people see it."""

    def __init__(self, app, school, login, clock):
        self.services, self.school, self.login, self.browsers = app.extensions["services"], school, login, {}
        self.lecture = school.lecture(clock.now() + timedelta(hours=1)).id
        self.url = f"/lectures/{self.lecture}/plan"

    def __call__(self, who):
        if who not in self.browsers:
            self.browsers[who] = self.login(who, PASSWORD)
            self.browsers[who].get("/language/en")
        return self.browsers[who]

    def text(self, who, url=None):
        answer = self(who).get(url or self.url)
        assert answer.status_code == 200
        return answer.get_data(as_text=True)

    def upload(self, who="giangvien", *files):
        sent = [(io.BytesIO(content), name) for content, name in files or [(pdf(), "Bài giảng.pdf")]]
        return self(who).post(f"{self.url}/files", data={"files": sent}, content_type="multipart/form-data")

    def step(self, who, name, **data):
        return self(who).post(f"{self.url}/{name}", data=data)

    @property
    def plan(self):
        return self.services.plans.plan(self.lecture)


@pytest.fixture
def pages(app, school, login, clock, monkeypatch):
    monkeypatch.setattr("schedules.plans.convert.PROGRAM", "no-such-office")  # also where one is installed
    return Pages(app, school, login, clock)


def test_a_plan_goes_from_upload_to_approval_by_its_pages(pages):
    assert "Nothing has been uploaded yet" in pages.text("giangvien")
    assert pages.upload("giangvien", (pdf(2), "Bài giảng.pdf"), (office(), "Phụ lục.pptx")).status_code == 303
    text = pages.text("giangvien")
    assert "Bài giảng.pdf" in text and "2 pages" in text and "No PDF: there is no converter" in text
    assert pages.step("giangvien", "submit", words="Mời xem.").status_code == 303
    text = pages.text("giangvien")
    assert "Waits for review" in text and "Withdraw to change it" in text and "/plan/approve" not in text
    assert "/plan/approve" in pages.text("tochuc")
    assert pages.step("tochuc", "return", version=1, words="Thiếu phần kết.").status_code == 303
    text = pages.text("giangvien")
    assert "Returned for changes" in text and "Thiếu phần kết." in text and "Mời xem." in text
    pages.upload("giangvien", (pdf(3), "Bài giảng.pdf"))
    pages.step("giangvien", "submit")
    assert pages.step("quantri", "approve", version=2).status_code == 303
    text = pages.text("dusat")
    assert "Yes. Approved by Quantri" in text and "Version 2" in text and "Earlier versions" in text
    assert "<form" not in text.split('id="main"')[1], "who only watches is offered nothing to do"


def test_a_refusal_is_said_on_the_page_and_keeps_what_was_typed(pages):
    pages.upload()
    pages.step("giangvien", "submit")
    answer = pages.step("tochuc", "return", version=1, words="  ")
    assert answer.status_code == 422 and "Please say what has to be changed." in answer.get_data(as_text=True)
    answer = pages.step("tochuc", "approve", version=7, words="Chưa xong đâu <b>")
    assert answer.status_code == 409 and "Chưa xong đâu &lt;b&gt;</textarea>" in answer.get_data(as_text=True)
    answer = pages.upload()
    assert answer.status_code == 409 and "is being reviewed" in answer.get_data(as_text=True)
    for wrong in ("", "-1", "9" * 30, "một"):
        assert pages.step("tochuc", "approve", version=wrong).status_code == 409
    assert pages.plan.state == "submitted"


def test_what_is_no_lesson_plan_is_refused_and_leaves_nothing(pages):
    answer = pages.upload("giangvien", (b"MZ a program", "Bài giảng.pdf"))
    assert answer.status_code == 422 and "This is no PDF" in answer.get_data(as_text=True)
    answer = pages(who="giangvien").post(f"{pages.url}/files", data={}, content_type="multipart/form-data")
    assert answer.status_code == 422 and "Please choose a file first." in answer.get_data(as_text=True)
    assert list(pages.services.config.plans_dir.iterdir()) == []
    assert pages.plan.version == 0


class Counting(io.RawIOBase):
    """A request body of zeros that counts what was read of it."""

    def __init__(self, start, size):
        self.start, self.left, self.read_so_far = start, size, 0

    def readable(self):
        return True

    def readinto(self, into):
        if self.start:
            given, self.start = self.start[: len(into)], self.start[len(into) :]
        else:
            given = bytes(min(len(into), self.left))
            self.left -= len(given)
        into[: len(given)] = given
        self.read_so_far += len(given)
        return len(given)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # werkzeug's half-read temporary file
@pytest.mark.parametrize("length_said", [True, False])
def test_200_megabytes_are_refused_with_a_clear_sentence(pages, length_said):
    browser = pages("giangvien")
    start = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.pdf"\r\n\r\n%PDF-1.7\n'
    body, size = Counting(start, 200 * MEGABYTE), 200 * MEGABYTE + len(start)
    answer = browser.post(
        f"{pages.url}/files",
        content_type="multipart/form-data; boundary=x",
        headers={"X-CSRFToken": browser._token()},
        environ_overrides={"wsgi.input": body}
        | ({"CONTENT_LENGTH": str(size)} if length_said else {"wsgi.input_terminated": True}),
    )
    assert answer.status_code == 413 and "larger than 50 MB" in answer.get_data(as_text=True)
    assert body.read_so_far <= 53 * MEGABYTE
    pages.browsers.clear()
    del answer, browser
    gc.collect()  # what was read so far lay in a file without a name, gone with it
    folder = pages.services.config.plans_dir
    assert not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the test client's, in the same way
def test_only_who_may_upload_may_send_more_than_a_form(pages):
    sent = {"files": [(io.BytesIO(bytes(2 * MEGABYTE)), "a.pdf")]}
    answer = pages("hocvien").post(f"{pages.url}/files", data=sent, content_type="multipart/form-data")
    text = answer.get_data(as_text=True)
    assert answer.status_code == 413 and "larger than 50 MB" in text and "Chuyển đổi số" not in text
    pages.browsers.clear()
    del answer, sent
    gc.collect()


def test_files_are_given_to_keep_and_pdfs_shown_without_any_power(pages):
    pages.upload("giangvien", (pdf(), "Bài 'một'; x.pdf"), (office("docx"), "Đề cương.docx"))
    one, two = pages.plan.files
    answer = pages("dusat").get(f"{pages.url}/files/{two.id}")
    assert answer.data == office("docx") or answer.data[:2] == b"PK"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert "filename*=UTF-8''%C4%90" in answer.headers["Content-Disposition"]
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    shown = pages("dusat").get(f"{pages.url}/files/{one.id}/pdf")
    assert shown.mimetype == "application/pdf" and shown.data == pdf()
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert pages("dusat").get(f"{pages.url}/files/{two.id}/pdf").status_code == 422
    assert pages("giangvien2").get(f"{pages.url}/files/{one.id}").status_code == 403
    other = pages.school.lecture(pages.services.clock.now() + timedelta(days=1)).id
    assert pages("tochuc").get(f"/lectures/{other}/plan/files/{one.id}").status_code == 404
    for opened in (answer, shown):
        opened.close()


# ---- the gate ----------------------------------------------------------------------------------


def start(pages):
    rooms, lecture = pages.services.rooms, pages.services.schedules.lecture(pages.lecture)
    rooms.open(lecture.id, lecture.lecturer_id, lecture.main_point_id, lecture.point_ids)
    rooms.join(lecture.id, lecture.lecturer_id, "lecturer", "connection")
    return rooms.start(lecture.id, lecture.lecturer_id, "lecturer")


def test_a_class_does_not_go_live_without_a_plan_and_everybody_is_told_beforehand(pages):
    with pytest.raises(Conflict, match=r"plan\.not_approved"):
        start(pages)
    assert "The class cannot go live before its plan" in pages.text("giangvien", f"/lectures/{pages.lecture}")
    assert "The class cannot go live yet" in pages.text("giangvien", f"/lectures/{pages.lecture}/console")
    assert pages.step("tochuc", "waive", words="Tọa đàm, không có bài giảng.").status_code == 303
    assert "cannot go live" not in pages.text("giangvien", f"/lectures/{pages.lecture}")
    assert "cannot go live" not in pages.text("giangvien", f"/lectures/{pages.lecture}/console")
    assert start(pages)


def test_the_console_gets_the_refusal_as_a_translated_error(pages, app):
    from app.tokens import sign

    rooms, lecture = pages.services.rooms, pages.services.schedules.lecture(pages.lecture)
    rooms.open(lecture.id, lecture.lecturer_id, lecture.main_point_id, lecture.point_ids)
    wiring = app.extensions["wiring"]
    socket = wiring.socketio.test_client(app, flask_test_client=app.test_client())
    token = sign(str(app.secret_key), lecture.id, lecture.lecturer_id, "lecturer")
    assert socket.emit("room.join", {"token": token}, callback=True)["ok"]
    ack = socket.emit("lecture.start", {}, callback=True)
    assert ack["error"]["code"] == "plan.not_approved" and len(ack["error"]["message"]) > 40
    pages.upload()
    pages.step("giangvien", "submit")
    pages.step("tochuc", "approve", version=1)
    assert socket.emit("lecture.start", {}, callback=True)["ok"]


def test_a_changed_lecture_loses_its_approval(pages, clock):
    pages.upload()
    pages.step("giangvien", "submit")
    pages.step("tochuc", "approve", version=1)
    school = pages.school
    draft = school.draft(clock.now() + timedelta(hours=1), topic_id=school.course.topics[1].id)
    pages.services.schedules.update_lecture(pages.lecture, draft, by=school.organiser.id)
    with pytest.raises(Conflict, match=r"plan\.not_approved"):
        start(pages)
    assert "the plan is a draft again" in pages.text("tochuc")


# ---- the desk and the year ---------------------------------------------------------------------


def test_the_desk_shows_what_waits(pages):
    text = pages.text("tochuc", "/plans")
    assert "Nothing waits for review." in text and "without a submitted plan" in text
    pages.upload()
    pages.step("giangvien", "submit")
    text = pages.text("quantri", "/plans")
    assert "Nothing waits for review." not in text and pages.url in text


def test_the_year_is_planned_by_its_pages(pages):
    wish = {
        "title": "Chuyển đổi số", "org_id": pages.school.province, "of": pages.school.course.id, "year": "2026",
        "lectures": "3", "opens_on": "2026-01-15", "due_on": "2026-06-30", "people": "40", "note": "Ưu tiên xã mới",
    }  # fmt: skip
    assert pages("tochuc").post("/year", data=wish).status_code == 303
    text = pages.text("giangvien", "/year?year=2026")
    assert "1 line needs attention" in text and "The first lecture was due on 15/1/2026" in text
    assert "1 of 40 people enrolled" in text and "Add a line" not in text
    answer = pages("tochuc").post("/year", data={**wish, "due_on": "2026-01-01"})
    assert answer.status_code == 422 and 'value="2026-01-15"' in answer.get_data(as_text=True)
    for wrong in ({"lectures": "ba"}, {"opens_on": "x"}, {"org_id": ""}, {"year": ""}, {"people": "-3"}):
        assert pages("tochuc").post("/year", data={**wish, **wrong}).status_code in (404, 422)
    ((line, _),) = pages.services.years.lines(2026)
    topic = pages.school.course.topics[0].id
    assert pages("quantri").post(f"/year/{line.id}", data={**wish, "title": "Mới", "of": topic}).status_code == 303
    assert f'value="{topic}" selected' in pages.text("quantri", f"/year/{line.id}")
    assert "Mới" in pages.text("quantri", f"/year?year=2026&org={pages.school.province}")
    assert "Mới" not in pages.text("quantri", f"/year?year=2026&org={pages.school.centre}")
    assert pages("quantri").post(f"/year/{line.id}/remove").status_code == 303
    assert "Nothing is planned for this year yet." in pages.text("tochuc", "/year?year=99999")
