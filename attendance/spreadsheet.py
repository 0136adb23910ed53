"""The register as a CSV file that opens well in any spreadsheet program. Pure.

UTF-8 with a byte order mark, because spreadsheets guess wrong without one, and CRLF line ends.
**Source:** RFC 4180.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from attendance.register import PointLine, PollLine, Register, whole_minutes
from core.cells import safe_cell
from core.clock import from_ms
from core.errors import N_

Say = Callable[[str], str]  # translates one English sentence

POINT_HEADINGS = (
    N_("No."),
    N_("Bridge point"),
    N_("Role"),
    N_("People (declared)"),
    N_("Connected in class (minutes)"),
    N_("Connected in class (seconds)"),
    N_("First connected"),
    N_("Last connected"),
    N_("Visits"),
    N_("Late (minutes)"),
    N_("Left early (minutes)"),
    N_("Speaking (seconds)"),
    N_("Remark"),
    N_("Organisation"),  # last, so that whoever reads columns by their number finds them where they were
)


def to_csv(register: Register, say: Say) -> bytes:
    """Return the register as a file.

    say: translates the headings.  The points come first, one row each, so that a program can read
    them up to the first empty line; below them the polls, then the lecture and the journal's head.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for row in _rows(register, say):
        writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _rows(register: Register, say: Say) -> Iterator[Iterable[str | int | None]]:
    zone = ZoneInfo(register.lecture.zone)
    yield [say(heading) for heading in POINT_HEADINGS]
    for number, line in enumerate(register.lines, 1):
        remarks = "; ".join(say(message) % values for message, values in register.remarks(line))
        yield [number, *_point_row(line, zone, say), remarks, line.organisation]
    for poll in register.polls:
        yield []
        yield from _poll_rows(poll, say)
    yield []
    yield from _foot(register, zone, say)


def _point_row(line: PointLine, zone: ZoneInfo, say: Say) -> list[str | int | None]:
    return [
        line.name,
        say(N_("Main point")) if line.is_main else say(N_("Joining point")),
        line.people,
        whole_minutes(line.class_ms),
        round(line.class_ms / 1000),
        _moment(line.first_ms, zone),
        _moment(line.last_ms, zone),
        line.visits,
        whole_minutes(line.late_ms),
        whole_minutes(line.early_ms),
        round(line.speaking_ms / 1000),
    ]


def _poll_rows(poll: PollLine, say: Say) -> Iterator[Iterable[str | int | None]]:
    yield [say(N_("Poll")), poll.question]
    yield [say(N_("Answer")), *poll.options, say(N_("Total"))]
    yield [say(N_("All answers")), *poll.counts, poll.answers]
    hands = [sum(counts) for counts in zip(*(row for _, row in poll.hands), strict=True)]
    yield [say(N_("By phone")), *([""] * len(poll.options)), poll.phones]
    if hands:
        yield [say(N_("By hand-count")), *hands, sum(hands)]
    for point, counts in poll.hands:
        yield [point, *counts, sum(counts)]


def _foot(register: Register, zone: ZoneInfo, say: Say) -> Iterator[Iterable[str | int | None]]:
    yield [say(N_("Lecture")), register.lecture.title]
    yield [say(N_("Topic")), register.lecture.topic_title]
    yield [say(N_("Lecturer")), register.lecture.lecturer_name]
    yield [say(N_("Class began")), _moment(register.started_ms, zone)]
    yield [say(N_("Class ended")), _moment(register.ended_ms, zone)]
    yield [say(N_("Points connected")), register.points_connected]
    yield [say(N_("Points planned")), register.points_planned]
    yield [say(N_("People declared")), register.people]
    yield [say(N_("Journal entry")), register.seq]
    yield [say(N_("Journal head")), register.head_hash]


def _moment(at_ms: int | None, zone: ZoneInfo) -> str:
    """Return local time as ISO 8601 without zone, which spreadsheets read as a date and time."""
    if at_ms is None:
        return ""
    local: datetime = from_ms(at_ms).astimezone(zone)
    return local.strftime("%Y-%m-%d %H:%M:%S")
