//! Settings, networks, help.

use api::{DocumentView, ListNetworks, ListSettings, NetworkView, SettingView};
use maud::{Markup, html};

use super::frame::{Here, PageParts};
use super::parts::{heading, link_box, qr};
use super::{PageContext, PageResult, about, messages};
use crate::layout::THEMES;
use crate::place::Place;

/// `GET settings`
pub(super) async fn settings(cx: PageContext) -> PageResult {
    let settings = cx.ask(ListSettings {}).await?;
    let main = html! {
        (heading("Settings"))
        section {
            h2 { "You" }
            (cx.form("name", "row", &html! {
                label for="name" { "Your name, as new contacts see it" }
                input #name name="name" value=(cx.status.name) required maxlength="64";
                button { "Save" }
            }))
        }
        (this_browser(&cx))
        section {
            h2 { "Profile " (cx.status.profile) }
            p.hint {
                "These settings are in the profile's config.toml. ⟳: takes effect after a restart."
            }
            @for s in &settings { (setting(&cx, s)) }
        }
    };
    cx.page(&PageParts { title: "Settings", here: Here::Other, main, aside: None })
}

fn this_browser(cx: &PageContext) -> Markup {
    html! {
        section {
            h2 { "This browser" }
            (cx.form("theme", "row", &html! {
                label for="theme" { "Theme" }
                select #theme name="theme" {
                    @for (value, words) in THEMES {
                        option value=(value) selected[cx.theme == *value] { (words) }
                    }
                }
                button { "Use it" }
            }))
            p.script { button.plain type="button" data-notify { "Notify me of new messages" } }
            (cx.button("another", "plain", &[], "Add another browser"))
            (cx.button("out", "plain", &[], "Log out"))
            (cx.button("quit", "danger", &[], "Stop Hushwing in the browser"))
        }
    }
}

fn setting(cx: &PageContext, s: &SettingView) -> Markup {
    let id = format!("set-{}", s.key);
    let body = html! {
        input type="hidden" name="key" value=(s.key);
        label for=(id) {
            strong { (s.key) }
            @if s.restart { " ⟳" span.vh { " takes effect after a restart" } }
        }
        @if s.choices.is_empty() {
            input id=(id) name="value" value=(s.value) autocomplete="off";
        } @else {
            select id=(id) name="value" {
                @for c in &s.choices { option selected[*c == s.value] { (c) } }
            }
        }
        button.plain { "Set" }
        p.help { (s.help) }
    };
    cx.form("settings/set", "setting", &body)
}

/// A page with a code for another browser.
pub(crate) fn another(cx: &PageContext, link: &str, code: &str) -> PageResult {
    let main = html! {
        (heading("Add another browser"))
        p {
            "Open this link there, or open the address and type the code. It works once, for 15 "
            "minutes."
        }
        (link_box("link", link))
        p.words data-still { (code) }
        (qr(link))
        p.hint { "Anyone who logs in can see and do everything here." }
    };
    cx.page(&PageParts { title: "Another browser", here: Here::Other, main, aside: None })
}

/// `GET network`
pub(super) async fn network(cx: PageContext) -> PageResult {
    let networks = cx.ask(ListNetworks {}).await?;
    let main = html! {
        (heading("Networks"))
        div #networks data-live {
            @if networks.is_empty() {
                p.hint {
                    "No network yet. It is set by the first invite you accept, or by the setting "
                    "`network`."
                }
            }
            @for n in &networks { (one_network(n)) }
            p.hint {
                "If one person runs all the relays on a path, they hide nothing from that person. "
                "Compare the document's number with your contacts: everyone should see the same."
            }
        }
    };
    cx.page(&PageParts { title: "Networks", here: Here::Other, main, aside: None })
}

fn one_network(n: &NetworkView) -> Markup {
    html! {
        section {
            h2 {
                span class=(if n.online { "dot on" } else { "dot off" }) {}
                " Hub " (n.hub) " by " (n.route.word())
            }
            p role="status" { (n.text) }
            dl {
                dt { "Used by" }
                dd {
                    @if n.conversations.is_empty() { "nobody yet" }
                    @for (at, c) in n.conversations.iter().enumerate() {
                        @if at > 0 { ", " }
                        a href=(Place::from(c.id)) { (c.label) }
                    }
                }
                @if let Some(d) = &n.document { (document(d)) }
            }
        }
    }
}

fn document(d: &DocumentView) -> Markup {
    html! {
        dt { "Epoch" } dd { (d.epoch) " (" (d.epoch_ms / 60_000) " min)" }
        dt { "Relays" }
        dd {
            (d.relays) ", " (d.hops) " on each path, " (d.mean_delay_ms)
            " ms at each on average"
        }
        dt { "Cover traffic" }
        dd {
            @if d.cover_kb_per_min == 0 { "none" } @else { (d.cover_kb_per_min) " kB/min" }
        }
        dt { "Document" } dd { code { (d.hash) } }
    }
}

/// `GET help`
pub(super) async fn help(cx: PageContext) -> PageResult {
    let main = html! {
        (heading("Help"))
        section {
            h2 { "Start" }
            p {
                a href="new" { "New" }
                ": invite one person with one link, use a link, create a group, create a room."
            }
            p { "Compare the safety words with each contact, under About in the conversation." }
        }
        section {
            h2 { "How far a message got" }
            dl {
                @for (state, mark, means) in messages::STATES {
                    dt { (mark) " " (state.word()) } dd { (means) }
                }
            }
        }
        section {
            h2 { "Keys, where scripts run" }
            dl {
                dt { kbd { "Enter" } } dd { "sends; with Shift a new line" }
                dt { kbd { "Ctrl+K" } } dd { "search" }
                dt { kbd { "Alt+↑" } " " kbd { "Alt+↓" } } dd { "the conversation above or below" }
                dt { kbd { "Alt+A" } } dd { "the next conversation with something new" }
                dt { kbd { "Esc" } } dd { "back to the list" }
            }
        }
        section {
            h2 { "What each route hides" }
            dl {
                @for (routes, means) in about::ROUTES { dt { (routes.word()) } dd { (means) } }
            }
        }
    };
    cx.page(&PageParts { title: "Help", here: Here::Other, main, aside: None })
}
