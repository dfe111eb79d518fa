//! The settings file of a node.

use std::path::Path;

use api::Failure;
use serde::Deserialize;
use wire::ErrorKind;

use crate::OrFail;

/// Settings from a file, or the defaults without one.
///
/// # Errors
/// A file that cannot be read or says something wrong.
pub(crate) fn load<T: Default + for<'de> Deserialize<'de>>(
    file: Option<&Path>,
) -> Result<T, Failure> {
    let Some(path) = file else { return Ok(T::default()) };
    let text = std::fs::read_to_string(path).map_err(|e| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("cannot read {}: {e}", path.display()),
            "name an existing settings file with --config",
        )
    })?;
    server::config::parse(&text).or_fail()
}
