//! Why a route cannot be taken.

use net::tor::TorError;
use wire::ErrorKind;

/// Why a route cannot be taken. Never contains an address, a key or an id.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The route leads through Tor, and there is none.
    #[error("Tor is switched off here")]
    TorMissing,
    /// The directory for document and pinned entries cannot be used.
    #[error(transparent)]
    Dir(#[from] jail::Error),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Error::TorMissing => TorError::Stopped.kind(),
            Error::Dir(error) => error.kind(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Error::TorMissing => "take another route, or switch Tor on",
            Error::Dir(_) => "check that the --dir can be written and is used by one process only",
        }
    }
}
