// SPDX-License-Identifier: Apache-2.0
/** How good a point's line is: three bars and a sentence, in plain words. Passing news, not part of the room's state. */

import { number, t } from "../i18n.js";
import { h, icon, setAttribute, setText } from "./dom.js";

/** @typedef {import("../messages.js").Signal} Signal */
/** @typedef {Record<string, Signal>} Signals by participant */

/**
 * Put what is new into what is known.
 * @param {Signals} known changed in place
 * @param {Record<string, Signal | null>} news null: gone
 */
export function learn(known, news) {
  for (const [participant, signal] of Object.entries(news)) {
    if (signal) known[participant] = signal;
    else delete known[participant];
  }
}

/**
 * @param {Signal | undefined} signal
 * @returns {string} one or two sentences for a person; empty while nothing is known
 */
export function sentence(signal) {
  if (!signal?.level) return "";
  const said = {
    good: t("The line is good."),
    weak: t("The line is weak: the picture may be less sharp at times."),
    poor: t("The line is poor: the picture may stop at times."),
    sound: t("The line is so weak that only the sound is kept."),
  }[signal.level];
  if (signal.rtt_ms === null) return said;
  const figures = t("Lost {loss} %, delay {delay} ms.", { loss: number(signal.loss_percent), delay: number(signal.rtt_ms) });
  return `${said} ${figures}`;
}

/**
 * @param {Signal | undefined} signal
 * @returns {string} what stands in a list when the line is the trouble, else empty
 */
export function shortSentence(signal) {
  if (signal?.level === "sound") return t("Sound only");
  return signal?.level === "poor" ? t("Poor line") : "";
}

/**
 * Three bars, or a loudspeaker when only the sound is kept. A tap shows the sentence in `line`.
 * @param {() => Element | null} line
 * @returns {HTMLElement}
 */
export function make(line) {
  const toggle = () => {
    const shown = line();
    const open = shown?.hasAttribute("hidden") ?? false;
    if (shown) setAttribute(shown, "hidden", !open);
    setAttribute(button, "aria-expanded", String(open));
  };
  const bars = h("span.signal-bars", { "aria-hidden": "true" }, h("span"), h("span"), h("span"));
  const button = h("button.signal", { type: "button", hidden: true, "aria-expanded": "false", onclick: toggle }, bars, icon("volume-up-fill"));
  return button;
}

/**
 * @param {Element | null} button made by `make`
 * @param {Element | null} line where the sentence stands when somebody wants it
 * @param {Signal | undefined} signal undefined: nothing is shown
 */
export function paint(button, line, signal) {
  if (!button || !line) return;
  const words = sentence(signal);
  setAttribute(button, "hidden", !words);
  setAttribute(button, "data-level", signal?.level ?? null);
  setAttribute(button, "title", words || null);
  setAttribute(button, "aria-label", words || null);
  setText(line, words);
  if (words) return;
  setAttribute(line, "hidden", true);
  setAttribute(button, "aria-expanded", "false");
}
