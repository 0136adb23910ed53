"""Reads an iCalendar object on standard input with libical and prints its events as JSON.

Run by Debian's own python3: packages gir1.2-ical-3.0 and python3-gi.
"""

import json
import sys

import gi

gi.require_version("ICalGLib", "3.0")
from gi.repository import ICalGLib as I  # noqa: E402

calendar = I.Component.new_from_string(sys.stdin.buffer.read().decode())
errors = calendar.count_errors()


def parameter(prop, kind, read):
    found = prop.get_first_parameter(kind) if prop else None
    return read(found) if found else None


def first(event, kind):
    return event.get_first_property(kind)


events = []
event = calendar.get_first_component(I.ComponentKind.VEVENT_COMPONENT)
while event:
    start, again = event.get_dtstart(), event.get_recurrenceid()
    attendees = []
    person = first(event, I.PropertyKind.ATTENDEE_PROPERTY)
    while person:
        attendees.append([parameter(person, I.ParameterKind.CN_PARAMETER, I.Parameter.get_cn), person.get_attendee()])
        person = event.get_next_property(I.PropertyKind.ATTENDEE_PROPERTY)
    tzid = parameter(
        first(event, I.PropertyKind.DTSTART_PROPERTY), I.ParameterKind.TZID_PARAMETER, I.Parameter.get_tzid
    )
    zone = calendar.get_timezone(tzid) if tzid else None
    status = first(event, I.PropertyKind.STATUS_PROPERTY)
    rule = first(event, I.PropertyKind.RRULE_PROPERTY)
    events.append(
        {
            "uid": event.get_uid(),
            "sequence": event.get_sequence(),
            "summary": event.get_summary(),
            "tzid": tzid or "UTC",
            "starts": start.as_ical_string(),
            "starts_s": start.as_timet_with_zone(zone) if zone else start.as_timet(),
            "recurrence": None if again.is_null_time() else again.as_ical_string(),
            "rule": rule.get_rrule().to_string() if rule else None,
            "status": status.get_value_as_string() if status else None,
            "attendees": attendees,
        }
    )
    event = calendar.get_next_component(I.ComponentKind.VEVENT_COMPONENT)
methods = {getattr(I.PropertyMethod, name): name for name in ("PUBLISH", "REQUEST", "CANCEL")}
print(json.dumps({"errors": errors, "method": methods[calendar.get_method()], "events": events}))
