// SPDX-License-Identifier: Apache-2.0
/**
 * The room's sound: one element per audio slot. A participant never hears themselves, and when the
 * browser wants a gesture before it plays, the page is told and the next touch or key is it.
 */

import { publisherOf } from "./views/labels.js";

export class Sound {
  /** @param {(blocked: boolean) => void} onBlocked whether the browser waits for a gesture */
  constructor(onBlocked) {
    this.onBlocked = onBlocked;
    /** @type {Map<string, HTMLAudioElement>} */
    this.elements = new Map();
    this.try = () => this.play();
    for (const gesture of ["pointerup", "keydown"]) addEventListener(gesture, this.try);
  }

  /**
   * @param {string} slot
   * @param {MediaStream} stream
   */
  attach(slot, stream) {
    const element = this.elements.get(slot) ?? new Audio();
    this.elements.set(slot, element);
    element.srcObject = stream;
    this.play();
  }

  /**
   * Mute what is our own voice. Both the state of the slots and the floor say so: the first tells
   * what is heard, the second what will be in a moment.
   * @param {import("./messages.js").RoomState} state
   * @param {string | null} me
   */
  follow(state, me) {
    for (const [slot, element] of this.elements) {
      const source = publisherOf(state.slots[slot]?.publication);
      const mine = source === me || (slot === "audio-0" && state.lecturer === me) || (slot === "audio-1" && state.floor.holder === me);
      element.muted = me !== null && mine;
    }
  }

  async play() {
    let blocked = false;
    for (const element of this.elements.values()) {
      if (!element.paused) continue;
      try {
        await element.play();
      } catch (error) {
        blocked ||= error instanceof DOMException && error.name === "NotAllowedError";
      }
    }
    this.onBlocked(blocked);
  }

  stop() {
    for (const element of this.elements.values()) {
      element.pause();
      element.srcObject = null;
    }
    this.elements.clear();
    for (const gesture of ["pointerup", "keydown"]) removeEventListener(gesture, this.try);
  }
}
