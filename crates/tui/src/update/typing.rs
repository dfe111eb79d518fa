//! Keys and pastes.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{act, dialog, open, pages};
use crate::dialog::{Dialog, Purpose, text_of};
use crate::keys::{self, Action, Context};
use crate::state::{App, Effect, Pane};

/// Beginnings of links that can be used anywhere.
const INVITE: &str = "hushwing:invite#";
const ROOM: &str = "hushwing:room#";

/// The contexts that hold now.
pub(super) fn contexts(app: &App) -> Vec<Context> {
    let mut contexts = Vec::new();
    match app.dialogs.last() {
        Some(Dialog::Pick(_)) => contexts.push(Context::Pick),
        Some(Dialog::Prompt(_)) => contexts.push(Context::Prompt),
        Some(Dialog::Page(_)) => contexts.push(Context::Page),
        None if app.in_list() => contexts.push(Context::List),
        None => {
            if app.input.is_empty() {
                if app.log().is_some_and(|l| l.chosen().is_some()) {
                    contexts.push(Context::Chosen);
                }
                contexts.push(Context::Empty);
            }
            if app.input.is_empty() || app.sent_at.is_some() {
                contexts.push(Context::Recall);
            }
            contexts.push(Context::Talk);
        }
    }
    contexts.push(Context::Any);
    contexts
}

/// A key was pressed.
pub(super) fn key(app: &mut App, out: &mut Vec<Effect>, key: KeyEvent) {
    if let Some(action) = keys::find(&contexts(app), &key) {
        if app.dialogs.is_empty() || matches!(action, Action::Quit | Action::Redraw) {
            let digit = match key.code {
                KeyCode::Char(c) => c.to_digit(10).and_then(|d| usize::try_from(d).ok()),
                _ => None,
            };
            act::act(app, out, action, digit);
        } else {
            dialog::act(app, out, action);
        }
        return;
    }
    match app.dialogs.last() {
        Some(_) => dialog::typed(app, out, key),
        // In the list a letter begins a search in the palette.
        None if app.in_list() => {
            if let KeyCode::Char(c) = key.code
                && (key.modifiers - KeyModifiers::SHIFT).is_empty()
            {
                super::lists::palette(app);
                if let Some(Dialog::Pick(pick)) = app.dialogs.last_mut() {
                    pick.filter.insert_char(c);
                }
            }
        }
        None => {
            if let Some(log) = app.log_mut()
                && matches!(key.code, KeyCode::Char(_))
            {
                log.chosen = None;
            }
            if key.code != KeyCode::Tab {
                app.input.input(key);
            }
            app.sent_at = None;
        }
    }
}

/// A link without the breaks and spaces that copying it from a screen has put in.
pub(super) fn squeezed(link: &str) -> String {
    link.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\'' | '"')).collect()
}

/// A text was pasted: it is put where one types, and nothing is sent.
pub(super) fn paste(app: &mut App, out: &mut Vec<Effect>, text: &str) {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    // What was copied may hold what a terminal would act on; a line end is the only such thing that
    // stays.
    let text: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    let link = squeezed(&text);
    match app.dialogs.last_mut() {
        Some(Dialog::Prompt(prompt)) => {
            let is_link = matches!(prompt.purpose, Purpose::AcceptInvite | Purpose::JoinRoom);
            prompt.input.insert_str(if is_link { link } else { text.replace('\n', " ") });
        }
        Some(Dialog::Pick(pick)) if !first_steps(&pick.title) => {
            pick.filter.insert_str(text.replace('\n', " "));
            dialog::filtered(app, out);
        }
        Some(Dialog::Page(_)) => {}
        _ if link.starts_with(INVITE) => {
            app.dialogs.clear();
            dialog::prompt(app, pages::accept_invite(&link));
        }
        _ if link.starts_with(ROOM) => {
            app.dialogs.clear();
            dialog::prompt(app, pages::join_room(&link));
        }
        Some(_) => {}
        None if app.current.is_some() => {
            app.pane = Pane::Talk;
            app.input.insert_str(text);
        }
        None => app.say("open a conversation first, then paste"),
    }
}

/// The list that is shown once there is a name takes a link as it is pasted.
fn first_steps(title: &str) -> bool {
    title == pages::FIRST_STEPS
}

/// What was typed into the input.
pub(super) fn typed(app: &App) -> String {
    text_of(&app.input)
}

/// A link that was pasted or typed somewhere is used.
pub(super) fn use_link(app: &mut App, out: &mut Vec<Effect>, link: &str) -> bool {
    let link = squeezed(link);
    if link.starts_with(INVITE) {
        open::accept(app, out, &link);
    } else if link.starts_with(ROOM) {
        open::join(app, out, &link, None, None);
    } else {
        return false;
    }
    true
}
