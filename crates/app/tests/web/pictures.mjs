// The pictures of the README; run by docs/pictures/make.

import { readFile } from "node:fs/promises";
import { browser, enter, open, somebody } from "./lib.mjs";

const { LINK, SCREEN, OUT } = process.env;
const mira = await somebody("mira", { colorScheme: "dark", deviceScaleFactor: 2, viewport: { width: 1180, height: 700 } });
const { page } = mira;
await enter(mira, LINK);
await open(page, "Night garden");
await page.locator("#log .text", { hasText: "lamps" }).waitFor();
await page.screenshot({ path: `${OUT}/web.png` });

await page.setViewportSize({ width: 390, height: 720 });
await open(page, "jonas");
await page.locator("#log .text", { hasText: "🦉" }).waitFor();
await page.screenshot({ path: `${OUT}/phone.png` });

/** The sixteen colours, and those of the cube, as a terminal shows them. */
const COLOURS = ["#14171c", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d4d9e0", "#6b7480", "#ff8a92", "#b5e08f", "#ffdb93", "#86c7ff", "#e29bf3", "#77d3de", "#ffffff"];
function indexed(n) {
  if (n < 16) return COLOURS[n];
  if (n > 231) return `rgb(${Array(3).fill(8 + 10 * (n - 232)).join()})`;
  const level = (value) => (value ? 55 + 40 * value : 0);
  const at = n - 16;
  return `rgb(${level(Math.floor(at / 36))},${level(Math.floor(at / 6) % 6)},${level(at % 6)})`;
}

/** What a terminal shows, as HTML. */
function html(text) {
  let style = {};
  const parts = [];
  for (const piece of text.split(/(\x1b\[[0-9;]*m)/)) {
    const codes = /^\x1b\[([0-9;]*)m$/.exec(piece)?.[1].split(";").map(Number);
    if (!codes) {
      const fore = style.reverse ? (style.back ?? "#14171c") : style.fore;
      const back = style.reverse ? (style.fore ?? "#d4d9e0") : style.back;
      const css = [fore && `color:${fore}`, back && `background:${back}`, style.bold && "font-weight:700", style.dim && "opacity:.65", style.under && "text-decoration:underline"];
      const safe = piece.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
      if (safe) parts.push(`<span style="${css.filter(Boolean).join(";")}">${safe}</span>`);
      continue;
    }
    for (let at = 0; at < codes.length; at += 1) {
      const code = codes[at];
      const colour = () => (codes[at + 1] === 5 ? indexed(codes[(at += 2)]) : `rgb(${codes.slice(at + 2, (at += 4) + 1).join()})`);
      if (code === 0) style = {};
      else if (code === 1) style.bold = true;
      else if (code === 2) style.dim = true;
      else if (code === 4) style.under = true;
      else if (code === 7) style.reverse = true;
      else if (code === 22) style.bold = style.dim = false;
      else if (code === 24) style.under = false;
      else if (code === 27) style.reverse = false;
      else if (code === 38) style.fore = colour();
      else if (code === 48) style.back = colour();
      else if (code === 39) delete style.fore;
      else if (code === 49) delete style.back;
      else if (code >= 30 && code < 38) style.fore = COLOURS[code - 30];
      else if (code >= 40 && code < 48) style.back = COLOURS[code - 40];
      else if (code >= 90 && code < 98) style.fore = COLOURS[code - 82];
      else if (code >= 100 && code < 108) style.back = COLOURS[code - 92];
    }
  }
  return parts.join("");
}
const terminal = await browser.newPage({ deviceScaleFactor: 2, viewport: { width: 1180, height: 700 } });
const font = "font:15px/1.32 'DejaVu Sans Mono',monospace";
await terminal.setContent(`<body style="margin:0;background:#14171c"><pre id="s" style="display:inline-block;margin:0;padding:14px;color:#d4d9e0;${font}">${html(await readFile(SCREEN, "utf8"))}</pre>`);
await terminal.locator("#s").screenshot({ path: `${OUT}/terminal.png` });
await browser.close();
