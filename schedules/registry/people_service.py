"""People: who they are, what they may do, what lecturers teach and how much of it."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Database
from core.errors import N_, Conflict, Invalid
from core.ids import new_id, new_key
from core.permissions import Role
from schedules.booking_service import Bookings, hours_of, wait_for_planners
from schedules.directory_service import check_home, found
from schedules.models import Booking, Lecture, LecturerProfile, LecturerTopic, Organisation, Topic, User
from schedules.names import person_key, search_key
from schedules.registry.belonging_service import follow_lecturers
from schedules.registry.checks import check_person
from schedules.registry.load_service import hours_on_duty, hours_taught
from schedules.registry.organisation_service import free_code
from schedules.registry.place_service import refuse_booked
from schedules.registry.records import Employment, Load, PersonDraft, PersonLine, Profile
from schedules.zones import midnight, to_local

DAY = timedelta(days=1)


class People:
    """Everybody whom the product knows."""

    def __init__(self, db: Database, clock: Clock, bookings: Bookings, zone: str) -> None:
        """Use `db` for every transaction, `bookings` for the hours of lecturers; zone: of days and years."""
        self._db = db
        self._clock = clock
        self._bookings = bookings
        self._zone = zone

    def add(self, draft: PersonDraft, password_hash: str = "") -> str:
        """Add a person.  password_hash: encoded; empty: they cannot sign in yet.  Returns their id.

        Raises Invalid for a draft that makes no sense, NotFound, Conflict for a login or code that somebody has.
        """
        check_person(draft)
        user_id = new_id("usr")
        row = User(id=user_id, password_hash=password_hash, calendar_key=new_key())
        with self._db.transaction() as s:
            check_home(s, draft.org_id)
            write_person(s, self._clock, row, draft, self._zone)
        self._bookings.set_hours(user_id, draft.profile.windows)
        return user_id

    def update(self, user_id: str, draft: PersonDraft) -> None:
        """Let a person be as the draft says; their password stays.

        Raises as `add`, and Conflict when lectures still need somebody who leaves or no longer teaches, and when
        nobody would be left who may do everything.
        """
        check_person(draft)
        with self._db.transaction() as s:
            row = found(s, User, user_id)
            if draft.org_id != row.org_id:
                check_home(s, draft.org_id)
            was_admin = "admin" in row.roles
            refuse_needed(s, self._clock, row, draft, self._zone)
            write_person(s, self._clock, row, draft, self._zone)
            if was_admin:
                refuse_no_admin(s, self._clock)
        self._bookings.set_hours(user_id, draft.profile.windows)

    def set_password(self, user_id: str, password_hash: str) -> None:
        """Give a person a password, which ends their other visits.  password_hash: encoded.  Raises NotFound."""
        with self._db.transaction() as s:
            row = found(s, User, user_id)
            if row.login == row.id:
                raise Invalid("user.no_login", N_("Please give the person a login first."))
            row.password_hash = password_hash

    def line(self, user_id: str) -> PersonLine:
        """Return a person.  Raises NotFound."""
        with self._db.reading() as s:
            return self._lines(s, [found(s, User, user_id)])[0]

    def find(self, words: str = "", role: Role | None = None, left: bool = False, most: int = 300) -> list[PersonLine]:
        """Return people by given name, at most so many.

        words: all of them in name, login, code or e-mail address, without regard to marks and case;
        left: those who have left too.
        """
        query = select(User)
        if not left:
            query = query.where(or_(User.left_at.is_(None), User.left_at > self._clock.now()))
        for key in search_key(words).split():
            fields = (User.search_key, func.lower(User.code), User.login, func.lower(User.email))
            query = query.where(or_(*(field.contains(key, autoescape=True) for field in fields)))
        with self._db.reading() as s:
            rows = [row for row in s.scalars(query) if role is None or role in row.roles]
            return self._lines(s, sorted(rows, key=lambda row: person_key(row.name))[:most])

    def load(self, user_id: str, year: int | None = None) -> Load:
        """Return how many hours a lecturer teaches in a calendar year, None: this one.  Raises NotFound."""
        with self._db.reading() as s:
            found(s, User, user_id)
            profile = s.get(LecturerProfile, user_id)
            year = year or self._this_year()
            held, planned = hours_taught(s, {user_id}, year, self._zone).get(user_id, (0.0, 0.0))
            return Load(held, planned, profile.hours_max if profile else None)

    def _this_year(self) -> int:
        return to_local(self._clock.now(), self._zone).year

    def _lines(self, s: Session, rows: Collection[User]) -> list[PersonLine]:
        now = self._clock.now()
        teaching = {row.id for row in rows if "lecturer" in row.roles}
        orgs = {i: name for i, name in s.execute(select(Organisation.id, Organisation.name))}
        profiles = {p.user_id: p for p in s.scalars(select(LecturerProfile))}
        topics: defaultdict[str, list[str]] = defaultdict(list)
        for topic in s.scalars(select(LecturerTopic)):
            topics[topic.user_id].append(topic.topic_id)
        windows = hours_of(s, teaching)
        hours = hours_taught(s, teaching, self._this_year(), self._zone)
        operating = {row.id for row in rows if "operator" in row.roles}
        duties = hours_on_duty(s, operating, self._this_year(), self._zone)
        lines = []
        for row in rows:
            known = profiles.get(row.id)
            profile = Profile(
                cast(Employment, known.employment) if known else "full",
                known.qualification if known else "",
                known.hours_max if known else None,
                tuple(topics[row.id]),
                tuple(windows.get(row.id, ())),
            )
            left = row.left_at is not None and row.left_at <= now
            load = Load(*hours.get(row.id, (0.0, 0.0)), profile.hours_max) if row.id in teaching else None
            duty = Load(*duties.get(row.id, (0.0, 0.0)), None) if row.id in operating else None
            draft = person_draft(row, profile, self._zone)
            may_sign_in = bool(row.password_hash) and not left
            lines.append(PersonLine(row.id, draft, orgs[row.org_id], may_sign_in, left, load, duty))
        return lines


def refuse_needed(s: Session, clock: Clock, row: User, draft: PersonDraft, zone: str) -> None:
    """Raise Conflict naming the lectures that need somebody after their last day, or in a role they lose."""
    wait_for_planners(s)
    now = clock.now()
    if "lecturer" in row.roles and "lecturer" not in draft.roles:
        teaches = select(Lecture.title).where(
            Lecture.lecturer_id == row.id, Lecture.ends_at > now, Lecture.status.in_(("planned", "open", "live"))
        )
        refuse_booked(s, row.name, list(s.scalars(teaches.order_by(Lecture.starts_at))))
    gone = left_at(draft, zone)
    if gone is not None and gone != row.left_at:
        late = select(Lecture.title).join(Booking, Booking.lecture_id == Lecture.id)
        late = late.where(Booking.resource_id == row.id, Booking.ends_at > max(gone, now))
        refuse_booked(s, row.name, list(s.scalars(late.order_by(Booking.starts_at))))


def refuse_no_admin(s: Session, clock: Clock) -> None:
    """Raise Conflict when nobody would be left who may administer everything."""
    s.flush()
    staying = select(User).where(or_(User.left_at.is_(None), User.left_at > clock.now()), User.password_hash != "")
    if not any("admin" in row.roles for row in s.scalars(staying)):
        raise Conflict("user.last_admin", N_("Somebody must stay who may administer everything."))


def left_at(draft: PersonDraft, zone: str) -> datetime | None:
    """Return the moment from which on a person has left: the end of their last day."""
    return midnight(draft.last_day + DAY, zone) if draft.last_day is not None else None


def person_draft(row: User, profile: Profile, zone: str) -> PersonDraft:
    """Return a person as a draft that would change nothing."""
    return PersonDraft(
        name=row.name,
        org_id=row.org_id,
        roles=frozenset(cast(list[Role], row.roles)),
        login="" if row.login == row.id else row.login,
        email=row.email or "",
        phone=row.phone or "",
        position=row.position or "",
        code=row.code or "",
        last_day=to_local(row.left_at, zone).date() - DAY if row.left_at is not None else None,
        profile=profile,
    )


def write_person(s: Session, clock: Clock, row: User, draft: PersonDraft, zone: str) -> None:
    """Write a person, new or known, with what is known of a lecturer; hours of the week excepted.

    Raises NotFound for a topic, Conflict for a login or code that somebody has.
    """
    login = draft.login.strip().lower() or row.id
    if s.scalar(select(User.id).where(User.login == login, User.id != row.id)):
        raise Conflict("user.login_taken", N_("The login “%(login)s” is already in use."), login=login)
    free_code(s, User, draft.code, row.id)
    moved = row.org_id is not None and row.org_id != draft.org_id
    row.login, row.name, row.org_id, row.roles = login, draft.name, draft.org_id, sorted(draft.roles)
    row.search_key, row.code = search_key(draft.name), draft.code or None
    row.email, row.phone, row.position = draft.email, draft.phone, draft.position
    row.left_at = left_at(draft, zone)
    s.add(row)
    s.flush()
    if moved:
        follow_lecturers(s, [row.id], row.org_id, clock.now())
    known = s.get(LecturerProfile, row.id)
    if "lecturer" not in draft.roles and known is None:
        return
    if known is None:
        known = LecturerProfile(user_id=row.id)
        s.add(known)
    profile = draft.profile
    known.employment, known.qualification, known.hours_max = (
        profile.employment,
        profile.qualification,
        profile.hours_max,
    )
    s.execute(delete(LecturerTopic).where(LecturerTopic.user_id == row.id))
    for topic_id in sorted(set(profile.topic_ids)):
        found(s, Topic, topic_id)
        s.add(LecturerTopic(user_id=row.id, topic_id=topic_id))
    s.flush()
