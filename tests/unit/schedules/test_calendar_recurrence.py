"""Recurrence rules, held against dateutil where that is right."""

from datetime import datetime, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from schedules.calendars.recurrence import DAYS, Endless, Work, occurrences, parse_rule, week_number


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_rules_give_what_dateutil_gives_where_it_is_right(data: st.DataObject) -> None:
    """Left out is where dateutil 4.0 errs: BYSETPOS in a first, part week, numbered days mixed with plain ones."""
    freq = data.draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY"]))
    rule = [f"FREQ={freq}", f"INTERVAL={data.draw(st.integers(1, 3))}", f"WKST={data.draw(st.sampled_from(DAYS))}"]
    optional = {
        "COUNT": st.integers(1, 20),
        "BYMONTH": st.sampled_from(["1", "2,3", "12"]),
        "BYHOUR": st.sampled_from(["9", "9,14"]),
        "BYMINUTE": st.sampled_from(["0,45"]),
        "BYMONTHDAY": st.sampled_from(["1", "15,-1", "31", "-3,29"]),
        "BYDAY": st.sampled_from(
            ["MO", "TU,SA", "SU"] + (["1MO", "-1FR,2TU"] if freq in ("YEARLY", "MONTHLY") else [])
        ),
        "BYYEARDAY": st.sampled_from(["1,100", "-1,366", "200"]) if freq == "YEARLY" else st.none(),
        "BYSETPOS": st.sampled_from(["1", "-1", "2"]) if freq != "WEEKLY" else st.none(),
    }
    for name in sorted(data.draw(st.sets(st.sampled_from(sorted(optional)), max_size=4))):
        value = data.draw(optional[name])
        if value is not None:
            rule.append(f"{name}={value}")
    text = ";".join(rule)
    start, end = datetime(2024, 1, 31, 8, 30), datetime(2030, 1, 1)
    ours = list(islice(occurrences(parse_rule(text), start, start, end, Work()), 60))
    if ours and not ("BYSETPOS" in text and len(rule) == 4):  # dateutil looks until 9999 for what never comes
        theirs = islice(rrulestr(text, dtstart=start), len(ours))
        assert ours == list(theirs), text


def test_a_window_far_from_the_start_gives_the_same_times() -> None:
    for text in ("FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,TH", "FREQ=MONTHLY;INTERVAL=5;BYDAY=2TU", "FREQ=YEARLY;INTERVAL=2"):
        rule, start, low, end = parse_rule(text), datetime(1996, 2, 29, 8), datetime(2026, 3, 2), datetime(2060, 1, 1)
        work = Work()
        jumped = list(occurrences(rule, start, low, end, work))
        assert jumped == [at for at in occurrences(rule, start, start, end, Work()) if at >= low]
        assert jumped


def test_weeks_are_numbered_from_any_first_day() -> None:
    days = [datetime(2026, 1, 1) + timedelta(days=n) for n in range(1500)]
    assert all(week_number(day.date(), 0)[0] == day.isocalendar().week for day in days)
    assert week_number(datetime(2026, 1, 4).date(), 6) == (1, 52)  # a week from Sunday


def test_rules_too_fast_or_too_long_do_not_even_begin() -> None:
    with pytest.raises(Endless):
        parse_rule("FREQ=SECONDLY;COUNT=1000000000")
    with pytest.raises(Invalid):
        parse_rule("FREQ=DAILY;BYHOUR=" + ",".join(["1"] * 100_000))
