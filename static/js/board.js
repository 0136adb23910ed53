// SPDX-License-Identifier: Apache-2.0
/**
 * The timetable's board without the page: times, steps, what is in the way. Pure.
 *
 * A time here is whole minutes on the installation's wall clock, counted as if it were UTC: a day always
 * has 1440. Whether such a time exists on the day that clocks change, the server says.
 */

export const STEP = 15;
export const DAY = 1440;
const MINUTE_MS = 60_000;

/** @typedef {{start: number, end: number}} Span on the wall clock */
/**
 * @typedef {object} Lecture as the page has it
 * @property {string} id
 * @property {string} title
 * @property {string} starts_at such as 2026-03-02T08:00
 * @property {string} ends_at
 * @property {number} setup minutes before, for which points, equipment and operators are held too
 * @property {number} teardown minutes after
 * @property {string} lecturer
 * @property {string[]} points the main one first
 * @property {string[]} released points that are free again
 * @property {[string, string][]} equipment (point, set) that is brought along
 * @property {[string, string][]} operators (point, person)
 * @property {number} sequence
 * @property {boolean} series
 * @property {boolean} movable
 */
/** @typedef {{resource: string, starts_at: string, ends_at: string, title: string}} Block or an event of another body */
/** @typedef {{resource: string, by: string, span: Span, holder: string}} LocalClash; holder: a lecture's id, empty for a block */
/** @typedef {"start" | "end" | "both"} Edge what of a lecture is moved */

/** @param {string} text such as 2026-03-02T08:00 @returns {number} */
export function wallOf(text) {
  return Date.parse(`${text}Z`) / MINUTE_MS;
}

/** @param {number} wall @returns {string} such as 2026-03-02T08:00 */
export function textOf(wall) {
  return new Date(wall * MINUTE_MS).toISOString().slice(0, 16);
}

/** @param {number} wall @returns {string} such as 2026-03-02 */
export function dayOf(wall) {
  return textOf(wall).slice(0, 10);
}

/** @param {Lecture | Block} what @returns {Span} */
export function spanOf(what) {
  return { start: wallOf(what.starts_at), end: wallOf(what.ends_at) };
}

/** @param {number} wall @returns {number} the nearest time on the grid */
export function snap(wall) {
  return Math.round(wall / STEP) * STEP;
}

/**
 * Move a lecture, or one end of it; it stays at least a step long and what is moved lands on the grid.
 * @param {Span} span
 * @param {number} by minutes, later when positive
 * @param {Edge} edge
 * @returns {Span}
 */
export function changed(span, by, edge) {
  if (by === 0) return span;
  if (edge === "both") {
    const start = snap(span.start + by);
    return { start, end: start + span.end - span.start };
  }
  if (edge === "start") return { start: Math.min(snap(span.start + by), span.end - STEP), end: span.end };
  return { start: span.start, end: Math.max(snap(span.end + by), span.start + STEP) };
}

/**
 * What a key does to a lecture that is picked up: arrows along the lane go by a step, across by a day;
 * in a month, where lanes show no hours, along by a day and across by a week.
 * @param {string} key
 * @param {boolean} shift stretches: left and right move the end, up and down the start
 * @param {boolean} isMonth
 * @returns {{by: number, edge: Edge} | null} null for other keys
 */
export function keyStep(key, shift, isMonth) {
  const along = { ArrowLeft: -1, ArrowRight: 1 }[key];
  const across = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (along === undefined && across === undefined) return null;
  if (shift) return { by: STEP * (along ?? across ?? 0), edge: along === undefined ? "start" : "end" };
  if (isMonth) return { by: DAY * (along ?? 7 * (across ?? 0)), edge: "both" };
  return { by: along === undefined ? DAY * (across ?? 0) : STEP * along, edge: "both" };
}

/**
 * What the lanes show of a lecture; the same as `pieces` of schedules/board/layout.py.
 * @param {Span} span
 * @param {number} opens minutes after midnight at which lanes begin
 * @param {number} closes and end
 * @returns {{day: string, start: number, length: number}[]} minutes after `opens`
 */
export function piecesOf(span, opens, closes) {
  const EDGE = 20;
  const found = [];
  for (let midnight = Math.floor(span.start / DAY) * DAY; midnight < span.end; midnight += DAY) {
    const first = span.start - midnight - opens;
    const last = span.end - midnight - opens;
    const whole = closes - opens;
    const day = dayOf(midnight);
    if (last <= 0) found.push({ day, start: 0, length: EDGE });
    else if (first >= whole) found.push({ day, start: whole - EDGE, length: EDGE });
    else found.push({ day, start: Math.max(first, 0), length: Math.min(last, whole) - Math.max(first, 0) });
  }
  return found;
}

/**
 * What a lecture holds, and when.
 * @param {Lecture} lecture
 * @param {Span} [span] where it would be
 * @returns {[string, Span][]}
 */
export function holdsOf(lecture, span = spanOf(lecture)) {
  const wide = { start: span.start - lecture.setup, end: span.end + lecture.teardown };
  const points = lecture.points.filter((point) => !lecture.released.includes(point));
  const held = [...points, ...lecture.equipment.map(([, set]) => set), ...lecture.operators.map(([, person]) => person)];
  return [[lecture.lecturer, span], ...held.map((id) => /** @type {[string, Span]} */ ([id, wide]))];
}

/** @param {Span} a @param {Span} b @returns {boolean} whether they share a moment; end = start is none */
export function overlap(a, b) {
  return Math.max(a.start, b.start) < Math.min(a.end, b.end);
}

/**
 * What of all that the page knows is in a lecture's way; the server knows more.
 * @param {Lecture} lecture
 * @param {Span} span where it would be
 * @param {Lecture[]} lectures
 * @param {Block[]} blocks
 * @returns {LocalClash[]} each holder once, in the order of the list
 */
export function clashesOf(lecture, span, lectures, blocks) {
  const wanted = new Map(holdsOf(lecture, span));
  /** @type {LocalClash[]} */
  const found = [];
  for (const other of lectures) {
    if (other.id === lecture.id) continue;
    const taken = holdsOf(other).find(([id, theirs]) => wanted.has(id) && overlap(/** @type {Span} */ (wanted.get(id)), theirs));
    if (taken) found.push({ resource: taken[0], by: other.title, span: taken[1], holder: other.id });
  }
  for (const block of blocks) {
    const mine = wanted.get(block.resource);
    if (mine && overlap(mine, spanOf(block))) found.push({ resource: block.resource, by: block.title, span: spanOf(block), holder: "" });
  }
  return found;
}

/**
 * The time under a place on the board.
 * @param {string} day such as 2026-03-02
 * @param {number} part of the lane's width, 0 to 1
 * @param {number} opens
 * @param {number} closes
 * @returns {number}
 */
export function wallAt(day, part, opens, closes) {
  return wallOf(`${day}T00:00`) + opens + Math.min(Math.max(part, 0), 1) * (closes - opens);
}

/** Lets one question at a time out, at most every `gapMs`; of those asked meanwhile only the last goes. */
export class Latest {
  /**
   * @param {number} gapMs
   * @param {(what: any) => Promise<void>} ask
   */
  constructor(gapMs, ask) {
    this.gapMs = gapMs;
    this.ask = ask;
    this.waiting = /** @type {{what: any} | null} */ (null);
    this.busy = false;
  }

  /** @param {unknown} what */
  want(what) {
    this.waiting = { what };
    if (!this.busy) this.go();
  }

  drop() {
    this.waiting = null;
  }

  async go() {
    this.busy = true;
    while (this.waiting) {
      const { what } = this.waiting;
      this.waiting = null;
      await Promise.all([this.ask(what), new Promise((done) => setTimeout(done, this.gapMs))]);
    }
    this.busy = false;
  }
}
