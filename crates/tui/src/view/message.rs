//! A message as lines of the screen.

use ratatui::style::Style;

use api::{FileState, MessageState, TransferId};
use text::{bytes, date_time};

use crate::cells;
use crate::log::{Line, LineId, Log, letter, mark};
use crate::state::App;
use crate::theme::Role;

/// A line of the screen that belongs to a message, or stands between two.
pub(super) struct Drawable {
    /// What is drawn.
    pub(super) parts: Vec<(String, Style)>,
    /// The message.
    pub(super) id: Option<LineId>,
    /// The file whose buttons stand in this line, with their column.
    pub(super) file: Option<(usize, TransferId, bool)>,
}

/// `HH:MM` on the user's clock.
pub(super) fn clock(app: &App, ms: u64) -> String {
    date_time(app.local(ms)).get(11..).unwrap_or_default().to_owned()
}

/// `YYYY-MM-DD` on the user's clock.
pub(super) fn day(app: &App, ms: u64) -> String {
    date_time(app.local(ms)).get(..10).unwrap_or_default().to_owned()
}

/// The day's name and date.
fn long_day(app: &App, ms: u64) -> String {
    const DAY: u64 = 86_400_000;
    const NAMES: [&str; 7] =
        ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    let (that, today) = (app.local(ms) / DAY, app.local(app.now_ms) / DAY);
    let name = usize::try_from(that % 7).ok().and_then(|n| NAMES.get(n)).unwrap_or(&"");
    match today.checked_sub(that) {
        Some(0) => "Today".to_owned(),
        Some(1) => "Yesterday".to_owned(),
        _ => format!("{name}, {}", day(app, ms)),
    }
}

/// The lines of a message, of what stands before it included.
pub(super) fn lines(app: &App, log: &Log, at: usize, cells: usize) -> Vec<Drawable> {
    let Some(line) = log.lines.get(at) else { return Vec::new() };
    let mut all = Vec::new();
    let before = at.checked_sub(1).and_then(|b| log.lines.get(b));
    if before.is_none_or(|b| day(app, b.at_ms) != day(app, line.at_ms)) {
        all.push(divider(&long_day(app, line.at_ms), cells, app.theme().style(Role::Dim)));
    }
    if log.new_from == Some(line.number) && !line.is_note() {
        all.push(divider("new", cells, app.theme().style(Role::Unread)));
    }
    let chosen = log.chosen == Some(line.id);
    let writer = Writer { app, cells, chosen, id: line.id };
    writer.message(log, line, &mut all);
    all
}

fn divider(word: &str, cells: usize, style: Style) -> Drawable {
    let word = format!(" {word} ");
    let left = cells.saturating_sub(cells::width(&word)) / 2;
    let right = cells.saturating_sub(cells::width(&word) + left);
    let line = format!("{}{word}{}", "─".repeat(left), "─".repeat(right));
    Drawable { parts: vec![(line, style)], id: None, file: None }
}

struct Writer<'a> {
    app: &'a App,
    cells: usize,
    chosen: bool,
    id: LineId,
}

/// Cells before a message's text: the mark of the chosen one, the time, and the route's letter. The
/// route stands where nobody's text or name can stand, so that nobody can write one.
const INDENT: usize = 9;

impl Writer<'_> {
    fn style(&self, role: Role) -> Style {
        self.app.theme().style(role)
    }

    fn line(&self, mut parts: Vec<(String, Style)>) -> Drawable {
        if self.chosen {
            let under = self.style(Role::Chosen);
            for (_, style) in &mut parts {
                *style = style.patch(under);
            }
            let used: usize = parts.iter().map(|(t, _)| cells::width(t)).sum();
            parts.push((" ".repeat(self.cells.saturating_sub(used)), under));
        }
        Drawable { parts, id: Some(self.id), file: None }
    }

    fn indented(&self, said: String, role: Role) -> Drawable {
        self.line(vec![(" ".repeat(INDENT), self.style(Role::Text)), (said, self.style(role))])
    }

    fn message(&self, log: &Log, line: &Line, all: &mut Vec<Drawable>) {
        let bar = if self.chosen { "▌" } else { " " };
        let by = if line.notice { ' ' } else { letter(line.route) };
        let time = (format!("{bar}{} {by}", clock(self.app, line.at_ms)), self.style(Role::Dim));
        let room = self.cells.saturating_sub(INDENT + 1).max(4);
        if line.notice {
            let mut pieces = cells::wrap(&line.text, room, 2).into_iter();
            let first = format!(" * {}", pieces.next().unwrap_or_default());
            all.push(self.line(vec![time, (first, self.style(Role::Dim))]));
            all.extend(pieces.map(|p| self.indented(p, Role::Dim)));
            return;
        }
        if let Some(answered) = line.reply_to {
            let quoted =
                log.find(LineId::Message(answered)).map_or("an earlier message".to_owned(), |l| {
                    format!("{}: {}", l.from, if l.deleted { "(deleted)" } else { &l.text })
                });
            let quoted = cells::clip(&format!("↳ {quoted}"), room);
            all.push(self.indented(quoted, Role::Dim));
        }
        let name = cells::clip(&line.from, room / 2);
        let style =
            if line.you { self.style(Role::You) } else { self.app.theme().name(&line.from) };
        let (said, dim) = said(line);
        let said_style = self.style(if dim { Role::Dim } else { Role::Text });
        let mut pieces = cells::wrap(&said, room, cells::width(&name) + 2).into_iter();
        let first = pieces.next().unwrap_or_default();
        let start = all.len();
        all.push(self.line(vec![
            time,
            (" ".to_owned(), style),
            (format!("{name}:"), style),
            (format!(" {first}"), said_style),
        ]));
        all.extend(
            pieces.map(|p| self.line(vec![(" ".repeat(INDENT), said_style), (p, said_style)])),
        );
        // An answer's head is the time; the quote above it has none.
        debug_assert!(start < all.len());
        self.tail(line, all);
    }

    /// What comes behind and below the text: the state, the file, the reactions.
    fn tail(&self, line: &Line, all: &mut Vec<Drawable>) {
        let mut marks = Vec::new();
        if line.edited && !line.deleted {
            marks.push((" (edited)".to_owned(), self.style(Role::Dim)));
        }
        if let Some(at) = line.expires_ms {
            marks.push((
                format!(" (goes in {})", span(at.saturating_sub(self.app.now_ms))),
                self.style(Role::Dim),
            ));
        }
        if line.you && line.state != MessageState::Received {
            let word = if self.cells >= 44 {
                format!(" {} {}", mark(line.state), line.state)
            } else {
                format!(" {}", mark(line.state))
            };
            let role = match line.state {
                MessageState::Cancelled => Role::Bad,
                MessageState::Delivered | MessageState::Read => Role::Good,
                _ => Role::Dim,
            };
            marks.push((word, self.style(role)));
        }
        let wide: usize = marks.iter().map(|(t, _)| cells::width(t)).sum();
        let used = |d: &Drawable| -> usize {
            d.parts.iter().map(|(t, _)| cells::width(t.trim_end())).sum()
        };
        if !marks.is_empty() {
            match all.last_mut() {
                Some(last) if used(last) + wide < self.cells => {
                    let filler = last.parts.pop_if(|(t, _)| t.trim().is_empty() && self.chosen);
                    drop(filler);
                    last.parts = self.line([last.parts.clone(), marks].concat()).parts;
                }
                _ => {
                    let mut parts = vec![(" ".repeat(INDENT - 1), self.style(Role::Text))];
                    parts.extend(marks);
                    all.push(self.line(parts));
                }
            }
        }
        self.file(line, all);
        if !line.reactions.is_empty() {
            let reactions: Vec<String> =
                line.reactions.iter().map(|r| format!("{} {}", r.emoji, r.from)).collect();
            let room = self.cells.saturating_sub(INDENT + 1).max(4);
            all.extend(
                cells::wrap(&reactions.join("   "), room, 0)
                    .into_iter()
                    .map(|p| self.indented(p, Role::Accent)),
            );
        }
    }

    fn file(&self, line: &Line, all: &mut Vec<Drawable>) {
        let Some(file) = line.file.as_ref().filter(|_| !line.deleted) else { return };
        match (file.state, file.ours) {
            (FileState::Offered, false) => {
                let mut buttons = self.indented("[ accept ] [ decline ]".to_owned(), Role::Accent);
                buttons.file = Some((INDENT, file.transfer, true));
                all.push(buttons);
            }
            (FileState::Moving, _) => {
                let cells = self.cells.saturating_sub(INDENT + 20).clamp(6, 30);
                let mut moving = self.indented(
                    format!("{}  [ cancel ]", cells::bar(file.done, file.size, cells)),
                    Role::Accent,
                );
                moving.file = Some((INDENT + cells + 8, file.transfer, false));
                all.push(moving);
            }
            (FileState::Done, false) => {
                let at = file.path.clone().unwrap_or_default();
                let room = self.cells.saturating_sub(INDENT + 1).max(4);
                all.extend(
                    cells::wrap(&format!("saved: {at}"), room, 0)
                        .into_iter()
                        .map(|p| self.indented(p, Role::Good)),
                );
            }
            (FileState::Offered, true) => {
                all.push(self.indented("offered; sent once they accept".to_owned(), Role::Dim));
            }
            (state, _) => all.push(self.indented(state.word().to_owned(), Role::Dim)),
        }
    }
}

/// What a message says, and whether that is a remark.
fn said(line: &Line) -> (String, bool) {
    if line.deleted {
        return ("(deleted)".to_owned(), true);
    }
    match &line.file {
        Some(file) => (format!("file: {}, {}", file.name, bytes(file.size)), false),
        None => (line.text.clone(), false),
    }
}

/// A time to go.
fn span(ms: u64) -> String {
    match ms / 60_000 {
        0 => format!("{} s", ms / 1_000),
        minutes @ 1..120 => format!("{minutes} min"),
        minutes @ 120..2_880 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1_440),
    }
}
