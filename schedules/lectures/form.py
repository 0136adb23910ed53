"""The form of a lecture or a series: parsed into drafts, filled from lectures, changed by an alternative."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from wtforms import StringField
from wtforms.validators import AnyOf, Length

from core.errors import N_, Invalid
from schedules.forms import LOCAL, NOTE_MAX, TOO_LONG, AnyChoice, LectureForm, values_of, wall_time
from schedules.names import place_key
from schedules.records import LectureDraft, LectureView, Part, PointView, SeriesDraft
from schedules.zones import check_year, from_local, to_local

REPEATS = ("once", "weekly", "dates", "agenda")
SCOPES = ("one", "following", "all")
DAY = re.compile(r"\s*(?:(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})|(\d{4})-(\d{1,2})-(\d{1,2}))\s*")
PART = re.compile(r"\s*(?P<day>\S+)\s+(?P<start>\d{1,2}[:h]\d{2})\s*[-–]\s*(?P<end>\d{1,2}[:h]\d{2})\s*(?P<title>.*)")
NOT_A_DAY = N_("“%(words)s” is not a day. Please write days as 02/03/2026, one on each line.")
NOT_A_PART = N_("“%(words)s” is not a part. Please write each as 02/03/2026 08:00-10:00 and its title.")
NOT_A_NUMBER = N_("“%(words)s” is not a whole number.")


class PlanForm(LectureForm):
    """All that can be said of a lecture.

    What is chosen for each point is in fields `equipment-<id>` and `operator-<id>`.
    """

    setup_min = StringField(default="0", validators=[Length(max=20, message=TOO_LONG)])
    teardown_min = StringField(default="0", validators=[Length(max=20, message=TOO_LONG)])
    sequence = StringField(default="", validators=[Length(max=10, message=TOO_LONG)])
    scope = StringField(default="one", validators=[AnyOf(SCOPES)])
    repeat = StringField(default="once", validators=[AnyOf(REPEATS)])
    interval = StringField(default="1", validators=[Length(max=20, message=TOO_LONG)])
    weekdays = AnyChoice(choices=[])
    count = StringField(default="", validators=[Length(max=20, message=TOO_LONG)])
    until = StringField(default="", validators=[Length(max=10, message=TOO_LONG)])
    without = StringField(default="", validators=[Length(max=NOTE_MAX, message=TOO_LONG)])
    dates = StringField(default="", validators=[Length(max=NOTE_MAX, message=TOO_LONG)])
    parts = StringField(default="", validators=[Length(max=NOTE_MAX * 4, message=TOO_LONG)])

    def __init__(self, formdata: Mapping[str, str] | None = None, **more: object) -> None:
        """Read what was sent, or what `data` says."""
        super().__init__(formdata, **more)
        self.extras = _extras(formdata) if formdata is not None else _extras(more.get("data"))

    def chosen(self, what: str, point_id: str) -> str:
        """Return the equipment or the operator that is chosen for a point; empty: the usual one."""
        return self.extras.get(f"{what}-{point_id}", "")

    def draft(self) -> LectureDraft:
        """Return the draft of one lecture.  Raises Invalid with the sentence of the first thing that cannot be read."""
        plain = super().draft()
        points = (plain.main_point_id, *plain.point_ids)
        return LectureDraft(
            **{
                **vars(plain),
                "setup_min": number(self.setup_min.data),
                "teardown_min": number(self.teardown_min.data),
                "equipment": tuple((p, chosen) for p in points if (chosen := self.chosen("equipment", p))),
                "operators": tuple((p, chosen) for p in points if (chosen := self.chosen("operator", p))),
            }
        )

    def series(self) -> SeriesDraft | None:
        """Return the series that is wished for, or None for a single lecture.  Raises Invalid."""
        if self.repeat.data == "once":
            return None
        first = self.draft()
        if self.repeat.data == "weekly":
            return SeriesDraft(
                first,
                "weekly",
                interval=number(self.interval.data),
                weekdays=tuple(number(day) for day in self.weekdays.data or ()),
                count=number(self.count.data) if (self.count.data or "").strip() else None,
                until=day_of(self.until.data) if (self.until.data or "").strip() else None,
                without=tuple(days_of_text(self.without.data)),
            )
        if self.repeat.data == "dates":
            return SeriesDraft(first, "dates", dates=tuple(days_of_text(self.dates.data)))
        return SeriesDraft(first, "agenda", parts=tuple(parts_of_text(self.parts.data, first.zone)))

    def seen_sequence(self) -> int | None:
        """Return the SEQUENCE of the lecture as whoever changes it has seen it."""
        return number(self.sequence.data) if (self.sequence.data or "").strip() else None

    def take(self, alternative: str) -> None:
        """Put an alternative that was clicked into the form.

        alternative: `time:<start>/<end>`, `point:<old>:<new>` or `equipment:<point>:<set>`. Whatever makes
        no sense changes nothing: the form is shown again anyway.
        """
        kind, _, words = alternative.partition(":")
        if kind == "time":
            self._take_time(words)
            return
        old, _, new = words.partition(":")
        if kind == "point" and new:
            if self.main_point_id.data == old:
                self.main_point_id.data = new
            self.point_ids.data = [new if point == old else point for point in self.point_ids.data or ()]
        elif kind == "equipment" and new:
            self.extras[f"equipment-{old}"] = new

    def _take_time(self, words: str) -> None:
        start, _, end = words.partition("/")
        try:
            zone = (self.zone.data or "").strip()
            starts_at, ends_at = (datetime.fromisoformat(at) for at in (start, end))
            self.starts_at.data = to_local(starts_at, zone).strftime(LOCAL)
            self.ends_at.data = to_local(ends_at, zone).strftime(LOCAL)
        except (ValueError, OverflowError, Invalid):
            return


def plan_values(lecture: LectureView) -> dict[str, object]:
    """Return what the form of an existing lecture shows."""
    return {
        **values_of(lecture),
        "setup_min": str(lecture.setup_min),
        "teardown_min": str(lecture.teardown_min),
        "sequence": str(lecture.sequence),
        **{f"equipment-{point_id}": equipment_id for point_id, equipment_id in lecture.equipment},
        **{f"operator-{point_id}": user_id for point_id, user_id in lecture.operators},
    }


def by_organisation(points: Sequence[PointView]) -> list[tuple[str, list[PointView]]]:
    """Return the points under the name of their organisation, each group in the order given.

    Only who has several points is named; all others follow together, under an empty name.  Headings
    that would say one point each, or the same of all points, are left out.
    """
    groups: dict[str, list[PointView]] = {}
    for point in points:
        groups.setdefault(point.org_id, []).append(point)
    several = {org_id for org_id, its_points in groups.items() if len(its_points) > 1}
    if not several or len(groups) == 1:
        return [("", list(points))]
    named = [(groups[org_id][0].org_name, groups[org_id]) for org_id in several]
    others = [point for point in points if point.org_id not in several]
    return sorted(named, key=lambda group: place_key(group[0])) + ([("", others)] if others else [])


def number(words: str | None) -> int:
    """Return the whole number in a field; empty: 0.  Raises Invalid."""
    text = (words or "").strip() or "0"
    if not re.fullmatch(r"\d{1,5}", text, re.ASCII):
        raise Invalid("form.not_a_number", NOT_A_NUMBER, words=text[:20])
    return int(text)


def day_of(words: str | None) -> date:
    """Return the day in `02/03/2026` or `2026-03-02`.  Raises Invalid, also for one that is too far away."""
    match = DAY.fullmatch(words or "")
    try:
        if match is None:
            raise ValueError(words)
        year, month, day = (match[3], match[2], match[1]) if match[3] else (match[4], match[5], match[6])
        found = date(int(year), int(month), int(day))
    except ValueError as error:
        raise Invalid("form.not_a_day", NOT_A_DAY, words=(words or "").strip()[:40]) from error
    check_year(found)
    return found


def days_of_text(words: str | None) -> list[date]:
    """Return the days in a text, parted by lines, commas or semicolons.  Raises Invalid for one that is none."""
    return [day_of(part) for part in re.split(r"[\n,;]", words or "") if part.strip()]


def parts_of_text(words: str | None, zone: str) -> list[Part]:
    """Return the parts of an agenda, one on each line: `02/03/2026 08:00-10:00 Title`.

    A part whose end is not after its start ends on the next day.  Raises Invalid naming the first that is none.
    """
    parts = []
    for line in (words or "").splitlines():
        if not line.strip():
            continue
        match = PART.fullmatch(line)
        if match is None:
            raise Invalid("form.not_a_part", NOT_A_PART, words=line.strip()[:60])
        day = day_of(match["day"])
        start, end = (
            wall_time(f"{day.isoformat()}T{match[key].replace('h', ':').zfill(5)}") for key in ("start", "end")
        )
        if end <= start:
            end += timedelta(days=1)
        title = match["title"].strip(" :–-\t") or None
        parts.append(Part(from_local(start, zone), from_local(end, zone), title))
    return parts


def _extras(sent: object) -> dict[str, str]:
    if not isinstance(sent, Mapping):
        return {}
    return {str(k): str(v) for k, v in sent.items() if str(k).startswith(("equipment-", "operator-"))}
