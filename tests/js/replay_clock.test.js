// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import { Journal, stretchesOf, stretchesOfFragments, timeAt, wallAt } from "../../static/js/replay_clock.js";

const START = 1_772_416_800_000;
/** A minute, a hole of half a minute, another minute. */
const HOLED = stretchesOf([
  [START, 60_000],
  [START + 90_000, 60_000],
]);

test("the recording's line leaves holes out, the class's clock does not", () => {
  assert.equal(wallAt(HOLED, 0), START);
  assert.equal(wallAt(HOLED, 59.5), START + 59_500);
  assert.equal(wallAt(HOLED, 61), START + 91_000);
  assert.equal(wallAt(HOLED, 500), START + 150_000);
  assert.equal(wallAt([], 5), 0);
});

test("a moment in a hole is shown where the recording goes on", () => {
  assert.equal(timeAt(HOLED, START - 5000), 0);
  assert.equal(timeAt(HOLED, START + 30_000), 30);
  assert.equal(timeAt(HOLED, START + 75_000), 60);
  assert.equal(timeAt(HOLED, START + 100_000), 70);
  assert.equal(timeAt(HOLED, START + 999_000), 120);
  assert.equal(timeAt([], START), 0);
});

test("there and back is the same moment, wherever something was recorded", () => {
  for (let atS = 0; atS < 120; atS += 0.7) assert.ok(Math.abs(timeAt(HOLED, wallAt(HOLED, atS)) - atS) < 0.001);
});

test("what the player loaded says the same as the page", () => {
  const fragments = [
    { start: 0, duration: 2, programDateTime: START },
    { start: 2, duration: 2.04, programDateTime: START + 2000 },
    { start: 4.04, duration: 2, programDateTime: null },
  ];
  assert.equal(wallAt(stretchesOfFragments(fragments), 3), START + 3000);
});

test("the state of any moment is the fold of what had happened, also after going back", () => {
  const entries = [
    { seq: 1, at_ms: START, event: { type: "lecture.opened", lecturer: "usr_1", main_point: "bp_0", points: ["bp_1"] } },
    { seq: 2, at_ms: START + 1000, event: { type: "lecture.started", by: "usr_1" } },
    { seq: 3, at_ms: START + 5000, event: { type: "floor.granted", participant: "bp_1", by: "usr_1" } },
    { seq: 4, at_ms: START + 9000, event: { type: "floor.released", participant: "bp_1", by: "bp_1", reason: "released" } },
  ];
  const journal = new Journal("lec_1", /** @type {any} */ (entries));
  assert.equal(journal.at(START - 1).phase, "none");
  assert.equal(journal.at(START + 6000).floor.holder, "bp_1");
  assert.equal(journal.at(START + 60_000).floor.holder, null);
  assert.equal(journal.at(START + 6000).floor.holder, "bp_1");
  assert.equal(journal.at(START + 2000).seq, 2);
});
