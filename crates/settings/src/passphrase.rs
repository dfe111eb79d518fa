//! Passphrases: from the environment, the terminal or stdin.

use std::io::{BufRead, BufReader, Read};

use api::Failure;
use wire::ErrorKind;
use zeroize::Zeroizing;

/// The variable of a profile's passphrase.
pub const PROFILE_VAR: &str = "HUSHWING_PASSPHRASE";
/// The variable of a backup's passphrase.
pub const BACKUP_VAR: &str = "HUSHWING_BACKUP_PASSPHRASE";
/// The variable of an OpenPGP key's passphrase.
pub const PGP_VAR: &str = "HUSHWING_PGP_PASSPHRASE";
/// The variable of the passphrase for browsers.
pub const WEB_VAR: &str = "HUSHWING_WEB_PASSPHRASE";

/// Longest line that is read from stdin, bytes.
const MAX_LINE: u64 = 4_096;

/// A passphrase: from the environment, else from the terminal; asked twice when it is a new one.
/// Blocks while a person types.
///
/// # Errors
/// No terminal; two that differ; an empty one.
pub fn ask(variable: &str, what: &str, new: bool) -> Result<Zeroizing<String>, Failure> {
    if let Ok(text) = std::env::var(variable) {
        return Ok(Zeroizing::new(text));
    }
    let none = |e: std::io::Error| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("no passphrase: {e}"),
            format!(
                "run it on a terminal, set {variable}, or make the profile with --no-passphrase"
            ),
        )
    };
    let first = Zeroizing::new(rpassword::prompt_password(format!("{what}: ")).map_err(none)?);
    if new {
        let again =
            Zeroizing::new(rpassword::prompt_password(format!("{what}, again: ")).map_err(none)?);
        if again != first {
            let hint = "type the same one twice";
            return Err(Failure::new(ErrorKind::LocalConfig, "the two passphrases differ", hint));
        }
    }
    if first.is_empty() {
        let hint = "think of a sentence; or use --no-passphrase and know what that means";
        return Err(Failure::new(
            ErrorKind::LocalConfig,
            "an empty passphrase protects nothing",
            hint,
        ));
    }
    Ok(first)
}

/// The first line of stdin, where the program that starts a daemon hands over the passphrase.
///
/// # Errors
/// When no line comes, or an empty one.
pub fn from_stdin() -> Result<Zeroizing<String>, Failure> {
    first_line(std::io::stdin())
}

fn first_line(input: impl Read) -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::with_capacity(1_024));
    let read = BufReader::new(input.take(MAX_LINE)).read_line(&mut line);
    if read.is_err() || line.trim_end_matches('\n').is_empty() {
        let hint = "start the profile with `hushwing daemon`, which asks for it";
        return Err(Failure::new(ErrorKind::LocalConfig, "no passphrase came", hint));
    }
    while line.ends_with('\n') {
        line.pop();
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_passphrase() {
        let line = first_line(&b"correct horse\nbattery\n"[..]);
        assert_eq!(line.map(|l| l.to_string()).ok().as_deref(), Some("correct horse"));
        for none in [&b""[..], b"\n", b"\nlate\n", b"\xff\n"] {
            assert!(first_line(none).is_err(), "{none:?}");
        }
    }
}
