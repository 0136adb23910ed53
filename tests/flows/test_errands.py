"""Letters leave and calendars are fetched beside the requests, and one that fails stops nobody."""

from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from flask import Flask
from icalendar import Calendar
from sqlalchemy import select, update

from app.wiring import Wiring
from core.bus import EventBus
from core.config import Config
from core.db import Database
from core.errors import Unavailable
from schedules.calendars.models import Letter
from schedules.models import User
from schedules.service import ScheduleService
from tests.builders import School
from tests.fakes import FakeClock


@pytest.fixture
def wiring(app: Flask) -> Wiring:
    made: Wiring = app.extensions["wiring"]
    return made


def letters(config: Config) -> list[Any]:
    files = sorted(config.outbox_dir.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    return [message_from_bytes(path.read_bytes(), policy=default) for path in files]


def test_a_lecturer_gets_the_invitation_its_update_and_its_end(
    wiring: Wiring, school: School, config: Config, clock: FakeClock
) -> None:
    db: Database = wiring.services.db
    with db.transaction() as s:
        s.execute(update(User).where(User.id == school.lecturer.id).values(email="minh@example.vn"))
    at = clock.now() + timedelta(days=1)
    lecture = school.lecture(at)
    wiring.errands.round()
    school.schedules.update_lecture(lecture.id, school.draft(at + timedelta(hours=1)), school.organiser.id)
    wiring.errands.round()
    school.schedules.cancel_lecture(lecture.id, school.organiser.id)
    wiring.errands.round()
    wiring.errands.round()
    sent = letters(config)
    objects = [
        Calendar.from_ical(part.get_content())
        for m in sent
        for part in m.walk()
        if part.get_content_type() == "text/calendar"
    ]
    told = {(str(c["METHOD"]), int(e["SEQUENCE"]), str(e["UID"])) for c in objects for e in c.walk("VEVENT")}
    assert told == {("REQUEST", 0, lecture.uid), ("REQUEST", 1, lecture.uid), ("CANCEL", 2, lecture.uid)}
    assert {message["To"].addresses[0].addr_spec for message in sent} == {"minh@example.vn"}
    assert len(sent) == 3
    assert "Chuyển đổi số" in sent[0]["Subject"]


def test_an_errand_that_fails_does_not_stop_the_other(
    wiring: Wiring, school: School, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fetched = []

    def fail(*_: object) -> int:
        raise OSError("disk full")

    monkeypatch.setattr(wiring.services.letters, "deliver_due", fail)
    monkeypatch.setattr(wiring.services.subscriptions, "refresh_due", lambda now: fetched.append(now) or 0)
    wiring.errands.round()
    assert "errand failed" in caplog.text
    assert fetched == [clock.now()]


def test_rounds_end_soon_after_a_stop(wiring: Wiring) -> None:
    pauses = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 25:
            wiring.errands.stop()

    wiring.errands.run(pause)
    assert len(pauses) == 25


@pytest.mark.parametrize("step", ["planned", "changed", "cancelled"])
def test_an_invitation_that_a_crash_lost_is_written_once(
    wiring: Wiring, school: School, config: Config, clock: FakeClock, step: str
) -> None:
    db: Database = wiring.services.db
    with db.transaction() as s:
        s.execute(update(User).where(User.id == school.lecturer.id).values(email="minh@example.vn"))
        s.execute(update(User).where(User.id == school.operator.id).values(email="hoa@example.vn"))
    at = clock.now() + timedelta(days=9)
    lost = ScheduleService(db, EventBus(), clock)  # whoever planned died after the commit: nobody heard of it
    lecture = (lost if step == "planned" else school.schedules).create_lecture(school.draft(at), school.organiser.id)
    if step == "changed":
        lost.update_lecture(lecture.id, school.draft(at + timedelta(hours=1)), school.organiser.id)
    elif step == "cancelled":
        lost.cancel_lecture(lecture.id, school.organiser.id)
    clock.advance(days=2)
    for _ in range(3):
        wiring.errands.round()
    now = {"planned": ("REQUEST", 0), "changed": ("REQUEST", 1), "cancelled": ("CANCEL", 1)}[step]
    wanted = {(address, *now) for address in ("minh@example.vn", "hoa@example.vn")}
    with db.reading() as s:
        written = s.execute(select(Letter.address, Letter.method, Letter.sequence)).all()
    assert sorted(map(tuple, written)) == sorted(
        wanted if step == "planned" else wanted | {(address, "REQUEST", 0) for address, *_ in wanted}
    )
    assert len({message["To"] for message in letters(config)}) == 2


def test_a_lecture_of_which_nobody_can_be_told_is_looked_at_once(
    wiring: Wiring, school: School, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    lecture = school.lecture(clock.now() + timedelta(days=1))
    write = wiring.services.letters.write
    monkeypatch.setattr(wiring.services.letters, "write", lambda view: looked.append(view.id) or write(view))
    wiring.errands.round()
    wiring.errands.round()
    assert looked == [lecture.id]
    school.schedules.cancel_lecture(lecture.id, school.organiser.id)
    looked.clear()
    wiring.errands.round()
    wiring.errands.round()
    assert looked == [lecture.id]


def test_a_busy_database_is_asked_again(
    wiring: Wiring, school: School, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wiring.services.db.transaction() as s:
        s.execute(update(User).where(User.id == school.lecturer.id).values(email="minh@example.vn"))
    ScheduleService(wiring.services.db, EventBus(), clock).create_lecture(
        school.draft(clock.now() + timedelta(days=1)), school.organiser.id
    )

    def busy(*_: object) -> int:
        raise Unavailable("database.busy", "The server is very busy. Please try again.")

    with monkeypatch.context() as patched:
        patched.setattr(wiring.services.letters, "write", busy)
        wiring.errands.round()
    assert letters(config) == []
    wiring.errands.round()
    assert len(letters(config)) == 1
