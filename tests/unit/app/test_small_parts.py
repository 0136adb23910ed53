"""Passwords, limits, secrets, configuration, and where a sign-in may lead."""

import stat
from pathlib import Path

import pytest
from flask import Flask

from app.i18n import number, safe_path
from app.keys import secret_key
from app.passwords import Attempts, Passwords, TooMany
from core.config import Config, from_environment
from tests.fakes import FakeClock


@pytest.mark.parametrize(("locale", "seats", "hours"), [("vi", "7.151", "1,5"), ("en", "7,151", "1.5")])
def test_numbers_are_written_as_the_reader_does(app: Flask, locale: str, seats: str, hours: str) -> None:
    with app.test_request_context(headers={"Cookie": f"language={locale}"}):
        assert [number(7151), number(1.54), number(3.0)] == [seats, hours, "3"]


def test_a_password_matches_its_hash_and_nothing_else() -> None:
    passwords = Passwords(quick=True)
    stored = passwords.hash("mật khẩu dài")
    assert stored.startswith("$argon2id$")
    assert passwords.matches("mật khẩu dài", stored)
    assert not passwords.matches("mat khau dai", stored)
    assert not passwords.matches("mật khẩu dài", None)
    assert not passwords.matches("mật khẩu dài", "not a hash")


def test_hashing_goes_through_the_pool_it_was_given() -> None:
    ran = []

    def pool(function, *args):
        ran.append(args)
        return function(*args)

    Passwords(pool, quick=True).hash("x")
    assert ran == [("x",)]


def test_failures_close_the_door_for_a_while_and_for_this_key_only(clock: FakeClock) -> None:
    attempts = Attempts(clock, limit=3, window_s=60)
    for _ in range(3):
        attempts.check("a")
        attempts.failed("a")
    with pytest.raises(TooMany) as refused:
        attempts.check("a")
    assert refused.value.params == {"seconds": 60}
    attempts.check("b")
    clock.advance(60)
    attempts.check("a")


def test_success_forgets_failures(clock: FakeClock) -> None:
    attempts = Attempts(clock, limit=2, window_s=60)
    for _ in range(5):
        attempts.failed("a")
        attempts.succeeded("a")
    attempts.check("a")


def test_a_flood_of_names_does_not_fill_the_memory(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.passwords.KEYS_MAX", 50)
    attempts = Attempts(clock, limit=2, window_s=60)
    for n in range(500):
        attempts.failed(str(n))
    assert len(attempts._failures) == 50


@pytest.mark.parametrize(
    ("target", "where"),
    [
        ("/timetable?week=2", "/timetable?week=2"),
        (None, "/"),
        ("", "/"),
        ("https://elsewhere.example/", "/"),
        ("//elsewhere.example/", "/"),
        ("/\\elsewhere.example/", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("/\t/elsewhere.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_signing_in_never_leads_to_another_site(target: str | None, where: str) -> None:
    assert safe_path(target) == where


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path / "new")
    made = secret_key(config)
    assert len(made) >= 48
    assert secret_key(config) == made
    assert stat.S_IMODE((tmp_path / "new" / "secret_key").stat().st_mode) == 0o600


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SECRET_KEY"):
        secret_key(Config(data_dir=tmp_path, secret_key="secret"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "many"),
        ("DEFAULT_ZONE", "Asia/Dong_Ha"),
        ("DEFAULT_ZONE", "../../etc/passwd"),
        ("SOCKETIO_ASYNC_MODE", "asyncio"),
        ("GRACE_S", "soon"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        from_environment({name: value})


def test_the_environment_is_read_once_into_frozen_values(tmp_path: Path) -> None:
    config = from_environment({"DATA_DIR": str(tmp_path), "PORT": "8080", "MEDIA_ANNOUNCE": "10.0.0.1, 192.0.2.7"})
    assert (config.data_dir, config.port, config.public_url) == (tmp_path, 8080, "http://localhost:8080")
    assert config.media_announce == ("10.0.0.1", "192.0.2.7")
