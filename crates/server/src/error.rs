//! Errors that keep a role from starting or running.

use wire::ErrorKind;

/// Why a role stopped. Never contains an address, a key or an id.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is wrong.
    #[error("{0}")]
    Config(String),
    /// A port is to be forwarded to where only this machine gets.
    #[error("the router cannot forward to 127.0.0.1")]
    LoopbackMapped,
    /// The state directory cannot be used.
    #[error(transparent)]
    StateDir(#[from] jail::Error),
    /// A file cannot be read or written.
    #[error("cannot {action} {file}: {source}")]
    State {
        /// What was tried: `open`, `read`, `write`.
        action: &'static str,
        /// File name inside the state directory, or the folder of a site.
        file: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file of the state directory is not what it should be.
    #[error("{0} in the state directory is damaged")]
    Damaged(&'static str),
    /// A threshold by which two different documents could both be good, or none.
    #[error("a threshold of {threshold} does not fit {of} directories")]
    Threshold {
        /// How many should have to sign.
        threshold: u8,
        /// How many directories there are.
        of: usize,
    },
    /// Two cards share a key.
    #[error("two of the cards are of the same directory")]
    SameCard,
    /// The own card is not among the cards.
    #[error("none of the cards is this directory's own")]
    NotAmong,
    /// The directory has signed documents of another network.
    #[error("this directory has signed documents of another network")]
    OtherNetwork,
    /// The box store failed.
    #[error("box store: {0}")]
    Store(#[from] hub::store::StoreError),
    /// A link or listener failed.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// Mixing, epochs or documents failed.
    #[error(transparent)]
    Mix(#[from] mix::Error),
    /// The relays of a pool did not come up.
    #[error("{0}")]
    Pool(&'static str),
    /// The directory refused this node.
    #[error("the directory refuses: {0}")]
    Refused(&'static str),
    /// A task ended that should run for ever.
    #[error("internal: {0}")]
    Bug(&'static str),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Config(_)
            | Error::LoopbackMapped
            | Error::Refused(_)
            | Error::Threshold { .. }
            | Error::SameCard
            | Error::NotAmong
            | Error::OtherNetwork => ErrorKind::LocalConfig,
            Error::State { .. } | Error::Damaged(_) | Error::Store(_) => ErrorKind::LocalStorage,
            Error::StateDir(e) => e.kind(),
            Error::Net(e) => e.kind(),
            Error::Mix(e) => e.kind(),
            Error::Pool(_) => ErrorKind::Network,
            Error::Bug(_) => ErrorKind::Bug,
        }
    }
}
