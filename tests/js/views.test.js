// SPDX-License-Identifier: Apache-2.0
// What the pages decide before they paint: pure functions of the room's state.

import assert from "node:assert/strict";
import { test } from "node:test";

import { conditionOf, reportOf } from "../../static/js/devices.js";
import { elapsed, t } from "../../static/js/i18n.js";
import { initial } from "../../static/js/state.js";
import { viewOf } from "../../static/js/views/hall.js";
import { initials, nameOf, publisherOf } from "../../static/js/views/labels.js";
import { allPoints, countPoints, healthOf } from "../../static/js/views/points.js";
import { pollToShow } from "../../static/js/views/poll.js";
import * as signal from "../../static/js/views/signal.js";
import { connection, shortTrouble } from "../../static/js/views/status.js";
import { whenSentence } from "../../static/js/views/waiting.js";

const here = { role: "point", since_ms: 0 };
const room = {
  ...initial("lec_1"),
  main_point: "bp_main",
  points: ["bp_a", "bp_b", "bp_main"],
  present: { bp_a: here, bp_main: here, usr_l: { role: "lecturer", since_ms: 0 } },
  people: { bp_a: 40, bp_b: 12 },
};

test("a sentence without translation is shown in English, with its figures put in", () => {
  assert.equal(t("Begins at {time}, in {minutes} minutes", { time: "07:30", minutes: 5 }), "Begins at 07:30, in 5 minutes");
  assert.equal(t("A {thing} that nobody gave"), "A {thing} that nobody gave");
});

test("a length is told in minutes, and in hours once there are any", () => {
  assert.deepEqual([0, 65_000, 3_600_000, 5_412_000, -5].map(elapsed), ["0:00", "1:05", "1:00:00", "1:30:12", "0:00"]);
});

test("initials come from the end of a name, where points differ", () => {
  assert.equal(initials("Trung tâm Chính trị Vĩnh Linh"), "VL");
  assert.equal(initials("Điểm cầu Đakrông"), "CĐ");
  assert.equal(initials(""), "");
});

test("a name that is not known yet has a word in its place", () => {
  assert.equal(nameOf({}, "bp_x"), "A participant");
  assert.equal(nameOf({ pol_1: { question: "?" } }, "pol_1"), "A participant");
  assert.equal(publisherOf("bp_a/camera"), "bp_a");
  assert.equal(publisherOf(undefined), null);
});

test("the main point stands first and only once, and only points are counted", () => {
  assert.deepEqual(allPoints(room), ["bp_main", "bp_a", "bp_b"]);
  assert.deepEqual(countPoints(room), { here: 2, all: 3, people: 52 });
});

test("a point that is away has no trouble, one that is here has what it reported", () => {
  const reports = { bp_a: { camera: "ok", microphone: "silent", at_ms: 0 }, bp_b: { camera: "missing", microphone: "ok", at_ms: 0 } };
  const state = { ...room, reports };
  assert.deepEqual(["bp_main", "bp_a", "bp_b"].map((point) => healthOf(state, point)), ["ok", "trouble", "away"]);
  assert.equal(shortTrouble(reports.bp_a), "Silent microphone");
  assert.equal(shortTrouble(undefined), "");
});

test("the hall's large picture follows the floor, and its own turn is another view", () => {
  const holds = (holder) => ({ ...room, floor: { holder, since_ms: 0, queue: [] } });
  assert.deepEqual([null, "bp_b", "bp_a"].map((holder) => viewOf(holds(holder), "bp_a")), ["stage", "guest", "own"]);
  assert.equal(viewOf(holds(null), null), "stage");
});

test("an open poll is shown, a closed one for a while, and then none", () => {
  const open = { poll: "pol_2", counts: [0, 0], phones: 0, opened_ms: 5 };
  const closed = { poll: "pol_1", counts: [1, 0], phones: 1, opened_ms: 0, closed_ms: 1_000 };
  assert.equal(pollToShow({ ...room, poll: open, results: [closed] }, 2_000, 20_000), open);
  assert.equal(pollToShow({ ...room, results: [closed] }, 2_000, 20_000), closed);
  assert.equal(pollToShow({ ...room, results: [closed] }, 30_000, 20_000), null);
});

test("a lost server is named before lost pictures", () => {
  assert.equal(connection("offline", "reconnecting").kind, "bad");
  assert.equal(connection("online", "reconnecting").kind, "warn");
  assert.equal(connection("online", "connected").kind, "ok");
  assert.deepEqual([connection("online", "blind").kind, connection("online", "blind").sign], ["warn", "camera-video-off"]);
});

test("nothing is reported while a device is still looked for, and one in use elsewhere is missing", () => {
  assert.equal(reportOf({ camera: "waiting", microphone: "ok" }), null);
  assert.deepEqual(reportOf({ camera: "busy", microphone: "ok" }), { camera: "missing", microphone: "ok" });
});

test("the browser's refusals become what a person can do something about", () => {
  const names = ["NotAllowedError", "NotReadableError", "NotFoundError", "OverconstrainedError"];
  assert.deepEqual(names.map((name) => conditionOf(new DOMException("", name))), ["denied", "busy", "missing", "missing"]);
  assert.equal(conditionOf(new Error("?")), "missing");
});

test("the next lecture is near, today, or on a day", () => {
  const at = Date.parse("2026-11-24T02:00:00Z");
  const lecture = { starts_at: "2026-11-24T02:00:00Z" };
  assert.match(whenSentence(lecture, at + 1), /in a moment/);
  assert.match(whenSentence(lecture, at - 12 * 60_000), /in 12 minutes/);
  assert.match(whenSentence(lecture, at - 3 * 86_400_000), /, at /);
});

test("a line's sentence is plain, and carries figures once they are measured", () => {
  const line = { level: "good", loss_percent: 2, rtt_ms: 100, speaking: false };
  assert.equal(signal.sentence(line), "The line is good. Lost 2 %, delay 100 ms.");
  assert.match(signal.sentence({ ...line, level: "sound", rtt_ms: null }), /^The line is so weak that only the sound is kept\.$/);
  assert.deepEqual([undefined, { ...line, level: null }].map(signal.sentence), ["", ""]);
  const short = ["good", "weak", "poor", "sound"].map((level) => signal.shortSentence({ ...line, level }));
  assert.deepEqual(short, ["", "", "Poor line", "Sound only"]);
});

test("news of lines adds to what is known, and takes away who is gone", () => {
  const good = { level: "good", loss_percent: 0, rtt_ms: null, speaking: false };
  const known = { bp_a: good };
  signal.learn(known, { bp_b: { ...good, speaking: true }, bp_a: null });
  assert.deepEqual(known, { bp_b: { ...good, speaking: true } });
});
