"""The product in the process of a test on a real port, and an organiser who has signed in."""

import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from app import create_app
from app.tables import metadata
from core.config import Config
from tests.builders import PASSWORD, School, make_school

WITHIN_MS = 30_000  # the machine may be busy


class Served:
    """A school on a port of its own; `fill` adds to it before anybody looks."""

    def __init__(self, folder: Path) -> None:
        config = Config(data_dir=folder, secret_key="test " * 8, testing=True, async_mode="threading")
        self.app = create_app(config)
        self.db = self.app.extensions["db"]
        metadata().create_all(self.db.engine)
        self.school: School = make_school(self.app.extensions["schedules"])
        self.fill()
        self.server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def fill(self) -> None:
        """Add what the tests need besides the school."""

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.db.engine.dispose()


def organiser_at(browser: Browser, served: Served, path: str, width: int = 1280, **how: Any) -> Page:
    """Sign in as the organiser and go to a page."""
    page = browser.new_context(viewport={"width": width, "height": 900}, locale="vi-VN", **how).new_page()
    page.set_default_timeout(WITHIN_MS)
    page.goto(served.url + "/login")
    page.fill("[name=login]", "tochuc")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto(served.url + path)
    return page
