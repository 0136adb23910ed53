// The time code of bench/timecode.py in a browser: drawn on a canvas, read from a video element.
// A classic script: it is put before every page's own scripts.
(() => {
  const COLUMNS = 24, ROWS = 2, ROW_HEIGHT = 1 / 12;
  const SOURCE_BITS = 5, MS_BITS = 32, CHECK_BITS = 10, POLYNOMIAL = 0x233;
  const CELL = 6; // pixels of a block in the small canvas it is read from

  function bitsOf(number, count) {
    return Array.from({ length: count }, (_, place) => Math.floor(number / 2 ** (count - 1 - place)) % 2);
  }

  function numberOf(bits) {
    return bits.reduce((value, bit) => value * 2 + bit, 0);
  }

  function checksum(bits) {
    let register = (1 << CHECK_BITS) - 1;
    for (const bit of bits) {
      const high = (register >> (CHECK_BITS - 1)) & 1;
      register = (register << 1) & ((1 << CHECK_BITS) - 1);
      if (high ^ bit) register ^= POLYNOMIAL;
    }
    return register;
  }

  function encode(source, ms, marker) {
    const bits = [...bitsOf(source, SOURCE_BITS), ...bitsOf(ms % 2 ** MS_BITS, MS_BITS), marker & 1];
    return [...bits, ...bitsOf(checksum(bits), CHECK_BITS)];
  }

  function decode(bits) {
    const body = bits.slice(0, -CHECK_BITS);
    if (checksum(body) !== numberOf(bits.slice(-CHECK_BITS))) return null;
    return {
      source: numberOf(body.slice(0, SOURCE_BITS)),
      ms: numberOf(body.slice(SOURCE_BITS, SOURCE_BITS + MS_BITS)),
      marker: body[body.length - 1],
    };
  }

  function draw(context, width, height, source, ms, marker) {
    const wide = width / COLUMNS, tall = height * ROW_HEIGHT;
    encode(source, ms, marker).forEach((bit, index) => {
      context.fillStyle = bit ? "#fff" : "#000";
      const row = Math.floor(index / COLUMNS), column = index % COLUMNS;
      const left = Math.round(column * wide), top = Math.round(row * tall);
      context.fillRect(left, top, Math.round((column + 1) * wide) - left, Math.round((row + 1) * tall) - top);
    });
  }

  const small = document.createElement("canvas");
  small.width = COLUMNS * CELL;
  small.height = ROWS * CELL;
  const paper = small.getContext("2d", { willReadFrequently: true });

  /** Read what a video element shows now; null when there is no code that can be trusted. */
  function read(video) {
    if (!video.videoWidth) return null;
    paper.drawImage(
      video, 0, 0, video.videoWidth, video.videoHeight * ROW_HEIGHT * ROWS, 0, 0, small.width, small.height);
    const pixels = paper.getImageData(0, 0, small.width, small.height).data;
    const bits = [];
    for (let index = 0; index < COLUMNS * ROWS; index++) {
      const x = (index % COLUMNS) * CELL, y = Math.floor(index / COLUMNS) * CELL;
      let sum = 0;
      for (const [u, v] of [[2, 2], [3, 2], [2, 3], [3, 3]]) sum += pixels[((y + v) * small.width + x + u) * 4 + 1];
      const mean = sum / 4;
      if (mean > 80 && mean < 175) return null;
      bits.push(mean >= 175 ? 1 : 0);
    }
    return decode(bits);
  }

  globalThis.timecode = { encode, decode, draw, read };
})();
