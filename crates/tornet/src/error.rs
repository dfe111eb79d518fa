//! What can go wrong.

use std::io;
use std::path::Path;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is missing, or fails.
    #[error("{0} failed: {1}")]
    Program(&'static str, String),
    /// The system refused something.
    #[error("{0}: {1}")]
    Io(String, io::Error),
    /// A process of the network ended.
    #[error("{0} died:\n{1}")]
    Died(String, String),
    /// The network did not come up as it should; another try may do.
    #[error("the network is incomplete: {0}")]
    Incomplete(String),
}

impl Error {
    pub(crate) fn io(what: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
        move |error| Error::Io(what.as_ref().display().to_string(), error)
    }
}
