"""After class: the replay, what is really in the recording, the register, the journal."""

import csv
import io
import re
from typing import Any
from urllib.parse import urljoin

from bench.class_day.browsers import LECTURER
from bench.class_day.day import OPTIONS, PEOPLE, QUESTION, Day
from bench.class_day.measure import moves, of_source
from bench.class_day.people import Person, now_ms, wait_for
from bench.class_day.recorded import (
    Contents,
    decode_take,
    fetch_take,
    lasting_ms,
    out_of_step_ms,
    parse_playlist,
    spread,
)
from bench.class_day.report import Report
from bench.timecode import TimeCode, wall_ms

REPLAY = "video"
IN_STEP_MS = 100
OUTLIERS = 0.2  # of the beeps may be further off: at a cut, and when the machine or a page stands still for a moment
RESUME_S = 10.0  # nearer to start or end than this a viewer begins anew
STORED_S = 12.0  # the page tells the server where the viewer is within this time


class Viewer(Person):
    """A learner who watches the replay."""

    def open(self, lecture: str) -> None:
        """Open the replay page."""
        self.go(f"/lectures/{lecture}/replay")
        self.page.evaluate("s => classDay.watch(s)", REPLAY)

    def play(self) -> None:
        """Press play."""
        self.page.locator("#play").click()

    def samples(self, since_ms: float = 0) -> list[list[Any]]:
        """Return the time codes read from the replay."""
        found = self.page.evaluate("([s, t]) => globalThis.classDay?.seen(s, t) ?? null", [REPLAY, since_ms])
        return found["samples"] if found else []

    def at_s(self) -> float:
        """Return where the player stands."""
        return float(self.page.evaluate("s => document.querySelector(s)?.currentTime ?? 0", REPLAY))

    def seek(self, seconds: float) -> None:
        """Go to a place."""
        self.page.evaluate("([s, t]) => { document.querySelector(s).currentTime = t; }", [REPLAY, seconds])


class Afterwards:
    """Looks at what is left of the class."""

    def __init__(self, day: Day, report: Report) -> None:
        """Look at a day that has ended."""
        self.day, self.report = day, report
        self.viewer: Viewer

    def expect(self) -> None:
        """A learner signs in while the class is still on."""
        self.viewer = Viewer(self.day.desk, self.day.product.url, watching=True)
        self.viewer.log_in("hocvien")

    def replay(self) -> None:
        """An enrolled learner opens the replay at once: it plays, from the recording, with the class's clock."""
        day, report = self.day, self.report
        self.viewer.open(day.lecture)
        page = self.viewer.page
        page.locator(REPLAY).wait_for()
        self.viewer.play()
        wait_for(
            lambda: of_source(self.viewer.samples(), LECTURER) or None, "the replay shows no picture", 20, page=page
        )
        report.figures["replay_ready_ms"] = round(now_ms() - day.ended_ms)
        # On a busy machine the class's own first seconds are slow: the lecturer's sender is still learning its line.
        wait_for(
            lambda: moves(of_source(self.viewer.samples(), LECTURER)) or None,
            "the replay's picture stands still",
            10,
            page=page,
        )
        day.shot(page, "replay")
        samples = of_source(self.viewer.samples(), LECTURER)
        made = [wall_ms(TimeCode(s[1], s[2], 0), int(s[0])) for s in samples]
        inside = all(day.live_ms - 3000 <= at <= day.ended_ms + 1000 for at in made)
        report.check(inside, "the replay shows time codes of another time than the class")

    def chapters(self) -> None:
        """A chapter leads to its place: who had the floor is seen there, and named beside the picture."""
        page, speaker = self.viewer.page, self.day.kiosks[0]
        chapter = page.locator("#chapters button", has_text=speaker.name).first
        chapter.wait_for()
        since = now_ms()
        chapter.click()
        wait_for(
            lambda: of_source(self.viewer.samples(since), speaker.source) or None,
            f"{speaker.name}'s chapter does not show {speaker.name}",
            page=page,
        )
        page.wait_for_timeout(800)
        self.day.shot(page, "replay-floor")
        panel = page.locator("#floor").inner_text()
        self.report.check(speaker.name in panel, f"beside {speaker.name}'s picture the panel says {panel[:80]!r}")

    def resume(self) -> None:
        """A viewer who comes back goes on where they stopped."""
        page = self.viewer.page
        length = float(page.evaluate("s => document.querySelector(s).duration", REPLAY))
        self.report.details["replay_length_s"] = round(length, 1)
        self.report.need(length > 2 * RESUME_S, f"the replay is only {length:.1f} s long")
        self.viewer.seek(length * 0.5)
        wait_for(
            lambda: self.viewer.at_s() > length * 0.5 + 0.5 or None, "the replay does not go on after a seek", page=page
        )
        url = f"{self.day.product.url}/lectures/{self.day.lecture}/replay/position"

        def stored() -> bool | None:
            answer = page.request.get(url)
            return (answer.ok and answer.json()["position_ms"] >= length * 500) or None

        wait_for(stored, "the server never learns where the viewer is", STORED_S, page)
        self.viewer.open(self.day.lecture)
        page.locator(REPLAY).wait_for()
        wait_for(
            lambda: self.viewer.at_s() >= length * 0.5 - 1 or None,
            "the replay does not resume where it stopped",
            page=page,
        )
        self.day.shot(page, "replay-resumed")

    def strangers(self) -> None:
        """Who has no part in the lecture sees neither the page nor the recording."""
        stranger = Person(self.day.desk, self.day.product.url)
        stranger.log_in("nguoila")
        for path in (f"/lectures/{self.day.lecture}/replay", f"/recordings/{self.day.lecture}/program.m3u8"):
            status = stranger.page.request.get(self.day.product.url + path, max_redirects=0).status
            self.report.check(status in (403, 404), f"a stranger gets {path} with {status}")
        stranger.close()

    def recording(self) -> None:
        """Decode the whole recording: who is in it, how long it is, and whether its sound is in step."""
        url = f"{self.day.product.url}/recordings/{self.day.lecture}/program.m3u8"
        answer = self.viewer.page.request.get(url)
        self.report.need(answer.ok, f"the playlist cannot be fetched: {answer.status}")
        takes, ended = parse_playlist(answer.text())
        self.report.check(ended, "the playlist is not closed")
        recorded_s = sum(take.seconds for take in takes)
        class_s = (self.day.ended_ms - self.day.live_ms) / 1000
        self.report.figures["recorded_s"] = round(recorded_s, 1)
        self.report.figures["lost_s"] = round(max(0.0, class_s - recorded_s), 1)
        self.report.check(recorded_s > class_s * 0.5, f"only {recorded_s:.1f} s of {class_s:.1f} s were recorded")
        self.report.check(recorded_s < class_s + 5, f"{recorded_s:.1f} s were recorded of a class of {class_s:.1f} s")
        contents = [decode_take(fetch_take(take, url, self._fetch)) for take in takes]
        self._check_pictures(contents)
        self._check_sound(contents)

    def _fetch(self, url: str) -> bytes:
        answer = self.viewer.page.request.get(url)
        self.report.need(answer.ok, f"{url} cannot be fetched: {answer.status}")
        return answer.body()

    def _check_pictures(self, contents: list[Contents]) -> None:
        pictures = [picture for content in contents for picture in content.pictures]
        readable = [picture.code for picture in pictures if picture.code is not None]
        self.report.details["recorded_pictures"] = len(pictures)
        self.report.details["unreadable_pictures"] = len(pictures) - len(readable)
        self.report.check(len(readable) >= 0.97 * len(pictures), "more than 3 % of the recorded pictures are damaged")
        sources = {code.source for code in readable}
        self.report.check(LECTURER in sources, "the lecturer is not in the recording")
        self.report.check(self.day.kiosks[0].source in sources, "who had the floor is not in the recording")
        times = [picture.at_s for picture in pictures]
        self.report.check(times == sorted(times), "the recording's time stamps go back")

    def _check_sound(self, contents: list[Contents]) -> None:
        near = int(self.day.live_ms)
        parts = [out_of_step_ms(c.pictures, c.beeps, LECTURER, near) for c in contents]
        off = [ms for part in parts for ms in part]
        self.report.details["out_of_step_ms"] = spread(off)
        self.report.details["out_of_step_by_part_ms"] = [[round(ms) for ms in part] for part in parts]
        self.report.check(all(c.loudness > 1e-5 for c in contents if len(c.pictures) > 30), "a part has no sound")
        self.report.check(len(off) >= 5, f"only {len(off)} beeps can be matched with the picture")
        rounded = [[round(ms) for ms in part] for part in parts]
        lasting = max((lasting_ms(part) for part in parts), key=abs, default=0.0)
        self.report.check(abs(lasting) <= IN_STEP_MS, f"the sound stays {lasting:.0f} ms out of step: {rounded}")
        far = [round(ms) for ms in off if abs(ms) > IN_STEP_MS]
        self.report.check(len(far) <= OUTLIERS * len(off), f"{len(far)} of {len(off)} beeps are out of step: {rounded}")

    def register(self) -> None:
        """The register has points, minutes and people as separate figures, and the poll's result."""
        organiser = self.day.organiser
        organiser.go(f"/lectures/{self.day.lecture}/register")
        self.day.shot(organiser.page, "register")
        text = organiser.page.locator("body").inner_text()
        for number, kiosk in enumerate(self.day.kiosks):
            self.report.check(kiosk.name in text, f"the register lacks {kiosk.name}")
            self.report.check(str(PEOPLE + number) in text, f"the register lacks the {PEOPLE + number} people")
        self.report.check(QUESTION in text and OPTIONS[1] in text, "the register lacks the poll")
        answer = organiser.page.request.get(f"{self.day.product.url}/lectures/{self.day.lecture}/register.csv")
        self.report.check(answer.body().startswith(b"\xef\xbb\xbf"), "the CSV does not begin with a BOM")
        rows = list(csv.reader(io.StringIO(answer.body().decode("utf-8-sig"))))
        of_point = [row for row in rows if any(self.day.kiosks[0].name in cell for cell in row)]
        self.report.check(of_point and str(PEOPLE) in of_point[0], "the CSV lacks the first point's people")

    def calendar(self) -> None:
        """The lecture's page leads to its calendar."""
        self.day.organiser.go(f"/lectures/{self.day.lecture}")
        links = self.day.organiser.page.locator("[href*='.ics']").evaluate_all("all => all.map((a) => a.href)")
        self.report.need(links, "the lecture's page has no calendar")
        href = re.sub(r"^webcals?:", "http:", links[0])
        text = self.day.organiser.page.request.get(urljoin(self.day.product.url, href)).text()
        self.report.check("BEGIN:VEVENT" in text and "Asia/Ho_Chi_Minh" in text, "the calendar has no event")

    def journal(self) -> None:
        """The chain of hashes is whole."""
        made = self.day.product.command("-m", "app", "verify-journal")
        self.report.check(made.returncode == 0, f"the journal is damaged: {made.stderr[-300:]}")
        self.report.check(self.day.lecture in made.stdout, "the journal does not know the lecture")
        self.report.details["journal"] = made.stdout.strip()

    def faults(self) -> None:
        """No page said an error of its own on the whole day."""
        for person in (*self.day.people(), self.viewer):
            for fault in sorted(set(person.faults))[:5]:
                self.report.check(False, f"{type(person).__name__} page error: {fault[:300]}")
