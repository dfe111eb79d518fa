//! Lists: who there is, what was found, which files.

use axum::extract::Query;
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{Here, Parts};
use super::{Cx, Page, at, bug, log, new, time};
use crate::cli::profile::show::bytes;
use crate::engine::profile::{Command, ConversationView, FileView, Reply, RoomView};

/// Characters of a message that the list shows.
const PREVIEW: usize = 60;

/// The list at the side: whoever wrote last stands first.
pub(super) fn list(cx: &Cx, here: Here<'_>) -> Markup {
    html! {
        @if cx.conversations.is_empty() && cx.rooms.is_empty() {
            p.hint { "Nobody yet. " a href="new" { "Invite somebody, or use an invite." } }
        }
        @if !cx.group_invites.is_empty() || !cx.web.live.knocks().is_empty() {
            ul.talks {
                @for invite in &cx.group_invites {
                    li { a.talk href="new#invitations" { span.name { (invite.title) } (badge(1)) span.preview { (invite.from) " invites you" } } }
                }
                @for knock in cx.web.live.knocks() {
                    li { a.talk href="near" { span.name { (knock.name) } (badge(1)) span.preview { "knocks on the local network" } } }
                }
            }
        }
        @if !cx.conversations.is_empty() {
            h2 { "People and groups (" (cx.conversations.len()) ")" }
            ul.talks { @for c in &cx.conversations { li { (talk(c, here == Here::Talk(&c.name))) } } }
        }
        @if !cx.rooms.is_empty() {
            h2 { "Open rooms (" (cx.rooms.len()) ")" }
            ul.talks { @for r in &cx.rooms { li { (room(r, here == Here::Room(&r.name))) } } }
        }
    }
}

fn badge(unseen: u64) -> Markup {
    html! { @if unseen > 0 { span.unseen { (unseen) span.vh { " new" } } } }
}

fn preview(text: &str) -> String {
    let line: String =
        text.chars().map(|c| if c == '\n' { ' ' } else { c }).take(PREVIEW).collect();
    if text.chars().count() > PREVIEW { format!("{line}…") } else { line }
}

fn talk(c: &ConversationView, open: bool) -> Markup {
    let group = c.kind == "group";
    let last = c.newest.as_ref().map(|m| {
        let what = if m.deleted { "(deleted)" } else { m.text.as_str() };
        let who = if m.you { "You: " } else { "" };
        let who = if group && !m.you && !m.from.is_empty() {
            format!("{}: ", m.from)
        } else {
            who.to_owned()
        };
        preview(&format!("{who}{what}"))
    });
    let dot = if c.route.is_some() { "dot on" } else { "dot" };
    let way = c.route.as_deref().map_or("no way there now".to_owned(), |r| format!("by {r}"));
    html! {
        a.talk .open[open] href=(at("c", &c.name)) aria-current=[open.then_some("page")] {
            span class=(dot) title=(way) {}
            span.name {
                (c.name)
                @if group { span.mark title="group" { " ⁂" span.vh { " group" } } }
                @if c.verified { span.mark.ok title="verified" { " ✓" span.vh { " verified" } } }
            }
            (badge(c.unseen))
            @if let Some(last) = last { span.preview { (last) } }
        }
    }
}

fn room(r: &RoomView, open: bool) -> Markup {
    let here = r.people.iter().filter(|p| !p.left).count();
    html! {
        a.talk .open[open] href=(at("r", &r.name)) aria-current=[open.then_some("page")] {
            span class=(if r.online { "dot on" } else { "dot" }) title=(r.connection) {}
            span.name { (r.name) }
            (badge(r.unseen))
            span.preview { (here) " talking" }
        }
    }
}

/// `GET ./`
pub(in crate::web) async fn home(cx: Cx) -> Page {
    if cx.status.name.is_empty() {
        return new::first(&cx);
    }
    let main = html! {
        div.welcome {
            img src="/a/icon.svg" alt="" width="96" height="96";
            h1 { "Hello, " (cx.status.name) }
            @if cx.conversations.is_empty() {
                p { "You have no contacts yet." }
                p { a.button href="new" { "Invite somebody, or use an invite" } }
            } @else {
                p { "Choose a conversation, or " a href="new" { "begin a new one" } "." }
            }
            div #notices data-live { (notices(&cx)) }
        }
    };
    cx.page(&Parts { title: "Home", here: Here::Home, main, aside: None })
}

fn notices(cx: &Cx) -> Markup {
    let said = cx.web.live.notices();
    html! {
        @if !said.is_empty() {
            h2 { "Lately" }
            ul.notices { @for text in &said { li { (text) } } }
            (cx.button("notices/clear", "plain", &[], "Clear"))
        }
    }
}

/// `GET news`: what a page without scripts shows in its corner. It looks again by itself.
pub(super) async fn news(cx: Cx) -> axum::response::Html<String> {
    let unseen = cx.unseen();
    let page = html! {
        (maud::DOCTYPE)
        html lang="en" data-theme=(cx.theme) {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content="10";
                title { "News" }
                base href=(cx.web.base) target="_top";
                link rel="stylesheet" href="/a/app.css";
            }
            body.newsframe {
                @if unseen > 0 { p { strong { (unseen) " new" } " – " a href="./" { "look" } } }
                @else { p { "nothing new" } }
            }
        }
    };
    axum::response::Html(page.into_string())
}

/// What was looked for.
#[derive(Deserialize)]
pub(super) struct Looked {
    #[serde(default)]
    q: String,
}

/// `GET search?q=…`
pub(super) async fn search(cx: Cx, Query(looked): Query<Looked>) -> Page {
    let query = looked.q.trim().to_owned();
    let mut found = Vec::new();
    if !query.is_empty() {
        let command =
            Command::Search { query: query.clone(), conversation: None, limit: Some(100) };
        if let Reply::Messages { messages } = cx.ask(command).await? {
            found = messages;
        }
    }
    let main = html! {
        (heading("Search"))
        form.row method="get" action="search" {
            label for="words" { "Words that a message holds" }
            input #words type="search" name="q" value=(query) autofocus;
            button { "Search" }
        }
        @if !query.is_empty() { p role="status" { (found.len()) " found" } }
        ol.found {
            @for m in &found {
                li {
                    a href=(format!("{}?before={}#m{}", at("c", &m.conversation), m.number.saturating_add(10), m.id)) {
                        strong { (m.conversation) } " · " (m.from) " · " (super::day(m.sent_ms)) " " (time(m.sent_ms))
                    }
                    p.text { (m.text) }
                }
            }
        }
    };
    cx.page(&Parts { title: "Search", here: Here::Other, main, aside: None })
}

/// The head of a page that is no conversation.
pub(super) fn heading(title: &str) -> Markup {
    html! { div.head { a.back href="./" aria-label="Back to the list" { "‹" } h1 { (title) } } }
}

/// `GET files`
pub(super) async fn files(cx: Cx) -> Page {
    let Reply::Files { mut files } = cx.ask(Command::Files {}).await? else { return Err(bug()) };
    files.reverse();
    let main = html! {
        (heading("Files"))
        div #files data-live {
            @if files.is_empty() { p.hint { "No files yet. In a conversation, choose a file or drop one onto it." } }
            ul.files { @for f in &files { li { (one_file(&cx, f)) } } }
        }
    };
    cx.page(&Parts { title: "Files", here: Here::Other, main, aside: None })
}

fn one_file(cx: &Cx, f: &FileView) -> Markup {
    html! {
        div { strong { (f.name) } " " span.dim { (bytes(f.size)) } }
        div.dim { (if f.ours { "to " } else { "from " }) a href=(at("c", &f.conversation)) { (f.conversation) } }
        (log::file(cx, f, &at("c", &f.conversation)))
    }
}
