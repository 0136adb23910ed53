// SPDX-License-Identifier: Apache-2.0
/** Who has the floor and who asks for it. Without `act` it is only to be read, as in a replay. */

import { elapsed, t } from "../i18n.js";
import { h, icon, keyed, setAttribute, setText } from "./dom.js";
import { nameOf } from "./labels.js";

/** @typedef {import("../messages.js").RoomState} RoomState */
/**
 * @typedef {object} FloorActs
 * @property {(participant: string) => void} [grant]
 * @property {() => void} [revoke]
 * @property {(participant: string) => void} [lower] take a hand down
 */

/**
 * @param {HTMLElement} el an empty element, or one painted before
 * @param {RoomState} state
 * @param {Record<string, any>} labels
 * @param {number} nowMs
 * @param {FloorActs} [act]
 */
export function paint(el, state, labels, nowMs, act = {}) {
  const { holder, queue } = state.floor;
  if (!el.firstChild) el.append(h("div.floor-speaker"), h("ol.floor-queue", { "data-test": "queue" }), h("p.floor-none.muted"));
  const [speaker, list, none] = /** @type {HTMLElement[]} */ ([...el.children]);
  keyed(speaker, holder ? [holder] : [], (id) => id, () => speakerRow(act), (row) => {
    setText(row.querySelector(".floor-name"), nameOf(labels, holder));
    setText(row.querySelector(".floor-since"), state.floor.since_ms ? elapsed(nowMs - state.floor.since_ms) : "");
  });
  keyed(list, queue, (hand) => hand.participant, (hand) => handRow(hand.participant, act), (row, hand, index) => {
    setText(row.querySelector(".floor-place"), index + 1);
    setText(row.querySelector(".floor-name"), nameOf(labels, hand.participant));
    setText(row.querySelector(".floor-since"), elapsed(nowMs - hand.at_ms));
    setAttribute(row, "data-first", index === 0);
  });
  none.hidden = queue.length > 0;
  setText(none, t("No hand is raised."));
}

/** @param {FloorActs} act */
function speakerRow(act) {
  return h(
    "div.floor-holder",
    {},
    icon("mic-fill"),
    h("div.floor-who", {}, h("span.floor-name"), h("span.small", {}, t("has the floor"), " · ", h("span.floor-since.num"))),
    act.revoke && h("button.button.button-small", { type: "button", "data-test": "revoke", onclick: () => act.revoke?.() }, t("End their turn")),
  );
}

/**
 * @param {string} participant
 * @param {FloorActs} act
 */
function handRow(participant, act) {
  return h(
    "li.floor-hand",
    {},
    h("span.floor-place.num"),
    h("div.floor-who", {}, h("span.floor-name")),
    h("span.floor-since.num.muted.small"),
    act.lower &&
      h("button.button.button-quiet.button-small.button-icon", {
        type: "button", title: t("Lower this hand"), "aria-label": t("Lower this hand"), onclick: () => act.lower?.(participant),
      }, icon("x-lg")),
    act.grant &&
      h("button.button.button-primary", {
        type: "button", "data-test": "grant", "data-point": participant, onclick: () => act.grant?.(participant),
      }, icon("mic-fill"), t("Give the floor")),
  );
}
