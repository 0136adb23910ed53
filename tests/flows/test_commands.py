"""The operator's commands, each as a process of its own."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(tmp_path: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": ""}
    return subprocess.run(
        [sys.executable, "-m", "app", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The data of a first start with the demo, and what it said."""
    folder = tmp_path_factory.mktemp("installation")
    made = run(folder, "init-db", "--demo-when-new")
    assert made.returncode == 0, made.stderr
    return folder, made.stdout


@pytest.fixture
def installation(first_start: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(first_start[0], tmp_path / "data"))


def test_a_first_start_makes_the_demo_and_says_how_to_get_in(first_start: tuple[Path, str]) -> None:
    said = first_start[1]
    assert "giangvien" in said and "tochuc" in said and "kythuat1" in said
    assert "/kiosk" in said and "/console" in said


def test_a_second_start_keeps_what_is_there(installation: Path) -> None:
    def count(table: str) -> int:
        with sqlite3.connect(installation / "diemcau.sqlite3") as database:
            found = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        database.close()
        return int(found)

    before = count("lectures"), count("users")
    assert before == (3, 14)
    assert run(installation, "init-db", "--demo-when-new").returncode == 0
    assert (count("lectures"), count("users")) == before


def write_journal(data_dir: Path) -> None:
    from core.db import Database
    from core.journal import Journal

    database = Database(f"sqlite:///{data_dir / 'diemcau.sqlite3'}")
    Journal(database).append("lec_1", 0, 1000, [("a", {"n": 1}), ("b", {"n": 2}), ("c", {"n": 3})])
    database.engine.dispose()


def change(data_dir: Path, statement: str) -> None:
    database = sqlite3.connect(data_dir / "diemcau.sqlite3")
    database.execute(statement)
    database.commit()
    database.close()


def test_a_whole_journal_passes(installation: Path) -> None:
    write_journal(installation)
    checked = run(installation, "verify-journal")
    assert checked.returncode == 0
    assert "lec_1: 3 rows, head " in checked.stdout


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("UPDATE journal SET body = '{\"n\":9}' WHERE seq = 2", "row 2"),
        ("UPDATE journal SET at_ms = 999 WHERE seq = 3", "row 3"),
        ("DELETE FROM journal WHERE seq = 2", "row 2"),
        ("DELETE FROM journal WHERE seq = 1", "row 1"),
    ],
)
def test_a_changed_or_missing_row_is_found(installation: Path, statement: str, row: str) -> None:
    write_journal(installation)
    change(installation, statement)
    checked = run(installation, "verify-journal", "lec_1")
    assert checked.returncode == 1
    assert f"lec_1: {row}" in checked.stderr


def test_a_lecture_whose_whole_journal_is_gone_is_a_fault(installation: Path) -> None:
    assert run(installation, "verify-journal", "lec_gone").returncode == 1


def test_the_relays_configuration_carries_the_installations_secret(installation: Path) -> None:
    asked = (
        "turn-config",
        "--realm",
        "turn.example.vn",
        "--listen",
        "192.0.2.7",
        "--cert",
        "/c.pem",
        "--key",
        "/k.pem",
    )
    refused = run(installation, *asked)
    assert refused.returncode == 1 and "media node" in refused.stderr, "the node announces no address yet"
    made = run(installation, *asked, "--peer", "192.0.2.9")
    secret = (installation / "turn_secret").read_text()
    assert f"static-auth-secret={secret}\n" in made.stdout
    assert "allowed-peer-ip=192.0.2.9\n" in made.stdout and made.stdout.count("allowed-peer-ip=") == 1
    assert (installation / "turn_secret").stat().st_mode & 0o077 == 0
