//! The help: marks, keys, typed commands.

use api::Route;

use super::pages;
use crate::dialog::{Page, Row};
use crate::keys;
use crate::log::{LEGEND, letter, mark, travels};

/// Its title.
pub(super) const TITLE: &str = "Help";

/// The help.
pub(super) fn page() -> Page {
    let pair = |what: &str, means: &str| Row::Pair(what.to_owned(), means.to_owned());
    let head = |text: &str| Row::Head(text.to_owned());
    let mut rows = vec![head("Delivery states")];
    rows.extend(LEGEND.map(|(state, means)| pair(&format!("{} {state}", mark(state)), means)));
    rows.extend([
        Row::Dim("Press “w” on a selected message to see why it is not delivered.".to_owned()),
        Row::Blank,
        head("Which route carried a message"),
    ]);
    rows.extend(Route::ALL.iter().map(|route| {
        let shown = format!("12:30 {}", letter(Some(*route)));
        Row::Pair(shown, format!("{route}: {}", travels(*route)))
    }));
    rows.extend([
        Row::Blank,
        head("Marks"),
        pair("• 3 new", "three messages that you have not seen"),
        pair("✓ bob", "verified: you have compared the safety words"),
        pair("? bob", "not verified: compare the safety words in person or by phone"),
        pair("bob~k3q9f2m", "an id follows where two names look alike"),
        pair(
            "[onion]",
            "the route that works now: onion, tor, tor+onion, direct or lan; [—]: none",
        ),
        Row::Blank,
    ]);
    rows.extend(keys::rows());
    rows.push(head("Typed commands; ID: a message's id, or `last`"));
    rows.extend(text::COMMANDS.iter().map(|(usage, what)| pair(usage, what)));
    rows.push(Row::Blank);
    rows.push(head("Typed commands in open rooms"));
    rows.extend(text::ROOM_COMMANDS.iter().map(|(usage, what)| pair(usage, what)));
    Page::new(TITLE, rows, vec![pages::close("close")])
}
