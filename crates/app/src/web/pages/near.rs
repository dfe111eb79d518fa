//! The local network: who is near, who shows themselves, who knocks.

use maud::{Markup, html};

use super::frame::{Here, Parts};
use super::{Cx, Page, at, lists};
use crate::cli::profile::show::bytes;
use crate::engine::profile::{Command, Reply};

/// `GET near`
pub(super) async fn near(cx: Cx) -> Page {
    let mesh = match cx.ask(Command::Mesh {}).await? {
        Reply::Mesh(mesh) => mesh,
        _ => return Err(super::bug()),
    };
    let people = match cx.ask(Command::Nearby {}).await {
        Ok(Reply::Nearby { people }) => people,
        _ => Vec::new(),
    };
    let on = mesh.lan != "off";
    let body: Markup = html! {
        @if !on {
            p { "The local network is not used. With it, people on the same Wi-Fi or cable talk without any internet." }
            (cx.button("settings/set", "", &[("key", "lan"), ("value", "on")], "Switch it on"))
            p.hint { "It counts after the profile was started again." }
        } @else {
            p { "On " (if mesh.interfaces.is_empty() { "no interface".to_owned() } else { mesh.interfaces.join(", ") }) "; setting: " (mesh.lan) }
            @for k in cx.web.live.knocks() {
                section.knock {
                    h2 { (k.name) " knocks" }
                    p { "They see these words too, unless somebody stands between you: " strong.words { (k.words) } }
                    (cx.button("near/answer", "", &[("knock", &k.knock), ("accept", "1")], "Let them in"))
                    (cx.button("near/answer", "plain", &[("knock", &k.knock), ("accept", "0")], "No"))
                }
            }
            @if let Some(words) = cx.web.live.knocking() { p role="status" { "You knock. They should see these words too: " strong.words { (words) } } }
            section {
                h2 { "People (nearby)" }
                @if people.is_empty() { p.hint { "Nobody shows themselves." } }
                ul.members {
                    @for p in &people {
                        li { (p.name) " " span.dim { (p.ago_ms / 1_000) " s ago" }
                            (cx.button("near/knock", "plain small", &[("key", &p.key)], "Knock")) }
                    }
                }
                (cx.button("near/show", "", &[("seconds", "300")], "Show me for 5 minutes"))
                (cx.button("near/show", "plain", &[("seconds", "0")], "Hide me"))
                p.hint { "Anybody on this network sees your name meanwhile; anybody can show any name." }
            }
            section {
                h2 { "Contacts that are near" }
                @if mesh.neighbours.is_empty() { p.hint { "None." } }
                ul.members { @for n in &mesh.neighbours { li { span.dot.on {} " " a href=(at("c", &n.name)) { (n.name) } } } }
                p.dim { "Carried: " (mesh.ours.boxes) " boxes of ours (" (bytes(mesh.ours.bytes)) "), "
                    (mesh.others.boxes) " of others (" (bytes(mesh.others.bytes)) ")" }
            }
        }
    };
    let main = html! { (lists::heading("Nearby")) div #near data-live { (body) } };
    cx.page(&Parts { title: "Nearby", here: Here::Other, main, aside: None })
}
