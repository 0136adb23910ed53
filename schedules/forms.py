"""What the pages' forms send, parsed into drafts."""

from collections.abc import Callable
from datetime import datetime

from wtforms import Form, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length

from core.errors import N_, AppError, Invalid
from schedules.conflicts import BookingClash, sentence_of, words_of
from schedules.lifecycle import TITLE_MAX
from schedules.records import LectureDraft, LectureView
from schedules.zones import from_local, to_local

LOCAL = "%Y-%m-%dT%H:%M"  # what <input type="datetime-local"> sends
TOO_LONG = N_("This text is too long.")
NOTE_MAX = 4000  # characters
FIELD_OF = {  # which field an error is about, so that it can be marked
    "lecture.no_title": "title",
    "lecture.long_title": "title",
    "lecture.ends_before_start": "ends_at",
    "lecture.too_long": "ends_at",
    "lecture.no_such_time": "starts_at",
    "lecture.unknown_zone": "zone",
    "lecture.no_points": "point_ids",
    "lecture.main_point_joins": "point_ids",
    "lecture.not_a_lecturer": "lecturer_id",
}


class AnyChoice(SelectMultipleField):  # type: ignore[misc]  # wtforms has no types
    """Several values of one name; the service says which of them exist."""

    validate_choice = False

    def pre_validate(self, form: Form) -> None:
        """Accept every value here."""


class LectureForm(Form):  # type: ignore[misc]
    """The form of a lecture; times are those on the wall clock of `zone`."""

    title = StringField(
        validators=[InputRequired(N_("Please give the lecture a title.")), Length(max=TITLE_MAX, message=TOO_LONG)]
    )
    topic_id = StringField(validators=[InputRequired(N_("Please choose a topic."))])
    lecturer_id = StringField(validators=[InputRequired(N_("Please choose a lecturer."))])
    main_point_id = StringField(validators=[InputRequired(N_("Please choose the main point."))])
    point_ids = AnyChoice(choices=[])
    starts_at = StringField(validators=[InputRequired(N_("Please say when the lecture starts."))])
    ends_at = StringField(validators=[InputRequired(N_("Please say when the lecture ends."))])
    zone = StringField(validators=[InputRequired(N_("Please name the time zone."))])
    description = StringField(validators=[Length(max=NOTE_MAX, message=TOO_LONG)])

    def draft(self) -> LectureDraft:
        """Return the draft.  Raises Invalid with the sentence of the first thing that cannot be read."""
        zone = (self.zone.data or "").strip()
        return LectureDraft(
            title=self.title.data or "",
            topic_id=self.topic_id.data or "",
            lecturer_id=self.lecturer_id.data or "",
            main_point_id=self.main_point_id.data or "",
            point_ids=tuple(self.point_ids.data or ()),
            starts_at=from_local(wall_time(self.starts_at.data), zone),
            ends_at=from_local(wall_time(self.ends_at.data), zone),
            zone=zone,
            description=(self.description.data or "").strip(),
        )


def wall_time(words: str | None) -> datetime:
    """Return the naive time of a date-time field.  Raises Invalid for anything but `2026-03-02T08:00`."""
    try:
        return datetime.strptime((words or "").strip()[:16], LOCAL)
    except ValueError as error:
        raise Invalid("lecture.not_a_time", N_("Please give day and time, such as 02/03/2026 08:00.")) from error


def values_of(lecture: LectureView) -> dict[str, object]:
    """Return what the form of an existing lecture shows."""
    return {
        "title": lecture.title,
        "topic_id": lecture.topic_id,
        "lecturer_id": lecture.lecturer_id,
        "main_point_id": lecture.main_point_id,
        "point_ids": list(lecture.point_ids),
        "starts_at": to_local(lecture.starts_at, lecture.zone).strftime(LOCAL),
        "ends_at": to_local(lecture.ends_at, lecture.zone).strftime(LOCAL),
        "zone": lecture.zone,
        "description": lecture.description,
    }


def sentences(error: AppError, translate: Callable[..., str]) -> list[str]:
    """Return all an error has to say, translated: a clash has a sentence for each thing that is taken.

    translate: gettext, called with a sentence and the values of its places.
    """
    if isinstance(error, BookingClash):
        return [translate(sentence_of(clash), **words_of(clash)) for clash in error.clashes]
    return [translate(error.message, **error.params)]
