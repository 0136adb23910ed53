// SPDX-License-Identifier: Apache-2.0
/**
 * The camera and the microphone: taken one by one, so that a missing camera does not cost the
 * sound; watched, so that a black picture or a dead microphone is named; and taken again by
 * themselves when a cable is put back. It paints nothing.
 */

/** @typedef {"camera" | "microphone"} Device */
/** @typedef {"ok" | "missing" | "denied" | "silent" | "busy" | "waiting"} DeviceCondition */

const RETRY_MS = 3_000;
const LOOK_MS = 250;
const DEAD_MIC_MS = 6_000; // a real microphone is never digitally silent for so long
const BLACK_MS = 4_000;
const GLANCE_MS = 3_000;
const DEAD_LEVEL = 0.00002; // of full scale; the noise of an open microphone is far above
const BLACK_LEVEL = 18; // of 255; video black is 16 in many cameras

/** @type {Record<Device, MediaTrackConstraints>} */
const WISHES = {
  camera: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 25, max: 30 } },
  microphone: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: { ideal: 1 } },
};

export class Devices {
  /**
   * @param {object} options
   * @param {(device: Device, track: MediaStreamTrack | null) => void} options.onTrack
   * @param {(states: Record<Device, DeviceCondition>) => void} options.onState
   * @param {MediaTrackConstraints} [options.camera] instead of 720p
   */
  constructor(options) {
    this.options = options;
    /** @type {Record<Device, DeviceCondition>} */
    this.states = { camera: "waiting", microphone: "waiting" };
    /** @type {Partial<Record<Device, MediaStreamTrack>>} */
    this.tracks = {};
    this.level = 0; // of the microphone, 0..1, for a meter
    this.running = false;
    /** @type {Partial<Record<Device, ReturnType<typeof setTimeout>>>} */
    this.timers = {};
    this.ear = new Ear();
    this.eye = new Eye();
    this.again = () => /** @type {Device[]} */ (["camera", "microphone"]).forEach((device) => this.tracks[device] || this.take(device));
  }

  start() {
    if (this.running) return;
    this.running = true;
    globalThis.navigator?.mediaDevices?.addEventListener?.("devicechange", this.again);
    this.take("camera");
    this.take("microphone");
    this.looker = setInterval(() => this.look(), LOOK_MS);
  }

  stop() {
    this.running = false;
    globalThis.navigator?.mediaDevices?.removeEventListener?.("devicechange", this.again);
    clearInterval(this.looker);
    for (const device of /** @type {Device[]} */ (["camera", "microphone"])) {
      clearTimeout(this.timers[device]);
      this.tracks[device]?.stop();
      if (this.tracks[device]) this.options.onTrack(device, null);
    }
    this.tracks = {};
    this.level = 0;
    this.ear.stop();
    this.eye.stop();
    this.states = { camera: "waiting", microphone: "waiting" };
    this.options.onState(this.states);
  }

  /** @param {Device} device */
  async take(device) {
    clearTimeout(this.timers[device]);
    const wish = device === "camera" ? { video: this.options.camera ?? WISHES.camera } : { audio: WISHES.microphone };
    try {
      const media = navigator.mediaDevices;
      if (!media) throw new DOMException("no secure context", "NotAllowedError");
      const stream = await media.getUserMedia(wish);
      const [track] = stream.getTracks();
      if (!this.running || !track || this.tracks[device]) return stream.getTracks().forEach((unused) => unused.stop());
      this.adopt(device, track);
    } catch (error) {
      this.set(device, conditionOf(error));
      if (this.running) this.timers[device] = setTimeout(() => this.take(device), RETRY_MS);
    }
  }

  /**
   * @param {Device} device
   * @param {MediaStreamTrack} track
   */
  adopt(device, track) {
    this.tracks[device] = track;
    track.addEventListener("ended", () => this.lost(device, track));
    if (device === "microphone") this.ear.listen(track);
    else this.eye.watch(track);
    this.set(device, "ok");
    this.options.onTrack(device, track);
  }

  /**
   * @param {Device} device
   * @param {MediaStreamTrack} track
   */
  lost(device, track) {
    if (this.tracks[device] !== track) return;
    delete this.tracks[device];
    this.set(device, "missing");
    this.options.onTrack(device, null);
    this.take(device);
  }

  look() {
    const now = performance.now();
    if (this.tracks.microphone) {
      this.level = this.ear.level();
      this.set("microphone", this.ear.deadFor(now, this.level) > DEAD_MIC_MS ? "silent" : "ok");
    }
    if (this.tracks.camera) this.set("camera", this.eye.blackFor(now) > BLACK_MS ? "silent" : "ok");
  }

  /**
   * @param {Device} device
   * @param {DeviceCondition} state
   */
  set(device, state) {
    if (this.states[device] === state) return;
    this.states = { ...this.states, [device]: state };
    this.options.onState(this.states);
  }
}

/**
 * @param {unknown} error of getUserMedia
 * @returns {DeviceCondition}
 */
export function conditionOf(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "missing";
}

/**
 * @param {Record<Device, DeviceCondition>} states
 * @returns {{camera: import("./views/status.js").DeviceState, microphone: import("./views/status.js").DeviceState} | null}
 *   what a point reports: null while it is still looking
 */
export function reportOf(states) {
  if (states.camera === "waiting" || states.microphone === "waiting") return null;
  const plain = (/** @type {DeviceCondition} */ state) => (state === "busy" ? "missing" : state);
  return /** @type {any} */ ({ camera: plain(states.camera), microphone: plain(states.microphone) });
}

/** Hears how loud a track is, and for how long it has been dead. */
class Ear {
  constructor() {
    /** @type {AudioContext | null} */
    this.context = null;
    /** @type {MediaStreamAudioSourceNode | null} */
    this.source = null;
    this.samples = new Float32Array(1024);
    /** @type {number | null} */
    this.deadSince = null;
  }

  /** @param {MediaStreamTrack} track */
  listen(track) {
    this.stop();
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = this.samples.length;
    this.source = this.context.createMediaStreamSource(new MediaStream([track]));
    this.source.connect(this.analyser);
  }

  /** @returns {number} root mean square, 0..1 */
  level() {
    if (this.context?.state === "suspended") this.context.resume().catch(() => {});
    this.analyser?.getFloatTimeDomainData(this.samples);
    return Math.sqrt(this.samples.reduce((sum, sample) => sum + sample * sample, 0) / this.samples.length);
  }

  /**
   * @param {number} now
   * @param {number} level
   */
  deadFor(now, level) {
    const deaf = this.context?.state !== "running"; // we cannot hear yet: that says nothing about it
    if (deaf || level > DEAD_LEVEL) this.deadSince = null;
    else this.deadSince ??= now;
    return this.deadSince === null ? 0 : now - this.deadSince;
  }

  stop() {
    this.source?.disconnect();
    this.context?.close().catch(() => {});
    this.context = null;
    this.source = null;
    this.deadSince = null;
    this.samples.fill(0);
  }
}

/**
 * Sees whether a camera's picture is black: a glance of 16 x 9 pixels now and then, because a hall's
 * PC has better things to do than to paint its own camera twice.
 */
class Eye {
  constructor() {
    this.video = document.createElement("video");
    this.video.muted = true;
    this.video.addEventListener("loadeddata", () => this.judge());
    this.canvas = document.createElement("canvas");
    this.canvas.width = 16;
    this.canvas.height = 9;
    this.painter = this.canvas.getContext("2d", { willReadFrequently: true });
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {number | null} */
    this.blackSince = null;
    this.lookedAt = 0;
  }

  /** @param {MediaStreamTrack} track */
  watch(track) {
    this.blackSince = null;
    this.lookedAt = performance.now();
    this.stream = new MediaStream([track]);
  }

  stop() {
    this.stream = null;
    this.blackSince = null;
    this.video.srcObject = null;
  }

  judge() {
    if (!this.painter || !this.stream) return;
    this.painter.drawImage(this.video, 0, 0, 16, 9);
    this.video.srcObject = null;
    const { data } = this.painter.getImageData(0, 0, 16, 9);
    const black = data.every((value, index) => index % 4 === 3 || value <= BLACK_LEVEL);
    if (black) this.blackSince ??= performance.now();
    else this.blackSince = null;
  }

  /** @param {number} now */
  blackFor(now) {
    if (now - this.lookedAt > GLANCE_MS && this.stream) {
      this.lookedAt = now;
      this.video.srcObject = this.stream;
      this.video.play().catch(() => {}); // a glance that the next one overtook
    }
    return this.blackSince === null ? 0 : now - this.blackSince;
  }
}
