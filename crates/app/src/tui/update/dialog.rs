//! Keys in lists, questions and pages.

use crossterm::event::{KeyCode, KeyEvent};

use super::super::dialog::{Dialog, Press, Prompt, Purpose, Source, text_of};
use super::super::keys::Action;
use super::super::state::{App, Effect, Place, Then};
use super::{act, lists, open, pages, press, typing};
use crate::cli::profile::timer_seconds;
use crate::engine::profile::Command;

/// An action of the table, with a dialog on top.
pub fn act(app: &mut App, out: &mut Vec<Effect>, action: Action) {
    match (action, app.dialogs.last_mut()) {
        (Action::Help, Some(Dialog::Page(page))) if page.title == pages::HELP => close(app),
        (Action::Palette, Some(Dialog::Pick(pick))) if pick.title == lists::PALETTE => close(app),
        // What must be answered first stays on top.
        (Action::Palette, Some(Dialog::Prompt(prompt))) if prompt.must => {}
        (Action::Help | Action::Palette, _) => act::act(app, out, action, None),
        (_, Some(Dialog::Pick(_))) => in_pick(app, out, action),
        (_, Some(Dialog::Prompt(prompt))) => match action {
            Action::Back if prompt.must => act::act(app, out, Action::Quit, None),
            Action::Back => close(app),
            Action::Enter => submit(app, out),
            _ => {}
        },
        (_, Some(Dialog::Page(_))) => in_page(app, out, action),
        (_, None) => {}
    }
}

fn close(app: &mut App) {
    app.dialogs.pop();
    app.leaving = false;
}

fn in_pick(app: &mut App, out: &mut Vec<Effect>, action: Action) {
    let step = app.drawn.rows.0.max(2) - 1;
    let Some(Dialog::Pick(pick)) = app.dialogs.last_mut() else { return };
    let last = pick.shown().len().saturating_sub(1);
    match action {
        Action::Up => pick.at = if pick.at == 0 { last } else { pick.at - 1 },
        Action::Down => pick.at = if pick.at >= last { 0 } else { pick.at + 1 },
        Action::PageUp => pick.at = pick.at.saturating_sub(step),
        Action::PageDown => pick.at = (pick.at + step).min(last),
        Action::Back => close(app),
        Action::Enter => {
            let chosen = pick.shown().get(pick.at).map(|i| i.press.clone());
            if let Some(chosen) = chosen {
                press::press(app, out, chosen);
            }
        }
        _ => {}
    }
}

fn in_page(app: &mut App, out: &mut Vec<Effect>, action: Action) {
    let (fits, rows) = app.drawn.rows;
    let last = rows.saturating_sub(fits);
    let Some(Dialog::Page(page)) = app.dialogs.last_mut() else { return };
    let buttons = page.buttons.len().max(1);
    match action {
        Action::Up => page.scroll = page.scroll.saturating_sub(1),
        Action::Down => page.scroll = (page.scroll + 1).min(last),
        Action::PageUp => page.scroll = page.scroll.saturating_sub(fits.max(2) - 1),
        Action::PageDown => page.scroll = (page.scroll + fits.max(2) - 1).min(last),
        Action::Top => page.scroll = 0,
        Action::Bottom => page.scroll = last,
        Action::NextButton => page.focus = (page.focus + 1) % buttons,
        Action::PreviousButton => page.focus = (page.focus + buttons - 1) % buttons,
        Action::Back => close(app),
        Action::Enter => {
            let chosen = page.buttons.get(page.focus).map_or(Press::Close, |b| b.press.clone());
            press::press(app, out, chosen);
        }
        _ => {}
    }
}

/// A key that is in no table: it is typed.
pub fn typed(app: &mut App, out: &mut Vec<Effect>, key: KeyEvent) {
    match app.dialogs.last_mut() {
        Some(_) if key.code == KeyCode::Tab => {}
        Some(Dialog::Pick(pick)) => {
            let changed = pick.filter.input(key);
            if changed {
                filtered(app, out);
            }
        }
        Some(Dialog::Prompt(prompt)) => {
            prompt.input.input(key);
        }
        _ => {}
    }
}

/// Another filter: the first item is chosen, and what the engine must find is asked for.
pub fn filtered(app: &mut App, out: &mut Vec<Effect>) {
    let Some(Dialog::Pick(pick)) = app.dialogs.last_mut() else { return };
    pick.at = 0;
    if pick.source == Source::Search {
        lists::ask_search(out, text_of(&pick.filter).trim());
    }
}

/// The answer to a question is there.
fn submit(app: &mut App, out: &mut Vec<Effect>) {
    let Some(Dialog::Prompt(prompt)) = app.dialogs.last() else { return };
    let answer = text_of(&prompt.input).trim().to_owned();
    let purpose = prompt.purpose.clone();
    // Only a room's name, a room's nick and a setting can be empty.
    if answer.is_empty() && !matches!(purpose, Purpose::NewRoom | Purpose::Setting(_)) {
        return;
    }
    if let Purpose::AcceptInvite | Purpose::JoinRoom = purpose {
        if typing::use_link(app, out, &answer) {
            app.dialogs.pop();
        } else {
            app.complain("this is no link: it begins with hushwing:invite# or hushwing:room# and must be copied whole");
        }
        return;
    }
    let Some(Dialog::Prompt(prompt)) = app.dialogs.pop() else { return };
    answered(app, out, *prompt, answer);
}

fn answered(app: &mut App, out: &mut Vec<Effect>, prompt: Prompt, answer: String) {
    let (command, then) = match prompt.purpose.clone() {
        Purpose::FirstName | Purpose::Name => (Command::SetName { name: answer }, Then::Named),
        Purpose::NewRoom => {
            app.say("making the room …");
            let name = Some(answer).filter(|a| !a.is_empty());
            (Command::CreateRoom { name, nick: None, network: None }, Then::Open)
        }
        Purpose::NewGroup => (Command::CreateGroup { title: answer }, Then::Open),
        Purpose::Rename(old) => {
            let then = Then::NewName { old: Place::Conversation(old.clone()), new: answer.clone() };
            (Command::Name { conversation: old, name: answer }, then)
        }
        Purpose::GroupTitle(group) => {
            (Command::RenameGroup { group, title: answer }, Then::Say("renamed for all".to_owned()))
        }
        Purpose::Timer(conversation) => match timer_seconds(&answer) {
            Ok(seconds) => (
                Command::SetTimer { conversation, seconds },
                Then::Say("the timer is set".to_owned()),
            ),
            Err(failure) => {
                app.complain(failure.to_string());
                app.dialogs.push(Dialog::Prompt(Box::new(prompt)));
                return;
            }
        },
        Purpose::Nick(room) => (Command::RoomNick { room, nick: answer }, Then::Nothing),
        Purpose::React(conversation, message) => {
            (Command::React { conversation, message, emoji: answer, remove: false }, Then::Nothing)
        }
        Purpose::Setting(key) => {
            lists::preference(app, out, &key, &answer);
            (Command::Set { key: key.clone(), value: answer }, Then::Set(key))
        }
        Purpose::ExportFile(place, format) => {
            out.push(Effect::Export(place, format, answer.into()));
            return;
        }
        Purpose::AcceptInvite => return open::accept(app, out, &answer),
        Purpose::JoinRoom => return open::join(app, out, &answer),
    };
    out.push(Effect::Ask(command, then));
}
