//! What every command needs from its process.

use api::Failure;
use jail::Scratch;
use tokio::runtime::{Builder, Runtime};
use wire::ErrorKind;

/// Creates a private temporary directory, which is removed when it is dropped.
///
/// # Errors
/// No directory in which it could be created.
pub fn scratch() -> Result<Scratch, Failure> {
    Scratch::new().map_err(|error| {
        let hint = error.hint();
        Failure::new(error.kind(), error, hint)
    })
}

/// Creates a runtime in this thread, for use before the process is confined: it starts no thread.
///
/// # Errors
/// The system refuses.
pub fn small_runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread().enable_all().build().map_err(no_threads)
}

/// The failure for a runtime that cannot be created.
#[allow(clippy::needless_pass_by_value, reason = "used as map_err argument")]
#[must_use]
pub fn no_threads(error: std::io::Error) -> Failure {
    Failure::new(
        ErrorKind::Bug,
        format!("cannot start threads: {error}"),
        "check the limits of this user (ulimit -u)",
    )
}
