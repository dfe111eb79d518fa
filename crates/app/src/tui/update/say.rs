//! What is done with what was typed.

use super::super::dialog::{Dialog, field};
use super::super::keys::Action;
use super::super::message::Line;
use super::super::state::{App, Compose, Effect, Place, Then};
use super::{act, open, typing};
use crate::cli::line::{self, TypedCommand};
use crate::cli::profile::{Typed, parse, timer_seconds};
use crate::engine::profile::Command;

/// Earlier texts that are kept.
const HISTORY: usize = 200;

/// Enter was pressed in a conversation.
pub fn enter(app: &mut App, out: &mut Vec<Effect>) {
    let text = typing::typed(app);
    let Some(place) = app.current.clone() else { return };
    if text.trim().is_empty() {
        return;
    }
    app.input = field("");
    app.history_at = None;
    if app.history.last() != Some(&text) {
        app.history.push(text.clone());
        app.history.drain(..app.history.len().saturating_sub(HISTORY));
    }
    if let Some(log) = app.log_mut() {
        (log.scroll, log.chosen) = (0, None);
        log.new_from = None;
    }
    let compose = std::mem::take(&mut app.compose);
    match (place, compose) {
        (Place::Conversation(conversation), Compose::Edit(message)) => {
            out.push(Effect::Ask(Command::Edit { conversation, message, text }, Then::Nothing));
        }
        (Place::Conversation(name), compose) => {
            let reply_to = if let Compose::Reply(id) = compose { Some(id) } else { None };
            // A text of several lines is no command.
            let typed = if text.contains('\n') { Typed::Say(text) } else { parse(&text) };
            in_conversation(app, out, &name, typed, reply_to);
        }
        (Place::Room(name), _) => {
            let typed = match text.contains('\n') {
                true => line::Typed::Engine(TypedCommand::Say(text)),
                false => line::parse(&text),
            };
            in_room(app, out, &name, typed);
        }
    }
}

/// Recalls what was typed before.
pub fn earlier(app: &mut App, back: bool) {
    let last = app.history.len();
    let at = match (app.history_at, back) {
        (None, true) => last.checked_sub(1),
        (Some(at), true) => Some(at.saturating_sub(1)),
        (Some(at), false) => Some(at + 1).filter(|n| *n < last),
        (None, false) => None,
    };
    if at == app.history_at {
        return;
    }
    app.history_at = at;
    app.input = field(at.and_then(|at| app.history.get(at)).map_or("", String::as_str));
}

fn in_conversation(
    app: &mut App,
    out: &mut Vec<Effect>,
    name: &str,
    typed: Typed,
    reply_to: Option<String>,
) {
    let conversation = name.to_owned();
    match typed {
        Typed::Blank => {}
        Typed::Quit => act::act(app, out, Action::Quit, None),
        Typed::Say(text) => send(out, name, text, reply_to),
        Typed::Reply(id, text) => {
            if let Some(line) = find(app, &id, |l| !l.notice) {
                send(out, name, text, Some(line.id));
            }
        }
        Typed::React(id, emoji) => {
            if let Some(line) = find(app, &id, |l| !l.you && !l.notice) {
                let command =
                    Command::React { conversation, message: line.id, emoji, remove: false };
                out.push(Effect::Ask(command, Then::Nothing));
            }
        }
        Typed::Edit(id, text) => {
            if let Some(line) = find(app, &id, |l| l.you) {
                out.push(Effect::Ask(
                    Command::Edit { conversation, message: line.id, text },
                    Then::Nothing,
                ));
            }
        }
        Typed::Delete(id) => {
            if let Some(line) = find(app, &id, |l| l.you) {
                out.push(Effect::Ask(
                    Command::Delete { conversation, message: line.id },
                    Then::Nothing,
                ));
            }
        }
        Typed::Why(id) => {
            if let Some(line) = find(app, &id, |l| l.you) {
                out.push(Effect::Ask(Command::Why { conversation, message: line.id }, Then::Why));
            }
        }
        Typed::File(path) => {
            let done = Then::Say("offered; it is sent once they accept".to_owned());
            out.push(Effect::Ask(Command::SendFile { to: conversation, path }, done));
        }
        Typed::Accept(id) => accept(app, out, name, &id),
        Typed::Timer(time) => match timer_seconds(&time) {
            Ok(seconds) => {
                let done = Then::Say("the timer is set".to_owned());
                out.push(Effect::Ask(Command::SetTimer { conversation, seconds }, done));
            }
            Err(failure) => app.complain(failure.to_string()),
        },
        Typed::Floor(floor) => set_floor(out, name, floor),
        Typed::Safety(on) => {
            set_floor(out, name, if on { "hidden" } else { "anywhere" }.to_owned())
        }
        Typed::Verify => {
            let done = Then::Say(format!("{name} is verified now"));
            out.push(Effect::Ask(Command::Verify { conversation, verified: true }, done));
        }
        Typed::Who => act::act(app, out, Action::People, None),
        Typed::Nearby => act::act(app, out, Action::Mesh, None),
        Typed::Words => act::act(app, out, Action::Words, None),
        Typed::Help => act::act(app, out, Action::Help, None),
        Typed::Export(file, format) => {
            let ending = format!("{format:?}").to_lowercase();
            let file = file.unwrap_or_else(|| format!("hushwing-talk.{ending}"));
            out.push(Effect::Export(Place::Conversation(conversation), format, file.into()));
        }
        Typed::Unknown(word) => unknown(app, &word),
    }
}

fn unknown(app: &mut App, word: &str) {
    // What was typed is not lost.
    if let Some(text) = app.history.last() {
        app.input = field(text);
    }
    app.complain(format!("no such command, or something is missing: /{word}; F1 lists them"));
}

fn send(out: &mut Vec<Effect>, name: &str, text: String, reply_to: Option<String>) {
    let then = Then::Sent { place: Place::Conversation(name.to_owned()), text: text.clone() };
    out.push(Effect::Ask(Command::Send { to: name.to_owned(), text, reply_to }, then));
}

fn set_floor(out: &mut Vec<Effect>, name: &str, floor: String) {
    let done = Then::Say(format!("floor: {floor}"));
    out.push(Effect::Ask(Command::Floor { conversation: name.to_owned(), floor }, done));
}

/// The message whose id begins so, or the newest one that fits.
fn find(app: &mut App, id: &str, fits: impl Fn(&Line) -> bool) -> Option<Line> {
    let id = id.to_ascii_lowercase();
    let lines = app.log().map(|l| l.lines.as_slice()).unwrap_or_default();
    let found = if id == "last" {
        lines.iter().rev().find(|l| fits(l)).cloned()
    } else {
        lines.iter().rev().find(|l| id.len() >= 4 && l.id.starts_with(&id)).cloned()
    };
    if found.is_none() {
        app.complain("there is no such message here; choose it with Alt+↑ instead");
    }
    found
}

fn accept(app: &mut App, out: &mut Vec<Effect>, name: &str, id: &str) {
    let mut offered =
        app.files.iter().filter(|f| f.conversation == name && !f.ours && f.state == "offered");
    let found = offered.rfind(|f| id == "last" || f.transfer.starts_with(id));
    match found.map(|f| f.transfer.clone()) {
        Some(transfer) => act::fetch(out, &transfer),
        None => app.say("no such file is offered"),
    }
}

fn in_room(app: &mut App, out: &mut Vec<Effect>, name: &str, typed: line::Typed) {
    let room = name.to_owned();
    let command = match typed {
        line::Typed::Blank => return,
        line::Typed::Help => return act::act(app, out, Action::Help, None),
        line::Typed::Unknown(word) => return unknown(app, &word),
        line::Typed::Export(file) => {
            let file = file.unwrap_or_else(|| "hushwing-chat.txt".to_owned());
            let format = crate::cli::args_profile::Format::Txt;
            out.push(Effect::Export(Place::Room(room), format, file.into()));
            return;
        }
        line::Typed::Engine(command) => command,
    };
    let (command, then) = match command {
        TypedCommand::Leave => return act::act(app, out, Action::Quit, None),
        TypedCommand::Who => return act::act(app, out, Action::People, None),
        TypedCommand::Say(text) => {
            let then = Then::Sent { place: Place::Room(room.clone()), text: text.clone() };
            (Command::Say { room, text }, then)
        }
        TypedCommand::Nick(nick) => (Command::RoomNick { room, nick }, Then::Nothing),
        TypedCommand::Link => (Command::RoomLink { room }, Then::Link),
        TypedCommand::Mute(name) => (Command::RoomMute { room, name, muted: true }, Then::Nothing),
        TypedCommand::Unmute(name) => {
            (Command::RoomMute { room, name, muted: false }, Then::Nothing)
        }
        TypedCommand::Rekey(names) => {
            (Command::RoomRekey { room, names }, Then::Say("new keys".to_owned()))
        }
        TypedCommand::Route(route) => {
            let done = Then::Say(format!("route: {}", route.name()));
            (Command::RoomRoute { room, route: route.name().to_owned() }, done)
        }
        TypedCommand::Safety(on) => {
            let route = if on { "onion" } else { "direct" }.to_owned();
            let done = Then::Say(format!("route: {route}"));
            (Command::RoomRoute { room, route }, done)
        }
        TypedCommand::Renew => {
            (Command::RoomCircuits { room }, Then::Say("new circuits".to_owned()))
        }
    };
    out.push(Effect::Ask(command, then));
}

/// A text was refused: it is put back, unless another one was begun.
pub fn give_back(app: &mut App, out: &mut Vec<Effect>, place: &Place, text: &str) {
    if app.current.as_ref() == Some(place) && app.input.is_empty() {
        app.input = field(text);
    } else {
        app.drafts.entry(place.clone()).or_insert_with(|| field(text));
    }
    if app.current.is_none() {
        open::open(app, out, place.clone());
    }
}

/// Whether a question is on top.
#[must_use]
pub fn asked(app: &App) -> bool {
    app.dialogs.iter().any(|d| matches!(d, Dialog::Prompt(_)))
}
