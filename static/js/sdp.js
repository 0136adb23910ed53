// SPDX-License-Identifier: Apache-2.0
/** The little that a page reads in a session description, and changes in one. Pure. */

/**
 * Which slot each m-line of the node's offer carries. Not read from `a=msid`: its stream id may be shared by a picture and its sound.
 * @param {string} sdp
 * @param {string[]} slots in the order of the m-lines
 * @returns {Map<string, string>} by mid
 */
export function slotsByMid(sdp, slots) {
  const mids = [...sdp.matchAll(/^a=mid:(\S+)/gm)].map((found) => found[1]);
  return new Map(mids.map((mid, i) => /** @type {[string, string]} */ ([mid, slots[i]])).filter(([, slot]) => slot));
}

/**
 * @param {string} sdp
 * @returns {string} the name its sender gave itself for ICE
 */
export function ufragOf(sdp) {
  return /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1] ?? "";
}

/**
 * The same description with other ICE names: for the one that has it, its sender restarted ICE.
 * @param {string} sdp
 * @param {{ufrag: string, pwd: string}} names
 */
export function withIceNames(sdp, { ufrag, pwd }) {
  return sdp.replace(/^a=ice-ufrag:\S+/gm, `a=ice-ufrag:${ufrag}`).replace(/^a=ice-pwd:\S+/gm, `a=ice-pwd:${pwd}`);
}

/**
 * Whether a browser's answer takes H.264. Source: RFC 6184 section 8.1 (the name in a=rtpmap).
 * @param {string} sdp
 */
export function showsH264(sdp) {
  return /^a=rtpmap:\d+ H264\/90000\s*$/im.test(sdp);
}
