//! Paths that mean the same in every process.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(struct LocalPath);

/// A path on this machine, absolute from the moment it is read: the engine may run in another
/// process, with another working directory.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct LocalPath(#[serde(deserialize_with = "absolute")] String);

impl LocalPath {
    /// A path as a person typed it, relative to this process's working directory.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        LocalPath(absolute.to_string_lossy().into_owned())
    }

    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<PathBuf> for LocalPath {
    fn from(path: PathBuf) -> Self {
        LocalPath::new(path)
    }
}

fn absolute<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(|text| LocalPath::new(text).0)
}
