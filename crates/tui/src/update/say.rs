//! What is done with what was typed.

use api::{
    AllowedRoutes, ConversationId, Delete, Edit, FileState, MessageId, Reason, Refusal, RekeyRoom,
    RenewRoomCircuits, Request, RoomId, Route, Say, SendText, SetRoomNick, Thing,
};
use text::{Format, Listed, RoomLine, Typed, meant, room_line, timer_seconds};

use super::{act, conversation, files, messages, rooms, typing};
use crate::ask;
use crate::dialog::field;
use crate::keys::Action;
use crate::log::Line;
use crate::state::{App, Compose, Draft, Effect, Place};

/// Earlier texts that are kept.
const SENT: usize = 200;

/// Enter was pressed in a conversation.
pub(super) fn enter(app: &mut App, out: &mut Vec<Effect>) {
    let text = typing::typed(app);
    let Some(place) = app.current else { return };
    if text.trim().is_empty() {
        return;
    }
    app.input = field("");
    app.sent_at = None;
    if app.sent.last() != Some(&text) {
        app.sent.push(text.clone());
        app.sent.drain(..app.sent.len().saturating_sub(SENT));
    }
    if let Some(log) = app.log_mut() {
        (log.scroll, log.chosen) = (0, None);
        log.new_from = None;
    }
    let compose = std::mem::take(&mut app.compose);
    // A text of several lines is no command.
    let several = text.contains('\n');
    match (place, compose) {
        (Place::Conversation(conversation), Compose::Edit(message)) => {
            edit(out, conversation, message, text);
        }
        (Place::Conversation(id), compose) => {
            let reply_to = if let Compose::Reply(id) = compose { Some(id) } else { None };
            let typed = if several { Typed::Say(text) } else { text::parse(&text) };
            in_conversation(app, out, id, typed, reply_to);
        }
        (Place::Room(id), _) => {
            let typed = if several { RoomLine::Say(text) } else { room_line(&text) };
            in_room(app, out, id, typed);
        }
    }
}

/// Recalls what was typed before.
pub(super) fn earlier(app: &mut App, back: bool) {
    let last = app.sent.len();
    let at = match (app.sent_at, back) {
        (None, true) => last.checked_sub(1),
        (Some(at), true) => Some(at.saturating_sub(1)),
        (Some(at), false) => Some(at + 1).filter(|n| *n < last),
        (None, false) => None,
    };
    if at == app.sent_at {
        return;
    }
    app.sent_at = at;
    app.input = field(at.and_then(|at| app.sent.get(at)).map_or("", String::as_str));
}

fn in_conversation(
    app: &mut App,
    out: &mut Vec<Effect>,
    id: ConversationId,
    typed: Typed,
    reply_to: Option<MessageId>,
) {
    match typed {
        Typed::Blank => {}
        Typed::Quit => act::act(app, out, Action::Quit, None),
        Typed::Say(text) => send(out, id, text, reply_to),
        Typed::File(path) => files::send(out, id, path),
        Typed::Accept(transfer) => accept(app, out, id, &transfer),
        Typed::Timer(time) => match timer_seconds(&time) {
            Ok(seconds) => conversation::set_timer(out, id, seconds),
            Err(refusal) => app.complain(refusal.text),
        },
        Typed::Routes(routes) => conversation::allow(out, id, routes),
        Typed::Safety(true) => conversation::allow(out, id, AllowedRoutes::Hidden),
        Typed::Safety(false) => conversation::allow(out, id, AllowedRoutes::Anywhere),
        Typed::Verify => act::act(app, out, Action::Words, None),
        Typed::AcceptKeys => conversation::accept_keys(out, id),
        Typed::Block => conversation::block(out, id),
        Typed::Unblock => conversation::resume(out, id),
        Typed::Who => act::act(app, out, Action::People, None),
        Typed::Nearby => act::act(app, out, Action::Mesh, None),
        Typed::Words => act::act(app, out, Action::Words, None),
        Typed::Help => act::act(app, out, Action::Help, None),
        Typed::Export(file, format) => export(app, out, file, format),
        Typed::Unknown(word) => unknown(app, &word),
        typed => on_message(app, out, id, typed),
    }
}

/// Commands that name a message.
fn on_message(app: &mut App, out: &mut Vec<Effect>, conversation: ConversationId, typed: Typed) {
    match typed {
        Typed::Reply(id, text) => {
            if let Some(message) = find(app, &id, |_| true) {
                send(out, conversation, text, Some(message));
            }
        }
        Typed::React(id, emoji) => {
            if let Some(message) = find(app, &id, |l| !l.you) {
                messages::react(out, conversation, message, emoji, false);
            }
        }
        Typed::Edit(id, text) => {
            if let Some(message) = find(app, &id, |l| l.you) {
                edit(out, conversation, message, text);
            }
        }
        Typed::Delete(id) => {
            if let Some(message) = find(app, &id, |_| true) {
                ask::ask(out, Delete { conversation, message }, |_, _, _| {});
            }
        }
        Typed::Why(id) => {
            if let Some(message) = find(app, &id, |l| l.you) {
                messages::why(out, conversation, message);
            }
        }
        _ => {}
    }
}

fn unknown(app: &mut App, word: &str) {
    // What was typed is not lost.
    if let Some(text) = app.sent.last() {
        app.input = field(text);
    }
    app.complain(format!("unknown or incomplete command /{word}; F1 lists all commands"));
}

fn export(app: &App, out: &mut Vec<Effect>, file: Option<String>, format: Format) {
    let Some(place) = app.current else { return };
    let file = file.unwrap_or_else(|| format!("hushwing-talk.{}", format.word()));
    out.push(Effect::Export(place, app.label(place), format, file.into()));
}

/// Sends something that was typed. Refused, it is given back.
fn send_typed<R: Request>(
    out: &mut Vec<Effect>,
    request: R,
    place: Place,
    text: String,
    compose: Compose,
) {
    ask::ask_either(out, request, move |app, _, answer| {
        if let Err(refusal) = answer {
            give_back(app, place, &text, compose);
            app.refused(&refusal);
        }
    });
}

fn send(
    out: &mut Vec<Effect>,
    conversation: ConversationId,
    text: String,
    reply_to: Option<MessageId>,
) {
    let compose = reply_to.map_or(Compose::New, Compose::Reply);
    let request = SendText { conversation, text: text.clone(), reply_to };
    send_typed(out, request, Place::Conversation(conversation), text, compose);
}

fn edit(out: &mut Vec<Effect>, conversation: ConversationId, message: MessageId, text: String) {
    let request = Edit { conversation, message, text: text.clone() };
    send_typed(out, request, Place::Conversation(conversation), text, Compose::Edit(message));
}

/// A text was refused: it is put back, unless another one was begun.
fn give_back(app: &mut App, place: Place, text: &str, compose: Compose) {
    if app.current == Some(place) && app.input.is_empty() {
        app.input = field(text);
        app.compose = compose;
    } else {
        let draft = || Draft { text: field(text), compose };
        app.drafts.entry(place).or_insert_with(draft);
    }
}

impl Listed for &Line {
    const THING: Thing = Thing::Message;

    fn is_meant_by(&self, typed: &str) -> bool {
        self.message().is_some_and(|id| id.is_meant_by(typed))
    }

    fn line(&self) -> String {
        let id = self.message().map(|id| id.short()).unwrap_or_default();
        format!("{id} {}: {}", self.from, self.text)
    }
}

/// The message of the open conversation whose id was typed, or the newest one that fits.
fn find(app: &mut App, typed: &str, fits: impl Fn(&Line) -> bool) -> Option<MessageId> {
    let lines = app.log().map(|l| l.lines.as_slice()).unwrap_or_default();
    let messages = lines.iter().filter(|l| !l.notice && fits(l));
    let found = meant(typed, messages).map(Line::message);
    found_or_complain(app, found).flatten()
}

fn found_or_complain<T>(app: &mut App, found: Result<T, Refusal>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        // The refusal lists them, and there is one line to show it on.
        Err(refusal) if matches!(refusal.reason, Reason::Ambiguous { .. }) => {
            app.complain("that id could mean several; type more of it");
            None
        }
        Err(refusal) => {
            app.refused(&refusal);
            None
        }
    }
}

fn accept(app: &mut App, out: &mut Vec<Effect>, id: ConversationId, typed: &str) {
    let offered = app
        .files
        .iter()
        .filter(|f| f.conversation == id && !f.ours && f.state == FileState::Offered)
        .cloned();
    let found = meant(typed, offered.collect::<Vec<_>>());
    if let Some(file) = found_or_complain(app, found) {
        files::accept(out, file.transfer);
    }
}

fn in_room(app: &mut App, out: &mut Vec<Effect>, room: RoomId, typed: RoomLine) {
    match typed {
        RoomLine::Blank => {}
        RoomLine::Say(text) => {
            let request = Say { room, text: text.clone() };
            send_typed(out, request, Place::Room(room), text, Compose::New);
        }
        RoomLine::Nick(nick) => ask::ask(out, SetRoomNick { room, nick }, |_, _, _| {}),
        RoomLine::Who => act::act(app, out, Action::People, None),
        RoomLine::Link => rooms::link(out, room),
        RoomLine::Mute(name) => mute(app, out, room, &name, true),
        RoomLine::Unmute(name) => mute(app, out, room, &name, false),
        RoomLine::Rekey(names) => rekey(app, out, room, &names),
        RoomLine::Route(route) => rooms::set_route(out, room, route),
        RoomLine::Safety(on) => {
            rooms::set_route(out, room, if on { Route::Onion } else { Route::Direct });
        }
        RoomLine::Circuits => ask::ask_and_say(out, RenewRoomCircuits { room }, "new circuits"),
        RoomLine::Export(file) => export(app, out, file, Format::Txt),
        RoomLine::Help => act::act(app, out, Action::Help, None),
        RoomLine::Quit => act::act(app, out, Action::Quit, None),
        RoomLine::Unknown(word) => unknown(app, &word),
    }
}

fn mute(app: &mut App, out: &mut Vec<Effect>, room: RoomId, name: &str, muted: bool) {
    let Some(view) = app.room_view(room) else { return };
    match rooms::talker(view, name) {
        Ok(talker) => rooms::set_muted(out, room, talker, muted),
        Err(why) => app.complain(why),
    }
}

/// All names must stand for somebody: who is left out by a slip loses access.
fn rekey(app: &mut App, out: &mut Vec<Effect>, room: RoomId, names: &[String]) {
    let Some(view) = app.room_view(room) else { return };
    let keep: Result<Vec<_>, String> = names.iter().map(|name| rooms::talker(view, name)).collect();
    match keep {
        Ok(keep) => ask::ask_and_say(out, RekeyRoom { room, keep }, "new keys"),
        Err(why) => app.complain(why),
    }
}
