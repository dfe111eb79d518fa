//! Keys in lists, questions and pages.

use crossterm::event::{KeyCode, KeyEvent};

use api::{
    CreateGroup, CreateRoom, Refusal, RenameGroup, Request, SetName, SetOwnName, SetRoomNick,
};
use text::timer_seconds;

use super::{act, conversation, help, lists, messages, open, pages, press, settings, typing};
use crate::ask;
use crate::dialog::{Dialog, Press, Prompt, Purpose, Source, text_of};
use crate::keys::Action;
use crate::state::{App, Effect, Fact};

/// Puts a question above everything.
pub(super) fn prompt(app: &mut App, prompt: Prompt) {
    app.dialogs.push(Dialog::Prompt(Box::new(prompt)));
}

/// Whether a question waits for its answer.
pub(super) fn is_asking(app: &App) -> bool {
    app.dialogs.iter().any(|d| matches!(d, Dialog::Prompt(_)))
}

/// An action of the table, with a dialog on top.
pub(super) fn act(app: &mut App, out: &mut Vec<Effect>, action: Action) {
    match (action, app.dialogs.last_mut()) {
        (Action::Help, Some(Dialog::Page(page))) if page.title == help::TITLE => close(app),
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
pub(super) fn typed(app: &mut App, out: &mut Vec<Effect>, key: KeyEvent) {
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
pub(super) fn filtered(app: &mut App, out: &mut Vec<Effect>) {
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
    // A room's name, an own name and a setting can be empty: then there is none.
    let may_be_empty =
        matches!(purpose, Purpose::NewRoom | Purpose::OwnName(_) | Purpose::Setting(_));
    if answer.is_empty() && !may_be_empty {
        return;
    }
    if let Purpose::AcceptInvite | Purpose::JoinRoom = purpose {
        if typing::use_link(app, out, &answer) {
            app.dialogs.pop();
        } else {
            app.complain("invalid link: a link starts with hushwing:invite# or hushwing:room#; copy all of it");
        }
        return;
    }
    let Some(Dialog::Prompt(asked)) = app.dialogs.pop() else { return };
    answered(app, out, *asked, answer);
}

fn answered(app: &mut App, out: &mut Vec<Effect>, asked: Prompt, answer: String) {
    match asked.purpose.clone() {
        Purpose::FirstName | Purpose::Name => ask::ask_either(out, SetName { name: answer }, named),
        Purpose::NewRoom => {
            app.say("creating the room …");
            let name = Some(answer).filter(|a| !a.is_empty());
            open::ask_and_open(app, out, CreateRoom { name, nick: None, network: None });
        }
        Purpose::NewGroup => open::ask_and_open(app, out, CreateGroup { title: answer }),
        Purpose::OwnName(conversation) => {
            let name = Some(answer).filter(|a| !a.is_empty());
            ask::ask(out, SetOwnName { conversation, name }, |app, _, _| {
                app.refresh(Fact::Conversations);
            });
        }
        Purpose::GroupTitle(group) => {
            ask::ask_and_say(out, RenameGroup { group, title: answer }, "renamed for everyone");
        }
        Purpose::Timer(conversation) => match timer_seconds(&answer) {
            Ok(seconds) => conversation::set_timer(out, conversation, seconds),
            Err(refusal) => {
                app.complain(refusal.text);
                prompt(app, asked);
            }
        },
        Purpose::Nick(room) => {
            ask::ask(out, SetRoomNick { room, nick: answer }, |_, _, _| {});
        }
        Purpose::React(conversation, message) => {
            messages::react(out, conversation, message, answer, false);
        }
        Purpose::Setting(key) => settings::set(app, out, &key, &answer),
        Purpose::ExportFile(place, format) => {
            let title = app.label(place);
            out.push(Effect::Export(place, title, format, answer.into()));
        }
        // `submit` has used the link.
        Purpose::AcceptInvite | Purpose::JoinRoom => {}
    }
}

/// The name was changed, or refused; the first one is asked for until there is one.
fn named(app: &mut App, _: &mut Vec<Effect>, answer: Result<<SetName as Request>::Reply, Refusal>) {
    match answer {
        Ok(_) => {
            app.say("name changed");
            app.refresh(Fact::Status);
        }
        Err(refusal) => {
            if app.status.as_ref().is_some_and(|s| s.name.is_empty()) {
                prompt(app, pages::first_name());
            }
            app.refused(&refusal);
        }
    }
}
