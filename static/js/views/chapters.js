// SPDX-License-Identifier: Apache-2.0
/** The turns of a class: a list to choose from, and marks on the recording's line. */

import { elapsed, t } from "../i18n.js";
import { h, icon, keyed, setAttribute, setText } from "./dom.js";
import { nameOf, pollWords } from "./labels.js";

/** @typedef {"start" | "floor" | "lecturer" | "poll" | "result" | "end"} ChapterKind */
/**
 * @typedef {object} Chapter
 * @property {ChapterKind} kind
 * @property {number} at_ms wall clock since 1970
 * @property {string | null} subject id of the participant or the poll
 */
/** @typedef {Chapter & {atS: number}} Placed  atS: seconds of the recording */

const SIGNS = {
  start: "broadcast",
  floor: "mic-fill",
  lecturer: "person-video3",
  poll: "bar-chart-fill",
  result: "check-circle",
  end: "stop-fill",
};

/**
 * @param {Chapter} chapter
 * @param {Record<string, any>} labels
 * @returns {string}
 */
export function titleOf(chapter, labels) {
  const question = chapter.subject ? pollWords(labels, chapter.subject).question : "";
  switch (chapter.kind) {
    case "start":
      return t("The class begins");
    case "floor":
      return nameOf(labels, chapter.subject);
    case "lecturer":
      return t("Back to the lecturer");
    case "poll":
      return t("Question: {question}", { question });
    case "result":
      return t("Result: {question}", { question });
    default:
      return t("The class ends");
  }
}

/**
 * @param {Placed[]} chapters in order
 * @param {number} atS
 * @returns {number} index of the chapter that is on, -1 before the first
 */
export function current(chapters, atS) {
  return chapters.findLastIndex((chapter) => chapter.atS <= atS + 0.25);
}

/**
 * @param {HTMLElement} el an ol
 * @param {Placed[]} chapters
 * @param {Record<string, any>} labels
 * @param {number} atS
 * @param {(atS: number) => void} go
 */
export function paint(el, chapters, labels, atS, go) {
  const on = current(chapters, atS);
  const rows = chapters.map((chapter, index) => ({ chapter, index }));
  keyed(el, rows, ({ index }) => String(index), ({ chapter }) => row(chapter, go), (item, { chapter, index }) => {
    const button = item.querySelector("button");
    if (!button) return;
    setText(button.querySelector(".chapter-at"), elapsed(chapter.atS * 1000));
    setText(button.querySelector(".chapter-title"), titleOf(chapter, labels));
    button.dataset.at = String(chapter.atS);
    setAttribute(button, "aria-current", index === on ? "true" : null);
  });
}

/**
 * @param {Chapter} chapter
 * @param {(atS: number) => void} go
 */
function row(chapter, go) {
  return h(
    "li.chapter",
    { "data-kind": chapter.kind },
    h(
      "button.chapter-go",
      {
        type: "button",
        onclick: (/** @type {Event} */ event) => go(Number(/** @type {HTMLElement} */ (event.currentTarget).dataset.at)),
      },
      h("span.chapter-at.num"),
      icon(SIGNS[chapter.kind]),
      h("span.chapter-title"),
    ),
  );
}

/**
 * Marks of the chapters on the recording's line, and how much of it was seen.
 * @param {HTMLElement} el
 * @param {Placed[]} chapters
 * @param {number} atS
 * @param {number} lengthS
 */
export function paintTrack(el, chapters, atS, lengthS) {
  if (!el.firstChild) el.append(h("span.track-done"), h("span.track-marks"));
  const [done, marks] = /** @type {HTMLElement[]} */ ([...el.children]);
  const share = (/** @type {number} */ s) => `${lengthS > 0 ? Math.min(100, (s / lengthS) * 100) : 0}%`;
  done.style.width = share(atS);
  const shown = chapters.filter((chapter) => chapter.kind !== "start" && chapter.kind !== "end");
  keyed(marks, shown, (chapter) => `${chapter.kind}-${chapter.at_ms}`, (chapter) => h("span.track-mark", { "data-kind": chapter.kind }), (mark, chapter) => {
    mark.style.left = share(chapter.atS);
  });
}
