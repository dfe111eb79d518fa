//! What happens to the screen when something happens. No clocks, terminals or engines here: effects
//! come out.

mod act;
mod dialog;
mod event;
mod lists;
mod mouse;
mod open;
mod pages;
mod press;
mod reply;
mod say;
mod typing;

pub use self::lists::bar;
pub use self::typing::in_list;

use super::Start;
use super::dialog::Prompt;
use super::state::{App, Effect, Input, Then};
use crate::engine::profile::Command;

type Question = fn() -> (Command, Then);

/// What is asked again when it may have changed.
const ASKED: [(&str, Question); 5] = [
    ("status", || (Command::Status {}, Then::Status)),
    ("conversations", || (Command::Conversations {}, Then::Conversations)),
    ("rooms", || (Command::Rooms {}, Then::Rooms)),
    ("files", || (Command::Files {}, Then::Files)),
    ("invites", || (Command::GroupInvites {}, Then::GroupInvites)),
];

/// The first things to do.
pub fn start(app: &mut App, open: Option<Start>) -> Vec<Effect> {
    let mut out = vec![Effect::Ask(Command::Settings {}, Then::Settings(false))];
    for (what, _) in ASKED {
        app.refresh(what);
    }
    match open {
        None => {}
        // Whoever has made it sees our name: there must be one first.
        Some(Start::Invite(link)) => app.invite = Some(link),
        Some(Start::Room { link, nick, route }) => {
            app.say("joining the room …");
            out.push(Effect::Ask(Command::JoinRoom { link, name: None, nick, route }, Then::Open));
        }
    }
    ask_again(app, &mut out);
    out
}

/// One step. `now_ms`: ms since the Unix epoch.
pub fn update(app: &mut App, now_ms: u64, input: Input) -> Vec<Effect> {
    use crossterm::event::{Event, KeyEventKind};
    app.now_ms = now_ms;
    let mut out = Vec::new();
    app.dirty |= !matches!(input, Input::Tick);
    match input {
        Input::Terminal(Event::Key(key)) if key.kind != KeyEventKind::Release => {
            typing::key(app, &mut out, key)
        }
        Input::Terminal(Event::Mouse(mouse)) => mouse::mouse(app, &mut out, mouse),
        Input::Terminal(Event::Paste(text)) => typing::paste(app, &mut out, &text),
        Input::Terminal(Event::Resize(width, height)) => {
            app.size = (width, height);
            // What was narrow may be wide now: nobody is left without a conversation.
            out.push(Effect::Redraw);
        }
        Input::Terminal(Event::FocusGained) => {
            app.focused = true;
        }
        Input::Terminal(Event::FocusLost) => app.focused = false,
        Input::Terminal(Event::Key(_)) => {}
        Input::Event(event) => event::event(app, &mut out, *event),
        Input::Reply(then, answer) => reply::reply(app, &mut out, then, answer),
        Input::Dir(path, found) => lists::directory(app, path, found),
        Input::Exported(done) => match done {
            Ok(text) => app.say(text),
            Err(text) => app.complain(text),
        },
        Input::Tick => tick(app),
        Input::Stopped => {
            app.complain("the engine has stopped: start the program again");
            if app.leaving {
                out.push(Effect::Quit);
            }
        }
    }
    // Whatever has happened, a person may look at what is new now.
    open::seen(app, &mut out);
    ask_again(app, &mut out);
    out
}

fn tick(app: &mut App) {
    if app.toast.as_ref().is_some_and(|t| t.until_ms <= app.now_ms) {
        app.toast = None;
        app.dirty = true;
    }
    if app.leaving {
        app.refresh("status");
    }
    let now = app.now_ms;
    if let Some(log) = app.log_mut()
        && log.lines.iter().any(|l| l.expires_ms.is_some_and(|e| e <= now))
    {
        log.lines.retain(|l| l.expires_ms.is_none_or(|e| e > now));
        app.dirty = true;
    }
}

/// Each thing is asked once at a time, however often it changes meanwhile.
fn ask_again(app: &mut App, out: &mut Vec<Effect>) {
    for (what, ask) in ASKED {
        let stale = app.stale.entry(what).or_default();
        if stale.wanted && !stale.asking {
            (stale.wanted, stale.asking) = (false, true);
            let (command, then) = ask();
            out.push(Effect::Ask(command, then));
        }
    }
}

/// Puts a question above everything.
fn ask(app: &mut App, prompt: Prompt) {
    app.dialogs.push(super::dialog::Dialog::Prompt(Box::new(prompt)));
}
