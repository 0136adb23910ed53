// SPDX-License-Identifier: Apache-2.0
/** Finding and counting in a long list of things to choose. */

import assert from "node:assert/strict";
import test from "node:test";

import { isMatch, searchKey, tally } from "../../static/js/choosing.js";

test("words are searched for without marks, in lower case, with single spaces", () => {
  assert.equal(searchKey("  Lê Thị\n  HOA "), "le thi hoa");
  assert.equal(searchKey("Đakrông, Hướng Hóa, Ủy ban, Nguyễn, Ý Yên"), "dakrong, huong hoa, uy ban, nguyen, y yen");
  assert.equal(searchKey("Đông Hà".normalize("NFD")), "dong ha", "however the keyboard puts letters together");
});

test("a thing is found with marks and without, by its words in any order", () => {
  const key = searchKey("Hội trường Đồng Hới, Phường Đồng Hới");
  for (const wanted of ["", "  ", "dong", "ĐỒNG HỚI", "đồng", "hoi dong", "hới  phường", "oi tr"]) assert.ok(isMatch(key, wanted), wanted);
  for (const wanted of ["dong ha", "dòng sông", "hoix"]) assert.ok(!isMatch(key, wanted), wanted);
});

test("what can be chosen is counted, and the seats of what is chosen", () => {
  const choice = (isChosen, isOffered, seats) => ({ isChosen, isOffered, seats });
  assert.deepEqual(tally([]), { chosen: 0, offered: 0, seats: 0 });
  const all = [choice(true, true, 50), choice(true, true, 0), choice(false, true, 70), choice(true, false, 180)];
  assert.deepEqual(tally(all), { chosen: 2, offered: 3, seats: 50 }, "the main point is none of them");
});
