// SPDX-License-Identifier: Apache-2.0
/** The lecturer's console; the same page lets an organiser watch over the class. */

import { Devices } from "../devices.js";
import { elapsed, number, t } from "../i18n.js";
import { LiveRoom } from "../live.js";
import { PollForm } from "../views/ask.js";
import { h, one, pageData, setAttribute, setIcon, setText } from "../views/dom.js";
import * as floor from "../views/floor.js";
import { nameOf } from "../views/labels.js";
import * as points from "../views/points.js";
import * as poll from "../views/poll.js";
import * as stage from "../views/stage.js";
import * as status from "../views/status.js";

/** @typedef {import("../messages.js").RoomState} RoomState */

const TILES = 8;
const RECORDER_STARTS_MS = 5_000;
const NOTICE_MS = 7_000;
const data = pageData();
const chair = ["lecturer", "organiser"].includes(data.role);
const teaches = data.role === "lecturer";
const body = document.body;
const $ = (/** @type {string} */ selector) => one(document, selector);
const mine = { micOff: false, cameraOff: false };

// ---- the room and our devices ----------------------------------------------------------------

const room = new LiveRoom({
  lecture: data.lecture,
  tokenUrl: data.tokenUrl,
  root: document,
  onChange: () => paintSoon(),
  onEvent: ({ event }) => announce(event),
  onSoundBlocked: (blocked) => ($("#sound").hidden = !blocked),
  micOpen: () => !mine.micOff,
});

const devices = new Devices({
  onTrack: (device, track) => {
    room.publish(device, track);
    if (device === "camera") {
      /** @type {HTMLVideoElement} */ ($("#preview")).srcObject = track ? new MediaStream([track]) : null;
      if (track) track.enabled = !mine.cameraOff;
    }
    paintSoon();
  },
  onState: () => paintSoon(),
});

/**
 * Ask the server for something and say so when it refuses.
 * @type {import("../protocol.js").Request}
 */
async function ask(type, payload) {
  const ack = await room.request(type, payload);
  if (!ack.ok) say(ack.error?.message || t("That did not work. Please try again."));
  return ack;
}

/** @param {string} sentence */
function say(sentence) {
  const notice = h("p.notice.notice-error", { role: "alert" }, sentence);
  $("#notices").append(notice);
  setTimeout(() => notice.remove(), NOTICE_MS);
}

/**
 * Tell a screen reader what an eye would notice.
 * @param {import("../messages.js").RoomEvent} event
 */
function announce(event) {
  if (event.type === "floor.requested") setText($("#announce"), t("{name} raises the hand", { name: nameOf(room.labels, event.participant) }));
  if (event.type === "floor.granted") setText($("#announce"), t("{name} has the floor", { name: nameOf(room.labels, event.participant) }));
}

const acts = chair
  ? {
      grant: (/** @type {string} */ participant) => void ask("floor.grant", { participant }),
      revoke: () => void ask("floor.revoke"),
      lower: (/** @type {string} */ participant) => void ask("floor.withdraw", { participant }),
      invite: (/** @type {string} */ participant) => void ask("floor.grant", { participant }),
    }
  : {};

// ---- painting --------------------------------------------------------------------------------

let painting = 0;

function paintSoon() {
  painting ||= requestAnimationFrame(() => {
    painting = 0;
    paint();
  });
}

function paint() {
  const { state, labels } = room;
  const now = room.now();
  setAttribute(body, "data-phase", state.phase);
  paintHead(state, now);
  if (state.phase === "ended") return paintOver(state);
  paintStage(state, labels);
  paintDevices();
  floor.paint($("#floor"), state, labels, now, acts);
  points.paint($("#points"), state, labels, now, acts, room.signals);
  paintPoll(state, labels);
}

/**
 * @param {RoomState} state
 * @param {number} now
 */
function paintHead(state, now) {
  const live = state.phase === "live";
  const { here, all, people } = points.countPoints(state);
  status.paint($("#connection"), room.status.link, state.phase === "ended" ? "connected" : room.status.media);
  $("#connection").hidden = state.phase === "ended";
  setAttribute($("#connection"), "title", room.status.trouble?.message ?? null);
  $("#elapsed-pill").hidden = !live;
  setText($("#elapsed"), live && state.started_ms ? elapsed(now - state.started_ms) : "");
  $("#recording").hidden = !state.recording || !live;
  // the recorder needs a moment at the start; after it, a class that is not kept is something to know at once
  $("#not-recording").hidden = !live || state.recording || now - (state.started_ms ?? now) < RECORDER_STARTS_MS;
  setText($("#counts .num"), `${here}/${all}`);
  setText($("#people .num"), number(people));
  setText($("#points-count"), `${here}/${all}`);
  const go = /** @type {HTMLButtonElement} */ ($("[data-test=go-live]"));
  go.hidden = !teaches || live || state.phase === "ended";
  go.disabled = room.status.link !== "online" || state.phase !== "lobby";
  $("[data-test=end-class]").hidden = !chair || !live;
}

/**
 * @param {RoomState} state
 * @param {Record<string, any>} labels
 */
function paintStage(state, labels) {
  const live = state.phase === "live";
  const tiles = tilesOf(state);
  const holder = state.floor.holder;
  const view = live && holder ? "guest" : live && chair && tiles.length ? "tiles" : "self";
  const place = $("#stage");
  setAttribute(place, "data-view", view);
  place.style.setProperty("--cols", String(Math.ceil(Math.sqrt(tiles.length + 1))));
  place.style.setProperty("--strip", String(Math.max(6, tiles.length + 1)));
  makeTiles(place);
  for (const [index, figure] of [...place.querySelectorAll(".con-tile")].entries()) {
    const tile = tiles[index];
    const element = /** @type {HTMLElement} */ (figure);
    element.hidden = !tile;
    if (tile) stage.paintPicture(element, nameOf(labels, tile.point), tile.shown);
    setAttribute(element, "data-speaking", Boolean(tile && room.signals[tile.point]?.speaking));
    setAttribute(element, "data-asks", Boolean(tile && state.floor.queue.some((hand) => hand.participant === tile.point)));
  }
  stage.paint([$("#guest")], state, labels);
  paintSelf(state, labels);
}

/**
 * The faces of the points. The node shows the i-th point that is here in tile i (signaling/media_bridge.py); what tiles
 * show is not in the journal. A point whose own test found no camera is shown by its initials.
 * @param {RoomState} state
 */
function tilesOf(state) {
  const here = points.allPoints(state).filter((point) => point in state.present);
  return here.slice(0, TILES).map((point) => ({ point, shown: (state.reports[point]?.camera ?? "ok") === "ok" }));
}

/** @param {HTMLElement} place */
function makeTiles(place) {
  if (place.querySelector(".con-tile")) return;
  for (let i = 0; i < TILES; i++) {
    const figure = stage.makePicture(`tile-${i}`);
    figure.classList.add("con-tile");
    place.append(figure);
  }
}

/**
 * Our own picture; for who does not teach, the lecturer's.
 * @param {RoomState} state
 * @param {Record<string, any>} labels
 */
function paintSelf(state, labels) {
  const figure = $("#self");
  $("#preview").hidden = !teaches;
  $("video[data-slot=stage]").hidden = teaches;
  figure.classList.toggle("mirrored", teaches);
  if (teaches) stage.paintPicture(figure, mine.cameraOff ? t("Your camera is off") : t("You"), Boolean(devices.tracks.camera) && !mine.cameraOff);
  else stage.paintPicture(figure, nameOf(labels, state.lecturer), Boolean(state.slots.stage));
}

function paintDevices() {
  $("#bar").hidden = !teaches;
  if (!teaches) return;
  for (const device of /** @type {const} */ (["camera", "microphone"])) {
    const line = $(`[data-device=${device}]`);
    const fine = devices.states[device] === "ok" && room.state.phase === "live";
    line.hidden = fine; // nothing in the way while all is well
    status.paintDevice(line, device, devices.states[device]);
  }
  paintToggle("#mute-mic", mine.micOff, ["mic-fill", t("Mute microphone")], ["mic-mute-fill", t("Microphone is off")]);
  paintToggle("#mute-camera", mine.cameraOff, ["camera-video-fill", t("Turn camera off")], ["camera-video-off-fill", t("Camera is off")]);
}

/**
 * @param {string} selector
 * @param {boolean} off
 * @param {[string, string]} whenOn icon and words
 * @param {[string, string]} whenOff
 */
function paintToggle(selector, off, whenOn, whenOff) {
  const button = $(selector);
  const [sign, words] = off ? whenOff : whenOn;
  setAttribute(button, "aria-pressed", String(off));
  setIcon(button, sign);
  setText(button.querySelector("span"), words);
}

/**
 * @param {RoomState} state
 * @param {Record<string, any>} labels
 */
function paintPoll(state, labels) {
  poll.paint($("#tally"), state.poll, labels);
  $("[data-test=poll-close]").hidden = !state.poll || !chair;
  $("#poll-form").hidden = Boolean(state.poll) || !chair;
  const last = state.poll ? null : (state.results[state.results.length - 1] ?? null);
  poll.paint($("#last-result"), last, labels);
}

/** @param {RoomState} state */
function paintOver(state) {
  $("#over").hidden = false;
  devices.stop();
  const { all, people } = points.countPoints(state);
  setText($("#over-length"), state.started_ms && state.ended_ms ? elapsed(state.ended_ms - state.started_ms) : "–");
  setText($("#over-points"), number(all));
  setText($("#over-people"), number(people));
  setText($("#over-polls"), number(state.results.length));
}

// ---- what a person does ----------------------------------------------------------------------

function muteMicrophone() {
  mine.micOff = !mine.micOff;
  room.gate();
  paintSoon();
}

function muteCamera() {
  mine.cameraOff = !mine.cameraOff;
  if (devices.tracks.camera) devices.tracks.camera.enabled = !mine.cameraOff;
  paintSoon();
}

$("[data-test=go-live]").addEventListener("click", () => ask("lecture.start"));
const endDialog = /** @type {HTMLDialogElement} */ ($("#end-dialog"));
$("[data-test=end-class]").addEventListener("click", () => endDialog.showModal());
endDialog.addEventListener("close", () => endDialog.returnValue === "yes" && ask("lecture.end"));
$("[data-test=poll-close]").addEventListener("click", () => room.state.poll && ask("poll.close", { poll: room.state.poll.poll }));
$("#mute-mic").addEventListener("click", muteMicrophone);
$("#mute-camera").addEventListener("click", muteCamera);
$("#sound").addEventListener("click", () => room.sound.play());
const keysDialog = /** @type {HTMLDialogElement} */ ($("#keys-dialog"));
$("#show-keys").addEventListener("click", () => keysDialog.showModal());
const form = new PollForm(/** @type {HTMLFormElement} */ ($("#poll-form")), (draft) => ask("poll.open", draft));

/** @type {Record<string, () => void>} */
const KEYS = {
  g: () => acts.grant && room.state.floor.queue[0] && acts.grant(room.state.floor.queue[0].participant),
  r: () => acts.revoke && room.state.floor.holder && acts.revoke(),
  m: () => teaches && muteMicrophone(),
  v: () => teaches && muteCamera(),
  q: () => form.focus(),
  "?": () => keysDialog.showModal(),
};

addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input, textarea, select, dialog[open]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = KEYS[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});

// ---- go --------------------------------------------------------------------------------------

if (teaches) devices.start();
setInterval(paint, 1000);
setInterval(() => {
  const level = Math.min(1, Math.sqrt(devices.level) * 1.8);
  $("#level").style.transform = `scaleX(${mine.micOff ? 0 : level.toFixed(2)})`;
}, 100);
paint();
