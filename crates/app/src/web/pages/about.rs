//! What there is to know and to set about a contact or a group.

use axum::extract::Path;
use maud::{Markup, html};

use super::frame::{Here, Parts};
use super::{Cx, Page, at, bug, lists};
use crate::engine::profile::{Command, ConversationView, MemberView, Reply};
use crate::web::trouble::Trouble;

/// Floors, and what each means. None stands above another: they hide different things from
/// different people.
pub(super) const FLOORS: &[(&str, &str)] = &[
    (
        "anywhere",
        "All ways, the direct one too: the hub may see this machine's address, and when you write.",
    ),
    (
        "hidden",
        "Relays, Tor or the local network, whichever works: no direct connection to the hub.",
    ),
    (
        "onion",
        "Through relays only: they hide who talks to whom, as long as one of them is honest.",
    ),
    ("tor", "Through Tor only: it hides where you are, from the hub and from who watches you."),
    (
        "lan",
        "The local network only: nothing of this leaves it; neighbours see that you are there.",
    ),
];

/// How long messages stay.
const TIMERS: &[(&str, &str)] = &[
    ("0", "They stay"),
    ("300", "5 minutes"),
    ("3600", "1 hour"),
    ("86400", "1 day"),
    ("604800", "1 week"),
    ("2419200", "4 weeks"),
];

/// Seconds in words.
pub(super) fn span(seconds: u32) -> String {
    let known = TIMERS.iter().find(|(s, _)| *s == seconds.to_string());
    known.map_or_else(|| format!("{seconds} s"), |(_, words)| (*words).to_owned())
}

/// `GET c/NAME/about`
pub(super) async fn about(cx: Cx, Path(name): Path<String>) -> Page {
    let c = cx.conversation(&name)?.clone();
    let panel = panel(&cx, &c).await?;
    let words = if c.kind == "group" { None } else { Some(words(&cx, &c).await?) };
    let main = html! {
        div.head { a.back href=(at("c", &name)) aria-label="Back to the conversation" { "‹" } h1 { "About " (name) } }
        @if let Some(words) = words { (words) }
        (panel)
    };
    cx.page(&Parts { title: &format!("About {name}"), here: Here::Talk(&name), main, aside: None })
}

/// All of it but the safety words.
pub(super) async fn panel(cx: &Cx, c: &ConversationView) -> Result<Markup, Trouble> {
    let here = at("c", &c.name);
    let group = c.kind == "group";
    let Reply::Members { members } =
        cx.ask(Command::Members { conversation: c.name.clone() }).await?
    else {
        return Err(bug());
    };
    Ok(html! {
        section {
            h2 { "Members (" (members.len()) ")" }
            ul.members {
                @for m in &members {
                    li {
                        (m.name)
                        @if m.you { span.dim { " (you)" } }
                        @if m.verified { span.mark.ok title="verified" { " ✓" span.vh { " verified" } } }
                        @if group && !m.you { (cx.button(&format!("{here}/remove"), "plain small", &[("member", &m.name)], "Remove")) }
                    }
                }
            }
            @if group { (add_member(cx, c, &members, &here)) }
        }
        (routes(cx, c, &here))
        section {
            h2 { "Disappearing messages" }
            (cx.form(&format!("{here}/timer"), "row", &html! {
                label.vh for="seconds" { "How long messages stay" }
                select #seconds name="seconds" {
                    @for (value, words) in TIMERS {
                        option value=(value) selected[c.timer_s.unwrap_or(0).to_string() == *value] { (words) }
                    }
                }
                button.plain { "Set" }
            }))
        }
        section {
            h2 { "Export" }
            p.row {
                @for format in ["txt", "jsonl", "html"] { a.button.plain href=(format!("{here}/export/{format}")) download { (format) } " " }
            }
        }
        section {
            h2 { "Change" }
            (cx.form(&format!("{here}/name"), "row", &html! {
                label for="name" { "What you call it" }
                input #name name="name" value=(c.name) required maxlength="64";
                button.plain { "Rename" }
            }))
            @if group {
                (cx.form(&format!("{here}/title"), "row", &html! {
                    label for="title" { "Title, for all" }
                    input #title name="title" value=(c.name) required maxlength="64";
                    button.plain { "Set" }
                }))
            }
            (cx.button(&format!("{here}/refresh"), "plain", &[], "New keys"))
            (cx.button(&format!("{here}/check"), "plain", &[], "Has somebody lost their place?"))
            @if group && members.len() > 1 { (restart(cx, &members, &here)) }
            details {
                summary { "Leave or remove" }
                p.hint { "Leaving tells the others. Removing takes the history from this profile; nothing brings it back." }
                (cx.button(&format!("{here}/leave"), "danger", &[], "Leave"))
                (cx.button(&format!("{here}/forget"), "danger", &[], "Remove it here"))
            }
        }
    })
}

/// A way out for a group that one member holds up.
fn restart(cx: &Cx, members: &[MemberView], here: &str) -> Markup {
    html! {
        details {
            summary { "Somebody holds this group up" }
            p.hint { "A new group without them goes on. It begins without this one's history, and those of its members whom you know are invited." }
            (cx.form(&format!("{here}/restart"), "row", &html! {
                label for="without" { "Go on without" }
                select #without name="member" { @for m in members.iter().filter(|m| !m.you) { option { (m.name) } } }
                button.danger { "New group" }
            }))
        }
    }
}

/// The safety words, which cost memory and time on purpose: they are shown where a person asks for
/// them, and nowhere else.
async fn words(cx: &Cx, c: &ConversationView) -> Result<Markup, Trouble> {
    let here = at("c", &c.name);
    let Reply::Words { words, .. } =
        cx.ask(Command::SafetyWords { conversation: c.name.clone() }).await?
    else {
        return Err(bug());
    };
    Ok(html! {
        section #words {
            h2 { "Safety words" }
            p.words { (words) }
            @if c.verified {
                p { span.ok { "✓ You have compared them." } }
                (cx.button(&format!("{here}/verify"), "plain", &[("verified", "0")], "They differ after all"))
            } @else {
                p.hint { "Read them to " (c.name) " face to face or on the phone. If both see the same, nobody stands between you." }
                (cx.button(&format!("{here}/verify"), "", &[("verified", "1")], "They are the same"))
            }
            @if let Some(pgp) = &c.pgp { p.dim { "Bound to the OpenPGP key " (pgp) } }
        }
    })
}

fn add_member(cx: &Cx, c: &ConversationView, members: &[MemberView], here: &str) -> Markup {
    let is_in = |name: &str| members.iter().any(|m| m.contact.as_deref() == Some(name));
    let free = |o: &&ConversationView| o.kind == "contact" && o.open && !is_in(&o.name);
    let others: Vec<&ConversationView> = cx.conversations.iter().filter(free).collect();
    html! {
        @if others.is_empty() { p.hint { "You have no further contacts to invite into " (c.name) "." } }
        @else {
            (cx.form(&format!("{here}/add"), "row", &html! {
                label for="contact" { "Invite" }
                select #contact name="contact" { @for o in others { option { (o.name) } } }
                button.plain { "Invite" }
            }))
        }
    }
}

fn routes(cx: &Cx, c: &ConversationView, here: &str) -> Markup {
    let on = c.floor != "anywhere";
    html! {
        section {
            h2 { "Safety" }
            p role="status" {
                "Safety mode: " strong { (if on { "ON" } else { "OFF" }) }
                " (" (if on { format!("only: {}", c.floor) } else { "any way".to_owned() }) ")"
            }
            @if on { (cx.button(&format!("{here}/floor"), "plain", &[("floor", "anywhere")], "Switch it off")) }
            @else { (cx.button(&format!("{here}/floor"), "", &[("floor", "hidden")], "Switch it on")) }
            details {
                summary { "Which ways may be used from here" }
                (cx.form(&format!("{here}/floor"), "floors", &html! {
                    @for (name, means) in FLOORS {
                        label { input type="radio" name="floor" value=(name) checked[c.floor == *name]; strong { (name) } " " span.dim { (means) } }
                    }
                    button.plain { "Set" }
                }))
            }
        }
    }
}

/// `GET c/NAME/why/MESSAGE`
pub(super) async fn why(cx: Cx, Path((name, message)): Path<(String, String)>) -> Page {
    cx.conversation(&name)?;
    let Reply::Why { text, .. } =
        cx.ask(Command::Why { conversation: name.clone(), message }).await?
    else {
        return Err(bug());
    };
    let main = html! {
        (lists::heading("Why it is not delivered yet"))
        p role="status" { (text.as_deref().unwrap_or("It is delivered.")) }
        p { a.button href=(at("c", &name)) { "Back to " (name) } }
    };
    cx.page(&Parts { title: "Why", here: Here::Talk(&name), main, aside: None })
}
