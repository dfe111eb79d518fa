// Two neighbours on a LAN without any route, each with a browser: they meet, and talk. Run once for each, at the same time.

import { browser, check, enter, go, same, somebody, told } from "./lib.mjs";

const { ME: me, LINK: link } = process.env;
const other = me === "ann" ? "ben" : "ann";
const person = await somebody(me);
const { page } = person;
const talk = () => page.locator('#list a.talk[href^="c/"]', { hasText: other });
const badge = async () => (await page.locator("#badges .badge").first().innerText()).trim();
try {
  await enter(person, link);
  await page.fill("#name", me);
  await page.getByRole("button", { name: "Start" }).click();
  await page.waitForSelector("#for");
  await go(page, "near");
  if (me === "ann") {
    await page.getByRole("button", { name: "Make me visible for 5 minutes" }).click();
    await page.locator(".knock").waitFor();
    console.log(`words ${await page.locator(".knock .words").innerText()}`);
    await page.getByRole("button", { name: "Accept" }).click();
    await talk().click();
    await page.locator("#log .text", { hasText: "hello on the LAN" }).waitFor();
    await page.fill("#text", "hello back");
    await page.press("#text", "Enter");
    await page.locator("#log .msg.you .state", { hasText: /delivered|read/ }).waitFor();
  } else {
    // People come and go while a page is open.
    await page.locator(".members li", { hasText: other }).first().waitFor();
    await page.getByRole("button", { name: "Knock" }).click();
    console.log(`words ${await page.locator("p .words").first().innerText()}`);
    await talk().click();
    await page.fill("#text", "hello on the LAN");
    await page.press("#text", "Enter");
    await page.locator("#log .text", { hasText: "hello back" }).waitFor();
  }
  same(await badge(), "lan", "the badge");
  same(new Set(await page.locator("#log .msg .route").allInnerTexts()).size, 1, "each message says how it went or came");
  same(await page.locator("#log .msg .route").first().innerText(), "lan", "the route of a message");
  check(person.complaints.length === 0, `no page complains: ${person.complaints.join("\n")}`);
  told("neighbours");
} catch (error) {
  console.log(`failed: ${error.stack}\n${(await page.locator("body").innerText().catch(() => "")).slice(0, 800)}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
