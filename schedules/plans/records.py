"""What lesson plans and the plan of the year take in and give out: frozen, without a database behind it."""

from dataclasses import dataclass
from datetime import date, datetime

from schedules.plans.files import Kind
from schedules.plans.review import Review, State


@dataclass(frozen=True)
class FileView:
    """A file of one version.

    version: the one it is listed in; size: bytes; pdf_sha256: of its PDF, its own when it is one;
    problem: the code of why there is no PDF, such as `plan.no_converter`; empty while that is not known yet.
    """

    id: str
    version: int
    name: str
    kind: Kind
    size: int
    sha256: str
    pdf_sha256: str | None
    pages: int | None
    problem: str
    added_by: str
    added_at: datetime


@dataclass(frozen=True)
class WaiverView:
    """Who lets a lecture go live without an approved plan, and why."""

    id: str
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True)
class PlanView:
    """A lecture's plan; version 0 and no files before the first upload."""

    lecture_id: str
    review: Review
    files: tuple[FileView, ...]
    approved_by: str | None  # together with approved_at only while the approval holds
    approved_at: datetime | None
    waiver: WaiverView | None
    may_go_live: bool

    @property
    def state(self) -> State:
        """Return where it stands in review."""
        return self.review.state

    @property
    def version(self) -> int:
        """Return the newest version."""
        return self.review.version


@dataclass(frozen=True)
class StepView:
    """One step of a plan's way.

    action: a `review.StepKind`, or `waive` or `unwaive`; state: afterwards; words: a comment or a reason, for
    `upload` and `remove` the names of the files.
    """

    action: str
    state: State
    version: int
    words: str
    by: str
    at: datetime


@dataclass(frozen=True)
class DeskLine:
    """A lecture on a reviewer's desk.  since: when its plan was submitted, None when it was not."""

    lecture_id: str
    title: str
    lecturer: str
    starts_at: datetime
    state: State
    version: int
    files: int
    since: datetime | None
    mine: bool  # the reviewer's own work: somebody else has to look at it


@dataclass(frozen=True)
class Desk:
    """What waits for a reviewer, and what should have come: soonest lecture first."""

    waiting: tuple[DeskLine, ...]
    missing: tuple[DeskLine, ...]


@dataclass(frozen=True)
class YearDraft:
    """A line of the plan of a year as somebody wishes it."""

    year: int
    org_id: str
    title: str
    opens_on: date
    due_on: date
    lectures: int
    course_id: str | None = None
    topic_id: str | None = None
    people: int = 0
    note: str = ""


@dataclass(frozen=True)
class YearLine:
    """A line of the plan of a year with its names.  enrolled: people on the course's roster."""

    id: str
    draft: YearDraft
    org_name: str
    course_title: str
    topic_title: str
    enrolled: int
