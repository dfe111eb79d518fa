//! Passphrases: from the environment, the terminal or stdin.

use std::io::{BufRead, BufReader, Read};

use api::Failure;
use wire::ErrorKind;
use zeroize::Zeroizing;

/// Environment variable with a profile's passphrase.
pub const PROFILE_VAR: &str = "HUSHWING_PASSPHRASE";
/// Environment variable with a backup's passphrase.
pub const BACKUP_VAR: &str = "HUSHWING_BACKUP_PASSPHRASE";
/// Environment variable with an OpenPGP key's passphrase.
pub const PGP_VAR: &str = "HUSHWING_PGP_PASSPHRASE";
/// Environment variable with the passphrase for browsers on other devices.
pub const WEB_VAR: &str = "HUSHWING_WEB_PASSPHRASE";

/// Longest line that is read from stdin, in bytes.
const MAX_LINE: u64 = 4_096;

/// Gets a passphrase from the environment, or asks on the terminal, twice for a new one. Blocks
/// while a person types.
///
/// # Errors
/// No terminal; two different passphrases; an empty one.
pub fn ask(variable: &str, what: &str, new: bool) -> Result<Zeroizing<String>, Failure> {
    if let Ok(text) = std::env::var(variable) {
        return Ok(Zeroizing::new(text));
    }
    let none = |e: std::io::Error| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("no passphrase: {e}"),
            format!(
                "run it in a terminal, set {variable}, or create the profile with --no-passphrase"
            ),
        )
    };
    let first = Zeroizing::new(rpassword::prompt_password(format!("{what}: ")).map_err(none)?);
    if new {
        let again =
            Zeroizing::new(rpassword::prompt_password(format!("{what}, again: ")).map_err(none)?);
        if again != first {
            let hint = "type the same passphrase twice";
            return Err(Failure::new(ErrorKind::LocalConfig, "the two passphrases differ", hint));
        }
    }
    if first.is_empty() {
        let hint = "choose a sentence, or use --no-passphrase, which protects nothing from anyone who can read your files";
        return Err(Failure::new(ErrorKind::LocalConfig, "the passphrase is empty", hint));
    }
    Ok(first)
}

/// Reads the passphrase from the first line of stdin, where the program that starts a daemon
/// passes it on.
///
/// # Errors
/// No line, or an empty one.
pub fn from_stdin() -> Result<Zeroizing<String>, Failure> {
    first_line(std::io::stdin())
}

fn first_line(input: impl Read) -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::with_capacity(1_024));
    let read = BufReader::new(input.take(MAX_LINE)).read_line(&mut line);
    if read.is_err() || line.trim_end_matches('\n').is_empty() {
        let hint = "start the profile with `hushwing profile daemon`, which asks for it";
        return Err(Failure::new(ErrorKind::LocalConfig, "no passphrase on stdin", hint));
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
