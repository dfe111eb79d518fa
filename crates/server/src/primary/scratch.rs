//! A directory for data that must not outlive its owner. It is overwritten and removed when
//! dropped.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use jail::StateDir;

use crate::Error;

/// A directory of a random name, mode 0700.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Creates one in `base`.
    ///
    /// # Errors
    /// [`Error::StateDir`].
    pub fn make(base: &Path, prefix: &str) -> Result<Self, Error> {
        let name: [u8; 8] = rand::random();
        let path = base.join(format!("{prefix}{}", data_encoding::HEXLOWER.encode(&name)));
        StateDir::open(&path)?;
        Ok(Scratch { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Overwrites and removes it, like dropping.
    pub fn erase(self) {
        drop(self);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        overwrite(&self.path);
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::error!(%error, "a scratch directory cannot be removed");
        }
    }
}

/// Overwrites all files below with zeros. Files that cannot be opened are only removed.
fn overwrite(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.metadata() else { continue };
        if kind.is_dir() {
            overwrite(&entry.path());
        } else if let Ok(mut file) = fs::OpenOptions::new().write(true).open(entry.path()) {
            let zeros = vec![0; usize::try_from(kind.len()).unwrap_or(0).min(1 << 20)];
            let _ = file.write_all(&zeros).and_then(|()| file.sync_data());
        }
    }
}
