//! Lists: conversations and rooms, search results, files.

use api::{ConversationKind, ConversationView, FileView, ListFiles, MessageView, RoomView, Search};
use maud::{Markup, html};
use text::bytes;

use super::frame::{Here, PageParts};
use super::parts::{day, heading, time};
use super::{PageContext, PageResult, messages, new};
use crate::place::Place;

/// Characters of a message that the list shows.
const PREVIEW: usize = 60;
/// Most messages that a search shows.
const FOUND: usize = 100;

/// The list at the side: the newest message first.
pub(super) fn list(cx: &PageContext, here: Here) -> Markup {
    html! {
        @if cx.conversations.is_empty() && cx.rooms.is_empty() {
            p.hint { "Nobody yet. " a href="new" { "Invite somebody, or use an invite." } }
        }
        (waiting(cx))
        @if !cx.conversations.is_empty() {
            h2 { "People and groups (" (cx.conversations.len()) ")" }
            ul.talks { @for c in &cx.conversations { li { (conversation(c, here)) } } }
        }
        @if !cx.rooms.is_empty() {
            h2 { "Open rooms (" (cx.rooms.len()) ")" }
            ul.talks { @for r in &cx.rooms { li { (room(r, here)) } } }
        }
    }
}

/// What waits for an answer: invitations into groups, knocks.
fn waiting(cx: &PageContext) -> Markup {
    let knocks = cx.web.live.knocks();
    html! {
        @if !cx.group_invites.is_empty() || !knocks.is_empty() {
            ul.talks {
                @for invite in &cx.group_invites {
                    li {
                        a.talk href="new#invitations" {
                            span.name { (invite.title) }
                            (badge(1))
                            span.preview { (invite.from.label) " invites you to a group" }
                        }
                    }
                }
                @for knock in &knocks {
                    li {
                        a.talk href="near" {
                            span.name { (knock.name) }
                            (badge(1))
                            span.preview { "knocks on the local network" }
                        }
                    }
                }
            }
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

/// The newest message, as one line.
fn last(message: &MessageView, group: bool) -> String {
    let what = if message.deleted { "(deleted)" } else { message.text.as_str() };
    if message.you {
        preview(&format!("You: {what}"))
    } else if group && !message.from.is_empty() {
        preview(&format!("{}: {what}", message.from))
    } else {
        preview(what)
    }
}

fn conversation(c: &ConversationView, here: Here) -> Markup {
    let place = Place::from(c.id);
    let open = here == Here::At(place);
    let group = c.kind == ConversationKind::Group;
    let dot = if c.route.is_some() { "dot on" } else { "dot" };
    let route = c.route.map_or("no route available now".to_owned(), |r| format!("by {r}"));
    html! {
        a.talk .open[open] href=(place) aria-current=[open.then_some("page")] {
            span class=(dot) title=(route) {}
            span.name {
                (c.label)
                @if group { span.mark title="group" { " ⁂" span.vh { " group" } } }
                @if c.verified { span.mark.ok title="verified" { " ✓" span.vh { " verified" } } }
            }
            (badge(c.unseen))
            @if let Some(message) = &c.newest { span.preview { (last(message, group)) } }
        }
    }
}

fn room(r: &RoomView, here: Here) -> Markup {
    let place = Place::from(r.id);
    let open = here == Here::At(place);
    let talking = r.people.iter().filter(|p| !p.left).count();
    html! {
        a.talk .open[open] href=(place) aria-current=[open.then_some("page")] {
            span class=(if r.online { "dot on" } else { "dot" }) title=(r.connection) {}
            span.name { (r.label) }
            (badge(r.unseen))
            span.preview { (talking) " talking" }
        }
    }
}

/// `GET ./`
pub(crate) async fn home(cx: PageContext) -> PageResult {
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
                p { "Choose a conversation, or " a href="new" { "start a new one" } "." }
            }
            div #notices data-live { (notices(&cx)) }
        }
    };
    cx.page(&PageParts { title: "Home", here: Here::Home, main, aside: None })
}

fn notices(cx: &PageContext) -> Markup {
    let said = cx.web.live.notices();
    html! {
        @if !said.is_empty() {
            h2 { "Recent" }
            ul.notices { @for text in &said { li { (text) } } }
            (cx.button("notices/clear", "plain", &[], "Clear"))
        }
    }
}

/// `GET news`: what a page without scripts shows in its corner. It reloads by itself.
pub(super) async fn news(cx: PageContext) -> axum::response::Html<String> {
    let unseen = cx.unseen();
    let page = html! {
        (maud::DOCTYPE)
        html lang="en" data-theme=(cx.theme) {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content="10";
                title { "Notifications" }
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

/// `GET search`: what this browser searched for last. The words stand in no URL.
pub(super) async fn search(cx: PageContext) -> PageResult {
    let query = cx.session.query();
    let mut found = Vec::new();
    if !query.is_empty() {
        let request = Search { query: query.clone(), conversation: None, limit: Some(FOUND) };
        found = cx.ask(request).await?;
    }
    let main = html! {
        (heading("Search"))
        (cx.form("search", "row", &html! {
            label for="words" { "Words in the message" }
            input #words type="search" name="q" value=(query) autofocus;
            button { "Search" }
        }))
        @if !query.is_empty() { p role="status" { (found.len()) " found" } }
        ol.found { @for m in &found { li { (one_found(m)) } } }
    };
    cx.page(&PageParts { title: "Search", here: Here::Other, main, aside: None })
}

/// A message that was found, with a link to it among those around it.
fn one_found(m: &MessageView) -> Markup {
    let place = Place::from(m.conversation);
    let before = m.number.saturating_add(10);
    html! {
        a href=(format!("{place}?before={before}#m{}", m.id)) {
            strong { (m.label) } " · " (m.from) " · " (day(m.sent_ms)) " " (time(m.sent_ms))
        }
        p.text { (m.text) }
    }
}

/// `GET files`
pub(super) async fn files(cx: PageContext) -> PageResult {
    let mut files = cx.ask(ListFiles {}).await?;
    files.reverse();
    let main = html! {
        (heading("Files"))
        div #files data-live {
            @if files.is_empty() {
                p.hint { "No files yet. In a conversation, choose a file or drop one onto it." }
            }
            ul.files { @for f in &files { li { (one_file(&cx, f)) } } }
        }
    };
    cx.page(&PageParts { title: "Files", here: Here::Other, main, aside: None })
}

fn one_file(cx: &PageContext, f: &FileView) -> Markup {
    html! {
        div { strong { (f.name) } " " span.dim { (bytes(f.size)) } }
        div.dim {
            (if f.ours { "to " } else { "from " })
            a href=(Place::from(f.conversation)) { (f.label) }
        }
        (messages::file(cx, f))
    }
}
