"""The fixtures that Python and JavaScript share, and the JavaScript tests that read them."""

import shutil
import subprocess
from pathlib import Path

from tests.unit.rooms.stories import files

ROOT = Path(__file__).resolve().parents[3]


def test_the_fixtures_are_what_the_fold_says_today() -> None:
    stale = [path.name for path, text in files() if not path.exists() or path.read_text("utf-8") != text]
    assert stale == [], "run: python -m tests.unit.rooms.stories"


def test_no_fixture_is_left_from_a_story_that_is_not_told_any_more() -> None:
    wanted = {path for path, _ in files()}
    assert set(next(iter(wanted)).parent.glob("*.json")) == wanted


def test_the_javascript_tests_pass() -> None:
    node = shutil.which("node")
    assert node, "Node 20 is needed"
    done = subprocess.run(
        [node, "--test", "tests/js/"], cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
