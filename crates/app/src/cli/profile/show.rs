//! How messages and lists look on stdout.

use std::io::{IsTerminal, Write};

use serde::Serialize;
use wire::ErrorKind;

use crate::engine::profile::{FileView, MessageView};
use crate::exit::Failure;

/// Digits of an id that people see.
const SHORT: usize = 8;

/// A line of data.
///
/// # Errors
/// When stdout is gone.
pub fn out(line: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(Failure::stdout)
}

/// An object as a line of JSON.
///
/// # Errors
/// When stdout is gone.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).map_err(|_| {
        Failure::new(ErrorKind::Bug, "an answer cannot be written as JSON", "please report this")
    })?;
    out(&line)
}

/// What a face says that leaves a profile which ends with its last face.
pub const UNREACHABLE: &str = "while no face is open nothing is received; `hushwing daemon`, or the setting `stay`, keeps you reachable";

/// Something to know that is no data. Dim on a terminal.
pub fn note(text: &str) {
    if crate::cli::line::colours(std::io::stderr().is_terminal()) {
        eprintln!("\x1b[2m{text}\x1b[0m");
    } else {
        eprintln!("{text}");
    }
}

/// The digits of an id that people see.
pub fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

/// A text that may have several lines, the further ones indented.
pub fn indented(text: &str) -> String {
    text.replace('\n', "\n    ")
}

/// What a message says, without who and when.
pub fn said(message: &MessageView) -> String {
    if message.deleted {
        return "(deleted)".to_owned();
    }
    match (&message.file, message.kind.as_str()) {
        (Some(file), _) => {
            let fetch = match (file.ours, file.state.as_str()) {
                (false, "offered") => format!(", fetch {}", short(&file.transfer)),
                _ => format!(", {}", file.state),
            };
            format!("(file) {}, {}{fetch}", file.name, bytes(file.size))
        }
        (None, "file") => format!("(file) {}", message.text),
        _ => indented(&message.text),
    }
}

/// A message as `history` and `search` show it.
pub fn dated(message: &MessageView) -> String {
    let when = date_time(message.sent_ms);
    if message.kind == "notice" {
        return format!("{when} {} * {}", short(&message.id), indented(&message.text));
    }
    let mut line = format!("{when} {} {}: {}", short(&message.id), message.from, said(message));
    if message.edited && !message.deleted {
        line.push_str(" (edited)");
    }
    for reaction in &message.reactions {
        line.push_str(&format!(" [{}: {}]", reaction.from, reaction.emoji));
    }
    if message.you && !matches!(message.state.as_str(), "delivered" | "read" | "received") {
        line.push_str(&format!(" ({})", message.state));
    }
    line
}

/// A file as `files` shows it.
pub fn file(file: &FileView) -> String {
    let share = (file.done.min(file.size) * 100).checked_div(file.size).unwrap_or(100);
    let state = if file.state == "moving" { format!("{share} %") } else { file.state.clone() };
    let way = if file.ours { "to" } else { "from" };
    let path = file.path.as_deref().map(|p| format!("  {p}")).unwrap_or_default();
    format!(
        "{}  {}  {}  {way} {}  {state}{path}",
        short(&file.transfer),
        file.name,
        bytes(file.size),
        file.conversation
    )
}

/// A size for people.
pub fn bytes(n: u64) -> String {
    match n {
        0..1_024 => format!("{n} B"),
        1_024..1_048_576 => format!("{} KiB", n.div_ceil(1_024)),
        1_048_576..1_073_741_824 => format!("{} MiB", n.div_ceil(1_048_576)),
        _ => format!("{} GiB", n.div_ceil(1_073_741_824)),
    }
}

/// `YYYY-MM-DD HH:MM` of a time in ms since the Unix epoch, UTC.
pub fn date_time(ms: u64) -> String {
    let minutes = ms / 60_000;
    let (year, month, day) = civil(minutes / (24 * 60));
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// Year, month and day of a day after 1970-01-01, by the 400-year cycle of the Gregorian calendar,
/// counted from 1 March.
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_the_calendar() {
        assert_eq!(date_time(0), "1970-01-01 00:00");
        assert_eq!(date_time(951_782_400_000), "2000-02-29 00:00");
        assert_eq!(date_time(1_709_251_140_000), "2024-02-29 23:59");
        assert_eq!(date_time(4_107_542_400_000), "2100-03-01 00:00");
    }

    #[test]
    fn sizes_for_people() {
        assert_eq!(
            [bytes(0), bytes(1_023), bytes(1_025), bytes(1 << 20)],
            ["0 B", "1023 B", "2 KiB", "1 MiB"]
        );
    }
}
