//! Small parts of pages: times, colours, QR codes, a link to copy.

use maud::{Markup, html};
use text::date_time;

/// A link as a QR code that a camera reads on any theme.
pub(super) fn qr(text: &str) -> Markup {
    let Ok(code) = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::L) else {
        return html! {};
    };
    let (width, quiet) = (code.width(), 4);
    let mut path = String::new();
    for (at, colour) in code.to_colors().into_iter().enumerate() {
        if colour == qrcode::Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", at % width + quiet, at / width + quiet));
        }
    }
    let side = width + 2 * quiet;
    html! {
        svg.qr viewBox=(format!("0 0 {side} {side}")) role="img" aria-label="The link as a QR code"
            shape-rendering="crispEdges" {
            rect width=(side) height=(side) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    }
}

/// A link that can be selected as a whole, and copied where scripts run.
pub(super) fn link_box(id: &str, link: &str) -> Markup {
    html! {
        div.linkbox {
            label.vh for=(id) { "The link" }
            textarea id=(id) readonly rows="4" data-select { (link) }
            button.plain.script type="button" data-copy=(id) { "Copy" }
        }
    }
}

/// A time that scripts turn into the reader's own.
pub(super) fn time(ms: u64) -> Markup {
    let text = date_time(ms);
    let clock = text.get(11..).unwrap_or_default();
    let machine = format!("{}Z", text.replace(' ', "T"));
    html! { time datetime=(machine) title=(format!("{text} UTC")) { (clock) } }
}

/// The day of a time.
pub(super) fn day(ms: u64) -> String {
    date_time(ms).get(..10).unwrap_or_default().to_owned()
}

/// One of eight colours for a person. It follows their id: another name keeps the colour.
pub(super) fn colour(id: &[u8; 16]) -> String {
    let [first, ..] = id;
    format!("who n{}", first % 8)
}

/// The head of a page that is no conversation.
pub(super) fn heading(title: &str) -> Markup {
    html! { div.head { a.back href="./" aria-label="Back to the list" { "‹" } h1 { (title) } } }
}
