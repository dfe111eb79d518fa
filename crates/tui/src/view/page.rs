//! A page: over everything, without a frame, so that a mouse can mark a link and nothing else.

use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use super::paint::Paint;
use crate::cells;
use crate::dialog::{Page, Row};
use crate::state::Hit;
use crate::theme::{Role, Theme};

/// Draws it.
pub(super) fn page(paint: &mut Paint<'_, '_, '_>, area: Rect, page: &Page) {
    paint.drawn.hits.push((paint.frame.area(), Hit::Dialog));
    paint.clear(area);
    let head = Rect { height: 1, ..area };
    paint.fill(head, Role::Bar);
    let title = paint.style(Role::Bar).patch(paint.style(Role::Title));
    let rows = lines(paint, page, usize::from(area.width));
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(3), ..area };
    let fits = usize::from(body.height);
    let scroll = page.scroll.min(rows.len().saturating_sub(fits));
    paint.drawn.rows = (fits, rows.len());
    let more = if rows.len() > fits {
        format!(
            "  {}–{} of {}, ↑ ↓ scroll",
            scroll + 1,
            (scroll + fits).min(rows.len()),
            rows.len()
        )
    } else {
        String::new()
    };
    let look =
        [(format!(" {}", cells::clip(&page.title, 50)), title), (more, paint.style(Role::Bar))];
    paint.styled(head, &look);
    for (at, line) in rows.iter().skip(scroll).take(fits).enumerate() {
        let here = Rect { y: body.y + u16::try_from(at).unwrap_or(0), height: 1, ..body };
        paint.styled(here, line);
    }
    buttons(paint, Rect { y: area.bottom().saturating_sub(1), height: 1, ..area }, page);
}

fn buttons(paint: &mut Paint<'_, '_, '_>, area: Rect, page: &Page) {
    let mut x = area.x + 1;
    for (at, button) in page.buttons.iter().enumerate() {
        let label = format!("[ {} ]", button.label);
        let wide = u16::try_from(cells::width(&label)).unwrap_or(0);
        let place = Rect { x, width: wide, ..area }.intersection(area);
        let role = if at == page.focus { Role::Chosen } else { Role::Accent };
        paint.text(place, &[(&label, role)]);
        paint.drawn.hits.push((place, Hit::Button(at)));
        x += wide + 1;
    }
}

type Parts = Vec<(String, Style)>;

fn lines(paint: &Paint<'_, '_, '_>, page: &Page, cells: usize) -> Vec<Parts> {
    let style = |role: Role| paint.style(role);
    let inner = cells.saturating_sub(2).max(4);
    let pad = |line: String, role: Role| vec![(format!(" {line}"), style(role))];
    let name = page
        .rows
        .iter()
        .map(|r| if let Row::Pair(name, _) = r { cells::width(name) } else { 0 })
        .max();
    let name = name.unwrap_or(0).min(inner / 2).min(30);
    let mut all: Vec<Parts> = Vec::new();
    for row in &page.rows {
        match row {
            Row::Text(said) => {
                all.extend(cells::wrap(said, inner, 0).into_iter().map(|l| pad(l, Role::Text)));
            }
            Row::Dim(said) => {
                all.extend(cells::wrap(said, inner, 0).into_iter().map(|l| pad(l, Role::Dim)));
            }
            Row::Head(said) => {
                all.extend(cells::wrap(said, inner, 0).into_iter().map(|l| pad(l, Role::Accent)));
            }
            Row::Words(words) => {
                all.extend(words_in_rows(words, inner).into_iter().map(|l| pad(l, Role::Strong)));
            }
            Row::Link(link) => all.extend(
                cells::chop(link, cells).into_iter().map(|l| vec![(l, style(Role::Strong))]),
            ),
            Row::Qr(picture) => all.extend(qr(paint.app.theme(), picture, inner)),
            Row::Bar(done, size) => all.push(pad(
                cells::bar(*done, *size, inner.saturating_sub(10).min(40)),
                Role::Accent,
            )),
            Row::Blank => all.push(Vec::new()),
            Row::Pair(key, value) => {
                let key_lines = cells::wrap(key, name.max(4), 0);
                let value_lines = cells::wrap(value, inner.saturating_sub(name + 2).max(8), 0);
                for at in 0..key_lines.len().max(value_lines.len()) {
                    let part = |lines: &[String]| lines.get(at).cloned().unwrap_or_default();
                    all.push(vec![
                        (
                            format!(" {}  ", cells::pad(&part(&key_lines), name)),
                            style(Role::Strong),
                        ),
                        (part(&value_lines), style(Role::Text)),
                    ]);
                }
            }
        }
    }
    all
}

/// Words to compare, five a line where that fits, each under the other.
fn words_in_rows(words: &str, cells: usize) -> Vec<String> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let wide = words.iter().map(|w| cells::width(w)).max().unwrap_or(1) + 2;
    let each = (cells / wide).clamp(1, 5);
    words
        .chunks(each)
        .map(|row| {
            row.iter().map(|w| cells::pad(w, wide)).collect::<String>().trim_end().to_owned()
        })
        .collect()
}

/// Black on white wherever colours are allowed: many cameras do not read the inverse. Without
/// colours the terminal's own have to do.
fn qr(theme: Theme, picture: &[String], cells: usize) -> Vec<Parts> {
    let wide = picture.iter().map(|l| cells::width(l)).max().unwrap_or(0);
    if wide > cells {
        let line = format!(" For the QR code make the window at least {} columns wide.", wide + 2);
        return cells::wrap(&line, cells, 0)
            .into_iter()
            .map(|l| vec![(l, theme.style(Role::Dim))])
            .collect();
    }
    let style = if theme == Theme::Plain {
        Style::new()
    } else {
        Style::new().fg(Color::Black).bg(Color::White)
    };
    picture.iter().map(|l| vec![(" ".to_owned(), Style::new()), (l.clone(), style)]).collect()
}
