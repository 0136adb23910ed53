"""Planning on the timetable's board in real Chromium: by mouse, by keyboard, with 64 points and a full week."""

import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from schedules.records import LectureView, SeriesDraft
from schedules.zones import from_local, to_local
from tests.browser.served import Served, organiser_at
from tests.builders import ZONE, make_point, make_user

pytestmark = [pytest.mark.browser, pytest.mark.timeout(200)]
MONDAY = datetime(2031, 3, 3)  # in time to come, so that other times are offered
POINTS, STEPS = 64, 20


class Week(Served):
    """The product with 64 points and lectures of two points on each day."""

    def fill(self) -> None:
        school = self.school
        points = [make_point(school.schedules, f"Xã số {n}", school.centre).id for n in range(POINTS - 3)]
        lecturers = [make_user(school.schedules, f"gv{n}", school.province, "lecturer").id for n in range(30)]
        self.ours = self.plan(0, 8, title="Buổi của ta")
        self.theirs = self.plan(0, 14, title="Buổi đã có", lecturer_id=school.other_lecturer.id)
        for day in range(7):
            for n in range(29):
                where = {"main_point_id": points[2 * n], "point_ids": (points[2 * n + 1],), "lecturer_id": lecturers[n]}
                self.plan(day, 8 + n % 10, **where)

    def plan(self, day: int, hour: int, **more: object) -> LectureView:
        return self.school.lecture(from_local(MONDAY + timedelta(days=day, hours=hour), ZONE), **more)

    def now(self, lecture: LectureView) -> str:
        """Return where a lecture is, as `03 08:00–09:30`."""
        found = self.school.schedules.lecture(lecture.id)
        return f"{to_local(found.starts_at, ZONE):%d %H:%M}–{to_local(found.ends_at, ZONE):%H:%M}"


@pytest.fixture
def week(tmp_path: Path, translations: None) -> Iterator[Week]:
    one = Week(tmp_path)
    yield one
    one.stop()


def board(browser: Browser, week: Week, width: int = 1280, query: str = "", **how: Any) -> Page:
    return organiser_at(browser, week, f"/timetable?date={MONDAY:%Y-%m-%d}{query}", width, **how)


def bar(page: Page, lecture: LectureView) -> Locator:
    return page.locator(f'.lec[data-lecture="{lecture.id}"]').first


def drag(page: Page, of: Locator, days: float, hours: float, drop: bool = True) -> None:
    """Take a bar in its middle and carry it along its row."""
    of.scroll_into_view_if_needed()
    box, lane = of.bounding_box(), of.locator("xpath=..").bounding_box()
    assert box and lane
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + days * (lane["width"] + 1) + hours * lane["width"] / 14.5, y, steps=STEPS)
    if drop:
        page.mouse.up()


def keep(page: Page, name: str) -> None:
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png")


def test_an_organiser_plans_on_the_board(browser: Browser, week: Week) -> None:
    page = board(browser, week)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if "Security Policy" in line.text else None)
    toast, panel = page.locator("#board-toast"), page.locator("#board-panel")

    drag(page, bar(page, week.ours), days=1, hours=2)
    expect(toast).to_contain_text("10:00–11:30")
    assert week.now(week.ours) == "04 10:00–11:30"
    toast.locator("button").click()
    expect(toast.locator("button")).to_have_count(0)
    assert week.now(week.ours) == "03 08:00–09:30"

    # on somebody else's time: told while dragging, refused at the drop, another time is a click away
    drag(page, bar(page, week.ours), days=0, hours=6, drop=False)
    expect(panel.locator(".panel-said")).to_contain_text("Buổi đã có")
    expect(page.locator(".is-ghost.is-clash")).to_have_count(3)
    expect(bar(page, week.theirs)).to_have_class(re.compile("is-hit"))
    page.mouse.up()
    offer = panel.locator(".panel-offers button").first
    expect(offer).to_be_visible()
    assert week.now(week.ours) == "03 08:00–09:30"
    keep(page, "board-clash")
    offer.click()
    expect(toast).to_be_visible()
    expect(panel).to_be_hidden()
    assert week.now(week.ours) != "03 08:00–09:30"
    toast.locator("button").click()
    expect(toast.locator("button")).to_have_count(0)

    # at the same time at other points, one after the other; all come back at once
    drag(page, bar(page, week.ours), days=0, hours=6)
    others = panel.get_by_role("button", name=re.compile("instead of|thay cho"))
    for left in (3, 2, 1):
        expect(panel.locator(".panel-said li")).to_have_count(left)
        others.first.click()
    expect(panel).to_be_hidden()
    assert week.now(week.ours) == "03 14:00–15:30"
    taken = week.school.schedules.lecture(week.ours.id).all_point_ids
    assert not set(taken) & set(week.ours.all_point_ids)
    toast.locator("button").click()
    expect(toast.locator("button")).to_have_count(0)
    assert week.school.schedules.lecture(week.ours.id).all_point_ids == week.ours.all_point_ids

    # by keyboard: an hour later, half an hour longer, the next day
    bar(page, week.ours).focus()
    for key in ["Enter", *["ArrowRight"] * 4, "Shift+ArrowRight", "Shift+ArrowRight", "ArrowDown"]:
        page.keyboard.press(key)
    expect(page.locator("#board-live")).to_contain_text("09:00–11:00")
    page.keyboard.press("Enter")
    expect(toast).to_contain_text("09:00–11:00")
    assert week.now(week.ours) == "04 09:00–11:00"
    expect(bar(page, week.ours)).to_be_focused()
    for key in ["Enter", "ArrowRight", "Escape"]:
        page.keyboard.press(key)
    expect(panel).to_be_hidden()
    assert week.now(week.ours) == "04 09:00–11:00"
    assert wrong == []


def test_a_series_asks_how_many_and_a_plan_that_has_changed_is_shown_anew(browser: Browser, week: Week) -> None:
    school = week.school
    first = school.draft(from_local(MONDAY + timedelta(days=2, hours=8), ZONE), title="Chuỗi")
    series = school.schedules.create_series(SeriesDraft(first, "weekly", count=2), school.organiser.id)
    page = board(browser, week, query=f"&point={school.a.id}")
    bar(page, series[0]).focus()
    for key in ["Enter", "ArrowRight", "Enter"]:
        page.keyboard.press(key)
    page.locator("#board-scope button[value=all]").click()
    expect(page.locator("#board-toast")).to_contain_text("08:15–09:45")
    assert [week.now(one) for one in series] == ["05 08:15–09:45", "12 08:15–09:45"]
    page.locator("#board-toast button").click()
    expect(page.locator("#board-toast button")).to_have_count(0)
    assert [week.now(one) for one in series] == ["05 08:00–09:30", "12 08:00–09:30"]

    other = week.ours
    later = school.draft(other.starts_at + timedelta(hours=2), title=other.title)
    school.schedules.update_lecture(other.id, later, school.organiser.id)
    bar(page, other).focus()
    for key in ["Enter", "ArrowRight", "Enter"]:
        page.keyboard.press(key)
    expect(bar(page, other)).to_contain_text("10:00")
    expect(page.locator("#board-toast button")).to_have_count(0)
    assert week.now(other) == "03 10:00–11:30"


def test_dragging_among_64_points_touches_the_shadows_only(browser: Browser, week: Week) -> None:
    page = board(browser, week)
    expect(page.locator("#board tbody tr")).to_have_count(POINTS)
    page.evaluate("""() => {
      const seen = (window.seen = { rows: 0, others: 0, moves: 0 });
      const isOurs = (node) => node.classList?.contains("is-ghost") || node.parentElement?.closest(".is-ghost") || node.closest?.(".is-ghost");
      new MutationObserver((records) => {
        for (const record of records) {
          for (const node of [...record.addedNodes, ...record.removedNodes]) {
            if (node.nodeName === "TR" || node.nodeName === "TD") seen.rows += 1;
            else if (!isOurs(node) && !isOurs(record.target)) seen.others += 1;
          }
          if (record.type === "attributes") seen.moves += 1;
        }
      }).observe(document.querySelector("#board tbody"), { childList: true, subtree: true, attributes: true, attributeFilter: ["style"] });
    }""")
    drag(page, bar(page, week.ours), days=3, hours=1, drop=False)
    expect(page.locator(".is-ghost")).to_have_count(3)
    seen = page.evaluate("window.seen")
    assert (seen["rows"], seen["others"]) == (0, 0)
    assert 0 < seen["moves"] <= STEPS * 3 * 2, "three shadows, two lengths each, at every step at most"
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(page.locator(".is-ghost")).to_have_count(0)
    assert week.now(week.ours) == "03 08:00–09:30"


def test_the_board_is_there_without_scripts_and_a_phone_has_a_list(browser: Browser, week: Week) -> None:
    page = board(browser, week, java_script_enabled=False)
    box, later = bar(page, week.ours).bounding_box(), bar(page, week.theirs).bounding_box()
    assert box and later
    assert later["x"] - box["x"] == pytest.approx(4 * box["width"], abs=6), "six hours are four times 90 minutes"
    page.emulate_media(media="print")
    expect(page.locator(".board-bar")).to_be_hidden()
    expect(page.locator("#board tbody tr").last).to_be_visible()
    phone = board(browser, week, width=390, has_touch=True)
    expect(phone.locator(".board-scroll")).to_be_hidden()
    phone.locator(".board-list a", has_text="Buổi của ta").click()
    phone.wait_for_url(f"**/lectures/{week.ours.id}")


def test_a_phone_shows_in_the_menu_where_one_is(browser: Browser, week: Week) -> None:
    phone = board(browser, week, width=390, has_touch=True)
    phone.goto(f"{week.url}/blocks")
    for place in (".site-nav [aria-current]", ".reg-tabs [aria-current]"):
        phone.wait_for_function(
            "place => { const box = document.querySelector(place).getBoundingClientRect();"
            " return box.left >= 0 && box.right <= innerWidth; }",
            arg=place,
        )
    assert phone.evaluate("scrollY") == 0
