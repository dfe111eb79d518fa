//! What there is to know and to set about a contact or a group.

use api::{
    AllowedRoutes, ConversationKind, ConversationView, GetSafetyWords, GetWhy, ListMembers,
    MemberView, Standing,
};
use axum::extract::Path;
use maud::{Markup, html};
use text::Format;

use super::context::id;
use super::frame::{Here, PageParts};
use super::parts::heading;
use super::{PageContext, PageResult};
use crate::error::PageError;
use crate::place::Place;

/// What each choice of routes means. None ranks above another: they hide different things from
/// different people.
pub(super) const ROUTES: &[(AllowedRoutes, &str)] = &[
    (
        AllowedRoutes::Anywhere,
        "All routes, including direct: the hub may see this machine's address and when you write.",
    ),
    (
        AllowedRoutes::Hidden,
        "Relays, Tor or the local network, whichever works: no direct connection to the hub.",
    ),
    (
        AllowedRoutes::Onion,
        "Only through relays, which hide who talks to whom as long as one of them is honest.",
    ),
    (
        AllowedRoutes::Tor,
        "Only through Tor, which hides where you are from the hub and from anyone watching you.",
    ),
    (
        AllowedRoutes::Lan,
        "Only the local network: nothing leaves it; neighbours can see that you are there.",
    ),
];

/// After how many seconds messages disappear.
const TIMERS: &[(u32, &str)] = &[
    (0, "Off"),
    (300, "5 minutes"),
    (3_600, "1 hour"),
    (86_400, "1 day"),
    (604_800, "1 week"),
    (2_419_200, "4 weeks"),
];

/// Seconds in words.
pub(super) fn timer(seconds: u32) -> String {
    let known = TIMERS.iter().find(|(s, _)| *s == seconds);
    known.map_or_else(|| text::duration(seconds), |(_, words)| (*words).to_owned())
}

/// `GET c/ID/about`
pub(super) async fn about(cx: PageContext, Path(id): Path<String>) -> PageResult {
    let c = cx.conversation(&id)?;
    let place = Place::from(c.id);
    let panel = panel(&cx, c).await?;
    let stands = matches!(c.standing, Standing::Stopped | Standing::Blocked);
    let words = match c.kind {
        _ if stands => Some(standing(&cx, c)),
        ConversationKind::Group => None,
        ConversationKind::Contact => Some(words(&cx, c).await?),
    };
    let main = html! {
        div.head {
            a.back href=(place) aria-label="Back to the conversation" { "‹" }
            h1 { "About " (c.label) }
        }
        @if let Some(words) = words { (words) }
        (panel)
    };
    cx.page(&PageParts { title: "About", here: Here::At(place), main, aside: None })
}

/// All of it but the safety words.
pub(super) async fn panel(cx: &PageContext, c: &ConversationView) -> Result<Markup, PageError> {
    let place = Place::from(c.id);
    let members = cx.ask(ListMembers { conversation: c.id }).await?;
    Ok(html! {
        (member_list(cx, c, &members))
        (routes(cx, c, place))
        (disappearing(cx, c, place))
        section {
            h2 { "Export" }
            p.row {
                @for format in Format::ALL {
                    a.button.plain href=(format!("{place}/export/{}", format.word())) download {
                        (format.word())
                    }
                    " "
                }
            }
        }
        (changes(cx, c, &members))
    })
}

fn member_list(cx: &PageContext, c: &ConversationView, members: &[MemberView]) -> Markup {
    let group = c.kind == ConversationKind::Group;
    let remove = Place::from(c.id).form("remove");
    html! {
        section {
            h2 { "Members (" (members.len()) ")" }
            ul.members {
                @for m in members {
                    li {
                        (m.name)
                        @if m.you { span.dim { " (you)" } }
                        @if m.verified {
                            span.mark.ok title="verified" { " ✓" span.vh { " verified" } }
                        }
                        @if group && !m.you {
                            (cx.button(&remove, "plain small", &[("member", &m.id.to_string())],
                                "Remove"))
                        }
                    }
                }
            }
            @if group { (add_member(cx, c, members)) }
        }
    }
}

fn add_member(cx: &PageContext, c: &ConversationView, members: &[MemberView]) -> Markup {
    let is_in = |contact| members.iter().any(|m| m.contact.as_ref().map(|r| r.id) == Some(contact));
    let free =
        |o: &&ConversationView| o.kind == ConversationKind::Contact && o.open && !is_in(o.id);
    let others: Vec<&ConversationView> = cx.conversations.iter().filter(free).collect();
    html! {
        @if others.is_empty() {
            p.hint { "You have no other contacts to invite to " (c.label) "." }
        } @else {
            (cx.form(&Place::from(c.id).form("add"), "row", &html! {
                label for="contact" { "Invite" }
                select #contact name="contact" {
                    @for o in others { option value=(o.id) { (o.label) } }
                }
                button.plain { "Invite" }
            }))
        }
    }
}

fn routes(cx: &PageContext, c: &ConversationView, place: Place) -> Markup {
    let on = c.allowed_routes != AllowedRoutes::Anywhere;
    let form = place.form("routes");
    html! {
        section {
            h2 { "Routes" }
            p role="status" {
                "Hidden routes only: " strong { (if on { "ON" } else { "OFF" }) }
                " ("
                (if on { format!("only: {}", c.allowed_routes) } else { "any route".to_owned() })
                ")"
            }
            @if on { (cx.button(&form, "plain", &[("routes", "anywhere")], "Turn off")) }
            @else { (cx.button(&form, "", &[("routes", "hidden")], "Turn on")) }
            details {
                summary { "Allowed routes" }
                (cx.form(&form, "choices", &html! {
                    @for (routes, means) in ROUTES {
                        label {
                            input type="radio" name="routes" value=(routes)
                                checked[c.allowed_routes == *routes];
                            strong { (routes.word()) } " " span.dim { (means) }
                        }
                    }
                    button.plain { "Set" }
                }))
            }
        }
    }
}

fn disappearing(cx: &PageContext, c: &ConversationView, place: Place) -> Markup {
    html! {
        section {
            h2 { "Messages disappear" }
            (cx.form(&place.form("timer"), "row", &html! {
                label.vh for="seconds" { "Messages disappear" }
                select #seconds name="seconds" {
                    @for (seconds, words) in TIMERS {
                        option value=(seconds) selected[c.timer_s.unwrap_or(0) == *seconds] {
                            (words)
                        }
                    }
                }
                button.plain { "Set" }
            }))
        }
    }
}

fn changes(cx: &PageContext, c: &ConversationView, members: &[MemberView]) -> Markup {
    let (group, place) = (c.kind == ConversationKind::Group, Place::from(c.id));
    html! {
        section {
            h2 { "Change" }
            (cx.form(&place.form("name"), "row", &html! {
                label for="name" { "Your name for it (only you see it)" }
                // Empty: the title or nick is shown.
                input #name name="name" value=(c.own_name.as_deref().unwrap_or_default())
                    placeholder=(c.title) maxlength="64" autocomplete="off";
                button.plain { "Rename" }
            }))
            @if group {
                (cx.form(&place.form("title"), "row", &html! {
                    label for="title" { "Title (everyone sees it)" }
                    input #title name="title" value=(c.title) required maxlength="64"
                        autocomplete="off";
                    button.plain { "Set" }
                }))
            }
            (cx.button(&place.form("refresh"), "plain", &[], "Refresh keys"))
            (cx.button(&place.form("check"), "plain", &[],
                "Check for members who need to be re-added"))
            @if group && members.len() > 1 { (restart(cx, members, place)) }
            details {
                summary { "Leave or delete" }
                p.hint {
                    "If you leave, the others are told. Deleting removes the history from this "
                    "profile and cannot be undone."
                }
                (cx.button(&place.form("leave"), "danger", &[], "Leave"))
                (cx.button(&place.form("forget"), "danger", &[], "Delete here"))
            }
        }
    }
}

/// A way out for a group that one member holds up.
fn restart(cx: &PageContext, members: &[MemberView], place: Place) -> Markup {
    html! {
        details {
            summary { "This group is stalled" }
            p.hint {
                "You can continue in a new group without them. It starts without this history, and "
                "invites the members you know."
            }
            (cx.form(&place.form("restart"), "row", &html! {
                label for="without" { "Continue without" }
                select #without name="member" {
                    @for m in members.iter().filter(|m| !m.you) {
                        option value=(m.id) { (m.name) }
                    }
                }
                button.danger { "New group" }
            }))
        }
    }
}

/// Why a conversation does not run, and how it does again.
fn standing(cx: &PageContext, c: &ConversationView) -> Markup {
    let resume = Place::from(c.id).form("resume");
    html! {
        section {
            @if c.standing == Standing::Blocked {
                h2 { "Blocked" }
                p { "You see nothing from " (c.label) ", and they are not told." }
                (cx.button(&resume, "", &[], "Unblock"))
            } @else {
                h2 { "Stopped" }
                p {
                    "Something in this conversation is damaged, or was sent to break it. You can "
                    "still read it. If resuming it does not help, delete it and meet again."
                }
                (cx.button(&resume, "", &[], "Resume"))
            }
        }
    }
}

/// The safety words, which cost memory and time on purpose: they are shown where a person asks for
/// them, and nowhere else.
async fn words(cx: &PageContext, c: &ConversationView) -> Result<Markup, PageError> {
    let place = Place::from(c.id);
    let (verify, accept) = (place.form("verify"), place.form("accept-keys"));
    let words = cx.ask(GetSafetyWords { conversation: c.id }).await?.words;
    Ok(html! {
        section #words {
            h2 { "Safety words" }
            p.words { (words) }
            @if c.verified {
                p { span.ok { "✓ You have compared them." } }
                (cx.button(&verify, "plain", &[], "They do not match after all"))
            } @else {
                p.hint {
                    "Read them to " (c.label) " in person or by phone. If you both see the same "
                    "words, nobody is in between."
                }
                (cx.button(&verify, "", &[("words", &words)], "They match"))
            }
            @if c.standing == Standing::KeysChanged {
                p.hint role="status" {
                    "The keys of " (c.label) " have changed since you compared. Your messages wait "
                    "until you compare the words again, or accept the new keys."
                }
                (cx.button(&accept, "danger", &[], "Accept without comparing"))
            }
            (cx.button(&place.form("block"), "plain", &[], "Block"))
            @if let Some(pgp) = &c.pgp { p.dim { "Bound to the OpenPGP key " (pgp) } }
        }
    })
}

/// `GET c/ID/why/MESSAGE`
pub(super) async fn why(
    cx: PageContext,
    Path((conversation, message)): Path<(String, String)>,
) -> PageResult {
    let c = cx.conversation(&conversation)?;
    let place = Place::from(c.id);
    let why = cx.ask(GetWhy { conversation: c.id, message: id(&message)? }).await?;
    let main = html! {
        (heading("Why it is not delivered yet"))
        p role="status" { (why.text.as_deref().unwrap_or("This message was delivered.")) }
        p { a.button href=(place) { "Back to " (c.label) } }
    };
    cx.page(&PageParts { title: "Why", here: Here::At(place), main, aside: None })
}
