//! Messages, as a list that scripts can compare with the one that is shown.

use maud::{Markup, html};

use super::{Cx, at, day, time};
use crate::cli::profile::show::bytes;
use crate::engine::profile::{FileView, MessageView, ReactionView, RoomLineView};

/// What people think of messages most often.
const REACTIONS: &[&str] = &["👍", "❤️", "😂", "😮", "😢", "🙏"];

/// What each state means.
pub(super) const STATES: &[(&str, &str, &str)] = &[
    ("queued", "◌", "waits here"),
    ("sent", "↑", "has left"),
    ("stored", "✓", "lies at the hub, encrypted"),
    ("delivered", "✓✓", "every recipient has it"),
    ("read", "✓✓", "read"),
    ("cancelled", "×", "taken back before it left"),
];

/// How far a message got: a mark, and the word.
pub(super) fn state(word: &str) -> Markup {
    let known = STATES.iter().find(|(name, ..)| *name == word);
    html! {
        @if let Some((name, mark, means)) = known {
            span class=(format!("state {name}")) title=(means) { (mark) " " (name) }
        }
    }
}

/// Which route carried a message.
fn route(name: &str) -> Markup {
    html! { @if !name.is_empty() { span.route title="The route that carried it" { (name) } } }
}

/// One of eight colours for a name: the same everywhere.
pub(super) fn colour(name: &str) -> String {
    let sum = name.bytes().fold(0_u32, |s, b| s.wrapping_mul(31).wrapping_add(u32::from(b)));
    format!("who n{}", sum % 8)
}

/// Messages with a divider for each day.
pub(super) fn messages(cx: &Cx, all: &[MessageView], group: bool) -> Markup {
    let mut last = String::new();
    html! {
        @for m in all {
            @let today = day(m.sent_ms);
            @if today != last { li.day id=(format!("d{today}-{}", m.number)) { span { (today) } } }
            ({ last = today; message(cx, m, all, group) })
        }
    }
}

fn message(cx: &Cx, m: &MessageView, all: &[MessageView], group: bool) -> Markup {
    let here = at("c", &m.conversation);
    if m.kind == "notice" {
        return html! { li.notice id=(format!("m{}", m.id)) { (m.text) " " (time(m.sent_ms)) } };
    }
    let answered = m.reply_to.as_deref();
    let original = answered.and_then(|id| all.iter().find(|o| o.id == id));
    html! {
        li.msg .you[m.you] id=(format!("m{}", m.id)) {
            div.meta {
                @if m.you { span.vh { "You" } } @else if group { span class=(colour(&m.from)) { (m.from) } } @else { span.vh { (m.from) } }
                (time(m.sent_ms))
                @if m.edited && !m.deleted { span.dim { "edited" } }
                @if m.expires_ms.is_some() { span.dim title="This message disappears" { "⏳" } }
                @if m.you { (state(&m.state)) }
                (route(&m.route))
            }
            @if let Some(id) = answered {
                p.answered {
                    a href=(format!("{here}#m{id}")) {
                        @match original {
                            Some(o) => { strong { (o.from) } ": " (o.text.chars().take(80).collect::<String>()) }
                            None => { "in answer to an earlier message" }
                        }
                    }
                }
            }
            @if m.deleted { p.text.dim { "(deleted)" } }
            @else if let Some(f) = &m.file { p.text { "📎 " strong { (f.name) } " " span.dim { (bytes(f.size)) } } (file(cx, f, &here)) }
            @else { p.text { (m.text) } }
            (reactions(cx, m, &here))
            @if !m.deleted { (actions(cx, m, &here)) }
        }
    }
}

fn reactions(cx: &Cx, m: &MessageView, here: &str) -> Markup {
    let mut emojis: Vec<&str> = Vec::new();
    for reaction in &m.reactions {
        if !emojis.contains(&reaction.emoji.as_str()) {
            emojis.push(&reaction.emoji);
        }
    }
    let by = |emoji: &str| -> Vec<&ReactionView> {
        m.reactions.iter().filter(|r| r.emoji == emoji).collect()
    };
    html! {
        @if !emojis.is_empty() {
            ul.reactions {
                @for emoji in emojis {
                    @let who = by(emoji);
                    @let names = who.iter().map(|r| r.from.as_str()).collect::<Vec<_>>().join(", ");
                    @let ours = if who.iter().any(|r| r.you) { "1" } else { "" };
                    li title=(names) {
                        (cx.button(&format!("{here}/react"), "reaction", &[("m", &m.id), ("emoji", emoji), ("remove", ours)],
                            &format!("{emoji} {}", who.len())))
                        span.vh { "by " (names) }
                    }
                }
            }
        }
    }
}

/// What can be done with a message.
fn actions(cx: &Cx, m: &MessageView, here: &str) -> Markup {
    let waits = m.you && matches!(m.state.as_str(), "queued" | "sent" | "stored");
    html! {
        details.acts {
            summary aria-label="What to do with this message" { "⋯" }
            div.menu {
                div.emojis {
                    @for emoji in REACTIONS {
                        (cx.button(&format!("{here}/react"), "reaction", &[("m", &m.id), ("emoji", emoji)], emoji))
                    }
                }
                a href=(format!("{here}?reply={}#end", m.id)) { "Answer" }
                @if m.you && m.kind == "text" { a href=(format!("{here}?edit={}#end", m.id)) { "Edit" } }
                @if waits { a href=(format!("{here}/why/{}", m.id)) { "Why is it not delivered?" } }
                @if m.you && m.state == "queued" { (cx.button(&format!("{here}/cancel"), "plain", &[("m", &m.id)], "Take it back")) }
                (cx.button(&format!("{here}/delete"), "plain", &[("m", &m.id)],
                    if m.you { "Delete for everybody" } else { "Delete here" }))
            }
        }
    }
}

/// How a file stands, and what can be done with it.
pub(super) fn file(cx: &Cx, f: &FileView, here: &str) -> Markup {
    let moving = f.state == "moving" || f.state == "offered" && f.ours;
    html! {
        div.file {
            @if moving {
                label { span.vh { "Progress of " (f.name) } progress max=(f.size.max(1)) value=(f.done.min(f.size)) {} }
                span.dim { (bytes(f.done)) " of " (bytes(f.size)) }
            }
            @match (f.ours, f.state.as_str()) {
                (false, "offered") => {
                    (cx.button(&format!("{here}/fetch"), "", &[("f", &f.transfer)], "Fetch"))
                    (cx.button(&format!("{here}/refuse"), "plain", &[("f", &f.transfer)], "Refuse"))
                }
                (false, "done") => { a.button href=(format!("files/{}/get", f.transfer)) download { "Save" } }
                (_, "moving") | (true, "offered") => { (cx.button(&format!("{here}/refuse"), "plain", &[("f", &f.transfer)], "Stop")) }
                (_, word) => { span.dim { (word) } }
            }
        }
    }
}

/// Lines of an open room.
pub(in crate::web) fn lines(all: &[RoomLineView]) -> Markup {
    let mut last = String::new();
    html! {
        @for l in all {
            @let today = day(l.at_ms);
            @if today != last { li.day id=(format!("d{today}-{}", l.number)) { span { (today) } } }
            ({ last = today; line(l) })
        }
    }
}

fn line(l: &RoomLineView) -> Markup {
    html! {
        @if l.kind == "notice" { li.notice id=(format!("l{}", l.number)) { (l.text) " " (time(l.at_ms)) } }
        @else {
            li.msg .you[l.you] id=(format!("l{}", l.number)) {
                div.meta {
                    @if l.you { span.vh { "You" } } @else { span class=(colour(&l.from)) { (l.from) } }
                    (time(l.at_ms))
                    @if l.you { (state(&l.state)) }
                    (route(&l.route))
                }
                p.text { (l.text) }
            }
        }
    }
}
