// One participant of a media test: a coloured canvas and a tone up, slots down.
let up, down;
const videos = {}, tracks = {};
const LAYERS = [["q", 4, 150e3], ["h", 2, 500e3], ["f", 1, 1500e3]];
async function source(colour, hz, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width; canvas.height = height;
  const g = canvas.getContext("2d");
  let n = 0;
  setInterval(() => { g.fillStyle = colour; g.fillRect(0, 0, width, height); g.fillStyle = "#fff"; g.fillRect((n++ * 9) % width, height * 0.84, 40, 20); }, 66);
  return [await sound(hz), canvas.captureStream(15).getVideoTracks()[0]];
}
async function sound(hz) {
  if (/Firefox/.test(navigator.userAgent)) { // it runs no AudioContext where there is no sound device; its fake microphone is a tone, too
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    return (await navigator.mediaDevices.getUserMedia({ audio: plain })).getAudioTracks()[0];
  }
  const audio = new AudioContext(), tone = audio.createOscillator(), out = audio.createMediaStreamDestination();
  tone.frequency.value = hz; tone.connect(out); tone.start();
  return out.stream.getAudioTracks()[0];
}
async function offerUp(colour, hz, simulcast = false, codec = null) {
  up = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const [mic, camera] = await source(colour, hz, simulcast ? 1280 : 640, simulcast ? 720 : 360);
  up.addTransceiver(mic, { direction: "sendonly" });
  const sendEncodings = LAYERS.map(([rid, scaleResolutionDownBy, maxBitrate]) => ({ rid, scaleResolutionDownBy, maxBitrate }));
  const video = up.addTransceiver(camera, { direction: "sendonly", ...(simulcast ? { sendEncodings } : {}) });
  const screen = up.addTransceiver("video", { direction: "sendonly" });
  const codecs = RTCRtpSender.getCapabilities("video").codecs;
  const h264 = codecs.filter((c) => /h264/i.test(c.mimeType)), others = codecs.filter((c) => !/h264/i.test(c.mimeType));
  const wanted = (c) => c.mimeType.toLowerCase() === `video/${codec?.toLowerCase()}` || /rtx/i.test(c.mimeType);
  const order = codec ? codecs.filter(wanted) : [...h264, ...others];
  video.setCodecPreferences(order); screen.setCodecPreferences(order);
  await up.setLocalDescription();
  return up.localDescription.sdp;
}
const answered = (sdp) => up.setRemoteDescription({ type: "answer", sdp });
async function answerDown(sdp) {
  down = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  down.ontrack = (e) => {
    // a=msid: its second part is the slot; its first one may be shared by a picture and its sound
    const section = sdp.split(/^m=/m).find((part) => part.includes(`a=mid:${e.transceiver.mid}\r`));
    const slot = /^a=msid:\S+ (\S+)/m.exec(section)[1];
    tracks[slot] = e;
    const el = document.createElement(e.track.kind);
    el.autoplay = true; el.muted = e.track.kind === "video"; el.srcObject = new MediaStream([e.track]);
    document.body.append(el); el.play().catch(() => 0);
    videos[slot] = el;
  };
  await down.setRemoteDescription({ type: "offer", sdp });
  await down.setLocalDescription();
  return down.localDescription.sdp;
}
function colour(slot) {
  const el = videos[slot];
  if (!el || !el.videoWidth) return "nothing";
  const canvas = document.createElement("canvas"); canvas.width = canvas.height = 8;
  const g = canvas.getContext("2d"); g.drawImage(el, 0, 0, el.videoWidth, el.videoHeight * 0.6, 0, 0, 8, 8);
  const [r, gr, b] = g.getImageData(4, 4, 1, 1).data;
  if (r > 120 && gr < 90 && b < 90) return "red";
  if (b > 120 && gr < 90 && r < 90) return "blue";
  if (gr > 90 && r < 90 && b < 90) return "green";
  return `rgb(${r},${gr},${b})`;
}
async function inbound(slot) {
  let found = {};
  const report = await tracks[slot].receiver.getStats();
  report.forEach((s) => { if (s.type === "inbound-rtp") found = { ...s, codec: report.get(s.codecId)?.mimeType }; });
  return found;
}

/** As static/js/sdp.js reads it from the answer. */
function takesH264() {
  return /^a=rtpmap:\d+ H264\/90000\s*$/im.test(down.localDescription.sdp);
}

async function layers(active) {
  const sender = up.getTransceivers()[1].sender, parameters = sender.getParameters();
  for (const encoding of parameters.encodings) encoding.active = active.includes(encoding.rid);
  await sender.setParameters(parameters);
}
const shownHeight = (slot) => videos[slot]?.videoHeight ?? 0;
// What a leg sends, one entry per RTP stream.
async function outbound() {
  const found = [];
  const report = await up.getStats();
  report.forEach((s) => { if (s.type === "outbound-rtp") found.push({ ...s, codec: report.get(s.codecId)?.mimeType }); });
  return found;
}
// "udp" or "tcp": the protocol of the candidate pair that a leg really uses, "" while it has none.
async function protocol(leg) {
  const report = await (leg === "up" ? up : down).getStats();
  let selected = null;
  report.forEach((s) => { if (s.type === "transport" && s.selectedCandidatePairId) selected = report.get(s.selectedCandidatePairId); });
  if (!selected) report.forEach((s) => { if (s.type === "candidate-pair" && (s.selected || (s.nominated && s.state === "succeeded"))) selected = s; });
  return report.get(selected?.remoteCandidateId)?.protocol ?? "";
}
