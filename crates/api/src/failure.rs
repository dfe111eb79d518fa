//! How the program ends badly: one sentence, one hint, one exit code.

use std::fmt;

use wire::ErrorKind;

/// Why a command failed, for a person.
pub struct Failure {
    kind: Option<ErrorKind>,
    text: String,
    hint: String,
}

impl Failure {
    /// A failure of this kind, with what to do about it.
    pub fn new(kind: ErrorKind, text: impl fmt::Display, hint: impl Into<String>) -> Self {
        Failure { kind: Some(kind), text: text.to_string(), hint: hint.into() }
    }

    /// Something that is none of the kinds.
    pub fn other(text: impl fmt::Display, hint: impl Into<String>) -> Self {
        Failure { kind: None, text: text.to_string(), hint: hint.into() }
    }

    /// The sentence that says what is wrong.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Stdout is gone, as when a pipe's reader has ended.
    #[must_use]
    #[allow(clippy::needless_pass_by_value, reason = "used as map_err argument")]
    pub fn stdout(error: std::io::Error) -> Self {
        Failure::other(
            format!("cannot write to stdout: {error}"),
            "keep the reading end of the pipe open",
        )
    }

    /// The exit code that `hushwing --help` documents.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self.kind {
            None => 1,
            Some(ErrorKind::LocalConfig) => 3,
            Some(ErrorKind::LocalStorage) => 4,
            Some(ErrorKind::Network) => 5,
            Some(
                ErrorKind::RelayMisbehaved | ErrorKind::HubMisbehaved | ErrorKind::PeerMisbehaved,
            ) => 6,
            Some(ErrorKind::Unsupported) => 7,
            Some(_) => 70,
        }
    }
}

/// What the exit code of another process of this program says of whose fault it was; for 6 that is
/// one of three.
#[must_use]
pub const fn kind_of(code: i32) -> Option<ErrorKind> {
    match code {
        3 => Some(ErrorKind::LocalConfig),
        4 => Some(ErrorKind::LocalStorage),
        5 => Some(ErrorKind::Network),
        7 => Some(ErrorKind::Unsupported),
        70 => Some(ErrorKind::Bug),
        _ => None,
    }
}

/// Without the sentence and the hint, which may name a file or a person.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\nhint: {}", self.text, self.hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_a_hint_and_a_code() {
        let f = Failure::new(ErrorKind::Network, "no connection", "is it running?");
        assert_eq!(f.to_string(), "error: no connection\nhint: is it running?");
        assert_eq!(f.code(), 5);
        assert_eq!(Failure::other("x", "y").code(), 1);
        assert_eq!(Failure::new(ErrorKind::Bug, "x", "y").code(), 70);
        for code in 0..=255_u8 {
            if let Some(kind) = kind_of(code.into()) {
                assert_eq!(Failure::new(kind, "x", "y").code(), code);
            }
        }
    }
}
