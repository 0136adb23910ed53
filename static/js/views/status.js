// SPDX-License-Identifier: Apache-2.0
/** How things are, in plain words: the connection, the camera, the microphone. */

import { t } from "../i18n.js";
import { h, icon, setAttribute, setIcon, setText } from "./dom.js";

/** @typedef {"ok" | "missing" | "denied" | "silent"} DeviceState */
/** @typedef {"connecting" | "online" | "offline" | "replaced" | "refused"} LinkStatus */
/** @typedef {"connecting" | "connected" | "blind" | "reconnecting" | "stopped" | null} MediaStatus */

/**
 * One pill that says how we are connected.
 * @param {HTMLElement} el
 * @param {LinkStatus} link to the web server
 * @param {MediaStatus} media picture and sound
 */
export function paint(el, link, media) {
  const { kind, sign, words } = connection(link, media);
  if (!el.firstChild) el.append(icon("wifi"), h("span"));
  el.className = `pill pill-${kind}`;
  setAttribute(el, "data-connection", kind);
  setIcon(el, sign);
  setText(el.querySelector("span"), words);
}

/**
 * @param {LinkStatus} link
 * @param {MediaStatus} media
 */
export function connection(link, media) {
  if (link === "connecting") return { kind: "idle", sign: "wifi", words: t("Connecting") };
  if (link === "refused") return { kind: "bad", sign: "slash-circle", words: t("Not admitted") };
  if (link === "replaced") return { kind: "bad", sign: "slash-circle", words: t("Opened elsewhere") };
  if (link === "offline") return { kind: "bad", sign: "wifi-off", words: t("Connection lost, coming back") };
  if (media === "reconnecting") return { kind: "warn", sign: "wifi", words: t("Picture and sound are coming back") };
  if (media === "connecting") return { kind: "idle", sign: "wifi", words: t("Connecting picture and sound") };
  if (media === "blind") {
    return { kind: "warn", sign: "camera-video-off", words: t("This browser cannot show the pictures: use Chrome or Edge") };
  }
  return { kind: "ok", sign: "wifi", words: t("Connected") };
}

/**
 * What is wrong with a device and what to do, or that it works.
 * @param {"camera" | "microphone"} device
 * @param {DeviceState | "waiting" | "busy"} state
 */
export function deviceSentence(device, state) {
  const camera = device === "camera";
  if (state === "waiting") return camera ? t("Looking for the camera …") : t("Looking for the microphone …");
  if (state === "missing") {
    return camera
      ? t("No camera is found. Check its cable and that it is switched on; it is taken as soon as it is there.")
      : t("No microphone is found. Check its cable; it is taken as soon as it is there.");
  }
  if (state === "denied") {
    return camera
      ? t("This browser does not allow the camera. Allow it at the left of the address bar, then load the page again.")
      : t("This browser does not allow the microphone. Allow it at the left of the address bar, then load the page again.");
  }
  if (state === "busy") {
    return camera
      ? t("Another program uses the camera. Close it; the camera is taken as soon as it is free.")
      : t("Another program uses the microphone. Close it; the microphone is taken as soon as it is free.");
  }
  if (state === "silent") {
    return camera
      ? t("The camera gives a black picture. Take off the lens cap and check its settings.")
      : t("The microphone gives no sound at all. Check its switch and the mixer.");
  }
  return camera ? t("The camera works.") : t("The microphone works.");
}

/**
 * A point's trouble in a few words, for a list.
 * @param {{camera: string, microphone: string} | undefined} report
 */
export function shortTrouble(report) {
  const camera = { missing: t("no camera"), denied: t("camera not allowed"), silent: t("black picture") };
  const microphone = { missing: t("no microphone"), denied: t("microphone not allowed"), silent: t("silent microphone") };
  const found = [
    camera[/** @type {"missing"} */ (report?.camera ?? "")],
    microphone[/** @type {"missing"} */ (report?.microphone ?? "")],
  ].filter(Boolean).join(", ");
  return found.charAt(0).toLocaleUpperCase() + found.slice(1);
}

/**
 * A line of one device: a mark and a sentence.
 * @param {HTMLElement} el
 * @param {"camera" | "microphone"} device
 * @param {DeviceState | "waiting" | "busy"} state
 */
export function paintDevice(el, device, state) {
  if (!el.firstChild) el.append(icon("check-circle-fill"), h("span"));
  const kind = state === "ok" ? "ok" : state === "waiting" ? "idle" : "bad";
  setAttribute(el, "data-device-state", kind);
  setIcon(el, { ok: "check-circle-fill", idle: "hourglass-split", bad: "exclamation-triangle-fill" }[kind]);
  setText(el.querySelector("span"), deviceSentence(device, state));
}
