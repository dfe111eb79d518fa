//! An open room.

use api::{GetRoomHistory, GetRoomLink, MarkRoomSeen, RoomView, Route, TalkerView};
use axum::extract::Path;
use axum::response::Response;
use maud::{Markup, html};
use text::{Format, Source};

use super::frame::{Here, PageParts};
use super::parts::{colour, link_box, qr};
use super::{PageContext, PageResult, conversation, messages};
use crate::error::PageError;
use crate::place::Place;

/// Lines of a page.
const PAGE: usize = 200;

/// Routes that a room can take; neighbours carry no rooms.
const ROUTES: [Route; 4] = [Route::Onion, Route::Tor, Route::TorOnion, Route::Direct];

/// `GET r/ID`
pub(super) async fn room(cx: PageContext, Path(id): Path<String>) -> PageResult {
    let r = cx.room(&id)?;
    let place = Place::from(r.id);
    let lines = cx.ask(GetRoomHistory { room: r.id, after: None, limit: Some(PAGE) }).await?;
    if cx.looked_at && r.unseen > 0 {
        cx.ask(MarkRoomSeen { room: r.id, up_to: r.newest }).await?;
    }
    let draft = cx.draft(place);
    // The name is known once the session is in the room.
    let to_everyone = match r.you.as_str() {
        "" => "Message to everyone with the link".to_owned(),
        you => format!("Message to everyone with the link, as {you}"),
    };
    let main = html! {
        div.head {
            a.back href="./" aria-label="Back to the list" { "‹" }
            h1 #label data-live { (r.label) }
            div.badges #badges data-live {
                span.badge .off[!r.online] title=(r.connection) { (r.route.word()) }
                span.badge { "open room" }
                @if r.owner { span.badge { "yours" } }
            }
            a.button.plain.about href=(place.about()) { "About" }
        }
        ol.log #log data-live tabindex="0" aria-label="Messages" {
            @if lines.is_empty() { li.notice #l0 { (r.connection) } }
            (messages::lines(&lines))
        }
        div.composer #end {
            form.say method="post" action=(place.form("say")) data-say {
                (cx.token())
                label.vh for="text" { "Message to everyone in this room" }
                textarea #text name="text" rows="2" maxlength="65536" required data-keep=(place)
                    placeholder=(to_everyone) { (draft) }
                button { "Send" }
            }
        }
    };
    let aside = Some(panel(&cx, r, None));
    cx.page(&PageParts { title: "Open room", here: Here::At(place), main, aside })
}

/// `GET r/ID/about`: with a link that begins at this hour.
pub(super) async fn about(cx: PageContext, Path(id): Path<String>) -> PageResult {
    let r = cx.room(&id)?;
    let place = Place::from(r.id);
    let link = match r.you.is_empty() {
        true => None,
        false => Some(cx.ask(GetRoomLink { room: r.id }).await?.link),
    };
    let main = html! {
        div.head {
            a.back href=(place) aria-label="Back to the room" { "‹" }
            h1 { "About " (r.label) }
        }
        (panel(&cx, r, link.as_deref()))
    };
    cx.page(&PageParts { title: "About a room", here: Here::At(place), main, aside: None })
}

fn panel(cx: &PageContext, r: &RoomView, link: Option<&str>) -> Markup {
    let place = Place::from(r.id);
    html! {
        (people(cx, r, place))
        section {
            h2 { "Invite" }
            @match link {
                Some(link) => {
                    p.hint {
                        "Anyone with this link can read everything from this hour on, and can "
                        "write."
                    }
                    (link_box("link", link))
                    (qr(link))
                }
                None => { p { a.button.plain href=(place.about()) { "Show a link" } } }
            }
        }
        (here(cx, r, place))
        @if r.owner { (rekey(cx, r, place)) }
        section {
            h2 { "Export" }
            p.row { a.button.plain href=(place.form("export")) download { "txt" } }
            p.hint { "Everything said while you were here; it is kept only in memory." }
        }
        section { (cx.button(&place.form("leave"), "danger", &[], "Leave the room")) }
    }
}

fn people(cx: &PageContext, r: &RoomView, place: Place) -> Markup {
    let count = r.people.iter().filter(|p| !p.left).count();
    html! {
        section #people {
            h2 { "Online (" (count) ")" }
            p.hint { "Only people who talk are shown; readers are not." }
            ul.members {
                @for p in &r.people {
                    li {
                        span class=(if p.left { "dot" } else { "dot on" }) {} " "
                        span class=(colour(p.id.as_bytes())) { (p.name) }
                        @if p.you { span.dim { " (you)" } }
                        @if p.left { span.dim { " (left)" } }
                        @if p.muted { span.dim { " (muted)" } }
                        @if r.owner && !p.you { (mute(cx, p, place)) }
                    }
                }
            }
        }
    }
}

fn mute(cx: &PageContext, talker: &TalkerView, place: Place) -> Markup {
    let id = talker.id.to_string();
    let (muted, label) = if talker.muted { ("0", "Show again") } else { ("1", "Mute") };
    let fields = [("talker", id.as_str()), ("muted", muted)];
    cx.button(&place.form("mute"), "plain small", &fields, label)
}

/// One's own name and route in the room.
fn here(cx: &PageContext, r: &RoomView, place: Place) -> Markup {
    html! {
        section {
            h2 { "You in this room" }
            (cx.form(&place.form("nick"), "row", &html! {
                label for="nick" { "Your name in this room" }
                input #nick name="nick" value=(r.you) required maxlength="32";
                button.plain { "Change" }
            }))
            p { (r.connection) }
            (cx.form(&place.form("route"), "row", &html! {
                label for="route" { "Route" }
                select #route name="route" {
                    @for route in ROUTES {
                        option value=(route) selected[r.route == route] { (route.word()) }
                    }
                }
                button.plain { "Change route" }
            }))
            @if matches!(r.route, Route::Tor | Route::TorOnion) {
                (cx.button(&place.form("circuits"), "plain", &[], "New Tor circuits"))
            }
        }
    }
}

/// Who goes on when all earlier links stop working.
fn rekey(cx: &PageContext, r: &RoomView, place: Place) -> Markup {
    let others = r.people.iter().filter(|p| !p.you);
    html! {
        section #rekey {
            h2 { "New keys" }
            details {
                summary { "Remove people from the room" }
                p.hint {
                    "People you tick get the new keys automatically. Everyone else loses access, "
                    "including readers who never wrote, and all earlier links stop working."
                }
                (cx.form(&place.form("rekey"), "choices", &html! {
                    @for p in others {
                        label {
                            input type="checkbox" name="keep" value=(p.id)
                                checked[!p.left && !p.muted];
                            (p.name)
                        }
                    }
                    button.danger { "Give new keys only to these" }
                }))
            }
        }
    }
}

/// `GET r/ID/export`
pub(super) async fn export(cx: PageContext, Path(id): Path<String>) -> Result<Response, PageError> {
    let r = cx.room(&id)?;
    conversation::exported(&cx, Source::Room(r.id), &r.label, Format::Txt).await
}
