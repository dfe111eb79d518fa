//! Going from conversation to conversation.

use super::super::dialog::field;
use super::super::message::Log;
use super::super::state::{App, Compose, Effect, Pane, Place, Then};
use crate::engine::profile::Command;

/// Messages that a page of history holds.
pub const PAGE: usize = 50;
/// Lines of a room that are fetched; a room's are kept in memory only.
const ROOM_LINES: usize = 500;

/// Opens a conversation.
pub fn open(app: &mut App, out: &mut Vec<Effect>, place: Place) {
    if let Some(old) = app.current.take() {
        let draft = std::mem::replace(&mut app.input, field(""));
        if app.compose == Compose::New && !draft.is_empty() {
            app.drafts.insert(old, draft);
        }
    }
    app.input = app.drafts.remove(&place).unwrap_or_else(|| field(""));
    app.compose = Compose::New;
    app.history_at = None;
    app.pane = Pane::Talk;
    let log = app.logs.entry(place.clone()).or_default();
    (log.scroll, log.chosen) = (0, None);
    let loaded = log.loaded;
    if let Some(at) = app.places().iter().position(|p| *p == place) {
        app.at = at;
    }
    app.current = Some(place.clone());
    if loaded {
        mark_new(app, &place);
    } else {
        fetch(app, out, place, false);
    }
}

/// Fetches a page of messages.
pub fn fetch(app: &mut App, out: &mut Vec<Effect>, place: Place, older: bool) {
    let log = app.logs.entry(place.clone()).or_default();
    if log.asking || (older && log.whole) {
        return;
    }
    log.asking = true;
    let before = if older { log.lines.first().map(|l| l.number) } else { None };
    let command = match &place {
        Place::Conversation(name) => {
            Command::History { conversation: name.clone(), before, limit: Some(PAGE) }
        }
        Place::Room(name) => {
            Command::RoomHistory { room: name.clone(), after: None, limit: Some(ROOM_LINES) }
        }
    };
    out.push(Effect::Ask(command, Then::History { place, older }));
}

/// Remembers where the unread messages begin.
pub fn mark_new(app: &mut App, place: &Place) {
    let unseen = usize::try_from(app.unseen(place)).unwrap_or(usize::MAX);
    if let Some(log) = app.logs.get_mut(place) {
        let others = log.lines.iter().rev().filter(|l| !l.you && !l.notice);
        log.new_from =
            if unseen == 0 { None } else { others.take(unseen).last().map(|l| l.number) };
    }
}

/// Whether a person looks at this conversation now.
pub fn looked_at(app: &App, place: &Place) -> bool {
    let shown = !app.narrow() || app.pane == Pane::Talk;
    app.focused && shown && app.current.as_ref() == Some(place)
}

/// Says that the open conversation was seen, if anybody looks at it.
pub fn seen(app: &mut App, out: &mut Vec<Effect>) {
    let Some(place) = app.current.clone() else { return };
    let covered = !app.dialogs.is_empty() || app.logs.get(&place).is_some_and(|l| l.scroll > 0);
    if covered || !looked_at(app, &place) || app.unseen(&place) == 0 {
        return;
    }
    let Some(up_to) = app.logs.get(&place).and_then(Log::newest_of_others) else { return };
    match &place {
        Place::Conversation(name) => {
            if let Some(entry) = app.conversations.iter_mut().find(|c| c.name == *name) {
                entry.unseen = 0;
            }
            out.push(Effect::Ask(
                Command::Seen { conversation: name.clone(), up_to },
                Then::Nothing,
            ));
        }
        Place::Room(name) => {
            if let Some(room) = app.rooms.iter_mut().find(|r| r.name == *name) {
                room.unseen = 0;
            }
            let up_to = u64::try_from(up_to).unwrap_or(0);
            out.push(Effect::Ask(Command::RoomSeen { room: name.clone(), up_to }, Then::Nothing));
        }
    }
}

/// The next conversation of the list, or the one before.
pub fn step(app: &mut App, out: &mut Vec<Effect>, back: bool) {
    let places = app.places();
    let at = app.current.as_ref().and_then(|c| places.iter().position(|p| p == c));
    let next = match (at, back) {
        (None, _) => 0,
        (Some(0), true) => places.len().saturating_sub(1),
        (Some(at), true) => at - 1,
        (Some(at), false) => (at + 1) % places.len().max(1),
    };
    if let Some(place) = places.into_iter().nth(next) {
        open(app, out, place);
    }
}

/// The next conversation with something unread.
pub fn next_unread(app: &mut App, out: &mut Vec<Effect>) {
    let places = app.places();
    let found = places.into_iter().find(|p| app.unseen(p) > 0 && app.current.as_ref() != Some(p));
    match found {
        Some(place) => open(app, out, place),
        None => app.say("nothing is unread"),
    }
}

/// Shows a message of a conversation.
pub fn message(app: &mut App, out: &mut Vec<Effect>, place: Place, id: String) {
    open(app, out, place);
    if let Some(log) = app.log_mut() {
        log.chosen = Some(id);
    }
}

/// A place has another name now.
pub fn renamed(app: &mut App, old: &Place, new: Place) {
    if let Some(log) = app.logs.remove(old) {
        app.logs.insert(new.clone(), log);
    }
    if let Some(draft) = app.drafts.remove(old) {
        app.drafts.insert(new.clone(), draft);
    }
    if app.current.as_ref() == Some(old) {
        app.current = Some(new);
    }
}

/// A place is gone.
pub fn gone(app: &mut App, place: &Place) {
    app.logs.remove(place);
    app.drafts.remove(place);
    app.conversations.retain(|c| *place != Place::Conversation(c.name.clone()));
    app.rooms.retain(|r| *place != Place::Room(r.name.clone()));
    if app.current.as_ref() == Some(place) {
        app.current = None;
        app.input = field("");
        app.pane = Pane::List;
    }
}

/// Uses an invite.
pub fn accept(app: &mut App, out: &mut Vec<Effect>, link: &str) {
    app.say("using the invite …");
    app.toast.iter_mut().for_each(|t| t.until_ms = u64::MAX);
    let link = super::typing::squeezed(link);
    out.push(Effect::Ask(Command::Accept { link, name: None }, Then::Open));
}

/// Enters a room by its link.
pub fn join(app: &mut App, out: &mut Vec<Effect>, link: &str) {
    app.say("joining the room …");
    let link = super::typing::squeezed(link);
    out.push(Effect::Ask(
        Command::JoinRoom { link, name: None, nick: None, route: None },
        Then::Open,
    ));
}
