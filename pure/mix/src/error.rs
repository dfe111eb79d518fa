//! Errors of mixing, paths and documents.

use wire::ErrorKind;

/// Why something was refused. Never contains an id, an address or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes from outside do not parse.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// A packet, key or geometry is bad.
    #[error(transparent)]
    Sphinx(#[from] sphinx::Error),
    /// The request does not fit into a packet.
    #[error("a request of {len} bytes is too long for a packet, which takes {max}")]
    TooLong {
        /// Its length, bytes.
        len: usize,
        /// What fits, bytes.
        max: usize,
    },
    /// The length of a request or response is wrong, or its padding is not zero.
    #[error("malformed envelope")]
    Envelope,
    /// The document names authorities other than those in the network's id.
    #[error("the document is of another network, or its authorities were exchanged")]
    WrongNetwork,
    /// Too few good signatures for the network's threshold.
    #[error(
        "the document has {good} good signatures and needs {threshold}: it is forged or altered"
    )]
    Signatures {
        /// Authorities whose signatures, both of them, are good.
        good: usize,
        /// How many the network requires.
        threshold: u8,
    },
    /// The document has expired.
    #[error("the document has expired")]
    Expired,
    /// The document was published later than the local clock says it is now.
    #[error("the document is from the future: this machine's clock may be wrong")]
    FromTheFuture,
    /// The document is older than the one in use.
    #[error("the document is older than the one already known: it was rolled back")]
    RolledBack,
    /// Two different documents carry the same epoch and revision.
    #[error("two different documents were signed for the same moment")]
    Equivocation,
    /// A descriptor that its node did not sign, or that contradicts itself.
    #[error("the descriptor is not its node's")]
    BadDescriptor,
    /// Signing failed inside the library.
    #[error("signing failed")]
    Signing,
    /// A key of the wrong length or form.
    #[error("not a key")]
    BadKey,
    /// A document that was sealed to another key or altered.
    #[error("the document is sealed to another key, or was altered")]
    Seal,
    /// The network has too few relays for its paths.
    #[error("the network has {have} usable relays and its paths need {need}")]
    TooFewRelays {
        /// Usable relays.
        have: usize,
        /// Relays that a path needs.
        need: usize,
    },
    /// Too few relays have nothing in common: owners, or regions where paths use each once.
    #[error("the relays belong to too few owners or regions for a path of {need} relays")]
    TooFewApart {
        /// Relays that a path needs.
        need: usize,
    },
    /// The hub is not in the document.
    #[error("the hub is not in the network document")]
    UnknownHub,
    /// A node of the path has published no key for this epoch.
    #[error("a node has no key for this epoch")]
    NoKey,
    /// There is no document yet.
    #[error("there is no network document yet")]
    NoDocument,
    /// Too many requests wait.
    #[error("too many requests are waiting")]
    QueueFull,
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Wire(e) => e.kind(),
            Error::TooLong { .. } | Error::Signing => ErrorKind::Bug,
            Error::BadKey => ErrorKind::LocalStorage,
            Error::TooFewRelays { .. }
            | Error::TooFewApart { .. }
            | Error::UnknownHub
            | Error::NoKey
            | Error::NoDocument
            | Error::QueueFull => ErrorKind::Network,
            Error::FromTheFuture => ErrorKind::LocalConfig,
            _ => ErrorKind::RelayMisbehaved,
        }
    }
}
