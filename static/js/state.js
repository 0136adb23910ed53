// SPDX-License-Identifier: Apache-2.0
/**
 * The fold of a room's journal, the same as `rooms/fold.py`: live it is fed events as they come, in
 * a replay those up to the picture's time. Pure: a state is never changed, a new one is returned.
 *
 * It never refuses: what is in the journal has happened. An event that contradicts the state (a
 * second start, a tally of a closed poll) changes only seq.
 */

/** @typedef {import("./messages.js").RoomState} RoomState */
/** @typedef {import("./messages.js").RoomEvent} RoomEvent */
/** @typedef {Partial<RoomState>} Change  the fields that become something else */
/** @typedef {{seq: number, at_ms: number, event: RoomEvent}} Entry  at_ms: milliseconds since 1970 UTC */

/**
 * The state before the first entry.
 * @param {string} lecture the lecture's id
 * @returns {RoomState}
 */
export function initial(lecture) {
  return {
    lecture,
    seq: 0,
    phase: "none",
    lecturer: null,
    main_point: null,
    points: [],
    opened_ms: null,
    started_ms: null,
    ended_ms: null,
    present: {},
    reports: {},
    people: {},
    encoders: [],
    floor: { holder: null, since_ms: null, queue: [] },
    slots: {},
    poll: null,
    results: [],
    recording: false,
  };
}

/**
 * The state after one more entry; one that is in the state already changes nothing.
 * @param {RoomState} state
 * @param {Entry} entry
 * @returns {RoomState}
 */
export function reduce(state, entry) {
  if (entry.seq <= state.seq) return state;
  return { ...state, ...changeBy(state, entry.at_ms, entry.event), seq: entry.seq };
}

/**
 * The state after several entries, in order.
 * @param {RoomState} state
 * @param {Iterable<Entry>} entries
 * @returns {RoomState}
 */
export function reduceAll(state, entries) {
  for (const entry of entries) state = reduce(state, entry);
  return state;
}

/**
 * What an event changes. One of a kind that this page does not know yet changes nothing.
 * @param {RoomState} state
 * @param {number} atMs
 * @param {RoomEvent} event
 * @returns {Change}
 */
function changeBy(state, atMs, event) {
  switch (event.type) {
    case "lecture.opened":
      return opened(state, atMs, event);
    case "lecture.started":
      return state.phase === "lobby" ? { phase: "live", started_ms: atMs } : {};
    case "lecture.ended":
      return ended(state, atMs);
    case "recording.started":
      return { recording: state.phase !== "ended" };
    case "recording.stopped":
      return { recording: false };
    case "slot.switched":
      return switched(state, atMs, event);
    case "participant.joined":
      return joined(state, atMs, event);
    case "participant.left":
      return left(state, event);
    case "point.reported": {
      const { camera, microphone } = event;
      return { reports: { ...state.reports, [event.point]: { camera, microphone, at_ms: atMs } } };
    }
    case "people.counted":
      return { people: { ...state.people, [event.point]: event.people } };
    case "encoder.started":
      return state.phase === "ended" ? {} : { encoders: [...encodersWithout(state, event.point), event.point] };
    case "encoder.stopped":
      return { encoders: encodersWithout(state, event.point) };
    case "floor.requested":
      return requested(state, atMs, event);
    case "floor.withdrawn":
      return { floor: { ...state.floor, queue: queueWithout(state, event.participant) } };
    case "floor.granted":
      return granted(state, atMs, event);
    case "floor.released":
      return state.floor.holder === event.participant ? { floor: { ...state.floor, holder: null, since_ms: null } } : {};
    case "poll.opened":
      return pollOpened(state, atMs, event);
    case "poll.tallied":
      return pollTallied(state, event);
    case "poll.closed":
      return state.poll?.poll === event.poll ? withoutPoll({ ...state, ...pollTallied(state, event) }, atMs) : {};
    default:
      return {};
  }
}

// ---- the class ------------------------------------------------------------------------------

/**
 * @param {RoomState} state
 * @param {number} atMs
 * @param {import("./messages.js").LectureOpened} event
 * @returns {Change}
 */
function opened(state, atMs, event) {
  if (state.phase !== "none") return {};
  const { lecturer, main_point, points } = event;
  return { phase: "lobby", opened_ms: atMs, lecturer, main_point, points };
}

/**
 * @param {RoomState} state
 * @param {number} atMs
 * @returns {Change}
 */
function ended(state, atMs) {
  if (state.phase === "ended") return {};
  const { floor, slots, encoders, recording } = initial(state.lecture);
  return { phase: "ended", ended_ms: atMs, floor, slots, encoders, recording, ...withoutPoll(state, atMs) };
}

/**
 * @param {RoomState} state
 * @param {number} atMs
 * @param {import("./messages.js").SlotSwitched} event
 * @returns {Change}
 */
function switched(state, atMs, { slot, publication }) {
  const slots = without(state.slots, slot);
  if (publication === null || state.phase === "ended") return { slots };
  return { slots: { ...slots, [slot]: { publication, since_ms: atMs } } };
}

// ---- who is here ----------------------------------------------------------------------------

/**
 * @param {RoomState} state
 * @param {number} atMs
 * @param {import("./messages.js").ParticipantJoined} event
 * @returns {Change}
 */
function joined(state, atMs, { participant, role }) {
  const since_ms = state.present[participant]?.since_ms ?? atMs;
  return { present: { ...state.present, [participant]: { role, since_ms } } };
}

/**
 * @param {RoomState} state
 * @param {import("./messages.js").ParticipantLeft} event
 * @returns {Change}
 */
function left(state, { participant }) {
  const queue = queueWithout(state, participant);
  const held = state.floor.holder === participant;
  const floor = held ? { holder: null, since_ms: null, queue } : { ...state.floor, queue };
  return { present: without(state.present, participant), floor, encoders: encodersWithout(state, participant) };
}

/**
 * @param {RoomState} state
 * @param {string} point
 */
function encodersWithout(state, point) {
  return state.encoders.filter((other) => other !== point);
}

// ---- the floor ------------------------------------------------------------------------------

/**
 * @param {RoomState} state
 * @param {string} participant
 */
function queueWithout(state, participant) {
  return state.floor.queue.filter((request) => request.participant !== participant);
}

/**
 * @param {RoomState} state
 * @param {number} atMs
 * @param {import("./messages.js").FloorRequested} event
 * @returns {Change}
 */
function requested(state, atMs, { participant }) {
  const waiting = state.floor.queue.some((request) => request.participant === participant);
  if (waiting || state.floor.holder === participant || state.phase === "ended") return {};
  return { floor: { ...state.floor, queue: [...state.floor.queue, { participant, at_ms: atMs }] } };
}

/**
 * @param {RoomState} state
 * @param {number} atMs
 * @param {import("./messages.js").FloorGranted} event
 * @returns {Change}
 */
function granted(state, atMs, { participant }) {
  if (state.floor.holder === participant || state.phase === "ended") return {};
  return { floor: { holder: participant, since_ms: atMs, queue: queueWithout(state, participant) } };
}

// ---- the poll -------------------------------------------------------------------------------

/**
 * Close the open poll, if there is one, with the counts it has.
 * @param {RoomState} state
 * @param {number} atMs
 * @returns {Change}
 */
function withoutPoll(state, atMs) {
  if (state.poll === null) return {};
  return { poll: null, results: [...state.results, { ...state.poll, closed_ms: atMs }] };
}

/**
 * @param {RoomState} state
 * @param {number} atMs
 * @param {import("./messages.js").PollOpened} event
 * @returns {Change}
 */
function pollOpened(state, atMs, { poll, options }) {
  if (state.phase === "ended") return {};
  const fresh = { poll, counts: new Array(options).fill(0), phones: 0, opened_ms: atMs };
  return { ...withoutPoll(state, atMs), poll: fresh };
}

/**
 * @param {RoomState} state
 * @param {import("./messages.js").PollTallied | import("./messages.js").PollClosed} event
 * @returns {Change}
 */
function pollTallied(state, { poll, counts, phones }) {
  return state.poll?.poll === poll ? { poll: { ...state.poll, counts, phones } } : {};
}

/**
 * A copy of a record without one of its keys.
 * @template T
 * @param {Record<string, T>} record
 * @param {string} key
 * @returns {Record<string, T>}
 */
function without(record, key) {
  const { [key]: _, ...others } = record;
  return others;
}
