"""The class day, step by step, from the timetable to the replay."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, Page, Playwright

from bench.class_day.browsers import LECTURER, launch
from bench.class_day.measure import delay_ms, first_made_after, longest_gap_ms, moves, of_source
from bench.class_day.people import GUEST, STAGE, Kiosk, Lecturer, Operator, Organiser, Phone, mark, now_ms, wait_for
from bench.class_day.product import Product
from bench.class_day.report import Report
from bench.generate import devices
from bench.tones import PITCHES_HZ, pitch_of_source

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
TITLE = "Công tác chi bộ trong tình hình mới: buổi 1"
QUESTION = "Khó khăn lớn nhất trong sinh hoạt chi bộ là gì?"
OPTIONS = ("Địa bàn rộng", "Đảng viên đi làm xa", "Nội dung chưa thiết thực")
PEOPLE = 37  # declared at the first point; the next has one more, and so on
CLEAR_DB = 18  # a beep stands out of its surroundings by this much, or it is not there
BROWSERS_MAX = 2  # processes for kiosks, which share them: each has a sound engine of its own
STEADY_S = 4.0  # how long an undisturbed picture is watched
FLOOR_S = 5.0  # how long somebody speaks
SILENT_MS = 1500  # no picture of somebody for this long: they are not forwarded
STALL_MS = 3000  # an undisturbed picture never stands still for this long, even on a busy machine


class Day:
    """Everybody who takes part, and what was seen."""

    def __init__(self, playwright: Playwright, product: Product, report: Report, pictures: Path, points: int) -> None:
        """Prepare a day over some points.  pictures: where the screenshots go."""
        self.product, self.report, self.pictures = product, report, pictures
        self.points = points
        self._playwright = playwright
        self.browsers: list[Browser] = []
        self.school: dict[str, Any] = {}
        self.lecture = ""
        self.desk: Browser
        self.organiser: Organiser
        self.lecturer: Lecturer
        self.operators: list[Operator] = []
        self.kiosks: list[Kiosk] = []
        self.live_ms = self.ended_ms = 0.0

    # ---- before class ---------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the fake devices, the accounts, and start product and browsers."""
        folder = self.product.folder / "devices"
        made = self.product.command("-m", "app", "init-db")
        self.report.need(made.returncode == 0, f"init-db failed: {made.stderr[-800:]}")
        school = self.product.command("-m", "bench.class_day.school", str(self.points))
        self.report.need(school.returncode == 0, f"the accounts could not be made: {school.stderr[-800:]}")
        self.school = json.loads(school.stdout.splitlines()[-1])
        self.product.start()
        self.desk = self._launch(devices(folder, 0))
        self.halls = [self._launch(devices(folder, n + 1)) for n in range(min(self.points, BROWSERS_MAX))]

    def _launch(self, files: tuple[Path, Path]) -> Browser:
        self.browsers.append(launch(self._playwright, files))
        return self.browsers[-1]

    def schedule(self) -> None:
        """The organiser plans the lecture; the same again is refused with a sentence."""
        self.organiser = Organiser(self.desk, self.product.url)
        self.organiser.go("/login")
        self.shot(self.organiser.page, "login")
        self.organiser.log_in("tochuc")
        self.shot(self.organiser.page, "home")
        begin = datetime.now(ZONE).replace(second=0, microsecond=0) + timedelta(minutes=1)
        draft = {
            "title": TITLE,
            "topic": self.school["topic"],
            "lecturer": self.school["lecturer"],
            "main": self.school["main"],
            "points": [hall["point"] for hall in self.school["halls"]],
            "starts_at": begin,
            "ends_at": begin + timedelta(minutes=90),
        }
        self.organiser.go("/lectures/new")
        self.shot(self.organiser.page, "lecture-new")
        self.lecture = self.organiser.schedule(draft)
        self.report.need(self.lecture.startswith("lec_"), f"the lecture was not scheduled: {self.lecture}")
        self.shot(self.organiser.page, "lecture")
        refusal = self.organiser.schedule({**draft, "title": "Buổi học trùng giờ"})
        self.shot(self.organiser.page, "lecture-clash")
        self.report.check(
            not refusal.startswith("lec_") and "Nguyễn Văn Bình" in refusal,
            f"a double booking of the lecturer was not refused by name: {refusal!r}",
        )
        self.organiser.go("/timetable")
        self.report.check(TITLE in self.organiser.page.locator("body").inner_text(), "the timetable lacks the lecture")
        self.shot(self.organiser.page, "timetable")

    def pair(self) -> None:
        """Each operator pairs the screen of the hall, and the screen comes in by itself."""
        for number, hall in enumerate(self.school["halls"]):
            source = number % len(self.halls) + 1
            kiosk = Kiosk(self.halls[number % len(self.halls)], self.product.url, hall, source)
            kiosk.start()
            kiosk.wait_phase("pairing")
            code = kiosk.code()
            if number == 0:
                self.shot(kiosk.page, "kiosk-pairing")
            operator = Operator(self.desk, self.product.url)
            operator.log_in(hall["operator"])
            operator.pair(hall["point"], code)
            if number == 0:
                self.shot(operator.page, "point")
            self.operators.append(operator)
            self.kiosks.append(kiosk)
        for kiosk in self.kiosks:
            kiosk.wait_phase("lobby", "waiting", timeout_s=20)
        for kiosk in self.kiosks:
            kiosk.wait_phase("lobby", timeout_s=20)
        self.shot(self.kiosks[0].page, "kiosk-lobby")

    # ---- the class ------------------------------------------------------------------------

    def go_live(self) -> None:
        """The lecturer goes live; every hall sees and hears it without a click."""
        self.lecturer = Lecturer(self.desk, self.product.url, clock=True)
        self.lecturer.log_in("giangvien")
        self.lecturer.open_console(self.lecture)
        self.shot(self.lecturer.page, "console-lobby")
        self.live_ms = self.lecturer.go_live()
        firsts = [self._first_stage(kiosk, self.live_ms) - self.live_ms for kiosk in self.kiosks]
        self.report.details["go_live_ms"] = round(max(firsts))
        self._check_halls("after going live")
        self.shot(self.lecturer.page, "console-live")
        self.shot(self.kiosks[0].page, "kiosk-live")

    def _first_stage(self, kiosk: Kiosk, after_ms: float, timeout_s: float = 20.0) -> float:
        """Wait for a lecturer's picture made after a moment; returns when it was seen (ms)."""

        def look() -> int | None:
            return first_made_after(of_source(kiosk.seen(STAGE, after_ms), LECTURER), after_ms)

        return wait_for(look, f"{kiosk.name} does not see the lecturer", timeout_s, kiosk.page)

    def _check_halls(self, when: str) -> None:
        """Watch all halls for a while: pictures go on, sound is played, the lecturer's beeps are heard."""
        began = now_ms()
        energies = [kiosk.energy() for kiosk in self.kiosks]
        for kiosk in self.kiosks:
            kiosk.listen_for(PITCHES_HZ)
        self.pause(STEADY_S)
        delays = []
        for kiosk, before in zip(self.kiosks, energies, strict=True):
            samples = of_source(kiosk.seen(STAGE, began), LECTURER)
            gap = longest_gap_ms(samples, began, began + STEADY_S * 1000)
            name = f"{when}, {kiosk.name}"
            self.report.check(moves(samples) and gap < STALL_MS, f"{name}: the picture stood still for {gap} ms")
            self.report.check(kiosk.shows(STAGE), f"{name}: the lecturer's picture is not visible")
            self.report.check(kiosk.energy() > before, f"{name}: no sound is played")
            self.report.check(kiosk.sounding() > 0, f"{name}: no element plays sound aloud")
            best = max(kiosk.heard().values(), default=0)
            kiosk.listen_for([])
            self.report.check(best >= CLEAR_DB, f"{name}: the lecturer's beeps are not heard ({best} dB)")
            if (delay := delay_ms(samples)) is not None:
                delays.append(delay)
        if delays and "glass_to_glass_ms" not in self.report.figures:
            self.report.figures["glass_to_glass_ms"] = max(delays)

    def reload(self) -> None:
        """A hall's page is loaded again: it comes back by itself. That is how long joining takes."""
        kiosk = self.kiosks[-1]
        began = now_ms()
        kiosk.page.reload(wait_until="commit")
        kiosk.page.wait_for_load_state("domcontentloaded")
        kiosk.look()
        self.report.figures["join_ms"] = round(self._first_stage(kiosk, began) - began)

    def declare_people(self) -> None:
        """Each operator says how many sit in the hall."""
        for number, (operator, kiosk) in enumerate(zip(self.operators, self.kiosks, strict=True)):
            operator.declare(self.lecture, kiosk.point, PEOPLE + number)
        self.shot(self.operators[0].page, "operator")

    def floor(self) -> None:
        """A hand is raised, one tap gives the floor, the hall is seen and heard elsewhere, it is given back."""
        speaker, other = self.kiosks[0], self.kiosks[-1]
        self.report.check(not of_source(other.seen(GUEST, 0), speaker.source), "a hall was seen without the floor")
        speaker.raise_hand()
        self.lecturer.page.locator(f"{mark('grant')}[data-point={speaker.point}]").wait_for()
        self.shot(self.lecturer.page, "console-hand")
        self.shot(speaker.page, "kiosk-hand")
        pitch = pitch_of_source(speaker.source)
        other.listen_for([pitch, pitch_of_source(speaker.source + 6)])
        granted = self.lecturer.grant(speaker.point)
        if other is not speaker:
            seen = wait_for(
                lambda: next((s[0] for s in of_source(other.seen(GUEST, granted), speaker.source)), None),
                f"{other.name} does not see {speaker.name} with the floor",
                page=other.page,
            )
            self.report.figures["handover_ms"] = round(seen - granted)
        self.pause(FLOOR_S)
        if other is not speaker:
            self._check_guest(speaker, other, granted)
        self.shot(self.lecturer.page, "console-floor")
        self.shot(other.page, "kiosk-guest")
        self.shot(speaker.page, "kiosk-floor")
        released = speaker.release()
        self._wait_silence(speaker, other, released)

    def _check_guest(self, speaker: Kiosk, other: Kiosk, granted: float) -> None:
        samples = of_source(other.seen(GUEST, granted), speaker.source)
        self.report.check(moves(samples), f"{speaker.name}'s picture stands still at {other.name}")
        self.report.check(other.shows(GUEST), f"{speaker.name}'s picture is not visible at {other.name}")
        heard = other.heard()
        other.listen_for([])
        mine, strange = heard[pitch_of_source(speaker.source)], heard[pitch_of_source(speaker.source + 6)]
        self.report.details["guest_beep_db"] = mine
        self.report.check(
            mine >= CLEAR_DB and mine > strange, f"{speaker.name} is not heard at {other.name} ({mine} dB)"
        )

    def _wait_silence(self, speaker: Kiosk, other: Kiosk, released: float) -> None:
        """After the release no picture of the speaker arrives, and none is shown."""
        wait_for(lambda: not other.shows(GUEST), f"{other.name} still shows {speaker.name}", page=other.page)
        last = wait_for(
            lambda: self._silent_since(speaker, other, released),
            f"pictures of {speaker.name} go on arriving at {other.name} after the release",
            page=other.page,
        )
        self.report.details["release_ms"] = round(max(0, last - released))

    def _silent_since(self, speaker: Kiosk, other: Kiosk, released: float) -> float | None:
        """Return when the last picture of the speaker was seen, once there was none for a while."""
        last = max([released, *(s[0] for s in of_source(other.seen(GUEST, released), speaker.source))])
        return last if now_ms() - last > SILENT_MS else None

    def revoke(self) -> None:
        """Another hall gets the floor, and the lecturer takes it back."""
        speaker, other = self.kiosks[-1], self.kiosks[0]
        speaker.raise_hand()
        granted = self.lecturer.grant(speaker.point)
        wait_for(
            lambda: of_source(other.seen(GUEST, granted), speaker.source) or None,
            f"{other.name} does not see {speaker.name} with the floor",
            page=other.page,
        )
        self.pause(2)
        self.lecturer.revoke()
        self._wait_silence(speaker, other, now_ms())

    def poll(self) -> None:
        """A question is answered by phones and, at one point, by raised hands."""
        self.lecturer.ask(QUESTION, OPTIONS)
        kiosk, page = self.kiosks[0], self.lecturer.page
        kiosk.page.wait_for_function("s => document.querySelector(s)?.naturalWidth > 0", arg=mark("poll-qr"))
        self.report.check(QUESTION in kiosk.page.locator("body").inner_text(), "the hall does not see the question")
        self.shot(kiosk.page, "kiosk-poll")
        poll = self._poll_id(kiosk)
        for place, choice in enumerate((0, 0, 2)):
            phone = Phone(self.desk, self.product.url)
            if place == 0:
                phone.go(f"/p/{poll}")
                self.shot(phone.page, "phone")
            phone.answer(poll, choice)
            if place == 0:
                self.shot(phone.page, "phone-thanks")
                phone.go(f"/p/{poll}")
                again = phone.page.locator("button[name=choice]").count()
                self.report.check(again == 0, "a phone that has answered is asked again")
            phone.close()
        self.operators[0].count_hands(self.lecture, kiosk.point, (5, 7, 0))
        self.shot(self.operators[0].page, "operator-hands")
        wait_for(lambda: self._tally() == [7, 7, 1] or None, "the console never shows the tally 7, 7, 1", page=page)
        self.shot(page, "console-poll")
        self.lecturer.close_poll()
        page.locator(mark("poll-open")).wait_for()
        closed = Phone(self.desk, self.product.url)
        closed.go(f"/p/{poll}")
        self.report.check(closed.page.locator("button[name=choice]").count() == 0, "a closed poll takes answers")
        self.shot(closed.page, "phone-closed")
        closed.close()

    def _poll_id(self, kiosk: Kiosk) -> str:
        found = kiosk.page.evaluate(
            "s => { const e = document.querySelector(s);"
            " const text = e.outerHTML + (e.parentElement?.outerHTML ?? '');"
            r" return text.match(/\/p\/(pol_[0-9a-z]+)/)?.[1] ?? null; }",
            mark("poll-qr"),
        )
        self.report.need(found, "the QR code does not lead to the poll's page")
        return str(found)

    def _tally(self) -> list[int]:
        shown: list[int] = self.lecturer.page.evaluate(
            "s => [...document.querySelectorAll(`${s} [data-count]`)].map((e) => Number(e.dataset.count))",
            mark("tally"),
        )
        return shown

    # ---- what breaks ----------------------------------------------------------------------

    def kill_node(self) -> None:
        """The media node dies: every hall sees the lecturer again by itself."""
        self.pause(1)
        killed_pid = self.product.kill_node()
        killed = now_ms()
        seen = [self._first_stage(kiosk, killed + 250, 30) for kiosk in self.kiosks]
        self._recovered("node", max(seen) - killed)
        new_pid = self.product.node_pid()
        self.report.check(new_pid not in (0, killed_pid), f"no new media node runs ({new_pid})")
        self._check_halls("after the media node was killed")
        self.shot(self.kiosks[0].page, "kiosk-after-node-kill")

    def kill_web(self) -> None:
        """The web process dies: pictures go on meanwhile, and hands work again by themselves."""
        speaker = self.kiosks[-1]
        self.product.kill_web()
        killed = now_ms()
        self.product.wait_ready(60)
        self.report.details["web_ready_ms"] = round(now_ms() - killed)
        button = f"{mark('grant')}[data-point={speaker.point}]"

        def hand_arrives() -> bool:
            hand = speaker.page.locator(mark("hand"))
            if hand.count() and hand.first.is_enabled() and hand.first.get_attribute("aria-pressed") != "true":
                hand.first.click(timeout=1000)
            speaker.page.wait_for_timeout(250)
            return self.lecturer.page.locator(button).count() > 0

        wait_for(lambda: hand_arrives() or None, "no hand arrives after the web process was killed", 30)
        self._recovered("web", now_ms() - killed)
        until = now_ms()
        for kiosk in self.kiosks:
            gap = longest_gap_ms(of_source(kiosk.seen(STAGE, killed), LECTURER), killed, until)
            self.report.check(gap < STALL_MS, f"{kiosk.name}: pictures stopped for {gap} ms with the web process")
        self._check_halls("after the web process was killed")
        self.lecturer.grant(speaker.point)
        speaker.page.locator(mark("release")).wait_for()
        speaker.release()
        self.shot(self.lecturer.page, "console-after-web-kill")

    def _recovered(self, what: str, took_ms: float) -> None:
        self.report.details[f"recover_{what}_ms"] = round(took_ms)
        self.report.figures["recover_ms"] = max(self.report.figures.get("recover_ms", 0), round(took_ms))

    def end(self) -> None:
        """The lecturer ends the class; every hall is told."""
        self.ended_ms = self.lecturer.end()
        self.report.details["class_s"] = round((self.ended_ms - self.live_ms) / 1000, 1)

    def after_end(self) -> None:
        """The halls thank for coming; nobody's picture is taken any more."""
        for kiosk in self.kiosks:
            kiosk.wait_phase("ended", "waiting")
        self.shot(self.kiosks[0].page, "kiosk-ended")
        self.shot(self.lecturer.page, "console-ended")

    # ---- around it ------------------------------------------------------------------------

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.lecturer.page.wait_for_timeout(seconds * 1000)

    def shot(self, page: Page, name: str) -> None:
        """Keep a picture of a page; a page that cannot be pictured is a problem of its own."""
        try:
            page.screenshot(path=self.pictures / f"{name}.png", timeout=8000)
        except Exception as error:
            self.report.check(False, f"no screenshot of {name}: {str(error)[:120]}")

    def people(self) -> Sequence[Any]:
        """Return everybody whose page is open."""
        known = [getattr(self, name, None) for name in ("organiser", "lecturer")]
        return [person for person in (*known, *self.operators, *self.kiosks) if person is not None]

    def shots_of_all(self, name: str) -> None:
        """Picture every open page: for a day that failed."""
        for number, person in enumerate(self.people()):
            self.shot(person.page, f"failed-{name}-{number}-{type(person).__name__.lower()}")

    def close(self) -> None:
        """Close all browsers."""
        for browser in self.browsers:
            try:
                browser.close()
            except Exception as error:
                self.report.say(f"a browser did not close: {error}")
