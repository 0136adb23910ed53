// SPDX-License-Identifier: Apache-2.0
/**
 * Between the picture's time and the class's clock, and the class's state at a moment. A recording
 * may have holes (a disk that was full, a node that was started again): its own line is shorter than
 * the class. Pure.
 */

import { initial, reduce } from "./state.js";

/** @typedef {import("./state.js").Entry} Entry */
/**
 * A part of the recording without a hole.
 * @typedef {object} Stretch
 * @property {number} atS where it begins on the recording's own line, seconds
 * @property {number} startMs the wall clock there, since 1970
 * @property {number} durationMs
 */

/**
 * @param {[startMs: number, durationMs: number][]} pairs in order, as the page has them
 * @returns {Stretch[]}
 */
export function stretchesOf(pairs) {
  let atS = 0;
  return pairs.map(([startMs, durationMs]) => {
    const stretch = { atS, startMs, durationMs };
    atS += durationMs / 1000;
    return stretch;
  });
}

/**
 * The same from what the player has loaded, which knows the real times to a sample.
 * @param {{start: number, duration: number, programDateTime: number | null}[]} fragments
 * @returns {Stretch[]}
 */
export function stretchesOfFragments(fragments) {
  return fragments
    .filter((fragment) => fragment.programDateTime !== null)
    .map(({ start, duration, programDateTime }) => ({
      atS: start,
      startMs: Number(programDateTime),
      durationMs: duration * 1000,
    }));
}

/**
 * @param {Stretch[]} stretches
 * @param {number} atS seconds of the recording
 * @returns {number} wall clock, ms since 1970; 0 when nothing was recorded
 */
export function wallAt(stretches, atS) {
  const stretch = stretches.findLast((part) => part.atS <= atS) ?? stretches[0];
  if (!stretch) return 0;
  return stretch.startMs + Math.min(Math.max(0, (atS - stretch.atS) * 1000), stretch.durationMs);
}

/**
 * @param {Stretch[]} stretches
 * @param {number} wallMs
 * @returns {number} seconds of the recording; in a hole, where it goes on after it
 */
export function timeAt(stretches, wallMs) {
  const stretch = stretches.find((part) => part.startMs + part.durationMs > wallMs);
  if (stretch) return stretch.atS + Math.max(0, wallMs - stretch.startMs) / 1000;
  const last = stretches[stretches.length - 1];
  return last ? last.atS + last.durationMs / 1000 : 0;
}

/** The state of the class at any moment, by the same reducer that painted it live. */
export class Journal {
  /**
   * @param {string} lecture
   * @param {Entry[]} entries in order
   */
  constructor(lecture, entries) {
    this.lecture = lecture;
    this.entries = entries;
    this.state = initial(lecture);
    this.next = 0;
    this.wallMs = -Infinity;
  }

  reset() {
    this.state = initial(this.lecture);
    this.next = 0;
    this.wallMs = -Infinity;
  }

  /**
   * @param {number} wallMs
   * @returns {import("./messages.js").RoomState}
   */
  at(wallMs) {
    if (wallMs < this.wallMs) this.reset();
    this.wallMs = wallMs;
    while (this.next < this.entries.length && this.entries[this.next].at_ms <= wallMs) {
      this.state = reduce(this.state, this.entries[this.next]);
      this.next += 1;
    }
    return this.state;
  }
}
