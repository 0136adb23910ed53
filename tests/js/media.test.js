// SPDX-License-Identifier: Apache-2.0
/** The choice of codecs; the connections themselves are tested in a real browser. */

import assert from "node:assert/strict";
import test from "node:test";

import { codecRank } from "../../static/js/media.js";

const h264 = (profile, mode) => ({
  mimeType: "video/H264",
  sdpFmtpLine: `level-asymmetry-allowed=1;packetization-mode=${mode};profile-level-id=${profile}`,
});

test("constrained baseline comes first, then baseline, then VP8", () => {
  const codecs = [{ mimeType: "video/VP8" }, { mimeType: "video/rtx" }, h264("42001f", 1), h264("42e01f", 1)];
  assert.deepEqual(codecs.sort((a, b) => codecRank(a) - codecRank(b)).map((c) => c.sdpFmtpLine ?? c.mimeType), [
    h264("42e01f", 1).sdpFmtpLine, h264("42001f", 1).sdpFmtpLine, "video/VP8", "video/rtx",
  ]);
});

test("what the recording could not keep is not offered", () => {
  for (const codec of [h264("42e01f", 0), h264("4d001f", 1), h264("640034", 1), { mimeType: "video/VP9" }, { mimeType: "video/AV1" }]) {
    assert.equal(codecRank(codec), 9);
  }
});
