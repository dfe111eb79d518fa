//! The mouse.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::{act, dialog, files, movement, open, press};
use crate::dialog::Dialog;
use crate::keys::Action;
use crate::state::{App, Effect, Hit, Pane};

/// Lines that one notch of the wheel scrolls.
const NOTCH: usize = 3;

/// It was clicked or turned.
pub(super) fn mouse(app: &mut App, out: &mut Vec<Effect>, mouse: MouseEvent) {
    if !app.prefs.mouse {
        return;
    }
    let at = Position { x: mouse.column, y: mouse.row };
    let hit = app.drawn.hits.iter().rev().find(|(area, _)| area.contains(at)).map(|(_, hit)| *hit);
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => {
            if let Some(hit) = hit {
                click(app, out, hit);
            }
        }
        MouseEventKind::ScrollUp => wheel(app, out, hit.as_ref(), true),
        MouseEventKind::ScrollDown => wheel(app, out, hit.as_ref(), false),
        _ => app.dirty = false,
    }
}

fn click(app: &mut App, out: &mut Vec<Effect>, hit: Hit) {
    match hit {
        Hit::Tab(tab) => movement::show_tab(app, tab),
        Hit::Conversation(place) => open::open(app, out, place),
        Hit::Message(id) => {
            if let Some(log) = app.log_mut() {
                log.chosen = if log.chosen == Some(id) { None } else { Some(id) };
            }
            // The keys of a chosen message work with nothing typed only.
            if !app.input.is_empty() && app.log().is_some_and(|l| l.chosen.is_some()) {
                app.say("the palette (Ctrl+K) has what can be done with this message");
            }
        }
        Hit::Accept(transfer) => files::accept(out, transfer),
        Hit::Decline(transfer) => files::decline(out, transfer),
        Hit::Act(action) => act::act(app, out, action, None),
        Hit::Item(at) => {
            if let Some(Dialog::Pick(pick)) = app.dialogs.last_mut() {
                pick.at = at;
                dialog::act(app, out, Action::Enter);
            }
        }
        Hit::Button(at) => {
            let chosen = match app.dialogs.last() {
                Some(Dialog::Page(page)) => page.buttons.get(at).map(|b| b.press.clone()),
                _ => None,
            };
            if let Some(chosen) = chosen {
                press::press(app, out, chosen);
            }
        }
        Hit::Talk | Hit::Input => {
            app.pane = Pane::Talk;
        }
        Hit::Dialog => {}
    }
}

fn wheel(app: &mut App, out: &mut Vec<Effect>, hit: Option<&Hit>, back: bool) {
    if !app.dialogs.is_empty() {
        for _ in 0..NOTCH {
            let pick = matches!(app.dialogs.last(), Some(Dialog::Pick(_)));
            dialog::act(app, out, if back { Action::Up } else { Action::Down });
            // A list moves by one: a wheel must not run past what a person looks for.
            if pick {
                break;
            }
        }
        return;
    }
    match hit {
        Some(Hit::Conversation(_) | Hit::Tab(_)) => {
            let row = app.row(&app.places());
            app.select_row(if back { row.saturating_sub(1) } else { row + 1 });
        }
        _ => movement::scroll(app, out, NOTCH, back),
    }
}
