"""What each person does on the pages: every click and every word typed, by the pages' own marks."""

import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from playwright.sync_api import Browser, Page, expect

from bench.class_day.browsers import DESK, HALL, PHONE, open_page
from bench.class_day.report import Missing
from bench.class_day.school import PASSWORD

STAGE = "video[data-slot=stage]"
GUEST = "video[data-slot=guest]"
WAIT_MS = 20_000
LOOK_MS = 120
T = TypeVar("T")
expect.set_options(timeout=WAIT_MS)


def mark(name: str) -> str:
    """Return the selector of a page's mark."""
    return f"[data-test={name}]"


def now_ms() -> float:
    """Return the wall clock, the same that the pages read."""
    return time.time() * 1000


def wait_for(look: Callable[[], T | None], what: str, timeout_s: float = 15.0, page: Page | None = None) -> T:
    """Look again and again until there is something.

    page: let this one's events run meanwhile.  Raises Missing naming `what` after `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found is not None and found is not False:
            return found
        if time.monotonic() > deadline:
            raise Missing(f"{what} (waited {timeout_s:.0f} s)")
        if page is not None:
            page.wait_for_timeout(LOOK_MS)
        else:
            time.sleep(LOOK_MS / 1000)


class Person:
    """Somebody with a browser of their own."""

    def __init__(self, browser: Browser, url: str, size: dict[str, int] = DESK, **equipped: bool) -> None:
        """Open an empty page.  equipped: `watching` or `clock`, see `open_page`."""
        self.url = url
        self.page = open_page(browser, size, **equipped)
        self.page.set_default_timeout(WAIT_MS)
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self.faults.append(said.text) if _is_fault(said.type, said.text) else None)

    def go(self, path: str) -> None:
        """Open one of the product's pages."""
        self.page.goto(self.url + path, wait_until="domcontentloaded")

    def log_in(self, login: str) -> None:
        """Sign in, and see that it worked."""
        self.go("/login")
        self.page.fill("[name=login]", login)
        self.page.fill("[name=password]", PASSWORD)
        self.page.press("[name=password]", "Enter")
        self.page.wait_for_url(lambda url: "/login" not in url)

    def close(self) -> None:
        """Close the browser profile."""
        self.page.context.close()


def _is_fault(kind: str, text: str) -> bool:
    """Errors of the page's own; a request that fails while a server is dead is no fault of the page."""
    return kind == "error" and not re.search(r"Failed to load resource|net::ERR|WebSocket connection", text)


class Organiser(Person):
    """Plans the lecture."""

    def schedule(self, draft: dict[str, Any]) -> str:
        """Fill in the form of a new lecture; returns the lecture's id, or the refusal's sentence.

        draft: title, topic (its title), lecturer, main, points (ids), starts_at, ends_at (local times).
        """
        self.go("/lectures/new")
        page = self.page
        page.fill("[name=title]", draft["title"])
        page.locator("[name=topic_id]").select_option(label=draft["topic"])
        page.locator("[name=lecturer_id]").select_option(draft["lecturer"])
        page.locator("[name=main_point_id]").select_option(draft["main"])
        for point in draft["points"]:
            page.locator(f"[name=point_ids][value={point}]").check()
        self._times(draft["starts_at"], draft["ends_at"])
        page.locator(mark("save")).click()
        page.wait_for_load_state("domcontentloaded")
        found = re.search(r"/lectures/(lec_[0-9a-z]+)", page.url)
        return found.group(1) if found else self.refusal()

    def _times(self, starts_at: datetime, ends_at: datetime) -> None:
        for name, at in (("starts_at", starts_at), ("ends_at", ends_at)):
            self.page.fill(f"[name={name}]", at.strftime("%Y-%m-%dT%H:%M"))

    def refusal(self) -> str:
        """Return the sentence with which the form was refused."""
        return self.page.locator("[role=alert]").first.inner_text()


class Operator(Person):
    """Looks after one point."""

    def pair(self, point: str, code: str) -> None:
        """Enter the six digits that the hall's screen shows."""
        self.go(f"/points/{point}")
        self.page.fill("[name=code]", code)
        self.page.press("[name=code]", "Enter")
        self.page.wait_for_load_state("domcontentloaded")

    def declare(self, lecture: str, point: str, people: int) -> None:
        """Say how many people sit in the hall."""
        self.go(f"/lectures/{lecture}/points/{point}")
        self.page.fill("[name=people]", str(people))
        self.page.press("[name=people]", "Enter")
        expect(self.page.locator("body")).to_contain_text(str(people))

    def count_hands(self, lecture: str, point: str, hands: Sequence[int]) -> None:
        """Enter the hands counted for the open poll."""
        self.go(f"/lectures/{lecture}/points/{point}")
        fields = self.page.locator("[name=hands]")
        for place, count in enumerate(hands):
            fields.nth(place).fill(str(count))
        fields.last.press("Enter")
        self.page.wait_for_load_state("domcontentloaded")


class Lecturer(Person):
    """Teaches."""

    def open_console(self, lecture: str) -> None:
        """Open the console and wait until it may go live."""
        self.go(f"/lectures/{lecture}/console")
        self.page.locator(mark("go-live")).wait_for()

    def go_live(self) -> float:
        """Go live; returns when (ms)."""
        button = self.page.locator(mark("go-live"))
        expect(button).to_be_enabled(timeout=WAIT_MS)
        at = now_ms()
        button.click()
        return at

    def grant(self, point: str) -> float:
        """Give the floor with one tap; returns when (ms)."""
        button = self.page.locator(f"{mark('grant')}[data-point={point}]")
        button.wait_for(timeout=WAIT_MS)
        at = now_ms()
        button.click()
        return at

    def revoke(self) -> None:
        """Take the floor back."""
        self.page.locator(mark("revoke")).click()

    def ask(self, question: str, options: Sequence[str]) -> None:
        """Put a question to the class."""
        page = self.page
        page.fill(mark("poll-question"), question)
        fields = page.locator(mark("poll-option"))
        for place, option in enumerate(options):
            fields.nth(place).fill(option)
        page.locator(mark("poll-open")).click()

    def close_poll(self) -> None:
        """End the poll."""
        self.page.locator(mark("poll-close")).click()

    def end(self) -> float:
        """End the class and confirm; returns when (ms)."""
        self.page.locator(mark("end-class")).click()
        confirm = self.page.locator(mark("confirm-end"))
        confirm.wait_for()
        at = now_ms()
        confirm.click()
        return at


class Kiosk(Person):
    """A hall's screen: nobody touches it but for the hand."""

    def __init__(self, browser: Browser, url: str, hall: dict[str, Any], source: int) -> None:
        """Open the screen's browser.  source: the number in its fake camera's time codes."""
        super().__init__(browser, url, HALL, watching=True)
        self.point: str = hall["point"]
        self.name: str = hall["name"]
        self.operator: str = hall["operator"]
        self.source = source

    def start(self) -> None:
        """Load the page, as the hall's PC does when it is switched on."""
        self.go("/kiosk")
        self.look()

    def look(self) -> None:
        """Begin to watch both pictures (again, after the page was loaded)."""
        self.page.evaluate("([a, b]) => { classDay.watch(a); classDay.watch(b); }", [STAGE, GUEST])

    def phase(self) -> str:
        """Return which phase the page shows."""
        return self.page.locator("[data-phase]").first.get_attribute("data-phase") or ""

    def wait_phase(self, *phases: str, timeout_s: float = 15.0) -> str:
        """Wait for one of some phases.  Raises Missing."""
        what = f"{self.name} shows {self.phase()!r} and never {' or '.join(phases)}"
        return wait_for(lambda: p if (p := self.phase()) in phases else None, what, timeout_s, self.page)

    def code(self) -> str:
        """Return the pairing code on the screen."""

        def look() -> str | None:
            digits = re.sub(r"\D", "", self.page.locator(mark("pairing-code")).first.inner_text())
            return digits if len(digits) == 6 else None

        return wait_for(look, f"{self.name} shows no pairing code", page=self.page)

    def seen(self, selector: str, since_ms: float) -> list[list[Any]]:
        """Return the time codes read from a picture since a moment."""
        found = self.page.evaluate("([s, t]) => globalThis.classDay?.seen(s, t) ?? null", [selector, since_ms])
        return found["samples"] if found else []

    def shows(self, selector: str) -> bool:
        """Return whether a picture is visible to the hall now."""
        return bool(
            self.page.evaluate(
                "s => { const v = document.querySelector(s);"
                " return Boolean(v && v.checkVisibility({ opacityProperty: true, visibilityProperty: true })"
                " && v.getBoundingClientRect().width > 40); }",
                selector,
            )
        )

    def energy(self) -> float:
        """Return the energy of the sound played so far."""
        return float(self.page.evaluate("classDay.soundEnergy()"))

    def sounding(self) -> int:
        """Return how many elements play sound aloud now."""
        return int(self.page.evaluate("classDay.sounding()"))

    def listen_for(self, pitches: Sequence[int]) -> None:
        """Begin to listen for beeps."""
        self.page.evaluate("p => classDay.listenFor(p)", list(pitches))

    def heard(self) -> dict[int, int]:
        """Return how far each pitch stood out (dB)."""
        return {int(pitch): int(level) for pitch, level in self.page.evaluate("classDay.heard()").items()}

    def raise_hand(self) -> float:
        """Press the hand button; returns when (ms)."""
        at = now_ms()
        self.page.locator(mark("hand")).click()
        return at

    def release(self) -> float:
        """Give the floor back; returns when (ms)."""
        at = now_ms()
        self.page.locator(mark("release")).click()
        return at


class Phone(Person):
    """A learner's phone in the hall."""

    def __init__(self, browser: Browser, url: str) -> None:
        """Open a phone's browser."""
        super().__init__(browser, url, PHONE)

    def answer(self, poll: str, choice: int) -> None:
        """Open what the QR code says and tap one answer."""
        self.go(f"/p/{poll}")
        self.page.locator(f"button[name=choice][value='{choice}']").click()
        self.page.wait_for_load_state("domcontentloaded")
