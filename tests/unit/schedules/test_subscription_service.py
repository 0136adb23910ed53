"""Calendars that are followed: a real database, a real fetcher, a site on the loopback."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import func, select

from core.bus import EventBus
from core.db import Database
from core.errors import AppError
from schedules.calendars.fetch import Fetcher
from schedules.calendars.models import BusyTime
from schedules.calendars.subscription_service import EVERY, SubscriptionService, SubscriptionView
from schedules.service import ScheduleService
from tests.builders import ZONE, School, make_school
from tests.fakes import FakeClock

YEARS = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))


class Site(ThreadingHTTPServer):
    """Answers every path with `status` and `body`, and with 304 to whoever knows its tag."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body, self.etag = 200, b"", ""
        self.tags_shown: list[str | None] = []
        self.url = f"http://lich.vi-du.vn:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        site, shown = self.server, self.headers["If-None-Match"]
        site.tags_shown.append(shown)
        self.send_response(304 if shown and shown == site.etag else site.status)
        if site.etag:
            self.send_header("ETag", site.etag)
        self.end_headers()
        if not (shown and shown == site.etag):
            self.wfile.write(site.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    server.body = calendar("UID:1\nSUMMARY:Giao ban\nDTSTART:20260303T080000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=2")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def school(any_db: Database, bus: EventBus, clock: FakeClock) -> School:
    return make_school(ScheduleService(any_db, bus, clock))


@pytest.fixture
def service(any_db: Database, clock: FakeClock) -> SubscriptionService:
    fetcher = Fetcher(allow=lambda address: True, ports=None, resolve=lambda host, port: ["127.0.0.1"])
    return SubscriptionService(any_db, clock, fetcher, ZONE)


def calendar(*events: str) -> bytes:
    inside = "".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\n{inside}END:VCALENDAR\n".encode()


def follow(service: SubscriptionService, school: School, url: str) -> SubscriptionView:
    return service.subscribe_url("Lịch hội trường", "point", school.a.id, url, school.organiser.id)


def busy_days(service: SubscriptionService, resource_id: str) -> list[str]:
    return [f"{b.starts_at:%d/%m}" for b in service.busy([resource_id], *YEARS)]


def refused(do: object) -> str:
    with pytest.raises(AppError) as told:
        do()  # type: ignore[operator]
    assert str(told.value)
    return told.value.code


def test_a_calendar_at_an_address_is_read_at_once(
    service: SubscriptionService, school: School, site: Site, clock: FakeClock
) -> None:
    made = follow(service, school, f"{site.url}/a.ics")
    assert (made.error, made.busy_times, made.skipped, made.tried_at, made.read_at) == (
        "",
        2,
        0,
        clock.now(),
        clock.now(),
    )
    assert service.subscriptions() == [made]
    assert service.subscription(made.id) == made
    first = service.busy([school.a.id], *YEARS)[0]
    assert (first.starts_at, first.ends_at) == (
        datetime(2026, 3, 3, 1, tzinfo=UTC),
        datetime(2026, 3, 3, 2, tzinfo=UTC),
    )
    assert (first.summary, first.calendar, first.subscription_id) == ("Giao ban", "Lịch hội trường", made.id)


def test_a_calendar_that_cannot_be_read_is_not_kept(service: SubscriptionService, school: School, site: Site) -> None:
    site.body = b"<html>"
    assert refused(lambda: follow(service, school, site.url)) == "calendar.not_a_calendar"
    site.status = 404
    assert refused(lambda: follow(service, school, site.url)) == "calendar.bad_status"
    assert refused(lambda: follow(service, school, "ftp://lich.vi-du.vn/")) == "calendar.bad_scheme"
    assert service.subscriptions() == []


def test_the_guard_is_the_fetchers_own(any_db: Database, school: School, site: Site, clock: FakeClock) -> None:
    guarded = SubscriptionService(any_db, clock, Fetcher(ports=None, resolve=lambda host, port: ["127.0.0.1"]), ZONE)
    assert refused(lambda: follow(guarded, school, site.url)) == "calendar.private_address"
    assert site.tags_shown == []


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("point", "Lịch", "point.unknown"),
        ("equipment", "Lịch", "equipment.unknown"),
        ("lecturer", "Lịch", "user.unknown"),
        ("course", "Lịch", "calendar.bad_kind"),
        ("point", " \n ", "calendar.bad_name"),
        ("point", "a" * 201, "calendar.bad_name"),
    ],
)
def test_who_is_kept_busy_must_exist(
    kind: str, name: str, code: str, service: SubscriptionService, school: School
) -> None:
    assert refused(lambda: service.subscribe_file(name, kind, "nobody", calendar(), school.organiser.id)) == code  # type: ignore[arg-type]


def test_one_resource_follows_an_address_once(service: SubscriptionService, school: School, site: Site) -> None:
    follow(service, school, site.url)
    assert refused(lambda: follow(service, school, f"{site.url}/#x")) == "calendar.already_followed"
    service.subscribe_url("Của người", "lecturer", school.lecturer.id, site.url, school.organiser.id)
    assert len(service.subscriptions()) == 2


def test_a_file_is_read_and_stays_as_it_is(service: SubscriptionService, school: School, clock: FakeClock) -> None:
    data = calendar("DTSTART;VALUE=DATE:20260430\nSUMMARY:Nghỉ lễ", "SUMMARY:Hỏng")
    made = service.subscribe_file("Nghỉ lễ", "lecturer", school.lecturer.id, data, school.organiser.id)
    assert (made.url, made.busy_times, made.skipped) == (None, 1, 1)
    assert refused(lambda: service.refresh(made.id)) == "calendar.no_address"
    clock.advance(hours=5)
    assert service.refresh_due(clock.now()) == 0
    assert busy_days(service, school.lecturer.id) == ["29/04"]


def test_refreshing_replaces_and_a_failure_keeps(
    service: SubscriptionService, school: School, site: Site, clock: FakeClock
) -> None:
    made = follow(service, school, site.url)
    read_at = clock.now()
    site.body = calendar("DTSTART:20260310T080000\nDURATION:PT1H")
    assert (service.refresh(made.id).busy_times, busy_days(service, school.a.id)) == (1, ["10/03"])
    failed_at = clock.advance(minutes=10)
    site.status = 500
    failed = service.refresh(made.id)
    assert (failed.error, failed.busy_times) == ("calendar.bad_status", 1)
    assert (failed.tried_at, failed.read_at) == (failed_at, read_at)
    site.status, site.body = 200, b"BEGIN:VCALENDAR\nBEGIN:VEVENT\n"
    assert service.refresh(made.id).error == "calendar.cut_off"
    assert busy_days(service, school.a.id) == ["10/03"]
    site.body = calendar()
    assert (service.refresh(made.id).error, busy_days(service, school.a.id)) == ("", [])


def test_what_is_the_same_is_kept_and_read_anew_once_a_day(
    service: SubscriptionService, school: School, site: Site, clock: FakeClock
) -> None:
    site.etag = '"1"'
    site.body = calendar("DTSTART:20260303T080000\nDURATION:PT1H\nRRULE:FREQ=MONTHLY")
    made = follow(service, school, site.url)
    later = clock.advance(hours=1)
    same = service.refresh(made.id)
    assert (same.busy_times, same.read_at, same.error) == (made.busy_times, later, "")
    clock.advance(days=400)
    service.refresh(made.id)
    assert site.tags_shown == [None, '"1"', None]
    assert service.busy([school.a.id], *YEARS)[-1].starts_at > later + timedelta(days=2 * 366)


def test_each_is_refreshed_once_an_hour_a_few_at_a_time(
    service: SubscriptionService, school: School, site: Site, clock: FakeClock
) -> None:
    made = []
    for n in range(4):
        made.append(follow(service, school, f"{site.url}/{n}"))
        clock.advance(minutes=1)
    site.tags_shown.clear()
    assert service.refresh_due(clock.now()) == 0
    now = clock.advance(hours=1)
    assert service.refresh_due(now, at_most=3) == 3
    assert [service.subscription(m.id).tried_at == now for m in made] == [True, True, True, False]
    assert service.refresh_due(now, at_most=3) == 1
    assert service.refresh_due(now, at_most=3) == 0
    assert len(site.tags_shown) == 4
    site.status = 500
    assert service.refresh_due(clock.advance(EVERY.total_seconds())) == 4
    assert {view.error for view in service.subscriptions()} == {"calendar.bad_status"}


def test_what_is_removed_keeps_nobody_busy(
    service: SubscriptionService, school: School, site: Site, any_db: Database
) -> None:
    made, other = follow(service, school, f"{site.url}/1"), follow(service, school, f"{site.url}/2")
    service.remove(made.id)
    assert service.subscriptions() == [other]
    assert {busy.subscription_id for busy in service.busy([school.a.id], *YEARS)} == {other.id}
    with any_db.reading() as s:
        assert s.scalar(select(func.count()).select_from(BusyTime)) == 2
    for ask in (service.remove, service.refresh, service.subscription):
        assert refused(lambda ask=ask: ask(made.id)) == "calendar.unknown"


def test_busy_times_are_those_that_overlap_and_of_whom_is_asked_for(
    service: SubscriptionService, school: School
) -> None:
    data = calendar(*(f"SUMMARY:{hour}\nDTSTART:20260303T{hour:02}0000\nDURATION:PT1H" for hour in (8, 9, 10)))
    for kind, resource_id in (("point", school.a.id), ("point", school.b.id), ("lecturer", school.lecturer.id)):
        service.subscribe_file("Lịch", kind, resource_id, data, school.organiser.id)  # type: ignore[arg-type]
    start, end = datetime(2026, 3, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, 3, tzinfo=UTC)  # 9:00 to 10:00
    found = service.busy([school.a.id, school.lecturer.id, *map(str, range(1200))], start, end)
    assert {(busy.resource_id, busy.summary) for busy in found} == {(school.a.id, "9"), (school.lecturer.id, "9")}
    assert service.busy([], start, end) == []


def test_the_window_is_a_year_back_and_two_ahead(service: SubscriptionService, school: School) -> None:
    years = [f"DTSTART:{year}0302T080000\nDURATION:PT1H" for year in (2024, 2025, 2026, 2028, 2029)]
    service.subscribe_file("Lịch", "point", school.a.id, calendar(*years), school.organiser.id)
    assert [busy.starts_at.year for busy in service.busy([school.a.id], *YEARS)] == [2025, 2026, 2028]


def test_a_tag_too_long_to_keep_is_not_kept(
    service: SubscriptionService, school: School, site: Site, clock: FakeClock
) -> None:
    site.etag = '"' + "x" * 300 + '"'
    made = follow(service, school, site.url)
    assert service.refresh(made.id).error == ""
    assert site.tags_shown == [None, None]
