//! A static site: a folder of files, for an onion service.
//!
//! It serves files of the folder and nothing else: no names that start with a dot, no links that
//! lead out, no list of a folder unless `list` is set. No answer reveals a time, a path or a
//! program of this machine.

mod list;
mod path;
mod serve;

use std::path::{Path, PathBuf};

use axum::Router;

use crate::Error;

/// The content policy of a site: its own files and nothing from elsewhere.
pub const CONTENT_POLICY: &str = "default-src 'self'";
/// What browsers are told to leave alone, as `Permissions-Policy`.
pub const PERMISSIONS: &str = crate::http::PERMISSIONS;
/// What stands for a folder.
pub const INDEX: &str = "index.html";

/// A folder that is served. `Debug` prints the type's name.
#[derive(Clone)]
pub struct Site {
    root: PathBuf,
    list: bool,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Site")
    }
}

impl Site {
    /// The site in `folder`. With `list`, a folder without an index is shown as a list of what is
    /// in it.
    ///
    /// # Errors
    /// [`Error::State`]: there is no such folder, or it cannot be read.
    pub fn open(folder: &Path, list: bool) -> Result<Site, Error> {
        let fail =
            |source| Error::State { action: "read", file: folder.display().to_string(), source };
        let root = folder.canonicalize().map_err(fail)?;
        // A folder that cannot be read would be an empty site.
        std::fs::read_dir(&root).map_err(fail)?;
        Ok(Site { root, list })
    }

    /// The folder, without links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Answers `GET` and `HEAD` with the folder's files.
    pub fn router(self) -> Router {
        serve::router(self)
    }
}
