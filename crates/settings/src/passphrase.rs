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

/// Guesses within which a new passphrase should not be found, as a power of ten. A guess at a vault
/// takes 64 MiB and about 0.1 s of a core: a thousand cores make 10^10 of them in two weeks.
const GUESSES_LOG10: f64 = 10.0;

/// Longest line that is read from stdin, in bytes.
const MAX_LINE: u64 = 4_096;

/// Gets a passphrase from the environment, or asks on the terminal, twice for a new one. Warns on
/// stderr about a new one that is easy to guess, and takes it all the same. Blocks while a person
/// types.
///
/// # Errors
/// No terminal; two different passphrases; an empty one.
pub fn ask(variable: &str, what: &str, new: bool) -> Result<Zeroizing<String>, Failure> {
    let look_at = |text: &str| {
        if new && is_guessable(text) {
            eprintln!("warning: {GUESSABLE}");
        }
    };
    if let Ok(text) = std::env::var(variable).map(Zeroizing::new) {
        look_at(&text);
        return Ok(text);
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
    // Before it is typed again, so that there is time to think.
    look_at(&first);
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

/// What to say about a passphrase that is easy to guess.
const GUESSABLE: &str = "this passphrase is easy to guess: use six random words";

/// Whether a new passphrase would be found within about 10^10 guesses, by the estimate of zxcvbn,
/// which knows common passwords, names, words, dates and rows of keys. Nothing of the passphrase is
/// kept or printed. An empty one is no matter of guessing: it is refused.
#[must_use]
fn is_guessable(passphrase: &str) -> bool {
    !passphrase.is_empty() && zxcvbn::zxcvbn(passphrase, &[]).guesses_log10() <= GUESSES_LOG10
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
    fn a_passphrase_that_is_easy_to_guess_is_told_from_one_that_is_not() {
        for easy in [
            "password",
            "hunter2",
            "Passw0rd!",
            "correct horse",
            "qwertyuiop",
            "summer2026",
            "12.03.1987",
            "iloveyou",
            "aaaaaaaaaaaaaaaa",
            "x",
        ] {
            assert!(is_guessable(easy), "{easy}");
        }
        for hard in [
            "correct horse battery staple tuesday lamp",
            "gravel otter seventh lantern quiet plum",
            "Xq7$vT2!mK9w",
            "我的猫头鹰在夜里唱歌很好听",
        ] {
            assert!(!is_guessable(hard), "{hard}");
        }
        assert!(!is_guessable(""), "it is refused, with words of its own");
        // However long it is: the estimate looks at the beginning only.
        assert!(!is_guessable(&"gravel otter seventh lantern quiet plum ".repeat(10_000)));
    }

    #[test]
    fn the_first_line_is_the_passphrase() {
        let line = first_line(&b"correct horse\nbattery\n"[..]);
        assert_eq!(line.map(|l| l.to_string()).ok().as_deref(), Some("correct horse"));
        for none in [&b""[..], b"\n", b"\nlate\n", b"\xff\n"] {
            assert!(first_line(none).is_err(), "{none:?}");
        }
    }
}
