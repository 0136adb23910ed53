// SPDX-License-Identifier: Apache-2.0
/**
 * How long a viewer on a lossy line waits before it plays: long enough for what was lost to be sent again.
 * A browser's own guess follows jitter, not loss, so that repairs come too late. Pure.
 */

export const LOOK_MS = 2_000;
const LOSSY_SHARE = 0.01;
const LEAST_PACKETS = 50; // of fewer, one that is lost says nothing
const MARGIN_MS = 120; // beside a round trip: until the loss is noticed, asked for, and the answer has gone through
const LONGEST_MS = 400;
const CLEAN_MS = 30_000;

export class LossWatch {
  constructor() {
    /** @type {number | null} what receivers are to be set to, milliseconds; null: as the browser likes */
    this.targetMs = null;
    this.lossyMs = -Infinity;
    /** @type {Record<string, {lost: number, received: number}>} by kind */
    this.before = {};
  }

  /**
   * @param {Iterable<any>} report entries of getStats of the receiving connection
   * @param {number} nowMs
   * @returns {number | null} the target from now on
   */
  look(report, nowMs) {
    /** @type {Record<string, {lost: number, received: number}>} */
    const now = {};
    let rttMs = 0;
    for (const entry of report) {
      if (entry.type === "candidate-pair" && entry.nominated) rttMs = Math.max(rttMs, (entry.currentRoundTripTime ?? 0) * 1000);
      if (entry.type !== "inbound-rtp") continue;
      const sum = (now[entry.kind] ??= { lost: 0, received: 0 });
      sum.lost += entry.packetsLost ?? 0;
      sum.received += entry.packetsReceived ?? 0;
    }
    const isLossy = Object.entries(now).some(([kind, sum]) => shareLost(sum, this.before[kind]) > LOSSY_SHARE);
    this.before = now;
    if (isLossy) {
      this.lossyMs = nowMs;
      this.targetMs = Math.min(LONGEST_MS, Math.round(rttMs + MARGIN_MS));
    } else if (nowMs - this.lossyMs > CLEAN_MS) this.targetMs = null;
    return this.targetMs;
  }
}

/**
 * @param {{lost: number, received: number}} now
 * @param {{lost: number, received: number} | undefined} before
 */
function shareLost(now, before) {
  if (!before) return 0;
  const lost = Math.max(0, now.lost - before.lost);
  const all = lost + now.received - before.received;
  return all < LEAST_PACKETS ? 0 : lost / all;
}

/**
 * @param {Iterable<RTCRtpReceiver>} receivers
 * @param {number | null} targetMs
 */
export function delay(receivers, targetMs) {
  for (const each of receivers) {
    const receiver = /** @type {any} */ (each);
    if (!("jitterBufferTarget" in receiver) || receiver.jitterBufferTarget === targetMs) continue;
    try {
      receiver.jitterBufferTarget = targetMs;
    } catch {
      // a browser with narrower limits goes on as it likes
    }
  }
}
