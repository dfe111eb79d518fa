// Pages of others, in the same browser as somebody who is logged in: they get nothing and do nothing.

import { createServer, request } from "node:http";
import { check, go, open, place, same, told } from "./lib.mjs";

async function answer(port, headers, method = "GET", path = "/", body = "") {
  return new Promise((done, failed) => {
    const asked = request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
      response.resume();
      response.on("end", () => done(response.statusCode));
    });
    asked.on("error", failed);
    asked.end(body);
  });
}

export async function hostile(alice) {
  const base = new URL(await alice.page.evaluate(() => document.baseURI));
  const bob = await place(alice.page, "bob");
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!DOCTYPE html><title>other</title><body>"));
  const seen = [];
  server.on("request", (asked) => seen.push(asked.headers.cookie ?? ""));
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const page = await alice.context.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);

  const got = await page.evaluate(async ({ base, bob }) => {
    const results = {};
    const tried = async (name, work) => {
      results[name] = await work().catch(() => "refused");
    };
    await tried("read", async () => (await fetch(base, { credentials: "include" })).status);
    await tried("blind", async () => (await fetch(base, { credentials: "include", mode: "no-cors" })).type);
    await tried("post", async () => {
      const body = new URLSearchParams({ text: "forged" });
      return (await fetch(`${base}${bob}/send`, { method: "POST", mode: "no-cors", credentials: "include", body })).type;
    });
    const loads = (tag, attribute, url) =>
      new Promise((done) => {
        const node = document.createElement(tag);
        node.onload = () => done("loaded");
        node.onerror = () => done("refused");
        node[attribute] = url;
        document.body.append(node);
      });
    await tried("image", () => loads("img", "src", new URL("/a/icon.svg", base).href));
    await tried("script", () => loads("script", "src", new URL("/a/app.js", base).href));
    await tried("events", () => new Promise((done) => {
      const events = new EventSource(`${base}events`, { withCredentials: true });
      events.onopen = () => done("open");
      events.onerror = () => done("refused");
    }));
    const frame = document.createElement("iframe");
    const framed = new Promise((done) => { frame.onload = done; });
    frame.src = base;
    document.body.append(frame);
    await framed;
    try {
      results.frame = frame.contentDocument?.body?.innerText ?? "refused";
    } catch {
      results.frame = "refused";
    }
    return results;
  }, { base: base.href, bob });
  for (const [name, result] of Object.entries(got)) {
    // A blind request's answer cannot be read; that nothing was done is looked at below.
    check(["refused", "opaque"].includes(result), `another page's ${name} is refused: ${result}`);
  }

  // Whether it may show us is the browser's to say: another page could not read it either way.
  check(page.frames().every((one) => !one.url().startsWith(base.origin)), "another page may not show ours in a frame");

  // A form of another page, sent as a navigation.
  await page.evaluate(({ base, bob }) => {
    const form = document.createElement("form");
    form.method = "post";
    form.action = `${base}${bob}/send`;
    form.innerHTML = '<input name="text" value="forged">';
    document.body.append(form);
    form.submit();
  }, { base: base.href, bob });
  await page.waitForURL((url) => url.port === base.port);
  check((await page.locator("body").innerText()).includes("blocked: another site"), "a forged form is refused");
  check(seen.every((cookie) => !cookie.includes("hushwing")), "another port of this machine is given no cookie");
  await page.close();
  server.close();

  await open(alice.page, "bob");
  same(await alice.page.locator("#log .text", { hasText: "forged" }).count(), 0, "forged messages");

  const here = `127.0.0.1:${base.port}`;
  same(await answer(base.port, { host: "evil.example" }), 421, "a name that was pointed here");
  same(await answer(base.port, { host: `localhost:${base.port}` }), 421, "another name of this machine");
  same(await answer(base.port, { host: here, "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" }), 403, "a script of another port");
  const forged = { host: here, origin: "http://evil.example", "content-type": "application/x-www-form-urlencoded" };
  same(await answer(base.port, forged, "POST", "/login", "code=x"), 403, "a form of elsewhere");
  same(await answer(base.port, { host: here }, "POST", "/login", "code=x"), 403, "a form of nowhere");
  same(await answer(base.port, { host: here }, "GET", base.pathname), 303, "without a session there is only the login page");
  const cookie = (await alice.context.cookies(base.href)).find((one) => one.name === "hushwing");
  check(cookie.httpOnly && cookie.sameSite === "Strict" && cookie.path === base.pathname, "the cookie is the site's own");
  const withCookie = { host: here, origin: `http://${here}`, cookie: `hushwing=${cookie.value}`, "content-type": "application/x-www-form-urlencoded" };
  same(await answer(base.port, withCookie, "POST", `${base.pathname}${bob}/send`, "text=forged"), 403, "a form without its proof");
  told("another origin, another port, another name: nothing");
}

/** A code lets in one browser, and wrong ones cost time. */
export async function login(alice, link) {
  const port = new URL(link).port;
  const here = `127.0.0.1:${port}`;
  const headers = { host: here, origin: `http://${here}`, "content-type": "application/x-www-form-urlencoded" };
  const code = new URL(link).hash.slice(1);
  const tries = [];
  for (let n = 0; n < 7; n += 1) tries.push(await answer(port, headers, "POST", "/login", `code=${code}`));
  check(tries.slice(0, 5).every((status) => status === 403) && tries[6] === 429, `a used code lets nobody in, and guessing is slowed down: ${tries}`);
  await go(alice.page, "help");
  await alice.page.locator("h1", { hasText: "Help" }).waitFor();
  told("codes are good once");
}
