//! A private temporary directory that outlives neither its owner nor its owner's crash.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Error;

/// Prefix of the names of scratch directories.
pub const PREFIX: &str = "hushwing-";

/// The lock file, which the owner holds locked as long as it lives. The system releases the lock of
/// a dead owner.
const LOCK: &str = "lock";

/// Most directories that one sweep removes. Somebody who fills the temporary directory must not
/// hold up the start.
const SWEEP: usize = 1024;

/// Attempts to remove a directory, in which threads that are about to end may still create files.
const ATTEMPTS: u32 = 20;

/// Attempts to create a directory while another process sweeps.
const TRIES: u32 = 16;

/// A directory for this process alone, mode 0700. Removed with all that is in it when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// The locked file. It is dropped last: the directory must be gone before a sweep could take it
    /// for abandoned.
    _lock: File,
}

impl Scratch {
    /// Sweeps [`Scratch::base`] and creates a directory there.
    ///
    /// # Errors
    /// [`Error::Scratch`].
    pub fn new() -> Result<Scratch, Error> {
        Scratch::new_in(&Scratch::base())
    }

    /// Sweeps `base` and creates a directory there.
    ///
    /// # Errors
    /// [`Error::Scratch`].
    pub fn new_in(base: &Path) -> Result<Scratch, Error> {
        Scratch::sweep(base);
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        for _ in 0..TRIES {
            let made = builder.tempdir_in(base).map_err(Error::Scratch)?;
            match lock_new(&made.path().join(LOCK)) {
                Ok(Some(lock)) => return Ok(Scratch { path: made.keep(), _lock: lock }),
                // A sweep saw it before it was locked and took it for abandoned.
                Ok(None) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(Error::Scratch(e)),
            }
        }
        Err(Error::Scratch(io::ErrorKind::ResourceBusy.into()))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where scratch directories are made: `XDG_RUNTIME_DIR` if that is this user's and closed to
    /// others (it lies in memory and goes with the session), else the system's temporary directory.
    #[must_use]
    pub fn base() -> PathBuf {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        runtime.filter(|dir| dir.is_absolute() && is_ours(dir)).unwrap_or_else(std::env::temp_dir)
    }

    /// Removes the scratch directories in `base` whose owners are gone. Returns how many.
    ///
    /// One in use stays, and so does all that belongs to another user, is a link, is open to
    /// others, or has another name.
    pub fn sweep(base: &Path) -> usize {
        let Ok(entries) = std::fs::read_dir(base) else { return 0 };
        let named =
            entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(PREFIX));
        let ours = named.map(|e| e.path()).filter(|path| is_ours(path)).take(SWEEP);
        ours.filter(|path| remove_abandoned(path)).count()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for attempt in 0..ATTEMPTS {
            match remove(&self.path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    std::thread::sleep(Duration::from_millis(u64::from(attempt)));
                }
                _ => return,
            }
        }
        tracing::warn!("a temporary directory could not be removed; the next start will try again");
    }
}

/// Makes and locks the lock file. `None` when a sweep was faster.
fn lock_new(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let lock = options.open(path)?;
    match lock.try_lock() {
        Ok(()) => Ok(path.exists().then_some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// A real directory of this user that nobody else may look into.
fn is_ours(path: &Path) -> bool {
    let Ok(found) = std::fs::symlink_metadata(path) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let private = found.mode() & 0o077 == 0;
        found.is_dir() && private && found.uid() == rustix::process::geteuid().as_raw()
    }
    #[cfg(not(unix))]
    found.is_dir()
}

/// Removes a directory that nobody holds. Whether it did.
fn remove_abandoned(path: &Path) -> bool {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
            | rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
    );
    match options.open(path.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok() && remove(path).is_ok(),
        // Its owner died between two steps or is about to lock it. If it is empty, removing it does
        // no harm; if not, it is somebody else's.
        Err(e) if e.kind() == io::ErrorKind::NotFound => std::fs::remove_dir(path).is_ok(),
        Err(_) => false,
    }
}

/// Removes the directory, the lock file last, so that the remains of a crash in here can still be
/// recognised.
fn remove(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == LOCK {
            continue;
        }
        let gone = if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())
        } else {
            std::fs::remove_file(entry.path())
        };
        gone.or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
    }
    match std::fs::remove_file(path.join(LOCK)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    std::fs::remove_dir(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(base: &Path) -> Vec<String> {
        let mut all: Vec<_> = std::fs::read_dir(base)
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        all.sort();
        all
    }

    /// As a crash leaves it: everything is there, the lock is not held.
    fn abandon(scratch: Scratch) -> PathBuf {
        let path = scratch.path.clone();
        let inside = path.join("state");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("key"), b"secret").unwrap();
        let kept = path.with_file_name("kept");
        std::fs::rename(&path, &kept).unwrap();
        drop(scratch);
        std::fs::rename(&kept, &path).unwrap();
        path
    }

    #[cfg(unix)]
    #[test]
    fn it_is_private_and_goes_with_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let base = tempfile::tempdir().unwrap();
        let scratch = Scratch::new_in(base.path()).unwrap();
        assert_eq!(std::fs::metadata(scratch.path()).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(scratch.path().file_name().unwrap().to_string_lossy().starts_with(PREFIX));
        std::fs::create_dir_all(scratch.path().join("a/b")).unwrap();
        std::fs::write(scratch.path().join("a/b/c"), b"x").unwrap();
        drop(scratch);
        assert_eq!(names(base.path()), [""; 0]);
    }

    #[test]
    fn a_sweep_removes_what_a_crash_left_and_nothing_that_is_in_use() {
        let base = tempfile::tempdir().unwrap();
        let used = Scratch::new_in(base.path()).unwrap();
        std::fs::write(used.path().join("file"), b"x").unwrap();
        let left = abandon(Scratch::new_in(base.path()).unwrap());
        let empty = base.path().join("hushwing-empty");
        std::fs::create_dir(&empty).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&empty, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .unwrap();
        assert_eq!(Scratch::sweep(base.path()), 2);
        assert!(!left.exists() && !empty.exists());
        assert!(used.path().join("file").exists());
        // A new one sweeps first.
        let left = abandon(Scratch::new_in(base.path()).unwrap());
        let _next = Scratch::new_in(base.path()).unwrap();
        assert!(!left.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_sweep_leaves_what_is_not_ours() {
        use std::os::unix::fs::PermissionsExt;
        let base = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let victim = elsewhere.path().join("victim");
        std::fs::create_dir(&victim).unwrap();
        std::fs::write(victim.join(LOCK), b"").unwrap();
        std::fs::write(victim.join("file"), b"x").unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        };
        mode(&victim, 0o700);
        // A link with our name to a directory that looks like ours.
        std::os::unix::fs::symlink(&victim, base.path().join("hushwing-link")).unwrap();
        // Open to others, another name, no lock but something in it, a lock that is a link.
        for (name, open) in
            [("hushwing-open", 0o755), ("other-dir", 0o700), ("hushwing-full", 0o700)]
        {
            let path = base.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("file"), b"x").unwrap();
            if name != "hushwing-full" {
                std::fs::write(path.join(LOCK), b"").unwrap();
            }
            mode(&path, open);
        }
        let trap = base.path().join("hushwing-trap");
        std::fs::create_dir(&trap).unwrap();
        mode(&trap, 0o700);
        std::os::unix::fs::symlink(victim.join(LOCK), trap.join(LOCK)).unwrap();
        std::fs::write(base.path().join("hushwing-file"), b"x").unwrap();
        let before = names(base.path());
        assert_eq!(Scratch::sweep(base.path()), 0);
        assert_eq!(names(base.path()), before);
        // Nor does a removal follow a link that lies within.
        let scratch = Scratch::new_in(base.path()).unwrap();
        std::os::unix::fs::symlink(&victim, scratch.path().join("out")).unwrap();
        drop(scratch);
        assert!(victim.join("file").exists());
    }

    #[test]
    fn many_at_once_do_not_sweep_each_other() {
        let base = tempfile::tempdir().unwrap();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let base = base.path().to_owned();
                std::thread::spawn(move || {
                    for _ in 0..50 {
                        let scratch = Scratch::new_in(&base).unwrap();
                        std::fs::write(scratch.path().join("file"), b"x").unwrap();
                        Scratch::sweep(&base);
                        assert!(scratch.path().join("file").exists());
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(names(base.path()), [""; 0]);
    }
}
