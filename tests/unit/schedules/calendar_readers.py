"""Programs in other languages that read a calendar: ical.js, and libical from Debian."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent
DEBIANS_PYTHON = "/usr/bin/python3"  # python3-gi and the libical binding are installed for this one alone


def with_ical_js(body: bytes) -> list[dict[str, Any]]:
    """The events as ical.js understands them."""
    return _run(["node", str(HERE / "read_calendar.mjs")], body)


def with_libical(body: bytes) -> dict[str, Any]:
    """The method, the number of lines it could not read, and the events as libical understands them."""
    return _run([DEBIANS_PYTHON, str(HERE / "read_calendar_libical.py")], body)


def _run(command: list[str], body: bytes) -> Any:
    done = subprocess.run(command, input=body, capture_output=True, check=True, cwd=ROOT)
    return json.loads(done.stdout)


@cache
def has_node() -> bool:
    return shutil.which("node") is not None


@cache
def has_libical() -> bool:
    wanted = "import gi; gi.require_version('ICalGLib', '3.0'); from gi.repository import ICalGLib"
    try:
        return subprocess.run([DEBIANS_PYTHON, "-c", wanted], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
