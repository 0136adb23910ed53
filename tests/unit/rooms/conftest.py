"""The house of the rooms' tests."""

import pytest

from core.db import Database
from tests.fakes import FakeClock
from tests.unit.rooms.house import House


@pytest.fixture
def house(db: Database, clock: FakeClock) -> House:
    return House(db, clock)
