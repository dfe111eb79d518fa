//! Actions that move: in the list, in the conversation, between conversations.

use super::{open, say};
use crate::dialog::field;
use crate::keys::Action;
use crate::state::{App, Compose, Effect, Pane, Tab};

/// Does it. `digit`: the one of the key, if it was one.
pub(super) fn go(app: &mut App, out: &mut Vec<Effect>, action: Action, digit: Option<usize>) {
    let page = app.drawn.page.max(2) - 1;
    match action {
        Action::Next => step(app, out, false),
        Action::Previous => step(app, out, true),
        Action::NextUnread => next_unread(app, out),
        Action::Jump => {
            let place = digit.and_then(|d| app.places().into_iter().nth(d.saturating_sub(1)));
            if let Some(place) = place {
                open::open(app, out, place);
            }
        }
        Action::Tabs => {
            let tab = if app.tab == Tab::Chats { Tab::People } else { Tab::Chats };
            show_tab(app, tab);
            app.pane = Pane::List;
        }
        Action::Back => back(app),
        _ if app.in_list() => in_list(app, out, action, page),
        Action::Enter => say::enter(app, out),
        Action::Newline => app.input.insert_newline(),
        Action::Up => say::earlier(app, true),
        Action::Down => say::earlier(app, false),
        Action::PageUp => scroll(app, out, page, true),
        Action::PageDown => scroll(app, out, page, false),
        Action::Top => scroll(app, out, usize::MAX / 2, true),
        Action::Bottom => scroll(app, out, usize::MAX, false),
        Action::ChooseUp | Action::ChooseDown => {
            if let Some(log) = app.log_mut() {
                log.choose(action == Action::ChooseUp);
                let first = log.lines.first().map(|l| l.id);
                if log.chosen.is_some() && log.chosen == first {
                    older(app, out);
                }
            }
        }
        _ => {}
    }
}

fn in_list(app: &mut App, out: &mut Vec<Effect>, action: Action, page: usize) {
    let row = app.row(&app.places());
    match action {
        Action::Enter => {
            if let Some(place) = app.at {
                open::open(app, out, place);
            }
        }
        Action::Up => app.select_row(row.saturating_sub(1)),
        Action::PageUp => app.select_row(row.saturating_sub(page)),
        Action::Down => app.select_row(row + 1),
        Action::PageDown => app.select_row(row + page),
        _ => {}
    }
}

/// Shows chats or people.
pub(super) fn show_tab(app: &mut App, tab: Tab) {
    app.tab = tab;
    app.at = None;
}

/// Something of the list is selected, and stays so however the list is sorted meanwhile.
pub(super) fn keep_selected(app: &mut App) {
    let places = app.places();
    if app.at.is_none_or(|at| !places.contains(&at)) {
        app.at = places.first().copied();
    }
}

/// Scrolls the conversation by so many lines.
pub(super) fn scroll(app: &mut App, out: &mut Vec<Effect>, lines: usize, back: bool) {
    let top = app.drawn.top;
    let Some(log) = app.log_mut() else { return };
    log.chosen = None;
    if !back {
        log.scroll = log.scroll.saturating_sub(lines);
        return;
    }
    log.scroll = log.scroll.saturating_add(lines);
    if let Some(top) = top
        && log.scroll >= top
    {
        log.scroll = top;
        older(app, out);
    }
}

fn older(app: &mut App, out: &mut Vec<Effect>) {
    if let Some(place) = app.current {
        open::fetch(app, out, place, true);
    }
}

fn back(app: &mut App) {
    if app.toast.take_if(|t| t.bad).is_some() {
        return;
    }
    if let Some(log) = app.log_mut()
        && (log.chosen.is_some() || log.scroll > 0)
    {
        (log.chosen, log.scroll) = (None, 0);
    } else if app.compose != Compose::New {
        app.compose = Compose::New;
        app.input = field("");
    } else if app.narrow() {
        app.pane = Pane::List;
        app.at = app.current.or(app.at);
    }
}

/// The next conversation of the list, or the one before.
fn step(app: &mut App, out: &mut Vec<Effect>, back: bool) {
    let places = app.places();
    let at = app.current.and_then(|c| places.iter().position(|p| *p == c));
    let next = match (at, back) {
        (None, _) => 0,
        (Some(0), true) => places.len().saturating_sub(1),
        (Some(at), true) => at - 1,
        (Some(at), false) => (at + 1) % places.len().max(1),
    };
    if let Some(place) = places.into_iter().nth(next) {
        open::open(app, out, place);
    }
}

/// The next conversation with something unread.
fn next_unread(app: &mut App, out: &mut Vec<Effect>) {
    let places = app.places();
    match places.into_iter().find(|p| app.unseen(*p) > 0 && app.current != Some(*p)) {
        Some(place) => open::open(app, out, place),
        None => app.say("nothing is unread"),
    }
}
