// Two people, two browsers: first start, invite, chat, files, groups, rooms, safety, export.

import { readFile } from "node:fs/promises";
import { accessible, act, check, enter, fits, go, message, open, picture, place, said, same, say, told } from "./lib.mjs";

/** Text that must stay text, wherever it stands. */
export const HOSTILE = `<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>`;

export async function first_message(alice, bob, links) {
  await enter(alice, links.alice);
  await alice.page.fill("#name", "alice");
  await alice.page.getByRole("button", { name: "Start" }).click();
  await alice.page.waitForSelector("#for");
  await alice.page.fill("#for", "bob");
  await alice.page.getByRole("button", { name: "Create link" }).click();
  const box = alice.page.locator("#invites textarea").first();
  await box.waitFor();
  const invite = await box.inputValue();
  check(invite.startsWith("hushwing:invite#"), "an invite is a link");
  told("a link for one person");

  // Step 1: open what `hushwing web` has printed. Step 2: a name and the link. Step 3: type.
  await enter(bob, links.bob);
  await picture(bob.page, "first");
  await accessible(bob.page, "the first start");
  await bob.page.fill("#name", "bob");
  await bob.page.fill("#link", invite);
  await bob.page.getByRole("button", { name: "Start" }).click();
  await say(bob.page, "Hello Alice, here is Bob");
  told("the first message of a new person, in three steps");
}

export async function chat(alice, bob) {
  await go(alice.page, "./");
  await alice.page.locator(`#list a[href="${await place(alice.page, "bob")}"]`).click();
  await said(alice.page, "here is Bob");
  await message(bob.page, "here is Bob").locator(".state", { hasText: /delivered|read/ }).waitFor();
  await say(alice.page, "Hello Bob");
  await said(bob.page, "Hello Bob");
  told("both ways, without a reload");

  await say(bob.page, "one\ntwo");
  await said(alice.page, "two");
  same(await message(alice.page, "two").locator(".text").innerText(), "one\ntwo", "lines stay lines");

  await act(alice.page, "here is Bob", "👍");
  await message(bob.page, "here is Bob").locator(".reaction", { hasText: "👍 1" }).waitFor();
  // Ours goes when it is pressed again; another's does not.
  await message(bob.page, "here is Bob").locator(".reaction", { hasText: "👍 1" }).click();
  await message(alice.page, "here is Bob").locator(".reaction", { hasText: "👍 2" }).waitFor();
  await message(bob.page, "here is Bob").locator(".reaction", { hasText: "👍 2" }).click();
  await message(alice.page, "here is Bob").locator(".reaction", { hasText: "👍 1" }).waitFor();
  told("a reaction");

  await act(bob.page, "Hello Bob", "Reply");
  await bob.page.fill("#text", "I answer");
  await bob.page.press("#text", "Enter");
  await said(bob.page, "I answer");
  await message(alice.page, "I answer").locator(".answered", { hasText: "Hello Bob" }).waitFor();
  told("an answer");

  await act(bob.page, "I answer", "Edit");
  await bob.page.fill("#text", "I answer better");
  await bob.page.press("#text", "Enter");
  await said(alice.page, "I answer better");
  await message(alice.page, "I answer better").locator(".meta", { hasText: "edited" }).waitFor();
  told("an edit");

  await say(bob.page, "to be deleted");
  await said(alice.page, "to be deleted");
  await act(bob.page, "to be deleted", "Delete for everyone");
  await alice.page.locator("#log .text", { hasText: "(deleted)" }).waitFor();
  same(await alice.page.locator("#log .text", { hasText: "to be deleted" }).count(), 0, "what was deleted is gone");
  told("a deletion");

  // Elsewhere: a count, in the list and in the title.
  await go(alice.page, "help");
  await say(bob.page, "are you there?");
  await alice.page.locator("#list .talk .unseen", { hasText: "1" }).waitFor();
  await alice.page.waitForFunction(() => document.title.startsWith("(1)"));
  await alice.page.keyboard.press("Alt+a");
  await said(alice.page, "are you there?");
  await alice.page.waitForFunction(() => !document.title.startsWith("("));
  told("unread is counted, and Alt+A goes there");
}

export async function injection(alice, bob) {
  await say(bob.page, HOSTILE);
  await said(alice.page, HOSTILE);
  await go(alice.page, "./");
  for (const person of [alice, bob]) check(!(await person.page.evaluate(() => globalThis.hurt)), "no text is a script");
  // A name as well: what alice calls somebody is shown in many places.
  await open(alice.page, "bob", "/about");
  await alice.page.fill("#name", HOSTILE.slice(0, 60));
  await alice.page.getByRole("button", { name: "Rename" }).click();
  await alice.page.locator("h1", { hasText: "<img src=x" }).waitFor();
  check(!(await alice.page.evaluate(() => globalThis.hurt)), "no name is a script");
  await alice.page.fill("#name", "bob");
  await alice.page.getByRole("button", { name: "Rename" }).click();
  await alice.page.locator("h1", { hasText: "About bob" }).waitFor();
  told("HTML in texts and names is text");
}

export async function verify(alice, bob) {
  const words = async (page, name) => {
    await open(page, name, "/about");
    return page.locator("#words .words").innerText();
  };
  same(await words(alice.page, "bob"), await words(bob.page, "alice"), "the safety words");
  await alice.page.getByRole("button", { name: "They match" }).click();
  await alice.page.locator("#words .ok").waitFor();
  await open(alice.page, "bob");
  await alice.page.locator(".badge", { hasText: /^verified$/ }).waitFor();
  told("safety words are the same on both sides, and mark a contact");
}

export async function routes(alice) {
  await open(alice.page, "bob", "/about");
  // Bob's profile allows hidden routes only, and what two started with holds for both.
  await alice.page.getByText("Hidden routes only: ON (only: hidden)").waitFor();
  await alice.page.getByRole("button", { name: "Turn off" }).click();
  await alice.page.getByText("the conversation started with hidden").waitFor();
  await alice.page.locator("summary", { hasText: "Allowed routes" }).click();
  await alice.page.getByRole("radio", { name: /^onion/ }).check();
  await alice.page.locator(".choices").getByRole("button", { name: "Set" }).click();
  await alice.page.getByText("Hidden routes only: ON (only: onion)").waitFor();
  await open(alice.page, "Choir", "/about");
  // Alice has created this one, and her profile allows any route.
  await alice.page.getByText("Hidden routes only: OFF").waitFor();
  await alice.page.getByRole("button", { name: "Turn on" }).click();
  await alice.page.getByText("Hidden routes only: ON (only: hidden)").waitFor();
  await alice.page.getByRole("button", { name: "Turn off" }).click();
  await alice.page.getByText("Hidden routes only: OFF").waitFor();
  told("the switch for hidden routes");
}

export async function files(alice, bob) {
  await open(bob.page, "alice");
  const name = `<img src=x onerror="window.hurt=1">.txt`;
  const buffer = Buffer.from("what is in the file\n".repeat(2_000));
  await bob.page.setInputFiles("#file", { name, mimeType: "text/html", buffer });
  const offered = alice.page.locator("#log .msg", { hasText: "onerror" });
  await open(alice.page, "bob");
  await offered.getByRole("button", { name: "Download" }).click();
  const save = offered.getByRole("link", { name: "Save" });
  await save.waitFor();
  const [download] = await Promise.all([alice.page.waitForEvent("download"), save.click()]);
  check(buffer.equals(await readFile(await download.path())), "the file is what was sent");
  check(!(await alice.page.evaluate(() => globalThis.hurt)), "no file name is a script");
  await bob.page.locator("#log .file", { hasText: "done" }).waitFor();
  told("a file, with a name that is text");

  // Dropped onto the conversation.
  const data = await bob.page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["dropped"], "dropped.txt"));
    return data;
  });
  await bob.page.dispatchEvent("main", "drop", { dataTransfer: data });
  await alice.page.locator("#log .msg", { hasText: "dropped.txt" }).waitFor();
  told("a file that was dropped");
}

export async function group(alice, bob) {
  await go(alice.page, "new");
  await alice.page.fill("#title", "Choir");
  await alice.page.getByRole("button", { name: "Create group" }).click();
  await alice.page.locator("h1", { hasText: "About Choir" }).waitFor();
  await alice.page.getByRole("button", { name: "Invite", exact: true }).click();
  await go(bob.page, "./");
  await bob.page.locator('#list a[href="new#invitations"]').click();
  await bob.page.getByRole("button", { name: "Join" }).click();
  await open(bob.page, "Choir");
  await open(alice.page, "Choir");
  await alice.page.locator("#aside .members li", { hasText: "bob" }).waitFor();
  await say(alice.page, "Monday at eight");
  await said(bob.page, "Monday at eight");
  await say(bob.page, "I come");
  await message(alice.page, "I come").locator(".who", { hasText: "bob" }).waitFor();
  told("a group");
}

/** Others rename what is open here: the page, the draft and the form stay with it. */
export async function rename(alice, bob) {
  const title = async (text) => {
    await bob.page.fill("#title", text);
    await bob.page.locator("form", { has: bob.page.locator("#title") }).getByRole("button", { name: "Set" }).click();
  };
  await open(alice.page, "Choir");
  const address = alice.page.url();
  await alice.page.fill("#text", "half a thought");
  await open(bob.page, "Choir", "/about");
  await title("Evening choir");
  await alice.page.locator("h1", { hasText: "Evening choir" }).waitFor();
  same(await alice.page.locator("#text").inputValue(), "half a thought", "the draft");
  same(alice.page.url(), address, "the address of the page");
  await alice.page.press("#text", "Enter");
  await said(alice.page, "half a thought");
  await open(bob.page, "Evening choir");
  await said(bob.page, "half a thought");
  await open(bob.page, "Evening choir", "/about");
  await title("Choir");
  await alice.page.locator("h1", { hasText: /^Choir$/ }).waitFor();
  await open(bob.page, "Choir");
  told("a conversation that others rename");
}

export async function room(alice, bob) {
  await go(alice.page, "new");
  await alice.page.fill("#room-name", "table");
  await alice.page.fill("#nick", "alice");
  await alice.page.getByRole("button", { name: "Create room" }).click();
  await alice.page.waitForSelector("#people");
  await alice.page.locator("#aside", { hasText: "alice" }).waitFor();
  await open(alice.page, "table", "/about");
  const link = await alice.page.locator("#link").inputValue();
  check(link.startsWith("hushwing:room#"), "a room has a link");
  await open(alice.page, "table");

  await go(bob.page, "new");
  await bob.page.fill("section #link", link);
  await bob.page.getByRole("button", { name: "Accept", exact: true }).click();
  await bob.page.waitForSelector("#people");
  await say(bob.page, "who is here?");
  await said(alice.page, "who is here?");
  await say(alice.page, "I am");
  await said(bob.page, "I am");
  await alice.page.locator("#people h2", { hasText: "Online (2)" }).waitFor();
  await message(bob.page, "who is here?").locator(".state", { hasText: "stored" }).waitFor();
  told("an open room");
}

/** What an owner does about somebody who should not be in a room, and a member about one who holds a group up. */
export async function trouble(alice, bob) {
  await open(alice.page, "table", "/about");
  const link = () => alice.page.locator("#link").inputValue();
  const before = await link();
  await alice.page.locator("#rekey summary").click();
  check(await alice.page.locator("#rekey input[type=checkbox]").isChecked(), "who talks here may stay");
  await alice.page.getByRole("button", { name: "Give new keys only to these" }).click();
  await alice.page.locator(".flash", { hasText: "earlier links stop working" }).waitFor();
  await open(alice.page, "table");
  await say(alice.page, "we two alone");
  await said(bob.page, "we two alone");
  await open(alice.page, "table", "/about");
  check((await link()) !== before, "a room with new keys has another link");
  told("new keys for a room");

  await open(alice.page, "Choir", "/about");
  await alice.page.getByText("This group is stalled").click();
  await alice.page.selectOption("#without", "bob");
  await alice.page.getByRole("button", { name: "New group" }).click();
  await alice.page.locator("h1", { hasText: "About Choir" }).waitFor();
  await alice.page.locator("h2", { hasText: "Members (1)" }).waitFor();
  told("a group that goes on without somebody");
}

export async function look(alice) {
  await alice.page.fill("#q", "monday");
  await alice.page.press("#q", "Enter");
  await alice.page.locator(".found", { hasText: "Monday at eight" }).waitFor();
  check(!alice.page.url().includes("monday"), "what is searched for stands in no address");
  const [download] = await Promise.all([
    alice.page.waitForEvent("download"),
    open(alice.page, "bob", "/export/txt").catch(() => {}),
  ]);
  const text = await readFile(await download.path(), "utf8");
  check(text.includes("bob: Hello Alice, here is Bob") && !text.includes("to be deleted"), "an export has what was said");
  told("search and export");
}

/** What a person expects where: the list at the left, the talk in the middle, what can be set at the right. */
export async function regions(alice, bob) {
  const { page } = alice;
  await say(bob.page, "to the top, please");
  await open(page, "Choir");
  await page.locator("#list li:first-child .talk", { hasText: "Choir" }).waitFor();
  const box = (selector) => page.locator(selector).first().boundingBox();
  const [list, log, aside, text, send] = await Promise.all(["#list", "#log", "#aside", "#text", ".say button"].map(box));
  check(list.x + list.width <= log.x && log.x + log.width <= aside.x, "three columns");
  check(text.y >= log.y + log.height && send.x >= text.x + text.width, "the line to write in below, its button beside it");
  for (const part of ["#list .dot.on", "#log .day", "#log .who", "#aside .members"]) check(await page.locator(part).count(), part);
  const manifest = await page.evaluate(async () => (await fetch(document.querySelector("link[rel=manifest]").href)).json());
  same(new URL(manifest.start_url, page.url()).href, await page.evaluate(() => document.baseURI), "an installed app begins at home");
  check(manifest.display === "standalone" && manifest.icons.length > 0, "a manifest that browsers install");
  told("a list with dots, name tags, a date, options, and a line to write in");
}

/** Every page, in every theme and on a phone: nothing serious, nothing too wide; and pictures of them. */
export async function pages(alice) {
  const { page } = alice;
  const [bob, choir, table] = [await place(page, "bob"), await place(page, "Choir"), await place(page, "table")];
  const names = { [bob]: "bob", [choir]: "choir", [table]: "table", [`${bob}/about`]: "bob-about", [`${table}/about`]: "table-about", "./": "home" };
  const paths = [...Object.keys(names), "new", "settings", "near", "network", "help", "files", "search"];
  const name = (path) => names[path] ?? path;
  for (const theme of ["dark", "nord", "black", "light"]) {
    await go(page, "settings");
    await page.selectOption("#theme", theme);
    await page.getByRole("button", { name: "Use it" }).click();
    await page.waitForSelector(`html[data-theme=${theme}]`);
    const some = theme === "light" || theme === "dark" ? paths : [bob, choir, table, "settings"];
    for (const path of some) {
      await go(page, path);
      await accessible(page, `${name(path)} (${theme})`);
      await fits(page, name(path));
      await picture(page, `${theme}-${name(path)}`);
    }
  }
  await page.setViewportSize({ width: 390, height: 844 });
  for (const path of paths) {
    await go(page, path);
    await accessible(page, `${name(path)} (phone)`);
    await fits(page, `${name(path)} on a phone`);
    await picture(page, `phone-${name(path)}`);
  }
  // One column: the list, a conversation, and back.
  await go(page, "./");
  await page.locator(`#list a[href="${bob}"]`).click();
  await page.locator("#text").waitFor();
  check(!(await page.locator("#list").isVisible()), "on a phone the conversation has the screen for itself");
  await say(page, "from my phone");
  await page.locator("a.back").click();
  await page.locator(`#list a[href="${bob}"]`).waitFor();
  await page.setViewportSize({ width: 1280, height: 800 });
  told("every page, in each theme and on a phone");
}
