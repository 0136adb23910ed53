"""Organisations and their tree, of now and of any day."""

from collections import Counter
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.clock import Clock
from core.db import Database
from core.errors import N_, Conflict, Invalid, NotFound
from core.ids import new_id
from schedules.directory_service import check_home, found
from schedules.models import BridgePoint, Organisation, User
from schedules.registry import history_service
from schedules.registry.belonging_service import follow_lecturers, follow_points
from schedules.registry.checks import check_organisation
from schedules.registry.records import BEGINNING, Node, OrganisationDraft, OrganisationLine, Past
from schedules.registry.tree import ordered, tree_of
from schedules.zones import midnight, to_local


class Organisations:
    """The tree of organisations; what it was stays known when it changes."""

    def __init__(self, db: Database, clock: Clock, zone: str) -> None:
        """Use `db` for every transaction, ask `clock` for the time; zone: in which refusals tell days."""
        self._db = db
        self._clock = clock
        self._zone = zone

    # ---- changing ----

    def add(self, draft: OrganisationDraft, at: datetime | None = None) -> str:
        """Add an organisation.  at: when it was founded, None: it has always been.  Returns its id.

        Raises Invalid for a draft that makes no sense or a moment to come, NotFound for the parent, Conflict
        for a code that another has or an abolished parent.
        """
        check_organisation(draft)
        self._refuse_future(at)
        row = Organisation(
            id=new_id("org"), name=draft.name, parent_id=draft.parent_id, code=draft.code or None, tier=draft.tier
        )
        with self._db.transaction() as s:
            _check_parent(s, draft.parent_id)
            free_code(s, Organisation, draft.code)
            s.add(row)
            s.flush()
            history_service.begin(s, row, at or BEGINNING)
        return row.id

    def update(self, org_id: str, draft: OrganisationDraft, at: datetime | None = None) -> None:
        """Rename or re-parent an organisation with all below it, from a moment on.

        at: None: now.  Until then it stays what it was.  A code is no part of its past.  Raises as `add`, and
        Conflict when it was changed later, has been abolished, or would lie below itself.
        """
        check_organisation(draft)
        self._refuse_future(at)
        with self._db.transaction() as s:
            row = found(s, Organisation, org_id)
            refuse_abolished(row)
            if draft.parent_id != row.parent_id:
                _check_parent(s, draft.parent_id)
            free_code(s, Organisation, draft.code, org_id)
            row.code = draft.code or None
            moment = at or self._clock.now()
            history_service.change(s, row, moment, draft.name, draft.tier, draft.parent_id, self._zone)

    def rename(self, org_id: str, name: str, at: datetime | None = None) -> None:
        """Give an organisation another name from a moment on.  Raises as `update`."""
        line = self.line(org_id)
        self.update(org_id, OrganisationDraft(name, line.parent_id, line.code, line.tier), at)

    def move(self, org_id: str, parent_id: str | None, at: datetime | None = None) -> None:
        """Hang an organisation, with all below it, elsewhere from a moment on.  Raises as `update`."""
        line = self.line(org_id)
        self.update(org_id, OrganisationDraft(line.name, parent_id, line.code, line.tier), at)

    def abolish(
        self, org_id: str, successor_id: str | None = None, at: datetime | None = None, move: bool = False
    ) -> None:
        """End an organisation at a moment.

        successor_id: who took it over; at: None: now; move: bring what still belongs to it, organisations,
        bridge points and people, to the successor in the same step; lectures that begin before the moment, or have
        begun, stay its own.  Raises Conflict, naming some of it, when
        something belongs to it and is not moved; Invalid without a successor to move it to.
        """
        self._refuse_future(at)
        moment = at or self._clock.now()
        with self._db.transaction() as s:
            row = found(s, Organisation, org_id)
            refuse_abolished(row)
            successor = _successor(s, org_id, successor_id)
            history_service.backfill(s)
            if move:
                if successor is None:
                    raise Invalid("organisation.no_successor", N_("Please choose who takes it over."))
                self._hand_over(s, row, successor, moment)
            else:
                _refuse_full(s, row, self._clock.now())
            history_service.end(s, row, moment, self._zone)
            row.abolished_at, row.successor_id = moment, successor_id

    def _hand_over(self, s: Session, row: Organisation, successor: Organisation, at: datetime) -> None:
        above = successor.parent_id
        while above is not None and above != row.id:
            above = found(s, Organisation, above).parent_id
        if above == row.id:  # the successor was a part of it: first it takes its place
            history_service.change(s, successor, at, successor.name, successor.tier or "", row.parent_id, self._zone)
        for child in _children(s, row.id):
            if child.id != successor.id:
                history_service.change(s, child, at, child.name, child.tier or "", successor.id, self._zone)
        now = self._clock.now()
        here = select(BridgePoint).where(BridgePoint.org_id == row.id)
        points = s.scalars(here.where(or_(BridgePoint.retired_at.is_(None), BridgePoint.retired_at > now))).all()
        staying = or_(User.left_at.is_(None), User.left_at > now)
        people = s.scalars(select(User).where(User.org_id == row.id, staying)).all()
        for point in points:
            point.org_id = successor.id
        for user in people:
            user.org_id = successor.id
        s.flush()
        follow_points(s, [point.id for point in points], successor.id, at)
        follow_lecturers(s, [user.id for user in people], successor.id, at)

    def _refuse_future(self, at: datetime | None) -> None:
        if at is not None and at > self._clock.now():
            raise Invalid(
                "organisation.future", N_("That day is still to come. Please enter the change on the day itself.")
            )

    # ---- asking ----

    def tree_at(self, moment: datetime) -> list[Node]:
        """Return the tree as it was at a moment, each parent before its children."""
        with self._db.reading() as s:
            return tree_of(history_service.past_rows(s), moment)

    def organisation_at(self, org_id: str, moment: datetime) -> Node:
        """Return what an organisation was called and belonged to at a moment.

        Before it was founded what it was called first, after it was abolished what it was called last: reports
        of lectures need a name.  Raises NotFound.
        """
        past = self.past(org_id)
        there = [row for row in past if row.from_at <= moment] or past[:1]
        row = there[-1]
        return Node(row.org_id, row.name, row.tier, row.parent_id)

    def moment_of(self, org_id: str, day: date) -> datetime:
        """Return the moment at which a change that counts from a day on begins: its midnight.

        Today, after another change of today: now.
        """
        start = midnight(day, self._zone)
        now = self._clock.now()
        changed_today = any(row.from_at > start for row in self.past(org_id))
        return now if changed_today and to_local(now, self._zone).date() == day else start

    def past(self, org_id: str) -> list[Past]:
        """Return all that an organisation was, earliest first, the present last.  Raises NotFound."""
        with self._db.reading() as s:
            found(s, Organisation, org_id)
            return history_service.past_rows(s, org_id)

    def lines(self, abolished: bool = False) -> list[OrganisationLine]:
        """Return the present tree with what belongs to each; abolished: these too."""
        now = self._clock.now()
        points = select(BridgePoint.org_id).where(or_(BridgePoint.retired_at.is_(None), BridgePoint.retired_at > now))
        people = select(User.org_id, func.count()).where(or_(User.left_at.is_(None), User.left_at > now))
        query = select(Organisation)
        if not abolished:
            query = query.where(Organisation.abolished_at.is_(None))
        with self._db.reading() as s:
            rows = ordered(s.scalars(query), lambda o: o.id, lambda o: o.parent_id, lambda o: o.name)
            at_point = Counter(s.scalars(points))
            in_it = {org_id: count for org_id, count in s.execute(people.group_by(User.org_id))}
        return [_line(row, depth, at_point[row.id], in_it.get(row.id, 0)) for row, depth in rows]

    def line(self, org_id: str) -> OrganisationLine:
        """Return one organisation, abolished or not.  Raises NotFound."""
        for line in self.lines(abolished=True):
            if line.id == org_id:
                return line
        raise NotFound("organisation.unknown", N_("There is no such organisation."))


def free_code(s: Session, table: type[Any], code: str, own_id: str | None = None) -> None:
    """Raise Conflict when another row of a table has this code; letters' case does not matter."""
    if not code:
        return
    # SQLite's lower() knows ASCII only, so codes such as ĐH01 are also looked for as they are written
    same = or_(table.code.in_({code, code.lower(), code.upper()}), func.lower(table.code) == code.lower())
    for row_id, name in s.execute(select(table.id, table.name).where(same)):
        if row_id != own_id:
            raise Conflict(
                "registry.code_taken", N_("“%(name)s” has the code %(taken)s already."), name=name, taken=code
            )


def _check_parent(s: Session, parent_id: str | None) -> None:
    if parent_id is not None:
        check_home(s, parent_id)


def _successor(s: Session, org_id: str, successor_id: str | None) -> Organisation | None:
    if successor_id is None:
        return None
    if successor_id == org_id:
        raise Invalid("organisation.own_successor", N_("An organisation cannot take over itself."))
    check_home(s, successor_id)
    return found(s, Organisation, successor_id)


def refuse_abolished(row: Organisation) -> None:
    """Raise Conflict for an organisation that has been abolished."""
    if row.abolished_at is not None:
        raise Conflict("organisation.abolished", N_("“%(name)s” has been abolished."), name=row.name)


def _children(s: Session, org_id: str) -> list[Organisation]:
    query = select(Organisation).where(Organisation.parent_id == org_id, Organisation.abolished_at.is_(None))
    return list(s.scalars(query.order_by(Organisation.name)))


def _refuse_full(s: Session, row: Organisation, now: datetime) -> None:
    points = s.scalars(
        select(BridgePoint.name)
        .where(BridgePoint.org_id == row.id, or_(BridgePoint.retired_at.is_(None), BridgePoint.retired_at > now))
        .order_by(BridgePoint.name)
    ).all()
    names = [*(child.name for child in _children(s, row.id)), *points]
    if names:
        shown = ", ".join(names[:5]) + ("…" if len(names) > 5 else "")
        raise Conflict(
            "organisation.not_empty",
            N_("To “%(name)s” still belong: %(parts)s. Please move them to its successor in the same step."),
            name=row.name,
            parts=shown,
        )


def _line(row: Organisation, depth: int, points: int, people: int) -> OrganisationLine:
    return OrganisationLine(
        id=row.id,
        name=row.name,
        code=row.code or "",
        tier=row.tier or "",
        parent_id=row.parent_id,
        depth=depth,
        abolished_at=row.abolished_at,
        successor_id=row.successor_id,
        points=points,
        people=people,
    )
