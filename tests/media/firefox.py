"""Debian's Firefox for tests, driven over Marionette: one process, one window for each page.

Playwright drives only a Firefox of its own build, and Debian 12 has no geckodriver; Marionette needs neither.
Source: Firefox's testing/marionette/client, "Protocol": `length:JSON` over TCP, `[0, id, name, parameters]`
answered by `[1, id, error, result]`.
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

STARTS_S = 40.0
ANSWERS_S = 30.0
PAGE = b"<!doctype html><meta charset=utf-8><title>a participant</title><body>"

PREFERENCES: dict[str, bool | int | str] = {
    "marionette.port": 0,  # a free one; the number is then written into the profile
    # ---- media ----
    "media.navigator.permission.disabled": True,
    # Without a permission Firefox gathers the default route's address alone, and never loopback.
    "permissions.default.camera": 1,
    "permissions.default.microphone": 1,
    "media.navigator.streams.fake": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.force_interface": "lo",
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.suspend-background-video.enabled": False,
    "dom.min_background_timeout_value": 4,
    "dom.timeout.enable_budget_timer_throttling": False,
    # ---- nothing to the outside ----
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-manager.url": "",
    "app.update.disabledForTesting": True,
    "app.normandy.enabled": False,
    "browser.region.network.url": "",
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "browser.discovery.enabled": False,
    "browser.topsites.contile.enabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.connection.enabled": False,
    "extensions.blocklist.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.http.speculative-parallel-limit": 0,
    "network.prefetch-next": False,
    "network.trr.mode": 5,
    "services.settings.server": "data:,nothing",
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": "data:,nothing",
    "toolkit.telemetry.unified": False,
    # ---- nothing that a first start shows ----
    "browser.aboutwelcome.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "startup.homepage_welcome_url": "",
    "trailhead.firstrun.didSeeAboutWelcome": True,
}


class MarionetteError(Exception):
    """Firefox said that a command failed; its own words."""


class _Connection:
    """Commands and answers, one at a time."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWERS_S)
        self._rest = b""
        self._number = 0
        greeting = self._receive()
        if greeting.get("marionetteProtocol") != 3:
            raise MarionetteError(f"another protocol: {greeting}")

    def call(self, name: str, **parameters: Any) -> Any:
        """Send a command and return its result.  Raises MarionetteError."""
        self._number += 1
        message = json.dumps([0, self._number, name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        kind, number, error, result = self._receive()
        if (kind, number) != (1, self._number):
            raise MarionetteError(f"an answer to something else: {kind}, {number}")
        if error:
            raise MarionetteError(f"{name}: {error['error']}: {error['message']}")
        return result.get("value", result) if isinstance(result, dict) else result

    def _receive(self) -> Any:
        while b":" not in self._rest:
            self._more()
        length, _, self._rest = self._rest.partition(b":")
        while len(self._rest) < int(length):
            self._more()
        message, self._rest = self._rest[: int(length)], self._rest[int(length) :]
        return json.loads(message)

    def _more(self) -> None:
        data = self._socket.recv(65_536)
        if not data:
            raise MarionetteError("Firefox is gone")
        self._rest += data

    def close(self) -> None:
        self._socket.close()


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests' own output is enough."""


class Firefox:
    """One headless process with a profile that is thrown away."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        """Start it and open a session.

        environment: set in addition to our own.  Raises AssertionError when it does not come up.
        """
        self.profile = Path(tempfile.mkdtemp(prefix="firefox-"))
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
        (self.profile / "user.js").write_text("".join(lines))
        self.pages = ThreadingHTTPServer(("127.0.0.1", 0), _Blank)
        threading.Thread(target=self.pages.serve_forever, daemon=True).start()
        self.connection: _Connection | None = None
        self.process = subprocess.Popen(
            ["firefox-esr", "-marionette", "--headless", "--no-remote", "--profile", self.profile, "about:blank"],
            env={**os.environ, "HOME": str(self.profile), "MOZ_CRASHREPORTER_DISABLE": "1",
                 # The tests run as root in CI, where the sandbox's own namespaces cannot be made.
                 "MOZ_DISABLE_CONTENT_SANDBOX": "1", **(environment or {})},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            self.connection = _Connection(self._port())
            self.call("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
            self.first: str = self.call("WebDriver:GetWindowHandle")
        except BaseException:
            self.close()
            raise

    def _port(self) -> int:
        file, end = self.profile / "MarionetteActivePort", time.monotonic() + STARTS_S
        while time.monotonic() < end and self.process.poll() is None:
            if file.exists() and file.read_text().strip():
                return int(file.read_text())
            time.sleep(0.05)
        raise AssertionError(f"Firefox did not open its Marionette port within {STARTS_S} s")

    def call(self, name: str, **parameters: Any) -> Any:
        """Send one Marionette command.  Raises MarionetteError."""
        assert self.connection is not None
        return self.connection.call(name, **parameters)

    def new_page(self) -> "FirefoxPage":
        """Open an empty page of loopback in a window of its own (background tabs draw once a second)."""
        return FirefoxPage(self, f"http://localhost:{self.pages.server_address[1]}/")

    def close(self) -> None:
        """End the process and all its children, and delete the profile."""
        if self.connection is not None:
            self._quit(self.connection)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(10)
        self.pages.shutdown()
        self.pages.server_close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _quit(self, connection: _Connection) -> None:
        """Ask it to end, so that it collects its own children."""
        with contextlib.suppress(MarionetteError, OSError, subprocess.TimeoutExpired):
            connection.call("Marionette:Quit", flags=["eForceQuit"])
            self.process.wait(10)
        connection.close()


class FirefoxPage:
    """A window, with those methods of Playwright's page that the media tests use."""

    def __init__(self, firefox: Firefox, address: str) -> None:
        """Open a window and load an address."""
        self.firefox = firefox
        firefox.call("WebDriver:SwitchToWindow", handle=firefox.first)  # the last used one may be closed by now
        self.handle = firefox.call("WebDriver:NewWindow", type="window")["handle"]
        self.goto(address)

    def _call(self, name: str, **parameters: Any) -> Any:
        self.firefox.call("WebDriver:SwitchToWindow", handle=self.handle, focus=False)
        return self.firefox.call(name, **parameters)

    def goto(self, address: str) -> None:
        """Load an address and wait for its load event."""
        self._call("WebDriver:Navigate", url=address)

    def add_script_tag(self, *, content: str) -> None:
        """Run a classic script in the page (eval would keep its `let` and `const` to itself)."""
        script = """
            const element = document.createElement("script");
            element.textContent = arguments[0];
            document.head.append(element);
        """
        self._call("WebDriver:ExecuteScript", script=script, args=[content], sandbox=None)

    def evaluate(self, function: str, arg: Any = None) -> Any:
        """Call a function of the page, or read an expression; a promise is waited for.

        Raises MarionetteError when it throws.
        """
        script = """
            const [text, arg, done] = arguments;
            (async () => {
              const found = window.eval(`(${text})`);
              return typeof found === "function" ? found(arg) : found;
            })().then((value) => done({ value: value ?? null }), (error) => done({ error: String(error) }));
        """
        answer = self._call(
            "WebDriver:ExecuteAsyncScript", script=script, args=[function, arg], sandbox=None,
            scriptTimeout=int(ANSWERS_S * 1000),
        )  # fmt: skip
        if "error" in answer:
            raise MarionetteError(answer["error"])
        return answer["value"]

    def wait_for_function(self, function: str, *, arg: Any = None, timeout: float = 20_000) -> None:
        """Wait until a function returns something true.

        timeout: ms.  Raises AssertionError when it is over.
        """
        end = time.monotonic() + timeout / 1000
        while time.monotonic() < end:
            if self.evaluate(function, arg):
                return
            time.sleep(0.05)
        raise AssertionError(f"waited {timeout} ms in vain for {function} of {arg}")

    def screenshot(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self._call("WebDriver:TakeScreenshot", full=False)))

    def close(self) -> None:
        """Close the window; the process lives on."""
        self._call("WebDriver:CloseWindow")
