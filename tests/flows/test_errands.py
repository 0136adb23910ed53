"""Letters leave and calendars are fetched beside the requests, and one that fails stops nobody."""

from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from flask import Flask
from icalendar import Calendar
from sqlalchemy import update

from app.wiring import Wiring
from core.config import Config
from core.db import Database
from schedules.models import User
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
