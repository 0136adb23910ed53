// SPDX-License-Identifier: Apache-2.0
/** Credentials of a relay are renewed before they are old, and a lossy line is given time for repairs. */

import assert from "node:assert/strict";
import test from "node:test";

import { delay, LossWatch } from "../../static/js/loss.js";
import { Relay } from "../../static/js/relay.js";

const ice = (name, ttl_s = 100) => ({ servers: name ? [{ urls: ["turns:x"], username: name, credential: "c" }] : [], ttl_s });

/** @returns a relay whose clock is ours, and how often it asked */
function made(first, answer) {
  const here = { ms: 0, asked: 0 };
  const fetch = async () => (here.asked++, answer);
  return { here, relay: new Relay(first, fetch, () => here.ms) };
}

test("credentials are used for half their time, then fetched again", async () => {
  const { here, relay } = made(ice("old"), ice("new"));
  here.ms = 50_000;
  assert.equal((await relay.servers())[0].username, "old");
  here.ms = 50_001;
  assert.equal((await relay.servers())[0].username, "new");
  here.ms = 100_001;
  assert.equal((await relay.servers())[0].username, "new");
  assert.equal(here.asked, 1);
});

test("where fresh ones are not to be had, the old ones are tried", async () => {
  const { here, relay } = made(ice("old"), null);
  here.ms = 90_000;
  assert.equal((await relay.servers())[0].username, "old");
});

test("without a relay nobody is asked", async () => {
  const { here, relay } = made(ice(""), ice("new"));
  here.ms = 1e9;
  assert.deepEqual(await relay.servers(), []);
  assert.equal(here.asked, 0);
  assert.deepEqual(await made(undefined, null).relay.servers(), []);
});

const seen = (kind, received, lost) => ({ type: "inbound-rtp", kind, packetsReceived: received, packetsLost: lost });
const pair = (rttS) => ({ type: "candidate-pair", nominated: true, currentRoundTripTime: rttS });

test("a line that loses more than one in a hundred is given a round trip and some time", () => {
  const watch = new LossWatch();
  assert.equal(watch.look([pair(0.08), seen("audio", 100, 0), seen("video", 500, 0)], 0), null);
  assert.equal(watch.look([pair(0.08), seen("audio", 200, 0), seen("video", 1000, 5)], 2000), null, "1 % is not more");
  assert.equal(watch.look([pair(0.08), seen("audio", 300, 3), seen("video", 1500, 5)], 4000), 200, "either kind");
  assert.equal(watch.look([pair(0.9), seen("audio", 400, 6), seen("video", 2000, 5)], 6000), 400, "not without end");
});

test("after thirty seconds without loss the browser decides again", () => {
  const watch = new LossWatch();
  watch.look([pair(0.1), seen("audio", 0, 0)], 0);
  assert.equal(watch.look([pair(0.1), seen("audio", 100, 10)], 2000), 220);
  assert.equal(watch.look([pair(0.1), seen("audio", 200, 10)], 32_000), 220);
  assert.equal(watch.look([pair(0.1), seen("audio", 300, 10)], 32_001), null);
});

test("a few packets, or streams that begin anew, tell nothing", () => {
  const watch = new LossWatch();
  watch.look([seen("audio", 1000, 50)], 0);
  assert.equal(watch.look([seen("audio", 1010, 51)], 2000), null);
  assert.equal(watch.look([seen("audio", 5, 0)], 4000), null);
});

test("only receivers that can be told are told, and only of what is new", () => {
  const told = [];
  const able = { value: null, get jitterBufferTarget() { return this.value; }, set jitterBufferTarget(ms) { told.push(ms); this.value = ms; } };
  for (const ms of [200, 200, null]) delay([able, {}], ms);
  assert.deepEqual(told, [200, null]);
});
