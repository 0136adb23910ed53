from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schedules.zone_rules import onsets, zone_rules


def test_vietnam_has_one_rule_since_1975() -> None:
    text = zone_rules("Asia/Ho_Chi_Minh", 2020, 2030).decode()
    assert text.count("BEGIN:STANDARD") == 1
    assert "TZOFFSETTO:+0700" in text
    assert "DAYLIGHT" not in text


def test_vietnam_left_its_eighth_hour_in_june_1975() -> None:
    *_, last = onsets("Asia/Ho_Chi_Minh", 1974, 1976)
    assert last.at == datetime(1975, 6, 12, 16, 0, tzinfo=UTC)
    assert (last.before.offset, last.now.offset) == (timedelta(hours=8), timedelta(hours=7))


def test_summer_time_begins_on_the_clock_as_it_was_before() -> None:
    text = zone_rules("Europe/Berlin", 2026, 2026).decode()
    daylight = text[text.index("BEGIN:DAYLIGHT") : text.index("END:DAYLIGHT")]
    assert "DTSTART:20260329T020000" in daylight  # the example of RFC 5545 section 3.6.5, in Berlin
    assert "TZOFFSETFROM:+0100" in daylight
    assert "DTSTART:20261025T030000" in text


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Ho_Chi_Minh"])
def test_each_onset_is_exact_to_the_second(zone: str) -> None:
    place = ZoneInfo(zone)
    first, *changes = onsets(zone, 1960, 2030)
    assert first.before == first.now
    for change in changes:
        before = (change.at - timedelta(seconds=1)).astimezone(place)
        now = change.at.astimezone(place)
        assert (before.utcoffset(), now.utcoffset()) == (change.before.offset, change.now.offset)
