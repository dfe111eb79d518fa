//! Why a route cannot be taken, or a network document not be had.

use net::tor::TorError;
use wire::ErrorKind;

/// Why a route cannot be taken, or a network document not be had. Never contains an address, a key
/// or an id.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The route leads through Tor, and there is none.
    #[error("Tor is switched off here")]
    TorMissing,
    /// The directory for document and pinned entries cannot be used.
    #[error(transparent)]
    Dir(#[from] jail::Error),
    /// The file of a client key cannot be read.
    #[error(transparent)]
    KeyFile(std::io::Error),
    /// No link to a directory, or it broke.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// A document, or a client key, is not what it should be.
    #[error(transparent)]
    Mix(#[from] mix::Error),
    /// The directory says nothing.
    #[error("does not answer")]
    NoAnswer,
    /// The directory closed the link instead of answering.
    #[error("closed the link")]
    Closed,
    /// The directory has no document at the moment.
    #[error("has no document yet")]
    NoDocument,
    /// The network seals its document, and no client key was given.
    #[error("only enrolled clients get the network document: give your key with --key")]
    NotEnrolled,
    /// The network seals its document, and not to this client key.
    #[error("does not know this client key")]
    UnknownKey,
}

impl Error {
    /// Whether the other side may only be of another version: it does not speak ours, or its
    /// document has settings that ours does not accept.
    #[must_use]
    pub const fn may_be_another_version(&self) -> bool {
        matches!(
            self,
            Error::Net(net::Error::OtherVersion)
                | Error::Mix(mix::Error::Wire(
                    wire::Error::Version(_) | wire::Error::OutOfRange(_)
                ))
        )
    }

    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::TorMissing => TorError::Stopped.kind(),
            Error::Dir(error) => error.kind(),
            Error::Net(error) => error.kind(),
            Error::Mix(error) => error.kind(),
            Error::NoAnswer | Error::Closed | Error::NoDocument => ErrorKind::Network,
            Error::KeyFile(_) | Error::NotEnrolled | Error::UnknownKey => ErrorKind::LocalConfig,
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Error::TorMissing => "take another route, or switch Tor on",
            Error::Dir(_) => "check that the --dir can be written and is used by one process only",
            Error::NotEnrolled | Error::UnknownKey | Error::KeyFile(_) => {
                "`hushwing primary enroll` makes a key; the network's operator must enrol it"
            }
            _ => "is the network running?",
        }
    }
}
