//! Settings, networks, help.

use maud::{Markup, html};

use super::frame::{Here, Parts};
use super::{Cx, Page, THEMES, bug, lists, log, qr};
use crate::engine::profile::{Command, Reply, SettingView};

/// `GET settings`
pub(super) async fn settings(cx: Cx) -> Page {
    let Reply::Settings { settings } = cx.ask(Command::Settings {}).await? else {
        return Err(bug());
    };
    let main = html! {
        (lists::heading("Settings"))
        section {
            h2 { "You" }
            (cx.form("name", "row", &html! {
                label for="name" { "Your name, as new contacts see it" }
                input #name name="name" value=(cx.status.name) required maxlength="64";
                button { "Save" }
            }))
        }
        section {
            h2 { "This browser" }
            (cx.form("theme", "row", &html! {
                label for="theme" { "Theme" }
                select #theme name="theme" { @for (value, words) in THEMES { option value=(value) selected[cx.theme == *value] { (words) } } }
                button { "Use it" }
            }))
            p.script { button.plain type="button" data-notify { "Tell me of new messages" } }
            (cx.button("another", "plain", &[], "Let another browser in"))
            (cx.button("out", "plain", &[], "Log out"))
            (cx.button("quit", "danger", &[], "End this web face"))
        }
        section {
            h2 { "Profile " (cx.status.profile) }
            p.hint { "These stand in the profile's config.toml. ⟳: counts after the profile was started again." }
            @for s in &settings { (setting(&cx, s)) }
        }
    };
    cx.page(&Parts { title: "Settings", here: Here::Other, main, aside: None })
}

fn setting(cx: &Cx, s: &SettingView) -> Markup {
    let id = format!("set-{}", s.key);
    cx.form(
        "settings/set",
        "setting",
        &html! {
            input type="hidden" name="key" value=(s.key);
            label for=(id) { strong { (s.key) } @if s.restart { " ⟳" span.vh { " counts after a new start" } } }
            @if s.choices.is_empty() { input id=(id) name="value" value=(s.value) autocomplete="off"; }
            @else { select id=(id) name="value" { @for c in &s.choices { option selected[*c == s.value] { (c) } } } }
            button.plain { "Set" }
            p.help { (s.help) }
        },
    )
}

/// A page with a code for another browser.
pub(in crate::web) fn another(cx: &Cx, link: &str, code: &str) -> Page {
    let main = html! {
        (lists::heading("Let another browser in"))
        p { "Open this link there, or open the address and type the code. It works once, for 15 minutes." }
        (super::new::link_box("link", link))
        p.words data-still { (code) }
        (qr(link))
        p.hint { "Whoever comes in sees and does everything here." }
    };
    cx.page(&Parts { title: "Another browser", here: Here::Other, main, aside: None })
}

/// `GET network`
pub(super) async fn network(cx: Cx) -> Page {
    let Reply::Networks { networks } = cx.ask(Command::Networks {}).await? else {
        return Err(bug());
    };
    let body = html! {
        @if networks.is_empty() { p.hint { "No network is in use. It comes with the first invite that you use, or with the setting `network`." } }
        @for n in &networks {
            section {
                h2 { span class=(if n.online { "dot on" } else { "dot off" }) {} " Hub " (n.hub) " by " (n.route) }
                p role="status" { (n.text) }
                dl {
                    dt { "Used by" } dd { (if n.conversations.is_empty() { "nobody yet".to_owned() } else { n.conversations.join(", ") }) }
                    @if let Some(d) = &n.document {
                        dt { "Epoch" } dd { (d.epoch) " (" (d.epoch_ms / 60_000) " min)" }
                        dt { "Relays" } dd { (d.relays) ", " (d.hops) " on each path, " (d.mean_delay_ms) " ms at each on average" }
                        dt { "Cover traffic" } dd { @if d.cover_kb_per_min == 0 { "none" } @else { (d.cover_kb_per_min) " kB/min" } }
                        dt { "Document" } dd { code { (d.hash) } }
                    }
                }
            }
        }
        p.hint { "Three relays of one person hide nothing from that person. Compare the document's number with your contacts: all see the same." }
    };
    let main = html! { (lists::heading("Networks")) div #networks data-live { (body) } };
    cx.page(&Parts { title: "Networks", here: Here::Other, main, aside: None })
}

/// `GET help`
pub(super) async fn help(cx: Cx) -> Page {
    let main = html! {
        (lists::heading("Help"))
        section {
            h2 { "Begin" }
            p { a href="new" { "New" } ": invite one person with one link, use a link, found a group, open a room." }
            p { "Compare the safety words with each contact, under About in the conversation." }
        }
        section {
            h2 { "How far a message got" }
            dl { @for (name, mark, means) in log::STATES { dt { (mark) " " (name) } dd { (means) } } }
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
            h2 { "What the ways hide" }
            dl { @for (name, means) in super::about::FLOORS { dt { (name) } dd { (means) } } }
        }
    };
    cx.page(&Parts { title: "Help", here: Here::Other, main, aside: None })
}
