//! A disk that a test can fill.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::run;

/// A file system of its own, in memory.
pub struct Disk(PathBuf);

impl Disk {
    /// Makes the directory, with room for so many MiB.
    ///
    /// # Panics
    /// When it exists, or nothing can be mounted there.
    pub fn mount(at: PathBuf, mib: u32) -> Self {
        std::fs::create_dir(&at).expect("a directory");
        let size = format!("size={mib}m,mode=700");
        let path = at.to_str().expect("UTF-8");
        run("mount", &["-t", "tmpfs", "-o", &size, "hushwing-test", path])
            .unwrap_or_else(|why| panic!("no file system in memory: {why}"));
        Disk(at)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Leaves room for so many bytes on it.
    ///
    /// # Panics
    /// When not even a file can be made.
    pub fn fill_but(&self, bytes: u64) {
        let mut file = std::fs::File::create(self.filler()).expect("a file");
        let piece = vec![0; 1 << 16];
        while file.write_all(&piece).is_ok() {}
        let len = file.metadata().expect("its length").len();
        file.set_len(len.saturating_sub(bytes)).expect("a shorter file");
    }

    /// Gives the room back.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn free(&self) {
        std::fs::remove_file(self.filler()).expect("it was filled");
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Processes may still have files open there.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
