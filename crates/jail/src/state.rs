//! A private directory for small files: mode 0600, replaced in one step.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use crate::Error;

/// A directory that one process owns. It is mode 0700, its files are mode 0600.
#[derive(Debug, Clone)]
pub struct StateDir {
    path: PathBuf,
}

/// Files are small; anything longer is not ours.
const MAX_FILE: u64 = 16 * 1024 * 1024;

impl StateDir {
    /// Opens `path`, made when missing.
    ///
    /// # Errors
    /// [`Error::State`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let fail = |source| Error::State { action: "create", file: name_of(path), source };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(fail)?;
        Ok(StateDir { path: path.to_owned() })
    }

    /// Path of a file or subdirectory in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A state directory below this one.
    ///
    /// # Errors
    /// [`Error::State`].
    pub fn subdir(&self, name: &str) -> Result<Self, Error> {
        StateDir::open(&self.path.join(name))
    }

    /// The file's bytes, or `None` when there is no such file.
    ///
    /// # Errors
    /// [`Error::State`].
    pub fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let fail = |source| Error::State { action: "read", file: name.to_owned(), source };
        let file = match File::open(self.path.join(name)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(fail(e)),
        };
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(MAX_FILE).read_to_end(&mut bytes).map_err(fail)?;
        Ok(Some(bytes))
    }

    /// Replaces a file that this process alone reads. What it held is overwritten, because it may
    /// be keys that have to be gone; a disk that keeps earlier blocks elsewhere, as flash does, is
    /// beyond our reach.
    ///
    /// # Errors
    /// [`Error::State`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let old = OpenOptions::new().write(true).open(self.path.join(name)).ok();
        self.publish(name, bytes)?;
        // Not before the new name is durable: after a crash the old bytes would be missing, too.
        if let Some(old) =
            old.filter(|_| File::open(&self.path).is_ok_and(|d| d.sync_all().is_ok()))
        {
            let _ = blank(&old);
        }
        Ok(())
    }

    /// Replaces a file that other processes read, too: who is reading it gets the old bytes or the
    /// new ones, never a part.
    ///
    /// # Errors
    /// [`Error::State`].
    pub fn publish(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let fail = |source| Error::State { action: "write", file: name.to_owned(), source };
        let part = self.path.join(format!("{name}.part"));
        let mut file = owner_only(OpenOptions::new().write(true).create(true).truncate(true))
            .open(&part)
            .map_err(fail)?;
        file.write_all(bytes).and_then(|()| file.sync_data()).map_err(fail)?;
        fs::rename(&part, self.path.join(name)).map_err(fail)
    }

    /// Removes a file; that there is none is fine.
    ///
    /// # Errors
    /// [`Error::State`].
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        match fs::remove_file(self.path.join(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(Error::State { action: "remove", file: name.to_owned(), source: e })
            }
            _ => Ok(()),
        }
    }

    /// A 32-byte secret kept under `name`, drawn from the system's generator on first use.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`].
    pub fn secret32(&self, name: &'static str) -> Result<Zeroizing<[u8; 32]>, Error> {
        if let Some(bytes) = self.read(name)? {
            let array: [u8; 32] = bytes.as_slice().try_into().map_err(|_| Error::Damaged(name))?;
            return Ok(Zeroizing::new(array));
        }
        let mut secret = Zeroizing::new([0u8; 32]);
        UnwrapErr(SysRng).fill_bytes(secret.as_mut());
        self.write(name, secret.as_ref())?;
        Ok(secret)
    }
}

/// Overwrites all bytes of a file.
fn blank(mut file: &File) -> io::Result<()> {
    let len = file.metadata()?.len();
    io::copy(&mut io::repeat(0).take(len), &mut file)?;
    file.sync_data()
}

/// Makes a file that these options create readable by its owner alone.
pub fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map_or_else(|| "state directory".to_owned(), |n| n.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_drawn_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("relay")).unwrap();
        let first = state.secret32("identity").unwrap();
        assert_eq!(*first, *state.secret32("identity").unwrap());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |p: PathBuf| fs::metadata(p).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(state.join("identity")), 0o600);
            assert_eq!(mode(state.join("")), 0o700);
        }
    }

    #[test]
    fn what_was_replaced_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        state.write("epoch-keys", &[7; 9_000]).unwrap();
        // A second name keeps what would otherwise be blocks that nobody owns.
        fs::hard_link(state.join("epoch-keys"), state.join("seized")).unwrap();
        state.write("epoch-keys", b"new").unwrap();
        assert_eq!(*state.read("epoch-keys").unwrap().unwrap(), b"new");
        assert_eq!(fs::read(state.join("seized")).unwrap(), [0; 9_000]);
    }

    #[test]
    fn who_reads_a_file_while_it_is_published_again_gets_the_old_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        state.publish("network", b"the old pointer").unwrap();
        let mut reader = File::open(state.join("network")).unwrap();
        state.publish("network", b"the new one").unwrap();
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"the old pointer");
        assert_eq!(*state.read("network").unwrap().unwrap(), b"the new one");
    }

    #[test]
    fn a_damaged_secret_is_an_error_not_a_new_secret() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        state.write("identity", b"short").unwrap();
        assert!(matches!(state.secret32("identity"), Err(Error::Damaged("identity"))));
        assert!(state.read("absent").unwrap().is_none());
        state.remove("absent").unwrap();
    }
}
