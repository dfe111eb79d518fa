// Makes pages live that work without it: fetches the open page again when something happens, and puts what is new in its place.
// Nothing is made here: all of a page comes from the program, as text that it has escaped.

const policy = globalThis.trustedTypes?.createPolicy("hushwing", { createHTML: (text) => text }) ?? { createHTML: (text) => text };
const parse = (text) => new DOMParser().parseFromString(policy.createHTML(text), "text/html");
const find = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];

document.documentElement.classList.add("scripted");

// --- logging in: a code in the fragment, which no server ever sees, goes into the form and out of the address
const login = find("#login");
if (login) {
  const code = location.hash.slice(1);
  if (code) {
    history.replaceState(null, "", "/");
    find("#code").value = code;
    login.requestSubmit();
  }
}

// --- times, in the reader's own
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
function times(from) {
  for (const time of all("time[datetime]", from)) {
    const date = new Date(time.dateTime);
    if (!Number.isNaN(date.getTime())) {
      time.textContent = clock.format(date);
      time.title = whole.format(date);
    }
  }
}

// --- the log: at its end when the reader is there
const log = find("#log");
const atEnd = () => log && log.scrollHeight - log.scrollTop - log.clientHeight < 80;
const toEnd = () => {
  if (log) log.scrollTop = log.scrollHeight;
};

/** What a list item looked like when it came: the page's own changes to it do not count. */
const looks = new WeakMap();
const look = (item) => {
  if (!looks.has(item)) looks.set(item, item.outerHTML);
  return looks.get(item);
};

/** Puts new items into a list, keeps those that are the same, drops those that are gone. */
function mergeList(old, fresh) {
  const known = new Map([...old.children].map((item) => [item.id, item]));
  let place = old.firstElementChild;
  for (const item of [...fresh.children]) {
    const text = item.outerHTML;
    const here = known.get(item.id);
    known.delete(item.id);
    if (here && (look(here) === text || find("details[open]", here))) {
      if (here === place) place = place.nextElementSibling;
      else old.insertBefore(here, place);
      continue;
    }
    looks.set(item, text);
    times(item);
    if (here) {
      if (here === place) place = place.nextElementSibling;
      here.replaceWith(item);
    } else {
      old.insertBefore(item, place);
    }
  }
  for (const gone of known.values()) gone.remove();
}

/** Puts a page's live parts in the place of those that are shown. */
function merge(page) {
  document.title = page.title;
  const end = atEnd();
  for (const old of all("[data-live][id]")) {
    const fresh = find("#" + CSS.escape(old.id), page);
    if (!fresh) continue;
    if (old === log) {
      mergeList(old, fresh);
    } else if (look(old) !== fresh.outerHTML && !old.contains(document.activeElement) && !find("details[open]", old)) {
      looks.set(old, fresh.outerHTML);
      old.replaceChildren(...fresh.childNodes);
      times(old);
    }
  }
  if (end) toEnd();
}

// --- what happens, from the program
const live = find("#list");
let waiting = false;
let again = false;
/** A form is on its way to another page. */
let leaving = false;
async function refresh() {
  // What a form has answered with is not fetched again.
  if (leaving || find("[data-still]")) return;
  if (waiting) {
    again = true;
    return;
  }
  waiting = true;
  try {
    const looked = document.visibilityState === "visible" ? "visible" : "hidden";
    const answer = await fetch(location.href, { headers: { "x-live": looked }, redirect: "manual" });
    if (answer.type === "opaqueredirect") location.reload();
    else if (answer.ok) merge(parse(await answer.text()));
  } catch {
    // The events tell when the program is there again.
  }
  waiting = false;
  if (again) {
    again = false;
    later();
  }
}
let timer = 0;
function later() {
  clearTimeout(timer);
  timer = setTimeout(refresh, 120);
}

function toast(text) {
  const note = document.createElement("p");
  note.textContent = text;
  find("#toasts").append(note);
  setTimeout(() => note.remove(), 8000);
}

if (live) {
  for (const part of all("[data-live][id]")) look(part);
  if (log) [...log.children].forEach(look);
  const events = new EventSource("events");
  events.onmessage = (message) => {
    const word = JSON.parse(message.data);
    if (word.text) toast(word.text);
    if (word.news && document.visibilityState !== "visible" && globalThis.Notification?.permission === "granted") {
      // Neither name nor text: somebody who looks over a shoulder, and a system that keeps notices, learns nothing.
      new Notification("Hushwing", { body: "Something new", tag: "hushwing" });
    }
    later();
  };
  events.onopen = later;
  events.onerror = () => find("#net .dot")?.classList.replace("on", "off");
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && later());
}
times(document);
if (log && !location.hash.startsWith("#m")) toEnd();

// --- writing: Enter sends, Shift+Enter begins a line; what is not sent yet stays in this window, under the id of its conversation
const say = find("form[data-say]");
if (say) {
  const text = find("textarea", say);
  const key = "draft:" + text.dataset.keep;
  if (!text.value) text.value = sessionStorage.getItem(key) ?? "";
  text.addEventListener("input", () => sessionStorage.setItem(key, text.value));
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (text.value.trim()) say.requestSubmit();
    }
  });
  say.addEventListener("submit", async (event) => {
    // A form that answers or changes something leads to another page.
    if (find("[name=reply_to], [name=edit]", say)) {
      sessionStorage.removeItem(key);
      return;
    }
    event.preventDefault();
    const body = new URLSearchParams(new FormData(say));
    const said = text.value;
    text.value = "";
    sessionStorage.removeItem(key);
    try {
      const answer = await fetch(say.action, { method: "POST", body });
      const page = parse(await answer.text());
      if (find("#login", page)) throw new Error("you are logged out: reload the page; your text stays here");
      const wrong = find(".flash.error, [role=alert]", page);
      if (!answer.ok || wrong) throw new Error(wrong?.textContent ?? "could not send the message");
      merge(page);
      toEnd();
    } catch (error) {
      text.value = said;
      sessionStorage.setItem(key, said);
      toast(error.message);
    }
    text.focus();
  });
}

// --- files: dropped anywhere on a conversation
const drop = find("form[data-drop]");
if (drop) {
  const input = find("input[type=file]", drop);
  input.addEventListener("change", () => input.files.length && drop.requestSubmit());
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => {
    if (carries(event)) {
      event.preventDefault();
      document.body.classList.add("dropping");
    }
  });
  addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    document.body.classList.remove("dropping");
    input.files = event.dataTransfer.files;
    if (input.files.length) drop.requestSubmit();
  });
}

// --- small things
document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard?.writeText(find("#" + CSS.escape(copy.dataset.copy)).value).catch(() => {});
    toast("copied");
  }
  if (event.target.matches("[data-select]")) event.target.select();
  if (event.target.closest("[data-notify]")) {
    const may = await globalThis.Notification?.requestPermission();
    toast(may === "granted" ? "notifications are on" : "the browser does not allow it");
  }
  // One menu at a time.
  for (const open of all("details.acts[open]")) if (!open.contains(event.target)) open.open = false;
});
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button?.classList.contains("danger") && !confirm(button.textContent + "?")) event.preventDefault();
  leaving = !event.defaultPrevented;
});
document.addEventListener("keydown", (event) => {
  const talks = all("#list a.talk");
  const at = talks.findIndex((talk) => talk.classList.contains("open"));
  const go = (talk) => talk && (location.href = talk.href);
  if (event.ctrlKey && event.key === "k") {
    event.preventDefault();
    find("#q")?.focus();
  } else if (event.altKey && event.key === "ArrowDown") go(talks[at + 1]);
  else if (event.altKey && event.key === "ArrowUp") go(talks[at - 1]);
  else if (event.altKey && event.key.toLowerCase() === "a") go(talks.find((talk) => find(".unseen", talk)));
  else if (event.key === "Escape" && !event.target.value && find("a.back")) location.href = find("a.back").href;
});
