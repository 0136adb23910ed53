// SPDX-License-Identifier: Apache-2.0
/**
 * The hall's screen. Nobody touches it but for the hand: it pairs once, waits, joins its lectures
 * by itself, and finds its way back from everything. What it shows follows from what the server
 * last said about this device (`known`) and, in a lecture, from the room's state.
 */

import { Devices, reportOf } from "../devices.js";
import { clock, t } from "../i18n.js";
import { LiveRoom } from "../live.js";
import { one, pageData, setAttribute, setText } from "../views/dom.js";
import * as hall from "../views/hall.js";
import { paintNext, paintTest, whenSentence } from "../views/waiting.js";

/** @typedef {import("../views/waiting.js").Lecture} Lecture */
/** @typedef {{paired: boolean, point?: {id: string, name: string}, lecture: Lecture | null, next: Lecture | null, server_ms: number}} Known */

const LOOK_MS = 2_000;
const LOOK_IN_CLASS_MS = 10_000;
const THANKS_MS = 10 * 60_000;
const TEST_BEFORE_MS = 60 * 60_000; // the equipment is tested from an hour before class
const TEST_AFTER_LOAD_MS = 10 * 60_000; // and for a while after somebody switched the screen on
const REPORT_EVERY_MS = 2_000;
const BLIP_MS = 1_000; // a connection that is back sooner was hardly gone
const POINT_CAMERA = { width: { ideal: 960 }, height: { ideal: 540 }, frameRate: { ideal: 25, max: 30 } };

const data = pageData();
const root = one(document, "#main");
const $ = (/** @type {string} */ selector) => one(document, selector);

class Kiosk {
  constructor() {
    /** @type {Known | null} */
    this.known = null;
    this.skewMs = 0;
    this.misses = 0; // looks in a row without an answer
    /** @type {LiveRoom | null} */
    this.room = null;
    /** @type {Lecture | null} the one of `room` */
    this.lecture = null;
    /** @type {{title: string, id: string, untilMs: number} | null} */
    this.over = null;
    this.code = { digits: "", untilMs: 0 };
    this.pairedAtMs = 0;
    this.reportedAtMs = 0;
    this.replaced = false;
    this.offlineSinceMs = Date.now();
    this.painting = 0;
    this.devices = new Devices({
      camera: POINT_CAMERA,
      onTrack: (device, track) => this.track(device, track),
      onState: () => this.paintSoon(),
    });
  }

  now() {
    return this.room?.status.link === "online" ? this.room.now() : Date.now() + this.skewMs;
  }

  /** @returns {string} what the page's data-phase says */
  phase() {
    if (!this.known) return "starting";
    if (!this.known.paired) return "pairing";
    if (this.room) {
      const { phase } = this.room.state;
      if (phase === "live") return "live";
      if (phase !== "ended") return "lobby";
    }
    return this.over && this.now() < this.over.untilMs ? "ended" : "waiting";
  }

  // ---- what the server says about this device ------------------------------------------------

  async look() {
    try {
      const answer = await fetch(data.stateUrl, { cache: "no-store", headers: { Accept: "application/json" }, signal: AbortSignal.timeout(8_000) });
      if (!answer.ok) throw new Error(String(answer.status));
      await this.learn(await answer.json());
      this.misses = 0;
    } catch {
      this.misses++; // the server restarts or the line is down: we go on asking
    }
    this.paint();
    setTimeout(() => this.look(), this.phase() === "live" ? LOOK_IN_CLASS_MS : LOOK_MS);
  }

  /** @param {Known} known */
  async learn(known) {
    if (known.paired && !this.known?.paired) this.pairedAtMs = Date.now();
    this.known = known;
    this.skewMs = known.server_ms - Date.now();
    if (!known.paired) {
      this.leave();
      this.over = null;
      if (Date.now() > this.code.untilMs) await this.askCode();
      return;
    }
    const open = known.lecture && ["open", "live"].includes(known.lecture.status) ? known.lecture : null;
    if (this.room && this.lecture?.id !== open?.id) this.leave();
    if (open && !this.room && this.over?.id !== open.id) this.enter(open);
    this.test();
  }

  async askCode() {
    const answer = await fetch(data.pairingUrl, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
    if (!answer.ok) return;
    const { code, expires_at } = await answer.json();
    if (!code) return; // paired meanwhile: the next look will say so
    this.code = { digits: code, untilMs: Date.parse(expires_at) - this.skewMs - 5_000 };
  }

  // ---- the lecture ---------------------------------------------------------------------------

  /** @param {Lecture} lecture */
  enter(lecture) {
    this.over = null;
    this.lecture = lecture;
    this.room = new LiveRoom({
      lecture: lecture.id,
      tokenUrl: `/api/lectures/${lecture.id}/token?as=point`,
      root: document,
      onChange: () => this.changed(),
      onSoundBlocked: (blocked) => ($("#sound").hidden = !blocked),
      micOpen: (state, me) => state.floor.holder === me,
    });
    for (const device of /** @type {const} */ (["camera", "microphone"])) {
      this.room.publish(device, this.devices.tracks[device] ?? null);
    }
  }

  leave() {
    this.room?.close();
    this.room = null;
    this.lecture = null;
    $("#sound").hidden = true;
  }

  changed() {
    this.replaced = this.room?.status.link === "replaced";
    if (this.room?.state.phase === "ended" && this.lecture) {
      this.over = { title: this.lecture.title, id: this.lecture.id, untilMs: this.now() + THANKS_MS };
      this.leave();
      this.test();
    }
    this.report();
    this.paintSoon();
  }

  /**
   * @param {import("../devices.js").Device} device
   * @param {MediaStreamTrack | null} track
   */
  track(device, track) {
    this.room?.publish(device, track);
    if (device === "camera") {
      for (const video of document.querySelectorAll("video.own-picture")) {
        /** @type {HTMLVideoElement} */ (video).srcObject = track ? new MediaStream([track]) : null;
      }
    }
    this.paintSoon();
  }

  /** Test the equipment when it will be needed soon, and not all day. */
  test() {
    const next = this.known?.lecture ?? this.known?.next;
    const soon = next ? Date.parse(next.starts_at) - this.now() < TEST_BEFORE_MS : false;
    const fresh = Date.now() - this.pairedAtMs < TEST_AFTER_LOAD_MS && !this.over;
    const wanted = Boolean(this.known?.paired) && !this.replaced && (this.room !== null || fresh || (soon && !this.over));
    if (wanted) this.devices.start();
    else if (this.devices.running) this.devices.stop();
  }

  /** Tell the room what the test found, when that is another than the room knows. */
  async report() {
    const found = reportOf(this.devices.states);
    const me = this.room?.me;
    if (!found || !me || this.room?.status.link !== "online" || this.room.state.phase === "ended") return;
    const said = this.room.state.reports[me];
    const same = said && said.camera === found.camera && said.microphone === found.microphone;
    if (same || Date.now() - this.reportedAtMs < REPORT_EVERY_MS) return;
    this.reportedAtMs = Date.now();
    await this.room.request("point.report", found);
  }

  // ---- the hand ------------------------------------------------------------------------------

  hand() {
    const state = this.room?.state;
    const me = this.room?.me;
    if (!this.room || !state || state.phase !== "live" || state.floor.holder === me) return;
    const up = state.floor.queue.some((hand) => hand.participant === me);
    if (up) this.room.request("floor.withdraw", {});
    else this.room.request("floor.request", {});
  }

  release() {
    if (this.room && this.room.state.floor.holder === this.room.me) this.room.request("floor.release", {});
  }

  // ---- painting ------------------------------------------------------------------------------

  paintSoon() {
    this.painting ||= requestAnimationFrame(() => {
      this.painting = 0;
      this.paint();
    });
  }

  paint() {
    const phase = this.phase();
    const now = this.now();
    setAttribute(root, "data-phase", phase);
    $("#starting").hidden = phase !== "starting";
    $("#pairing").hidden = phase !== "pairing";
    $("#waiting").hidden = this.replaced || (phase !== "waiting" && phase !== "lobby");
    $("#room").hidden = this.replaced || phase !== "live";
    $("#ended").hidden = phase !== "ended";
    $("#replaced").hidden = !this.replaced;
    setText($("#point"), this.known?.point?.name ?? "");
    setText($("#small-clock"), clock(now));
    const code = this.code.digits;
    setText($("[data-test=pairing-code]"), code ? `${code.slice(0, 3)} ${code.slice(3)}` : "––– –––");
    if (phase === "waiting" || phase === "lobby") {
      paintNext(root, this.lecture ?? this.known?.next ?? this.known?.lecture ?? null, this.room?.state ?? null, now);
      paintTest(root, this.devices, this.misses < 2);
    }
    if (phase === "ended") this.paintEnded(now);
    if (phase === "live" && this.room) this.paintRoom(this.room);
    this.paintLost(phase);
  }

  /** @param {LiveRoom} room */
  paintRoom(room) {
    hall.paint(root, room.state, room.labels, room.now(), {
      me: room.me,
      online: room.status.link === "online",
      mending: room.status.link === "online" && room.status.media === "reconnecting",
      soundOnly: room.me !== null && room.signals[room.me]?.level === "sound",
      pollUrl: data.pollUrl,
    });
  }

  /** @param {number} now */
  paintEnded(now) {
    const next = this.known?.next;
    setText($("#ended-title"), this.over?.title ?? "");
    setText($("#next-line"), next ? t("Next: {title}. {when}", { title: next.title, when: whenSentence(next, now) }) : "");
  }

  /** @param {string} phase */
  paintLost(phase) {
    const offline = phase === "live" ? this.room?.status.link === "offline" : this.misses >= 2;
    if (!offline) this.offlineSinceMs = Date.now();
    const lost = !this.replaced && phase !== "starting" && Date.now() - this.offlineSinceMs > BLIP_MS;
    $("#lost").hidden = !lost;
    setText($("#lost span"), phase === "live"
      ? t("The connection to the server is lost. It comes back by itself; nobody needs to do anything.")
      : t("The server does not answer. This screen goes on trying by itself."));
  }

  meter() {
    $("#level").style.transform = `scaleX(${Math.min(1, Math.sqrt(this.devices.level) * 1.8).toFixed(2)})`;
  }
}

/** Keep the hall's screen from going dark; the browser takes the lock away whenever the page is hidden. */
async function stayAwake() {
  try {
    if (document.visibilityState === "visible") await navigator.wakeLock?.request("screen");
  } catch {
    // a PC that runs out of power may refuse
  }
}

const kiosk = new Kiosk();
$("[data-test=hand]").addEventListener("click", () => kiosk.hand());
$("[data-test=release]").addEventListener("click", () => kiosk.release());
$("#use-here").addEventListener("click", () => location.reload());
$("#sound").addEventListener("click", () => kiosk.room?.sound.play());
addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key === "h" || key === " ") kiosk.hand();
  else if (key === "r") kiosk.release();
  else return;
  event.preventDefault(); // a space on the focused button would press it a second time
});
document.addEventListener("visibilitychange", stayAwake);
stayAwake();
setInterval(() => kiosk.meter(), 100);
setInterval(() => kiosk.changed(), 1000);
kiosk.look();
