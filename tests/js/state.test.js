// SPDX-License-Identifier: Apache-2.0
/** The fold in JavaScript against the stories that the fold in Python has told. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";

import { initial, reduce, reduceAll } from "../../static/js/state.js";

const FOLDER = new URL("../fixtures/rooms/", import.meta.url);
const STORIES = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .map((name) => ({ name, ...JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) }));

/** A value that throws when anybody changes it. */
function frozen(value) {
  if (value && typeof value === "object") Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

test("there are stories to fold", () => assert.ok(STORIES.length >= 4));

for (const { name, initial: first, steps } of STORIES) {
  const entries = steps.map((step) => step.entry);
  const last = steps.at(-1).state;

  test(`${name}: the state before the first entry is the same`, () => {
    assert.deepEqual(initial(first.lecture), first);
  });

  test(`${name}: the state after every entry is the same, and no state is changed in place`, () => {
    let state = frozen(initial(first.lecture));
    for (const step of steps) {
      state = frozen(reduce(state, frozen(step.entry)));
      assert.deepEqual(state, step.state, `after ${step.entry.seq} ${step.entry.event.type}`);
    }
  });

  test(`${name}: an old snapshot and the events after it give the new snapshot`, () => {
    for (const [index, step] of steps.entries()) {
      assert.deepEqual(reduceAll(step.state, entries.slice(index + 1)), last);
    }
  });

  test(`${name}: entries that are in the state already change nothing`, () => {
    for (const [index, step] of steps.entries()) {
      for (const entry of entries.slice(0, index + 1)) assert.equal(reduce(step.state, entry), step.state);
    }
    assert.deepEqual(reduceAll(steps[0].state, entries), last);
  });
}

test("an event of a kind that this page does not know yet only counts", () => {
  const before = initial("lec_1");
  const after = reduce(before, { seq: 1, at_ms: 5, event: /** @type {any} */ ({ type: "slide.shown", page: 3 }) });
  assert.deepEqual(after, { ...before, seq: 1 });
});
