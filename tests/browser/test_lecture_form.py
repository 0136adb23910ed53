"""Choosing among 64 joining points in real Chromium: by a few letters, all that is shown, and without scripts."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from schedules.records import LectureView, PointView
from tests.browser.served import Served, organiser_at
from tests.builders import make_point

pytestmark = [pytest.mark.browser, pytest.mark.timeout(200)]
PLACES = ("Đồng Hới", "Đông Trạch", "Lao Bảo", "Phong Nha")
POINTS = 64
LONG_AGO, FAR_AHEAD = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)


class Province(Served):
    """64 points: of the school, four with names of their own, and numbered ones; most are of one organisation."""

    def fill(self) -> None:
        schedules, centre = self.school.schedules, self.school.centre
        self.named = {name: make_point(schedules, name, centre) for name in PLACES}
        self.numbered = [make_point(schedules, f"Xã số {n}", centre) for n in range(POINTS - 3 - len(PLACES))]

    def planned(self) -> LectureView:
        """Return the one lecture that was stored."""
        (lecture,) = self.school.schedules.lectures_between(LONG_AGO, FAR_AHEAD)
        return lecture


@pytest.fixture
def province(tmp_path: Path, translations: None) -> Iterator[Province]:
    one = Province(tmp_path)
    yield one
    one.stop()


def fill_in(page: Page, province: Province) -> None:
    """Give all that the form asks for besides the joining points."""
    page.fill("[name=title]", "Chuyển đổi số")
    page.select_option("[name=topic_id]", province.school.course.topics[0].id)
    page.select_option("[name=lecturer_id]", province.school.lecturer.id)
    page.fill("[name=starts_at]", "2031-03-03T08:00")
    page.fill("[name=ends_at]", "2031-03-03T09:30")
    page.select_option("[name=main_point_id]", province.school.main.id)


def box(page: Page, point: PointView) -> Locator:
    return page.locator(f'[name=point_ids][value="{point.id}"]')


def row(page: Page, point: PointView) -> Locator:
    return page.locator(f'.plan-table [data-point="{point.id}"]')


def test_points_are_found_without_marks_and_chosen_together(browser: Browser, province: Province) -> None:
    page = organiser_at(browser, province, "/lectures/new")
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if "Security Policy" in line.text else None)
    search, count, found = (page.locator(f"#point-{name}") for name in ("search", "count", "found"))
    shown = page.locator(".point-choices label:visible")
    main = province.school.main
    expect(count).to_have_text("Đã chọn 0 trên 64 điểm cầu")
    assert page.locator(".point-choices").evaluate("list => list.clientHeight < list.scrollHeight")

    # the main point was ticked before it became the main one: it is neither sent nor counted
    box(page, main).check()
    expect(count).to_have_text("Đã chọn 1 trên 64 điểm cầu, 50 chỗ")
    fill_in(page, province)
    expect(count).to_have_text("Đã chọn 0 trên 63 điểm cầu")
    expect(box(page, main)).to_be_hidden()
    expect(box(page, main)).to_be_disabled()

    # by name and place, without marks and with; Enter goes to what was found and sends nothing
    search.press_sequentially("dong")
    expect(shown).to_have_count(2)
    expect(found).to_have_text("Đang hiện 2 điểm cầu")
    search.press("Enter")
    expect(box(page, province.named["Đồng Hới"])).to_be_focused()
    page.click("#point-all")
    expect(count).to_have_text("Đã chọn 2 trên 63 điểm cầu, 100 chỗ")
    search.fill("hội trường LAO BẢO")
    expect(shown).to_have_count(1)
    page.click("#point-all")
    search.fill("hoi truong nao")
    expect(found).to_have_text("Không có điểm cầu nào khớp.")
    expect(page.locator(".point-choices")).to_be_hidden()

    # the chosen ones alone; what is unticked there stays in sight until one looks for something else
    search.fill("")
    page.check("#point-chosen-only")
    expect(shown).to_have_count(3)
    box(page, province.named["Lao Bảo"]).uncheck()
    expect(count).to_have_text("Đã chọn 2 trên 63 điểm cầu, 100 chỗ")
    expect(shown).to_have_count(3)
    search.fill("trach")
    expect(shown).to_have_count(1)
    page.click("#point-none")
    expect(count).to_have_text("Đã chọn 1 trên 63 điểm cầu, 50 chỗ")

    page.click("[data-test=save]")
    page.wait_for_url("**/lectures/lec_*")
    lecture = province.planned()
    assert (lecture.main_point_id, lecture.point_ids) == (main.id, (province.named["Đồng Hới"].id,))
    assert wrong == []


def test_equipment_is_asked_for_points_that_take_part(browser: Browser, province: Province) -> None:
    page = organiser_at(browser, province, "/lectures/new", width=390)
    rows = page.locator(".plan-table tbody tr:visible")
    page.click(".plan-extras summary")
    expect(page.locator("#extras-none")).to_be_visible()
    expect(rows).to_have_count(0)
    fill_in(page, province)
    joining = province.named["Phong Nha"]
    box(page, joining).check()
    expect(rows).to_have_count(2)
    expect(row(page, province.school.main)).to_be_visible()
    spare = next(e for e in province.school.schedules.equipment() if e.point_id == province.numbered[0].id)
    row(page, joining).locator("select").first.select_option(spare.id)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.click("[data-test=save]")
    page.wait_for_url("**/lectures/lec_*")
    lecture = province.planned()
    assert lecture.equipment == ((joining.id, spare.id),)

    # its form shows what is so, and the points of others again when the main point moves
    page.goto(f"{province.url}/lectures/{lecture.id}/edit")
    expect(page.locator("#point-count")).to_have_text("Đã chọn 1 trên 63 điểm cầu, 50 chỗ")
    expect(rows).to_have_count(2)
    page.select_option("[name=main_point_id]", province.named["Lao Bảo"].id)
    expect(box(page, province.school.main)).to_be_visible()
    expect(row(page, province.school.main)).to_be_hidden()
    expect(rows).to_have_count(2)


def test_the_form_is_whole_without_scripts(browser: Browser, province: Province) -> None:
    page = organiser_at(browser, province, "/lectures/new", java_script_enabled=False)
    expect(page.locator(".chooser-tools")).to_be_hidden()
    expect(page.locator("[name=point_ids]:visible")).to_have_count(POINTS)
    fill_in(page, province)
    chosen = [province.school.main, province.named["Phong Nha"], province.numbered[-1]]
    for point in chosen:
        box(page, point).check()
    page.click(".plan-extras summary")
    expect(page.locator(".plan-table tbody tr:visible")).to_have_count(POINTS)
    page.click("[data-test=save]")
    expect(page.locator("[role=alert]")).to_contain_text("Điểm cầu chính")
    box(page, province.school.main).uncheck()
    page.click("[data-test=save]")
    page.wait_for_url("**/lectures/lec_*")
    assert set(province.planned().point_ids) == {point.id for point in chosen[1:]}
