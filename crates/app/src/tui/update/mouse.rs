//! The mouse.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::super::dialog::Dialog;
use super::super::keys::Action;
use super::super::state::{App, Effect, Hit, Pane};
use super::{act, dialog, open, press};

/// Lines that one notch of the wheel scrolls.
const NOTCH: usize = 3;

/// It was clicked or turned.
pub fn mouse(app: &mut App, out: &mut Vec<Effect>, mouse: MouseEvent) {
    if !app.prefs.mouse {
        return;
    }
    let at = Position { x: mouse.column, y: mouse.row };
    let hit =
        app.drawn.hits.iter().rev().find(|(area, _)| area.contains(at)).map(|(_, hit)| hit.clone());
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
        Hit::Tab(tab) => (app.tab, app.at) = (tab, 0),
        Hit::Conversation(place) => open::open(app, out, place),
        Hit::Message(id) => {
            if let Some(log) = app.log_mut() {
                log.chosen = if log.chosen.as_ref() == Some(&id) { None } else { Some(id) };
            }
            // The keys of a chosen message work with nothing typed only.
            if !app.input.is_empty() && app.log().is_some_and(|l| l.chosen.is_some()) {
                app.say("the palette (Ctrl+K) has what can be done with this message");
            }
        }
        Hit::Accept(transfer) => act::fetch(out, &transfer),
        Hit::Refuse(transfer) => act::refuse(out, &transfer),
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
            // A list goes on by one: a wheel must not run past what one looks for.
            if pick {
                break;
            }
        }
        return;
    }
    match hit {
        Some(Hit::Conversation(_) | Hit::Tab(_)) => {
            let last = app.places().len().saturating_sub(1);
            app.at = if back { app.at.saturating_sub(1) } else { (app.at + 1).min(last) };
        }
        _ => act::scroll(app, out, NOTCH, back),
    }
}
