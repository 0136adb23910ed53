// SPDX-License-Identifier: Apache-2.0
/**
 * Pictures in their places. A browser keeps the last picture of an emptied slot and says nothing,
 * so whether a picture is shown, and whose it is, comes from the room's state alone.
 */

import { h, setAttribute, setText } from "./dom.js";
import { initials, nameOf, publisherOf } from "./labels.js";

/**
 * Make one picture's place.
 * @param {string} slot
 * @returns {HTMLElement}
 */
export function makePicture(slot) {
  return h(
    "figure.picture",
    { "data-picture": slot },
    h("span.picture-initials", { "aria-hidden": "true" }),
    h("video", { "data-slot": slot, autoplay: true, muted: true, playsinline: true }),
    h("figcaption.picture-name"),
  );
}

/**
 * @param {HTMLElement} figure
 * @param {string} name whose place this is; empty: nobody's
 * @param {boolean} shown whether the picture may be seen
 */
export function paintPicture(figure, name, shown) {
  setAttribute(figure, "data-shown", shown);
  setText(figure.querySelector(".picture-name"), name);
  setText(figure.querySelector(".picture-initials"), initials(name));
}

/**
 * Paint the places of slots from a state.
 * @param {Iterable<HTMLElement>} figures places made by makePicture or by a template
 * @param {import("../messages.js").RoomState} state
 * @param {Record<string, any>} labels
 */
export function paint(figures, state, labels) {
  for (const figure of figures) {
    const slot = figure.dataset.picture ?? "";
    const shown = state.slots[slot];
    const who = publisherOf(shown?.publication) ?? (slot === "stage" ? state.lecturer : slot === "guest" ? state.floor.holder : null);
    paintPicture(figure, who ? nameOf(labels, who) : "", Boolean(shown));
  }
}

/**
 * Give a place its stream; a video element begins to play by itself.
 * @param {ParentNode} root
 * @param {string} slot
 * @param {MediaStream} stream
 * @returns {HTMLVideoElement | null} the place, null: this page has none for the slot
 */
export function attach(root, slot, stream) {
  const video = /** @type {HTMLVideoElement | null} */ (root.querySelector(`video[data-slot="${slot}"]`));
  if (!video || video.srcObject === stream) return video;
  video.muted = true; // sound comes by the audio slots
  video.srcObject = stream;
  video.play().catch(() => {}); // a muted picture may always play; it was replaced meanwhile
  return video;
}
