//! Data on stdout, notes on stderr.

use std::io::{IsTerminal, Write};

use api::Failure;
use serde::Serialize;
use wire::ErrorKind;

/// Longest text of a command line that is repeated in an error, characters.
const PRINTABLE: usize = 64;

/// What a front end says when it leaves a profile that ends with its last front end.
pub const UNREACHABLE: &str = "you receive nothing while no window is open; `hushwing profile daemon` or the setting `stay` keeps you reachable";

/// Whether to colour what goes to a terminal (<https://no-color.org>).
#[must_use]
pub fn colours(tty: bool) -> bool {
    tty && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Prints a line of data.
///
/// # Errors
/// When stdout is gone.
pub fn out(line: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(Failure::stdout)
}

/// Prints a value as a line of JSON.
///
/// # Errors
/// When stdout is gone.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).map_err(|_| {
        Failure::new(ErrorKind::Bug, "cannot encode the reply as JSON", "report this bug")
    })?;
    out(&line)
}

/// Prints something to know that is no data, dim on a terminal.
pub fn note(text: &str) {
    if colours(std::io::stderr().is_terminal()) {
        eprintln!("\x1b[2m{text}\x1b[0m");
    } else {
        eprintln!("{text}");
    }
}

/// The beginning of a text that a person typed, without control characters.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(PRINTABLE).collect()
}
