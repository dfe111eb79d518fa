//! The open conversation: its head, what was said, where one types.

use ratatui::layout::{Constraint, Layout, Rect};

use api::{ConversationKind, FileState, Route};

use super::list::badge;
use super::message::{Drawable, lines};
use super::paint::Paint;
use crate::cells;
use crate::dialog::text_of;
use crate::log::{LineId, Log};
use crate::state::{App, Compose, Hit};
use crate::theme::Role;

/// Lines that one types into, at most.
const MOST: usize = 6;

/// Draws it.
pub(super) fn talk(paint: &mut Paint<'_, '_, '_>, area: Rect) {
    let app = paint.app;
    if app.current.is_none() {
        let what = if app.status.is_none() {
            "starting …"
        } else {
            "Choose a conversation, or press Ctrl+K."
        };
        let here = Rect {
            x: area.x + 2,
            y: area.y + area.height / 2,
            width: area.width.saturating_sub(3),
            height: 1,
        };
        paint.text(here, &[(what, Role::Dim)]);
        return;
    }
    let typed = typed_lines(app, usize::from(area.width).saturating_sub(3));
    let input =
        u16::try_from(typed.clamp(1, MOST)).unwrap_or(1).min(area.height.saturating_sub(4).max(1));
    let [head, body, line, field] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(input),
    ])
    .areas(area);
    self::head(paint, head);
    said(paint, body);
    rule(paint, line);
    type_here(paint, field);
}

/// Lines of the screen that the typed text takes.
fn typed_lines(app: &App, cells: usize) -> usize {
    cells::wrap(&text_of(&app.input), cells, 0).len()
}

fn head(paint: &mut Paint<'_, '_, '_>, area: Rect) {
    let app = paint.app;
    paint.fill(area, Role::Bar);
    let bar = app.theme().style(Role::Bar);
    let name = app.current.map(|place| app.label(place)).unwrap_or_default();
    let (route, facts) = facts(app);
    let route = format!(" {} ", badge(route));
    let cells = usize::from(area.width);
    let name = cells::clip(&name, cells.saturating_sub(cells::width(&route) + 2));
    let rest = cells.saturating_sub(cells::width(&name) + cells::width(&route) + 1);
    let title = bar.patch(app.theme().style(Role::Title));
    let look = [
        (format!(" {name}"), title),
        (route, bar.patch(app.theme().style(Role::Accent))),
        (cells::clip(&facts.join("  "), rest), bar),
    ];
    paint.styled(area, &look);
    paint.drawn.hits.push((area, Hit::Talk));
}

/// The route that works now, and what else is to know of the open conversation, the most important
/// first.
fn facts(app: &App) -> (Option<Route>, Vec<String>) {
    let mut facts = Vec::new();
    if let Some(room) = app.room() {
        let here = room.people.iter().filter(|p| !p.left).count();
        if !room.online {
            facts.push(room.connection.clone());
        }
        if !room.you.is_empty() {
            facts.push(format!("you are {}", room.you));
        }
        facts.push(format!("{here} talk here"));
        facts.push(if room.owner { "open room, yours" } else { "open room" }.to_owned());
        return (Some(room.route).filter(|_| room.online), facts);
    }
    let Some(c) = app.conversation() else { return (None, facts) };
    match c.kind {
        ConversationKind::Group => facts.push(format!("{} members", c.members)),
        ConversationKind::Contact if c.verified => facts.push("✓ verified".to_owned()),
        ConversationKind::Contact => facts.push("? not verified".to_owned()),
    }
    if c.standing != api::Standing::Normal {
        facts.push(super::list::standing(c.standing).to_owned());
    }
    if let Some(seconds) = c.timer_s.filter(|s| *s > 0) {
        facts.push(format!("disappears after {}", text::duration(seconds)));
    }
    facts.push(format!("routes: {}", c.allowed_routes));
    if c.changing {
        facts.push("change in progress".to_owned());
    }
    if !c.open {
        facts.push("closed".to_owned());
    }
    if c.pgp.is_some() {
        facts.push("OpenPGP".to_owned());
    }
    (c.route, facts)
}

fn said(paint: &mut Paint<'_, '_, '_>, area: Rect) {
    let app = paint.app;
    let height = usize::from(area.height);
    paint.drawn.page = height;
    paint.drawn.hits.push((area, Hit::Talk));
    let Some(log) = app.log() else { return };
    if log.lines.is_empty() {
        let what = if log.loaded { "No messages yet." } else { "…" };
        let here = Rect { x: area.x + 2, width: area.width.saturating_sub(3), height: 1, ..area };
        paint.text(here, &[(what, Role::Dim)]);
        paint.drawn.top = Some(0);
        return;
    }
    let (shown, top) = visible(app, log, usize::from(area.width), height);
    paint.drawn.top = top;
    // Few messages stand above the input, not at the top.
    let first = area.bottom().saturating_sub(u16::try_from(shown.len()).unwrap_or(area.height));
    for (row, line) in shown.into_iter().enumerate() {
        let y = first + u16::try_from(row).unwrap_or(0);
        let here = Rect { y, height: 1, ..area };
        paint.styled(here, &line.parts);
        if let Some(id) = line.id {
            paint.drawn.hits.push((here, Hit::Message(id)));
        }
        if let Some((column, transfer, offered)) = line.file {
            let x = here.x + u16::try_from(column).unwrap_or(0);
            let button = |x, width| Rect { x, width, ..here }.intersection(here);
            if offered {
                paint.drawn.hits.push((button(x, 10), Hit::Accept(transfer)));
                paint.drawn.hits.push((button(x + 11, 11), Hit::Decline(transfer)));
            } else {
                paint.drawn.hits.push((button(x, 10), Hit::Decline(transfer)));
            }
        }
    }
}

/// The lines that fit, and the greatest useful scroll if the first message was reached. Messages
/// are laid out from the newest back, no more than needed.
fn visible(app: &App, log: &Log, cells: usize, height: usize) -> (Vec<Drawable>, Option<usize>) {
    let mut back: Vec<Drawable> = Vec::new();
    let chosen = log.chosen.filter(|id| log.find(*id).is_some());
    let mut scroll = log.scroll;
    let mut found = chosen.is_none();
    let mut all = true;
    for at in (0..log.lines.len()).rev() {
        let mut message = lines(app, log, at, cells);
        let before = back.len();
        message.reverse();
        back.append(&mut message);
        if !found && log.lines.get(at).map(|l| l.id) == chosen {
            found = true;
            // The whole message is in view, with a little of what is around it.
            if before < scroll || back.len() > scroll + height {
                scroll = back.len().saturating_sub(height * 2 / 3).min(before);
            }
        }
        if found && back.len() >= scroll.saturating_add(height) && at > 0 {
            all = false;
            break;
        }
    }
    let top = back.len().saturating_sub(height);
    let scroll = if all { scroll.min(top) } else { scroll };
    let mut shown: Vec<Drawable> = back.into_iter().skip(scroll).take(height).collect();
    shown.reverse();
    (shown, all.then_some(top))
}

/// The line above the input: what the next text becomes, or that there is more below.
fn rule(paint: &mut Paint<'_, '_, '_>, area: Rect) {
    let app = paint.app;
    let (word, role) = match (&app.compose, app.log()) {
        (_, Some(log)) if log.chosen().is_some() => (keys_for(app, log), Role::Accent),
        (Compose::Reply(id), Some(log)) => {
            let answered = log.find(LineId::Message(*id));
            let whose = answered.map(|l| format!("{}: {}", l.from, l.text)).unwrap_or_default();
            (format!(" reply to {}  (Esc cancels) ", cells::clip(&whose, 40)), Role::Accent)
        }
        (Compose::Edit(_), _) => (" editing; Enter saves, Esc cancels ".to_owned(), Role::Accent),
        (_, Some(log)) if log.scroll > 0 => {
            let new = log.new_from.is_some();
            (
                if new {
                    " ↓ newer messages below, some new "
                } else {
                    " ↓ newer messages below "
                }
                .to_owned(),
                Role::Unread,
            )
        }
        _ => (String::new(), Role::Line),
    };
    let word = cells::clip(&word, usize::from(area.width).saturating_sub(4));
    let rest = usize::from(area.width).saturating_sub(cells::width(&word) + 2);
    paint.text(area, &[("──", Role::Line), (&word, role), (&"─".repeat(rest), Role::Line)]);
}

/// The keys that make sense with the chosen message, for rooms have fewer.
fn keys_for(app: &App, log: &Log) -> String {
    let line = log.chosen();
    let keys = match (
        app.room().is_some(),
        line.is_some_and(|l| l.you),
        line.and_then(|l| l.file.as_ref()),
    ) {
        (true, ..) => "y copy",
        (_, false, Some(file)) if file.state == FileState::Offered => {
            "a accept  x decline  r reply  + react"
        }
        (_, _, Some(_)) => "x cancel  r reply  d delete  w why",
        (_, true, None) => "r reply  e edit  d delete  w why  c cancel",
        (_, false, None) => "r reply  + react  d delete  y copy",
    };
    format!(" {keys}  Esc ")
}

fn type_here(paint: &mut Paint<'_, '_, '_>, area: Rect) {
    let app = paint.app;
    paint.drawn.hits.push((area, Hit::Input));
    let [sign, field] = Layout::horizontal([Constraint::Length(2), Constraint::Min(1)]).areas(area);
    paint.text(Rect { height: 1, ..sign }, &[("> ", Role::Accent)]);
    let active = app.dialogs.is_empty();
    if app.input.is_empty() && active {
        // The hint lies under the cursor.
        let hint = if area.width >= 46 {
            "  Enter sends, Alt+Enter: new line, F1: help"
        } else {
            "  message"
        };
        paint.text(Rect { height: 1, ..field }, &[(hint, Role::Dim)]);
        let cursor = Rect { width: 1, height: 1, ..field };
        paint.field(cursor, &app.input, true);
        return;
    }
    paint.field(field, &app.input, active);
}
