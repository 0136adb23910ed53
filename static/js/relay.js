// SPDX-License-Identifier: Apache-2.0
/** Servers that carry the media of networks which let out nothing else. Their credentials last for some time only. */

/** @typedef {import("./messages.js").Ice} Ice */

export class Relay {
  /**
   * @param {Ice | undefined} ice from the answer of `room.join`
   * @param {() => Promise<Ice | null>} fetch fresh ones, null: not to be had now
   * @param {() => number} [nowMs]
   */
  constructor(ice, fetch, nowMs = () => performance.now()) {
    this.ice = ice ?? { servers: [], ttl_s: 0 };
    this.fetch = fetch;
    this.nowMs = nowMs;
    this.sinceMs = nowMs();
  }

  /** @returns {Promise<RTCIceServer[]>} for a connection that is about to gather candidates */
  async servers() {
    const old = this.nowMs() - this.sinceMs > (this.ice.ttl_s * 1000) / 2;
    const fresh = this.ice.servers.length > 0 && old ? await this.fetch() : null;
    if (fresh) {
      this.ice = { servers: fresh.servers, ttl_s: fresh.ttl_s };
      this.sinceMs = this.nowMs();
    }
    return this.ice.servers;
  }
}
