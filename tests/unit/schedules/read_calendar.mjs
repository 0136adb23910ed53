// Reads an iCalendar object on standard input with ical.js and prints its events as JSON.
import ICAL from "ical.js";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const calendar = new ICAL.Component(ICAL.parse(Buffer.concat(chunks).toString("utf8")));
for (const zone of calendar.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);
// When a whole series takes place, moved instances where they are now.
function occurrences(event) {
  for (const part of calendar.getAllSubcomponents("vevent")) {
    if (part !== event.component && part.getFirstPropertyValue("uid") === event.uid) event.relateException(part);
  }
  const starts = [];
  const steps = event.iterator();
  for (let at = steps.next(); at && starts.length < 1000; at = steps.next()) {
    starts.push(event.getOccurrenceDetails(at).startDate.toJSDate().getTime());
  }
  return starts;
}
const events = calendar.getAllSubcomponents("vevent").map((part) => {
  const event = new ICAL.Event(part);
  return {
    uid: event.uid,
    sequence: event.sequence,
    summary: event.summary,
    description: event.description,
    location: event.location,
    status: part.getFirstPropertyValue("status"),
    starts_ms: event.startDate.toJSDate().getTime(),
    ends_ms: event.endDate.toJSDate().getTime(),
    tzid: part.getFirstProperty("dtstart").getParameter("tzid") ?? "UTC",
    conference: part.getFirstPropertyValue("conference"),
    features: part.getFirstProperty("conference").getParameter("feature"),
    recurrence_ms: event.recurrenceId?.toJSDate().getTime() ?? null,
    rule: part.getFirstPropertyValue("rrule")?.toString() ?? null,
    occurrences_ms: event.isRecurring() ? occurrences(event) : null,
    attendees: part.getAllProperties("attendee").map((p) => [p.getParameter("cn"), p.getFirstValue()]),
  };
});
console.log(JSON.stringify(events));
