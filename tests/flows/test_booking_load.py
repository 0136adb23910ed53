"""The bench of the booking engine, small: several processes book at random and nothing is ever held twice."""

import pytest

from bench.booking.load import agreement_in_step, agreement_of_storm, partial_bookings, standing, storm
from bench.booking.oracle import double_allocations
from bench.booking.world import make_world
from core.db import Database


@pytest.mark.timeout(240)
def test_processes_that_book_at_random_agree_with_the_oracle(any_db: Database) -> None:
    url = any_db.engine.url.render_as_string(hide_password=False)
    world = make_world(url, 6)
    logs = storm(url, world, processes=3, attempts=150)
    right, decisions = agreement_of_storm(logs, world)
    accepted = sum(len(plans) for log in logs for plans in log.versions.values())
    assert accepted >= 30
    assert any(log.refusals for log in logs)
    assert any(log.cancelled for log in logs)
    assert right == decisions
    assert double_allocations(standing(logs).values(), world.standing) == 0
    assert partial_bookings(url, world, logs) == 0


def test_one_who_books_moves_and_cancels_agrees_with_the_oracle_at_every_step(any_db: Database) -> None:
    url = any_db.engine.url.render_as_string(hide_password=False)
    world = make_world(url, 6)
    right, decisions = agreement_in_step(url, world, 150)
    assert right == decisions
    assert decisions > 180, "some were refused, and something else was offered"
