//! What lies above the conversation.

use ratatui::layout::Rect;
use ratatui::widgets::{Block, BorderType};

use super::page;
use super::paint::Paint;
use crate::cells;
use crate::dialog::{Dialog, Item, Pick, Prompt, Source, text_of};
use crate::state::Hit;
use crate::theme::Role;

/// Draws the topmost one.
pub(super) fn dialog(paint: &mut Paint<'_, '_, '_>, area: Rect) {
    let app = paint.app;
    match app.dialogs.last() {
        Some(Dialog::Pick(pick)) => self::pick(paint, area, pick),
        Some(Dialog::Prompt(prompt)) => self::prompt(paint, area, prompt),
        Some(Dialog::Page(page)) => page::page(paint, area, page),
        None => {}
    }
}

/// How wide a box is: all there is, where a margin would only be in the way.
fn width_of(area: Rect, wide: u16) -> u16 {
    if area.width < wide + 8 { area.width } else { wide }
}

/// A box in the middle; the whole area where that is small. The inner area, one cell from its
/// border.
fn framed(paint: &mut Paint<'_, '_, '_>, area: Rect, wide: u16, high: u16, title: &str) -> Rect {
    let (width, height) = (wide.min(area.width), high.min(area.height));
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 3,
        width,
        height,
    };
    paint.drawn.hits.push((paint.frame.area(), Hit::Dialog));
    paint.clear(place);
    let title = format!(" {} ", cells::clip(title, usize::from(width).saturating_sub(6)));
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(paint.style(Role::Line))
        .style(paint.style(Role::Text))
        .title(ratatui::text::Span::styled(title, paint.style(Role::Title)));
    let inner = block.inner(place);
    paint.frame.render_widget(block, place);
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}

fn row(area: Rect, at: u16) -> Rect {
    Rect { y: area.y.saturating_add(at), height: 1, ..area }.intersection(area)
}

fn pick(paint: &mut Paint<'_, '_, '_>, area: Rect, pick: &Pick) {
    let shown = pick.shown();
    let wide = width_of(area, 76);
    let width = usize::from(wide).saturating_sub(4);
    let note = if pick.note.is_empty() { Vec::new() } else { cells::wrap(&pick.note, width, 0) };
    let each = lines_each(&pick.items, width);
    let notes = u16::try_from(note.len()).unwrap_or(0);
    let rows = u16::try_from(pick.items.len().max(3) * each).unwrap_or(u16::MAX);
    let high = rows
        .saturating_add(notes + 4)
        .min(area.height.saturating_sub(if area.height > 20 { 4 } else { 0 }));
    let inner = framed(paint, area, wide, high, &pick.title);
    for (at, line) in note.iter().enumerate() {
        paint.text(row(inner, u16::try_from(at).unwrap_or(0)), &[(line, Role::Dim)]);
    }
    filter(paint, row(inner, notes), pick);
    let list =
        Rect { y: inner.y + notes + 1, height: inner.height.saturating_sub(notes + 1), ..inner };
    let fits = (usize::from(list.height) / each).max(1);
    paint.drawn.rows = (fits, shown.len());
    if shown.is_empty() {
        let typed = !text_of(&pick.filter).trim().is_empty();
        let what = if typed { "no matches" } else { "" };
        paint.text(row(list, 0), &[(what, Role::Dim)]);
    }
    let first = (pick.at + 1).saturating_sub(fits);
    for (n, shown) in shown.iter().enumerate().skip(first).take(fits) {
        let y = u16::try_from((n - first) * each).unwrap_or(0);
        let here = Rect { y: list.y + y, height: u16::try_from(each).unwrap_or(1), ..list }
            .intersection(list);
        item(paint, here, shown, each, n == pick.at);
        paint.drawn.hits.push((here, Hit::Item(n)));
    }
}

/// Lines of each item: more than one where its words do not fit beside its label.
fn lines_each(items: &[Item], width: usize) -> usize {
    let tall = items.iter().any(|i| {
        cells::width(&i.label) + cells::width(&i.detail) + 2 > width
            && cells::width(&i.label) < width / 2
    });
    let below = |i: &Item| cells::wrap(&i.detail, width.saturating_sub(4), 0).len().min(3);
    1 + if tall { items.iter().map(below).max().unwrap_or(1) } else { 0 }
}

/// Where the filter is typed.
fn filter(paint: &mut Paint<'_, '_, '_>, area: Rect, pick: &Pick) {
    paint.text(area, &[("› ", Role::Accent)]);
    let field = Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area };
    if !pick.filter.is_empty() {
        return paint.field(field, &pick.filter, true);
    }
    let hint = if pick.source == Source::Search { "  type words" } else { "  type to filter" };
    paint.text(field, &[(hint, Role::Dim)]);
    paint.field(Rect { width: 1, ..field }, &pick.filter, true);
}

fn item(paint: &mut Paint<'_, '_, '_>, area: Rect, item: &Item, lines: usize, chosen: bool) {
    let width = usize::from(area.width);
    let look = |role: Role| {
        let style = paint.style(role);
        if chosen { style.patch(paint.style(Role::Chosen)) } else { style }
    };
    if lines == 1 {
        let detail = cells::clip(&item.detail, width * 2 / 3);
        let label = cells::pad(&item.label, width.saturating_sub(cells::width(&detail) + 1));
        let parts = [(format!("{label} "), look(Role::Text)), (detail, look(Role::Dim))];
        return paint.styled(row(area, 0), &parts);
    }
    let mut all = vec![(cells::pad(&item.label, width), look(Role::Strong))];
    let detail = cells::wrap(&item.detail, width.saturating_sub(4), 0).into_iter();
    all.extend(
        detail.take(lines - 1).map(|d| (cells::pad(&format!("    {d}"), width), look(Role::Dim))),
    );
    for (at, line) in all.into_iter().enumerate() {
        paint.styled(row(area, u16::try_from(at).unwrap_or(0)), &[line]);
    }
}

fn prompt(paint: &mut Paint<'_, '_, '_>, area: Rect, prompt: &Prompt) {
    let wide = width_of(area, 76);
    let width = usize::from(wide).saturating_sub(4);
    let note =
        if prompt.note.is_empty() { Vec::new() } else { cells::wrap(&prompt.note, width, 0) };
    let typed = cells::wrap(&text_of(&prompt.input), width.saturating_sub(3), 0).len().clamp(1, 6);
    let (notes, lines) =
        (u16::try_from(note.len()).unwrap_or(0), u16::try_from(typed).unwrap_or(1));
    let inner = framed(paint, area, wide, notes + lines + 5, &prompt.title);
    for (at, line) in note.iter().enumerate() {
        paint.text(row(inner, u16::try_from(at).unwrap_or(0)), &[(line, Role::Text)]);
    }
    let field = Rect { y: inner.y + notes + 1, height: lines, ..inner }.intersection(inner);
    paint.text(row(field, 0), &[("› ", Role::Accent)]);
    paint.field(
        Rect { x: field.x + 2, width: field.width.saturating_sub(2), ..field },
        &prompt.input,
        true,
    );
    let keys = if prompt.must { "Enter confirms" } else { "Enter confirms, Esc cancels" };
    paint.text(row(inner, notes + lines + 2), &[(keys, Role::Dim)]);
}
