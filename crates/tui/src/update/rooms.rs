//! Open rooms.

use api::{
    GetRoomLink, MuteTalker, RekeyRoom, RenewRoomCircuits, RoomId, RoomView, Route, SetRoomRoute,
    TalkerId,
};

use super::{conversation, dialog, pages};
use crate::ask;
use crate::dialog::{Button, Dialog, Item, Page, Pick, Press, Row};
use crate::keys::Action;
use crate::state::{App, Effect};

/// What each route to a room hides.
const ROUTES: [(Route, &str); 4] = [
    (Route::Onion, "relays: hides who talks to whom, and when"),
    (Route::Tor, "hides where you are; the hub sees when you talk"),
    (Route::TorOnion, "through Tor to the first relay, and on through the relays"),
    (Route::Direct, "the hub sees your IP address; fastest"),
];

/// Does it in the open room.
pub(super) fn act(app: &mut App, out: &mut Vec<Effect>, action: Action) {
    let Some(view) = app.room().cloned() else { return app.say("only for open rooms") };
    let room = view.id;
    match action {
        Action::RoomLink => link(out, room),
        Action::RoomNick => dialog::prompt(app, pages::nick(&view)),
        Action::RoomRoute => app.dialogs.push(Dialog::Pick(Box::new(routes(&view)))),
        Action::RoomCircuits => {
            ask::ask_and_say(out, RenewRoomCircuits { room }, "new circuits");
        }
        _ if !view.owner => app.say("only the room's owner can do that"),
        Action::RoomMute => app.dialogs.push(Dialog::Pick(Box::new(mute(&view)))),
        Action::RoomRekey => rekey(app, &view),
        _ => {}
    }
}

fn rekey(app: &mut App, view: &RoomView) {
    let others = || view.people.iter().filter(|p| !p.you && !p.left && !p.muted);
    let names: Vec<&str> = others().map(|p| p.name.as_str()).collect();
    let rows = vec![
        Row::Text("Everyone who is talking here now gets new keys. All other links stop working, and readers who never wrote are left out.".to_owned()),
        Row::Blank,
        Row::Text(format!("Keeps access: {}", if names.is_empty() { "nobody".to_owned() } else { names.join(", ") })),
    ];
    let request = RekeyRoom { room: view.id, keep: others().map(|p| p.id).collect() };
    let press = Press::ask_and_say(request, "new keys");
    conversation::sure(app, "New keys for this room?", rows, "new keys", press);
}

/// Shows a link into a room.
pub(super) fn link(out: &mut Vec<Effect>, room: RoomId) {
    ask::ask(out, GetRoomLink { room }, |app, _, view| {
        app.dialogs.push(Dialog::Page(link_page(&view.link)));
    });
}

fn link_page(link: &str) -> Page {
    let mut rows = vec![
        Row::Text("Anyone with this link can read everything from this hour on.".to_owned()),
        Row::Blank,
        Row::Link(link.to_owned()),
        Row::Blank,
    ];
    rows.extend(pages::qr(link));
    let copy = Button::new("copy", Press::Copy(link.to_owned()));
    Page::new("Link into this room", rows, vec![pages::close("close"), copy])
}

/// Uses this route in a room.
pub(super) fn set_route(out: &mut Vec<Effect>, room: RoomId, route: Route) {
    ask::ask_and_say(out, SetRoomRoute { room, route }, format!("route: {route}"));
}

fn routes(view: &RoomView) -> Pick {
    let room = view.id;
    let items = ROUTES.map(|(route, what)| {
        let mark = if route == view.route { "● " } else { "  " };
        let press = Press::step(move |_, out| set_route(out, room, route));
        Item::new(format!("{mark}{route}"), what, press)
    });
    let title = format!("Route to “{}”", view.label);
    Pick::new(title, "Each hides something different.", items.to_vec())
}

/// Hides a talker from everyone, or shows them again.
pub(super) fn set_muted(out: &mut Vec<Effect>, room: RoomId, talker: TalkerId, muted: bool) {
    ask::ask(out, MuteTalker { room, talker, muted }, |_, _, _| {});
}

fn mute(view: &RoomView) -> Pick {
    let room = view.id;
    let others = view.people.iter().filter(|p| !p.you);
    let items = others.map(|p| {
        let (talker, muted) = (p.id, !p.muted);
        let detail = if p.muted { "muted: show again" } else { "mute" };
        let press = Press::step(move |_, out| set_muted(out, room, talker, muted));
        Item::new(&p.name, detail, press)
    });
    let note = "Muting hides a person from everyone here.";
    Pick::new("Who do you want to mute?", note, items.collect())
}

/// Who talks in the open room.
pub(super) fn people(app: &App) -> Page {
    let buttons = vec![pages::close("close")];
    let Some(room) = app.room() else { return Page::new("Room", Vec::new(), buttons) };
    let mut rows =
        vec![Row::Dim("People who talk here. Readers do not show up.".to_owned()), Row::Blank];
    rows.extend(room.people.iter().map(|p| {
        let marks = [(p.you, "you"), (p.left, "left"), (p.muted, "muted")];
        let marks: Vec<&str> =
            marks.into_iter().filter(|(on, _)| *on).map(|(_, mark)| mark).collect();
        Row::Pair(p.name.clone(), marks.join(", "))
    }));
    Page::new(format!("In “{}”", room.label), rows, buttons)
}

/// The talker of a room whose name, as shown, or id a person typed.
///
/// # Errors
/// What to say, when it is none or more than one.
pub(super) fn talker(view: &RoomView, typed: &str) -> Result<TalkerId, String> {
    let others = || view.people.iter().filter(|p| !p.you);
    let mut fits: Vec<_> = others().filter(|p| p.name == typed).collect();
    if fits.is_empty() {
        fits = others().filter(|p| p.id.is_meant_by(typed)).collect();
    }
    match fits.as_slice() {
        [one] => Ok(one.id),
        [] => Err(format!("nobody who talks here is called {typed}; F3 lists names")),
        several => {
            let names: Vec<String> =
                several.iter().map(|p| format!("{} ({})", p.name, p.id.short())).collect();
            Err(format!("{typed} could mean several: type the id of {}", names.join(" or ")))
        }
    }
}
