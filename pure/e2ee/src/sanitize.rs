//! Makes text from strangers safe to show on a terminal or a page.
//!
//! The rule (`ROOM-016`), character by character:
//!
//! | characters | become |
//! |---|---|
//! | CR LF, CR, LF, NEL, line and paragraph separators | a newline, or a space where newlines are folded |
//! | tab, vertical tab, form feed | a space |
//! | other C0 controls and DEL | their visible pictures (U+2400 to U+2421): ESC becomes `␛` |
//! | C1 controls, non-characters | U+FFFD |
//! | bidirectional controls and marks | nothing |
//! | ZWJ, ZWNJ | stay between two characters outside ASCII that are visible (letters, marks, emoji), else nothing |
//! | variation selectors 15 and 16 | stay after a visible character, one at a time, else nothing |
//! | all other zero-width, format, filler and tag characters | nothing |
//! | a combining mark after more than eight others | nothing |
//!
//! Everything else, of any script, stays as it is. Right-to-left text still orders itself; a front
//! end that puts a nick and a text on one line keeps them apart in its own way.

use unicode_normalization::char::is_combining_mark;

/// Most combining marks in a row: more than any orthography needs, too few to climb over other
/// lines.
const MAX_MARKS: usize = 8;

/// How to treat newlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newlines {
    /// Keep them, as LF.
    Keep,
    /// Turn them into spaces.
    Fold,
}

/// Neutralises everything that could move a cursor, reorder other text or hide.
#[must_use]
pub fn sanitize(text: &str, newlines: Newlines) -> String {
    let newline = match newlines {
        Newlines::Keep => '\n',
        Newlines::Fold => ' ',
    };
    let mut out = String::with_capacity(text.len());
    let mut last: Option<char> = None;
    let mut marks = 0usize;
    let mut input = text.chars().peekable();
    while let Some(c) = input.next() {
        let shown = match c {
            '\r' if input.peek() == Some(&'\n') => None,
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some(newline),
            '\t' | '\u{b}' | '\u{c}' => Some(' '),
            c if is_joiner(c) => {
                let fits = |next: char| {
                    can_join_right(next) && !(marks >= MAX_MARKS && is_combining_mark(next))
                };
                let joins =
                    last.is_some_and(can_join_left) && input.peek().copied().is_some_and(fits);
                joins.then_some(c)
            }
            '\u{fe0e}' | '\u{fe0f}' => last.is_some_and(is_visible).then_some(c),
            c if is_control(c) => Some(picture(c)),
            c if is_noncharacter(c) => Some(char::REPLACEMENT_CHARACTER),
            c if is_hidden(c) => None,
            c => Some(c),
        };
        let Some(c) = shown else { continue };
        // Joiners and selectors do not reset the count: otherwise marks could pile up around them.
        if !is_joiner(c) && !is_selector(c) {
            marks = if is_combining_mark(c) { marks.saturating_add(1) } else { 0 };
        }
        if marks > MAX_MARKS {
            continue;
        }
        out.push(c);
        last = Some(c);
    }
    out
}

/// C0, DEL and C1.
pub(crate) fn is_control(c: char) -> bool {
    c.is_control()
}

fn picture(c: char) -> char {
    match u32::from(c) {
        n @ 0..=0x1f => char::from_u32(0x2400 | n).unwrap_or(char::REPLACEMENT_CHARACTER),
        0x7f => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

pub(crate) fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// Bidirectional controls and marks (UAX 9).
pub(crate) fn is_bidi(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Characters that show nothing: bidi controls, zero-width and other format characters, fillers,
/// selectors, tags. The Arabic and Syriac number and end signs belong to the category "format" too,
/// but they do show and are not included.
pub(crate) fn is_hidden(c: char) -> bool {
    is_bidi(c)
        || is_selector(c)
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200d}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

fn is_visible(c: char) -> bool {
    !c.is_whitespace() && !is_control(c) && !is_hidden(c) && !is_noncharacter(c)
}

fn can_join_left(c: char) -> bool {
    !c.is_ascii() && (is_visible(c) || is_selector(c))
}

fn can_join_right(c: char) -> bool {
    !c.is_ascii() && is_visible(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keep(text: &str) -> String {
        sanitize(text, Newlines::Keep)
    }

    //= ROOM-016
    #[test]
    fn escapes_are_shown_and_not_obeyed() {
        assert_eq!(keep("\x1b[2J\x07\x7f\u{9b}31m"), "␛[2J␇␡\u{fffd}31m");
        assert_eq!(keep("a\u{202e}b\u{200f}\u{2066}c"), "abc");
        assert_eq!(keep("pay\u{200b}\u{2060}\u{feff}\u{ad}pal"), "paypal");
        assert_eq!(keep("flag\u{e0067}\u{e007f}"), "flag");
        assert_eq!(keep("a\r\nb\rc\u{2028}d\te"), "a\nb\nc\nd e");
        assert_eq!(sanitize("a\r\nb\n\nc", Newlines::Fold), "a b  c");
        assert_eq!(keep("\u{fdd0}\u{10ffff}"), "\u{fffd}\u{fffd}");
    }

    //= ROOM-016
    #[test]
    fn ordinary_text_of_all_scripts_stays() {
        for text in [
            "Grüße, naïve façade – “quoted” …",
            "مرحبا بالعالم ١٢٣",
            "می\u{200c}خواهم",
            "שלום עולם",
            "สวัสดีครับ น้ำใจ",
            "क्\u{200d}ष नमस्ते",
            "ශ්\u{200d}රී",
            "བོད་ཡིག",
            "你好，世界 한국어 日本語",
            "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f} 👩🏽\u{200d}🚀 🏳\u{fe0f}\u{200d}🌈 1\u{fe0f}\u{20e3} 🇩🇪",
            "Việt Nam e\u{301}\u{323}",
        ] {
            assert_eq!(keep(text), text);
        }
    }

    //= ROOM-016
    #[test]
    fn joiners_and_selectors_hide_nothing() {
        assert_eq!(keep("pay\u{200d}pal"), "paypal");
        assert_eq!(keep("\u{200d}é\u{200d}\u{200d}é\u{200c}"), "é\u{200d}é");
        assert_eq!(keep("\u{fe0f}a\u{fe0f}\u{fe0f} \u{fe0f}"), "a\u{fe0f} ");
        let tower = format!("a{}", "\u{301}".repeat(100));
        assert_eq!(keep(&tower).chars().count(), 1 + MAX_MARKS);
        let tower = format!("é{}", "\u{301}\u{200d}\u{fe0f}".repeat(100));
        let marks = keep(&tower).chars().filter(|c| *c == '\u{301}').count();
        assert_eq!(marks, MAX_MARKS);
    }

    fn any_text() -> impl Strategy<Value = String> {
        let nasty = prop_oneof![
            any::<char>(),
            (0u32..0x300).prop_map(|n| char::from_u32(n).unwrap()),
            (0x2000u32..0x2070).prop_map(|n| char::from_u32(n).unwrap()),
            Just('\u{fe0f}'),
            Just('\u{e0061}'),
        ];
        proptest::collection::vec(nasty, 0..60).prop_map(String::from_iter)
    }

    proptest! {
        //= ROOM-016
        #[test]
        fn nothing_dangerous_comes_out(text in any_text()) {
            let kept = keep(&text);
            prop_assert!(kept.chars().all(|c| c == '\n' || !is_control(c)));
            prop_assert!(!kept.chars().any(is_bidi));
            prop_assert!(kept.chars().count() <= text.chars().count());
            prop_assert_eq!(keep(&kept), kept.clone());
            let folded = sanitize(&text, Newlines::Fold);
            prop_assert!(!folded.chars().any(|c| is_control(c) || is_bidi(c)));
            let hidden = ['\u{2028}', '\u{2029}', '\u{200b}', '\u{feff}'];
            prop_assert!(!folded.contains(hidden));
        }
    }
}
