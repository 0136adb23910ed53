// Looks at a page from the outside, as a person in the hall would: reads the time code from each
// picture that a video element shows, and listens to what the peer connections bring.
(() => {
  const KEEP = 4000; // samples a watched element
  const watched = new Map();
  const connections = [];
  const Original = globalThis.RTCPeerConnection;
  const elements = new Set(); // whatever plays, in the page or beside it
  let ear = null;

  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function (...given) {
    elements.add(this);
    return play.apply(this, given);
  };

  if (Original) {
    globalThis.RTCPeerConnection = class extends Original {
      constructor(...given) {
        super(...given);
        connections.push(this);
        this.addEventListener("track", (event) => event.track.kind === "audio" && listen(event.track));
      }
    };
  }

  function listen(track) {
    ear ??= makeEar();
    ear.context.createMediaStreamSource(new MediaStream([track])).connect(ear.analyser);
  }

  /** Keeps, for each pitch asked for, how far it stood out of its surroundings at its loudest (dB). */
  function makeEar() {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 4096;
    analyser.smoothingTimeConstant = 0;
    const bins = new Float32Array(analyser.frequencyBinCount);
    const heard = new Map();
    setInterval(() => {
      if (context.state !== "running") return void context.resume();
      if (!heard.size) return;
      analyser.getFloatFrequencyData(bins);
      const width = context.sampleRate / analyser.fftSize;
      const band = Array.from(bins.slice(Math.round(2300 / width), Math.round(5000 / width))).sort((a, b) => a - b);
      const middle = Math.max(-110, band[band.length >> 1]);
      for (const [pitch, best] of heard) {
        const at = Math.round(pitch / width);
        const level = Math.max(bins[at - 1], bins[at], bins[at + 1]);
        if (level > -75) heard.set(pitch, Math.max(best, Math.round(level - middle)));
      }
    }, 60);
    return { context, analyser, heard };
  }

  function arm(selector, note) {
    const video = document.querySelector(selector);
    if (!video || note.video === video) return;
    note.video = video;
    const look = () => {
      if (note.video !== video || !video.isConnected) return;
      const now = performance.timeOrigin + performance.now();
      const code = globalThis.timecode.read(video);
      if (code) {
        note.samples.push([Math.round(now), code.source, code.ms, code.marker, video.videoWidth]);
        if (note.samples.length > KEEP) note.samples.splice(0, KEEP / 2);
      } else note.bad += 1;
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  }

  setInterval(() => {
    for (const [selector, note] of watched) arm(selector, note);
  }, 100);

  globalThis.classDay = {
    /** Begin to note every picture of this element; it may come later, or be put anew. */
    watch(selector) {
      if (!watched.has(selector)) watched.set(selector, { samples: [], bad: 0, video: null });
    },
    /** What was noted since a time (ms): samples are [seen at, source, code, marker, width]. */
    seen(selector, sinceMs = 0) {
      const note = watched.get(selector);
      if (!note) return null;
      return { samples: note.samples.filter((sample) => sample[0] >= sinceMs), bad: note.bad };
    },
    /** Forget what was heard, and listen for these pitches (Hz). */
    listenFor(pitches) {
      ear ??= makeEar();
      ear.heard.clear();
      for (const pitch of pitches) ear.heard.set(pitch, 0);
    },
    heard: () => (ear ? Object.fromEntries(ear.heard) : {}),
    /** Energy of the sound that was really played, summed over all connections. */
    async soundEnergy() {
      let energy = 0;
      for (const connection of connections) {
        if (connection.connectionState === "closed") continue;
        for (const report of (await connection.getStats()).values()) {
          if (report.type === "inbound-rtp" && report.kind === "audio") energy += report.totalAudioEnergy ?? 0;
        }
      }
      return energy;
    },
    states: () => connections.map((connection) => connection.connectionState),
    /** How many elements play sound now that a person in the room would hear. */
    sounding: () =>
      [...elements].filter((e) => !e.paused && !e.muted && e.volume > 0 && e.srcObject?.getAudioTracks().length).length,
  };
})();
