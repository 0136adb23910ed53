// SPDX-License-Identifier: Apache-2.0
/** How much of a picture a place can use, and what of it is told when. */

import assert from "node:assert/strict";
import test from "node:test";

import { newsOf, usefulHeight } from "../../static/js/sizes.js";

const WIDE = { width: 960, height: 540 };
const box = (width, height) => ({ width, height });

test("a picture that is shown whole is as high as its narrower side lets it", () => {
  assert.equal(usefulHeight(box(640, 360), WIDE, false, 1), 544);
  assert.equal(usefulHeight(box(640, 2000), WIDE, false, 1), 544);
  assert.equal(usefulHeight(box(640, 2000), WIDE, true, 1), 3000, "one that fills its place is cut instead");
});

test("fine screens use more, and up to half more than shown is still of use", () => {
  assert.equal(usefulHeight(box(320, 180), WIDE, false, 1), 272);
  assert.equal(usefulHeight(box(320, 180), WIDE, false, 2), 544);
  assert.equal(usefulHeight(box(9000, 9000), WIDE, false, 3), 4320);
});

test("a place that is not there uses nothing, one out of sight the smallest", () => {
  assert.equal(usefulHeight(box(0, 0), WIDE, false, 2), 0);
  assert.equal(usefulHeight(box(2, 2), WIDE, false, 2), 1);
});

test("before the camera is known it is taken for a wide one", () => {
  assert.equal(usefulHeight(box(640, 900), box(0, 0), false, 1), usefulHeight(box(640, 900), WIDE, false, 1));
});

test("what is known already is not told again", () => {
  assert.equal(newsOf(new Map([["stage", 540]]), new Map([["stage", 540]])), null);
  assert.deepEqual(newsOf(new Map([["stage", 540], ["guest", 1]]), new Map([["stage", 540], ["guest", 0]]))?.heights, { guest: 1 });
});

test("a place that comes into sight is told at once, another size when it has settled", () => {
  const wait = (before, after) => newsOf(new Map([["stage", after]]), before === null ? new Map() : new Map([["stage", before]]))?.waitMs;
  for (const [before, after] of [[null, 540], [0, 540], [1, 540]]) assert.equal(wait(before, after), 50);
  for (const [before, after] of [[540, 0], [540, 720], [720, 540], [540, 1]]) assert.equal(wait(before, after), 300);
});
