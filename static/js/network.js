// SPDX-License-Identifier: Apache-2.0
/** When this machine's way to the network is, or may be, another one. */

/**
 * @param {() => void} changed the network is back, or it is another (such as Wi-Fi instead of a mobile line)
 * @returns {() => void} stops listening
 */
export function onNetworkChange(changed) {
  /** @type {(EventTarget & {type?: string}) | undefined} */
  const connection = /** @type {any} */ (globalThis.navigator)?.connection;
  let type = connection?.type;
  const look = () => {
    if (connection?.type === type) return; // the event also comes for every new guess of the line's speed
    type = connection?.type;
    changed();
  };
  globalThis.addEventListener?.("online", changed);
  connection?.addEventListener?.("change", look);
  return () => {
    globalThis.removeEventListener?.("online", changed);
    connection?.removeEventListener?.("change", look);
  };
}
