//! The roles as commands: settings from file and flags, start, stop on a signal.

pub mod confine;
pub mod directory;
pub mod guests;
pub mod host;
pub mod network;
pub mod node;
pub mod onion;
pub mod onion_site;
pub mod primary;
pub mod room;
pub mod up;
pub mod web;

use std::path::Path;

use serde::Deserialize;
use wire::ErrorKind;

use crate::exit::{Failure, OrFail};

/// Settings from a file, or the defaults without one.
pub(crate) fn settings<T: Default + for<'de> Deserialize<'de>>(
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
    Ok(server::config::parse(&text).or_fail()?)
}
