// Guests of an open room: a name, and they are in; with scripts and without.

import { accessible, browser, check, fits, picture, said, say, somebody, told } from "./lib.mjs";

const dora = await somebody("dora");
const emil = await somebody("emil", { javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
try {
  for (const guest of [dora, emil]) {
    await guest.page.goto(process.env.PAGE);
    check((await guest.page.locator("body").innerText()).includes("can see what you write"), "a guest is told before anything else");
    if (guest === dora) await accessible(guest.page, "the guests' entrance");
    await guest.page.fill("#nick", guest.name);
    await guest.page.getByRole("button", { name: "Join as a guest" }).click();
    await guest.page.waitForSelector("#text");
  }
  await said(dora.page, "welcome, guests");
  await say(dora.page, "hello from a browser");
  await said(dora.page, "I read you");
  await accessible(dora.page, "the guests' room");
  await picture(dora.page, "guest");
  told("a guest talks and reads");

  await emil.page.fill("#text", "<b>no scripts</b> here");
  await emil.page.getByRole("button", { name: "Send" }).click();
  await emil.page.locator("#log .text", { hasText: "<b>no scripts</b> here" }).waitFor();
  await said(dora.page, "<b>no scripts</b> here");
  check((await dora.page.locator("h1").innerText()) === "Workshop <b>", "a title is text");
  await fits(emil.page, "the room on a phone");
  await emil.page.locator("#log .text", { hasText: "hello from a browser" }).waitFor();
  told("a guest without scripts");

  for (const guest of [dora, emil]) {
    await guest.page.getByRole("button", { name: "Leave" }).click();
    await guest.page.locator("#nick").waitFor();
    check(guest.complaints.length === 0, `no page complains: ${guest.complaints.join("\n")}`);
  }
  told("guests come and go");
} catch (error) {
  console.log(`failed: ${error.stack}`);
  for (const guest of [dora, emil]) console.log(guest.name, (await guest.page.locator("body").innerText().catch(() => "")).slice(0, 800), guest.complaints);
  process.exitCode = 1;
} finally {
  await browser.close();
}
