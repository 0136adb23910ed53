"""What happens to lesson plans, told on the bus after it is stored."""

from dataclasses import dataclass

from schedules.plans.files import Kind
from schedules.plans.review import State


@dataclass(frozen=True)
class PlanChanged:
    """A lecture's plan took a step.  action: as in `records.StepView`; state: afterwards; by: the person's id."""

    lecture_id: str
    action: str
    state: State
    by: str


@dataclass(frozen=True)
class ConversionWanted:
    """A file has no PDF yet.  sha256: under which it is kept."""

    sha256: str
    kind: Kind
