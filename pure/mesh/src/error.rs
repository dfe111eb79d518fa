//! Errors of neighbours, bundles and the store.

use hub::store::StoreError;
use wire::ErrorKind;

/// A failure. Never contains an id, a token, a name or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store of carried boxes failed.
    #[error("boxes cannot be kept: {0}")]
    Store(#[from] StoreError),
    /// A neighbour broke the protocol.
    #[error("a neighbour misbehaved: {0}")]
    PeerMisbehaved(&'static str),
    /// A file is not a bundle, or is damaged.
    #[error("this is not a bundle of boxes: {0}")]
    NoBundle(&'static str),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Error::Store(_) => ErrorKind::LocalStorage,
            Error::PeerMisbehaved(_) => ErrorKind::PeerMisbehaved,
            Error::NoBundle(_) => ErrorKind::LocalConfig,
        }
    }
}
