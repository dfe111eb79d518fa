//! What can be wrong with bytes from outside, and the shared question of whose fault it is.

/// Whose fault an error is. Front ends match on this and on nothing finer.
///
/// Every error enum of every crate maps onto it by a `kind()` method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting, argument or link given by the person is wrong.
    LocalConfig,
    /// The disk refused, or holds something we cannot read.
    LocalStorage,
    /// A connection could not be made or broke.
    Network,
    /// A relay or directory said something that the protocol forbids.
    RelayMisbehaved,
    /// A hub said something that the protocol forbids.
    HubMisbehaved,
    /// Another participant said something that the protocol forbids.
    PeerMisbehaved,
    /// The other side speaks of something that this version does not know.
    Unsupported,
    /// Our own mistake.
    Bug,
}

/// A refusal of bytes that came from outside. Never contains the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The frame's kind byte is none that we know.
    #[error("unknown frame kind {0}")]
    UnknownKind(u8),
    /// The announced length is above the maximum of its kind.
    #[error("a {kind:?} frame of {len} bytes is over its limit of {max}")]
    TooLong {
        /// Kind of the frame.
        kind: crate::FrameKind,
        /// Announced body length, bytes.
        len: usize,
        /// Maximum body length of that kind, bytes.
        max: usize,
    },
    /// The body is not the CBOR that its type demands.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// Bytes are left after the value.
    #[error("trailing bytes after {0}")]
    Trailing(&'static str),
    /// A list or text is longer than its stated bound.
    #[error("{what} has more than {max} entries")]
    TooMany {
        /// Which list.
        what: &'static str,
        /// Its bound.
        max: usize,
    },
    /// A value is outside its allowed range.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// An address is neither IP:port nor a name this version can use.
    #[error("not an address of the form IP:PORT or NAME.onion:PORT")]
    BadAddress,
    /// The other side speaks another version.
    #[error("unsupported version {0}")]
    Version(u8),
}

impl Error {
    /// Bytes from outside are wrong, so the other side is to blame, unless it is merely newer.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Version(_) | Error::UnknownKind(_) => ErrorKind::Unsupported,
            Error::BadAddress => ErrorKind::LocalConfig,
            _ => ErrorKind::PeerMisbehaved,
        }
    }
}
