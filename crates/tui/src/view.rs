//! What the screen looks like: from the state alone, so that the same state gives the same frame.

mod dialog;
mod list;
mod message;
mod page;
mod paint;
mod talk;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Block;

use self::paint::Paint;
use crate::cells;
use crate::keys::{self, Action};
use crate::state::{App, Drawn, Hit, Pane};
use crate::theme::Role;

/// Draws everything; says where what is.
pub(crate) fn draw(app: &App, frame: &mut Frame<'_>) -> Drawn {
    let whole = frame.area();
    let mut paint = Paint::new(app, frame);
    paint.frame.render_widget(Block::new().style(app.theme().style(Role::Text)), whole);
    if whole.width < 20 || whole.height < 6 {
        paint.text(whole, &[("the window is too small", Role::Bad)]);
        return paint.drawn;
    }
    let [body, bar] = Layout::vertical([Constraint::Min(1), Constraint::Length(1)]).areas(whole);
    if app.narrow() {
        if app.pane == Pane::List || app.current.is_none() {
            list::list(&mut paint, body);
        } else {
            talk::talk(&mut paint, body);
        }
    } else {
        let wide = (body.width / 3).clamp(24, 36);
        let [left, line, right] = Layout::horizontal([
            Constraint::Length(wide),
            Constraint::Length(1),
            Constraint::Min(1),
        ])
        .areas(body);
        list::list(&mut paint, left);
        for y in line.top()..line.bottom() {
            paint.text(Rect { y, height: 1, ..line }, &[("│", Role::Line)]);
        }
        talk::talk(&mut paint, right);
    }
    bottom(&mut paint, bar);
    if !app.dialogs.is_empty() {
        // No cursor but the dialog's.
        dialog::dialog(&mut paint, body);
    }
    paint.drawn
}

/// The last line: what was just said, or how things stand and which keys help.
fn bottom(paint: &mut Paint<'_, '_, '_>, area: Rect) {
    let app = paint.app;
    let cells = usize::from(area.width);
    paint.fill(area, Role::Bar);
    if let Some(toast) = &app.toast {
        let role = if toast.bad { Role::Bad } else { Role::Bar };
        let style = app.theme().style(Role::Bar).patch(app.theme().style(role));
        let line = cells::clip(&toast.text, cells.saturating_sub(2));
        paint.styled(
            Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area },
            &[(line, style)],
        );
        return;
    }
    let mut left = standing(app);
    let keys: &[_] = match area.width {
        0..60 => &[(Action::Help, "help")],
        _ => &[(Action::Help, "help"), (Action::Palette, "all"), (Action::Quit, "quit")],
    };
    let mut x = area.right();
    let bar = app.theme().style(Role::Bar);
    for &(action, word) in keys.iter().rev() {
        let label = format!("{} {word}", keys::hint(action));
        let wide = u16::try_from(cells::width(&label)).unwrap_or(0) + 2;
        if x < area.x + wide + 14 {
            break;
        }
        x -= wide;
        let place = Rect { x, width: wide, ..area };
        paint.styled(place, &[(label, bar)]);
        paint.drawn.hits.push((place, Hit::Act(action)));
    }
    left = cells::clip(&left, usize::from(x.saturating_sub(area.x + 2)));
    paint.styled(
        Rect { x: area.x + 1, width: x.saturating_sub(area.x + 1), ..area },
        &[(left, bar)],
    );
}

/// How things stand, in few words.
fn standing(app: &App) -> String {
    let Some(status) = &app.status else { return "starting …".to_owned() };
    let mut parts = Vec::new();
    if !status.name.is_empty() {
        parts.push(status.name.clone());
    }
    parts.push(if status.online { "● online" } else { "○ offline" }.to_owned());
    if status.unstored > 0 {
        parts.push(format!("{} not stored", status.unstored));
    }
    if !app.group_invites.is_empty() {
        parts.push(format!("{} invitation(s)", app.group_invites.len()));
    }
    if !status.online {
        let words = if app.connection.is_empty() {
            status.connections.join("; ")
        } else {
            app.connection.clone()
        };
        if !words.is_empty() {
            parts.push(words);
        }
    }
    parts.join("  ")
}
