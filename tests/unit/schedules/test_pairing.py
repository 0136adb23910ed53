from collections.abc import Iterator

import pytest

from core.bus import EventBus
from core.db import Database
from core.errors import AppError, Conflict, Invalid, NotFound, Unavailable
from schedules.models import Device, PairingCode
from schedules.pairing_service import FAILURES_MAX, WAITING_MAX, PairingService
from schedules.records import NewUser
from schedules.service import ScheduleService
from tests.fakes import FakeClock


class Hall:
    """A point, its operator, and the pairing service with codes that come in a known order."""

    def __init__(self, db: Database, clock: FakeClock, codes: Iterator[str] | None = None) -> None:
        self.schedules = ScheduleService(db, EventBus(), clock)
        org = self.schedules.add_organisation("Trung tâm Chính trị Gio Linh")
        self.point = self.schedules.add_point("Gio Linh", org).id
        self.other_point = self.schedules.add_point("Cam Lộ", org).id
        self.operator = self._operator("kythuat", org)
        self.other_operator = self._operator("kythuat2", org)
        draw = {"draw": lambda: next(codes)} if codes else {}
        self.pairing = PairingService(db, clock, **draw)

    def _operator(self, login: str, org: str) -> str:
        return self.schedules.add_user(NewUser(login, "-", login, org, frozenset({"operator"}))).id

    def claim(self, code: str, by: str | None = None) -> AppError | None:
        try:
            self.pairing.claim(code, self.point, by or self.operator)
        except AppError as error:
            return error
        return None


@pytest.fixture
def hall(db: Database, clock: FakeClock) -> Hall:
    return Hall(db, clock)


def test_a_screen_shows_a_code_the_operator_types_it_and_the_screen_is_the_points_device(hall: Hall) -> None:
    shown = hall.pairing.new_pairing()
    assert hall.pairing.collect(shown.secret) is None
    device = hall.pairing.claim(f"{shown.code[:3]} {shown.code[3:]}", hall.point, hall.operator)
    token = hall.pairing.collect(shown.secret)
    assert token
    found = hall.pairing.device(token)
    assert found is not None
    assert (found.id, found.point_id) == (device.id, hall.point)


def test_an_answer_lost_on_the_way_is_asked_for_again(hall: Hall) -> None:
    shown = hall.pairing.new_pairing()
    hall.pairing.claim(shown.code, hall.point, hall.operator)
    assert hall.pairing.collect(shown.secret) == hall.pairing.collect(shown.secret) is not None


def test_a_code_serves_once(hall: Hall) -> None:
    shown = hall.pairing.new_pairing()
    assert hall.claim(shown.code) is None
    refused = hall.claim(shown.code)
    assert isinstance(refused, Conflict)
    assert refused.code == "pairing.used"
    assert hall.pairing.waiting(shown.secret) is None


def test_a_code_expires_after_ten_minutes(hall: Hall, clock: FakeClock) -> None:
    shown = hall.pairing.new_pairing()
    clock.advance(minutes=9, seconds=59)
    assert hall.pairing.waiting(shown.secret) is not None
    clock.advance(seconds=1)
    assert hall.pairing.waiting(shown.secret) is None
    refused = hall.claim(shown.code)
    assert isinstance(refused, Conflict)
    assert refused.code == "pairing.expired"


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12345a", "１２３４５６", "'; --"])
def test_what_is_not_six_digits_is_no_code(hall: Hall, typed: str) -> None:
    refused = hall.claim(typed)
    assert isinstance(refused, Invalid)
    assert refused.code == "pairing.not_a_code"


def test_a_code_that_no_screen_shows_is_unknown(db: Database, clock: FakeClock) -> None:
    hall = Hall(db, clock, iter(["111111"]))
    hall.pairing.new_pairing()
    refused = hall.claim("222222")
    assert isinstance(refused, NotFound)
    assert refused.code == "pairing.unknown_code"


def test_two_screens_never_show_the_same_code(db: Database, clock: FakeClock) -> None:
    hall = Hall(db, clock, iter(["111111", "111111", "111111", "222222"]))
    assert hall.pairing.new_pairing().code == "111111"
    assert hall.pairing.new_pairing().code == "222222"


def test_codes_cannot_be_guessed_one_after_the_other(db: Database, clock: FakeClock) -> None:
    hall = Hall(db, clock, iter(["999999"]))
    shown = hall.pairing.new_pairing()
    for n in range(FAILURES_MAX):
        assert hall.claim(f"{n:06}") is not None
    refused = hall.claim(shown.code)
    assert isinstance(refused, Unavailable)
    assert refused.code == "pairing.too_many_attempts"
    assert hall.claim(shown.code, by=hall.other_operator) is None  # one person's mistakes are not another's


def test_after_ten_minutes_one_may_try_again(hall: Hall, clock: FakeClock) -> None:
    for _ in range(FAILURES_MAX):
        hall.claim("x")
    clock.advance(minutes=10)
    assert hall.claim(hall.pairing.new_pairing().code) is None


def test_screens_cannot_use_up_all_codes(hall: Hall, clock: FakeClock) -> None:
    for _ in range(WAITING_MAX):
        hall.pairing.new_pairing()
    with pytest.raises(Unavailable, match=r"pairing\.too_many"):
        hall.pairing.new_pairing()
    clock.advance(minutes=10)
    hall.pairing.new_pairing()


def test_a_revoked_device_is_nobody_even_with_its_pairing_secret(hall: Hall) -> None:
    shown = hall.pairing.new_pairing()
    device = hall.pairing.claim(shown.code, hall.point, hall.operator)
    token = hall.pairing.collect(shown.secret)
    assert token
    hall.pairing.revoke(device.id, hall.point)
    assert hall.pairing.device(token) is None
    assert hall.pairing.collect(shown.secret) is None
    assert hall.pairing.devices(hall.point) == []


def test_a_device_is_revoked_only_at_its_own_point(hall: Hall) -> None:
    device = hall.pairing.claim(hall.pairing.new_pairing().code, hall.point, hall.operator)
    with pytest.raises(NotFound, match=r"device\.unknown"):
        hall.pairing.revoke(device.id, hall.other_point)
    assert [d.id for d in hall.pairing.devices(hall.point)] == [device.id]


def test_neither_secrets_nor_tokens_are_stored(hall: Hall, db: Database) -> None:
    shown = hall.pairing.new_pairing()
    hall.pairing.claim(shown.code, hall.point, hall.operator)
    token = hall.pairing.collect(shown.secret)
    with db.reading() as s:
        stored = [str(vars(row)) for table in (Device, PairingCode) for row in s.query(table)]
    assert stored
    assert not any(shown.secret in row or str(token) in row for row in stored)


@pytest.mark.parametrize("token", ["", "0" * 64, "x" * 5000, "\udcff", "Đ"])
def test_a_token_that_we_did_not_give_is_nobodys(hall: Hall, token: str) -> None:
    assert hall.pairing.device(token) is None
    assert hall.pairing.collect(token) is None
    assert hall.pairing.waiting(token) is None


def test_a_device_is_noted_as_seen_once_a_minute(hall: Hall, clock: FakeClock) -> None:
    device = hall.pairing.claim(hall.pairing.new_pairing().code, hall.point, hall.operator)
    first = clock.now()
    hall.pairing.seen(device.id)
    clock.advance(seconds=59)
    hall.pairing.seen(device.id)
    assert hall.pairing.devices(hall.point)[0].seen_at == first
    clock.advance(seconds=1)
    hall.pairing.seen(device.id)
    assert hall.pairing.devices(hall.point)[0].seen_at == clock.now()
