// SPDX-License-Identifier: Apache-2.0
/**
 * The replay: the recording, and beside it the class's state at that moment, painted from the journal
 * by the reducer and the views of the live pages.
 */

import { clock, elapsed, t } from "../i18n.js";
import { Player } from "../player.js";
import { Journal, stretchesOf, timeAt, wallAt } from "../replay_clock.js";
import * as chapters from "../views/chapters.js";
import { one, pageData, setAttribute, setIcon, setText } from "../views/dom.js";
import * as floor from "../views/floor.js";
import { nameOf, publisherOf } from "../views/labels.js";
import * as points from "../views/points.js";
import * as poll from "../views/poll.js";

const SAVE_EVERY_MS = 5000;
const RESULT_STAYS_MS = 30_000;
const NEAR_END_S = 10; // who stopped this near to the end has seen it: begin anew
const WORTH_RESUMING_S = 5;
const SPEEDS = [0.75, 1, 1.25, 1.5, 1.75, 2];

/** @typedef {import("../messages.js").RoomState} RoomState */

class ReplayPage {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.data = pageData();
    this.labels = this.data.labels;
    this.video = /** @type {HTMLVideoElement} */ (one(root, "video"));
    this.stretches = stretchesOf(this.data.stretches);
    this.journal = new Journal(this.data.lecture, this.data.entries);
    this.savedMs = this.data.positionMs;
    /** @type {HTMLElement | null} the chapter that was scrolled to last */
    this.followed = null;
    const fromS = this.resumeFrom();
    this.player = new Player({
      video: this.video,
      master: this.data.master,
      fromS,
      onStretches: (stretches) => {
        this.stretches = stretches;
        this.paint();
      },
      onTrouble: (trouble) => (one(root, "#trouble").hidden = !trouble),
    });
    this.listen();
    this.sayResumed(fromS);
    this.paint();
    this.player.start();
  }

  get lengthS() {
    const last = this.stretches[this.stretches.length - 1];
    return last ? last.atS + last.durationMs / 1000 : 0;
  }

  /** @returns {import("../views/chapters.js").Placed[]} */
  get chapters() {
    return this.data.chapters.map((/** @type {import("../views/chapters.js").Chapter} */ chapter) => ({
      ...chapter,
      atS: Math.min(timeAt(this.stretches, chapter.at_ms), Math.max(0, this.lengthS - 0.5)),
    }));
  }

  resumeFrom() {
    const fromS = this.data.positionMs / 1000;
    return fromS < WORTH_RESUMING_S || fromS > this.lengthS - NEAR_END_S / 2 ? 0 : fromS;
  }

  /** @param {number} fromS */
  sayResumed(fromS) {
    one(this.root, "#resumed").hidden = fromS === 0;
    setText(one(this.root, "#resumed-at"), t("You go on where you stopped, at {time}.", { time: elapsed(fromS * 1000) }));
  }

  listen() {
    const { video, root } = this;
    for (const name of ["timeupdate", "seeking", "loadedmetadata", "play", "pause", "ratechange", "ended", "volumechange"]) {
      video.addEventListener(name, () => this.paint());
    }
    for (const name of ["pause", "seeked", "ended"]) video.addEventListener(name, () => this.save());
    video.addEventListener("click", () => this.toggle());
    setInterval(() => video.paused || this.save(), SAVE_EVERY_MS);
    addEventListener("pagehide", () => this.save());
    document.addEventListener("visibilitychange", () => document.hidden && this.save());
    document.addEventListener("keydown", (event) => this.key(event));
    const on = (/** @type {string} */ id, /** @type {() => void} */ act) => one(root, id).addEventListener("click", act);
    on("#play", () => this.toggle());
    on("#big-play", () => this.toggle());
    on("#back", () => this.go(this.at - 10));
    on("#forward", () => this.go(this.at + 10));
    on("#previous", () => this.step(-1));
    on("#next", () => this.step(1));
    on("#mute", () => (video.muted = !video.muted));
    on("#full", () => this.fullscreen());
    on("#from-start", () => this.go(0));
    one(root, "#speed").addEventListener("change", (event) => {
      video.playbackRate = Number(/** @type {HTMLSelectElement} */ (event.target).value);
    });
    const line = /** @type {HTMLInputElement} */ (one(root, "#line"));
    line.addEventListener("input", () => this.go(Number(line.value)));
  }

  get at() {
    return this.video.currentTime;
  }

  toggle() {
    if (this.video.paused) this.video.play().catch(() => {}); // the browser wants another click, or it is being loaded
    else this.video.pause();
  }

  /** @param {number} atS */
  go(atS) {
    this.video.currentTime = Math.min(Math.max(0, atS), Math.max(0, this.lengthS - 0.1));
    one(this.root, "#resumed").hidden = true;
    this.paint();
  }

  /** @param {1 | -1} by to the next chapter; back to this one's start, or to the one before it */
  step(by) {
    const all = this.chapters;
    const on = chapters.current(all, this.at);
    const next = by === 1 ? on + 1 : this.at - (all[on]?.atS ?? 0) > 3 ? on : on - 1;
    if (all[next]) this.go(all[next].atS);
    else if (by === -1) this.go(0);
  }

  /** @param {number} by */
  speed(by) {
    const now = SPEEDS.indexOf(this.video.playbackRate);
    this.video.playbackRate = SPEEDS[Math.min(Math.max(0, (now < 0 ? 1 : now) + by), SPEEDS.length - 1)];
  }

  fullscreen() {
    const picture = one(this.root, "#picture");
    if (document.fullscreenElement) document.exitFullscreen();
    else if (picture.requestFullscreen) picture.requestFullscreen().catch(() => {}); // not allowed here
    else /** @type {any} */ (this.video).webkitEnterFullscreen?.(); // iPhone
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.altKey || event.metaKey || target.closest("select, textarea, input:not(#line), dialog")) return;
    const acts = /** @type {Record<string, () => void>} */ ({
      k: () => this.toggle(),
      j: () => this.go(this.at - 10),
      l: () => this.go(this.at + 10),
      n: () => this.step(1),
      p: () => this.step(-1),
      m: () => (this.video.muted = !this.video.muted),
      f: () => this.fullscreen(),
      "<": () => this.speed(-1),
      ">": () => this.speed(1),
    });
    if (!target.closest("button, a, summary")) acts[" "] = () => this.toggle();
    if (target.id !== "line") {
      acts.arrowleft = () => this.go(this.at - 5);
      acts.arrowright = () => this.go(this.at + 5);
    }
    const act = acts[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** Tell the server where we are; the last word is sent even while the page is being left. */
  save() {
    const position_ms = Math.round(this.at * 1000);
    if (this.video.readyState === 0 || Math.abs(position_ms - this.savedMs) < 500) return;
    this.savedMs = position_ms;
    fetch(this.data.positionUrl, {
      method: "PUT",
      keepalive: true,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ position_ms }),
    }).catch(() => (this.savedMs = -1)); // told again in a few seconds
  }

  paint() {
    const at = this.at;
    const wallMs = wallAt(this.stretches, at);
    const state = this.journal.at(wallMs);
    this.paintBar(at, wallMs);
    this.paintPicture(state);
    const placed = this.chapters;
    chapters.paint(one(this.root, "#chapters"), placed, this.labels, at, (atS) => this.choose(atS));
    chapters.paintTrack(one(this.root, "#track"), placed, at, this.lengthS);
    this.followChapter();
    this.paintState(state, wallMs);
  }

  /** @param {number} atS */
  choose(atS) {
    this.go(atS);
    if (this.video.paused) this.toggle();
  }

  /**
   * @param {number} at
   * @param {number} wallMs
   */
  paintBar(at, wallMs) {
    const { video, root } = this;
    const line = /** @type {HTMLInputElement} */ (one(root, "#line"));
    line.max = String(this.lengthS);
    line.value = String(at);
    setAttribute(line, "aria-valuetext", t("{time} of {length}", { time: elapsed(at * 1000), length: elapsed(this.lengthS * 1000) }));
    setText(one(root, "#time"), `${elapsed(at * 1000)} / ${elapsed(this.lengthS * 1000)}`);
    setText(one(root, "#wall"), clock(wallMs));
    const words = video.paused ? t("Play") : t("Pause");
    const play = one(root, "#play");
    setIcon(play, video.paused ? "play-fill" : "pause-fill");
    setAttribute(play, "aria-label", words);
    setAttribute(play, "title", words);
    one(root, "#big-play").hidden = !video.paused;
    setIcon(one(root, "#mute"), video.muted ? "volume-mute-fill" : "volume-up-fill");
    setAttribute(one(root, "#mute"), "aria-pressed", String(video.muted));
    const speed = /** @type {HTMLSelectElement} */ (one(root, "#speed"));
    if (document.activeElement !== speed) speed.value = String(video.playbackRate);
  }

  /** @param {RoomState} state */
  paintPicture(state) {
    const guest = state.floor.holder && publisherOf(state.slots.guest?.publication);
    setText(one(this.root, "#who"), guest || state.lecturer ? nameOf(this.labels, guest ?? state.lecturer) : "");
  }

  /** Keep the chapter that is on in sight, inside the list only. */
  followChapter() {
    const list = one(this.root, "#chapters");
    const on = /** @type {HTMLElement | null} */ (list.querySelector("[aria-current]"));
    if (!on || on === this.followed || list.matches(":hover")) return;
    this.followed = on;
    list.scrollTo({ top: on.offsetTop - list.clientHeight / 2, behavior: "smooth" });
  }

  /**
   * @param {RoomState} state
   * @param {number} wallMs
   */
  paintState(state, wallMs) {
    floor.paint(one(this.root, "#floor"), state, this.labels, wallMs);
    const shown = poll.pollToShow(state, wallMs, RESULT_STAYS_MS);
    one(this.root, "#poll-panel").hidden = shown === null;
    poll.paint(one(this.root, "#poll"), shown, this.labels);
    points.paint(one(this.root, "#points"), state, this.labels, wallMs);
    const { here, all, people } = points.countPoints(state);
    setText(one(this.root, "#points-count"), people ? t("{here} of {all}, {people} people", { here, all, people }) : t("{here} of {all}", { here, all }));
  }
}

const root = document.getElementById("replay");
if (root) new ReplayPage(root);
