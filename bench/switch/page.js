// Publisher and viewer of the switching benchmark; bench/js/timecode.js comes before it.
// Wall clocks are Date.now(): the benchmark's own clock on the same machine.
let up, down;
const videos = {}, receivers = {}, seen = [];

/** Publish a tone and a canvas whose every picture says who drew it and when. */
async function offerUp({ source, width, height, fps, codec, layers, hz }) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { alpha: false });
  let n = 0;
  setInterval(() => {
    n += 1;
    context.fillStyle = ["#206040", "#603020", "#203070"][source % 3];
    context.fillRect(0, 0, width, height);
    context.fillStyle = "#e0e0d0";
    for (let i = 0; i < 12; i++) {
      context.fillRect((n * (3 + i) + i * 97) % width, height * (0.25 + 0.06 * i), width / 12, height / 24);
    }
    globalThis.timecode.draw(context, width, height, source, Date.now(), 0);
  }, 1000 / fps);
  const audio = new AudioContext(), tone = audio.createOscillator(), out = audio.createMediaStreamDestination();
  tone.frequency.value = hz;
  tone.connect(out);
  tone.start();
  up = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  up.addTransceiver(out.stream.getAudioTracks()[0], { direction: "sendonly" });
  const camera = canvas.captureStream(fps).getVideoTracks()[0];
  camera.contentHint = "motion";
  const video = up.addTransceiver(camera, { direction: "sendonly", sendEncodings: layers });
  const wanted = RTCRtpSender.getCapabilities("video").codecs.filter(
    (c) => c.mimeType.toLowerCase() === `video/${codec.toLowerCase()}` || /rtx/i.test(c.mimeType));
  video.setCodecPreferences(wanted);
  await up.setLocalDescription();
  return up.localDescription.sdp;
}

async function answered(sdp) {
  await up.setRemoteDescription({ type: "answer", sdp });
  const sender = up.getTransceivers()[1].sender;
  await sender.setParameters(Object.assign(sender.getParameters(), { degradationPreference: "maintain-resolution" }));
}

/** Heights of the picture's layers that are sent now. */
async function sending() {
  const heights = [];
  (await up.getStats()).forEach((s) => {
    if (s.type === "outbound-rtp" && s.kind === "video" && s.framesPerSecond > 5) heights.push(s.frameHeight);
  });
  return heights.sort((a, b) => a - b);
}

async function answerDown(sdp) {
  down = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  down.ontrack = ({ track, transceiver, receiver }) => {
    const section = sdp.split(/^m=/m).find((part) => part.includes(`a=mid:${transceiver.mid}\r`));
    const slot = /^a=msid:\S+ (\S+)/m.exec(section)[1], element = document.createElement(track.kind);
    receivers[slot] = receiver;
    element.autoplay = true;
    element.muted = track.kind === "video";
    element.srcObject = new MediaStream([track]);
    document.body.append(element);
    element.play().catch(() => 0);
    videos[slot] = element;
  };
  await down.setRemoteDescription({ type: "offer", sdp });
  await down.setLocalDescription();
  return down.localDescription.sdp;
}

/** Note every picture of a slot: [shown, source, drawn, width, received] in ms; source -1: not readable. */
function watch(slot) {
  const video = videos[slot];
  const look = (_, frame) => {
    const shown = Date.now(), code = globalThis.timecode.read(video);
    const received = frame.receiveTime ? Math.round(performance.timeOrigin + frame.receiveTime) : 0;
    const lag = Math.round(performance.timeOrigin + performance.now()) - shown; // of the two clocks
    seen.push([shown, code ? code.source : -1, code ? code.ms : 0, frame.width, received ? received - lag : 0]);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
}

async function inbound(slot) {
  let found = {};
  (await receivers[slot].getStats()).forEach((s) => { if (s.type === "inbound-rtp") found = { ...s }; });
  return found;
}
