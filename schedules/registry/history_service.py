"""The past of organisations: every change of a name or a parent leaves a row; the only writer of those rows."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import N_, Conflict
from core.ids import new_id
from schedules.models import Organisation, OrganisationPast
from schedules.registry.records import BEGINNING, Past
from schedules.registry.tree import circle_since
from schedules.zones import to_local


def begin(s: Session, org: Organisation, at: datetime) -> OrganisationPast:
    """Write down what an organisation is called and belongs to from a moment on.  Returns the row."""
    row = OrganisationPast(
        id=new_id("ops"), org_id=org.id, name=org.name, tier=org.tier or "", parent_id=org.parent_id, from_at=at
    )
    s.add(row)
    return row


def backfill(s: Session) -> None:
    """Give a past to the organisations without one: they have been as they are since the beginning of time."""
    query = select(Organisation).where(Organisation.id.not_in(select(OrganisationPast.org_id)))
    for org in s.scalars(query).all():
        row = begin(s, org, BEGINNING)
        row.until_at = org.abolished_at
    s.flush()


def change(
    s: Session,
    org: Organisation,
    at: datetime,
    name: str,
    tier: str,
    parent_id: str | None,
    zone: str = "UTC",
    checked: bool = False,
) -> None:
    """Let an organisation have another name, tier or parent from a moment on.

    zone: in which refusals tell days; checked: the caller knows that it makes no circle, and that everybody has a past.
    Raises Conflict for a moment before its last change, and when it would lie below itself then or later.
    """
    if (org.name, org.tier or "", org.parent_id) == (name, tier, parent_id):
        return
    if not checked:
        backfill(s)
    end(s, org, at, zone)
    org.name, org.tier, org.parent_id = name, tier, parent_id
    begin(s, org, at)
    s.flush()
    if not checked:
        refuse_circle(s, org, at)


def end(s: Session, org: Organisation, at: datetime, zone: str = "UTC") -> None:
    """Let what is true of an organisation be true up to a moment.  Raises Conflict when it began later."""
    query = select(OrganisationPast).where(OrganisationPast.org_id == org.id, OrganisationPast.until_at.is_(None))
    for row in s.scalars(query).all():
        if row.from_at > at:
            raise Conflict(
                "organisation.earlier_change",
                N_("“%(name)s” was last changed on %(day)s. Please choose that day or a later one."),
                name=org.name,
                day=f"{to_local(row.from_at, zone):%d/%m/%Y}",
            )
        if row.from_at == at:  # it would have been true of no moment at all
            s.delete(row)
        else:
            row.until_at = at
    s.flush()


def refuse_circle(s: Session, org: Organisation, since: datetime) -> None:
    """Raise Conflict when an organisation lies below itself at any moment from `since` on."""
    if circle_since(past_rows(s), org.id, since) is not None:
        raise Conflict("organisation.circle", N_("An organisation cannot be placed below one of its own parts."))


def past_rows(s: Session, org_id: str | None = None) -> list[Past]:
    """Return the past of all organisations, or of one, earliest first; of one without a past, what it is now."""
    query = select(OrganisationPast).order_by(OrganisationPast.from_at, OrganisationPast.id)
    bare = select(Organisation).where(Organisation.id.not_in(select(OrganisationPast.org_id)))
    if org_id is not None:
        query, bare = query.where(OrganisationPast.org_id == org_id), bare.where(Organisation.id == org_id)
    return [*_bare(s.scalars(bare)), *map(_past, s.scalars(query))]


def _bare(rows: Iterable[Organisation]) -> list[Past]:
    return [Past(org.id, org.name, org.tier or "", org.parent_id, BEGINNING, org.abolished_at) for org in rows]


def _past(row: OrganisationPast) -> Past:
    return Past(row.org_id, row.name, row.tier, row.parent_id, row.from_at, row.until_at)
