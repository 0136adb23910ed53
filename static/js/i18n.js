// SPDX-License-Identifier: Apache-2.0
/**
 * Words, times and numbers in the page's language. The catalogue stands in the page (`#i18n`);
 * a sentence that is not in it is shown in English, as it is written in the code.
 */

/** @type {Record<string, string> | null} */
let catalogue = null;

/** @returns {Record<string, string>} */
function words() {
  if (catalogue) return catalogue;
  const text = globalThis.document?.getElementById("i18n")?.textContent;
  try {
    catalogue = text ? JSON.parse(text) : {};
  } catch {
    catalogue = {};
  }
  return catalogue ?? {};
}

/**
 * A sentence in the page's language.
 * @param {string} msgid the English sentence, with {names} for what is put in
 * @param {Record<string, string | number>} [params]
 * @returns {string}
 */
export function t(msgid, params = {}) {
  const sentence = words()[msgid] || msgid;
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in params ? String(params[name]) : whole));
}

/** @returns {string} "vi" or "en" */
export function locale() {
  return globalThis.document?.documentElement.lang || "vi";
}

/** @returns {string | undefined} the installation's zone: a hall's PC may be set to any */
function zone() {
  return globalThis.document?.documentElement.dataset.zone || undefined;
}

/** @param {number} n @returns {string} with the language's thousands separator */
export function number(n) {
  return new Intl.NumberFormat(locale()).format(n);
}

/** @param {number} ms milliseconds since 1970 @returns {string} such as 07:30 */
export function clock(ms) {
  return new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone() }).format(ms);
}

/** @param {number} ms milliseconds since 1970 @returns {string} such as Thứ Hai, 23 tháng 11 */
export function day(ms) {
  const text = new Intl.DateTimeFormat(locale(), { weekday: "long", day: "numeric", month: "long", timeZone: zone() }).format(ms);
  return text.charAt(0).toLocaleUpperCase(locale()) + text.slice(1);
}

/**
 * How long something has lasted.
 * @param {number} ms
 * @returns {string} such as 4:05 or 1:04:05
 */
export function elapsed(ms) {
  const all = Math.max(0, Math.floor(ms / 1000));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const hours = Math.floor(all / 3600);
  const rest = `${hours ? two(Math.floor(all / 60) % 60) : Math.floor(all / 60)}:${two(all % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}
