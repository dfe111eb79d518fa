//! Converts errors of services, confinement and keys to failures of a command.

use api::Failure;
use server::StoreError;
use wire::ErrorKind;

/// Adds a hint for the operator of a node to an error.
pub trait OrFail<T> {
    /// Returns the value, or the failure that ends the command.
    ///
    /// # Errors
    /// The error with a hint.
    fn or_fail(self) -> Result<T, Failure>;
}

impl<T> OrFail<T> for Result<T, server::Error> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| {
            let hint = match &error {
                server::Error::Net(_) => {
                    "stop the program that uses the port, or choose another address with --listen or the --…port options"
                }
                server::Error::LoopbackMapped => {
                    "listen on the local network: --listen 0.0.0.0:PORT, for `up` --host 0.0.0.0"
                }
                server::Error::StateDir(error) => error.hint(),
                server::Error::Threshold { .. } => {
                    "choose more than half of the directories, and not more than there are: with half of them, two different documents could both be good"
                }
                server::Error::SameCard => {
                    "give the card of each directory once; directories that were copied from one --dir cannot work together"
                }
                server::Error::NotAmong => {
                    "add the card that `hushwing node directory card` prints for this --dir"
                }
                server::Error::OtherNetwork => {
                    "what it has signed stays valid there: use a new --dir, and give its card to the other operators"
                }
                server::Error::Store(StoreError::Lost { .. }) => {
                    "bring the directory `boxes` back from a copy, or go on without these boxes: --accept-loss"
                }
                server::Error::Store(StoreError::Damaged | StoreError::Version) => {
                    "bring the directory `boxes` in --dir back from a copy, or move it away to begin with none"
                }
                _ => match error.kind() {
                    ErrorKind::LocalConfig => {
                        "see --help of the command, or --print-config for a commented settings file"
                    }
                    ErrorKind::LocalStorage => {
                        "check that --dir can be written, and that no other process uses it"
                    }
                    _ => "report this with the output of -vv",
                },
            };
            Failure::new(error.kind(), error, hint)
        })
    }
}

impl<T> OrFail<T> for Result<T, jail::Error> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(error.kind(), &error, error.hint()))
    }
}

impl<T> OrFail<T> for Result<T, vault::Error> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(error.kind(), &error, error.hint()))
    }
}
