//! The settings file of a node.

use std::path::Path;

use api::Failure;
use serde::Deserialize;
use wire::ErrorKind;

use crate::OrFail;

/// Reads settings from a file, or returns the defaults without one.
///
/// # Errors
/// A file that cannot be read or has an invalid setting.
pub(crate) fn load<T: Default + for<'de> Deserialize<'de>>(
    file: Option<&Path>,
) -> Result<T, Failure> {
    let Some(path) = file else { return Ok(T::default()) };
    let text = std::fs::read_to_string(path).map_err(|e| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("cannot read {}: {e}", path.display()),
            "use --config with an existing settings file",
        )
    })?;
    server::config::parse(&text).or_fail()
}
