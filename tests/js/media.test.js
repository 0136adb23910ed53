// SPDX-License-Identifier: Apache-2.0
/** What is decided about codecs, layers and slots; the connections themselves are tested in a real browser. */

import assert from "node:assert/strict";
import test from "node:test";

import { canLayer, codecRank, isSeen, layersOf } from "../../static/js/layers.js";
import { showsH264, slotsByMid, ufragOf, withIceNames } from "../../static/js/sdp.js";
import { initial } from "../../static/js/state.js";

const h264 = (profile, mode) => ({
  mimeType: "video/H264",
  sdpFmtpLine: `level-asymmetry-allowed=1;packetization-mode=${mode};profile-level-id=${profile}`,
});
const VP8 = { mimeType: "video/VP8" };
const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0";
const CHROMIUM = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";

test("constrained baseline comes first, then baseline, then VP8", () => {
  const codecs = [VP8, { mimeType: "video/rtx" }, h264("42001f", 1), h264("42e01f", 1)];
  assert.deepEqual(codecs.sort((a, b) => codecRank(a) - codecRank(b)).map((c) => c.sdpFmtpLine ?? c.mimeType), [
    h264("42e01f", 1).sdpFmtpLine, h264("42001f", 1).sdpFmtpLine, "video/VP8", "video/rtx",
  ]);
});

test("what the recording could not keep is not offered", () => {
  for (const codec of [h264("42e01f", 0), h264("4d001f", 1), h264("640034", 1), { mimeType: "video/VP9" }, { mimeType: "video/AV1" }]) {
    assert.equal(codecRank(codec), 9);
  }
});

const sent = (pixels, seen) =>
  layersOf(pixels, seen).filter((layer) => layer.active).map((layer) => `${layer.rid}/${layer.scaleResolutionDownBy}`);

test("who is not seen sends the smallest picture only", () => {
  assert.deepEqual(sent(960 * 540, false), ["q/4"]);
  assert.deepEqual(sent(960 * 540, true), ["q/4", "h/2", "f/1"]);
});

test("a small camera is sent in fewer sizes, and always in its own", () => {
  assert.deepEqual(sent(640 * 360, true), ["q/2", "h/1"]);
  assert.deepEqual(sent(320 * 240, true), ["q/1"]);
  assert.deepEqual(sent(320 * 240, false), ["q/1"]);
  assert.deepEqual(sent(0, true), ["q/4", "h/2", "f/1"], "before the camera is known");
});

test("a larger picture may cost more", () => {
  for (const pixels of [0, 320 * 240, 640 * 360, 1280 * 720]) {
    const bits = layersOf(pixels, true).filter((layer) => layer.active).map((layer) => layer.maxBitrate);
    assert.deepEqual(bits, [...new Set(bits)].sort((a, b) => a - b));
  }
});

test("Firefox sends layers of VP8 only", () => {
  assert.equal(canLayer([h264("42e01f", 1), VP8], FIREFOX), false);
  assert.equal(canLayer([VP8], FIREFOX), true);
  assert.equal(canLayer([h264("42e01f", 1), VP8], CHROMIUM), true);
});

test("the lecturer, who has the floor and who is still shown are seen by everybody", () => {
  const state = { ...initial("lec_1"), lecturer: "usr_l", floor: { holder: "bp_a", since_ms: 1, queue: [] } };
  state.slots = { guest: { publication: "bp_b/camera", since_ms: 1 }, "audio-1": { publication: "bp_c/mic", since_ms: 1 } };
  assert.deepEqual(["usr_l", "bp_a", "bp_b", "bp_c", null].map((who) => isSeen(state, who)), [true, true, true, false, false]);
});

test("a slot is known by its m-line, whatever stream it belongs to", () => {
  const section = (mid, msid) => `m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:${mid}\r\na=msid:${msid}\r\n`;
  for (const stream of ["stage", "lecturer"]) {
    const sdp = `v=0\r\na=group:BUNDLE 0 1\r\n${section("0", `${stream} audio-0`)}${section("1", `${stream} stage`)}`;
    assert.deepEqual([...slotsByMid(sdp, ["audio-0", "stage"])], [["0", "audio-0"], ["1", "stage"]]);
  }
});

test("fresh ICE names stand in every m-line, and nothing else changes", () => {
  const names = "a=ice-ufrag:old1\r\na=ice-pwd:oldoldoldoldoldoldoldold\r\n";
  const sdp = `v=0\r\nm=audio 9 X 111\r\n${names}a=mid:0\r\nm=video 9 X 96\r\n${names}a=mid:1\r\n`;
  const fresh = withIceNames(sdp, { ufrag: "new2", pwd: "newnewnewnewnewnewnewnew" });
  assert.equal(fresh, sdp.replaceAll("old", "new").replaceAll("new1", "new2"));
  assert.equal(ufragOf(fresh), "new2");
});

test("a browser without H.264 is told from one that has it by its answer", () => {
  const answer = (codec) => `v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 98\r\na=rtpmap:98 VP8/90000\r\n${codec}`;
  assert.equal(showsH264(answer("a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n")), true);
  assert.equal(showsH264(answer("a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=98;x=H264/90000\r\n")), false);
});
