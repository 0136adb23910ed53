// SPDX-License-Identifier: Apache-2.0
/** The hall's screen while there is no class: the clock, what comes next, and the equipment's own test. */

import { clock, day, t } from "../i18n.js";
import { one, setAttribute, setText } from "./dom.js";
import { countPoints } from "./points.js";
import { paintDevice } from "./status.js";

const MINUTE_MS = 60_000;

/** @typedef {{id: string, title: string, topic: string, lecturer: string, starts_at: string, ends_at: string, status: string}} Lecture */

/**
 * How long until a lecture, in words that suit the distance.
 * @param {Lecture} lecture
 * @param {number} nowMs
 */
export function whenSentence(lecture, nowMs) {
  const startMs = Date.parse(lecture.starts_at);
  const minutes = Math.ceil((startMs - nowMs) / MINUTE_MS);
  const time = clock(startMs);
  if (minutes <= 0) return t("The lecturer will begin in a moment");
  if (minutes <= 90) return t("Begins at {time}, in {minutes} minutes", { time, minutes });
  if (day(startMs) === day(nowMs)) return t("Today at {time}", { time });
  return t("{day}, at {time}", { day: day(startMs), time });
}

/**
 * @param {ParentNode} root
 * @param {Lecture | null} lecture the one that is open, or the next
 * @param {import("../messages.js").RoomState | null} state of the open one
 * @param {number} nowMs
 */
export function paintNext(root, lecture, state, nowMs) {
  setText(one(root, "#big-clock"), clock(nowMs));
  setText(one(root, "#day"), day(nowMs));
  setAttribute(one(root, "#lecture"), "data-none", lecture === null);
  setText(one(root, "#when"), lecture ? whenSentence(lecture, nowMs) : "");
  setText(one(root, "#title"), lecture ? lecture.title : t("No lecture is planned for this bridge point."));
  setText(one(root, "#topic"), lecture && !lecture.title.includes(lecture.topic) ? lecture.topic : "");
  setText(one(root, "#lecturer"), lecture ? t("Lecturer: {name}", { name: lecture.lecturer }) : "");
  const counted = state ? countPoints(state) : null;
  setText(one(root, "#others"), counted?.here ? t("Bridge points that are here: {here} of {all}", counted) : "");
}

/**
 * @param {ParentNode} root
 * @param {import("../devices.js").Devices} devices
 * @param {boolean} serverAnswers
 */
export function paintTest(root, devices, serverAnswers) {
  one(root, "#self-test").hidden = !devices.running;
  for (const device of /** @type {const} */ (["camera", "microphone"])) {
    paintDevice(one(root, `[data-device=${device}]`), device, devices.states[device]);
  }
  setAttribute(one(root, "#mirror"), "data-shown", Boolean(devices.tracks.camera));
  const server = one(root, "#server-line");
  setAttribute(server, "data-device-state", serverAnswers ? "ok" : "bad");
  setText(server.querySelector("span"), serverAnswers ? t("The server answers.") : t("The server does not answer. Check the network cable; this screen goes on trying."));
}
