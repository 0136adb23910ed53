// SPDX-License-Identifier: Apache-2.0
/** The hall's screen during class: who is seen how large, whose turn it is, and the question. */

import { t } from "../i18n.js";
import { one, setAttribute, setIcon, setText } from "./dom.js";
import { nameOf, publisherOf } from "./labels.js";
import * as poll from "./poll.js";
import * as stage from "./stage.js";

/** @typedef {import("../messages.js").RoomState} RoomState */

const RESULT_STAYS_MS = 20_000;

/**
 * @param {RoomState} state
 * @param {string | null} me this hall's point
 * @returns {"stage" | "guest" | "own"} which picture is the large one, or that it is our turn
 */
export function viewOf(state, me) {
  if (state.floor.holder === null) return "stage";
  return state.floor.holder === me ? "own" : "guest";
}

/**
 * @param {HTMLElement} root
 * @param {RoomState} state
 * @param {Record<string, any>} labels
 * @param {number} nowMs
 * @param {{me: string | null, online: boolean, mending: boolean, soundOnly: boolean, pollUrl: string}} here
 */
export function paint(root, state, labels, nowMs, here) {
  const view = viewOf(state, here.me);
  const room = one(root, "#room");
  const guestShown = view === "guest" && publisherOf(state.slots.guest?.publication) !== null;
  // the large place changes hands when the picture is there, not before: no empty frame in between
  setAttribute(room, "data-view", view === "guest" && !guestShown ? "stage" : view);
  stage.paint([one(root, "[data-picture=stage]")], state, labels);
  const guest = publisherOf(state.slots.guest?.publication) ?? state.floor.holder;
  stage.paintPicture(one(root, "[data-picture=guest]"), guest ? nameOf(labels, guest) : "", guestShown);
  stage.paintPicture(one(root, "#own"), nameOf(labels, here.me), true);
  paintPoll(root, state, labels, nowMs, here.pollUrl);
  paintHand(root, state, here);
  setText(one(root, "#say"), sentence(state, labels, here.me));
  one(root, "#mending").hidden = !here.mending;
  one(root, "#weak").hidden = here.mending || !here.soundOnly;
  setText(root.querySelector("#weak span"), t("The line is weak: only the sound is kept."));
  setText(root.querySelector("#mending span:last-child"), t("Picture and sound are coming back by themselves …"));
}

/**
 * @param {RoomState} state
 * @param {Record<string, any>} labels
 * @param {string | null} me
 */
function sentence(state, labels, me) {
  const { holder, queue } = state.floor;
  if (holder && holder === me) return t("Your bridge point has the floor. Everybody sees and hears you.");
  const place = queue.findIndex((hand) => hand.participant === me) + 1;
  if (place) return place === 1 ? t("Your hand is up. You are next.") : t("Your hand is up. Place {place} in the queue.", { place });
  if (holder) return t("{name} has the floor", { name: nameOf(labels, holder) });
  return t("Your microphone is closed. Raise the hand to speak.");
}

/**
 * @param {HTMLElement} root
 * @param {RoomState} state
 * @param {{me: string | null, online: boolean}} here
 */
function paintHand(root, state, { me, online }) {
  const holds = state.floor.holder !== null && state.floor.holder === me;
  const up = state.floor.queue.some((hand) => hand.participant === me);
  const hand = /** @type {HTMLButtonElement} */ (one(root, "[data-test=hand]"));
  const release = /** @type {HTMLButtonElement} */ (one(root, "[data-test=release]"));
  hand.hidden = holds;
  release.hidden = !holds;
  hand.disabled = release.disabled = !online;
  setAttribute(hand, "aria-pressed", String(up));
  setIcon(hand, up ? "x-lg" : "person-raised-hand");
  setText(hand.querySelector("span"), up ? t("Lower the hand") : t("Raise the hand"));
}

/**
 * @param {HTMLElement} root
 * @param {RoomState} state
 * @param {Record<string, any>} labels
 * @param {number} nowMs
 * @param {string} pollUrl
 */
function paintPoll(root, state, labels, nowMs, pollUrl) {
  const shown = poll.pollToShow(state, nowMs, RESULT_STAYS_MS);
  const card = one(root, "#poll");
  card.hidden = shown === null;
  setAttribute(one(root, "#room"), "data-poll", shown !== null);
  poll.paint(one(root, "#tally"), shown, labels);
  const open = state.poll;
  one(root, "#qr").hidden = open === null;
  if (!open) return;
  const image = /** @type {HTMLImageElement} */ (one(root, "[data-test=poll-qr]"));
  setAttribute(image, "src", `${pollUrl}${open.poll}/qr.svg`);
  setText(one(root, "#poll-address"), `${location.host}${pollUrl}${open.poll}`);
}
