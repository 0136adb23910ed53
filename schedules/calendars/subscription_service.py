"""Calendars of other bodies that are followed, and when they keep whom busy. The only SQL on these tables."""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Base, Database
from core.errors import N_, AppError, Conflict, Invalid, NotFound
from core.ids import new_id
from schedules.calendars.busy_reader import Read, read_busy
from schedules.calendars.fetch import Fetched, Fetcher
from schedules.calendars.models import BusyTime, Subscription
from schedules.conflicts import Hold, Taken
from schedules.directory_service import found
from schedules.ical import one_line
from schedules.models import Booking, BridgePoint, Equipment, Lecture, User
from schedules.records import LectureLine, ResourceKind

BACK, AHEAD = timedelta(days=366), timedelta(days=2 * 366)  # a year back, two years ahead
EVERY = timedelta(hours=1)
SOON = timedelta(days=30)  # so long before an uploaded file counts no longer, people are warned
Reader = Callable[[bytes, datetime, datetime, str], Read]
AT_ONCE = 5  # calendars that one call refreshes: each may take ten seconds
IDS_AT_ONCE = 500  # in one IN (…)
ETAG_LENGTH = NAME_LENGTH = 200  # the columns'
TABLES: dict[ResourceKind, type[Base]] = {"point": BridgePoint, "equipment": Equipment, "lecturer": User}


@dataclass(frozen=True)
class SubscriptionView:
    """A calendar that is followed.  error: code of what went wrong the last time, empty: nothing."""

    id: str
    name: str
    kind: ResourceKind
    resource_id: str
    url: str | None  # None: the file was uploaded
    made_by: str
    made_at: datetime
    tried_at: datetime | None
    read_at: datetime | None
    error: str
    busy_times: int
    skipped: int = 0  # events that could not be read; known only of a reading just made

    @property
    def counts_until(self) -> datetime | None:
        """Return until when an uploaded file counts; None for an address, which is read again and again."""
        return self.read_at + AHEAD if self.url is None and self.read_at is not None else None

    def ends_soon(self, now: datetime) -> bool:
        """Return whether it is an uploaded file that counts for 30 more days at most."""
        return self.counts_until is not None and self.counts_until <= now + SOON


@dataclass(frozen=True)
class BusyView:
    """A resource is taken by something in another body's calendar."""

    resource_id: str
    starts_at: datetime
    ends_at: datetime
    summary: str
    subscription_id: str
    calendar: str  # the subscription's name


class SubscriptionService:
    """Follows calendars of other bodies. It waits for their servers, so it belongs in a thread of its own."""

    def __init__(self, db: Database, clock: Clock, fetcher: Fetcher, zone: str, read: Reader = read_busy) -> None:
        """Keep calendars in `db`, fetch them with `fetcher`.

        zone: IANA name, for whole days and for times that name no zone; read: reads a file, elsewhere if that
        takes long.
        """
        self._reader = read
        self._db, self._clock, self._fetcher, self._zone = db, clock, fetcher, zone

    def subscribe_url(self, name: str, kind: ResourceKind, resource_id: str, url: str, by: str) -> SubscriptionView:
        """Follow the calendar at an address, once it has been read.

        name: for people; kind, resource_id: whom or what it keeps busy; by: the person's id.
        Raises NotFound for an unknown resource, Conflict when this one already follows that address, and what
        fetching and reading raise; then nothing is kept.
        """
        url, name = self._fetcher.check(url), _named(name)
        self._check_resource(kind, resource_id)
        self._check_new(resource_id, url)
        fetched = self._fetcher.fetch(url)
        if fetched is None:
            raise AssertionError("a fetch without an ETag is never `not modified`")
        return self._add(name, kind, resource_id, url, fetched, by)

    def subscribe_file(self, name: str, kind: ResourceKind, resource_id: str, data: bytes, by: str) -> SubscriptionView:
        """Count the events of an uploaded calendar file as busy; it stays as it is until it is removed.

        data: the file.  Raises NotFound for an unknown resource, and what reading raises; then nothing is kept.
        """
        name = _named(name)
        self._check_resource(kind, resource_id)
        return self._add(name, kind, resource_id, None, Fetched(data, ""), by)

    def subscriptions(self) -> list[SubscriptionView]:
        """Return every calendar that is followed, by name."""
        with self._db.reading() as s:
            rows = s.scalars(select(Subscription).order_by(Subscription.name, Subscription.id)).all()
            counted = select(BusyTime.subscription_id, func.count()).group_by(BusyTime.subscription_id)
            counts = {row[0]: row[1] for row in s.execute(counted)}
        return [_view(row, counts.get(row.id, 0)) for row in rows]

    def subscription(self, subscription_id: str) -> SubscriptionView:
        """Return a calendar that is followed.  Raises NotFound."""
        with self._db.reading() as s:
            row = _found(s, subscription_id)
            return _view(row, _count(s, subscription_id))

    def remove(self, subscription_id: str) -> None:
        """Follow a calendar no longer, and forget when it kept busy.  Raises NotFound."""
        with self._db.transaction() as s:
            row = _found(s, subscription_id)
            s.execute(delete(BusyTime).where(BusyTime.subscription_id == subscription_id))
            s.delete(row)

    def refresh(self, subscription_id: str) -> SubscriptionView:
        """Read a calendar again; when that fails, its busy times stay and the view's `error` says why.

        Raises NotFound, also when it is removed meanwhile, and Invalid for an uploaded file.
        """
        now = self._clock.now()
        with self._db.reading() as s:
            row = _found(s, subscription_id)
        if row.url is None:
            raise Invalid("calendar.no_address", N_("This calendar was uploaded as a file; upload it again instead."))
        # The window goes on with time: once a day all is read anew, even when the calendar is the same.
        is_first_today = row.read_at is None or row.read_at.date() != now.date()
        try:
            fetched = self._fetcher.fetch(row.url, "" if is_first_today else row.etag)
            read = None if fetched is None else self._read(fetched.data, now)
        except AppError as error:
            return self._keep_failure(subscription_id, now, error.code)
        return self._keep(subscription_id, now, fetched, read)

    def refresh_due(self, now: datetime, at_most: int = AT_ONCE) -> int:
        """Refresh the calendars that were not tried for an hour, the longest waiting first.

        now: aware; at_most: how many.  Returns how many were tried.
        """
        wait = select(Subscription).where(
            Subscription.url.is_not(None),
            or_(Subscription.tried_at.is_(None), Subscription.tried_at <= now - EVERY),
        )
        with self._db.transaction() as s:
            rows = s.scalars(
                wait.order_by(Subscription.tried_at.nulls_first(), Subscription.id)
                .limit(at_most)
                .with_for_update(skip_locked=True)
            ).all()
            for row in rows:
                row.tried_at = now  # taken: another process does not ask the same servers too
        for row in rows:
            try:
                self.refresh(row.id)
            except NotFound:
                pass  # removed meanwhile
        return len(rows)

    def busy(self, resource_ids: Collection[str] | None, start: datetime, end: datetime) -> list[BusyView]:
        """Return when other bodies' calendars keep resources busy within [start, end), earliest first.

        resource_ids: of points, equipment, lecturers, None: of all; start, end: aware. Times are whole, not cut
        at start and end.
        """
        views = []
        query = select(BusyTime, Subscription.name).join(Subscription, Subscription.id == BusyTime.subscription_id)
        query = query.where(BusyTime.starts_at < end, BusyTime.ends_at > start)
        parts = [query]
        if resource_ids is not None:
            ids = sorted(set(resource_ids))
            chunks = [ids[n : n + IDS_AT_ONCE] for n in range(0, len(ids), IDS_AT_ONCE)]
            parts = [query.where(BusyTime.resource_id.in_(chunk)) for chunk in chunks]
        with self._db.reading() as s:
            for part in parts:
                for row, name in s.execute(part):
                    seen = BusyView(row.resource_id, row.starts_at, row.ends_at, row.summary, row.subscription_id, name)
                    views.append(seen)
        return sorted(views, key=lambda v: (v.starts_at, v.ends_at, v.resource_id, v.summary))

    def in_the_way(self) -> dict[str, list[LectureLine]]:
        """Return the planned lectures at whose time a calendar keeps busy what they need: by the calendar's id.

        Only calendars that are in the way of any have an entry; its lectures are in order of time.
        """
        now = self._clock.now()
        followed = select(Subscription.resource_id)
        busy = select(BusyTime.resource_id, BusyTime.starts_at, BusyTime.ends_at, BusyTime.subscription_id)
        needs = (
            select(Booking.resource_id, Booking.starts_at, Booking.ends_at, Lecture)
            .join(Lecture, Lecture.id == Booking.lecture_id)
            .where(Booking.resource_id.in_(followed), Booking.ends_at > now)
            .where(Lecture.status.in_(("planned", "open")))
        )
        found_of: dict[str, dict[str, LectureLine]] = defaultdict(dict)
        with self._db.reading() as s:
            # a calendar stands for the event that holds: which of its events it is, nobody asks
            taken = Taken(Hold("point", *row) for row in s.execute(busy.where(BusyTime.ends_at > now)))
            for resource_id, starts_at, ends_at, row in s.execute(needs):
                for hold in taken.in_the_way(Hold("point", resource_id, starts_at, ends_at, row.id)):
                    line = LectureLine(row.id, row.title, row.starts_at, row.ends_at, row.zone)
                    found_of[hold.holder_id][row.id] = line
        return {i: sorted(lines.values(), key=lambda line: (line.starts_at, line.id)) for i, lines in found_of.items()}

    # ---- inside ----

    def _read(self, data: bytes, now: datetime) -> Read:
        return self._reader(data, now - BACK, now + AHEAD, self._zone)

    def _check_resource(self, kind: ResourceKind, resource_id: str) -> None:
        if kind not in TABLES:
            raise Invalid("calendar.bad_kind", N_("A calendar belongs to a point, a set of equipment or a lecturer."))
        with self._db.reading() as s:
            found(s, TABLES[kind], resource_id)

    def _check_new(self, resource_id: str, url: str) -> None:
        same = select(Subscription.id).where(Subscription.resource_id == resource_id, Subscription.url == url)
        with self._db.reading() as s:
            if s.scalar(same) is not None:
                raise Conflict("calendar.already_followed", N_("This calendar is followed already."))

    def _add(
        self, name: str, kind: ResourceKind, resource_id: str, url: str | None, fetched: Fetched, by: str
    ) -> SubscriptionView:
        now = self._clock.now()
        read = self._read(fetched.data, now)
        row = Subscription(
            id=new_id("sub"),
            name=name,
            kind=kind,
            resource_id=resource_id,
            url=url,
            made_by=by,
            made_at=now,
            etag=_etag(fetched),
            tried_at=now,
            read_at=now,
            error="",
        )
        with self._db.transaction() as s:
            found(s, User, by)
            found(s, TABLES[kind], resource_id)
            s.add(row)
            s.flush()
            _write_busy(s, row, read)
        return _view(row, len(read.busy), read.skipped)

    def _keep_failure(self, subscription_id: str, now: datetime, code: str) -> SubscriptionView:
        with self._db.transaction() as s:
            row = _found(s, subscription_id, for_writing=True)
            row.tried_at, row.error = now, code
            return _view(row, _count(s, subscription_id))

    def _keep(
        self, subscription_id: str, now: datetime, fetched: Fetched | None, read: Read | None
    ) -> SubscriptionView:
        """Write what was read, all or nothing; without a reading the calendar was the same."""
        with self._db.transaction() as s:
            row = _found(s, subscription_id, for_writing=True)
            row.tried_at, row.read_at, row.error = now, now, ""
            if fetched is None or read is None:
                return _view(row, _count(s, subscription_id))
            row.etag = _etag(fetched)
            s.execute(delete(BusyTime).where(BusyTime.subscription_id == subscription_id))
            _write_busy(s, row, read)
            return _view(row, len(read.busy), read.skipped)


def _named(name: str) -> str:
    name = one_line(name)
    if not 0 < len(name) <= NAME_LENGTH:
        raise Invalid(
            "calendar.bad_name", N_("Give the calendar a name of at most %(limit)s letters."), limit=NAME_LENGTH
        )
    return name


def _etag(fetched: Fetched) -> str:
    """Return an ETag that fits its column; without one the calendar is simply read again."""
    etag = fetched.etag
    return etag if len(etag) <= ETAG_LENGTH and etag.isascii() and etag.isprintable() else ""


def _found(s: Session, subscription_id: str, for_writing: bool = False) -> Subscription:
    row = s.get(Subscription, subscription_id, with_for_update=for_writing)
    if row is None:
        raise NotFound("calendar.unknown", N_("There is no such calendar."))
    return row


def _count(s: Session, subscription_id: str) -> int:
    return s.scalar(select(func.count()).where(BusyTime.subscription_id == subscription_id)) or 0


def _write_busy(s: Session, row: Subscription, read: Read) -> None:
    if read.busy:
        s.execute(
            insert(BusyTime),
            [
                {
                    "id": new_id("bsy"),
                    "subscription_id": row.id,
                    "resource_id": row.resource_id,
                    "starts_at": busy.starts_at,
                    "ends_at": busy.ends_at,
                    "summary": busy.summary,
                }
                for busy in read.busy
            ],
        )


def _view(row: Subscription, busy_times: int, skipped: int = 0) -> SubscriptionView:
    return SubscriptionView(
        id=row.id,
        name=row.name,
        kind=cast(ResourceKind, row.kind),
        resource_id=row.resource_id,
        url=row.url,
        made_by=row.made_by,
        made_at=row.made_at,
        tried_at=row.tried_at,
        read_at=row.read_at,
        error=row.error,
        busy_times=busy_times,
        skipped=skipped,
    )
