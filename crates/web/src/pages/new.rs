//! How conversations begin: the first start, invites, groups, rooms.

use api::{InviteState, InviteView, ListInvites};
use maud::{Markup, html};
use text::date_time;

use super::frame::{Here, PageParts};
use super::parts::{heading, link_box, qr};
use super::{PageContext, PageResult};

/// The first start: one form.
pub(super) fn first(cx: &PageContext) -> PageResult {
    let form = cx.form(
        "first",
        "first",
        &html! {
            label for="name" { "Your name, shown to people you talk to" }
            input #name name="name" required maxlength="64" autofocus autocomplete="off";
            label for="link" { "Invite or room link, if you have one" }
            textarea #link name="link" rows="3" placeholder="hushwing:…" {}
            button { "Start" }
        },
    );
    let main = html! {
        div.welcome {
            img src="/a/icon.svg" alt="" width="96" height="96";
            h1 { "Welcome" }
            p {
                "No account, no phone number. Choose a name; you can have another for each contact."
            }
            (form)
        }
    };
    cx.page(&PageParts { title: "Welcome", here: Here::Other, main, aside: None })
}

/// `GET new`
pub(super) async fn new(cx: PageContext) -> PageResult {
    let invites = cx.ask(ListInvites {}).await?;
    let main = html! {
        (heading("New"))
        @if !cx.group_invites.is_empty() { (invitations(&cx)) }
        section {
            h2 { "Use a link" }
            (cx.form("accept", "stack", &html! {
                label for="link" { "Invite or room link" }
                textarea #link name="link" rows="3" required placeholder="hushwing:…" {}
                label for="called" { "Your name for them (optional)" }
                input #called name="name" maxlength="64" autocomplete="off";
                button { "Accept" }
            }))
        }
        (invite(&cx, &invites))
        section {
            h2 { "New group" }
            (cx.form("group", "row", &html! {
                label for="title" { "Title" }
                input #title name="title" required maxlength="64" autocomplete="off";
                button { "Create group" }
            }))
        }
        section {
            h2 { "New open room" }
            p.hint {
                "Anyone with the link can read and write: for a small group, a workshop, a crowd."
            }
            (cx.form("room", "stack", &html! {
                label for="room-name" { "Your name for it (optional)" }
                input #room-name name="name" maxlength="40" autocomplete="off";
                label for="nick" { "Your name there (random when empty)" }
                input #nick name="nick" maxlength="32" autocomplete="off";
                button { "Create room" }
            }))
        }
    };
    cx.page(&PageParts { title: "New", here: Here::Other, main, aside: None })
}

fn invite(cx: &PageContext, invites: &[InviteView]) -> Markup {
    html! {
        section {
            h2 { "Invite somebody" }
            p.hint {
                "One link for one person: send it through a channel you trust, or show it as a QR "
                "code."
            }
            (cx.form("invite", "stack", &html! {
                label for="for" { "Your name for them (optional)" }
                input #for name="name" maxlength="64" autocomplete="off";
                label for="my-name" { "The name that they see (optional)" }
                input #my-name name="my_name" maxlength="64" autocomplete="off";
                button { "Create link" }
            }))
            div #invites data-live { (open_invites(cx, invites)) }
        }
    }
}

fn invitations(cx: &PageContext) -> Markup {
    html! {
        section #invitations {
            h2 { "Invitations to groups" }
            @for i in &cx.group_invites {
                @let id = i.id.to_string();
                p { strong { (i.from.label) } " invites you to " strong { (i.title) } }
                (cx.button("group/answer", "", &[("invite", &id), ("accept", "1")], "Join"))
                (cx.button("group/answer", "plain", &[("invite", &id), ("accept", "0")], "Decline"))
            }
        }
    }
}

fn open_invites(cx: &PageContext, invites: &[InviteView]) -> Markup {
    let works = |i: &&InviteView| matches!(i.state, InviteState::Open | InviteState::Preparing);
    html! {
        @for i in invites.iter().filter(works) {
            @let id = i.id.to_string();
            div.invite {
                h3 {
                    @match &i.name {
                        Some(name) => { "Invite for " (name) }
                        None => { "An invite" }
                    }
                }
                @if i.state == InviteState::Preparing {
                    p role="status" { "It will be ready in a moment." }
                } @else {
                    p.hint {
                        "One person can use it until " (date_time(i.expires_ms))
                        " UTC: anyone who has the link."
                    }
                    (link_box(&format!("invite-{id}"), &i.link))
                    details { summary { "QR code" } (qr(&i.link)) }
                }
                (cx.button("revoke", "plain", &[("invite", &id)], "Revoke"))
            }
        }
    }
}
