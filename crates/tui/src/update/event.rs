//! What the engine tells by itself.

use api::{
    ConversationId, ConversationView, Event, FileState, FileView, GetMesh, GroupInviteView,
    InviteId, ListNetworks, MessageKind, MessageView, RoomId, RoomLineView, RoomView,
};

use super::{files, open, pages};
use crate::ask;
use crate::dialog::{Dialog, Live};
use crate::log::{Line, LineId};
use crate::state::{App, Effect, Fact, Place};

/// It has told something.
pub(super) fn event(app: &mut App, out: &mut Vec<Effect>, event: Event) {
    match event {
        Event::Network { text, .. } => network(app, out, text),
        Event::Message { message } => message_came(app, out, &message),
        Event::State { conversation, message, state, route } => {
            if let Some(log) = app.logs.get_mut(&Place::Conversation(conversation)) {
                log.advance(message, state, route);
            }
            app.refresh(Fact::Status);
            app.refresh(Fact::Conversations);
        }
        Event::Changed { message } => {
            if let Some(log) = app.logs.get_mut(&Place::Conversation(message.conversation)) {
                log.put(Line::from(message));
            }
            app.refresh(Fact::Conversations);
        }
        Event::Expired { conversation, message } => {
            if let Some(log) = app.logs.get_mut(&Place::Conversation(conversation)) {
                log.lines.retain(|l| l.message() != Some(message));
            }
            app.refresh(Fact::Conversations);
        }
        Event::InviteUsed { invite, conversation, label } => {
            invite_used(app, out, invite, conversation, &label);
        }
        Event::InviteTriedAgain { .. } => app.complain(
            "somebody else tried one of your invites that was used already: compare safety words with the contact who used it",
        ),
        Event::InviteFailed { text, .. } => app.complain(format!("an invite failed: {text}")),
        Event::GroupInvite { invite, members } => group_invite(app, out, &invite, members),
        Event::File { file } => file_moved(app, &file),
        Event::Room { room } => room_changed(app, room),
        Event::RoomLine { room, label: _, line } => line_came(app, out, room, line),
        Event::RoomLeft { room } => open::gone(app, Place::Room(room)),
        Event::Notice { text } => notice(app, out, text),
        event @ (Event::Neighbour { .. }
        | Event::PersonNearby {}
        | Event::Knock { .. }
        | Event::Knocking { .. }) => on_the_lan(app, out, event),
        event @ (Event::Opened { .. }
        | Event::Conversation { .. }
        | Event::Renamed { .. }
        | Event::Forgotten { .. }
        | Event::HeldUp { .. }
        | Event::Stopped { .. }
        | Event::Forked { .. }) => conversation_changed(app, event),
    }
}

/// A conversation is there, has changed, or is gone.
fn conversation_changed(app: &mut App, event: Event) {
    match event {
        Event::Opened { conversation, label } => {
            app.learn_label(conversation, &label);
            app.say(format!("{label} is ready"));
            app.active.insert(Place::Conversation(conversation), app.now_ms);
        }
        Event::Conversation { conversation, label, text } => {
            app.learn_label(conversation, &label);
            app.say(format!("{label}: {text}"));
        }
        Event::Renamed { conversation, was, label } => renamed(app, conversation, &was, &label),
        Event::Forgotten { conversation } => open::gone(app, Place::Conversation(conversation)),
        Event::HeldUp { conversation, label, name, .. } => {
            app.learn_label(conversation, &label);
            app.complain(format!(
                "{label} is stalled by {name}; see “Continue without a member” in the palette"
            ));
        }
        Event::Stopped { conversation, label } => {
            app.learn_label(conversation, &label);
            app.complain(format!(
                "{label} was stopped: something in it is damaged, or was sent to break it; \
                 /unblock tries again"
            ));
        }
        Event::Forked { conversation, label } => {
            app.learn_label(conversation, &label);
            app.complain(format!("{label}: the members see different histories; ask them"));
        }
        _ => {}
    }
    app.refresh(Fact::Conversations);
}

/// Another name stands over the same conversation: a person must see that before they write there,
/// so it is noted in the conversation as well.
fn renamed(app: &mut App, conversation: ConversationId, was: &str, label: &str) {
    app.learn_label(conversation, label);
    let text = format!("“{was}” is now called “{label}”");
    let newest = app.view(conversation).and_then(|c| c.newest.as_ref()).map_or(0, |m| m.number);
    let now_ms = app.now_ms;
    let log = app.logs.entry(Place::Conversation(conversation)).or_default();
    log.note(newest, text.clone(), now_ms);
    app.say(text);
}

fn network(app: &mut App, out: &mut Vec<Effect>, text: String) {
    app.connection = text;
    app.refresh(Fact::Status);
    app.refresh(Fact::Conversations);
    if live(app, Live::Network) {
        ask::ask(out, ListNetworks {}, |app, _, networks| pages::show_networks(app, networks));
    }
}

/// Events were lost, or something else is to know: everything is asked for again.
fn notice(app: &mut App, out: &mut Vec<Effect>, text: String) {
    app.say(text);
    for fact in Fact::ALL {
        app.refresh(fact);
    }
    for log in app.logs.values_mut() {
        log.loaded = false;
    }
    if let Some(place) = app.current {
        open::fetch(app, out, place, false);
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
    let place = Place::Conversation(message.conversation);
    let (you, notice) = (message.you, message.kind == MessageKind::Notice);
    let fresh = match app.conversations.iter_mut().find(|c| c.id == message.conversation) {
        Some(view) => count(view, message),
        None => true,
    };
    if let Some(log) = app.logs.get_mut(&place) {
        log.put(Line::from(message.clone()));
    }
    app.refresh(Fact::Conversations);
    app.refresh(Fact::Status);
    if !you && !notice && fresh {
        news(app, out, place, message.number);
    }
}

/// Somebody said something new.
fn news(app: &mut App, out: &mut Vec<Effect>, place: Place, number: i64) {
    if open::looked_at(app, place) {
        return;
    }
    if let Some(log) = app.logs.get_mut(&place).filter(|l| l.new_from.is_none()) {
        log.new_from = Some(number);
    }
    notify(app, out, "a new message");
}

/// Counts a message in the list; false when it was counted already.
fn count(view: &mut ConversationView, message: &MessageView) -> bool {
    if view.newest.as_ref().is_some_and(|n| n.number >= message.number) {
        return false;
    }
    view.newest = Some(Box::new(message.clone()));
    if !message.you && message.kind != MessageKind::Notice {
        view.unseen += 1;
    }
    true
}

fn invite_used(
    app: &mut App,
    out: &mut Vec<Effect>,
    invite: InviteId,
    conversation: ConversationId,
    label: &str,
) {
    notify(app, out, "somebody has used your invite");
    app.learn_label(conversation, label);
    app.refresh(Fact::Conversations);
    let place = Place::Conversation(conversation);
    app.active.insert(place, app.now_ms);
    app.say(format!("{label} has used your invite; compare the safety words when you can"));
    // A person who waits with that link on the screen continues with the conversation.
    if live(app, Live::Invite(Some(invite))) {
        app.dialogs.clear();
        open::open(app, out, place);
    }
}

fn group_invite(app: &mut App, out: &mut Vec<Effect>, invite: &GroupInviteView, members: u32) {
    app.say(format!(
        "{} invites you to {} ({members} members): see “Invitations to groups”",
        invite.from.label, invite.title
    ));
    notify(app, out, "an invitation to a group");
    app.refresh(Fact::GroupInvites);
}

fn file_moved(app: &mut App, file: &FileView) {
    for log in app.logs.values_mut() {
        log.file(file);
    }
    match app.files.iter_mut().find(|f| f.transfer == file.transfer) {
        Some(old) => old.clone_from(file),
        None => app.files.push(file.clone()),
    }
    if file.state == FileState::Done && !file.ours {
        let at = file.path.as_deref().unwrap_or("the profile");
        app.say(format!("{} is saved: {at}", file.name));
    }
    if let Some(Dialog::Page(page)) = app.dialogs.last_mut()
        && page.live == Live::Transfer(file.transfer)
    {
        let scroll = page.scroll;
        *page = files::transfer(file);
        page.scroll = scroll;
    }
}

fn on_the_lan(app: &mut App, out: &mut Vec<Effect>, event: Event) {
    match event {
        Event::Neighbour { conversation, label, here } => {
            app.learn_label(conversation, &label);
            app.say(format!("{label} is {}", if here { "nearby" } else { "no longer nearby" }));
            app.refresh(Fact::Conversations);
        }
        Event::Knock { knock, name, words } => {
            notify(app, out, "somebody knocks on the local network");
            app.dialogs.push(Dialog::Page(pages::knock(knock, &name, &words)));
        }
        Event::Knocking { words } => app.dialogs.push(Dialog::Page(pages::knocking(&words))),
        _ => {}
    }
    if live(app, Live::Mesh) {
        ask::ask(out, GetMesh {}, |app, _, mesh| pages::show_mesh(app, &mesh));
    }
}

fn room_changed(app: &mut App, room: RoomView) {
    match app.rooms.iter_mut().find(|r| r.id == room.id) {
        Some(old) => *old = room,
        None => app.rooms.push(room),
    }
}

fn line_came(app: &mut App, out: &mut Vec<Effect>, room: RoomId, line: RoomLineView) {
    let place = Place::Room(room);
    let log = app.logs.entry(place).or_default();
    let fresh = log.find(LineId::Room(line.number)).is_none();
    let speaks = !line.you && line.kind != MessageKind::Notice;
    let (number, line) = (line.number, Line::from(line));
    let at = line.number;
    log.put(line);
    app.refresh(Fact::Status);
    if !fresh || !speaks {
        return;
    }
    if let Some(view) = app.rooms.iter_mut().find(|r| r.id == room)
        && view.newest < number
    {
        view.unseen += 1;
        view.newest = number;
    }
    news(app, out, place, at);
}
