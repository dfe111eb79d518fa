// What the stories share: a browser, people in it, and checks that say what is missing.

import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** Longest wait for anything, ms: more means that something hangs. */
export const PATIENCE = Number(process.env.PATIENCE ?? 60_000);
/** Where pictures go, if they are wanted. */
export const PICTURES = process.env.PICTURES;

export const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: flags,
});

export function check(true_, what) {
  if (!true_) throw new Error(`not so: ${what}`);
}

export function same(is, should, what) {
  if (is !== should) throw new Error(`${what}: ${JSON.stringify(is)} is not ${JSON.stringify(should)}`);
}

export function told(what) {
  console.log(`ok  ${what}`);
}

/** Somebody with a browser of their own. What their pages complain of is a failure. */
export async function somebody(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true, ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const complaints = [];
  const hear = (one) => {
    one.on("pageerror", (error) => complaints.push(`${name}: ${error}`));
    // What was refused is said with its address below.
    const counts = (line) => line.type() === "error" && !line.text().startsWith("Failed to load resource");
    one.on("console", (line) => counts(line) && complaints.push(`${name}: ${line.text()}`));
    one.on("response", (response) => response.status() >= 400 && complaints.push(`${name}: ${response.status()} for ${response.url()}`));
    one.on("dialog", (dialog) => dialog.accept());
    one.on("request", (request) => {
      const url = new URL(request.url());
      if (!["127.0.0.1", ""].includes(url.hostname)) complaints.push(`${name}: asked ${url.hostname}`);
    });
  };
  hear(page);
  context.on("page", hear);
  return { name, context, page, complaints };
}

/** Logs in by a link. */
export async function enter(person, link) {
  await person.page.goto(link);
  await person.page.waitForSelector("body.inside");
}

/** Goes to a page of the list at the side, or at its end. */
export async function go(page, path) {
  await page.goto(new URL(path, await page.evaluate(() => document.baseURI)).href);
}

/** The path of what the list shows under this name: names are for people, paths hold ids. */
export async function place(page, name) {
  const shown = (name) => {
    const items = [...document.querySelectorAll('#list a.talk[href^="c/"], #list a.talk[href^="r/"]')];
    return items.find((item) => item.querySelector(".name").firstChild?.textContent === name)?.getAttribute("href");
  };
  const path = await (await page.waitForFunction(shown, name)).jsonValue();
  check(/^[cr]\/[0-9a-f]{32}$/.test(path), `${name} is at an id: ${path}`);
  return path;
}

/** Opens what the list shows under this name. */
export async function open(page, name, end = "") {
  await go(page, (await place(page, name)) + end);
}

export async function said(page, text) {
  await page.locator("#log .text", { hasText: text }).first().waitFor();
}

export async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
  await said(page, text);
}

/** A message with this text. */
export const message = (page, text) => page.locator("#log .msg", { hasText: text }).last();

/** Opens the menu of a message and presses what is called so. */
export async function act(page, text, what) {
  const one = message(page, text);
  await one.locator("details.acts > summary").click();
  await one.locator(".menu").getByText(what, { exact: true }).click();
}

/** What axe-core finds serious or critical on a page. */
export async function accessible(page, what) {
  // Evaluated by the debugger: the page's own policy forbids scripts from elsewhere, as it should.
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await globalThis.axe.run(document, { resultTypes: ["violations"] })).violations);
  const bad = found.filter((one) => ["serious", "critical"].includes(one.impact));
  for (const one of bad) {
    console.log(`axe: ${what}: ${one.id}: ${one.help}: ${one.nodes.slice(0, 4).map((n) => `${n.html.slice(0, 160)} [${n.any[0]?.message ?? ""}]`).join(" | ")}`);
  }
  same(bad.length, 0, `serious findings of axe on ${what}`);
}

/** A page that has to be scrolled sideways is broken. */
export async function fits(page, what) {
  const over = await page.evaluate(() => {
    const parts = [document.documentElement, ...document.querySelectorAll("main, #aside, .side")];
    return Math.max(...parts.map((part) => part.scrollWidth - part.clientWidth));
  });
  check(over <= 0, `${what} fits the window (${over} px too wide)`);
}

export async function picture(page, name) {
  if (!PICTURES) return;
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: `${PICTURES}/${name}.png` });
}
