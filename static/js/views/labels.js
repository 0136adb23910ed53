// SPDX-License-Identifier: Apache-2.0
/** Names for the ids in a state. */

import { t } from "../i18n.js";

/** @typedef {Record<string, any>} Labels */

/**
 * @param {Labels} labels
 * @param {string | null | undefined} id
 * @returns {string} the person's or point's name; a plain word while it is not known
 */
export function nameOf(labels, id) {
  return (id && typeof labels[id] === "string" && labels[id]) || t("A participant");
}

/**
 * @param {Labels} labels
 * @param {string} poll
 * @returns {{question: string, options: string[]}}
 */
export function pollWords(labels, poll) {
  return labels[poll] ?? { question: "", options: [] };
}

/**
 * Two letters that stand for a name while there is no picture: of the last two words, because
 * Vietnamese names of points begin alike ("Điểm cầu …").
 * @param {string} name
 */
export function initials(name) {
  const letters = name.split(/[\s,–-]+/).filter((word) => /^[\p{L}\p{N}]/u.test(word));
  return letters.slice(-2).map((word) => word.charAt(0).toLocaleUpperCase("vi")).join("");
}

/**
 * @param {string | null | undefined} publication such as bp_1/camera
 * @returns {string | null} whose it is
 */
export function publisherOf(publication) {
  return publication?.split("/")[0] ?? null;
}
