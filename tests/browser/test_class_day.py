"""The main job, end to end, in real browsers: the same run as `make class-day`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(650)]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The day as it was held; once more when something was missing, for what is wrong is missing again."""
    first = hold(tmp_path_factory.mktemp("class-day") / "out")
    if first["status"] == 0:
        return first
    second = hold(tmp_path_factory.mktemp("class-day-again") / "out")
    print("missing on a day held before:", first["problems"], file=sys.stderr)
    return second


def hold(out: Path) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-m", "bench.class_day", "--points", "3", "--out", str(out)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=310,
        check=False,
    )
    body: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    body["status"] = ran.returncode
    body["pictures"] = sorted(path.stem for path in out.glob("*.png"))
    return body


def test_a_whole_class_day_is_held_with_nothing_missing(day: dict[str, Any]) -> None:
    assert day["problems"] == []
    assert day["ok"] is True
    assert day["status"] == 0


@pytest.mark.parametrize(
    "figure",
    ["join_ms", "handover_ms", "glass_to_glass_ms", "recover_ms", "replay_ready_ms", "recorded_s", "lost_s"],
)
def test_the_day_gives_each_figure(day: dict[str, Any], figure: str) -> None:
    assert isinstance(day[figure], int | float)
    assert day[figure] >= 0


def test_every_page_was_pictured(day: dict[str, Any]) -> None:
    pages = {
        "home",
        "timetable",
        "lecture-new",
        "kiosk-live",
        "console-live",
        "phone",
        "operator",
        "replay",
        "register",
    }
    assert pages <= set(day["pictures"])
