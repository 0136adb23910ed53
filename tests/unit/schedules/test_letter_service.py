"""Who gets which letter, and that each goes out, once, however sending goes wrong."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from core.bus import EventBus
from core.config import Config
from core.db import Database
from schedules.calendars.letter_service import LEASE, RETRIES, LetterService, Past, wishes
from schedules.calendars.mail import DeliveryFailed, FileOutbox, SmtpTransport
from schedules.calendars.models import Letter
from schedules.events import LectureCancelled, LectureChanged, LectureScheduled
from schedules.ical import Attendee
from schedules.models import BridgePoint, LecturePoint, User
from schedules.service import ScheduleService
from tests.builders import School, make_school, make_user
from tests.fakes import FakeClock
from tests.unit.schedules.mail_server import Mailbox, mail_server
from tests.unit.schedules.plans import plan

START = datetime(2026, 3, 9, 1, tzinfo=UTC)  # a week after the clock's now
SETTINGS = Config(public_url="https://lop.example.vn", mail_from="Trung tâm <lich@example.vn>")


class Line:
    """A real outbox, before or behind which something happens."""

    def __init__(self, folder: Path) -> None:
        self._outbox = FileOutbox(folder)
        self.taken: list[str] = []
        self.before: Callable[[str], object] = lambda address: None
        self.behind: Callable[[str], object] = lambda address: None

    def send(self, letter_id: str, address: str, message: bytes) -> None:
        self.before(address)
        self._outbox.send(letter_id, address, message)
        self.taken.append(address)
        self.behind(address)


class PowerCut(BaseException):
    """The process ends here: nothing of ours catches this."""


@pytest.fixture
def school(any_db: Database, bus: EventBus, clock: FakeClock) -> School:
    """The lecturer, the operator of point a and the contact of point b can be written to."""
    made = make_school(ScheduleService(any_db, bus, clock))
    with any_db.transaction() as s:
        s.get_one(User, made.lecturer.id).email = "Minh@example.vn"
        s.get_one(User, made.other_lecturer.id).email = "binh@example.vn"
        s.get_one(User, made.operator.id).email = " hoa@example.vn "
        s.get_one(BridgePoint, made.b.id).contact_email = "dakrong@example.vn"
        s.get_one(BridgePoint, made.b.id).contact_name = "Hồ Thị Lan"
    return made


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path / "outbox")


@pytest.fixture
def letters(any_db: Database, bus: EventBus, clock: FakeClock) -> LetterService:
    """Wired to the timetable as the product does it."""
    made = LetterService(any_db, clock, SETTINGS, str)
    for kind in (LectureScheduled, LectureChanged, LectureCancelled):
        bus.subscribe(kind, made.follow)
    return made


def kept(db: Database, **only: Any) -> list[Letter]:
    with db.reading() as s:
        rows = s.scalars(select(Letter).order_by(Letter.sequence, Letter.method.desc(), Letter.address)).all()
    return [row for row in rows if all(getattr(row, name) == value for name, value in only.items())]


def told(db: Database) -> list[tuple[str, str, int]]:
    return [(row.address, row.method, row.sequence) for row in kept(db)]


def calendar_of(row: Letter) -> tuple[icalendar.Calendar, icalendar.Event]:
    message = message_from_bytes(row.message, policy=policy.default)
    (part,) = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    calendar = icalendar.Calendar.from_ical(part.get_payload(decode=True))
    (event,) = calendar.walk("VEVENT")
    return calendar, event


# ---- who gets what ----


def test_a_new_lecture_invites_all_who_can_be_written_to(
    school: School, letters: LetterService, any_db: Database
) -> None:
    lecture = school.lecture(START)
    assert told(any_db) == [
        ("dakrong@example.vn", "REQUEST", 0),
        ("hoa@example.vn", "REQUEST", 0),
        ("minh@example.vn", "REQUEST", 0),
    ]
    contact, _operator, lecturer = kept(any_db)
    message = message_from_bytes(lecturer.message, policy=policy.default)
    assert message["To"] == "Nguyễn Thị Minh <minh@example.vn>"
    assert message["From"] == "Trung tâm <lich@example.vn>"
    assert message["Subject"] == "Invitation: Chuyển đổi số ở cơ sở, 09/03/2026 08:00"
    text = message.get_body(("plain",)).get_content()
    assert "Dear Nguyễn Thị Minh," in text
    assert "Thứ Hai, 9 tháng 3, 2026, 08:00–09:30 (Asia/Ho_Chi_Minh)" in text
    assert f"https://lop.example.vn/lectures/{lecture.id}/replay" in text
    assert message_from_bytes(contact.message, policy=policy.default)["To"].startswith("Hồ Thị Lan")
    _, event = calendar_of(lecturer)
    assert (str(event["UID"]), int(event["SEQUENCE"])) == (lecture.uid, 0)
    assert {str(person): person.params["ROLE"] for person in event["ATTENDEE"]} == {
        "mailto:minh@example.vn": "CHAIR",
        "mailto:hoa@example.vn": "REQ-PARTICIPANT",
        "mailto:dakrong@example.vn": "OPT-PARTICIPANT",
    }


def test_a_change_is_told_to_those_who_stay_and_calls_off_for_those_who_do_not(
    school: School, letters: LetterService, any_db: Database
) -> None:
    lecture = school.lecture(START)
    draft = school.draft(START, lecturer_id=school.other_lecturer.id, point_ids=(school.a.id,))
    school.schedules.update_lecture(lecture.id, draft, by=school.organiser.id)
    assert told(any_db)[3:] == [
        ("binh@example.vn", "REQUEST", 1),
        ("hoa@example.vn", "REQUEST", 1),
        ("dakrong@example.vn", "CANCEL", 1),
        ("minh@example.vn", "CANCEL", 1),
    ]
    new, stays, _point, gone = kept(any_db)[3:]
    subjects = [message_from_bytes(row.message, policy=policy.default)["Subject"].split(":")[0] for row in (new, stays)]
    assert subjects == ["Invitation", "Changed"]
    message = message_from_bytes(gone.message, policy=policy.default)
    assert message["To"] == "Nguyễn Thị Minh <minh@example.vn>"  # the name is remembered
    assert message["Subject"].startswith("No longer invited")
    calendar, event = calendar_of(gone)
    assert (str(calendar["METHOD"]), "STATUS" in event, str(event["ATTENDEE"])) == (
        "CANCEL",
        False,
        "mailto:minh@example.vn",
    )


def test_a_cancelled_lecture_is_called_off_for_all_who_were_invited(
    school: School, letters: LetterService, any_db: Database
) -> None:
    lecture = school.lecture(START)
    school.schedules.cancel_lecture(lecture.id, by=school.organiser.id)
    assert told(any_db)[3:] == [
        ("dakrong@example.vn", "CANCEL", 1),
        ("hoa@example.vn", "CANCEL", 1),
        ("minh@example.vn", "CANCEL", 1),
    ]
    calendar, event = calendar_of(kept(any_db)[-1])
    assert (str(calendar["METHOD"]), str(event["STATUS"]), int(event["SEQUENCE"])) == ("CANCEL", "CANCELLED", 1)


def test_the_same_change_twice_makes_no_second_letter(school: School, letters: LetterService, any_db: Database) -> None:
    lecture = school.lecture(START)
    letters.follow(LectureScheduled(lecture, school.organiser.id))
    assert letters.write(lecture) == 0
    changed = school.schedules.update_lecture(lecture.id, school.draft(START, 60), by=school.organiser.id)
    before = told(any_db)
    letters.follow(LectureChanged(changed, lecture, school.organiser.id))
    letters.follow(LectureScheduled(lecture, school.organiser.id))  # late, and older than what is known
    cancelled = school.schedules.cancel_lecture(lecture.id, by=school.organiser.id)
    letters.follow(LectureCancelled(cancelled, school.organiser.id))
    assert told(any_db)[: len(before)] == before
    assert len(kept(any_db)) == 9
    assert len(set(told(any_db))) == 9


def test_two_processes_that_write_at_once_make_one_letter(
    school: School, letters: LetterService, any_db: Database, clock: FakeClock
) -> None:
    """The second has looked before the first stored: what it brings is then known, or refused by the table."""
    lecture = school.lecture(START)
    first = kept(any_db)
    doubles = [
        Letter(
            id=f"ltr_{n}",
            lecture_id=row.lecture_id,
            address=row.address,
            method=row.method,
            sequence=row.sequence,
            message=b"",
            made_at=clock.now(),
            next_try_at=clock.now(),
            tries=0,
        )
        for n, row in enumerate(first)
    ]
    assert letters._store(lecture.id, doubles) == 0
    assert kept(any_db)[0].id == first[0].id


def test_who_looks_after_a_point_this_time_is_asked_instead_of_its_operators(
    school: School, letters: LetterService, any_db: Database
) -> None:
    other = make_user(school.schedules, "phutrach2", school.centre, "operator", name="Trần Thị Mai")
    lecture = school.lecture(START)
    with any_db.transaction() as s:
        s.get_one(User, other.id).email = "mai@example.vn"
        s.get_one(LecturePoint, (lecture.id, school.a.id)).operator_id = other.id
    assert letters.write(lecture) == 2
    assert ("mai@example.vn", "REQUEST", 0) in told(any_db)
    assert ("hoa@example.vn", "CANCEL", 0) in told(any_db)


def test_who_has_left_or_has_an_address_that_is_none_gets_nothing_and_stops_nobody(
    school: School, letters: LetterService, any_db: Database, clock: FakeClock
) -> None:
    with any_db.transaction() as s:
        s.get_one(User, school.lecturer.id).left_at = START + timedelta(seconds=1)
        s.get_one(User, school.operator.id).email = "hoa@example.vn\r\nBcc: eve@example.vn"
        s.get_one(BridgePoint, school.main.id).contact_email = "DAKRONG@example.vn"  # one person for two points
    clock.set(START + timedelta(seconds=1))
    school.lecture(START)
    assert told(any_db) == [("dakrong@example.vn", "REQUEST", 0)]


def test_about_what_is_over_nobody_gets_letters(
    school: School, letters: LetterService, any_db: Database, clock: FakeClock
) -> None:
    lecture = school.lecture(START)
    clock.set(lecture.ends_at)
    school.schedules.cancel_lecture(lecture.id, by=school.organiser.id)
    assert len(kept(any_db)) == 3


people = st.sampled_from(["a@x.vn", "b@x.vn", "c@x.vn"])


@given(st.lists(st.tuples(st.frozensets(people), st.booleans(), st.booleans()), min_size=1, max_size=8))
def test_after_any_changes_each_knows_last_what_is_true(steps: list[tuple[frozenset[str], bool, bool]]) -> None:
    """steps: (who is invited, whether SEQUENCE rises, whether it is told twice); then the lecture is cancelled."""
    past: list[Past] = []
    sequence = 0
    for invited, rises, twice in steps:
        sequence += rises
        for _ in range(1 + twice):
            for wish in wishes(plan(sequence=sequence), [Attendee("", a) for a in sorted(invited)], past):
                past.append(Past(wish.to.address, wish.method, sequence))
        knows = {
            a: max((p for p in past if p.address == a), key=lambda p: p.order).method for a in {p.address for p in past}
        }
        assert {a for a, method in knows.items() if method == "REQUEST"} <= invited
        if rises:
            assert {a for a, method in knows.items() if method == "REQUEST"} == invited
    for wish in wishes(plan(sequence=sequence + 1, status="cancelled"), [], past):
        past.append(Past(wish.to.address, wish.method, sequence + 1))
    assert len(past) == len(set(past))
    for address in {p.address for p in past}:
        assert max((p for p in past if p.address == address), key=lambda p: p.order).method == "CANCEL"


# ---- sending ----


def test_what_is_due_goes_out_once(
    school: School, letters: LetterService, any_db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    school.lecture(START)
    outbox = FileOutbox(tmp_path / "outbox")
    assert letters.deliver_due(clock.now() - timedelta(seconds=1), outbox) == 0
    assert letters.deliver_due(clock.now(), outbox) == 3
    assert letters.deliver_due(clock.advance(days=1), outbox) == 0
    rows = kept(any_db)
    assert {row.sent_at for row in rows} == {datetime(2026, 3, 2, 1, tzinfo=UTC)}
    assert {(row.next_try_at, row.tries, row.error) for row in rows} == {(None, 1, "")}
    assert {path.name: path.read_bytes() for path in (tmp_path / "outbox").iterdir()} == {
        f"{row.id}.eml": row.message for row in rows
    }


def test_by_smtp_too(school: School, letters: LetterService, any_db: Database, clock: FakeClock) -> None:
    school.lecture(START)
    box = Mailbox()
    with mail_server(box) as port:
        line = SmtpTransport("127.0.0.1", port, "", "", "none", "lich@example.vn")
        assert letters.deliver_due(clock.now(), line, limit=2) == 2
        assert letters.deliver_due(clock.now(), line) == 1
        assert letters.deliver_due(clock.now(), line) == 0
    assert {(to[0], body) for _, to, body in box.letters} == {(row.address, row.message) for row in kept(any_db)}


def test_a_letter_is_tried_again_later_and_later_and_then_given_up(
    school: School, letters: LetterService, any_db: Database, clock: FakeClock
) -> None:
    school.lecture(START)
    box = Mailbox({"hoa@example.vn": "451 later please"})
    with mail_server(box) as port:
        line = SmtpTransport("127.0.0.1", port, "", "", "none", "lich@example.vn")
        assert letters.deliver_due(clock.now(), line) == 2
        for tries, minutes in enumerate((1, 5, 30, 120, 720), 1):
            (row,) = kept(any_db, address="hoa@example.vn")
            again = clock.now() + timedelta(minutes=minutes)
            assert (row.tries, row.error, row.next_try_at) == (tries, "smtp.451", again)
            clock.advance(minutes=minutes, seconds=-1)
            assert letters.deliver_due(clock.now(), line) == 0
            assert kept(any_db, address="hoa@example.vn")[0].tries == tries
            clock.advance(1)
            assert letters.deliver_due(clock.now(), line) == 0
        (row,) = kept(any_db, address="hoa@example.vn")
        assert (row.tries, row.error, row.next_try_at, row.sent_at) == (6, "smtp.451", None, None)
        box.refuses.clear()
        assert letters.deliver_due(clock.advance(days=30), line) == 0
    assert sorted(to[0] for _, to, _ in box.letters) == ["dakrong@example.vn", "minh@example.vn"]


def test_a_letter_that_was_refused_goes_out_when_it_is_taken_later(
    school: School, letters: LetterService, any_db: Database, clock: FakeClock
) -> None:
    school.lecture(START)
    box = Mailbox({"hoa@example.vn": "450 busy"})
    with mail_server(box) as port:
        line = SmtpTransport("127.0.0.1", port, "", "", "none", "lich@example.vn")
        assert letters.deliver_due(clock.now(), line) == 2
        box.refuses.clear()
        assert letters.deliver_due(clock.advance(minutes=1), line) == 1
    (row,) = kept(any_db, address="hoa@example.vn")
    assert (row.tries, row.error, row.sent_at) == (2, "", clock.now())


def test_a_server_that_is_down_costs_one_letter_one_try(
    school: School, letters: LetterService, any_db: Database, clock: FakeClock, line: Line
) -> None:
    school.lecture(START)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, not listening
        down = SmtpTransport("127.0.0.1", nobody.getsockname()[1], "", "", "none", "lich@example.vn")
        assert letters.deliver_due(clock.now(), down) == 0
    assert sorted((row.tries, row.error) for row in kept(any_db)) == [(0, ""), (0, ""), (1, "smtp.unreachable")]
    assert letters.deliver_due(clock.advance(minutes=1), line) == 3
    assert {row.error for row in kept(any_db)} == {""}


def power_cut(address: str) -> None:
    raise PowerCut


def nothing(address: str) -> None:
    """Let the letter go its way."""


def test_when_the_process_dies_before_sending_the_letter_goes_out_after_its_lease(
    school: School, letters: LetterService, clock: FakeClock, line: Line
) -> None:
    school.lecture(START)
    line.before = power_cut
    with pytest.raises(PowerCut):
        letters.deliver_due(clock.now(), line)
    line.before = nothing
    assert letters.deliver_due(clock.now(), line) == 2  # the third still belongs to the dead one
    assert letters.deliver_due(clock.advance(LEASE.total_seconds()), line) == 1
    assert len(line.taken) == len(set(line.taken)) == 3


def test_when_the_process_dies_between_sending_and_marking_nobody_has_it_twice(
    school: School, letters: LetterService, any_db: Database, clock: FakeClock, line: Line, tmp_path: Path
) -> None:
    """It goes out again, the same to the byte: one file in the outbox, one Message-ID, one UID and SEQUENCE."""
    school.lecture(START)
    line.behind = power_cut
    with pytest.raises(PowerCut):
        letters.deliver_due(clock.now(), line)
    (written,) = (tmp_path / "outbox").iterdir()
    first = written.read_bytes()
    line.behind = nothing
    assert letters.deliver_due(clock.now(), line) == 2
    assert letters.deliver_due(clock.advance(LEASE.total_seconds()), line) == 1
    assert letters.deliver_due(clock.advance(days=1), line) == 0
    assert len(list((tmp_path / "outbox").iterdir())) == 3
    assert written.read_bytes() == first
    assert {row.sent_at is not None for row in kept(any_db)} == {True}


def test_a_letter_that_kills_every_process_is_given_up_too(
    school: School, letters: LetterService, any_db: Database, clock: FakeClock, line: Line
) -> None:
    school.lecture(START)
    line.before = lambda address: power_cut(address) if address == "hoa@example.vn" else None
    for _ in range(20):
        try:
            letters.deliver_due(clock.advance(LEASE.total_seconds()), line)
        except PowerCut:
            continue
    (row,) = kept(any_db, address="hoa@example.vn")
    assert (row.tries, row.next_try_at, row.error) == (len(RETRIES) + 1, None, "given_up")
    assert len(line.taken) == 2


def test_two_processes_never_send_the_same_letter(
    school: School, letters: LetterService, any_db: Database, clock: FakeClock, line: Line, tmp_path: Path
) -> None:
    """While one is sending, the other looks for what is due."""
    school.lecture(START)
    other, inner = LetterService(any_db, clock, SETTINGS, str), Line(tmp_path / "other")
    line.before = lambda address: other.deliver_due(clock.now(), inner)
    assert letters.deliver_due(clock.now(), line) == 1
    assert sorted(inner.taken + line.taken) == ["dakrong@example.vn", "hoa@example.vn", "minh@example.vn"]


def test_a_sender_that_comes_back_late_does_not_undo_what_another_did(
    school: School, letters: LetterService, any_db: Database, clock: FakeClock, line: Line, tmp_path: Path
) -> None:
    """Its lease has passed, another has sent the letter; its own failure changes nothing any more."""
    school.lecture(START)
    other, inner = LetterService(any_db, clock, SETTINGS, str), Line(tmp_path / "other")

    def too_late(address: str) -> None:
        other.deliver_due(clock.advance(LEASE.total_seconds()), inner)
        raise DeliveryFailed("smtp.unreachable", True)

    line.before = too_late
    assert letters.deliver_due(clock.now(), line) == 0
    assert len(inner.taken) == 3
    assert {(row.next_try_at, row.error) for row in kept(any_db)} == {(None, "")}


def test_an_older_letter_does_not_come_after_a_newer_one(
    school: School, letters: LetterService, any_db: Database, clock: FakeClock
) -> None:
    lecture = school.lecture(START)
    box = Mailbox({"hoa@example.vn": "451 later please"})
    with mail_server(box) as port:
        line = SmtpTransport("127.0.0.1", port, "", "", "none", "lich@example.vn")
        letters.deliver_due(clock.now(), line)
        school.schedules.update_lecture(lecture.id, school.draft(START, 60), by=school.organiser.id)
        box.refuses.clear()
        assert letters.deliver_due(clock.now(), line) == 3  # the change, before the invitation's second try
        assert letters.deliver_due(clock.advance(hours=1), line) == 0
    first, second = kept(any_db, address="hoa@example.vn")
    assert (first.sent_at, first.next_try_at, first.error) == (None, None, "superseded")
    assert second.sent_at is not None


def test_lectures_that_nobody_was_told_of_are_found_for_three_days_while_they_are_not_over(
    school: School, letters: LetterService, any_db: Database, clock: FakeClock
) -> None:
    deaf = ScheduleService(any_db, EventBus(), clock)
    at = clock.now() + timedelta(days=9)
    told_of = school.lecture(at)
    lost = deaf.create_lecture(school.draft(at + timedelta(hours=3)), school.organiser.id)
    soon_over = deaf.create_lecture(school.draft(clock.now() + timedelta(hours=1)), school.organiser.id)
    assert letters.untold(clock.now()) == sorted([(lost.id, 0), (soon_over.id, 0)])
    clock.advance(hours=3)
    assert letters.untold(clock.now()) == [(lost.id, 0)]
    assert letters.write(deaf.lecture(lost.id)) == 3
    assert letters.untold(clock.now()) == []
    deaf.cancel_lecture(told_of.id, school.organiser.id)
    assert letters.untold(clock.now()) == [(told_of.id, 1)]
    clock.advance(days=3)
    assert letters.untold(clock.now()) == []
