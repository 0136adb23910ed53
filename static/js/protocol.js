// SPDX-License-Identifier: Apache-2.0
/**
 * The socket: typed messages, a room state that is always whole, and coming back by itself.
 *
 * Every event carries a number. One that follows the state is folded in; one that leaves a gap
 * makes us ask for a snapshot, and waits for it. No DOM here.
 */

import { t } from "./i18n.js";
import { onNetworkChange } from "./network.js";
import { initial, reduce } from "./state.js";

/** @typedef {import("./messages.js").RoomState} RoomState */
/** @typedef {import("./messages.js").RoomEventMessage} Entry */
/** @typedef {import("./messages.js").Joined} Joined */
/** @typedef {import("./messages.js").Requests} Requests */
/** @typedef {Record<string, any>} Labels  id -> name of a person or point; poll id -> {question, options} */
/** @typedef {"connecting" | "online" | "offline" | "replaced" | "refused"} Status */
/** @typedef {{code: string, message: string}} Trouble */
/** @typedef {{ok: boolean, error?: Trouble, [field: string]: any}} Ack */
/** @typedef {<T extends keyof Requests>(type: T, payload?: Requests[T]) => Promise<Ack>} Request */

/**
 * What we use of a Socket.IO client socket; tests bring their own.
 * @typedef {object} Socket
 * @property {(event: string, listener: (...args: any[]) => void) => unknown} on
 * @property {(ms: number) => {emit: (event: string, payload: object, ack: (error: unknown, reply: Ack) => void) => unknown}} timeout
 * @property {() => unknown} connect
 * @property {() => unknown} disconnect
 * @property {boolean} connected
 */

/**
 * @typedef {object} Options
 * @property {string} lecture the lecture's id
 * @property {string} tokenUrl where POST gives {token}
 * @property {(state: RoomState, labels: Labels) => void} [onState] after every change
 * @property {(entry: Entry) => void} [onEvent] each event as it happens (not those a snapshot brought)
 * @property {(status: Status, trouble?: Trouble) => void} [onStatus]
 * @property {(epoch: string) => void} [onMediaReset] negotiate both legs again
 * @property {(news: Record<string, import("./messages.js").Signal | null>) => void} [onSignals] lines and voices
 * @property {() => void} [onReplaced] the same participant came in elsewhere
 * @property {(joined: Joined) => void} [onJoined] after every successful join; `media` says what to publish
 * @property {() => Socket | Promise<Socket>} [dial] for tests: makes the socket
 * @property {() => Promise<string>} [getToken] for tests: instead of POST tokenUrl; throws Refusal
 * @property {() => number} [random] for tests: 0..1
 */

const SOCKET_IO = new URL("../vendor/socket.io.esm.min.js", import.meta.url).href;
const ACK_MS = 10_000;
const PROBE_MS = 2_000; // whether the connection outlived a change of network; by itself it is missed after 10 s
const FIRST_RETRY_MS = 300;
const LONGEST_RETRY_MS = 3_000;
const REFUSED_RETRY_MS = 5_000; // a kiosk waits for its lobby like this

/** The server said no, and why. */
export class Refusal extends Error {
  /** @param {Trouble} trouble */
  constructor(trouble) {
    super(trouble.message);
    this.trouble = trouble;
  }
}

/**
 * Connect to a lecture's room and stay connected.
 * @param {Options} options
 */
export function connect(options) {
  const link = new Link(options);
  link.open();
  return {
    /** @type {Request} never rejects: no connection is an ack with ok = false */
    request: (type, payload) => link.request(type, payload),
    /** Find out whether the server still answers, and connect again if not: something else noticed that the line is gone. */
    probe: () => link.reconnectNow(),
    close: () => link.close(),
    state: () => link.state,
    labels: () => link.labels,
    /** @returns {Joined | null} the last join's answer: you, role, media */
    joined: () => link.joined,
    /** @returns {number} the server's clock, milliseconds since 1970 */
    now: () => Date.now() + link.skewMs,
  };
}

class Link {
  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    /** @type {RoomState} */
    this.state = initial(options.lecture);
    /** @type {Labels} */
    this.labels = {};
    /** @type {Joined | null} */
    this.joined = null;
    this.skewMs = 0;
    /** @type {Socket | null} */
    this.socket = null;
    /** @type {Status} */
    this.status = "connecting";
    this.inRoom = false;
    this.closed = false;
    this.attempt = 0; // of the present connection; an older attempt's answer is worth nothing
    this.retries = 0;
    /** @type {Entry[]} events that wait for a snapshot */
    this.waiting = [];
    this.asking = false;
    this.mediaEpoch = "";
    this.presentSinceMs = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.deaf = () => {}; // stops listening for changes of the network
  }

  async open() {
    this.deaf();
    this.deaf = onNetworkChange(() => this.reconnectNow());
    try {
      this.socket = await (this.options.dial ?? dial)();
    } catch {
      this.tell("offline");
      this.later(() => this.open());
      return;
    }
    if (this.closed) {
      this.socket.disconnect();
      return;
    }
    const socket = this.socket;
    socket.on("connect", () => this.join());
    socket.on("disconnect", (/** @type {string} */ reason) => this.lost(reason));
    socket.on("connect_error", () => this.inRoom || this.status === "connecting" || this.tell("offline"));
    socket.on("room.event", (/** @type {Entry} */ entry) => this.take(entry));
    socket.on("media.reset", (/** @type {{epoch: string}} */ message) => this.seeEpoch(message.epoch));
    socket.on("room.signals", (/** @type {import("./messages.js").RoomSignals} */ message) => this.options.onSignals?.(message.signals));
    socket.on("room.replaced", () => this.replaced());
    if (socket.connected) this.join();
  }

  close() {
    this.closed = true;
    this.inRoom = false;
    clearTimeout(this.timer);
    this.deaf();
    this.socket?.disconnect();
  }

  // ---- coming in -------------------------------------------------------------------------

  async join() {
    const attempt = ++this.attempt;
    clearTimeout(this.timer);
    this.inRoom = false;
    this.waiting = [];
    this.asking = false;
    try {
      const token = await (this.options.getToken ?? (() => fetchToken(this.options.tokenUrl)))();
      if (attempt !== this.attempt || this.closed) return;
      const ack = await this.emit("room.join", { token });
      if (attempt !== this.attempt || this.closed) return;
      if (!ack.ok) throw new Refusal(ack.error ?? { code: "internal", message: "" });
      this.comeIn(/** @type {Joined & Ack} */ (ack));
    } catch (error) {
      if (attempt === this.attempt && !this.closed) this.joinFailed(error);
    }
  }

  /** @param {Joined} joined */
  comeIn(joined) {
    this.retries = 0;
    this.inRoom = true;
    const sinceMs = joined.state.present[joined.you]?.since_ms ?? 0;
    const wasDropped = this.joined !== null && sinceMs !== this.presentSinceMs;
    this.presentSinceMs = sinceMs;
    this.joined = joined;
    this.adopt(joined);
    this.tell("online");
    this.options.onJoined?.(joined);
    if (wasDropped && joined.media.epoch === this.mediaEpoch) {
      this.options.onMediaReset?.(this.mediaEpoch); // the node has forgotten us meanwhile
    }
    this.seeEpoch(joined.media.epoch);
  }

  /** @param {unknown} error */
  joinFailed(error) {
    const temporary = !(error instanceof Refusal) || ["timeout", "offline", "internal"].includes(error.trouble.code);
    if (temporary) {
      this.tell("offline");
      this.later(() => this.join());
    } else {
      this.tell("refused", error.trouble);
      this.later(() => this.join(), REFUSED_RETRY_MS);
    }
  }

  /** @param {string} reason */
  lost(reason) {
    this.attempt++;
    this.inRoom = false;
    clearTimeout(this.timer);
    if (this.closed || this.status === "replaced") return;
    this.tell("offline");
    // after this reason alone the library does not come back by itself
    if (reason === "io server disconnect") this.later(() => this.socket?.connect());
  }

  replaced() {
    this.inRoom = false;
    this.tell("replaced");
    this.socket?.disconnect();
    this.options.onReplaced?.();
  }

  reconnectNow() {
    if (this.closed || this.status === "replaced" || !this.socket) return;
    if (this.socket.connected) {
      if (this.inRoom) this.probe(this.socket);
      else this.join();
      return;
    }
    this.reconnect(this.socket);
  }

  /**
   * Connect again unless the server still answers.
   * @param {Socket} socket
   */
  probe(socket) {
    const attempt = this.attempt;
    socket.timeout(PROBE_MS).emit("room.snapshot", {}, (error) => {
      if (error && attempt === this.attempt && !this.closed) this.reconnect(socket);
    });
  }

  /** @param {Socket} socket */
  reconnect(socket) {
    socket.disconnect(); // forgets the library's own long pause
    socket.connect();
  }

  /**
   * Do something after a jittered, growing pause; only once the network is there.
   * @param {() => void} what
   * @param {number} [atLeastMs]
   */
  later(what, atLeastMs = 0) {
    clearTimeout(this.timer);
    const random = this.options.random ?? Math.random;
    this.timer = setTimeout(what, Math.max(backoffMs(this.retries++, random()), atLeastMs * (1 + random() / 2)));
  }

  // ---- the state -------------------------------------------------------------------------

  /** @param {Entry} entry */
  take(entry) {
    if (!this.inRoom || this.asking) {
      this.waiting.push(entry);
      return;
    }
    Object.assign(this.labels, entry.labels);
    if (entry.seq <= this.state.seq) return;
    if (entry.seq > this.state.seq + 1) {
      this.waiting.push(entry);
      this.askSnapshot();
      return;
    }
    this.state = reduce(this.state, entry);
    this.options.onEvent?.(entry);
    this.options.onState?.(this.state, this.labels);
  }

  async askSnapshot() {
    const attempt = this.attempt;
    this.asking = true;
    const ack = await this.emit("room.snapshot", {});
    if (attempt !== this.attempt || this.closed) return;
    this.asking = false;
    if (ack.ok) this.adopt(/** @type {any} */ (ack));
    else this.later(() => this.inRoom && this.askSnapshot());
  }

  /**
   * Take a whole state, then the events that came meanwhile.
   * @param {{state: any, labels: Labels, server_ms: number}} snapshot
   */
  adopt(snapshot) {
    this.skewMs = snapshot.server_ms - Date.now();
    Object.assign(this.labels, snapshot.labels);
    if (snapshot.state.seq >= this.state.seq) this.state = snapshot.state;
    const waiting = this.waiting.sort((a, b) => a.seq - b.seq);
    this.waiting = [];
    this.options.onState?.(this.state, this.labels);
    for (const entry of waiting) this.take(entry);
  }

  /** @param {string} epoch */
  seeEpoch(epoch) {
    if (!epoch || epoch === this.mediaEpoch) return;
    const first = this.mediaEpoch === "";
    this.mediaEpoch = epoch;
    if (!first) this.options.onMediaReset?.(epoch);
  }

  // ---- requests --------------------------------------------------------------------------

  /** @type {Request} */
  async request(type, payload) {
    if (!this.inRoom) {
      return { ok: false, error: { code: "offline", message: t("There is no connection to the server at the moment.") } };
    }
    return this.emit(type, payload ?? {});
  }

  /**
   * @param {string} type
   * @param {object} payload
   * @returns {Promise<Ack>}
   */
  emit(type, payload) {
    return new Promise((resolve) => {
      const late = { ok: false, error: { code: "timeout", message: t("The server did not answer in time.") } };
      if (!this.socket) resolve(late);
      else this.socket.timeout(ACK_MS).emit(type, payload, (error, ack) => resolve(error || !ack ? late : ack));
    });
  }

  /**
   * @param {Status} status
   * @param {Trouble} [trouble]
   */
  tell(status, trouble) {
    if (status === this.status && !trouble) return;
    this.status = status;
    this.options.onStatus?.(status, trouble);
  }
}

/**
 * How long to wait before try number `retries` (0 = first): 0.3 s growing to 3 s, half of it chance,
 * so that a hundred halls do not come back in the same instant.
 * @param {number} retries
 * @param {number} random 0..1
 */
export function backoffMs(retries, random) {
  const fullMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(retries, 10));
  return fullMs * (0.5 + random / 2);
}

/** @returns {Promise<Socket>} */
async function dial() {
  const { io } = await import(SOCKET_IO);
  return io({
    transports: ["websocket", "polling"],
    tryAllTransports: true,
    forceNew: true,
    reconnectionDelay: FIRST_RETRY_MS,
    reconnectionDelayMax: LONGEST_RETRY_MS,
    randomizationFactor: 0.5,
    timeout: 5_000,
  });
}

/**
 * @param {string} url
 * @returns {Promise<string>} a token that is fresh enough to join with
 */
async function fetchToken(url) {
  const response = await fetch(url, {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json" }, // JSON: no other site's form can send it
    body: "{}",
    cache: "no-store",
  });
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body.token;
  const trouble = body.code
    ? { code: body.code, message: body.detail }
    : { code: `http.${response.status}`, message: t("The server refused.") };
  if (response.status >= 500) throw new Error(trouble.message);
  throw new Refusal(trouble);
}
