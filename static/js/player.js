// SPDX-License-Identifier: Apache-2.0
/**
 * Plays a recording: by hls.js where the browser has Media Source Extensions, else by the browser's
 * own HLS. It mends itself after a network or media error, for as long as the page is open.
 */

import { stretchesOfFragments } from "./replay_clock.js";

const HLS = new URL("../vendor/hls.min.mjs", import.meta.url).href;
const AGAIN_MS = 3000;
const MENDS = 3; // media errors in a row before the player is made anew

/**
 * @typedef {object} PlayerOptions
 * @property {HTMLVideoElement} video
 * @property {string} master address of the master playlist
 * @property {number} fromS where to begin, seconds
 * @property {(stretches: import("./replay_clock.js").Stretch[]) => void} onStretches the times are known better
 * @property {(trouble: boolean) => void} onTrouble it waits for the network, or goes on again
 */

export class Player {
  /** @param {PlayerOptions} options */
  constructor(options) {
    this.options = options;
    /** @type {any} */
    this.hls = null;
    this.mends = 0;
  }

  async start() {
    const { video, master, fromS } = this.options;
    const Hls = await import(HLS).then((module) => module.default, () => null);
    if (Hls?.isSupported()) this.attach(Hls, fromS);
    else {
      video.addEventListener("loadedmetadata", () => (video.currentTime = fromS), { once: true });
      video.src = master;
    }
  }

  /**
   * @param {any} Hls
   * @param {number} fromS
   */
  attach(Hls, fromS) {
    const { video, master, onStretches, onTrouble } = this.options;
    const hls = new Hls({ startPosition: fromS, enableWorker: false, lowLatencyMode: false, maxBufferLength: 30 });
    this.hls = hls;
    hls.on(Hls.Events.LEVEL_UPDATED, (/** @type {string} */ _, /** @type {any} */ { details }) =>
      onStretches(stretchesOfFragments(details.fragments)),
    );
    hls.on(Hls.Events.FRAG_BUFFERED, () => {
      this.mends = 0;
      onTrouble(false);
    });
    hls.on(Hls.Events.ERROR, (/** @type {string} */ _, /** @type {any} */ error) => {
      if (error.fatal) this.mend(Hls, error.type);
    });
    hls.loadSource(master);
    hls.attachMedia(video);
  }

  /**
   * @param {any} Hls
   * @param {string} type of the fatal error
   */
  mend(Hls, type) {
    const { video, onTrouble } = this.options;
    onTrouble(true);
    this.mends += 1;
    if (type === Hls.ErrorTypes.MEDIA_ERROR && this.mends <= MENDS) {
      this.hls.recoverMediaError();
      return;
    }
    const [atS, playing] = [video.currentTime || this.options.fromS, !video.paused];
    this.hls.destroy();
    setTimeout(() => {
      this.attach(Hls, atS);
      if (playing) video.play().catch(() => {}); // the viewer presses play again
    }, AGAIN_MS);
  }
}
