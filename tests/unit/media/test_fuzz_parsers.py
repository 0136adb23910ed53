"""Every reader of strangers' bytes keeps its contract, whatever the bytes; `make fuzz` looks further."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.corpus import damaged
from tests.fuzz.targets import TARGETS

SEEDS = {name: seeds() for name, (_, seeds) in TARGETS.items()}


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_themselves_are_taken(name: str) -> None:
    for seed in SEEDS[name]:
        TARGETS[name][0](seed)


@pytest.mark.parametrize("name", TARGETS)
@settings(
    max_examples=250,
    deadline=timedelta(seconds=1),  # no input may hold the loop up
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_damaged_and_random_input_is_taken_or_refused(name: str, data: st.DataObject) -> None:
    TARGETS[name][0](data.draw(damaged(SEEDS[name])))
