"""The whole product in a process of its own, with a class that is live, for real browsers to come to."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import urllib3
from playwright.sync_api import Page

from tests.builders import PASSWORD
from tests.flows.sockets import ROOT, free_port, until


class Class:
    """The server's process with a class that is live, and its media node: the stand-in, or the real one."""

    def __init__(self, folder: Path, node: str = "tests.fake_node", **settings: str) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        env = {
            **os.environ, "DATA_DIR": str(folder), "PORT": str(self.port), "PUBLIC_URL": self.url,
            "SOCKETIO_ASYNC_MODE": "threading", "MEDIA_PORT": "0", "MEDIA_PROCESSES": "1", "PYTHONWARNINGS": "ignore",
            "TEST_NODE": node, "PLAN_REQUIRED": "0", **settings,
        }  # fmt: skip
        with open(folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.browser.class_server"],
                cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (folder / "server.log").read_text()
        self.there: dict[str, Any] = json.loads(line)
        self.points: list[str] = self.there["points"]
        until(self._ready, within_s=60)

    def _ready(self) -> bool:
        try:
            return (
                json.loads(urllib3.request("GET", self.url + "/readyz", retries=False, timeout=2).data)["media"] is True
            )
        except (urllib3.exceptions.HTTPError, OSError):
            return False

    def says(self, kind: str, peer: str, **more: object) -> None:
        """Let the stand-in of the node emit an event."""
        state = json.loads((self.folder / "media-node.json").read_text())
        token = (self.folder / "media-token").read_text()
        answer = urllib3.request(
            "POST", state["control_url"] + "/say", timeout=5, headers={"Authorization": f"Bearer {token}"},
            json={"type": kind, "room": self.there["lecture"], "peer": peer, **more},
        )  # fmt: skip
        assert answer.status == 204, answer.data

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        assert self.process.stdout is not None
        self.process.stdout.close()


def sign_in(page: Page, live: Class, login: str) -> None:
    page.goto(live.url + "/login")
    page.fill("[name=login]", login)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(lambda url: "/login" not in url)
