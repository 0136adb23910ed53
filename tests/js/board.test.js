// SPDX-License-Identifier: Apache-2.0
/** Moving on the board: times, steps by mouse and keyboard, what is in the way. */

import assert from "node:assert/strict";
import test from "node:test";

import { changed, clashesOf, dayOf, keyStep, Latest, overlap, piecesOf, snap, spanOf, textOf, wallAt, wallOf } from "../../static/js/board.js";

const OPENS = 420;
const CLOSES = 1290;
const at = (text) => wallOf(`2026-03-0${text}`);
const span = (start, end) => ({ start: at(start), end: at(end) });

const lecture = (id, starts_at, ends_at, more = {}) => ({
  id, title: id, starts_at: `2026-03-0${starts_at}`, ends_at: `2026-03-0${ends_at}`, setup: 0, teardown: 0, lecturer: `usr_${id}`,
  points: [], released: [], equipment: [], operators: [], sequence: 0, series: false, movable: true, ...more,
});

test("a time on the wall clock is read and written alike", () => {
  assert.equal(textOf(wallOf("2026-03-02T08:05")), "2026-03-02T08:05");
  assert.equal(dayOf(wallOf("2026-12-31T23:59") + 1), "2027-01-01");
});

test("what is moved lands on the grid and keeps its length", () => {
  assert.equal(snap(at("2T08:07")), at("2T08:00"));
  assert.deepEqual(changed(span("2T08:10", "2T09:40"), 20, "both"), span("2T08:30", "2T10:00"));
  assert.deepEqual(changed(span("2T08:10", "2T09:40"), 0, "both"), span("2T08:10", "2T09:40"), "untouched it stays off the grid");
});

test("what is stretched moves one end and never turns inside out", () => {
  assert.deepEqual(changed(span("2T08:00", "2T09:30"), 40, "end"), span("2T08:00", "2T10:15"));
  assert.deepEqual(changed(span("2T08:00", "2T09:30"), -600, "end"), span("2T08:00", "2T08:15"));
  assert.deepEqual(changed(span("2T08:00", "2T09:30"), 600, "start"), span("2T09:15", "2T09:30"));
});

test("arrow keys go by a quarter of an hour and by a day, with Shift they stretch", () => {
  assert.deepEqual(keyStep("ArrowRight", false, false), { by: 15, edge: "both" });
  assert.deepEqual(keyStep("ArrowLeft", false, false), { by: -15, edge: "both" });
  assert.deepEqual(keyStep("ArrowDown", false, false), { by: 1440, edge: "both" });
  assert.deepEqual(keyStep("ArrowRight", true, false), { by: 15, edge: "end" });
  assert.deepEqual(keyStep("ArrowUp", true, false), { by: -15, edge: "start" });
  assert.equal(keyStep("Tab", false, false), null);
});

test("in a month arrow keys go by a day and by a week", () => {
  assert.deepEqual(keyStep("ArrowLeft", false, true), { by: -1440, edge: "both" });
  assert.deepEqual(keyStep("ArrowDown", false, true), { by: 7 * 1440, edge: "both" });
});

test("a lecture over midnight is shown on both days, what lies outside the hours at the edge", () => {
  assert.deepEqual(piecesOf(span("2T08:00", "2T09:30"), OPENS, CLOSES), [{ day: "2026-03-02", start: 60, length: 90 }]);
  assert.deepEqual(piecesOf(span("2T20:30", "3T08:00"), OPENS, CLOSES), [
    { day: "2026-03-02", start: 810, length: 60 },
    { day: "2026-03-03", start: 0, length: 60 },
  ]);
  assert.deepEqual(piecesOf(span("2T22:00", "3T00:00"), OPENS, CLOSES), [{ day: "2026-03-02", start: 850, length: 20 }]);
  assert.deepEqual(piecesOf(span("2T05:00", "2T06:00"), OPENS, CLOSES), [{ day: "2026-03-02", start: 0, length: 20 }]);
});

test("a place on the board is a time, and beside the lane its edge", () => {
  assert.equal(textOf(wallAt("2026-03-02", 0, OPENS, CLOSES)), "2026-03-02T07:00");
  assert.equal(textOf(wallAt("2026-03-02", 60 / 870, OPENS, CLOSES)), "2026-03-02T08:00");
  assert.equal(textOf(wallAt("2026-03-02", 7, OPENS, CLOSES)), "2026-03-02T21:30");
});

test("intervals that touch do not overlap", () => {
  assert.equal(overlap(span("2T08:00", "2T09:00"), span("2T09:00", "2T10:00")), false);
  assert.equal(overlap(span("2T08:00", "2T09:01"), span("2T09:00", "2T10:00")), true);
});

test("a shared point, set, operator or lecturer is in the way, with its margins; oneself is not", () => {
  const mine = lecture("a", "2T08:00", "2T09:00", { points: ["bp_1"], setup: 30 });
  const before = lecture("b", "2T06:00", "2T07:45", { points: ["bp_1"] });
  assert.equal(clashesOf(mine, spanOf(mine), [mine, before], [])[0].by, "b");
  assert.equal(clashesOf({ ...mine, setup: 15 }, spanOf(mine), [mine, before], []).length, 0);
  const teaches = lecture("c", "2T08:30", "2T10:00", { lecturer: "usr_a" });
  assert.equal(clashesOf(mine, spanOf(mine), [teaches], [])[0].resource, "usr_a");
  const brings = lecture("d", "2T08:30", "2T10:00", { equipment: [["bp_9", "eq_1"]] });
  assert.equal(clashesOf({ ...mine, equipment: [["bp_1", "eq_1"]] }, spanOf(mine), [brings], [])[0].resource, "eq_1");
  const freed = lecture("e", "2T08:30", "2T10:00", { points: ["bp_1"], released: ["bp_1"] });
  assert.equal(clashesOf(mine, spanOf(mine), [freed], []).length, 0);
});

test("a block is in the way while it lasts", () => {
  const mine = lecture("a", "2T08:00", "2T09:00", { points: ["bp_1"] });
  const block = { resource: "bp_1", starts_at: "2026-03-02T09:00", ends_at: "2026-03-02T12:00", title: "Sửa điện" };
  assert.deepEqual(clashesOf(mine, spanOf(mine), [], [block]), []);
  assert.equal(clashesOf(mine, span("2T08:15", "2T09:15"), [], [block])[0].by, "Sửa điện");
});

test("of many questions the first and the last are asked, one at a time", async () => {
  const asked = [];
  let running = 0;
  await new Promise((done) => {
    const latest = new Latest(1, async (what) => {
      assert.equal((running += 1), 1);
      asked.push(what);
      await null;
      running -= 1;
      if (what === 9) done();
    });
    for (let n = 0; n < 10; n++) latest.want(n);
  });
  assert.deepEqual(asked, [0, 9]);
});
