//! Texts in cells of a terminal: how wide they are, where they break.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// How many cells a text takes.
#[must_use]
pub(crate) fn width(text: &str) -> usize {
    text.graphemes(true).map(cells).sum()
}

/// Cells of one grapheme. What a terminal would act on takes none, and is not drawn.
fn cells(grapheme: &str) -> usize {
    if grapheme.chars().any(char::is_control) { 0 } else { grapheme.width() }
}

/// The text on one line of at most `max` cells; an ellipsis says that there was more.
#[must_use]
pub(crate) fn clip(text: &str, max: usize) -> String {
    let text = one_line(text);
    if width(&text) <= max {
        return text;
    }
    let mut clipped = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        if used + cells(grapheme) + 1 > max {
            break;
        }
        used += cells(grapheme);
        clipped.push_str(grapheme);
    }
    if max > 0 {
        clipped.push('…');
    }
    clipped
}

/// The text without line ends.
#[must_use]
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Filled with spaces up to `to` cells, clipped to them.
#[must_use]
pub(crate) fn pad(text: &str, to: usize) -> String {
    let mut padded = clip(text, to);
    padded.extend(std::iter::repeat_n(' ', to.saturating_sub(width(&padded))));
    padded
}

/// The lines of a text: at most `max` cells each, broken between words where there are any. `first`
/// cells of the first line are taken already.
#[must_use]
pub(crate) fn wrap(text: &str, max: usize, first: usize) -> Vec<String> {
    let max = max.max(2);
    let mut lines = Vec::new();
    let mut taken = first.min(max);
    for paragraph in text.split('\n') {
        wrap_paragraph(paragraph, max, taken, &mut lines);
        taken = 0;
    }
    lines
}

fn wrap_paragraph(text: &str, max: usize, taken: usize, lines: &mut Vec<String>) {
    let (mut line, mut used) = (String::new(), taken);
    for word in words(text) {
        let wide = width(word);
        if used + wide <= max {
            line.push_str(word);
            used += wide;
            continue;
        }
        if word.chars().all(char::is_whitespace) {
            // Spaces at a break are not carried over.
            lines.push(std::mem::take(&mut line));
            used = 0;
            continue;
        }
        if wide <= max && used > 0 {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            line.push_str(word);
            used = wide;
            continue;
        }
        for grapheme in word.graphemes(true) {
            let wide = cells(grapheme);
            if used + wide > max {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(grapheme);
            used += wide;
        }
    }
    lines.push(line);
}

/// Words, and what is between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let space = rest.chars().next()?.is_whitespace();
        let end = rest.find(|c: char| c.is_whitespace() != space).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// Pieces of `max` cells, broken anywhere: for links.
#[must_use]
pub(crate) fn chop(text: &str, max: usize) -> Vec<String> {
    let max = max.max(2);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        if used + cells(grapheme) > max {
            lines.push(String::new());
            used = 0;
        }
        used += cells(grapheme);
        if let Some(last) = lines.last_mut() {
            last.push_str(grapheme);
        }
    }
    lines
}

/// A bar of so many cells, and the share in per cent.
#[must_use]
pub(crate) fn bar(done: u64, size: u64, max: usize) -> String {
    let share = (done.min(size) * 100).checked_div(size).unwrap_or(100);
    let full = usize::try_from(share).unwrap_or(0) * max / 100;
    format!("{}{} {share:>3} %", "█".repeat(full), "░".repeat(max - full))
}

/// How well `text` fits what was typed: its letters in this order, together and at beginnings of
/// words better. `None`: not at all.
#[must_use]
pub(crate) fn fuzzy(typed: &str, text: &str) -> Option<i32> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut score, mut at, mut last) = (0_i32, 0_usize, None);
    for wanted in typed.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let found = at + text.get(at..)?.iter().position(|c| *c == wanted)?;
        let begins = found == 0 || text.get(found - 1).is_some_and(|c| !c.is_alphanumeric());
        let follows = last.is_some_and(|l: usize| l + 1 == found);
        score += if follows { 8 } else { 0 } + if begins { 6 } else { 0 };
        score -= i32::try_from(found - at).unwrap_or(i32::MAX).min(20);
        last = Some(found);
        at = found + 1;
    }
    Some(score - i32::try_from(text.len() / 8).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7, 0), ["one two", "three"]);
        assert_eq!(wrap("one two", 7, 5), ["", "one two"]);
        assert_eq!(wrap("abcdefghij", 4, 0), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("a\n\nb", 9, 0), ["a", "", "b"]);
        assert_eq!(wrap("日本語日本語", 5, 0), ["日本", "語日", "本語"]);
    }

    #[test]
    fn wide_letters_take_two_cells() {
        assert_eq!(width("a日👍"), 5);
        assert_eq!(clip("日本語", 5), "日本…");
        assert_eq!(pad("日", 4), "日  ");
        assert_eq!(chop("日本語", 4), ["日本", "語"]);
        assert_eq!(width("\u{1b}[31m"), 4);
    }

    #[test]
    fn letters_in_order_fit() {
        assert!(fuzzy("nw", "Network view").is_some());
        assert!(fuzzy("wn", "Now").is_none());
        assert!(fuzzy("new", "New group") > fuzzy("new", "Network when"));
        assert_eq!(fuzzy("", "x"), Some(0));
    }
}
