// SPDX-License-Identifier: Apache-2.0
// Copies what the pages need from node_modules into static/vendor: fonts, the Socket.IO client,
// hls.js, and one SVG sprite of the icons that the pages use. Run by `make setup`.

import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const FROM = join(ROOT, "node_modules");
const TO = join(ROOT, "static", "vendor");

/** Every icon of bootstrap-icons that a page may name; `icon("mic")` in templates and scripts. */
const ICONS = `
  arrow-left arrow-right arrow-repeat arrow-up-right bar-chart bar-chart-fill book bookmark box-arrow-in-right
  box-arrow-right broadcast building calendar-event calendar-plus calendar3 camera-video camera-video-fill
  camera-video-off camera-video-off-fill check-circle check-circle-fill check-lg chevron-down chevron-left
  chevron-right circle-fill circle-half clipboard-check clock clock-history collection-play copy dash-circle
  diagram-3 display download easel exclamation-circle exclamation-triangle exclamation-triangle-fill eye
  fast-forward file-earmark-text fullscreen fullscreen-exit gear geo-alt geo-alt-fill globe2 hand-index-thumb
  hourglass-split info-circle journal-text key keyboard laptop link-45deg lock megaphone mic mic-fill mic-mute
  mic-mute-fill moon-stars mortarboard pause-fill pc-display-horizontal pencil people people-fill person
  person-badge person-circle person-raised-hand person-video3 phone play-circle play-fill plus-lg power printer
  qr-code question-circle record-circle record-fill search send shield-check shield-lock skip-end-fill
  skip-start-fill slash-circle speedometer2 stop-fill sun translate trash unlock volume-mute-fill volume-up-fill
  wifi wifi-off x-circle x-lg
`.trim().split(/\s+/);

const WEIGHTS = [400, 500, 600, 700];
const SUBSETS = ["vietnamese", "latin-ext", "latin"];

const FILES = {
  "socket.io.esm.min.js": "socket.io-client/dist/socket.io.esm.min.js",
  "socket.io.LICENSE": "socket.io-client/LICENSE",
  "hls.min.mjs": "hls.js/dist/hls.min.mjs",
  "hls.LICENSE": "hls.js/LICENSE",
  "bootstrap-icons.LICENSE": "bootstrap-icons/LICENSE",
  "fonts/be-vietnam-pro.LICENSE": "@fontsource/be-vietnam-pro/LICENSE",
};

function copyAll() {
  rmSync(TO, { recursive: true, force: true });
  mkdirSync(join(TO, "fonts"), { recursive: true });
  for (const [name, source] of Object.entries(FILES)) copyFileSync(join(FROM, source), join(TO, name));
}

/** Writes fonts.css with one @font-face per subset and weight, and copies the files it names. */
function fonts() {
  const home = join(FROM, "@fontsource", "be-vietnam-pro");
  const ranges = JSON.parse(readFileSync(join(home, "unicode.json"), "utf8"));
  const faces = [];
  for (const weight of WEIGHTS) {
    for (const subset of SUBSETS) {
      const file = `be-vietnam-pro-${subset}-${weight}-normal.woff2`;
      copyFileSync(join(home, "files", file), join(TO, "fonts", file));
      faces.push(
        `@font-face{font-family:"Be Vietnam Pro";font-style:normal;font-weight:${weight};font-display:swap;` +
          `src:url("${file}") format("woff2");unicode-range:${ranges[subset]}}`,
      );
    }
  }
  writeFileSync(join(TO, "fonts", "fonts.css"), `${faces.join("\n")}\n`);
}

/** Writes icons.svg: one <symbol id="NAME"> per icon, coloured by the text around it. */
function icons() {
  const symbols = ICONS.map((name) => {
    const svg = readFileSync(join(FROM, "bootstrap-icons", "icons", `${name}.svg`), "utf8");
    const inner = svg.replace(/^[\s\S]*?<svg[^>]*>/, "").replace(/<\/svg>\s*$/, "").replace(/\s+/g, " ").trim();
    const viewBox = /viewBox="([^"]+)"/.exec(svg)?.[1] ?? "0 0 16 16";
    return `<symbol id="${name}" viewBox="${viewBox}" fill="currentColor">${inner}</symbol>`;
  });
  writeFileSync(join(TO, "icons.svg"), `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`);
}

copyAll();
fonts();
icons();
console.log(`static/vendor: ${WEIGHTS.length * SUBSETS.length} font files, ${ICONS.length} icons, socket.io, hls.js`);
