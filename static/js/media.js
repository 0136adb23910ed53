// SPDX-License-Identifier: Apache-2.0
/**
 * The two peer connections of a participant, each negotiated once for the whole class.
 *
 * Up sends microphone, camera and screen, filled by `replace` without another negotiation. Down
 * receives fixed slots; what a slot shows is switched on the server. On another network a leg goes on
 * with fresh ICE names; it is negotiated again only when that did not help or the media node was
 * restarted, by itself, for ever. No DOM here.
 */

import { canLayer, layersOf, pixelsOf, preferCodecs, tune, wantedCodecs, CAMERA_BPS } from "./layers.js";
import { CONFIGURATION, Leg, NotNegotiated } from "./leg.js";
import { delay, LossWatch, LOOK_MS } from "./loss.js";
import { onNetworkChange } from "./network.js";
import { Relay } from "./relay.js";
import { showsH264, slotsByMid, ufragOf, withIceNames } from "./sdp.js";

/** @typedef {import("./protocol.js").Ack} Ack */
/** @typedef {"mic" | "camera" | "screen"} Kind */
/** @typedef {"connecting" | "connected" | "blind" | "reconnecting" | "stopped"} MediaStatus blind: connected, but H.264 pictures cannot be shown */
/** @typedef {Partial<Record<Kind, MediaStreamTrack | null>>} Tracks */

/**
 * @typedef {object} MediaOptions
 * @property {import("./protocol.js").Request} request
 * @property {string} [epoch] which life of the media node we know of
 * @property {import("./messages.js").Ice} [ice] servers that carry media where nothing else is let out
 * @property {Tracks} [publish] what to send; absent: receive only (an empty object: nothing yet)
 * @property {boolean} [seen] whether everybody sees us: the camera is sent in all sizes, else in the smallest
 * @property {(slot: string, stream: MediaStream) => void} [onSlot] once per slot and negotiation
 * @property {(status: MediaStatus) => void} [onStatus]
 * @property {() => void} [onSilence] nothing comes any more: the socket, which is slower to notice, may be gone as well
 */

/** @type {Kind[]} the order of the m-lines of the up leg */
const KINDS = ["mic", "camera", "screen"];
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
    /** @param {boolean} seen whether everybody sees us from now on */
    setSeen: (seen) => media.setSeen(seen),
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
    this.seen = options.seen ?? false;
    this.tuning = Promise.resolve(); // one change of parameters after another: browsers refuse two at once
    /** @type {Map<string, string>} by mid, of the receiving leg */
    this.slots = new Map();
    /** @type {MediaStatus} */
    this.status = "connecting";
    const changed = () => this.tell();
    this.blind = false; // Firefox without OpenH264: the pictures of other browsers are H.264
    this.theirs = { up: "", down: "" }; // the node's descriptions of the present connections
    const silent = () => this.options.onSilence?.();
    this.down = new Leg((pc) => this.negotiateDown(pc), (pc) => this.restartDown(pc), changed, silent);
    this.up = options.publish ? new Leg((pc) => this.negotiateUp(pc), (pc) => this.restartUp(pc), changed, silent) : null;
    this.relay = new Relay(options.ice, async () => {
      const ack = await options.request("media.ice", {});
      return ack.ok ? /** @type {any} */ (ack) : null;
    });
    /** @type {WeakMap<RTCPeerConnection, LossWatch>} */
    this.losses = new WeakMap();
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.looking = undefined;
    this.deaf = () => {}; // stops listening for changes of the network
  }

  legs() {
    return this.up ? [this.down, this.up] : [this.down];
  }

  start() {
    this.deaf = onNetworkChange(() => this.legs().forEach((leg) => leg.hurry()));
    this.looking = setInterval(() => this.lookAtLoss(), LOOK_MS);
    for (const leg of this.legs()) leg.start();
  }

  stop() {
    this.deaf();
    clearInterval(this.looking);
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
      return;
    }
    if (kind === "camera") await this.tune();
  }

  /** @param {boolean} seen */
  setSeen(seen) {
    if (seen === this.seen) return;
    this.seen = seen;
    this.tune();
  }

  /** Send the sizes that are wanted now. */
  tune() {
    this.tuning = this.tuning.then(async () => {
      const { camera } = this.tracks;
      for (const [kind, sender] of this.senders) {
        if (kind !== "mic") await tune(sender, kind === "camera" ? layersOf(pixelsOf(camera), this.seen) : null);
      }
    });
    return this.tuning;
  }

  /** Give a lossy line the time that repairs need; it is the line of all pictures and voices. */
  async lookAtLoss() {
    const { pc } = this.down;
    if (!pc || !this.down.connected) return;
    const report = await pc.getStats().catch(() => null);
    if (!report || pc !== this.down.pc) return;
    const watch = this.losses.get(pc) ?? new LossWatch();
    this.losses.set(pc, watch);
    /** @type {any[]} */
    const entries = [];
    report.forEach((/** @type {any} */ entry) => entries.push(entry));
    delay(pc.getReceivers(), watch.look(entries, performance.now()));
  }

  /** @param {RTCPeerConnection} pc before it gathers candidates */
  async useRelay(pc) {
    pc.setConfiguration?.({ ...CONFIGURATION, iceServers: await this.relay.servers() });
  }

  /** @param {RTCPeerConnection} pc */
  async negotiateUp(pc) {
    await this.useRelay(pc);
    this.senders.clear();
    for (const kind of KINDS) {
      const track = this.tracks[kind] ?? null;
      describe(kind, track);
      const transceiver = pc.addTransceiver(track ?? (kind === "mic" ? "audio" : "video"), {
        direction: "sendonly",
        sendEncodings: this.encodings(kind),
      });
      if (kind !== "mic") preferCodecs(transceiver);
      this.senders.set(kind, transceiver.sender);
    }
    await pc.setLocalDescription(await pc.createOffer());
    const answer = await this.ask("media.up", { sdp: pc.localDescription?.sdp ?? "" });
    this.theirs.up = answer.sdp;
    await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    for (const kind of KINDS) {
      const track = this.tracks[kind] ?? null; // may have been replaced while we negotiated
      if (this.senders.get(kind)?.track !== track) await this.senders.get(kind)?.replaceTrack(track);
    }
    await this.tune();
  }

  /**
   * @param {Kind} kind
   * @returns {RTCRtpEncodingParameters[]}
   */
  encodings(kind) {
    if (kind === "mic") return [{}];
    if (kind === "screen") return [{ maxBitrate: SCREEN_BPS }];
    const layered = canLayer(wantedCodecs(RTCRtpSender), navigator.userAgent);
    return layered ? layersOf(pixelsOf(this.tracks.camera), this.seen) : [{ maxBitrate: CAMERA_BPS }];
  }

  /** @param {RTCPeerConnection} pc */
  async negotiateDown(pc) {
    /** @type {Map<string, string>} */
    let slots = new Map();
    pc.addEventListener("track", ({ track, transceiver }) => {
      const slot = slots.get(transceiver.mid ?? "");
      if (slot) this.options.onSlot?.(slot, new MediaStream([track]));
    });
    await this.useRelay(pc);
    const offer = await this.ask("media.down", {});
    this.slots = slots = slotsByMid(offer.sdp, offer.slots);
    this.theirs.down = offer.sdp;
    await pc.setRemoteDescription({ type: "offer", sdp: offer.sdp });
    await pc.setLocalDescription(await pc.createAnswer());
    this.blind = !showsH264(pc.localDescription?.sdp ?? "");
    await this.ask("media.down_answer", { leg: offer.leg, sdp: pc.localDescription?.sdp ?? "" });
  }

  /**
   * Fresh ICE names on both sides; the DTLS association, and all that goes through it, stays.
   * @param {RTCPeerConnection} pc
   */
  async restartUp(pc) {
    await this.useRelay(pc);
    const offer = await pc.createOffer({ iceRestart: true });
    const names = await this.ask("media.restart", { leg: "up", ufrag: ufragOf(offer.sdp ?? "") });
    await pc.setLocalDescription(offer);
    await pc.setRemoteDescription({ type: "answer", sdp: withIceNames(this.theirs.up, /** @type {any} */ (names)) });
  }

  /** @param {RTCPeerConnection} pc */
  async restartDown(pc) {
    await this.useRelay(pc);
    const names = await this.ask("media.restart", { leg: "down" }); // our own name comes with the answer, which the node need not see
    await pc.setRemoteDescription({ type: "offer", sdp: withIceNames(this.theirs.down, /** @type {any} */ (names)) });
    await pc.setLocalDescription(await pc.createAnswer());
  }

  /**
   * @param {"media.up" | "media.down" | "media.down_answer" | "media.restart"} type
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
    else if (legs.every((leg) => leg.connected || leg.resting)) status = this.blind ? "blind" : "connected";
    else if (legs.some((leg) => leg.connections > 0 && !leg.connected && !leg.resting)) status = "reconnecting";
    if (status === this.status) return;
    this.status = status;
    this.options.onStatus?.(status);
  }

  /** Figures for a status line and for measurements; bytes and packets count since the leg's negotiation. */
  async stats() {
    const what = (/** @type {string} */ mid, /** @type {number} */ index, /** @type {boolean} */ sent) =>
      (sent ? KINDS[index] : this.slots.get(mid)) ?? mid;
    const [up, down] = await Promise.all([this.up?.stats(what) ?? null, this.down.stats(what)]);
    return { epoch: this.epoch, status: this.status, up, down };
  }
}

/**
 * @param {Kind} kind
 * @param {MediaStreamTrack | null} track
 */
function describe(kind, track) {
  if (track && !track.contentHint) track.contentHint = kind === "mic" ? "speech" : kind === "screen" ? "detail" : "motion";
}
