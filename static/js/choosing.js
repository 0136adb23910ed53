// SPDX-License-Identifier: Apache-2.0
/** Finding and counting in a long list of things to choose. Pure. */

/**
 * @typedef {object} Choice
 * @property {boolean} isChosen
 * @property {boolean} isOffered false: it takes part in another way and cannot be chosen here
 * @property {number} seats 0: not known
 */

/**
 * Words as they are searched for, as the server's `search_key` has them: without marks, in lower case, single spaces.
 * @param {string} words
 * @returns {string} such as "le thi hoa"
 */
export function searchKey(words) {
  const plain = words.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("đ", "d");
  return plain.trim().replace(/\s+/gu, " ");
}

/**
 * @param {string} key of a thing
 * @param {string} wanted as it was typed
 * @returns {boolean} whether every word of it is somewhere in the key, in any order
 */
export function isMatch(key, wanted) {
  return searchKey(wanted).split(" ").every((word) => key.includes(word));
}

/**
 * @param {Choice[]} choices
 * @returns {{chosen: number, offered: number, seats: number}} seats: of the chosen ones together
 */
export function tally(choices) {
  const offered = choices.filter((choice) => choice.isOffered);
  const chosen = offered.filter((choice) => choice.isChosen);
  return { chosen: chosen.length, offered: offered.length, seats: chosen.reduce((sum, choice) => sum + choice.seats, 0) };
}
