// SPDX-License-Identifier: Apache-2.0
// The timetable is whole without this. With it, arrow keys walk over the board, and who plans moves
// lectures by mouse and by keyboard. What the page shows comes from the server after every move.

import { changed, clashesOf, dayOf, keyStep, Latest, spanOf, textOf } from "../board.js";
import { t } from "../i18n.js";
import { one, pageData, setText } from "../views/dom.js";
import { Board, data as dataOf, Panel, spanWords, swapWords, Toast } from "../views/board.js";

/** @typedef {import("../board.js").Lecture} Lecture */
/** @typedef {import("../board.js").Span} Span */
/** @typedef {import("../board.js").Edge} Edge */
/**
 * @typedef {object} Carried
 * @property {Lecture} lecture as it is
 * @property {Lecture} wish the same with the points and sets that were taken instead
 * @property {string} instead what was taken instead, in words
 * @property {Span} from
 * @property {Span} span
 * @property {string} row in which it was picked up
 * @property {boolean} busy while the server decides
 */
/** @typedef {{starts_at: string, ends_at: string, points?: string[], equipment?: [string, string][]}} Place */

const ASK_EVERY_MS = 150;
const GRIP_PX = 6; // at a bar's ends
const SCROLL_PX = 30; // from an edge of a board that is wider than its window
const SLACK_PX = 4; // a hand that only clicks moves that much

const table = document.getElementById("board");
const live = document.getElementById("board-live");
const print = /** @type {HTMLButtonElement} */ (document.getElementById("board-print"));
print.hidden = false;
print.addEventListener("click", () => window.print());

/** @param {Event | Element} what @returns {HTMLElement | null} the bar that it is in */
function barOf(what) {
  const element = what instanceof Event ? what.target : what;
  return element instanceof Element ? element.closest(".lec[data-lecture]") : null;
}

// ---- walking over the board -----------------------------------------------------------------

/** One bar is in the order of Tab; the arrow keys go on from there. @param {HTMLElement} board */
function rove(board) {
  const bars = [...board.querySelectorAll(".lec[data-lecture]")];
  const current = bars.find((bar) => bar === document.activeElement) ?? bars[0];
  for (const bar of bars) bar.setAttribute("tabindex", bar === current ? "0" : "-1");
}

/** @param {HTMLElement} board @param {Element} next */
function walkTo(board, next) {
  board.querySelector('.lec[tabindex="0"]')?.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  /** @type {HTMLElement} */ (next).focus();
}

/** @param {HTMLElement} board @param {HTMLElement} bar @param {string} key */
function walk(board, bar, key) {
  const bars = [...board.querySelectorAll(".lec[data-lecture]")];
  const at = bars.indexOf(bar);
  if (key === "ArrowLeft" || key === "ArrowRight") return bars[at + (key === "ArrowRight" ? 1 : -1)];
  const mine = bar.getBoundingClientRect();
  const line = bar.closest("tr");
  const others = key === "ArrowDown" ? bars.slice(at + 1) : bars.slice(0, at).reverse();
  const next = others.find((other) => other.closest("tr") !== line)?.closest("tr");
  const inNext = others.filter((other) => other.closest("tr") === next);
  const apart = (/** @type {Element} */ other) => Math.abs(other.getBoundingClientRect().left - mine.left);
  return inNext.sort((a, b) => apart(a) - apart(b))[0];
}

// ---- moving ---------------------------------------------------------------------------------

class Mover {
  /** @param {HTMLElement} table */
  constructor(table) {
    this.data = pageData();
    this.board = new Board(table, this.data);
    this.panel = new Panel(one(document, "#board-panel"), {
      drop: () => void this.drop(),
      leave: () => this.leave(),
      take: (offer) => void this.take(offer),
    });
    this.toast = new Toast(one(document, "#board-toast"));
    this.scope = /** @type {HTMLDialogElement} */ (one(document, "#board-scope"));
    /** @type {Carried | null} */
    this.carried = null;
    this.asking = new Latest(ASK_EVERY_MS, (span) => this.ask(span));
    /** @type {WeakMap<Element, string>} */
    this.asServed = new WeakMap();
    table.classList.add("can-move");
    this.mark();
    table.addEventListener("dragstart", (event) => event.preventDefault());
    table.addEventListener("pointerdown", (event) => this.press(event));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.carried && !this.scope.open) this.leave();
    });
  }

  /** Remember rows as the server made them, and say which bars can be moved. */
  mark() {
    const movable = new Set(this.lectures().filter((lecture) => lecture.movable).map((lecture) => lecture.id));
    for (const row of this.board.table.querySelectorAll("tbody > tr")) {
      if (this.asServed.has(row)) continue;
      this.asServed.set(row, row.innerHTML);
      for (const bar of row.querySelectorAll(".lec[data-lecture]")) bar.toggleAttribute("data-movable", movable.has(dataOf(bar, "lecture")));
    }
    rove(this.board.table);
  }

  /** @returns {Lecture[]} */
  lectures() {
    return this.data.lectures;
  }

  /** @param {HTMLElement} bar @returns {boolean} whether it could be picked up */
  pick(bar) {
    const lecture = this.lectures().find((one) => one.id === dataOf(bar, "lecture"));
    if (!lecture?.movable || this.carried?.busy) return false;
    if (this.carried) this.leave();
    const from = spanOf(lecture);
    this.carried = { lecture, wish: lecture, instead: "", from, span: from, row: dataOf(bar.closest(".lane"), "row"), busy: false };
    this.board.lift(lecture.id);
    this.toast.hide();
    this.panel.open(lecture, bar.getAttribute("href") ?? "#");
    this.put(from);
    return true;
  }

  /** @param {Span} span show the lecture there, with what the page knows to be in its way */
  put(span) {
    const carried = this.carried;
    if (!carried) return;
    carried.span = span;
    const clashes = clashesOf(carried.wish, span, this.lectures(), this.data.blocks);
    this.board.show(carried.lecture, span, clashes.length > 0, clashes.map((clash) => clash.holder));
    const said = clashes.map(({ resource, by, span: taken }) =>
      t("{resource} is needed for “{by}”, {interval}.", { resource: this.data.names[resource] ?? "", by, interval: spanWords(taken) }),
    );
    this.panel.time(span, carried.instead);
    this.panel.tell(said, null);
    say([spanWords(span), ...said].join(" "));
    if (isChanged(carried)) this.asking.want(span);
    else this.asking.drop();
  }

  /** Ask the server, which knows hours, other calendars and all other days. @param {Span} span */
  async ask(span) {
    const lecture = this.carried?.lecture;
    if (!lecture || this.carried?.busy) return;
    const answer = await send(this.data.check, { lecture: lecture.id, ...placeOf(/** @type {Carried} */ (this.carried)) });
    if (this.carried?.lecture !== lecture || this.carried.span !== span || this.carried.busy) return;
    const said = answer.ok ? answer.body.clashes.map((/** @type {{sentence: string}} */ clash) => clash.sentence) : [answer.body.detail];
    this.board.show(lecture, span, said.length > 0, holdersOf(answer.body.clashes));
    this.panel.tell(said, answer.ok ? answer.body.offers : null, this.data.names);
    if (said.length) say([spanWords(span), ...said].join(" "));
  }

  leave() {
    const carried = this.carried;
    if (!carried || carried.busy) return;
    this.settle();
    say(t("Nothing was moved."));
    this.focus(carried);
  }

  settle() {
    this.carried = null;
    this.asking.drop();
    this.board.settle();
    this.panel.close();
  }

  /** @param {Carried} carried */
  focus(carried) {
    const bars = this.board.barsOf(carried.lecture.id);
    const bar = bars.find((one) => dataOf(one.closest(".lane"), "row") === carried.row) ?? bars[0];
    if (bar) walkTo(this.board.table, bar);
  }

  async drop() {
    const carried = this.carried;
    if (!carried) return;
    if (!isChanged(carried)) return this.leave();
    await this.move();
  }

  /** Take what is free instead. @param {{time?: import("../views/board.js").TimeOffer, point?: import("../views/board.js").Swap, equipment?: import("../views/board.js").Swap}} offer */
  async take({ time, point, equipment }) {
    const carried = this.carried;
    if (!carried || carried.busy) return;
    const { points, equipment: brought } = carried.wish;
    if (time) carried.span = spanOf({ ...carried.wish, ...time });
    if (point) carried.wish = { ...carried.wish, points: points.map((id) => (id === point.instead_of ? point.id : id)) };
    if (equipment) carried.wish = { ...carried.wish, equipment: [...brought.filter(([at]) => at !== equipment.point), [equipment.point, equipment.id]] };
    for (const swap of [point, equipment]) {
      if (swap) this.data.names[swap.id] = swap.name;
      if (swap) carried.instead = [carried.instead, swapWords(swap, this.data.names)].filter(Boolean).join(" · ");
    }
    this.put(carried.span);
    await this.move();
  }

  async move() {
    const carried = this.carried;
    if (!carried || carried.busy) return;
    const place = placeOf(carried);
    carried.busy = true;
    this.asking.drop();
    const { lecture } = carried;
    const scope = lecture.series ? await this.askScope() : "one";
    if (!scope) {
      carried.busy = false;
      return this.leave();
    }
    const answer = await send(this.data.move, { lecture: lecture.id, sequence: lecture.sequence, scope, ...place });
    carried.busy = false;
    if (answer.body.code === "lecture.changed_meanwhile") return this.overtaken(answer.body.detail);
    if (!answer.ok) return this.refused(answer.body);
    const moved = /** @type {Lecture} */ (answer.body.lecture);
    await this.refresh();
    this.settle();
    this.focus(carried);
    const words = t("Moved to {when}.", { when: spanWords(spanOf(moved)) });
    const seen = this.board.barsOf(moved.id).length > 0;
    const link = seen ? null : { words: t("Show it"), href: this.data.page.replace("DATE", dayOf(spanOf(moved).start)) };
    this.toast.show(words, () => void this.undo(moved.id, answer.body.back), link);
    say(words);
  }

  /** @param {string} moved @param {unknown[]} back what the server said puts back all that it has moved */
  async undo(moved, back) {
    const answer = await send(this.data.back, { lectures: back });
    await this.refresh();
    this.toast.show(answer.ok ? t("It is where it was.") : answer.body.detail, null);
    const bar = this.board.barsOf(moved)[0];
    if (bar) walkTo(this.board.table, bar);
  }

  /** @param {{detail: string, sentences?: string[], clashes?: {holder: string}[], offers?: import("../views/board.js").Offers}} problem */
  refused(problem) {
    const carried = this.carried;
    if (!carried) return;
    const said = problem.sentences ?? [problem.detail];
    this.board.show(carried.lecture, carried.span, true, holdersOf(problem.clashes));
    this.panel.tell(said, problem.offers ?? null, this.data.names);
    say(said.join(" "));
    if (document.activeElement === document.body) this.focus(carried);
  }

  /** Somebody else was faster: show what is so now. @param {string} sentence */
  async overtaken(sentence) {
    const carried = this.carried;
    await this.refresh();
    this.settle();
    if (carried) this.focus(carried);
    this.toast.show(sentence, null);
  }

  /** @returns {Promise<string>} which lectures of the series; empty: none */
  askScope() {
    this.scope.returnValue = "";
    this.scope.showModal();
    return new Promise((done) => this.scope.addEventListener("close", () => done(this.scope.returnValue), { once: true }));
  }

  /** Take the rows that have changed from the server; what others have moved meanwhile comes along. */
  async refresh() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return location.reload();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [rows, others] = [this.board.table, fresh.getElementById("board")].map((body) => [...(body?.querySelectorAll("tbody > tr") ?? [])]);
    const served = fresh.getElementById("page-data")?.textContent;
    if (rows.length !== others.length || !served) return location.reload();
    this.data = JSON.parse(served);
    rows.forEach((row, n) => {
      if (this.asServed.get(row) !== others[n].innerHTML) row.replaceWith(others[n]);
    });
    for (const part of [".board-list", ".board-legend"]) {
      const next = fresh.querySelector(part);
      if (next) document.querySelector(part)?.replaceWith(next);
    }
    this.board.index();
    this.mark();
  }

  // ---- by mouse ----

  /** @param {PointerEvent} down */
  press(down) {
    const bar = barOf(down);
    if (!bar || down.button !== 0 || down.pointerType === "touch" || !bar.hasAttribute("data-movable")) return;
    const edge = this.board.isMonth ? "both" : edgeUnder(bar, down.clientX);
    const boxes = this.board.boxes(dataOf(bar.closest(".lane"), "row"));
    const grabbed = this.board.wallUnder(boxes, down.clientX, down.clientY);
    let isDragged = false;
    const ends = new AbortController();
    const { signal } = ends;
    const done = () => {
      ends.abort();
      // the click that follows must not open the lecture
      if (isDragged) document.addEventListener("click", stop, { capture: true, once: true });
      setTimeout(() => document.removeEventListener("click", stop, { capture: true }));
    };
    const onMove = (/** @type {PointerEvent} */ event) => {
      if (!isDragged) {
        if (Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < SLACK_PX || !this.pick(bar)) return;
        isDragged = true;
        this.board.table.classList.toggle("is-stretching", edge !== "both");
      }
      const carried = this.carried;
      if (!carried || carried.busy) return;
      this.follow(event.clientX);
      const span = changed(carried.from, Math.round(this.board.wallUnder(boxes, event.clientX, event.clientY) - grabbed), edge);
      if (span.start !== carried.span.start || span.end !== carried.span.end) this.put(span);
    };
    document.addEventListener("pointermove", onMove, { signal });
    document.addEventListener("pointerup", () => (done(), isDragged && void this.drop()), { signal });
    document.addEventListener("pointercancel", () => (done(), isDragged && this.leave()), { signal });
  }

  /** Bring what is beyond an edge into sight. @param {number} x */
  follow(x) {
    const scroller = /** @type {HTMLElement} */ (this.board.table.parentElement);
    const { left, right } = scroller.getBoundingClientRect();
    if (x > right - SCROLL_PX) scroller.scrollLeft += SCROLL_PX / 2;
    else if (x < left + SCROLL_PX) scroller.scrollLeft -= SCROLL_PX / 2;
  }

  // ---- by keyboard ----

  /** @param {KeyboardEvent} event @param {HTMLElement} bar @returns {boolean} whether the key was for moving */
  key(event, bar) {
    const carried = this.carried;
    if (!carried || carried.lecture.id !== dataOf(bar, "lecture")) {
      if (event.key !== "Enter" || event.ctrlKey || event.metaKey || !this.pick(bar)) return false;
      bar.scrollIntoView({ block: "center", inline: "nearest" }); // the panel would be over the last rows
      return true;
    }
    if (event.key === "Enter") {
      void this.drop();
      return true;
    }
    const step = keyStep(event.key, event.shiftKey, this.board.isMonth);
    if (!step || carried.busy || (this.board.isMonth && step.edge !== "both")) return false;
    this.put(changed(carried.span, step.by, step.edge));
    const ghost = this.board.ghosts.find((one) => dataOf(one.parentElement, "row") === carried.row);
    ghost?.scrollIntoView({ block: "nearest", inline: "nearest" });
    return true;
  }
}

/** @param {HTMLElement} bar @param {number} x @returns {Edge} */
function edgeUnder(bar, x) {
  const box = bar.getBoundingClientRect();
  if (Math.abs(x - box.right) <= GRIP_PX && !bar.classList.contains("goes-after")) return "end";
  const hasStart = box.width > 4 * GRIP_PX && !bar.classList.contains("goes-before");
  return hasStart && x - box.left <= GRIP_PX ? "start" : "both";
}

/** @param {Carried} carried @returns {boolean} whether anything would be otherwise */
function isChanged({ from, span, lecture, wish }) {
  return span.start !== from.start || span.end !== from.end || wish !== lecture;
}

/** @param {Carried} carried @returns {Place} */
function placeOf({ span, lecture, wish }) {
  const instead = wish === lecture ? {} : { points: wish.points, equipment: wish.equipment };
  return { starts_at: textOf(span.start), ends_at: textOf(span.end), ...instead };
}

/** @param {{holder: string}[]} [clashes] @returns {string[]} */
function holdersOf(clashes = []) {
  return clashes.map((clash) => clash.holder);
}

/** @param {Event} event */
function stop(event) {
  event.preventDefault();
  event.stopPropagation();
}

/** @param {string} words */
function say(words) {
  setText(live, words);
}

/**
 * @param {string} url
 * @param {unknown} body
 * @returns {Promise<{ok: boolean, body: any}>}
 */
async function send(url, body) {
  try {
    const headers = { "Content-Type": "application/json", Accept: "application/json" };
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    return { ok: answer.ok, body: await answer.json() };
  } catch {
    return { ok: false, body: { detail: t("The server does not answer. Please try again.") } };
  }
}

if (table) {
  const mover = document.getElementById("page-data") ? new Mover(table) : null;
  if (!mover) rove(table);
  table.addEventListener("keydown", (event) => {
    const bar = barOf(event);
    if (!bar || event.altKey) return;
    if (mover?.key(event, bar)) event.preventDefault();
    else if (event.key.startsWith("Arrow") && !mover?.carried) {
      event.preventDefault();
      const next = walk(table, bar, event.key);
      if (next) walkTo(table, next);
    }
  });
}
