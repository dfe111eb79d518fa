//! What mixing, paths and documents can refuse.

use wire::ErrorKind;

/// A refusal. Never contains an id, an address or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes that do not parse.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// Packets, keys or geometries.
    #[error(transparent)]
    Sphinx(#[from] sphinx::Error),
    /// The request is longer than a packet's user data.
    #[error("a request of {len} bytes is over the {max} that a packet takes")]
    TooLong {
        /// Its length, bytes.
        len: usize,
        /// What fits, bytes.
        max: usize,
    },
    /// The padding behind a request or response is not zero, or its length is wrong.
    #[error("malformed envelope")]
    Envelope,
    /// The document's authorities are not those that the network is named by.
    #[error("the document is of another network, or its authorities were exchanged")]
    WrongNetwork,
    /// Fewer good signatures than the network's threshold.
    #[error(
        "the document has {good} good signatures and needs {threshold}: it is forged or altered"
    )]
    Signatures {
        /// Authorities whose both signatures hold.
        good: usize,
        /// How many the network demands.
        threshold: u8,
    },
    /// The document's time is over.
    #[error("the document has expired")]
    Expired,
    /// The document is from a time that our clock says has not come.
    #[error("the document is from the future: this machine's clock may be wrong")]
    FromTheFuture,
    /// The document is older than one that we have.
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
    /// A document that is sealed to another key, or altered.
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
    /// The relays are of too few regions for paths that take none twice.
    #[error("the relays are of too few regions for a path of {need}")]
    TooFewRegions {
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
    /// More requests wait than the client core holds.
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
            | Error::TooFewRegions { .. }
            | Error::UnknownHub
            | Error::NoKey
            | Error::NoDocument
            | Error::QueueFull => ErrorKind::Network,
            Error::FromTheFuture => ErrorKind::LocalConfig,
            _ => ErrorKind::RelayMisbehaved,
        }
    }
}
