"""Histograms as Prometheus wants them."""

from hypothesis import given
from hypothesis import strategies as st

from media.tally import Histogram


def test_a_value_counts_in_its_bound_and_in_all_above() -> None:
    seen = Histogram((0.1, 0.2))
    for value in (0.05, 0.1, 0.15, 7.0):
        seen.observe(value)
    assert seen.buckets() == [("0.1", 2.0), ("0.2", 3.0), ("+Inf", 4.0)]
    assert round(seen.sum, 9) == 7.3


@given(st.lists(st.floats(0, 10)))
def test_buckets_rise_to_the_number_of_values(values: list[float]) -> None:
    seen = Histogram((0.5, 1.0, 5.0))
    for value in values:
        seen.observe(value)
    counts = [count for _, count in seen.buckets()]
    assert counts == sorted(counts) and counts[-1] == len(values)
    assert counts[1] == sum(value <= 1.0 for value in values)
