// SPDX-License-Identifier: Apache-2.0
/** A question and how it was answered so far: live, closed or in a replay. */

import { number, t } from "../i18n.js";
import { h, keyed, setAttribute, setText } from "./dom.js";
import { pollWords } from "./labels.js";

/** @typedef {import("../messages.js").OpenPoll | import("../messages.js").PollResult} AnyPoll */

/** @param {number} index @returns {string} A, B, C … */
export const letter = (index) => "ABCDEFGHIJ".charAt(index);

/**
 * @param {import("../messages.js").RoomState} state
 * @param {number} nowMs
 * @param {number} keepMs how long a result stays after its poll was closed
 * @returns {AnyPoll | null} the open poll, or the one closed just now
 */
export function pollToShow(state, nowMs, keepMs) {
  const last = state.results[state.results.length - 1];
  return state.poll ?? (last && nowMs - last.closed_ms < keepMs ? last : null);
}

/**
 * @param {HTMLElement} el
 * @param {AnyPoll | null} poll
 * @param {Record<string, any>} labels
 */
export function paint(el, poll, labels) {
  el.hidden = poll === null;
  if (!poll) return;
  if (!el.querySelector(".poll-question")) {
    el.append(h("p.poll-question"), h("ol.poll-options"), h("p.poll-sum.muted.small"));
  }
  const words = pollWords(labels, poll.poll);
  const answers = poll.counts.reduce((sum, count) => sum + count, 0);
  const most = Math.max(...poll.counts);
  setText(el.querySelector(".poll-question"), words.question);
  const list = /** @type {HTMLElement} */ (el.querySelector(".poll-options"));
  const rows = poll.counts.map((count, index) => ({ count, index }));
  keyed(list, rows, (row) => `${poll.poll}-${row.index}`, makeRow, (row, { count, index }) => {
    const share = answers ? count / answers : 0;
    setText(row.querySelector(".poll-words"), words.options[index] ?? "");
    setText(row.querySelector(".poll-count"), number(count));
    setText(row.querySelector(".poll-share"), `${Math.round(share * 100)} %`);
    setAttribute(row, "data-count", count);
    setAttribute(row, "data-most", answers > 0 && count === most);
    /** @type {HTMLElement} */ (row.querySelector(".bar-fill")).style.width = `${share * 100}%`;
  });
  const state = "closed_ms" in poll ? t("Closed") : t("Open");
  setText(el.querySelector(".poll-sum"), t("{state} · answers: {answers}, by phone: {phones}", { state, answers: number(answers), phones: number(poll.phones) }));
}

/** @param {{index: number}} row */
function makeRow({ index }) {
  return h(
    "li.poll-option",
    {},
    h("span.poll-letter", { "aria-hidden": "true" }, letter(index)),
    h("span.poll-words"),
    h("span.poll-figure.num", {}, h("span.poll-count"), " ", h("span.poll-share.muted.small")),
    h("span.bar", {}, h("span.bar-fill")),
  );
}
