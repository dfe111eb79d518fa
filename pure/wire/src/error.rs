//! What can be wrong with bytes from outside, and the question that all crates answer: whose fault
//! is an error?

/// Whose fault an error is. Front ends match on this rather than on single errors.
///
/// The error enum of every crate maps to it with a `kind()` method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The user gave a wrong setting, argument or link.
    LocalConfig,
    /// The disk failed or holds something unreadable.
    LocalStorage,
    /// A connection could not be made, or broke.
    Network,
    /// A relay or directory broke the protocol.
    RelayMisbehaved,
    /// A hub broke the protocol.
    HubMisbehaved,
    /// Another participant broke the protocol.
    PeerMisbehaved,
    /// The other side uses something that this version does not know.
    Unsupported,
    /// A bug in this program.
    Bug,
}

/// Why bytes from outside were refused. Never contains the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The frame's kind byte is unknown.
    #[error("unknown frame kind {0}")]
    UnknownKind(u8),
    /// The announced length is above the maximum for the frame's kind.
    #[error("a {kind:?} frame of {len} bytes is over its limit of {max}")]
    TooLong {
        /// Kind of the frame.
        kind: crate::FrameKind,
        /// Announced body length, bytes.
        len: usize,
        /// Maximum for that kind, bytes.
        max: usize,
    },
    /// The bytes are not CBOR of the expected type.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// There are bytes after the value.
    #[error("trailing bytes after {0}")]
    Trailing(&'static str),
    /// A list or text is longer than its bound.
    #[error("{what} has more than {max} entries")]
    TooMany {
        /// Which list.
        what: &'static str,
        /// Its bound.
        max: usize,
    },
    /// A value is out of its range.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// An address is neither an IP address with a port nor an onion service with one.
    #[error("not an address of the form IP:PORT or NAME.onion:PORT")]
    BadAddress,
    /// The other side uses another version.
    #[error("unsupported version {0}")]
    Version(u8),
}

impl Error {
    /// Whose fault this is: the other side's, unless it is merely newer.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Version(_) | Error::UnknownKind(_) => ErrorKind::Unsupported,
            Error::BadAddress => ErrorKind::LocalConfig,
            _ => ErrorKind::PeerMisbehaved,
        }
    }
}
