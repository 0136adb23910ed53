// SPDX-License-Identifier: Apache-2.0
/**
 * The two peer connections of a participant, each negotiated once for the whole class.
 *
 * Up sends microphone, camera and screen, filled by `replace` without another negotiation. Down
 * receives fixed slots; what a slot shows is switched on the server. A leg is negotiated again
 * only when it broke or the media node was restarted, by itself, for ever. No DOM here.
 */

/** @typedef {import("./protocol.js").Ack} Ack */
/** @typedef {"mic" | "camera" | "screen"} Kind */
/** @typedef {"connecting" | "connected" | "reconnecting" | "stopped"} MediaStatus */
/** @typedef {Partial<Record<Kind, MediaStreamTrack | null>>} Tracks */

/**
 * @typedef {object} MediaOptions
 * @property {import("./protocol.js").Request} request
 * @property {string} [epoch] which life of the media node we know of
 * @property {Tracks} [publish] what to send; absent: receive only (an empty object: nothing yet)
 * @property {(slot: string, stream: MediaStream) => void} [onSlot] once per slot and negotiation
 * @property {(status: MediaStatus) => void} [onStatus]
 */

/** @type {Kind[]} the order of the m-lines of the up leg */
const KINDS = ["mic", "camera", "screen"];
const DISCONNECTED_MS = 4_000; // ICE may mend itself for this long
const CONNECT_MS = 8_000; // from the offer to "connected"
const FIRST_RETRY_MS = 300;
const LONGEST_RETRY_MS = 3_000;
const REFUSED_RETRY_MS = 5_000; // the plan does not let us send now; it may later
const CAMERA_BPS = 1_500_000;
const SCREEN_BPS = 2_000_000;

/**
 * Negotiate and keep both legs.
 * @param {MediaOptions} options
 */
export function startMedia(options) {
  const media = new Media(options);
  media.start();
  return {
    /**
     * Send another track, or none, as this kind.
     * @param {Kind} kind
     * @param {MediaStreamTrack | null} track
     */
    replace: (kind, track) => media.replace(kind, track),
    /** @param {string} [epoch] negotiate both legs again: the node was restarted */
    reset: (epoch) => media.reset(epoch),
    stop: () => media.stop(),
    stats: () => media.stats(),
  };
}

class Media {
  /** @param {MediaOptions} options */
  constructor(options) {
    this.options = options;
    this.epoch = options.epoch ?? "";
    /** @type {Tracks} */
    this.tracks = { ...options.publish };
    /** @type {Map<Kind, RTCRtpSender>} */
    this.senders = new Map();
    /** @type {MediaStatus} */
    this.status = "connecting";
    const changed = () => this.tell();
    this.down = new Leg("down", (pc) => this.negotiateDown(pc), changed);
    this.up = options.publish ? new Leg("up", (pc) => this.negotiateUp(pc), changed) : null;
    this.goOnline = () => this.legs().forEach((leg) => leg.hurry());
  }

  legs() {
    return this.up ? [this.down, this.up] : [this.down];
  }

  start() {
    globalThis.addEventListener?.("online", this.goOnline);
    for (const leg of this.legs()) leg.start();
  }

  stop() {
    globalThis.removeEventListener?.("online", this.goOnline);
    for (const leg of this.legs()) leg.stop();
    this.tell();
  }

  /** @param {string} [epoch] */
  reset(epoch = "") {
    this.epoch = epoch;
    for (const leg of this.legs()) leg.restart();
  }

  /**
   * @param {Kind} kind
   * @param {MediaStreamTrack | null} track
   */
  async replace(kind, track) {
    this.tracks[kind] = track;
    describe(kind, track);
    try {
      await this.senders.get(kind)?.replaceTrack(track);
    } catch {
      this.up?.restart(); // such as a sender whose connection was just closed: the new one takes the track
    }
  }

  /** @param {RTCPeerConnection} pc */
  async negotiateUp(pc) {
    this.senders.clear();
    for (const kind of KINDS) {
      const track = this.tracks[kind] ?? null;
      describe(kind, track);
      const transceiver = pc.addTransceiver(track ?? (kind === "mic" ? "audio" : "video"), {
        direction: "sendonly",
        sendEncodings: kind === "mic" ? [{}] : [{ maxBitrate: kind === "camera" ? CAMERA_BPS : SCREEN_BPS }],
      });
      if (kind !== "mic") preferCodecs(transceiver);
      this.senders.set(kind, transceiver.sender);
    }
    await pc.setLocalDescription(await pc.createOffer());
    const answer = await this.ask("media.up", { sdp: pc.localDescription?.sdp ?? "" });
    await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    await Promise.all(KINDS.filter((kind) => kind !== "mic").map((kind) => keepResolution(this.senders.get(kind))));
    for (const kind of KINDS) {
      const track = this.tracks[kind] ?? null; // may have been replaced while we negotiated
      if (this.senders.get(kind)?.track !== track) await this.senders.get(kind)?.replaceTrack(track);
    }
  }

  /** @param {RTCPeerConnection} pc */
  async negotiateDown(pc) {
    pc.addEventListener("track", ({ track, streams }) => {
      const slot = streams[0]?.id;
      if (slot) this.options.onSlot?.(slot, new MediaStream([track]));
    });
    const offer = await this.ask("media.down", {});
    await pc.setRemoteDescription({ type: "offer", sdp: offer.sdp });
    await pc.setLocalDescription(await pc.createAnswer());
    await this.ask("media.down_answer", { leg: offer.leg, sdp: pc.localDescription?.sdp ?? "" });
  }

  /**
   * @param {"media.up" | "media.down" | "media.down_answer"} type
   * @param {any} payload
   * @returns {Promise<Ack>}
   */
  async ask(type, payload) {
    const ack = await this.options.request(type, payload);
    if (!ack.ok) throw new NotNegotiated(ack.error?.code ?? "internal");
    return ack;
  }

  tell() {
    const legs = this.legs();
    /** @type {MediaStatus} */
    let status = "connecting";
    if (legs.every((leg) => leg.stopped)) status = "stopped";
    else if (legs.every((leg) => leg.connected)) status = "connected";
    else if (legs.some((leg) => leg.connections > 0)) status = "reconnecting";
    if (status === this.status) return;
    this.status = status;
    this.options.onStatus?.(status);
  }

  /** Figures for a status line and for measurements; bytes and packets count since the leg's negotiation. */
  async stats() {
    const [up, down] = await Promise.all([this.up?.stats() ?? null, this.down.stats()]);
    return { epoch: this.epoch, status: this.status, up, down };
  }
}

/** The server did not take part in a negotiation. */
class NotNegotiated extends Error {
  /** @param {string} code */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** One peer connection after another, until one holds. */
class Leg {
  /**
   * @param {string} name
   * @param {(pc: RTCPeerConnection) => Promise<void>} negotiate
   * @param {() => void} changed
   */
  constructor(name, negotiate, changed) {
    this.name = name;
    this.negotiate = negotiate;
    this.changed = changed;
    /** @type {RTCPeerConnection | null} */
    this.pc = null;
    this.connected = false;
    this.connections = 0; // how often this leg was connected
    this.negotiations = 0;
    this.retries = 0;
    this.stopped = true;
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

  /** The network is back: a leg that waits or hangs need not wait longer. */
  hurry() {
    if (!this.stopped && !this.connected) this.restart();
  }

  async begin() {
    this.drop();
    this.negotiations++;
    const pc = (this.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" }));
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
      this.retries = 0;
      if (!this.connected) this.connections++;
      this.connected = true;
      this.changed();
    } else if (state === "disconnected") {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.failed(pc), DISCONNECTED_MS);
      this.connected = false;
      this.changed();
    } else if (state === "failed" || state === "closed") {
      this.failed(pc);
    }
  }

  /**
   * @param {RTCPeerConnection} pc
   * @param {unknown} [error]
   */
  failed(pc, error) {
    if (pc !== this.pc || this.stopped) return;
    this.drop();
    const refused = error instanceof NotNegotiated && ["media.not_planned", "permission.denied"].includes(error.code);
    const fullMs = refused ? REFUSED_RETRY_MS : Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.retries++, 10));
    this.timer = setTimeout(() => this.begin(), fullMs * (0.5 + Math.random() / 2));
    this.changed();
  }

  drop() {
    clearTimeout(this.timer);
    const pc = this.pc;
    this.pc = null;
    this.connected = false;
    pc?.close();
  }

  async stats() {
    /** @type {Record<string, any>[]} */
    const lines = [];
    let rttMs = null;
    const pc = this.pc;
    const report = pc ? await pc.getStats().catch(() => null) : null;
    report?.forEach((/** @type {any} */ entry) => {
      if (entry.type === "inbound-rtp" || entry.type === "outbound-rtp") lines.push(line(entry, pc));
      if (entry.type === "candidate-pair" && entry.nominated) rttMs = (entry.currentRoundTripTime ?? 0) * 1000;
    });
    return { state: pc?.connectionState ?? "new", connections: this.connections, negotiations: this.negotiations, rttMs, lines };
  }
}

/**
 * @param {any} entry an RTP line of getStats
 * @param {RTCPeerConnection | null} pc
 */
function line(entry, pc) {
  const transceiver = pc?.getTransceivers().find((candidate) => candidate.mid === entry.mid);
  const index = pc?.getTransceivers().indexOf(/** @type {RTCRtpTransceiver} */ (transceiver)) ?? -1;
  return {
    what: entry.type === "outbound-rtp" ? KINDS[index] : (slotOf(pc, entry.mid) ?? entry.mid),
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

/**
 * The slot of an m-line, from the node's offer.
 * @param {RTCPeerConnection | null} pc
 * @param {string} mid
 */
function slotOf(pc, mid) {
  const section = pc?.remoteDescription?.sdp.split(/\r?\nm=/).find((part) => part.includes(`\na=mid:${mid}\r`));
  return section?.match(/\na=msid:(\S+)/)?.[1] ?? null;
}

/**
 * H.264 constrained baseline first, because a recording keeps it as it is; then VP8; nothing else.
 * @param {RTCRtpTransceiver} transceiver
 */
function preferCodecs(transceiver) {
  for (const side of [globalThis.RTCRtpSender, globalThis.RTCRtpReceiver]) {
    const codecs = side.getCapabilities("video")?.codecs ?? [];
    const wanted = codecs.filter((codec) => codecRank(codec) < 9).sort((a, b) => codecRank(a) - codecRank(b));
    if (!wanted.some((codec) => codecRank(codec) < 5)) continue;
    try {
      transceiver.setCodecPreferences(wanted);
      return;
    } catch {
      continue; // browsers differ on whose list is the right one
    }
  }
}

/**
 * @param {{mimeType: string, sdpFmtpLine?: string}} codec
 * @returns {number} lower is better, 9: do not offer
 */
export function codecRank(codec) {
  const name = codec.mimeType.toLowerCase();
  const format = codec.sdpFmtpLine ?? "";
  if (name === "video/rtx") return 5;
  if (name === "video/vp8") return 3;
  if (name !== "video/h264" || !format.includes("packetization-mode=1")) return 9;
  const profile = /profile-level-id=([0-9a-f]{4})/i.exec(format)?.[1]?.toLowerCase() ?? "";
  if (profile === "42e0") return 0;
  return profile.startsWith("42") ? 1 : 9;
}

/**
 * A picture that changes size in the middle of a class costs the recording a cut: rather fewer frames.
 * @param {RTCRtpSender | undefined} sender
 */
async function keepResolution(sender) {
  if (!sender) return;
  try {
    const parameters = sender.getParameters();
    await sender.setParameters(Object.assign(parameters, { degradationPreference: "maintain-resolution" }));
  } catch {
    // a browser without this wish decides by itself
  }
}

/**
 * @param {Kind} kind
 * @param {MediaStreamTrack | null} track
 */
function describe(kind, track) {
  if (track && !track.contentHint) track.contentHint = kind === "mic" ? "speech" : kind === "screen" ? "detail" : "motion";
}
