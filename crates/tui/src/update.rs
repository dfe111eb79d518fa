//! What happens to the screen when something happens. No clocks, terminals or engines here: effects
//! come out.

mod act;
mod conversation;
mod dialog;
mod event;
mod facts;
mod files;
mod groups;
mod help;
mod lists;
mod messages;
mod mouse;
mod movement;
mod open;
mod pages;

mod press;
mod rooms;
mod say;
mod settings;
mod typing;

use crossterm::event::{Event, KeyEventKind};

use crate::Start;
use crate::state::{App, Effect, Fact, Input};

/// The first things to do.
pub(crate) fn start(app: &mut App, open: Option<Start>) -> Vec<Effect> {
    let mut out = Vec::new();
    settings::at_start(&mut out);
    for fact in Fact::ALL {
        app.refresh(fact);
    }
    match open {
        None => {}
        // Its creator sees the user's name: there must be one first.
        Some(Start::Invite(link)) => app.invite = Some(link),
        Some(Start::Room { link, nick, route }) => open::join(app, &mut out, &link, nick, route),
    }
    facts::ask_again(app, &mut out);
    out
}

/// One step. `now_ms`: ms since the Unix epoch.
pub(crate) fn update(app: &mut App, now_ms: u64, input: Input) -> Vec<Effect> {
    app.now_ms = now_ms;
    let mut out = Vec::new();
    app.dirty |= !matches!(input, Input::Tick);
    match input {
        Input::Terminal(event) => terminal(app, &mut out, event),
        Input::Event(event) => event::event(app, &mut out, *event),
        Input::Answered(step) => step.take(app, &mut out),
        Input::Dir(to, path, found) => files::directory(app, to, &path, found),
        Input::Exported(Ok(text)) => app.say(text),
        Input::Exported(Err(text)) => app.complain(text),
        Input::Tick => tick(app),
        Input::Stopped => {
            app.complain("the engine stopped: restart the program");
            if app.leaving {
                out.push(Effect::Quit);
            }
        }
    }
    movement::keep_selected(app);
    // Whatever has happened, a person may look at what is new now.
    open::seen(app, &mut out);
    facts::ask_again(app, &mut out);
    out
}

fn terminal(app: &mut App, out: &mut Vec<Effect>, event: Event) {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => typing::key(app, out, key),
        Event::Key(_) => {}
        Event::Mouse(mouse) => mouse::mouse(app, out, mouse),
        Event::Paste(text) => typing::paste(app, out, &text),
        Event::Resize(width, height) => {
            app.size = (width, height);
            out.push(Effect::Redraw);
        }
        Event::FocusGained => app.focused = true,
        Event::FocusLost => app.focused = false,
    }
}

fn tick(app: &mut App) {
    if app.toast.as_ref().is_some_and(|t| t.until_ms <= app.now_ms) {
        app.toast = None;
        app.dirty = true;
    }
    if app.leaving {
        app.refresh(Fact::Status);
    }
    let now = app.now_ms;
    if let Some(log) = app.log_mut()
        && log.lines.iter().any(|l| l.expires_ms.is_some_and(|e| e <= now))
    {
        log.lines.retain(|l| l.expires_ms.is_none_or(|e| e > now));
        app.dirty = true;
    }
}
