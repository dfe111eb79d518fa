//! What can go wrong.

use std::io;
use std::path::PathBuf;

use wire::ErrorKind;

/// Why one means of the kernel was not used.
pub(crate) enum Refusal {
    /// The policy is at fault.
    Policy(Error),
    /// The kernel, or something above it such as a container's own filter, said this.
    Kernel(String),
}

/// Why a process could not be confined, or a scratch directory not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A directory that the policy wants to be written cannot be opened.
    #[error("cannot confine this process to {path}: {source}")]
    Path {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No temporary directory.
    #[error("cannot make a temporary directory: {0}")]
    Scratch(io::Error),
}

impl Error {
    /// Which kind of error this is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Error::Path { .. } | Error::Scratch(_) => ErrorKind::LocalStorage,
        }
    }
}
