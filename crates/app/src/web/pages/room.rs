//! An open room.

use axum::extract::Path;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::frame::{Here, Parts};
use super::{Cx, Page, at, bug, log, qr};
use crate::cli::args_profile::Format;
use crate::cli::export::{self, Asked, Of, Pages};
use crate::engine::profile::{Command, Reply, RoomView};
use crate::web::files::attachment;
use crate::web::trouble::Trouble;

/// Lines of a page.
const PAGE: usize = 200;

/// `GET r/NAME`
pub(super) async fn room(cx: Cx, Path(name): Path<String>) -> Page {
    let r = cx.room(&name)?.clone();
    let command = Command::RoomHistory { room: name.clone(), after: None, limit: Some(PAGE) };
    let Reply::RoomLines { lines } = cx.ask(command).await? else { return Err(bug()) };
    if cx.looked_at && r.unseen > 0 {
        cx.ask(Command::RoomSeen { room: name.clone(), up_to: r.newest }).await?;
    }
    let here = at("r", &name);
    let draft = cx.session.take_draft(&here);
    let main = html! {
        div.head {
            a.back href="./" aria-label="Back to the list" { "‹" }
            h1 { (r.name) }
            div.badges #badges data-live {
                span.badge .off[!r.online] title=(r.connection) { (r.route) }
                span.badge { "open room" }
                @if r.owner { span.badge { "yours" } }
            }
            a.button.plain.about href=(format!("{here}/about")) { "About" }
        }
        ol.log #log data-live tabindex="0" aria-label="Messages" {
            @if lines.is_empty() { li.notice id="l0" { (r.connection) } }
            (log::lines(&lines))
        }
        div.composer #end {
            form method="post" action=(format!("{here}/say")) class="say" data-say {
                (cx.token())
                label.vh for="text" { "Message to everybody in " (r.name) }
                textarea #text name="text" rows="2" maxlength="65536" required data-keep=(here)
                    placeholder=(format!("Message to everybody with the link, as {}", r.you)) { (draft) }
                button { "Send" }
            }
        }
    };
    cx.page(&Parts {
        title: &name,
        here: Here::Room(&name),
        main,
        aside: Some(panel(&cx, &r, None)),
    })
}

/// `GET r/NAME/about`: with the link, which is made anew each time.
pub(super) async fn about(cx: Cx, Path(name): Path<String>) -> Page {
    let r = cx.room(&name)?.clone();
    let link = match r.you.is_empty() {
        true => None,
        false => match cx.ask(Command::RoomLink { room: name.clone() }).await? {
            Reply::Link { link } => Some(link),
            _ => None,
        },
    };
    let main = html! {
        div.head { a.back href=(at("r", &name)) aria-label="Back to the room" { "‹" } h1 { "About " (name) } }
        (panel(&cx, &r, link.as_deref()))
    };
    cx.page(&Parts { title: &format!("About {name}"), here: Here::Room(&name), main, aside: None })
}

fn panel(cx: &Cx, r: &RoomView, link: Option<&str>) -> Markup {
    let here = at("r", &r.name);
    let count = r.people.iter().filter(|p| !p.left).count();
    html! {
        section #people {
            h2 { "Online (" (count) ")" }
            p.hint { "Only those who talk: readers announce nothing." }
            ul.members {
                @for p in &r.people {
                    li {
                        span class=(if p.left { "dot" } else { "dot on" }) {} " "
                        span class=(log::colour(&p.name)) { (p.name) }
                        @if p.you { span.dim { " (you)" } }
                        @if p.left { span.dim { " (left)" } }
                        @if p.muted { span.dim { " (muted)" } }
                        @if r.owner && !p.you {
                            (cx.button(&format!("{here}/mute"), "plain small", &[("name", &p.name), ("muted", if p.muted { "0" } else { "1" })],
                                if p.muted { "Show again" } else { "Mute" }))
                        }
                    }
                }
            }
        }
        section {
            h2 { "Invite" }
            @match link {
                Some(link) => {
                    p.hint { "Whoever holds this link reads everything from this hour on, and can talk." }
                    (super::new::link_box("link", link))
                    (qr(link))
                }
                None => { p { a.button.plain href=(format!("{here}/about")) { "Show a link" } } }
            }
        }
        section {
            h2 { "You here" }
            (cx.form(&format!("{here}/nick"), "row", &html! {
                label for="nick" { "Your name in this room" }
                input #nick name="nick" value=(r.you) required maxlength="32";
                button.plain { "Change" }
            }))
            p { (r.connection) }
            (cx.form(&format!("{here}/route"), "row", &html! {
                label for="route" { "Way" }
                select #route name="route" {
                    @for route in ["onion", "tor", "tor+onion", "direct"] { option selected[r.route == route] { (route) } }
                }
                button.plain { "Take it" }
            }))
            @if r.route.starts_with("tor") { (cx.button(&format!("{here}/circuits"), "plain", &[], "New circuits of Tor")) }
        }
        @if r.owner { (rekey(cx, r, &here)) }
        section {
            h2 { "Export" }
            p.row { a.button.plain href=(format!("{here}/export")) download { "txt" } }
            p.hint { "What was said here while you were in; it is kept in memory only." }
        }
        section { (cx.button(&format!("{here}/leave"), "danger", &[], "Leave the room")) }
    }
}

/// Who goes on when all links of before die.
fn rekey(cx: &Cx, r: &RoomView, here: &str) -> Markup {
    let others = r.people.iter().filter(|p| !p.you);
    html! {
        section #rekey {
            h2 { "New keys" }
            details {
                summary { "Shut out whoever should not be here" }
                p.hint { "Whom you tick gets new keys by itself. Everybody else, and every link of before, is out: readers who never said anything, too." }
                (cx.form(&format!("{here}/rekey"), "floors", &html! {
                    @for p in others { label { input type="checkbox" name="keep" value=(p.name) checked[!p.left && !p.muted]; (p.name) } }
                    button.danger { "New keys for these alone" }
                }))
            }
        }
    }
}

/// `GET r/NAME/export`
pub(super) async fn export(cx: Cx, Path(name): Path<String>) -> Result<Response, Trouble> {
    cx.room(&name)?;
    let mut text = Vec::new();
    let mut pages = Asked { client: &cx.web.client, of: Of::Room(&name) };
    let mut after = 0;
    loop {
        let page = pages.page(after).await?;
        let Some(last) = page.last() else { break };
        after = last.number;
        let mut said = page.iter().filter(|m| m.kind == "text");
        said.try_for_each(|m| export::one(m, Format::Txt, &mut text)).map_err(|_| bug())?;
    }
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, attachment(&format!("{name}.txt"))),
    ];
    Ok((headers, text).into_response())
}
