//! What every command needs of the process.

use api::Failure;
use jail::Scratch;
use tokio::runtime::{Builder, Runtime};
use wire::ErrorKind;

/// A private temporary directory that is gone when it is dropped.
///
/// # Errors
/// No place for it.
pub fn scratch() -> Result<Scratch, Failure> {
    Scratch::new().map_err(|error| {
        let hint = error.hint();
        Failure::new(error.kind(), error, hint)
    })
}

/// A runtime in this thread, for what comes before the process is confined: it starts no thread.
///
/// # Errors
/// What the system refuses.
pub fn small_runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread().enable_all().build().map_err(no_threads)
}

/// What to say when there is no runtime.
#[allow(clippy::needless_pass_by_value, reason = "used as map_err argument")]
#[must_use]
pub fn no_threads(error: std::io::Error) -> Failure {
    Failure::new(
        ErrorKind::Bug,
        format!("the system gives no threads: {error}"),
        "check the limits of this user (ulimit -u)",
    )
}
