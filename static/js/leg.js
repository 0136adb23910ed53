// SPDX-License-Identifier: Apache-2.0
/** One of a participant's two peer connections, kept up for ever. No DOM here. */

const DISCONNECTED_MS = 2_000; // ICE may mend itself for this long
const MEND_MS = 5_000; // from fresh ICE names to "connected"
const MENDS = 2; // restarts of ICE without being connected between them; after that a new connection
const REACH_MS = 30_000; // the socket is often away for as long as the media; the node forgets us after this
const REACH_AGAIN_MS = 500;
const ENCODER = "media.encoder_active";
const AWAY = ["offline", "timeout", "media.unavailable"];
const CONNECT_MS = 8_000; // from the offer to "connected"
const FIRST_RETRY_MS = 300;
const LONGEST_RETRY_MS = 3_000;
const REFUSED_RETRY_MS = 5_000; // the plan does not let us send now; it may later

/** @type {RTCConfiguration} */
export const CONFIGURATION = { bundlePolicy: "max-bundle" };

/** The server did not take part in a negotiation. */
export class NotNegotiated extends Error {
  /** @param {string} code */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** One peer connection after another, until one holds. */
export class Leg {
  /**
   * @param {(pc: RTCPeerConnection) => Promise<void>} negotiate
   * @param {(pc: RTCPeerConnection) => Promise<void>} restartIce throws NotNegotiated
   * @param {() => void} changed
   * @param {() => void} silent nothing comes any more
   */
  constructor(negotiate, restartIce, changed, silent) {
    this.negotiate = negotiate;
    this.restartIce = restartIce;
    this.changed = changed;
    this.silent = silent;
    /** @type {RTCPeerConnection | null} */
    this.pc = null;
    this.connected = false;
    this.connections = 0; // how often this leg was connected
    this.negotiations = 0;
    this.restarts = 0; // of ICE, that the node took part in
    this.retries = 0;
    this.stopped = true;
    this.resting = false; // all is well without this leg: an encoder sends picture and sound of our point
    this.wasUp = false; // the present connection has been connected
    this.mends = 0; // how often ICE was restarted since the present connection was last connected
    /** @type {RTCPeerConnection | null} whose ICE is being restarted */
    this.mending = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} fires when the present wait is over */
    this.timer = undefined;
  }

  start() {
    this.stopped = false;
    this.begin();
  }

  stop() {
    this.stopped = true;
    this.drop();
  }

  /** Begin anew at once. */
  restart() {
    if (this.stopped) return;
    this.retries = 0;
    this.begin();
    this.changed();
  }

  /** The network is back, or it is another: what was connected goes on there, what waits or hangs need not wait longer. */
  hurry() {
    if (this.stopped) return;
    if (this.pc && this.wasUp) {
      this.mends = 0;
      this.mend(this.pc);
    } else if (!this.connected) this.restart();
  }

  async begin() {
    this.drop();
    this.negotiations++;
    const pc = (this.pc = new RTCPeerConnection(CONFIGURATION));
    pc.addEventListener("connectionstatechange", () => this.look(pc));
    this.timer = setTimeout(() => this.failed(pc), CONNECT_MS);
    try {
      await this.negotiate(pc);
      this.watchTransport(pc);
    } catch (error) {
      this.failed(pc, error);
    }
  }

  /** @param {RTCPeerConnection} pc */
  watchTransport(pc) {
    // when the node closes a leg, DTLS says so at once, long before ICE notices
    const [transceiver] = pc.getTransceivers();
    const transport = transceiver?.sender.transport ?? transceiver?.receiver.transport;
    transport?.addEventListener("statechange", () => {
      if (transport.state === "closed" || transport.state === "failed") this.failed(pc);
    });
  }

  /** @param {RTCPeerConnection} pc */
  look(pc) {
    if (pc !== this.pc) return;
    const state = pc.connectionState;
    if (state === "connected") {
      clearTimeout(this.timer);
      this.retries = this.mends = 0;
      if (!this.connected) this.connections++;
      this.connected = this.wasUp = true;
      this.resting = false;
      this.changed();
    } else if (state === "disconnected") {
      this.connected = false;
      this.changed();
      if (this.mending) return;
      this.silent();
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.mend(pc), DISCONNECTED_MS);
    } else if (state === "failed" && this.wasUp) {
      this.connected = false;
      this.changed();
      this.mend(pc);
    } else if (state === "failed" || state === "closed") {
      this.failed(pc);
    }
  }

  /**
   * Restart ICE on the connection that is there; where that cannot be or does not help, begin anew.
   * @param {RTCPeerConnection} pc
   */
  async mend(pc) {
    if (pc !== this.pc || this.stopped || this.mending === pc) return;
    if (++this.mends > MENDS) return this.failed(pc);
    clearTimeout(this.timer);
    this.mending = pc;
    const untilMs = Date.now() + REACH_MS;
    try {
      while (!(await this.restarted(pc))) {
        if (Date.now() > untilMs) return this.failed(pc);
        await new Promise((done) => setTimeout(done, REACH_AGAIN_MS));
        if (pc !== this.pc) return;
      }
      this.restarts++;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => pc.connectionState === "connected" || this.failed(pc), MEND_MS);
    } catch (error) {
      this.failed(pc, error);
    } finally {
      if (this.mending === pc) this.mending = null;
    }
  }

  /**
   * @param {RTCPeerConnection} pc
   * @returns {Promise<boolean>} false: the server cannot be reached now
   */
  async restarted(pc) {
    try {
      await this.restartIce(pc);
      return true;
    } catch (error) {
      if (error instanceof NotNegotiated && AWAY.includes(error.code)) return false;
      throw error;
    }
  }

  /**
   * @param {RTCPeerConnection} pc
   * @param {unknown} [error]
   */
  failed(pc, error) {
    if (pc !== this.pc || this.stopped) return;
    this.drop();
    const code = error instanceof NotNegotiated ? error.code : "";
    const refused = ["media.not_planned", "permission.denied", ENCODER].includes(code);
    this.resting = code === ENCODER;
    const fullMs = refused ? REFUSED_RETRY_MS : Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.retries++, 10));
    this.timer = setTimeout(() => this.begin(), fullMs * (0.5 + Math.random() / 2));
    this.changed();
  }

  drop() {
    clearTimeout(this.timer);
    const pc = this.pc;
    this.pc = null;
    this.connected = this.wasUp = false;
    this.mends = 0;
    pc?.close();
  }

  /** @param {(mid: string, index: number, sent: boolean) => string} what names an m-line */
  async stats(what) {
    /** @type {Record<string, any>[]} */
    const lines = [];
    let rttMs = null;
    const pc = this.pc;
    const mids = pc?.getTransceivers().map(({ mid }) => mid) ?? [];
    const report = pc ? await pc.getStats().catch(() => null) : null;
    report?.forEach((/** @type {any} */ entry) => {
      const sent = entry.type === "outbound-rtp";
      if (sent || entry.type === "inbound-rtp") lines.push(line(entry, what(entry.mid, mids.indexOf(entry.mid), sent)));
      if (entry.type === "candidate-pair" && entry.nominated) rttMs = (entry.currentRoundTripTime ?? 0) * 1000;
    });
    return { state: pc?.connectionState ?? "new", connections: this.connections, negotiations: this.negotiations, restarts: this.restarts, rttMs, lines };
  }
}

/**
 * @param {any} entry an RTP line of getStats
 * @param {string} what
 */
function line(entry, what) {
  return {
    what,
    rid: entry.rid ?? "", // of a camera that is sent in several sizes, one line each
    packets: entry.packetsReceived ?? entry.packetsSent ?? 0,
    bytes: entry.bytesReceived ?? entry.bytesSent ?? 0,
    lost: entry.packetsLost ?? 0,
    frames: entry.framesDecoded ?? entry.framesEncoded ?? 0,
    width: entry.frameWidth ?? 0,
    height: entry.frameHeight ?? 0,
    freezes: entry.freezeCount ?? 0,
    concealed: entry.concealedSamples ?? 0,
    energy: entry.totalAudioEnergy ?? 0,
  };
}
