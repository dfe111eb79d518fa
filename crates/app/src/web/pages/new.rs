//! To begin with somebody: the first start, invites, groups, rooms.

use maud::{Markup, html};

use super::frame::{Here, Parts};
use super::{Cx, Page, bug, lists, qr};
use crate::cli::profile::show::date_time;
use crate::engine::profile::{Command, InviteView, Reply};

/// A link that can be selected as a whole, and copied where scripts run.
pub(super) fn link_box(id: &str, link: &str) -> Markup {
    html! {
        div.linkbox {
            label.vh for=(id) { "The link" }
            textarea id=(id) readonly rows="4" data-select { (link) }
            button.plain.script type="button" data-copy=(id) { "Copy" }
        }
    }
}

/// The first start: one form.
pub(super) fn first(cx: &Cx) -> Page {
    let form = cx.form(
        "first",
        "first",
        &html! {
            label for="name" { "Your name, as the people you talk to see it" }
            input #name name="name" required maxlength="64" autofocus autocomplete="off";
            label for="link" { "An invite or a room link, if somebody gave you one" }
            textarea #link name="link" rows="3" placeholder="hushwing:…" {}
            button { "Begin" }
        },
    );
    let main = html! {
        div.welcome {
            img src="/a/icon.svg" alt="" width="96" height="96";
            h1 { "Welcome" }
            p { "No account, no phone number. Choose a name; you can have another for each contact." }
            (form)
        }
    };
    cx.page(&Parts { title: "Welcome", here: Here::Other, main, aside: None })
}

/// `GET new`
pub(super) async fn new(cx: Cx) -> Page {
    let Reply::Invites { invites } = cx.ask(Command::Invites {}).await? else { return Err(bug()) };
    let main = html! {
        (lists::heading("New"))
        @if !cx.group_invites.is_empty() { (invitations(&cx)) }
        section {
            h2 { "Use a link" }
            (cx.form("accept", "stack", &html! {
                label for="link" { "An invite or a room link that somebody gave you" }
                textarea #link name="link" rows="3" required placeholder="hushwing:…" {}
                label for="called" { "What you will call them (optional)" }
                input #called name="name" maxlength="64" autocomplete="off";
                button { "Use it" }
            }))
        }
        section {
            h2 { "Invite somebody" }
            p.hint { "One link for one person: give it over a way that you trust, or show it as a QR code." }
            (cx.form("invite", "stack", &html! {
                label for="for" { "What you will call them (optional)" }
                input #for name="name" maxlength="64" autocomplete="off";
                label for="my-name" { "The name that they see (optional)" }
                input #my-name name="my_name" maxlength="64" autocomplete="off";
                button { "Make a link" }
            }))
            div #invites data-live { (open_invites(&cx, &invites)) }
        }
        section {
            h2 { "New group" }
            (cx.form("group", "row", &html! {
                label for="title" { "Title" }
                input #title name="title" required maxlength="64" autocomplete="off";
                button { "Found it" }
            }))
        }
        section {
            h2 { "New open room" }
            p.hint { "Whoever holds its link reads along and can talk: for a table, a workshop, a crowd." }
            (cx.form("room", "stack", &html! {
                label for="room-name" { "What you call it (optional)" }
                input #room-name name="name" maxlength="40" autocomplete="off";
                label for="nick" { "Your name there (random when empty)" }
                input #nick name="nick" maxlength="32" autocomplete="off";
                button { "Open it" }
            }))
        }
    };
    cx.page(&Parts { title: "New", here: Here::Other, main, aside: None })
}

fn invitations(cx: &Cx) -> Markup {
    html! {
        section #invitations {
            h2 { "Invitations into groups" }
            @for i in &cx.group_invites {
                p { strong { (i.from) } " invites you into " strong { (i.title) } }
                (cx.button("group/answer", "", &[("token", &i.token), ("accept", "1")], "Join"))
                (cx.button("group/answer", "plain", &[("token", &i.token), ("accept", "0")], "No"))
            }
        }
    }
}

fn open_invites(cx: &Cx, invites: &[InviteView]) -> Markup {
    let open: Vec<&InviteView> =
        invites.iter().filter(|i| matches!(i.state.as_str(), "open" | "preparing")).collect();
    html! {
        @for (n, i) in open.iter().enumerate() {
            div.invite {
                h3 { (i.name.as_deref().map_or("An invite".to_owned(), |n| format!("Invite for {n}"))) }
                @if i.state == "preparing" { p role="status" { "It is on its way to the hub; it works in a moment." } }
                @else {
                    p.hint { "One person can use it until " (date_time(i.expires_ms)) " UTC; whoever holds it can." }
                    (link_box(&format!("invite-{n}"), &i.link))
                    details { summary { "QR code" } (qr(&i.link)) }
                }
                (cx.button("revoke", "plain", &[("invite", &i.id)], "Take it back"))
            }
        }
    }
}
