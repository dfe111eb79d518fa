//! Messages, as a list that scripts can compare with the one that is shown.

use api::{
    FileState, FileView, MessageKind, MessageState, MessageView, ReactionView, RoomLineView, Route,
};
use maud::{Markup, html};
use text::bytes;

use super::PageContext;
use super::parts::{colour, day, time};
use crate::place::Place;

/// Reactions that people use most often.
const REACTIONS: &[&str] = &["👍", "❤️", "😂", "😮", "😢", "🙏"];

/// Characters of a message that an answer to it shows.
const QUOTE: usize = 80;

/// How far a message of one's own can get: a mark for each state, and what it means.
pub(super) const STATES: &[(MessageState, &str, &str)] = &[
    (MessageState::Queued, "◌", "waiting on this device"),
    (MessageState::Sent, "↑", "sent, no answer yet"),
    (MessageState::Stored, "✓", "stored at the hub, encrypted"),
    (MessageState::Delivered, "✓✓", "delivered to all recipients"),
    (MessageState::Read, "✓✓", "read by all recipients"),
    (MessageState::Cancelled, "×", "cancelled before it left"),
];

/// How far a message got: a mark, and the word.
fn state(state: MessageState) -> Markup {
    let known = STATES.iter().find(|(known, ..)| *known == state);
    html! {
        @if let Some((state, mark, means)) = known {
            span class=(format!("state {state}")) title=(means) { (mark) " " (state.word()) }
        }
    }
}

/// Which route carried a message.
fn carried(route: Option<Route>) -> Markup {
    html! {
        @if let Some(route) = route {
            span.route title="The route that carried it" { (route.word()) }
        }
    }
}

/// The beginning of a message, in one that answers it.
pub(super) fn quote(message: &MessageView) -> String {
    message.text.chars().take(QUOTE).collect()
}

/// Messages with a divider for each day.
pub(super) fn messages(cx: &PageContext, all: &[MessageView], group: bool) -> Markup {
    let mut last = String::new();
    html! {
        @for m in all {
            @let today = day(m.sent_ms);
            @if today != last { (divider(&today, m.number)) }
            ({ last = today; message(cx, m, all, group) })
        }
    }
}

/// What stands between the messages of two days.
fn divider(today: &str, number: impl std::fmt::Display) -> Markup {
    html! { li.day id=(format!("d{today}-{number}")) { span { (today) } } }
}

fn message(cx: &PageContext, m: &MessageView, all: &[MessageView], group: bool) -> Markup {
    let place = Place::from(m.conversation);
    let id = format!("m{}", m.id);
    if m.kind == MessageKind::Notice {
        return html! { li.notice id=(id) { (m.text) " " (time(m.sent_ms)) } };
    }
    html! {
        li.msg .you[m.you] id=(id) {
            div.meta {
                (author(m, group))
                (time(m.sent_ms))
                @if m.edited && !m.deleted { span.dim { "edited" } }
                @if m.expires_ms.is_some() { span.dim title="This message disappears" { "⏳" } }
                @if m.you { (state(m.state)) }
                (carried(m.route))
            }
            (answered(m, all, place))
            @if m.deleted { p.text.dim { "(deleted)" } }
            @else if let Some(f) = &m.file {
                p.text { "📎 " strong { (f.name) } " " span.dim { (bytes(f.size)) } }
                (file(cx, f))
            }
            @else { p.text { (m.text) } }
            (reactions(cx, m, place))
            @if !m.deleted { (actions(cx, m, place)) }
        }
    }
}

fn author(m: &MessageView, group: bool) -> Markup {
    html! {
        @if m.you { span.vh { "You" } }
        @else if let Some(member) = m.member.filter(|_| group) {
            span class=(colour(member.as_bytes())) { (m.from) }
        }
        @else { span.vh { (m.from) } }
    }
}

/// The message that one answers; it may stand on an earlier page.
fn answered(m: &MessageView, all: &[MessageView], place: Place) -> Markup {
    let original = |id| all.iter().find(|o| o.id == id);
    html! {
        @if let Some(id) = m.reply_to {
            p.answered {
                a href=(place.message(id)) {
                    @match original(id) {
                        Some(o) => { strong { (o.from) } ": " (quote(o)) }
                        None => { "in reply to an earlier message" }
                    }
                }
            }
        }
    }
}

fn reactions(cx: &PageContext, m: &MessageView, place: Place) -> Markup {
    let mut emojis: Vec<&str> = Vec::new();
    for reaction in &m.reactions {
        if !emojis.contains(&reaction.emoji.as_str()) {
            emojis.push(&reaction.emoji);
        }
    }
    html! {
        @if !emojis.is_empty() {
            ul.reactions { @for emoji in emojis { (reaction(cx, m, place, emoji)) } }
        }
    }
}

/// All reactions of one kind: pressing it adds one's own, or takes it away.
fn reaction(cx: &PageContext, m: &MessageView, place: Place, emoji: &str) -> Markup {
    let who: Vec<&ReactionView> = m.reactions.iter().filter(|r| r.emoji == emoji).collect();
    let names = who.iter().map(|r| r.from.as_str()).collect::<Vec<_>>().join(", ");
    let remove = if who.iter().any(|r| r.you) { "1" } else { "" };
    let id = m.id.to_string();
    let fields = [("message", id.as_str()), ("emoji", emoji), ("remove", remove)];
    let label = format!("{emoji} {}", who.len());
    html! {
        li title=(names) {
            (cx.button(&place.form("react"), "reaction", &fields, &label))
            span.vh { "by " (names) }
        }
    }
}

/// What can be done with a message.
fn actions(cx: &PageContext, m: &MessageView, place: Place) -> Markup {
    let waits = m.you
        && matches!(m.state, MessageState::Queued | MessageState::Sent | MessageState::Stored);
    let id = m.id.to_string();
    let this = ("message", id.as_str());
    let delete = if m.you { "Delete for everyone" } else { "Delete here" };
    html! {
        details.acts {
            summary aria-label="Message actions" { "⋯" }
            div.menu {
                div.emojis {
                    @for emoji in REACTIONS {
                        @let fields = [this, ("emoji", emoji)];
                        (cx.button(&place.form("react"), "reaction", &fields, emoji))
                    }
                }
                a href=(format!("{place}?reply={id}#end")) { "Reply" }
                @if m.you && m.kind == MessageKind::Text {
                    a href=(format!("{place}?edit={id}#end")) { "Edit" }
                }
                @if waits { a href=(format!("{place}/why/{id}")) { "Why is it not delivered?" } }
                @if m.you && m.state == MessageState::Queued {
                    (cx.button(&place.form("cancel"), "plain", &[this], "Cancel"))
                }
                (cx.button(&place.form("delete"), "plain", &[this], delete))
            }
        }
    }
}

/// How a file stands, and what can be done with it.
pub(super) fn file(cx: &PageContext, f: &FileView) -> Markup {
    let place = Place::from(f.conversation);
    let moving = f.state == FileState::Moving || f.state == FileState::Offered && f.ours;
    let id = f.transfer.to_string();
    let this = [("transfer", id.as_str())];
    html! {
        div.file {
            @if moving {
                label {
                    span.vh { "Progress of " (f.name) }
                    progress max=(f.size.max(1)) value=(f.done.min(f.size)) {}
                }
                span.dim { (bytes(f.done)) " of " (bytes(f.size)) }
            }
            @match (f.ours, f.state) {
                (false, FileState::Offered) => {
                    (cx.button(&place.form("download"), "", &this, "Download"))
                    (cx.button(&place.form("decline"), "plain", &this, "Decline"))
                }
                (false, FileState::Done) => {
                    a.button href=(format!("files/{id}/get")) download { "Save" }
                }
                (_, FileState::Moving) | (true, FileState::Offered) => {
                    (cx.button(&place.form("decline"), "plain", &this, "Stop"))
                }
                (_, state) => { span.dim { (state.word()) } }
            }
        }
    }
}

/// Lines of an open room.
pub(crate) fn lines(all: &[RoomLineView]) -> Markup {
    let mut last = String::new();
    html! {
        @for l in all {
            @let today = day(l.at_ms);
            @if today != last { (divider(&today, l.number)) }
            ({ last = today; line(l) })
        }
    }
}

fn line(l: &RoomLineView) -> Markup {
    let id = format!("l{}", l.number);
    if l.kind == MessageKind::Notice {
        return html! { li.notice id=(id) { (l.text) " " (time(l.at_ms)) } };
    }
    html! {
        li.msg .you[l.you] id=(id) {
            div.meta {
                @if l.you { span.vh { "You" } }
                @else if let Some(talker) = l.talker {
                    span class=(colour(talker.as_bytes())) { (l.from) }
                }
                (time(l.at_ms))
                @if l.you { (state(l.state)) }
                (carried(l.route))
            }
            p.text { (l.text) }
        }
    }
}
