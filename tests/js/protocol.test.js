// SPDX-License-Identifier: Apache-2.0
/** The room's link against a socket that the test speaks through. */

import assert from "node:assert/strict";
import test from "node:test";

import { backoffMs, connect, Refusal } from "../../static/js/protocol.js";
import { initial } from "../../static/js/state.js";

/** A socket whose server is the test. */
class FakeSocket {
  constructor() {
    this.listeners = {};
    this.requests = [];
    this.connected = false;
    this.connects = 0;
  }

  on(event, listener) {
    this.listeners[event] = listener;
  }

  say(event, message) {
    this.listeners[event]?.(message);
  }

  timeout() {
    return { emit: (type, payload, answer) => this.requests.push({ type, payload, answer: (ack) => answer(null, ack), late: () => answer(new Error("late")) }) };
  }

  connect() {
    this.connects++;
    this.connected = true;
    this.say("connect");
  }

  disconnect() {
    this.connected = false;
  }

  lose(reason = "transport close") {
    this.connected = false;
    this.say("disconnect", reason);
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const at = (seq) => ({ ...initial("lec_1"), seq, phase: "lobby" });
const entry = (seq, event = { type: "recording.stopped" }) => ({ seq, at_ms: seq, event, labels: {} });
const joined = (seq, more = {}) => ({
  ok: true, state: at(seq), labels: { bp_a: "A" }, server_ms: Date.now(), you: "bp_a", role: "point",
  media: { epoch: "epoch_1", publish: [] }, ...more,
});

/** A link that is already in the room at `seq`, and everything it told the page. */
async function inRoom(seq = 5, options = {}) {
  const socket = new FakeSocket();
  const told = { seqs: [], events: [], statuses: [], resets: [], replaced: 0 };
  const link = connect({
    lecture: "lec_1",
    tokenUrl: "unused",
    dial: () => socket,
    getToken: async () => "token",
    onState: (state) => told.seqs.push(state.seq),
    onEvent: (e) => told.events.push(e.seq),
    onStatus: (status) => told.statuses.push(status),
    onMediaReset: (epoch) => told.resets.push(epoch),
    onReplaced: () => told.replaced++,
    ...options,
  });
  await settle();
  socket.connect();
  await settle();
  if (seq !== null) {
    socket.requests.shift().answer(joined(seq));
    await settle();
  }
  return { socket, link, told };
}

test("events that follow are folded in, one after the other", async (t) => {
  const { socket, link, told } = await inRoom(5);
  t.after(link.close);
  socket.say("room.event", entry(6));
  socket.say("room.event", entry(7));
  assert.deepEqual(told.events, [6, 7]);
  assert.equal(link.state().seq, 7);
});

test("an event that is already in the state changes nothing", async (t) => {
  const { socket, link, told } = await inRoom(5);
  t.after(link.close);
  socket.say("room.event", entry(5));
  socket.say("room.event", entry(4));
  assert.deepEqual([told.events, link.state().seq], [[], 5]);
});

test("a gap asks for one snapshot, and what came meanwhile is folded in after it", async (t) => {
  const { socket, link, told } = await inRoom(5);
  t.after(link.close);
  socket.say("room.event", entry(8));
  socket.say("room.event", entry(10));
  socket.say("room.event", entry(9));
  assert.deepEqual(socket.requests.map((r) => r.type), ["room.snapshot"]);
  assert.equal(link.state().seq, 5, "nothing is painted from a state with a hole");
  socket.requests.shift().answer({ ok: true, state: at(8), labels: { bp_b: "B" }, server_ms: Date.now() });
  await settle();
  assert.equal(link.state().seq, 10);
  assert.deepEqual(told.events, [9, 10]);
  assert.deepEqual(link.labels(), { bp_a: "A", bp_b: "B" });
});

test("an older snapshot never takes the state back", async (t) => {
  const { socket, link } = await inRoom(5);
  t.after(link.close);
  socket.say("room.event", entry(7));
  socket.requests.shift().answer({ ok: true, state: at(3), labels: {}, server_ms: Date.now() });
  await settle();
  assert.equal(link.state().seq, 5);
  assert.deepEqual(socket.requests.map((r) => r.type), ["room.snapshot"], "it still lacks 6, so it asks again");
});

test("events that overtake the answer of the join wait for it", async (t) => {
  const { socket, link, told } = await inRoom(null);
  t.after(link.close);
  socket.say("room.event", entry(6));
  socket.say("room.event", entry(5));
  socket.requests.shift().answer(joined(5));
  await settle();
  assert.deepEqual([told.events, link.state().seq], [[6], 6]);
});

test("after a lost connection it joins again with a fresh token", async (t) => {
  let tokens = 0;
  const { socket, link, told } = await inRoom(5, { getToken: async () => `token ${++tokens}` });
  t.after(link.close);
  socket.lose();
  assert.equal(told.statuses.at(-1), "offline");
  assert.equal((await link.request("floor.request")).error.code, "offline");
  socket.connect();
  await settle();
  const again = socket.requests.shift();
  assert.deepEqual([again.type, again.payload], ["room.join", { token: "token 2" }]);
  again.answer(joined(9));
  await settle();
  assert.deepEqual([told.statuses.at(-1), link.state().seq, told.resets], ["online", 9, []]);
});

test("an answer that belongs to a connection of before is not believed", async (t) => {
  const { socket, link } = await inRoom(null);
  t.after(link.close);
  const old = socket.requests.shift();
  socket.lose();
  old.answer(joined(99));
  await settle();
  assert.equal(link.state().seq, 0);
});

test("a server that hung up on us is called again", async (t) => {
  const { socket, link } = await inRoom(5, { random: () => 0 });
  t.after(link.close);
  const before = socket.connects;
  socket.lose("io server disconnect");
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.equal(socket.connects, before + 1);
});

test("another life of the media node means negotiating again, once", async (t) => {
  const { socket, link, told } = await inRoom(5);
  t.after(link.close);
  socket.say("media.reset", { epoch: "epoch_2" });
  socket.say("media.reset", { epoch: "epoch_2" });
  assert.deepEqual(told.resets, ["epoch_2"]);
});

test("news of lines and voices is handed on as it comes and touches no state", async (t) => {
  const heard = [];
  const { socket, link, told } = await inRoom(5, { onSignals: (news) => heard.push(news) });
  t.after(link.close);
  const before = told.seqs.length;
  socket.say("room.signals", { signals: { bp_a: null } });
  assert.deepEqual(heard, [{ bp_a: null }]);
  assert.equal(told.seqs.length, before);
});

test("a node that changed while we were away is noticed at the join; an unknown one is not one", async (t) => {
  const { socket, link, told } = await inRoom(5);
  t.after(link.close);
  for (const epoch of ["", "epoch_3"]) {
    socket.lose();
    socket.connect();
    await settle();
    socket.requests.shift().answer(joined(6, { media: { epoch, publish: [] } }));
    await settle();
  }
  assert.deepEqual(told.resets, ["epoch_3"]);
});

test("who was given up meanwhile negotiates again, because the node has forgotten them", async (t) => {
  const present = (since_ms) => ({ state: { ...at(6), present: { bp_a: { role: "point", since_ms } } } });
  const { socket, link, told } = await inRoom(null);
  t.after(link.close);
  socket.requests.shift().answer(joined(5, present(100)));
  await settle();
  for (const since of [100, 200]) {
    socket.lose();
    socket.connect();
    await settle();
    socket.requests.shift().answer(joined(6, present(since)));
    await settle();
  }
  assert.deepEqual(told.resets, ["epoch_1"]);
});

test("a replaced page goes quiet and does not come back", async (t) => {
  const { socket, link, told } = await inRoom(5);
  t.after(link.close);
  socket.say("room.replaced", {});
  socket.lose("io server disconnect");
  await settle();
  assert.deepEqual([told.statuses.at(-1), told.replaced, socket.connected], ["replaced", 1, false]);
});

test("a refused join is told with its reason", async (t) => {
  const troubles = [];
  const { socket, link } = await inRoom(null, { onStatus: (status, trouble) => troubles.push([status, trouble?.code]) });
  t.after(link.close);
  socket.requests.shift().answer({ ok: false, error: { code: "lecture.not_open", message: "…" } });
  await settle();
  assert.deepEqual(troubles.at(-1), ["refused", "lecture.not_open"]);
});

test("no token is a refusal too; no network is not", async (t) => {
  for (const [error, status] of [[new Refusal({ code: "room.no_part", message: "…" }), "refused"], [new TypeError("network"), "offline"]]) {
    const { link, told } = await inRoom(null, { getToken: async () => { throw error; } });
    t.after(link.close);
    assert.equal(told.statuses.at(-1), status);
  }
});

test("a request that is not answered in time is an answer with ok = false", async (t) => {
  const { socket, link } = await inRoom(5);
  t.after(link.close);
  const asked = link.request("floor.request");
  socket.requests.shift().late();
  assert.equal((await asked).error.code, "timeout");
});

test("a failed snapshot is asked for again", async (t) => {
  const { socket, link } = await inRoom(5, { random: () => 0 });
  t.after(link.close);
  socket.say("room.event", entry(7));
  socket.requests.shift().late();
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.deepEqual(socket.requests.map((r) => r.type), ["room.snapshot"]);
});

test("pauses grow from 0.15 to 3 s, and half of each is chance", () => {
  assert.deepEqual([backoffMs(0, 0), backoffMs(0, 1), backoffMs(3, 1), backoffMs(99, 0), backoffMs(99, 1)], [150, 300, 2400, 1500, 3000]);
});
