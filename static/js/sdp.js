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
