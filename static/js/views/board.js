// SPDX-License-Identifier: Apache-2.0
/** The board on the page: which lane is where, the shadows of a lecture that is being moved, the panel and the toast. */

import { dayOf, piecesOf, wallAt, wallOf } from "../board.js";
import { locale, t } from "../i18n.js";
import { h, icon, one, setText } from "./dom.js";

/** @typedef {import("../board.js").Span} Span */
/** @typedef {import("../board.js").Lecture} Lecture */
/** @typedef {{lane: HTMLElement, day: string, left: number, right: number, top: number, bottom: number}} Box of a lane, from the table's corner */
/** @typedef {{starts_at: string, ends_at: string}} TimeOffer */
/** @typedef {{point: string, instead_of: string, id: string, name: string, organisation: string}} Swap */
/** @typedef {{times: TimeOffer[], points: Swap[], equipment: Swap[]}} Offers */

const UNDO_MS = 10_000;

/** @param {number} wall @param {Intl.DateTimeFormatOptions} how @returns {string} */
function format(wall, how) {
  return new Intl.DateTimeFormat(locale(), { ...how, timeZone: "UTC" }).format(wall * 60_000);
}

/** @param {number} wall @returns {string} such as 07:30 */
export function timeWords(wall) {
  return format(wall, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** @param {Span} span @returns {string} such as Thứ Ba, 3/3, 08:00–09:30 */
export function spanWords(span) {
  const day = (/** @type {number} */ wall) => format(wall, { weekday: "long", day: "numeric", month: "numeric" });
  const last = dayOf(span.end) === dayOf(span.start) ? "" : `${day(span.end)}, `;
  return `${day(span.start)}, ${timeWords(span.start)}–${last}${timeWords(span.end)}`;
}

/** @param {Swap} swap @param {Record<string, string>} names @returns {string} */
export function swapWords(swap, names) {
  const other = names[swap.instead_of];
  return other ? t("{name} instead of {other}", { name: swap.name, other }) : swap.name;
}

export class Board {
  /**
   * @param {HTMLElement} table
   * @param {{opens: number, closes: number, view: string}} data
   */
  constructor(table, data) {
    this.table = table;
    this.opens = data.opens;
    this.closes = data.closes;
    this.isMonth = table.classList.contains("board-month");
    /** @type {HTMLElement[]} */
    this.ghosts = [];
    /** @type {HTMLElement[]} */
    this.lifted = [];
    /** @type {HTMLElement[]} */
    this.hit = [];
    this.marked = "";
    /** @type {Map<string, HTMLElement>} */
    this.lanes = new Map();
    this.index();
  }

  /** Look where the lanes are; again when rows were replaced. */
  index() {
    this.lanes = new Map([...this.table.querySelectorAll(".lane")].map((lane) => [laneKey(data(lane, "row"), data(lane, "day")), /** @type {HTMLElement} */ (lane)]));
  }

  /** @param {string} id @returns {HTMLElement[]} */
  barsOf(id) {
    return [...this.table.querySelectorAll(`.lec[data-lecture="${CSS.escape(id)}"]`)].map((bar) => /** @type {HTMLElement} */ (bar));
  }

  /**
   * Where the lanes of a row are; they stay there while something is dragged, whatever scrolls.
   * @param {string} row
   * @returns {Box[]}
   */
  boxes(row) {
    const corner = this.table.getBoundingClientRect();
    return [...this.lanes.values()]
      .filter((lane) => lane.dataset.row === row)
      .map((lane) => {
        const box = (this.isMonth ? /** @type {HTMLElement} */ (lane.parentElement) : lane).getBoundingClientRect();
        const [left, top] = [box.left - corner.left, box.top - corner.top];
        return { lane, day: lane.dataset.day ?? "", left, top, right: left + box.width, bottom: top + box.height };
      });
  }

  /**
   * @param {Box[]} boxes
   * @param {number} clientX
   * @param {number} clientY
   * @returns {number} the time there; of the nearest lane when it is beside all of them
   */
  wallUnder(boxes, clientX, clientY) {
    const corner = this.table.getBoundingClientRect();
    const [x, y] = [clientX - corner.left, clientY - corner.top];
    const far = (/** @type {Box} */ b) => Math.max(b.left - x, x - b.right, 0) + Math.max(b.top - y, y - b.bottom, 0);
    const nearest = boxes.reduce((best, box) => (far(box) < far(best) ? box : best));
    if (this.isMonth) return wallOf(`${nearest.day}T00:00`);
    return wallAt(nearest.day, (x - nearest.left) / (nearest.right - nearest.left), this.opens, this.closes);
  }

  /** @param {string} id */
  lift(id) {
    this.lifted = this.barsOf(id);
    this.rows = new Set(this.lifted.map((bar) => data(bar.closest(".lane"), "row")));
    for (const bar of this.lifted) bar.classList.add("is-lifted");
    this.table.classList.add("is-moving");
  }

  /**
   * Show where a lifted lecture would be. Only its shadows are touched, however many rows there are.
   * @param {Lecture} lecture
   * @param {Span} span
   * @param {boolean} isClash
   * @param {string[]} [holders] lectures that are in its way
   */
  show(lecture, span, isClash, holders = []) {
    this.mark(holders);
    const pieces = this.isMonth ? [{ day: dayOf(span.start), start: 0, length: 0 }] : piecesOf(span, this.opens, this.closes);
    const places = [...(this.rows ?? [])].flatMap((row) => pieces.map((piece) => ({ piece, lane: this.lanes.get(laneKey(row, piece.day)) }))).filter((place) => place.lane);
    while (this.ghosts.length > places.length) this.ghosts.pop()?.remove();
    while (this.ghosts.length < places.length) this.ghosts.push(this.makeGhost(lecture));
    places.forEach(({ piece, lane }, n) => {
      const ghost = this.ghosts[n];
      if (ghost.parentElement !== lane) /** @type {HTMLElement} */ (lane).append(ghost);
      ghost.style.setProperty("--from", String(piece.start));
      ghost.style.setProperty("--long", String(piece.length));
      ghost.classList.toggle("is-clash", isClash);
      setText(ghost.querySelector("b"), timeWords(span.start));
    });
  }

  /** Mark what is in the way. @param {string[]} ids of lectures */
  mark(ids) {
    const key = ids.join();
    if (key === this.marked) return;
    this.marked = key;
    for (const bar of this.hit) bar.classList.remove("is-hit");
    this.hit = ids.flatMap((id) => this.barsOf(id));
    for (const bar of this.hit) bar.classList.add("is-hit");
  }

  /** @param {Lecture} lecture */
  makeGhost(lecture) {
    const hue = [...(this.lifted[0]?.classList ?? [])].find((name) => name.startsWith("hue")) ?? "hue1";
    return h(`div.lec.is-ghost.${hue}`, { "aria-hidden": "true" }, h("span.lec-words", {}, h("b.num", {}), " ", lecture.title));
  }

  /** Put everything back as it was. */
  settle() {
    this.mark([]);
    for (const ghost of this.ghosts) ghost.remove();
    for (const bar of this.lifted) bar.classList.remove("is-lifted");
    this.ghosts = [];
    this.lifted = [];
    this.table.classList.remove("is-moving", "is-stretching");
  }
}

export class Panel {
  /** @param {HTMLElement} root @param {{drop: () => void, leave: () => void, take: (offer: {time?: TimeOffer, point?: Swap, equipment?: Swap}) => void}} on */
  constructor(root, on) {
    this.root = root;
    this.on = on;
    this.said = one(root, ".panel-said");
    this.offers = one(root, ".panel-offers");
    one(root, ".panel-drop").addEventListener("click", on.drop);
    one(root, ".panel-leave").addEventListener("click", on.leave);
  }

  /** @param {Lecture} lecture @param {string} href of its page */
  open(lecture, href) {
    setText(one(this.root, ".panel-title"), lecture.title);
    one(this.root, ".panel-open").setAttribute("href", href);
    this.tell([], null);
    this.root.hidden = false;
  }

  close() {
    this.root.hidden = true;
  }

  /** @param {Span} span @param {string} instead what was taken instead, in words */
  time(span, instead) {
    setText(one(this.root, ".panel-time"), [spanWords(span), instead].filter(Boolean).join(" · "));
  }

  /**
   * @param {string[]} sentences
   * @param {Offers | null} offers
   * @param {Record<string, string>} [names] of points and sets
   */
  tell(sentences, offers, names = {}) {
    this.said.replaceChildren(...sentences.map((sentence) => h("li", {}, sentence)));
    const button = (/** @type {string} */ words, /** @type {Parameters<typeof this.on.take>[0]} */ offer, title = "") =>
      h("button.button.button-small", { type: "button", title: title || null, onclick: () => this.on.take(offer) }, words);
    const buttons = offers
      ? [
          ...offers.times.map((time) => button(spanWords({ start: wallOf(time.starts_at), end: wallOf(time.ends_at) }), { time })),
          ...offers.points.map((point) => button(swapWords(point, names), { point }, point.organisation)),
          ...offers.equipment.map((equipment) => button(swapWords(equipment, names), { equipment }, equipment.organisation)),
        ]
      : [];
    one(this.offers, ".row").replaceChildren(...buttons);
    this.offers.hidden = buttons.length === 0;
  }

  focusOffer() {
    this.offers.querySelector("button")?.focus();
  }
}

export class Toast {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.timer = 0;
  }

  /**
   * @param {string} words
   * @param {(() => void) | null} undo
   * @param {{words: string, href: string} | null} [link]
   */
  show(words, undo, link = null) {
    clearTimeout(this.timer);
    this.root.replaceChildren(
      h("span", {}, words),
      ...(link ? [h("a", { href: link.href }, link.words)] : []),
      ...(undo ? [h("button.button.button-small", { type: "button", "data-test": "undo", onclick: () => (this.hide(), undo()) }, icon("arrow-left"), t("Undo"))] : []),
    );
    this.root.hidden = false;
    this.timer = setTimeout(() => this.hide(), UNDO_MS);
  }

  hide() {
    clearTimeout(this.timer);
    this.root.hidden = true;
  }
}

/** @param {string} row @param {string} day */
function laneKey(row, day) {
  return `${row}|${day}`;
}

/** @param {Element | null} element @param {string} name @returns {string} */
export function data(element, name) {
  return /** @type {HTMLElement | null} */ (element)?.dataset[name] ?? "";
}
