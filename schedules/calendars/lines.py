"""The lines and components of an iCalendar file of unknown origin. Pure.

icalendar reads a file whole or not at all and forgets where a property stood. Here only what tells
busy times is kept, with the number of its line; everything else is passed over, however deep it is.

**Source:** RFC 5545 section 3.1 (content lines, folding), 3.2 (parameters), 3.3.11 (TEXT).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from core.errors import N_, Invalid, TooLarge

BYTES_MAX = 2_000_000
COMPONENTS_MAX = 5_000  # of the kinds that are kept
PROPERTIES_MAX = 4_000  # kept of one component: an EXDATE a day for ten years
KEPT = {"VCALENDAR", "VEVENT", "VTIMEZONE", "STANDARD", "DAYLIGHT"}
USED = {
    "METHOD",
    "UID",
    "SUMMARY",
    "SEQUENCE",
    "STATUS",
    "TRANSP",
    "X-MICROSOFT-CDO-BUSYSTATUS",
    "DTSTART",
    "DTEND",
    "DURATION",
    "RRULE",
    "RDATE",
    "EXDATE",
    "EXRULE",
    "RECURRENCE-ID",
    "TZID",
    "X-LIC-LOCATION",
    "TZOFFSETFROM",
    "TZOFFSETTO",
}
NAME_END = re.compile(r"[;:]")
LINE_END = re.compile(r"\r\n|\n|\r")
ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Property:
    """One content line.  value: as written, not unescaped; line: its number in the file, from 1."""

    name: str  # upper case
    parameters: dict[str, str]  # names in upper case, values without quotes
    value: str
    line: int


@dataclass
class Component:
    """What stands between BEGIN and END."""

    kind: str
    line: int
    properties: dict[str, list[Property]] = field(default_factory=dict)
    parts: list["Component"] = field(default_factory=list)

    def first(self, name: str) -> Property | None:
        """Return the first property of a name, or None."""
        return next(iter(self.properties.get(name, ())), None)

    def text(self, name: str) -> str:
        """Return the value of the first property of a name, or an empty text."""
        found = self.first(name)
        return found.value.strip() if found else ""

    def all(self, name: str) -> list[Property]:
        """Return every property of a name, in the order of the file."""
        return self.properties.get(name, [])


def read_components(data: bytes) -> list[Component]:
    """Return the VCALENDARs of a file with those of their parts that tell busy times.

    data: at most BYTES_MAX bytes, in UTF-8; bytes that are not are replaced.
    Raises Invalid: `calendar.too_large`, `calendar.not_a_calendar`, `calendar.too_many_events`,
    `calendar.bad_nesting`, `calendar.cut_off`.
    """
    if len(data) > BYTES_MAX:
        raise too_large()
    calendars: list[Component] = []
    open_parts: list[Component] = []
    passed_over: list[str] = []  # kinds that do not matter, open at the moment
    count = 0
    for number, line in _unfolded(data.decode("utf-8-sig", "replace")):
        name, _, rest = line.partition(":")
        word, kind = name.strip().upper(), rest.strip().upper()
        if not open_parts and word != "BEGIN":
            raise _not_a_calendar()
        if word == "BEGIN":
            if not open_parts and kind != "VCALENDAR":
                raise _not_a_calendar()
            if passed_over or kind not in KEPT:
                passed_over.append(kind)
                continue
            count += 1
            if count > COMPONENTS_MAX:
                raise too_many_events()
            _open(Component(kind, number), open_parts, calendars)
        elif word == "END":
            _close(kind, number, passed_over, open_parts)
        elif not passed_over:
            _keep(line, number, open_parts[-1])
    if open_parts:
        raise Invalid("calendar.cut_off", N_("The calendar ends in the middle: its last line is missing."))
    if not calendars:
        raise _not_a_calendar()
    return calendars


def too_large() -> TooLarge:
    """Return the error for more data than is read."""
    return TooLarge("calendar.too_large", N_("The calendar is larger than %(limit)s MB."), limit=BYTES_MAX // 1_000_000)


def too_many_events() -> Invalid:
    """Return the error for more events than are read."""
    return Invalid("calendar.too_many_events", N_("The calendar has more than %(limit)s events."), limit=COMPONENTS_MAX)


def _not_a_calendar() -> Invalid:
    return Invalid(
        "calendar.not_a_calendar",
        N_("This is not a calendar file: the line BEGIN:VCALENDAR is not where it should be."),
    )


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Yield each content line with the number of the line it begins on; empty ones are left out."""
    pieces: list[str] = []
    begun = 1
    for number, line in enumerate(LINE_END.split(text), 1):
        if pieces and line[:1] in (" ", "\t"):
            pieces.append(line[1:])
            continue
        if pieces:
            yield begun, "".join(pieces)
        pieces, begun = ([line] if line.strip() else []), number
    if pieces:
        yield begun, "".join(pieces)


def _open(part: Component, open_parts: list[Component], calendars: list[Component]) -> None:
    if open_parts:
        open_parts[-1].parts.append(part)
    else:
        calendars.append(part)
    open_parts.append(part)


def _close(kind: str, number: int, passed_over: list[str], open_parts: list[Component]) -> None:
    last = passed_over.pop() if passed_over else open_parts.pop().kind
    if last != kind:
        raise Invalid(
            "calendar.bad_nesting",
            N_("Line %(line)s ends %(kind)s, but what is open there is %(open)s."),
            line=number,
            kind=kind[:40],
            open=last[:40],
        )


def _keep(line: str, number: int, into: Component) -> None:
    """Keep a property if it is one that is used; lines without a colon are nothing."""
    written = NAME_END.split(line, maxsplit=1)[0]
    name = written.strip().upper()
    if name not in USED or len(line) == len(written):
        return
    parameters, value = _split(line[len(written) :])
    same = into.properties.setdefault(name, [])
    if len(same) < PROPERTIES_MAX:
        same.append(Property(name, parameters, value, number))


def _split(rest: str) -> tuple[dict[str, str], str]:
    """Split what follows a name, `;PARAMETER=…:value`; signs within quotes separate nothing."""
    cuts, quoted, colon = [], False, len(rest)
    for index, sign in enumerate(rest):
        if sign == '"':
            quoted = not quoted
        elif not quoted and sign == ";":
            cuts.append(index)
        elif not quoted and sign == ":":
            colon = index
            break
    parameters: dict[str, str] = {}
    for begin, end in pairwise([*cuts, colon]):
        name, _, value = rest[begin + 1 : end].partition("=")
        parameters.setdefault(name.strip().upper(), value.strip().strip('"'))
    return parameters, rest[colon + 1 :]


def unescaped(value: str) -> str:
    r"""Return a TEXT value as it is meant: `\n` is a line end, `\,` a comma."""
    return ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)
