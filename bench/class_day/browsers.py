"""Real Chromium for everybody: the lecturer with a clock over the camera, halls with files for devices."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from bench.timecode import BEEP_EVERY_MS
from bench.tones import BEEP_MS, PITCHES_HZ

SCRIPTS = Path(__file__).resolve().parent.parent / "js"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--allow-loopback-in-peer-connection",  # otherwise nothing is gathered on a machine without a network
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)
WIDTH, HEIGHT, FPS = 640, 360, 12
LECTURER = 30  # source id in the lecturer's time codes
DESK = {"width": 1280, "height": 800}
HALL = {"width": 1280, "height": 720}
PHONE = {"width": 390, "height": 844}


def chromium_path() -> str:
    """Return where Chromium is.

    Raises FileNotFoundError when it is not installed.
    """
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise FileNotFoundError("chromium is not installed: make test installs it")
    return path


def launch(playwright: Playwright, devices: tuple[Path, Path] | None = None) -> Browser:
    """Start one browser process.

    devices: picture (.y4m) and sound (.wav) that play in place of camera and microphone.
    """
    flags = [*FLAGS, "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    if devices is not None:
        flags += [
            f"--use-file-for-fake-video-capture={devices[0]}",
            f"--use-file-for-fake-audio-capture={devices[1]}",
        ]
    return playwright.chromium.launch(executable_path=chromium_path(), args=flags, headless=True)


def open_page(browser: Browser, size: dict[str, int], *, watching: bool = False, clock: bool = False) -> Page:
    """Open a page in a profile of its own.

    watching: read time codes and listen; clock: the camera and microphone carry the wall clock.
    """
    context = browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        locale="vi-VN",
        timezone_id="Asia/Ho_Chi_Minh",
        is_mobile=size is PHONE,
        has_touch=size is PHONE,
        device_scale_factor=2 if size is PHONE else 1,
    )
    if watching or clock:
        _equip(context, clock)
    return context.new_page()


def _equip(context: BrowserContext, clock: bool) -> None:
    context.add_init_script(path=SCRIPTS / "timecode.js")
    context.add_init_script(path=SCRIPTS / "watch.js")
    if clock:
        context.add_init_script(f"globalThis.classDaySource = {json.dumps(clock_settings())};")
        context.add_init_script(path=SCRIPTS / "source.js")


def clock_settings() -> dict[str, Any]:
    """Return what `source.js` needs to know."""
    return {
        "source": LECTURER,
        "width": WIDTH,
        "height": HEIGHT,
        "fps": FPS,
        "beepEveryMs": BEEP_EVERY_MS,
        "beepMs": BEEP_MS,
        "pitchesHz": PITCHES_HZ,
    }
