// SPDX-License-Identifier: Apache-2.0
/**
 * One live room for a page: the socket, both media legs, the devices that feed them and the sound.
 * The console and the kiosk both stand on this; what they show is theirs.
 */

import { isSeen } from "./layers.js";
import { startMedia } from "./media.js";
import { connect } from "./protocol.js";
import { Sizes } from "./sizes.js";
import { Sound } from "./sound.js";
import { learn } from "./views/signal.js";
import { attach } from "./views/stage.js";

/** @typedef {import("./messages.js").RoomState} RoomState */
/** @typedef {import("./views/status.js").LinkStatus} LinkStatus */
/** @typedef {import("./views/status.js").MediaStatus} MediaStatus */
/** @typedef {{link: LinkStatus, media: MediaStatus, trouble: import("./protocol.js").Trouble | null}} Status */

/**
 * @typedef {object} LiveOptions
 * @property {string} lecture
 * @property {string} tokenUrl
 * @property {ParentNode} root where the `video[data-slot]` elements are
 * @property {() => void} onChange state or status is another
 * @property {(event: import("./messages.js").RoomEventMessage) => void} [onEvent]
 * @property {(blocked: boolean) => void} onSoundBlocked
 * @property {(state: RoomState, me: string) => boolean} micOpen whether our microphone may be heard now
 */

export class LiveRoom {
  /** @param {LiveOptions} options */
  constructor(options) {
    this.options = options;
    /** @type {Status} */
    this.status = { link: "connecting", media: null, trouble: null };
    this.sound = new Sound(options.onSoundBlocked);
    this.sizes = new Sizes((heights) => this.link.request("media.size", { heights }));
    /** @type {ReturnType<typeof startMedia> | null} */
    this.media = null;
    /** @type {{mic: MediaStreamTrack | null, camera: MediaStreamTrack | null}} */
    this.tracks = { mic: null, camera: null };
    this.closed = false;
    /** @type {import("./views/signal.js").Signals} how good lines are and who speaks, as far as we are told */
    this.signals = {};
    this.link = connect({
      lecture: options.lecture,
      tokenUrl: options.tokenUrl,
      onState: () => this.changed(),
      onEvent: (entry) => options.onEvent?.(entry),
      onStatus: (link, trouble) => this.tell({ link, trouble: trouble ?? null }),
      onMediaReset: (epoch) => this.media?.reset(epoch),
      onSignals: (news) => this.heard(news),
      onJoined: (joined) => this.joined(joined),
      onReplaced: () => this.stopMedia(),
    });
  }

  /** @returns {RoomState} */
  get state() {
    return this.link.state();
  }

  get labels() {
    return this.link.labels();
  }

  /** @returns {string | null} our participant id, once we are in */
  get me() {
    return this.link.joined()?.you ?? null;
  }

  now() {
    return this.link.now();
  }

  /** @type {import("./protocol.js").Request} */
  request(type, payload) {
    return this.link.request(type, payload);
  }

  /** @param {Record<string, import("./messages.js").Signal | null>} news */
  heard(news) {
    learn(this.signals, news);
    this.options.onChange();
  }

  /** @param {import("./protocol.js").Joined} joined */
  joined(joined) {
    this.signals = {}; // a new connection is told all there is
    if (this.media || this.closed || joined.state.phase === "ended") return;
    const publishes = joined.media.publish.length > 0;
    this.media = startMedia({
      request: (type, payload) => this.link.request(type, payload),
      epoch: joined.media.epoch,
      ice: joined.media.ice,
      publish: publishes ? { ...this.tracks } : undefined,
      seen: isSeen(this.state, this.me),
      onSlot: (slot, stream) => this.slot(slot, stream),
      onStatus: (media) => this.tell({ media }),
      onSilence: () => this.link.probe(),
    });
    this.changed();
  }

  /**
   * @param {string} slot
   * @param {MediaStream} stream
   */
  slot(slot, stream) {
    if (slot.startsWith("audio")) this.sound.attach(slot, stream);
    else this.sizes.watch(slot, attach(this.options.root, slot, stream));
    this.sound.follow(this.state, this.me);
  }

  /**
   * Send this camera or microphone from now on. The microphone is sent as a copy that is open only
   * while it may be heard, so that a level meter goes on working beside it.
   * @param {import("./devices.js").Device} device
   * @param {MediaStreamTrack | null} track
   */
  publish(device, track) {
    const kind = device === "camera" ? "camera" : "mic";
    if (kind === "mic") this.tracks.mic?.stop();
    this.tracks[kind] = kind === "mic" ? (track?.clone() ?? null) : track;
    this.gate();
    if (this.link.joined()?.media.publish.includes(kind)) this.media?.replace(kind, this.tracks[kind]);
  }

  /** Open or close our microphone as it ought to be now. */
  gate() {
    if (this.tracks.mic) this.tracks.mic.enabled = this.me !== null && this.options.micOpen(this.state, this.me);
  }

  changed() {
    if (this.closed) return;
    if (this.state.phase === "ended") this.stopMedia();
    this.media?.setSeen(isSeen(this.state, this.me));
    this.gate();
    this.sound.follow(this.state, this.me);
    this.options.onChange();
  }

  /** @param {Partial<Status>} news */
  tell(news) {
    this.status = { ...this.status, ...news };
    this.changed();
  }

  stopMedia() {
    const media = this.media;
    this.media = null;
    media?.stop();
    this.sizes.stop();
    this.tracks.mic?.stop();
    this.tracks = { mic: null, camera: null };
    this.sound.stop();
  }

  close() {
    this.closed = true;
    this.stopMedia();
    this.sizes.close();
    this.link.close();
  }
}
