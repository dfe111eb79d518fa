// The same without scripts, as in Tor Browser's safest mode: forms, links, and a frame that looks for news.

import { check, fits, go, open, picture, same, somebody, told } from "./lib.mjs";

export async function noscript(alice, bob) {
  // Somebody who is logged in makes a code for the other browser.
  await go(bob.page, "settings");
  await bob.page.getByRole("button", { name: "Add another browser" }).click();
  const code = await bob.page.locator("p.words").innerText();
  const address = new URL(bob.page.url()).origin;

  const plain = await somebody("bob without scripts", { javaScriptEnabled: false });
  const { page } = plain;
  await page.goto(`${address}/`);
  await page.fill("#code", code.toUpperCase());
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForSelector("body.inside");
  await page.locator('#list a.talk[href^="c/"]', { hasText: "alice" }).first().click();
  await page.fill("#text", "without any script");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.locator("#log .text", { hasText: "without any script" }).waitFor();

  await open(alice.page, "bob");
  await alice.page.locator("#log .text", { hasText: "without any script" }).waitFor();
  await alice.page.fill("#text", "I see it");
  await alice.page.press("#text", "Enter");
  // The page itself stays as it is, and the frame tells.
  await go_plain(page, "help");
  await page.frameLocator("iframe.news").getByText("1 new").waitFor();
  await page.reload();
  await page.locator("#list .talk", { has: page.locator(".unseen") }).first().click();
  await page.locator("#log .text", { hasText: "I see it" }).waitFor();

  const menu = page.locator("#log .msg", { hasText: "I see it" });
  await menu.locator("summary").click();
  await menu.getByRole("button", { name: "❤️" }).click();
  await page.locator("#log .reaction", { hasText: "❤️ 1" }).waitFor();
  await fits(page, "a page without scripts");
  await picture(page, "noscript");
  same(await page.evaluate(() => document.documentElement.classList.contains("scripted")).catch(() => false), false, "scripts");
  check((await page.locator("#log .text").count()) > 3, "history is there");
  told("without scripts");
  await plain.context.close();
}

async function go_plain(page, path) {
  const base = await page.locator("base").getAttribute("href");
  await page.goto(new URL(base + path, page.url()).href);
}
