// SPDX-License-Identifier: Apache-2.0
/** The bridge points of a lecture: who is here, whose equipment has a problem, how many people sit there. */

import { number, t } from "../i18n.js";
import { h, icon, keyed, setAttribute, setIcon, setText } from "./dom.js";
import { nameOf } from "./labels.js";
import * as signal from "./signal.js";
import { shortTrouble } from "./status.js";

/** @typedef {import("../messages.js").RoomState} RoomState */
/** @typedef {{invite?: (point: string) => void}} PointActs */

/**
 * @param {RoomState} state
 * @returns {string[]} all points in the order of the plan, the main point first
 */
export function allPoints(state) {
  return [...new Set([...(state.main_point ? [state.main_point] : []), ...state.points])];
}

/**
 * @param {RoomState} state
 * @returns {{here: number, all: number, people: number}} `people` are those declared at the points
 */
export function countPoints(state) {
  const points = allPoints(state);
  return {
    here: points.filter((point) => point in state.present).length,
    all: points.length,
    people: points.reduce((sum, point) => sum + (state.people[point] ?? 0), 0),
  };
}

/**
 * @param {RoomState} state
 * @param {string} point
 * @returns {"away" | "trouble" | "ok"}
 */
export function healthOf(state, point) {
  if (!(point in state.present)) return "away";
  const report = state.reports[point];
  return report && (report.camera !== "ok" || report.microphone !== "ok") ? "trouble" : "ok";
}

/**
 * @param {HTMLElement} el
 * @param {RoomState} state
 * @param {Record<string, any>} labels
 * @param {number} _nowMs
 * @param {PointActs} [act] invite: give the floor to a point that did not ask
 * @param {signal.Signals} [signals] how good lines are and who speaks
 */
export function paint(el, state, labels, _nowMs, act = {}, signals = {}) {
  el.classList.add("points");
  keyed(el, allPoints(state), (point) => point, (point) => makeRow(point, act), (row, point) => {
    const health = healthOf(state, point);
    setAttribute(row, "data-health", health);
    setAttribute(row, "data-floor", state.floor.holder === point ? "holder" : hasHand(state, point) ? "asks" : null);
    setText(row.querySelector(".point-name"), nameOf(labels, point));
    const line = health === "away" ? undefined : signals[point];
    setAttribute(row, "data-speaking", Boolean(line?.speaking));
    setText(row.querySelector(".point-speaking"), line?.speaking ? t("Speaking now") : "");
    signal.paint(row.querySelector(".signal"), row.querySelector(".point-line"), line);
    setText(row.querySelector(".point-state"), sentence(state, point, health, line));
    setIcon(row.querySelector(".point-mark"), { away: "dash-circle", trouble: "exclamation-triangle-fill", ok: "check-circle-fill" }[health]);
    const people = state.people[point];
    setText(row.querySelector(".point-people span"), people === undefined ? "–" : number(people));
    const invite = /** @type {HTMLButtonElement | null} */ (row.querySelector(".point-invite"));
    if (invite) invite.hidden = state.phase !== "live" || health === "away" || state.floor.holder === point;
  });
}

/**
 * @param {RoomState} state
 * @param {string} point
 */
function hasHand(state, point) {
  return state.floor.queue.some((hand) => hand.participant === point);
}

/**
 * @param {RoomState} state
 * @param {string} point
 * @param {"away" | "trouble" | "ok"} health
 * @param {signal.Signals[string] | undefined} line
 */
function sentence(state, point, health, line) {
  if (health === "away") return t("Not connected");
  if (state.floor.holder === point) return t("Has the floor");
  if (health === "trouble") return shortTrouble(state.reports[point]);
  if (hasHand(state, point)) return t("Hand raised");
  const lineTrouble = signal.shortSentence(line);
  if (lineTrouble) return lineTrouble;
  return point === state.main_point ? t("Main bridge point") : t("Connected");
}

/**
 * @param {string} point
 * @param {PointActs} act
 */
function makeRow(point, act) {
  const words = t("Give the floor to this point");
  const line = h("p.point-line.small", { hidden: true });
  return h(
    "li.point",
    { "data-point-row": point },
    h("span.point-mark", {}, icon("check-circle-fill"), h("span.visually-hidden.point-speaking")),
    h("div.point-who", {}, h("span.point-name"), h("span.point-state.small")),
    signal.make(() => line),
    act.invite &&
      h("button.button.button-quiet.button-small.button-icon.point-invite", {
        type: "button", title: words, "aria-label": words, onclick: () => act.invite?.(point),
      }, icon("mic")),
    h("span.point-people.num", { title: t("People declared at this point") }, icon("people"), h("span")),
    line,
  );
}
