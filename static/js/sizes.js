// SPDX-License-Identifier: Apache-2.0
/**
 * How large each picture is shown, told to the server, so that a small place gets a small picture and
 * a page that nobody looks at gets none.
 */

const SETTLE_MS = 300; // a window that is being dragged is not told at every step
const SOON_MS = 50; // a place that was out of sight wants its picture now; several that change at once go together
const RETRY_MS = 2_000;
const STANDBY_PX = 16; // a place kept this small is out of sight, its picture decoded for the moment it is wanted
const SPARE = 1.5; // layers are half or twice as high as each other: up to this much more is better than half of it
const STEP = 8; // pixels
const HIGHEST = 4320;

/**
 * How many pixels of height of a picture a place can use.
 * @param {{width: number, height: number}} place in CSS pixels
 * @param {{width: number, height: number}} picture 0: not known yet
 * @param {boolean} cover whether the picture fills its place and is cut, else it is shown whole
 * @param {number} ratio device pixels for each CSS pixel
 * @returns {number} 0: none, the place is not there; 1: the smallest there is
 */
export function usefulHeight(place, picture, cover, ratio) {
  const least = Math.min(place.width, place.height);
  if (least <= 0) return 0;
  if (least < STANDBY_PX) return 1;
  const aspect = picture.width && picture.height ? picture.width / picture.height : 16 / 9;
  const shown = (cover ? Math.max : Math.min)(place.height, place.width / aspect);
  return Math.min(HIGHEST, Math.ceil((shown * ratio * SPARE) / STEP) * STEP);
}

/**
 * What to tell, and how soon.
 * @param {Map<string, number>} wanted
 * @param {Map<string, number>} said
 * @returns {{heights: Record<string, number>, waitMs: number} | null} null: nothing is new
 */
export function newsOf(wanted, said) {
  const changed = [...wanted].filter(([slot, height]) => said.get(slot) !== height);
  if (!changed.length) return null;
  const urgent = changed.some(([slot, height]) => !said.has(slot) || (height > 1 && (said.get(slot) ?? 0) <= 1));
  return { heights: Object.fromEntries(changed), waitMs: urgent ? SOON_MS : SETTLE_MS };
}

export class Sizes {
  /** @param {(heights: Record<string, number>) => Promise<{ok: boolean}>} tell */
  constructor(tell) {
    this.tell = tell;
    /** @type {Map<string, HTMLVideoElement | null>} */
    this.places = new Map();
    /** @type {Map<string, number>} */
    this.said = new Map();
    this.telling = false;
    this.dueMs = Infinity;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.look = () => this.plan();
    this.observer = new ResizeObserver(this.look);
    document.addEventListener("visibilitychange", this.look);
    addEventListener("resize", this.look); // another zoom or screen changes the device pixels of the same place
  }

  /**
   * A slot of a new receiving leg.
   * @param {string} slot
   * @param {HTMLVideoElement | null} video where it is shown, null: nowhere on this page
   */
  watch(slot, video) {
    const before = this.places.get(slot);
    if (before !== video) {
      if (before) this.forget(before);
      if (video) this.observer.observe(video);
      video?.addEventListener("resize", this.look); // the picture has another shape
      this.places.set(slot, video);
    }
    this.said.delete(slot); // the node knows nothing of a new leg
    this.plan();
  }

  /** @param {HTMLVideoElement} video */
  forget(video) {
    this.observer.unobserve(video);
    video.removeEventListener("resize", this.look);
  }

  wanted() {
    /** @type {Map<string, number>} */
    const wanted = new Map();
    for (const [slot, video] of this.places) {
      const cover = video !== null && getComputedStyle(video).objectFit === "cover";
      const height = video && !document.hidden
        ? usefulHeight({ width: video.clientWidth, height: video.clientHeight }, { width: video.videoWidth, height: video.videoHeight }, cover, devicePixelRatio)
        : 0;
      wanted.set(slot, height);
    }
    return wanted;
  }

  plan(leastMs = 0) {
    if (this.telling) return;
    const news = newsOf(this.wanted(), this.said);
    const dueMs = news ? performance.now() + Math.max(news.waitMs, leastMs) : Infinity;
    // a change that can wait begins its wait anew with each step; one that is urgent is not put off by those that are not
    if (news && news.waitMs === SOON_MS && this.dueMs < dueMs) return;
    clearTimeout(this.timer);
    this.dueMs = dueMs;
    if (news) this.timer = setTimeout(() => this.send(), dueMs - performance.now());
  }

  async send() {
    this.dueMs = Infinity;
    const news = newsOf(this.wanted(), this.said);
    if (!news) return;
    this.telling = true;
    for (const [slot, height] of Object.entries(news.heights)) this.said.set(slot, height);
    const ack = await this.tell(news.heights);
    this.telling = false;
    if (!ack.ok) for (const slot of Object.keys(news.heights)) this.said.delete(slot);
    if (this.places.size) this.plan(ack.ok ? 0 : RETRY_MS);
  }

  stop() {
    clearTimeout(this.timer);
    this.dueMs = Infinity;
    for (const video of this.places.values()) if (video) this.forget(video);
    this.places.clear();
    this.said.clear();
  }

  /** Stop for good. */
  close() {
    this.stop();
    this.observer.disconnect();
    document.removeEventListener("visibilitychange", this.look);
    removeEventListener("resize", this.look);
  }
}
