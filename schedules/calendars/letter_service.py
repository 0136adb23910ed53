"""Letters with invitations: written when a lecture is planned, changed or cancelled, and sent until they arrive."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Database
from core.errors import Invalid
from core.ids import new_id
from schedules.calendars.letter_text import Occasion, Translate, body, link_labels, subject
from schedules.calendars.mail import DeliveryFailed, Transport, compose, mail_address, mailbox, recipient
from schedules.calendars.models import Letter
from schedules.events import LectureCancelled, LectureChanged, LectureScheduled
from schedules.ical import Attendee, AttendeeRole, Method, invitation, one_line
from schedules.models import BridgePoint, Lecture, LecturePoint, PointOperator, User
from schedules.records import LectureView

log = logging.getLogger(__name__)

RETRIES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720))  # then the letter is given up
# A letter on its way belongs to one sender for so long. Longer than one send can take: eight answers
# of a server at 20 s each. When the process dies in between, the letter is due again after this.
LEASE = timedelta(minutes=5)
LOOKED_BACK = timedelta(days=3)  # for changes of which nobody was told: longer than a weekend that a server is down
BATCH = 50  # letters in one round: the ticker that calls has other work too
WRITERS_MAX = 3  # attempts to store letters while others write the same ones


class MailSettings(Protocol):
    """What of the configuration letters need; core.config.Config has it."""

    @property
    def public_url(self) -> str:
        """Of the product, without a final slash."""
        ...

    @property
    def sender(self) -> str:
        """Whom letters come from, such as `Điểm Cầu <lich@example.vn>`."""
        ...

    @property
    def locale(self) -> str:
        """The language of letters, such as `vi`."""
        ...


@dataclass(frozen=True)
class Wish:
    """A letter that should be."""

    to: Attendee
    method: Method
    occasion: Occasion


@dataclass(frozen=True)
class Past:
    """A letter that is."""

    address: str
    method: str
    sequence: int

    @property
    def order(self) -> tuple[int, bool]:
        """Return what tells the newer of two to one address; of one sequence, CANCEL comes last."""
        return (self.sequence, self.method == "CANCEL")


def wishes(lecture: LectureView, invited: Iterable[Attendee], past: Iterable[Past]) -> list[Wish]:
    """Return the letters that a lecture as it is now wants, beyond those that are. Pure.

    Who has the lecture's SEQUENCE already, or a newer one, gets nothing: the same change twice makes no
    second letter. Who was let go and is wanted again before the SEQUENCE rises gets none either, for
    programs would take it for the older version.
    """
    guests = {person.address: person for person in invited}
    last: dict[str, Past] = {}
    for letter in sorted(past, key=lambda letter: letter.order):
        last[letter.address] = letter
    wanted: list[Wish] = []
    if lecture.status != "cancelled":
        for address, person in guests.items():
            known = last.get(address)
            if known is None or known.sequence < lecture.sequence:
                again = known is not None and known.method == "REQUEST"
                wanted.append(Wish(person, "REQUEST", "changed" if again else "invited"))
    for address, known in last.items():
        stays = address in guests and lecture.status != "cancelled"
        if known.method == "REQUEST" and not stays and known.sequence <= lecture.sequence:
            occasion: Occasion = "cancelled" if lecture.status == "cancelled" else "uninvited"
            wanted.append(Wish(guests.get(address, Attendee("", address)), "CANCEL", occasion))
    return wanted


class LetterService:
    """Writes letters and sees that each arrives.

    Writing and sending are apart: `follow` is quick and needs no network; `deliver_due` is called every
    so often, by as many processes as like to.
    """

    def __init__(self, db: Database, clock: Clock, settings: MailSettings, translate: Translate) -> None:
        """Keep letters in `db`; `translate`: an English sentence into the language of letters."""
        self._db = db
        self._clock = clock
        self._settings = settings
        self._translate = translate

    # ---- writing ----

    def follow(self, event: LectureScheduled | LectureChanged | LectureCancelled) -> None:
        """Write the letters that an event of the timetable calls for; twice is once."""
        self.write(event.lecture)

    def write(self, lecture: LectureView) -> int:
        """Write what letters are missing for a lecture as it is now.  Returns how many that were.

        To the lecturer, the operators of its points and the points' contacts, of whom an address is known;
        to who was invited and is no longer. About a lecture that is over nobody gets letters.
        """
        now = self._clock.now()
        if lecture.ends_at <= now:
            return 0
        with self._db.reading() as s:
            invited = _invited(s, lecture)
            past = _past(s, lecture.id)
            wanted = [self._named(s, lecture.id, wish) for wish in wishes(lecture, invited, past)]
        letters = [self._letter(lecture, wish, invited, now) for wish in wanted]
        return self._store(lecture.id, letters) if letters else 0

    def untold(self, now: datetime) -> list[tuple[str, int]]:
        """Return (id, SEQUENCE) of lectures that were planned, changed or cancelled lately and have no letter about it.

        now: aware.  Whoever planned them may have died before `follow`, or nobody who takes part has an address.
        """
        told = select(Letter.id).where(Letter.lecture_id == Lecture.id, Letter.sequence == Lecture.sequence)
        query = select(Lecture.id, Lecture.sequence).where(
            Lecture.changed_at > now - LOOKED_BACK, Lecture.ends_at > now, ~told.exists()
        )
        with self._db.reading() as s:
            return [(row.id, row.sequence) for row in s.execute(query.order_by(Lecture.changed_at, Lecture.id))]

    def _named(self, s: Session, lecture_id: str, wish: Wish) -> Wish:
        """Give who is no longer known the name that the letter before had."""
        if wish.to.name:
            return wish
        before = select(Letter.message).where(Letter.lecture_id == lecture_id, Letter.address == wish.to.address)
        message = s.scalars(before.order_by(Letter.sequence.desc()).limit(1)).first()
        name = recipient(message).name if message else ""
        return Wish(Attendee(name, wish.to.address, wish.to.role), wish.method, wish.occasion)

    def _letter(self, lecture: LectureView, wish: Wish, invited: list[Attendee], now: datetime) -> Letter:
        settings, letter_id = self._settings, new_id("ltr")
        sender = mailbox(settings.sender)
        concerned = [wish.to] if wish.occasion == "uninvited" else invited or [wish.to]
        labels = link_labels(self._translate)
        calendar = invitation(lecture, wish.method, sender, concerned, now, settings.public_url, labels)
        text = body(lecture, wish.occasion, wish.to.name, settings.public_url, self._translate, settings.locale)
        title = subject(lecture, wish.occasion, self._translate)
        return Letter(
            id=letter_id,
            lecture_id=lecture.id,
            address=wish.to.address,
            method=wish.method,
            sequence=lecture.sequence,
            message=compose(
                letter_id, sender, wish.to, title, text, calendar, wish.method, now, language=settings.locale
            ),
            made_at=now,
            next_try_at=now,
            tries=0,
        )

    def _store(self, lecture_id: str, letters: list[Letter]) -> int:
        """Keep those that nobody else has written meanwhile, in one transaction."""
        for attempt in range(1, WRITERS_MAX + 1):
            try:
                with self._db.transaction() as s:
                    known = set(_past(s, lecture_id))
                    fresh = [x for x in letters if Past(x.address, x.method, x.sequence) not in known]
                    s.add_all(_copy(letter) for letter in fresh)
            except IntegrityError:
                if attempt == WRITERS_MAX:
                    raise
            else:
                return len(fresh)
        return 0

    # ---- sending ----

    def deliver_due(self, now: datetime, transport: Transport, limit: int = BATCH) -> int:
        """Send the letters that are due, the oldest first.  Returns how many left.

        now: what is due by then; limit: letters tried at most.  After a failure a letter is tried again
        1 min, 5 min, 30 min, 2 h and 12 h later, then given up.  When the server itself fails, the other
        letters wait for the next round without losing a try.

        A letter is claimed, sent and marked in that order, network and transactions apart: two processes
        never send the same one, and what is marked as sent is never sent again. A process that dies between
        sending and marking leaves a letter that goes out once more, under the same Message-ID and file
        name, UID and SEQUENCE, so that nobody's calendar has it twice; the other order would lose it.
        """
        due = select(Letter.id).where(Letter.next_try_at <= now)
        with self._db.reading() as s:
            ids = s.scalars(due.order_by(Letter.made_at, Letter.sequence, Letter.id).limit(limit)).all()
        left = 0
        for letter_id in ids:
            claimed = self._claim(letter_id, now)
            if claimed is None:
                continue
            try:
                transport.send(letter_id, claimed.address, claimed.message)
            except DeliveryFailed as failure:
                self._failed(claimed, failure.code)
                if failure.is_server:
                    break
            else:
                self._sent(letter_id)
                left += 1
        return left

    def _claim(self, letter_id: str, now: datetime) -> Letter | None:
        """Take a letter for LEASE, unless another did or it is of no use any more."""
        until = self._clock.now() + LEASE
        with self._db.transaction() as s:
            row = s.get(Letter, letter_id)
            if row is None or row.next_try_at is None or row.next_try_at > now:
                return None
            reason = _useless(s, row)
            change = {"next_try_at": None, "error": reason} if reason else {"next_try_at": until}
            taken = s.execute(
                update(Letter)
                .where(Letter.id == letter_id, Letter.next_try_at == row.next_try_at)
                .values(tries=Letter.tries + (0 if reason else 1), **change)
                .execution_options(synchronize_session=False)
            )
            if reason or not isinstance(taken, CursorResult) or taken.rowcount != 1:
                return None
            s.refresh(row)
            s.expunge(row)
        return row

    def _failed(self, claimed: Letter, code: str) -> None:
        """Say when a letter is tried again; it is left alone when its lease has passed to another."""
        again = self._clock.now() + RETRIES[claimed.tries - 1] if claimed.tries <= len(RETRIES) else None
        log.warning("letter not sent", extra={"letter": claimed.id, "tries": claimed.tries, "reason": code})
        with self._db.transaction() as s:
            s.execute(
                update(Letter)
                .where(Letter.id == claimed.id, Letter.next_try_at == claimed.next_try_at)
                .values(next_try_at=again, error=code)
            )

    def _sent(self, letter_id: str) -> None:
        with self._db.transaction() as s:
            s.execute(
                update(Letter)
                .where(Letter.id == letter_id)
                .values(sent_at=self._clock.now(), next_try_at=None, error="")
            )


def _useless(s: Session, row: Letter) -> str:
    """Return why a letter should not be sent any more, or an empty string."""
    if row.tries > len(RETRIES):
        return "given_up"  # the last process that tried died over it
    newer = select(Letter.address, Letter.method, Letter.sequence).where(
        Letter.lecture_id == row.lecture_id, Letter.address == row.address, Letter.sent_at.is_not(None)
    )
    mine = Past(row.address, row.method, row.sequence)
    return "superseded" if any(Past(*found).order > mine.order for found in s.execute(newer)) else ""


def _past(s: Session, lecture_id: str) -> list[Past]:
    query = select(Letter.address, Letter.method, Letter.sequence).where(Letter.lecture_id == lecture_id)
    return [Past(*row) for row in s.execute(query)]


def _copy(letter: Letter) -> Letter:
    """Return the same letter unknown to any session: a transaction that failed has spoilt the other."""
    names = [column.name for column in Letter.__table__.columns]
    return Letter(**{name: getattr(letter, name) for name in names if getattr(letter, name) is not None})


def _invited(s: Session, lecture: LectureView) -> list[Attendee]:
    """Return whom a lecture needs, each address once, the lecturer first.

    Where the plan names who looks after a point this time, the point's other operators are not asked.
    """
    points = lecture.all_point_ids
    named: dict[str, str] = {}
    for point_id, operator_id in s.execute(
        select(LecturePoint.point_id, LecturePoint.operator_id).where(LecturePoint.lecture_id == lecture.id)
    ):
        if operator_id is not None:
            named[point_id] = operator_id
    usual = select(PointOperator.point_id, PointOperator.user_id).where(PointOperator.point_id.in_(points))
    operators = {user_id for point_id, user_id in s.execute(usual) if point_id not in named}
    operators |= {user_id for point_id, user_id in named.items() if point_id in points}
    people = {
        row.id: row
        for row in s.scalars(select(User).where(User.id.in_({lecture.lecturer_id, *operators})))
        if row.left_at is None
    }
    asked: list[tuple[str, str, str, AttendeeRole]] = []
    for user_id in (lecture.lecturer_id, *sorted(operators - {lecture.lecturer_id})):
        if user_id in people:
            role: AttendeeRole = "CHAIR" if user_id == lecture.lecturer_id else "REQ-PARTICIPANT"
            asked.append((user_id, people[user_id].name, people[user_id].email, role))
    rows = {row.id: row for row in s.scalars(select(BridgePoint).where(BridgePoint.id.in_(points)))}
    for point in (rows[point_id] for point_id in points if point_id in rows):
        asked.append((point.id, point.contact_name or point.name, point.contact_email, "OPT-PARTICIPANT"))
    return _reachable(asked)


def _reachable(asked: Iterable[tuple[str, str, str, AttendeeRole]]) -> list[Attendee]:
    """Return those with an address that can be written to, each address once.

    asked: (id, name, address, role).  Addresses become lower case: no mailbox of today tells cases apart.
    """
    guests: dict[str, Attendee] = {}
    for of_id, name, text, role in asked:
        if not text.strip():
            continue
        try:
            address = mail_address(text).lower()
        except Invalid:
            log.warning("address not usable", extra={"of": of_id})
            continue
        guests.setdefault(address, Attendee(one_line(name), address, role))
    return list(guests.values())
