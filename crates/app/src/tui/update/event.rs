//! What the engine tells by itself.

use super::super::dialog::{Dialog, Live};
use super::super::message::Line;
use super::super::state::{App, Effect, Place, Then};
use super::{open, pages};
use crate::engine::profile::{
    Command, ConversationView, Event, MessageView, RoomLineView, RoomView,
};

/// It has told something.
pub fn event(app: &mut App, out: &mut Vec<Effect>, event: Event) {
    match event {
        Event::Network { text, .. } => {
            app.words = text;
            app.refresh("status");
            app.refresh("conversations");
            if live(app, Live::Network) {
                out.push(Effect::Ask(Command::Networks {}, Then::Network));
            }
        }
        Event::Message { message } => message_came(app, out, &message),
        Event::State { conversation, id, state, route } => {
            if let Some(log) = app.logs.get_mut(&Place::Conversation(conversation)) {
                log.advance(&id, &state, route);
            }
            app.refresh("status");
            app.refresh("conversations");
        }
        Event::Changed { message } => {
            if let Some(log) = app.logs.get_mut(&Place::Conversation(message.conversation.clone())) {
                log.put(Line::from(message));
            }
            app.refresh("conversations");
        }
        Event::Expired { conversation, id } => {
            if let Some(log) = app.logs.get_mut(&Place::Conversation(conversation)) {
                log.lines.retain(|l| l.id != id);
            }
            app.refresh("conversations");
        }
        Event::Opened { conversation } => {
            app.say(format!("{conversation} is there now"));
            app.active.insert(Place::Conversation(conversation), app.now_ms);
            app.refresh("conversations");
        }
        Event::Conversation { conversation, text } => {
            app.say(format!("{conversation}: {text}"));
            app.refresh("conversations");
        }
        Event::InviteUsed { conversation, .. } => invite_used(app, out, &conversation),
        Event::InviteTriedAgain { .. } => app.complain(
            "somebody else has tried an invite of yours that was used already: compare safety words with whoever was first",
        ),
        Event::InviteFailed { text, .. } => app.complain(format!("an invite came to nothing: {text}")),
        Event::GroupInvite { invite, members } => {
            let text = format!("{} invites you into {} ({members} members): see “Invitations into groups”", invite.from, invite.title);
            app.say(text);
            notify(app, out, "an invitation into a group");
            app.refresh("invites");
        }
        Event::File { file } => {
            for log in app.logs.values_mut() {
                log.file(&file);
            }
            match app.files.iter_mut().find(|f| f.transfer == file.transfer) {
                Some(old) => *old = file.clone(),
                None => app.files.push(file.clone()),
            }
            if file.state == "done" && !file.ours {
                let at = file.path.as_deref().unwrap_or("the profile");
                app.say(format!("{} is here: {at}", file.name));
            }
            if let Some(Dialog::Page(page)) = app.dialogs.last_mut()
                && page.live == Live::Transfers
                && page.rows.iter().any(|r| matches!(r, super::super::dialog::Row::Bar(t, ..) if *t == file.transfer))
            {
                let scroll = page.scroll;
                *page = pages::transfer(&file);
                page.scroll = scroll;
            }
        }
        Event::HeldUp { conversation, by } => {
            app.complain(format!("{conversation} is held up by {by}; the palette has “Go on without a member”"));
        }
        Event::Forked { conversation } => {
            app.complain(format!("{conversation}: the members see different histories; ask them"));
        }
        near @ (Event::Neighbour { .. } | Event::PersonNearby {} | Event::Knock { .. } | Event::Knocking { .. }) => {
            on_the_lan(app, out, near);
        }
        Event::Room { room } => room_changed(app, room),
        Event::RoomLine { room, line } => line_came(app, out, &room, line),
        Event::RoomLeft { room } => open::gone(app, &Place::Room(room)),
        Event::Notice { text } => {
            app.say(text);
            // Among other things it says that events were lost.
            for what in ["status", "conversations", "rooms", "files", "invites"] {
                app.refresh(what);
            }
            for log in app.logs.values_mut() {
                log.loaded = false;
            }
            if let Some(place) = app.current.clone() {
                open::fetch(app, out, place, false);
            }
        }
    }
}

fn live(app: &App, what: Live) -> bool {
    matches!(app.dialogs.last(), Some(Dialog::Page(page)) if page.live == what)
}

/// Rings, if a person wants that. It says neither what nor who: others look at the desktop too, and
/// it keeps what it has shown.
fn notify(app: &App, out: &mut Vec<Effect>, text: &str) {
    if app.prefs.notify {
        out.push(Effect::Notify(text.to_owned()));
    }
}

fn message_came(app: &mut App, out: &mut Vec<Effect>, message: &MessageView) {
    let place = Place::Conversation(message.conversation.clone());
    let (you, notice) = (message.you, message.kind == "notice");
    let fresh = match app.conversations.iter_mut().find(|c| c.name == message.conversation) {
        Some(entry) => newest(entry, message),
        None => true,
    };
    if let Some(log) = app.logs.get_mut(&place) {
        log.put(Line::from(message.clone()));
    }
    app.refresh("conversations");
    app.refresh("status");
    if you || notice || !fresh {
        return;
    }
    if !open::looked_at(app, &place) {
        if let Some(log) = app.logs.get_mut(&place).filter(|l| l.new_from.is_none()) {
            log.new_from = Some(message.number);
        }
        notify(app, out, "a new message");
    }
}

/// Counts a message in the list; false when it was counted already.
fn newest(entry: &mut ConversationView, message: &MessageView) -> bool {
    if entry.newest.as_ref().is_some_and(|n| n.number >= message.number) {
        return false;
    }
    entry.newest = Some(Box::new(message.clone()));
    if !message.you && message.kind != "notice" {
        entry.unseen += 1;
    }
    true
}

fn invite_used(app: &mut App, out: &mut Vec<Effect>, conversation: &str) {
    notify(app, out, "somebody has used your invite");
    app.refresh("conversations");
    let place = Place::Conversation(conversation.to_owned());
    app.active.insert(place.clone(), app.now_ms);
    app.say(format!("{conversation} has used your invite; compare the safety words when you can"));
    // Whoever waits with the link on the screen goes on with the conversation.
    if live(app, Live::Invite) {
        app.dialogs.clear();
        open::open(app, out, place);
    }
}

fn on_the_lan(app: &mut App, out: &mut Vec<Effect>, event: Event) {
    match event {
        Event::Neighbour { conversation, here } => {
            app.say(format!("{conversation} is near{}", if here { "" } else { " no more" }));
            app.refresh("conversations");
        }
        Event::Knock { knock, name, words } => {
            notify(app, out, "somebody knocks on the local network");
            app.dialogs.push(Dialog::Page(pages::knock(&knock, &name, &words)));
        }
        Event::Knocking { words } => app.dialogs.push(Dialog::Page(pages::knocking(&words))),
        _ => {}
    }
    if live(app, Live::Mesh) {
        out.push(Effect::Ask(Command::Mesh {}, Then::Mesh));
    }
}

fn room_changed(app: &mut App, room: RoomView) {
    match app.rooms.iter_mut().find(|r| r.name == room.name) {
        Some(old) => *old = room,
        None => app.rooms.push(room),
    }
}

fn line_came(app: &mut App, out: &mut Vec<Effect>, room: &str, line: RoomLineView) {
    let place = Place::Room(room.to_owned());
    let log = app.logs.entry(place.clone()).or_default();
    let line = Line::from(line);
    let fresh = log.find(&line.id).is_none();
    let speaks = !line.you && !line.notice;
    let number = line.number;
    log.put(line);
    app.refresh("status");
    if !fresh || !speaks {
        return;
    }
    if let Some(room) = app.rooms.iter_mut().find(|r| r.name == room)
        && i64::try_from(room.newest).is_ok_and(|n| n < number)
    {
        room.unseen += 1;
        room.newest = u64::try_from(number).unwrap_or(0);
    }
    if !open::looked_at(app, &place) {
        if let Some(log) = app.logs.get_mut(&place).filter(|l| l.new_from.is_none()) {
            log.new_from = Some(number);
        }
        notify(app, out, "a new message");
    }
}
