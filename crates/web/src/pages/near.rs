//! The local network: nearby contacts, people who are visible, people who knock.

use api::{GetMesh, LanMode, ListNearby, MeshView, PersonView};
use maud::{Markup, html};
use text::bytes;

use super::frame::{Here, PageParts};
use super::parts::heading;
use super::{PageContext, PageResult};
use crate::place::Place;

/// `GET near`
pub(super) async fn near(cx: PageContext) -> PageResult {
    let mesh = cx.ask(GetMesh {}).await?;
    let body = if mesh.lan == LanMode::Off {
        off(&cx)
    } else {
        // Nobody is visible where the local network does not run yet.
        let people = cx.ask(ListNearby {}).await.unwrap_or_default();
        html! { (knocks(&cx, &mesh)) (visible(&cx, &people)) (neighbours(&mesh)) }
    };
    let main = html! { (heading("Nearby")) div #near data-live { (body) } };
    cx.page(&PageParts { title: "Nearby", here: Here::Other, main, aside: None })
}

fn off(cx: &PageContext) -> Markup {
    html! {
        p {
            "The local network is off. Turn it on to talk to people on the same Wi-Fi or cable "
            "without internet."
        }
        (cx.button("settings/set", "", &[("key", "lan"), ("value", "on")], "Turn on"))
        p.hint { "Takes effect after a restart." }
    }
}

fn knocks(cx: &PageContext, mesh: &MeshView) -> Markup {
    let interfaces = match mesh.interfaces.is_empty() {
        true => "no interface".to_owned(),
        false => mesh.interfaces.join(", "),
    };
    html! {
        p { "On " (interfaces) "; setting: " (mesh.lan.word()) }
        @for k in cx.web.live.knocks() {
            @let id = k.knock.to_string();
            section.knock {
                h2 { (k.name) " knocks" }
                p {
                    "They should see the same words; if not, somebody is in between: "
                    strong.words { (k.words) }
                }
                (cx.button("near/accept", "", &[("knock", &id)], "Accept"))
                (cx.button("near/refuse", "plain", &[("knock", &id)], "Decline"))
            }
        }
        @if let Some(words) = cx.web.live.knocking() {
            p role="status" {
                "You are knocking. They should see the same words: " strong.words { (words) }
            }
        }
    }
}

fn visible(cx: &PageContext, people: &[PersonView]) -> Markup {
    html! {
        section {
            h2 { "People (nearby)" }
            @if people.is_empty() { p.hint { "Nobody is visible." } }
            ul.members {
                @for p in people {
                    li {
                        (p.name) " " span.dim { (p.ago_ms / 1_000) " s ago" }
                        (cx.button("near/knock", "plain small", &[("key", &p.key)], "Knock"))
                    }
                }
            }
            (cx.button("near/show", "", &[("seconds", "300")], "Make me visible for 5 minutes"))
            (cx.button("near/show", "plain", &[("seconds", "0")], "Hide me"))
            p.hint {
                "Until then everyone on this network can see your name. Names are not verified: "
                "anyone can choose any name."
            }
        }
    }
}

fn neighbours(mesh: &MeshView) -> Markup {
    let (ours, others) = (mesh.ours, mesh.others);
    html! {
        section {
            h2 { "Nearby contacts" }
            @if mesh.neighbours.is_empty() { p.hint { "None." } }
            ul.members {
                @for n in &mesh.neighbours {
                    li { span.dot.on {} " " a href=(Place::from(n.conversation)) { (n.label) } }
                }
            }
            p.dim {
                "Carried: " (ours.boxes) " of your boxes (" (bytes(ours.bytes)) "), "
                (others.boxes) " of others (" (bytes(others.bytes)) ")"
            }
        }
    }
}
