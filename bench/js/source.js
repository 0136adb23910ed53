// The lecturer's devices: the browser's (fake) camera and microphone, with a clock laid over both.
// Each picture carries the wall clock as a time code; the sound carries a beep at the very moment
// a multiple of beepEveryMs passes. So delay, and sound against picture, are measured from what
// arrives, with the same clock at both ends. Settings come in globalThis.classDaySource.
(() => {
  const settings = globalThis.classDaySource;
  const devices = navigator.mediaDevices;
  if (!settings || !devices) return;
  const original = devices.getUserMedia.bind(devices);
  const wallMs = () => performance.timeOrigin + performance.now();
  let picture = null, sound = null;

  function element(stream) {
    const video = document.createElement("video");
    video.muted = true;
    video.playsInline = true;
    video.srcObject = stream;
    video.play().catch(() => {});
    return video;
  }

  async function makePicture() {
    const { width, height, fps, source, beepEveryMs } = settings;
    const camera = element(await original({ video: { frameRate: fps } }));
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d", { alpha: false });
    const paint = () => {
      context.drawImage(camera, 0, 0, width, height);
      const ms = Math.round(wallMs());
      const marker = Math.floor(ms / beepEveryMs) % 2;
      context.fillStyle = marker ? "#f3c13a" : "#2c3e63";
      context.fillRect(width * 0.92, height * 0.85, width * 0.05, height * 0.09);
      globalThis.timecode.draw(context, width, height, source, ms, marker);
    };
    paint();
    setInterval(paint, 1000 / fps);
    return canvas.captureStream(fps).getVideoTracks()[0];
  }

  async function makeSound() {
    const { beepEveryMs, beepMs, pitchesHz } = settings;
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
    const out = context.createMediaStreamDestination();
    const voice = context.createGain();
    context.createMediaStreamSource(await original({ audio: plain })).connect(voice).connect(out);
    let planned = 0;
    const plan = () => {
      if (context.state !== "running") return void context.resume();
      const now = wallMs(), at = Math.ceil(now / beepEveryMs) * beepEveryMs;
      if (at <= planned || at - now > 600) return;
      planned = at;
      const start = context.currentTime + (at - now) / 1000, stop = start + beepMs / 1000;
      const tone = context.createOscillator(), level = context.createGain();
      tone.frequency.value = pitchesHz[Math.floor(at / beepEveryMs) % pitchesHz.length];
      level.gain.value = 0.5;
      tone.connect(level).connect(out);
      tone.start(start);
      tone.stop(stop);
      voice.gain.setValueAtTime(0.05, Math.max(context.currentTime, start - 0.08));
      voice.gain.setValueAtTime(1, stop + 0.08);
    };
    setInterval(plan, 100);
    globalThis.classDaySound = context;
    return out.stream.getAudioTracks()[0];
  }

  devices.getUserMedia = async (wanted) => {
    const tracks = [];
    if (wanted?.video) tracks.push((await (picture ??= makePicture())).clone());
    if (wanted?.audio) tracks.push((await (sound ??= makeSound())).clone());
    return new MediaStream(tracks);
  };
})();
