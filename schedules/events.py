"""What happens to the timetable, told on the bus after it is stored."""

from dataclasses import dataclass

from schedules.records import LectureView, StreamTokenView


@dataclass(frozen=True)
class LectureScheduled:
    """A new lecture is in the timetable.  by: the person's id."""

    lecture: LectureView
    by: str


@dataclass(frozen=True)
class LectureChanged:
    """A lecture's plan is different now; `before` is what it was."""

    lecture: LectureView
    before: LectureView
    by: str


@dataclass(frozen=True)
class LectureCancelled:
    """A lecture will not take place, or was broken off in its lobby."""

    lecture: LectureView
    by: str


@dataclass(frozen=True)
class StreamRevoked:
    """A stream's token is worthless; what runs on it must end now."""

    token: StreamTokenView
