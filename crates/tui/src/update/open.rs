//! Going from conversation to conversation.

use api::{
    Accept, GetHistory, GetRoomHistory, JoinRoom, MarkRoomSeen, MarkSeen, Opened, Request,
    RoomView, Route,
};

use super::{dialog, typing};
use crate::ask;
use crate::dialog::{field, text_of};
use crate::log::{Line, LineId, Log};
use crate::state::{App, Compose, Draft, Effect, Fact, Pane, Place};

/// Messages of a page of history.
const PAGE: usize = 50;
/// Lines of a room that are fetched; the engine has no more of them.
const ROOM_LINES: usize = 500;

/// Opens a conversation. What was begun in the one before stays there as its draft.
pub(super) fn open(app: &mut App, out: &mut Vec<Effect>, place: Place) {
    if let Some(old) = app.current.take() {
        let text = std::mem::replace(&mut app.input, field(""));
        let compose = std::mem::take(&mut app.compose);
        if !text.is_empty() {
            app.drafts.insert(old, Draft { text, compose });
        }
    }
    let draft = app.drafts.remove(&place);
    (app.input, app.compose) =
        draft.map_or_else(|| (field(""), Compose::New), |d| (d.text, d.compose));
    app.sent_at = None;
    app.pane = Pane::Talk;
    app.begun = true;
    let log = app.logs.entry(place).or_default();
    (log.scroll, log.chosen) = (0, None);
    let loaded = log.loaded;
    app.at = Some(place);
    app.current = Some(place);
    if loaded {
        mark_new(app, place);
    } else {
        fetch(app, out, place, false);
    }
}

/// Fetches a page of messages.
pub(super) fn fetch(app: &mut App, out: &mut Vec<Effect>, place: Place, older: bool) {
    let log = app.logs.entry(place).or_default();
    if log.asking || (older && log.whole) {
        return;
    }
    log.asking = true;
    match place {
        Place::Conversation(conversation) => {
            let before = if older { log.first_message() } else { None };
            let request = GetHistory { conversation, before, limit: Some(PAGE) };
            fetch_page(out, place, older, request, |messages| messages.len() < PAGE);
        }
        Place::Room(room) => {
            let request = GetRoomHistory { room, after: None, limit: Some(ROOM_LINES) };
            fetch_page(out, place, older, request, |_| true);
        }
    }
}

/// `whole`: whether nothing comes before such a page.
fn fetch_page<L, R>(
    out: &mut Vec<Effect>,
    place: Place,
    older: bool,
    request: R,
    whole: fn(&[L]) -> bool,
) where
    R: Request<Reply = Vec<L>>,
    L: Into<Line> + 'static,
{
    ask::ask_either(out, request, move |app, _, answer| {
        if let Some(log) = app.logs.get_mut(&place) {
            log.asking = false;
        }
        match answer {
            Ok(lines) => {
                let whole = whole(&lines);
                page_came(app, place, older, whole, lines.into_iter().map(Into::into).collect());
            }
            Err(refusal) => app.refused(&refusal),
        }
    });
}

fn page_came(app: &mut App, place: Place, older: bool, whole: bool, lines: Vec<Line>) {
    let Some(log) = app.logs.get_mut(&place) else { return };
    log.whole |= whole || lines.is_empty();
    for line in lines {
        log.put(line);
    }
    let first = !log.loaded;
    log.loaded |= !older;
    if first {
        mark_new(app, place);
    }
}

/// Remembers where the unread messages begin.
fn mark_new(app: &mut App, place: Place) {
    let unseen = usize::try_from(app.unseen(place)).unwrap_or(usize::MAX);
    if let Some(log) = app.logs.get_mut(&place) {
        let others = log.lines.iter().rev().filter(|l| !l.you && !l.notice);
        log.new_from =
            if unseen == 0 { None } else { others.take(unseen).last().map(|l| l.number) };
    }
}

/// Whether a person looks at this conversation now.
pub(super) fn looked_at(app: &App, place: Place) -> bool {
    let shown = !app.narrow() || app.pane == Pane::Talk;
    app.focused && shown && app.current == Some(place)
}

/// Says that the open conversation was seen, if anybody looks at it.
pub(super) fn seen(app: &mut App, out: &mut Vec<Effect>) {
    let Some(place) = app.current else { return };
    let covered = !app.dialogs.is_empty() || app.logs.get(&place).is_some_and(|l| l.scroll > 0);
    if covered || !looked_at(app, place) || app.unseen(place) == 0 {
        return;
    }
    let Some(up_to) = app.logs.get(&place).and_then(Log::newest_of_others) else { return };
    match place {
        Place::Conversation(conversation) => {
            if let Some(view) = app.conversations.iter_mut().find(|c| c.id == conversation) {
                view.unseen = 0;
            }
            ask::ask(out, MarkSeen { conversation, up_to }, |_, _, _| {});
        }
        Place::Room(room) => {
            if let Some(view) = app.rooms.iter_mut().find(|r| r.id == room) {
                view.unseen = 0;
            }
            let up_to = u64::try_from(up_to).unwrap_or(0);
            ask::ask(out, MarkRoomSeen { room, up_to }, |_, _, _| {});
        }
    }
}

/// Shows a message of a conversation.
pub(super) fn message(app: &mut App, out: &mut Vec<Effect>, place: Place, id: LineId) {
    open(app, out, place);
    if let Some(log) = app.log_mut() {
        log.chosen = Some(id);
    }
}

/// A place is gone, with all that was there.
pub(super) fn gone(app: &mut App, place: Place) {
    app.logs.remove(&place);
    app.drafts.remove(&place);
    app.active.remove(&place);
    match place {
        Place::Conversation(id) => {
            app.conversations.retain(|c| c.id != id);
            app.labels.remove(&id);
        }
        Place::Room(id) => app.rooms.retain(|r| r.id != id),
    }
    if app.current == Some(place) {
        app.current = None;
        app.input = field("");
        app.compose = Compose::New;
        app.pane = Pane::List;
    }
}

/// A reply that leads to a conversation or room.
pub(super) trait Destination {
    /// Makes it known to the screen.
    fn arrive(self, app: &mut App) -> Place;
}

impl Destination for Opened {
    fn arrive(self, app: &mut App) -> Place {
        app.learn_label(self.conversation, &self.label);
        app.refresh(Fact::Conversations);
        Place::Conversation(self.conversation)
    }
}

impl Destination for RoomView {
    fn arrive(self, app: &mut App) -> Place {
        let place = Place::Room(self.id);
        app.rooms.retain(|r| r.id != self.id);
        app.rooms.push(self);
        place
    }
}

/// Asks for something that leads to a conversation or room, and opens it, unless the person has
/// begun something else meanwhile: what is typed goes where it was begun.
pub(super) fn ask_and_open<R>(app: &mut App, out: &mut Vec<Effect>, request: R)
where
    R: Request,
    R::Reply: Destination,
{
    let before = (app.current, text_of(&app.input));
    ask::ask(out, request, move |app, out, reply| {
        app.toast = None;
        let place = reply.arrive(app);
        app.active.insert(place, app.now_ms);
        if dialog::is_asking(app) || before != (app.current, text_of(&app.input)) {
            let label = app.label(place);
            return app.say(format!("{label} is ready"));
        }
        app.dialogs.clear();
        open(app, out, place);
    });
}

/// A remark that stays until something replaces it.
fn say_until_done(app: &mut App, text: &str) {
    app.say(text);
    app.toast.iter_mut().for_each(|t| t.until_ms = u64::MAX);
}

/// Accepts an invite.
pub(super) fn accept(app: &mut App, out: &mut Vec<Effect>, link: &str) {
    say_until_done(app, "accepting the invite …");
    ask_and_open(app, out, Accept { link: typing::squeezed(link), name: None });
}

/// Joins a room by its link.
pub(super) fn join(
    app: &mut App,
    out: &mut Vec<Effect>,
    link: &str,
    nick: Option<String>,
    route: Option<Route>,
) {
    say_until_done(app, "joining the room …");
    ask_and_open(app, out, JoinRoom { link: typing::squeezed(link), name: None, nick, route });
}
