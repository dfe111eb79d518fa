// Drives browsers through the site. Run by the test `web`, which starts the profiles and says where they are.

import { browser, check, somebody, told } from "./lib.mjs";
import { hostile, login } from "./hostile.mjs";
import { noscript } from "./noscript.mjs";
import * as talk from "./talk.mjs";

const links = { alice: process.env.ALICE, bob: process.env.BOB };
const alice = await somebody("alice");
const bob = await somebody("bob");
try {
  await talk.first_message(alice, bob, links);
  await talk.chat(alice, bob);
  await talk.injection(alice, bob);
  await talk.verify(alice, bob);
  await talk.files(alice, bob);
  await talk.group(alice, bob);
  await talk.rename(alice, bob);
  await talk.routes(alice);
  await talk.regions(alice, bob);
  await talk.room(alice, bob);
  await talk.look(alice);
  await talk.pages(alice);
  await talk.trouble(alice, bob);
  await noscript(alice, bob);
  const complaints = [...alice.complaints, ...bob.complaints];
  check(complaints.length === 0, `no page complains: ${complaints.join("\n")}`);
  await hostile(alice);
  await login(alice, links.alice);
  for (const person of [alice, bob]) {
    await person.page.goto(new URL("settings", await person.page.evaluate(() => document.baseURI)).href);
    await person.page.getByRole("button", { name: "Stop Hushwing in the browser" }).click();
    await person.page.locator("h1", { hasText: "has stopped" }).waitFor();
  }
  told("the end");
} catch (error) {
  console.log(`failed: ${error.stack}`);
  for (const person of [alice, bob]) {
    console.log(`${person.name} at ${person.page.url()}: ${(await person.page.locator("body").innerText().catch(() => "")).slice(0, 1500)}`);
    console.log(person.complaints.join("\n"));
    if (process.env.PICTURES) await person.page.screenshot({ path: `${process.env.PICTURES}/failed-${person.name}.png` }).catch(() => {});
  }
  process.exitCode = 1;
} finally {
  await browser.close();
}
