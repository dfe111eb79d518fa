//! The roles as commands: settings from file and flags, start, stop on a signal.

pub mod directory;
pub mod network;
pub mod node;
pub mod room;
pub mod up;

use std::path::Path;

use serde::Deserialize;
use wire::ErrorKind;

use crate::exit::Failure;

/// Settings from a file, or the defaults without one.
pub(crate) fn settings<T: Default + for<'de> Deserialize<'de>>(file: Option<&Path>) -> Result<T, Failure> {
    let Some(path) = file else { return Ok(T::default()) };
    let text = std::fs::read_to_string(path).map_err(|e| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("cannot read {}: {e}", path.display()),
            "name an existing settings file with --config",
        )
    })?;
    Ok(server::config::parse(&text)?)
}

/// Returns on Ctrl+C or SIGTERM: once is enough.
pub(crate) async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut term) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = term.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
