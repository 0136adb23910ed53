// SPDX-License-Identifier: Apache-2.0
// The form is whole without this. With it, points are found by a few letters, the main point is not offered
// a second time, and equipment and operators are asked for points that take part only.

import { isMatch, searchKey, tally } from "../choosing.js";
import { number, t } from "../i18n.js";
import { one, setText } from "../views/dom.js";

/** @typedef {{box: HTMLInputElement, label: HTMLElement, key: string, seats: number}} Point */

const main = /** @type {HTMLSelectElement} */ (one(document, "#f-main"));

/** The joining points: what is shown of them, what is chosen. */
class Chooser {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.list = one(root, ".point-choices");
    this.groups = /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(".point-group"));
    this.points = Array.from(/** @type {NodeListOf<HTMLElement>} */ (this.list.querySelectorAll("label")), pointOf);
    this.search = /** @type {HTMLInputElement} */ (one(root, "#point-search"));
    this.chosenOnly = /** @type {HTMLInputElement} */ (one(root, "#point-chosen-only"));
    this.count = one(root, "#point-count");
    this.found = one(root, "#point-found");
    this.search.addEventListener("input", () => this.look());
    this.search.addEventListener("keydown", (event) => this.press(event));
    this.chosenOnly.addEventListener("change", () => this.look());
    one(root, "#point-all").addEventListener("click", () => this.mark(true));
    one(root, "#point-none").addEventListener("click", () => this.mark(false));
    one(root, ".chooser-tools").hidden = !this.list.classList.contains("is-long");
  }

  /** Enter leads to what was found; it must not send the form. @param {KeyboardEvent} event */
  press(event) {
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (!event.isComposing) this.points.find((point) => !point.label.hidden)?.box.focus();
  }

  /** Take the main point out of those that can join; what was ticked is there again when it is main no longer. */
  offer() {
    for (const { box } of this.points) box.disabled = box.value === main.value;
    this.look();
  }

  /** Show what is looked for. What is ticked or unticked afterwards stays in sight, so that a slip can be undone. */
  look() {
    const wanted = this.search.value;
    for (const { box, label, key } of this.points) {
      label.hidden = box.disabled || !isMatch(key, wanted) || (this.chosenOnly.checked && !box.checked);
    }
    for (const group of this.groups) group.hidden = !group.querySelector("label:not([hidden])");
    this.list.scrollTop = 0;
    this.tell();
  }

  /** @param {boolean} isChosen all that are shown */
  mark(isChosen) {
    for (const { box, label } of this.points) if (!label.hidden) box.checked = isChosen;
    this.list.dispatchEvent(new Event("change", { bubbles: true }));
  }

  tell() {
    const { chosen, offered, seats } = tally(this.points.map(({ box, seats }) => ({ isChosen: box.checked, isOffered: !box.disabled, seats })));
    const params = { chosen: number(chosen), all: number(offered), seats: number(seats) };
    setText(this.count, seats ? t("{chosen} of {all} points chosen, {seats} seats", params) : t("{chosen} of {all} points chosen", params));
    const shown = this.points.filter((point) => !point.label.hidden).length;
    setText(this.found, shown === offered ? "" : this.foundWords(shown));
    this.list.hidden = shown === 0;
  }

  /** @param {number} shown @returns {string} */
  foundWords(shown) {
    if (shown) return t("{shown} shown", { shown: number(shown) });
    return this.search.value.trim() ? t("No point is called that.") : t("No point is chosen yet.");
  }

  /** @returns {Set<string>} the points that take part, the main one too */
  taking() {
    const joining = this.points.filter(({ box }) => box.checked && !box.disabled).map(({ box }) => box.value);
    return new Set([main.value, ...joining].filter(Boolean));
  }
}

/** @param {HTMLElement} label @returns {Point} found by its own name and place: what its organisation is called would find all of it */
function pointOf(label) {
  return {
    box: /** @type {HTMLInputElement} */ (one(label, "input")),
    label,
    key: searchKey(label.textContent ?? ""),
    seats: Number(label.dataset.seats),
  };
}

/** Ask for equipment and operators of those points only. @param {Set<string>} taking */
function showExtras(taking) {
  for (const row of document.querySelectorAll(".plan-table [data-point]")) {
    /** @type {HTMLElement} */ (row).hidden = !taking.has(/** @type {HTMLElement} */ (row).dataset.point ?? "");
  }
  one(document, ".plan-extras .table-wrap").hidden = taking.size === 0;
  one(document, "#extras-none").hidden = taking.size > 0;
}

const chooser = new Chooser(one(document, "#point-chooser"));

function start() {
  chooser.offer();
  showExtras(chooser.taking());
}

main.addEventListener("change", start);
chooser.list.addEventListener("change", () => {
  chooser.tell();
  showExtras(chooser.taking());
});
// browsers put back what was typed when one comes back to a page, some of them after this has run
window.addEventListener("pageshow", start);
start();
