// One participant of the bad-network laboratory: publishes a moving, busy picture and a steady tone; or
// watches, and writes down every picture shown, every 20 ms of sound heard and every statistic.
const clock = () => performance.timeOrigin + performance.now();

// ---- publishing ----

// Noise that moves, under a few shapes: an encoder can spend on it whatever rate it is given.
function picture(width, height, fps) {
  const noise = new OffscreenCanvas(width * 2, height), n = noise.getContext("2d");
  const pixels = n.createImageData(noise.width, noise.height);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const light = 96 + ((i * 2654435761) >>> 26);
    pixels.data[i] = light; pixels.data[i + 1] = light ^ 24; pixels.data[i + 2] = 255 - light; pixels.data[i + 3] = 255;
  }
  n.putImageData(pixels, 0, 0);
  n.filter = "blur(2px)"; n.drawImage(noise, 0, 0);
  const canvas = document.createElement("canvas");
  canvas.width = width; canvas.height = height;
  const g = canvas.getContext("2d", { desynchronized: true });
  let at = 0;
  setInterval(() => {
    g.drawImage(noise, -((at * 7) % width), 0);
    g.fillStyle = "#204080"; g.fillRect(width * 0.3, height * 0.2, width * 0.4, height * 0.6);
    g.fillStyle = "#fff"; g.fillRect(width * (0.3 + 0.03 * (at % 12)), height * 0.4, width / 16, height / 8);
    at += 1;
  }, 1000 / fps);
  return canvas.captureStream(fps).getVideoTracks()[0];
}

function tone(hz) {
  const audio = new AudioContext({ sampleRate: 48000 }), oscillator = audio.createOscillator();
  const out = audio.createMediaStreamDestination();
  oscillator.frequency.value = hz; oscillator.connect(out); oscillator.start();
  return out.stream.getAudioTracks()[0];
}

let up;
async function offerUp({ width, height, fps, simulcast, hz, stun }) {
  up = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  up.addTransceiver(tone(hz), { direction: "sendonly" });
  const layers = [["q", 4], ["h", 2], ["f", 1]].map(([rid, by]) => ({ rid, scaleResolutionDownBy: by }));
  const camera = picture(width, height, fps);
  const video = up.addTransceiver(camera, { direction: "sendonly", ...(simulcast ? { sendEncodings: layers } : {}) });
  const codecs = RTCRtpSender.getCapabilities("video").codecs;
  const first = codecs.filter((c) => /h264/i.test(c.mimeType));
  video.setCodecPreferences([...first, ...codecs.filter((c) => !first.includes(c))]);
  await up.setLocalDescription();
  return up.localDescription.sdp;
}
const answered = (sdp) => up.setRemoteDescription({ type: "answer", sdp });
async function outbound() {
  const found = [];
  (await up.getStats()).forEach((s) => {
    if (s.type === "outbound-rtp") found.push({ kind: s.kind, rid: s.rid, bytes: s.bytesSent, fps: s.framesPerSecond,
      height: s.frameHeight, limit: s.qualityLimitationReason, target: s.targetBitrate, active: s.active });
  });
  return found;
}

// ---- watching ----

const METER = `registerProcessor("meter", class extends AudioWorkletProcessor {
  constructor() { super(); this.sum = 0; this.count = 0; this.levels = []; this.start = currentTime; }
  process([input]) {
    const samples = input[0];
    for (let i = 0; i < 128; i += 1) {
      this.sum += samples ? samples[i] * samples[i] : 0;
      if (++this.count === 960) {
        this.levels.push(Math.sqrt(this.sum / 960)); this.sum = this.count = 0;
        if (this.levels.length === 10) { this.port.postMessage([this.start, this.levels]); this.levels = []; this.start = currentTime; }
      }
    }
    return true;
  }
});`;
let down;
const seen = { frames: [], levels: [], stats: [] };
const tracks = {};

async function answerDown(sdp, { videoSlot, audioSlot, patient }) {
  down = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  down.ontrack = (e) => {
    // The node calls a track by its slot; Janus as it likes: then the first of each kind is the one.
    const kind = e.track.kind === "video" ? videoSlot : audioSlot;
    const slot = /^(audio|tile)-|^(stage|guest|screen)$/.test(e.track.id) ? e.track.id : kind;
    if (tracks[slot]) return;
    tracks[slot] = e;
    const el = document.createElement(e.track.kind);
    el.autoplay = true; el.muted = e.track.kind === "video"; el.srcObject = new MediaStream([e.track]);
    document.body.append(el); el.play().catch(() => 0);
    if (slot === videoSlot) watchPicture(el);
    if (slot === audioSlot) hear(e.track);
  };
  await down.setRemoteDescription({ type: "offer", sdp });
  await down.setLocalDescription();
  setInterval(() => note(videoSlot, audioSlot), 100);
  if (patient) await wait();
  return down.localDescription.sdp;
}

// What the product's pages do on a lossy line.
async function wait() {
  const { LossWatch, delay, LOOK_MS } = await import("/js/loss.js"), watch = new LossWatch();
  setInterval(async () => delay(down.getReceivers(), watch.look((await down.getStats()).values(), performance.now())), LOOK_MS);
}

function watchPicture(el) {
  const shown = (now, frame) => {
    seen.frames.push([clock(), frame.height]);
    el.requestVideoFrameCallback(shown);
  };
  el.requestVideoFrameCallback(shown);
}

async function hear(track) {
  const audio = new AudioContext({ sampleRate: 48000 });
  await audio.audioWorklet.addModule(URL.createObjectURL(new Blob([METER], { type: "text/javascript" })));
  const meter = new AudioWorkletNode(audio, "meter");
  let offset = Infinity; // of the sound's clock to the page's: the message that came soonest tells
  meter.port.onmessage = ({ data: [start, levels] }) => {
    offset = Math.min(offset, clock() - 1000 * start - 20 * levels.length);
    levels.forEach((level, i) => seen.levels.push([offset + 1000 * start + 20 * i, level]));
  };
  audio.createMediaStreamSource(new MediaStream([track])).connect(meter).connect(audio.destination);
  await audio.resume();
}

const WANTED = ["packetsReceived", "packetsLost", "bytesReceived", "nackCount", "concealedSamples",
  "silentConcealedSamples", "totalSamplesReceived", "jitterBufferDelay", "jitterBufferEmittedCount", "pliCount",
  "framesDecoded", "framesDropped", "freezeCount", "totalFreezesDuration", "frameHeight", "keyFramesDecoded",
  "retransmittedPacketsReceived"];
async function note(videoSlot, audioSlot) {
  const row = { at: clock() };
  for (const [name, slot] of [["video", videoSlot], ["audio", audioSlot]]) {
    if (!tracks[slot]) continue;
    (await tracks[slot].receiver.getStats()).forEach((s) => {
      if (s.type === "inbound-rtp") row[name] = Object.fromEntries(WANTED.filter((w) => w in s).map((w) => [w, s[w]]));
      if (s.type === "candidate-pair" && s.nominated) row.estimate = s.availableIncomingBitrate;
      if (s.type === "remote-candidate") row.protocol = s.protocol;
    });
  }
  seen.stats.push(row);
}
function harvest() {
  const all = { frames: seen.frames, levels: seen.levels, stats: seen.stats, state: down.connectionState };
  seen.frames = []; seen.levels = []; seen.stats = [];
  return all;
}
