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

/// Why a process could not be confined, or a private directory not be used.
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
    /// A file of a state directory cannot be read or written.
    #[error("cannot {action} {file}: {source}")]
    State {
        /// What was tried: `read`, `write`, `create`, `remove`.
        action: &'static str,
        /// File name inside the state directory.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file of a state directory does not hold what it should.
    #[error("{0} in the state directory is damaged")]
    Damaged(&'static str),
    /// A file of a state directory is gone, and others that came after it are there.
    #[error("{0} is missing in the state directory")]
    Gone(&'static str),
    /// Another process works with this state directory.
    #[error("another process uses {0}")]
    InUse(String),
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Error::Path { .. } => "check that the --dir is there and is yours",
            Error::Scratch(_) => "give a directory with --dir, or another place with TMPDIR",
            Error::State { .. } => "check that the --dir is yours and that its disk has room",
            Error::Damaged(_) | Error::Gone(_) => {
                "restore it from a backup; without it this would be another node to everybody"
            }
            Error::InUse(_) => "stop the other process, or give each its own --dir",
        }
    }

    /// Which kind of error this is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Error::Path { .. }
            | Error::Scratch(_)
            | Error::State { .. }
            | Error::Damaged(_)
            | Error::Gone(_)
            | Error::InUse(_) => ErrorKind::LocalStorage,
        }
    }
}
