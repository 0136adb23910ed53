// SPDX-License-Identifier: Apache-2.0
/**
 * What a camera is sent as: three sizes of one picture (simulcast) where the browser can, so that each
 * viewer gets what it shows. Who is not seen large sends the smallest only. Nothing here negotiates.
 */

/** @typedef {{rid: string, scaleResolutionDownBy: number, maxBitrate: number, active: boolean}} Layer */

const RIDS = ["q", "h", "f"]; // the smallest picture first, which is also the last one a narrow line loses
/** Bits per second of the layers, by how many of them a camera gets. */
const LAYER_BPS = [[400_000], [150_000, 800_000], [150_000, 500_000, 1_500_000]];
/** Pixels from which a camera gets two and three: of a smaller picture Chromium drops the upper layers by itself. */
const LAYER_PIXELS = [0, 480 * 270, 960 * 540];
export const CAMERA_BPS = 1_500_000; // where there is one encoding only; the node holds it down while nobody is looking

/**
 * @param {number} pixels of the camera's picture, width times height; 0: not known
 * @param {boolean} seen whether everybody sees us: the lecturer, who has the floor
 * @returns {Layer[]} for `sendEncodings` and `setParameters`
 */
export function layersOf(pixels, seen) {
  const count = pixels === 0 ? RIDS.length : LAYER_PIXELS.filter((least) => pixels >= least).length;
  return RIDS.map((rid, i) => ({
    rid,
    scaleResolutionDownBy: 2 ** Math.max(0, count - 1 - i),
    maxBitrate: LAYER_BPS[count - 1][Math.min(i, count - 1)],
    active: i === 0 || (seen && i < count),
  }));
}

/**
 * Whether everybody sees this participant, so that the picture has to be large.
 * @param {import("./messages.js").RoomState} state
 * @param {string | null} me
 */
export function isSeen(state, me) {
  if (me === null) return false;
  const shows = ["stage", "guest"].some((slot) => state.slots[slot]?.publication === `${me}/camera`);
  return shows || state.lecturer === me || state.floor.holder === me;
}

/**
 * @param {{mimeType: string}[]} codecs in the order they are offered
 * @param {string} userAgent
 * @returns {boolean} false where layers would be offered and not sent: Firefox encodes H.264 in one size only
 */
export function canLayer(codecs, userAgent) {
  return !/firefox\//i.test(userAgent) || codecs[0]?.mimeType.toLowerCase() === "video/vp8";
}

/**
 * @param {MediaStreamTrack | null | undefined} track
 * @returns {number} pixels, 0: not known
 */
export function pixelsOf(track) {
  const { width = 0, height = 0 } = track?.getSettings?.() ?? {};
  return width * height;
}

/**
 * Set what a sender sends, without another negotiation.
 *
 * A picture that changes size in the middle of a class costs the recording a cut: rather fewer frames.
 * @param {RTCRtpSender} sender
 * @param {Layer[] | null} layers null: not a camera
 */
export async function tune(sender, layers) {
  const parameters = sender.getParameters();
  const { encodings } = parameters;
  if (layers && encodings?.length > 1) {
    for (const encoding of encodings) Object.assign(encoding, layers.find(({ rid }) => rid === encoding.rid));
  } else if (layers && encodings?.length === 1) {
    // one encoding: never offered as layers, or the answer took the first alone, which must not stay the smallest
    encodings[0].scaleResolutionDownBy = 1;
    encodings[0].maxBitrate = CAMERA_BPS;
  }
  try {
    await sender.setParameters(Object.assign(parameters, { degradationPreference: "maintain-resolution" }));
  } catch {
    // a browser without one of these wishes decides by itself
  }
}

/**
 * The codecs to offer: H.264 constrained baseline first, because a recording keeps it as it is; then VP8; nothing else.
 * @param {RTCRtpTransceiver} transceiver
 * @returns {{mimeType: string}[]} in the order they are offered
 */
export function preferCodecs(transceiver) {
  for (const side of [globalThis.RTCRtpSender, globalThis.RTCRtpReceiver]) {
    const wanted = wantedCodecs(side);
    if (!wanted.some((codec) => codecRank(codec) < 5)) continue;
    try {
      transceiver.setCodecPreferences(wanted);
      return wanted;
    } catch {
      continue; // browsers differ on whose list is the right one
    }
  }
  return [];
}

/** @param {{getCapabilities: (kind: string) => RTCRtpCapabilities | null}} side */
export function wantedCodecs(side) {
  const codecs = side.getCapabilities("video")?.codecs ?? [];
  return codecs.filter((codec) => codecRank(codec) < 9).sort((a, b) => codecRank(a) - codecRank(b));
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
