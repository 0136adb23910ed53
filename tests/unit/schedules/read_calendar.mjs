// Reads an iCalendar object on standard input with ical.js and prints its events as JSON.
import ICAL from "ical.js";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const calendar = new ICAL.Component(ICAL.parse(Buffer.concat(chunks).toString("utf8")));
for (const zone of calendar.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);
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
  };
});
console.log(JSON.stringify(events));
