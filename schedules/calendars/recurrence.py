"""Recurrence rules of other programs' calendars, worked out within a bound. Pure.

dateutil looks for the next occurrence up to the year 9999: one DAILY rule that asks for the 31st of
February holds a core for 4.4 s, and a file may carry thousands of them. Here a rule without COUNT is
begun at the window, not at its own start, and every day or time looked at is paid for.

**Source:** RFC 5545 section 3.3.10 (RECUR, its table of what expands and what limits).
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import product

from core.errors import N_, Invalid

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
TOO_FAST = ("MINUTELY", "SECONDLY")  # nobody meets every minute; who says so wants to keep us busy
VALUES_MAX = 400  # in one list: the longest that makes sense names each day of a year
NUMBER_MAX = 100_000_000  # of INTERVAL and COUNT
STEPS_MAX = 300_000  # days and times looked at for a whole calendar: about 1 s
DAY = timedelta(days=1)
RANGES = {  # of each list: lowest and highest, and whether it may count from the end
    "BYMONTH": (1, 12, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYHOUR": (0, 23, False),
    "BYMINUTE": (0, 59, False),
    "BYSECOND": (0, 60, False),
    "BYSETPOS": (1, 366, True),
}
BYDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
NUMBER = re.compile(r"[+-]?[0-9]{1,9}")


class Endless(Exception):
    """A rule that would keep us busy for longer than a calendar is worth."""


class Work:
    """What may still be done for a calendar, in steps."""

    def __init__(self, steps: int = STEPS_MAX) -> None:
        """Allow `steps` days and times to be looked at."""
        self.steps = steps
        self.done = 0

    def spend(self, steps: int = 1) -> None:
        """Pay for steps before they are made.  Raises Endless when there are not so many left."""
        self.done += steps
        if self.done > self.steps:
            raise Endless


@dataclass(frozen=True)
class Rule:
    """A rule, read. Lists are sets of numbers; empty: not given."""

    freq: str
    interval: int = 1
    count: int | None = None
    until: str = ""  # as written; what it means depends on the event
    week_starts: int = 0  # 0 Monday … 6 Sunday
    lists: dict[str, frozenset[int]] = field(default_factory=dict)
    weekdays: frozenset[tuple[int, int]] = frozenset()  # (n-th or 0 for each, 0 Monday … 6 Sunday)

    def among(self, name: str) -> frozenset[int]:
        """Return the numbers of a list such as BYMONTH."""
        return self.lists.get(name, frozenset())


def parse_rule(text: str) -> Rule:
    """Return a rule from the value of RRULE.

    Raises Invalid (`calendar.bad_rule`) for one that says nothing sensible, Endless for one that recurs
    every second or minute.
    """
    parts: dict[str, str] = {}
    for part in text.strip().strip(";").split(";"):
        name, equals, value = part.strip().upper().partition("=")
        if not equals or name in parts:
            raise bad_rule(text)
        parts[name] = value.strip()
    freq = parts.pop("FREQ", "")
    if freq in TOO_FAST:
        raise Endless
    if freq not in FREQUENCIES or ("COUNT" in parts and "UNTIL" in parts):
        raise bad_rule(text)
    interval = _number(parts.pop("INTERVAL", "1"), text)
    count = _number(parts.pop("COUNT"), text) if "COUNT" in parts else None
    until, starts = parts.pop("UNTIL", ""), parts.pop("WKST", "MO")
    if starts not in DAYS:
        raise bad_rule(text)
    weekdays = _weekdays(parts.pop("BYDAY"), text) if "BYDAY" in parts else frozenset()
    lists = {name: _numbers(name, value, text) for name, value in parts.items() if not name.startswith("X-")}
    return Rule(freq, interval, count, until, DAYS.index(starts), lists, weekdays)


def bad_rule(text: str) -> Invalid:
    """Return the error for a rule that cannot be understood."""
    return Invalid("calendar.bad_rule", N_("The rule “%(rule)s” cannot be understood."), rule=text[:100])


def _number(value: str, rule: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 12 or not 1 <= int(value) <= 10**12:
        raise bad_rule(rule)
    return min(int(value), NUMBER_MAX)


def _numbers(name: str, value: str, rule: str) -> frozenset[int]:
    words = value.split(",")
    if name not in RANGES or len(words) > VALUES_MAX or not all(NUMBER.fullmatch(word) for word in words):
        raise bad_rule(rule)
    low, high, from_end = RANGES[name]
    numbers = {int(word) for word in words}
    if not all(low <= (abs(n) if from_end else n) <= high for n in numbers):
        raise bad_rule(rule)
    return frozenset(min(n, 59) for n in numbers) if name == "BYSECOND" else frozenset(numbers)


def _weekdays(value: str, rule: str) -> frozenset[tuple[int, int]]:
    words = value.split(",")
    found = [BYDAY.fullmatch(word.strip()) for word in words[:VALUES_MAX]]
    if len(words) > VALUES_MAX or not all(found):
        raise bad_rule(rule)
    days = {(int(match[1] or 0), DAYS.index(match[2])) for match in found if match}
    if not all(-53 <= nth <= 53 for nth, _ in days):
        raise bad_rule(rule)
    return frozenset(days)


def occurrences(rule: Rule, start: datetime, low: datetime, high: datetime, work: Work) -> Iterator[datetime]:
    """Yield the times of a rule from `low` to `high`, in order.

    start: DTSTART; it, `low`, `high` and what is yielded are naive, on the wall clock of the event. UNTIL is the
    caller's to heed, who knows zones; work: paid for every day and time looked at.  Raises Endless when
    it does not suffice.
    """
    rule = _completed(rule, start)
    times = _times(rule, start, work)
    first = start if rule.count is not None else max(start, low)  # who counts must begin at the beginning
    left = rule.count
    for period in _periods(rule, start, first, high, work):
        for at in _of_period(rule, period, times, work):
            if at < start:
                continue
            if at > high or left == 0:
                return
            left = None if left is None else left - 1
            if at >= low:
                yield at
        if left == 0:
            return


def _completed(rule: Rule, start: datetime) -> Rule:
    """Return the rule with the days that it leaves to DTSTART."""
    lists, weekdays = dict(rule.lists), rule.weekdays
    says_day = weekdays or rule.among("BYMONTHDAY") or rule.among("BYYEARDAY")
    if rule.freq == "YEARLY" and not says_day:
        if rule.among("BYWEEKNO"):
            weekdays = frozenset({(0, start.weekday())})
        else:
            lists["BYMONTHDAY"] = frozenset({start.day})
            lists.setdefault("BYMONTH", frozenset({start.month}))
    elif rule.freq == "MONTHLY" and not says_day:
        lists["BYMONTHDAY"] = frozenset({start.day})
    elif rule.freq == "WEEKLY" and not says_day:
        weekdays = frozenset({(0, start.weekday())})
    if rule.freq not in ("YEARLY", "MONTHLY"):  # there is no third Monday of a week: RFC 5545 forbids the number
        weekdays = frozenset((0, day) for _, day in weekdays)
    return Rule(rule.freq, rule.interval, rule.count, rule.until, rule.week_starts, lists, weekdays)


def _times(rule: Rule, start: datetime, work: Work) -> list[time]:
    """Return the times of a day, or of an hour for HOURLY, in order."""
    hours = [0] if rule.freq == "HOURLY" else sorted(rule.among("BYHOUR") or {start.hour})
    minutes = sorted(rule.among("BYMINUTE") or {start.minute})
    seconds = sorted(rule.among("BYSECOND") or {start.second})
    work.spend(len(hours) * len(minutes) * len(seconds))
    return [time(*of_day) for of_day in product(hours, minutes, seconds)]


def _periods(rule: Rule, start: datetime, first: datetime, high: datetime, work: Work) -> Iterator[datetime]:
    """Yield the beginning of every INTERVAL-th period, from the one that holds `first` or the next."""
    begin = _beginning(rule, start)
    n = max(0, _between(rule, begin, _beginning(rule, first)))
    n = -(-n // rule.interval) * rule.interval
    while True:
        work.spend()
        try:
            period = _later(rule, begin, n)
        except (OverflowError, ValueError):
            return  # after the year 9999
        if period > high:
            return
        yield period
        n += rule.interval


def _beginning(rule: Rule, at: datetime) -> datetime:
    if rule.freq == "HOURLY":
        return at.replace(minute=0, second=0)
    day = datetime.combine(at, time.min)
    if rule.freq == "YEARLY":
        return day.replace(month=1, day=1)
    if rule.freq == "MONTHLY":
        return day.replace(day=1)
    if rule.freq == "WEEKLY":
        return day - DAY * ((day.weekday() - rule.week_starts) % 7)
    return day


def _between(rule: Rule, begin: datetime, then: datetime) -> int:
    """Return how many periods lie between two beginnings."""
    if rule.freq == "YEARLY":
        return then.year - begin.year
    if rule.freq == "MONTHLY":
        return (then.year - begin.year) * 12 + then.month - begin.month
    return (then - begin) // {"WEEKLY": 7 * DAY, "DAILY": DAY, "HOURLY": timedelta(hours=1)}[rule.freq]


def _later(rule: Rule, begin: datetime, n: int) -> datetime:
    """Return the beginning of the n-th period after one."""
    if rule.freq == "YEARLY":
        return begin.replace(year=begin.year + n)
    if rule.freq == "MONTHLY":
        years, month = divmod(begin.month - 1 + n, 12)
        return begin.replace(year=begin.year + years, month=month + 1)
    return begin + n * {"WEEKLY": 7 * DAY, "DAILY": DAY, "HOURLY": timedelta(hours=1)}[rule.freq]


def _of_period(rule: Rule, period: datetime, times: list[time], work: Work) -> Iterator[datetime]:
    """Yield what a rule gives in one period, in order."""
    if rule.freq == "HOURLY" and rule.among("BYHOUR") and period.hour not in rule.among("BYHOUR"):
        return
    days = [day for day in _days(rule, period) if _paid(work) and _matches(rule, day)]
    positions = rule.among("BYSETPOS")
    total = len(days) * len(times)
    wanted = sorted({p - 1 if p > 0 else total + p for p in positions}) if positions else range(total)
    for index in wanted:
        if 0 <= index < total:
            work.spend()
            day, of_day = days[index // len(times)], times[index % len(times)]
            at = datetime.combine(day, of_day)
            yield at.replace(hour=period.hour) if rule.freq == "HOURLY" else at


def _paid(work: Work) -> bool:
    work.spend()
    return True


def _days(rule: Rule, period: datetime) -> Iterator[date]:
    """Yield the days of a period, leaving out months that do not matter."""
    first, months = period.date(), rule.among("BYMONTH")
    if rule.freq == "YEARLY":
        for month in range(1, 13):
            if not months or month in months:
                yield from _of_month(first.year, month)
    elif rule.freq == "MONTHLY":
        if not months or first.month in months:
            yield from _of_month(first.year, first.month)
    else:
        for n in range(7 if rule.freq == "WEEKLY" else 1):
            day = first + n * DAY
            if not months or day.month in months:
                yield day


def _of_month(year: int, month: int) -> Iterator[date]:
    return (date(year, month, day) for day in range(1, calendar.monthrange(year, month)[1] + 1))


def _matches(rule: Rule, day: date) -> bool:
    """Say whether a day is in every list."""
    length = calendar.monthrange(day.year, day.month)[1]
    year_day, year_length = day.timetuple().tm_yday, 365 + calendar.isleap(day.year)
    return (
        _listed(rule.among("BYMONTHDAY"), day.day, length)
        and _listed(rule.among("BYYEARDAY"), year_day, year_length)
        and (not rule.among("BYWEEKNO") or _listed(rule.among("BYWEEKNO"), *week_number(day, rule.week_starts)))
        and (not rule.weekdays or _weekday_matches(rule, day, (day.day, length), (year_day, year_length)))
    )


def _listed(numbers: frozenset[int], position: int, length: int) -> bool:
    """Say whether a list is empty or names a position, counted from the front or from the end."""
    return not numbers or position in numbers or position - length - 1 in numbers


def _weekday_matches(rule: Rule, day: date, in_month: tuple[int, int], in_year: tuple[int, int]) -> bool:
    """Say whether BYDAY names a day; `1MO` counts within the month where months are spoken of, else in the year."""
    by_month = rule.freq == "MONTHLY" or bool(rule.among("BYMONTH"))
    position, length = in_month if by_month else in_year
    weekday = day.weekday()
    from_front, from_end = (position - 1) // 7 + 1, -((length - position) // 7 + 1)
    return any((nth, weekday) in rule.weekdays for nth in (0, from_front, from_end))


def week_number(day: date, week_starts: int) -> tuple[int, int]:
    """Return the number of a day's week, and how many weeks that week's year has.

    week_starts: 0 Monday … 6 Sunday. A week belongs to the year that has at least four of its days.
    """
    fourth = _fourth(day, week_starts)
    last = _fourth(date(fourth.year, 12, 28), week_starts)  # 28 December is always in the last week
    return (fourth.timetuple().tm_yday - 1) // 7 + 1, (last.timetuple().tm_yday - 1) // 7 + 1


def _fourth(day: date, week_starts: int) -> date:
    return day + DAY * (3 - (day.weekday() - week_starts) % 7)
