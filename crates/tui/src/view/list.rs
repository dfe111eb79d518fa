//! The list of conversations, or of people.

use ratatui::layout::Rect;
use ratatui::style::Style;

use api::{ConversationKind, ConversationView, MessageKind, RoomView, Route, Standing};

use super::message::{clock, day};
use super::paint::Paint;
use crate::cells;
use crate::state::{App, Hit, Place, Tab};
use crate::theme::Role;

/// Draws it.
pub(super) fn list(paint: &mut Paint<'_, '_, '_>, area: Rect) {
    let app = paint.app;
    let mut x = area.x + 1;
    for (tab, word) in [(Tab::Chats, "Chats"), (Tab::People, "People")] {
        let role = if app.tab == tab { Role::Chosen } else { Role::Dim };
        let wide = u16::try_from(word.len() + 2).unwrap_or(0);
        let place = Rect { x, width: wide, height: 1, ..area }.intersection(area);
        paint.text(place, &[(&format!(" {word} "), role)]);
        paint.drawn.hits.push((place, Hit::Tab(tab)));
        x += wide + 1;
    }
    let area = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    paint.drawn.hits.push((area, Hit::Tab(app.tab)));
    let places = app.places();
    if places.is_empty() {
        return empty(paint, area);
    }
    let fits = usize::from(area.height / 2).max(1);
    if app.in_list() {
        paint.drawn.page = fits;
    }
    let at = app.row(&places);
    let first = (at + 1).saturating_sub(fits);
    for (row, place) in places.into_iter().skip(first).take(fits).enumerate() {
        let y = area.y + u16::try_from(row * 2).unwrap_or(0);
        let here = Rect { y, height: 2.min(area.bottom().saturating_sub(y)), ..area };
        let chosen = if app.in_list() { first + row == at } else { app.current == Some(place) };
        entry(paint, here, place, chosen);
        paint.drawn.hits.push((here, Hit::Conversation(place)));
    }
}

fn empty(paint: &mut Paint<'_, '_, '_>, area: Rect) {
    let app = paint.app;
    let lines = if app.status.is_none() {
        vec!["starting …"]
    } else if app.tab == Tab::People {
        vec!["no contacts yet"]
    } else {
        vec![
            "nothing here yet",
            "",
            "Ctrl+K, then:",
            "  Invite somebody",
            "  Accept an invite",
            "  Join an open room",
        ]
    };
    for (row, line) in lines.into_iter().enumerate() {
        let y = area.y + 1 + u16::try_from(row).unwrap_or(0);
        let here = Rect { x: area.x + 2, y, width: area.width.saturating_sub(3), height: 1 };
        paint.text(here.intersection(area), &[(line, Role::Dim)]);
    }
}

/// Two lines: who, and what is new; then the route and what was said last.
fn entry(paint: &mut Paint<'_, '_, '_>, area: Rect, place: Place, chosen: bool) {
    let app = paint.app;
    let cells = usize::from(area.width).saturating_sub(2);
    let new = app.unseen(place);
    let when = app.last_active(place);
    let right = match new {
        0 if when == 0 => String::new(),
        0 if day(app, when) == day(app, app.now_ms) => clock(app, when),
        0 => day(app, when).get(5..).unwrap_or_default().to_owned(),
        n => format!("• {n} new"),
    };
    let (mark, badge, said) = about(app, place);
    let name = cells::pad(
        &format!("{mark}{}", app.label(place)),
        cells.saturating_sub(cells::width(&right) + 1),
    );
    let look = |role: Role| {
        let style = paint.style(role);
        if chosen { style.patch(paint.style(Role::Chosen)) } else { style }
    };
    let first = [
        (" ".to_owned(), look(Role::Text)),
        (name, look(if new > 0 { Role::Unread } else { Role::Strong })),
        (format!(" {right} "), look(if new > 0 { Role::Unread } else { Role::Dim })),
    ];
    let badge = format!("{badge} ");
    let said = cells::pad(&said, cells.saturating_sub(cells::width(&badge) + 2));
    let second: [(String, Style); 2] =
        [(format!("   {badge}"), look(Role::Accent)), (format!("{said} "), look(Role::Dim))];
    paint.styled(Rect { height: 1, ..area }, &first);
    if area.height > 1 {
        paint.styled(Rect { y: area.y + 1, height: 1, ..area }, &second);
    }
}

/// The mark before the name, the route's badge, and what was said last.
fn about(app: &App, place: Place) -> (&'static str, String, String) {
    match place {
        Place::Conversation(id) => {
            app.view(id).map_or_else(|| ("  ", badge(None), String::new()), conversation)
        }
        Place::Room(id) => app
            .room_view(id)
            .map_or_else(|| ("# ", badge(None), String::new()), |r| room(app, place, r)),
    }
}

/// What is special about a conversation, in a few words.
pub(super) const fn standing(of: Standing) -> &'static str {
    match of {
        Standing::Normal => "",
        Standing::KeysChanged => "keys changed: compare the words",
        Standing::Stopped => "stopped",
        Standing::Blocked => "blocked",
    }
}

fn conversation(c: &ConversationView) -> (&'static str, String, String) {
    let group = c.kind == ConversationKind::Group;
    let mark = match (group, c.verified) {
        (true, _) => "& ",
        (_, true) => "✓ ",
        _ => "? ",
    };
    let said = match &c.newest {
        _ if c.standing != Standing::Normal => standing(c.standing).to_owned(),
        _ if !c.open => "closed".to_owned(),
        None if group => format!("{} members", c.members),
        None => "no messages yet".to_owned(),
        Some(m) if m.deleted => "(deleted)".to_owned(),
        Some(m) if m.kind == MessageKind::Notice => m.text.clone(),
        Some(m) if m.you => format!("you: {}", m.text),
        Some(m) if group => format!("{}: {}", m.from, m.text),
        Some(m) => m.text.clone(),
    };
    (mark, badge(c.route), said)
}

fn room(app: &App, place: Place, r: &RoomView) -> (&'static str, String, String) {
    let here = r.people.iter().filter(|p| !p.left).count();
    let last = app.logs.get(&place).and_then(|l| l.lines.iter().rev().find(|l| !l.notice));
    let said = match last {
        Some(line) if line.you => format!("you: {}", line.text),
        Some(line) => format!("{}: {}", line.from, line.text),
        None => format!("open room, {here} talk here"),
    };
    ("# ", badge(Some(r.route).filter(|_| r.online)), said)
}

/// The badge of a route.
pub(super) fn badge(route: Option<Route>) -> String {
    format!("[{}]", route.map_or("—", Route::word))
}
