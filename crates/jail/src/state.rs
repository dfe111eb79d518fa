//! A private directory for small files: mode 0600, replaced in one step.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Error;

/// A directory that one process owns. It is mode 0700, its files are mode 0600.
#[derive(Debug, Clone)]
pub struct StateDir {
    path: PathBuf,
}

/// Before the checksum of a file that has one.
const MARK: &[u8] = b"sum1";
/// Length of a checksum, bytes.
const SUM: usize = 8;
const TRAILER: usize = MARK.len() + SUM;
/// The file that is locked.
const LOCK: &str = "lock";
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

    /// As [`StateDir::write`], with a checksum: [`StateDir::kept`] notices damage.
    ///
    /// # Errors
    /// [`Error::State`].
    pub fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let mut whole = Zeroizing::new(Vec::with_capacity(bytes.len().saturating_add(TRAILER)));
        whole.extend_from_slice(bytes);
        whole.extend_from_slice(MARK);
        whole.extend_from_slice(&checksum(name, bytes));
        self.write(name, &whole)
    }

    /// What [`StateDir::keep`] wrote, or an earlier version without a checksum; `None` when there
    /// is no such file.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`].
    pub fn kept(&self, name: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        Ok(self.checked(name)?.map(|(bytes, _)| bytes))
    }

    fn checked(&self, name: &'static str) -> Result<Option<Checked>, Error> {
        let Some(mut bytes) = self.read(name)? else { return Ok(None) };
        let summed = bytes.split_last_chunk::<SUM>();
        let Some((content, sum)) =
            summed.and_then(|(rest, sum)| Some((rest.strip_suffix(MARK)?, sum)))
        else {
            return Ok(Some((bytes, false)));
        };
        if checksum(name, content) != *sum {
            return Err(Error::Damaged(name));
        }
        let len = content.len();
        bytes.truncate(len);
        Ok(Some((bytes, true)))
    }

    /// That these files are there if `later` is, which was written after them: else a role would
    /// begin anew as somebody else.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn require(&self, files: &[&'static str], later: &str) -> Result<(), Error> {
        let gone = files.iter().find(|name| !self.join(name).exists());
        match gone.filter(|_| self.join(later).exists()) {
            Some(name) => Err(Error::Gone(name)),
            None => Ok(()),
        }
    }

    /// Keeps other processes from using this directory for as long as what it returns lives.
    ///
    /// # Errors
    /// [`Error::InUse`], [`Error::State`].
    pub fn lock(&self) -> Result<Lock, Error> {
        let fail = |source| Error::State { action: "lock", file: LOCK.to_owned(), source };
        let mut options = OpenOptions::new();
        let file = owner_only(options.write(true).create(true).truncate(false))
            .open(self.path.join(LOCK))
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            // Some file systems know no locks.
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {
                Ok(Lock { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(Error::InUse(self.path.display().to_string())),
            Err(TryLockError::Error(source)) => Err(fail(source)),
        }
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
        if let Some((bytes, summed)) = self.checked(name)? {
            let array: [u8; 32] = bytes.as_slice().try_into().map_err(|_| Error::Damaged(name))?;
            let secret = Zeroizing::new(array);
            if !summed {
                // Of an earlier version: from now on damage would be noticed.
                self.keep(name, secret.as_ref())?;
            }
            return Ok(secret);
        }
        let mut secret = Zeroizing::new([0u8; 32]);
        UnwrapErr(SysRng).fill_bytes(secret.as_mut());
        self.keep(name, secret.as_ref())?;
        Ok(secret)
    }
}

/// What a file holds, and whether it had a checksum.
type Checked = (Zeroizing<Vec<u8>>, bool);

/// Keeps a state directory for one process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

fn checksum(name: &str, bytes: &[u8]) -> [u8; SUM] {
    let hash = Sha256::new().chain_update(name).chain_update([0]).chain_update(bytes).finalize();
    hash.first_chunk().copied().unwrap_or_default()
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
    fn every_flipped_bit_of_a_secret_is_noticed_and_earlier_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let secret = state.secret32("identity").unwrap();
        let whole = fs::read(state.join("identity")).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(state.join("identity"), flipped).unwrap();
            assert!(matches!(state.secret32("identity"), Err(Error::Damaged("identity"))));
        }
        fs::write(state.join("identity"), *secret).unwrap();
        assert_eq!(*state.secret32("identity").unwrap(), *secret);
        assert_eq!(fs::read(state.join("identity")).unwrap(), whole);
        // Under another name it is not what it should be.
        fs::write(state.join("authority"), &whole).unwrap();
        assert!(matches!(state.kept("authority"), Err(Error::Damaged("authority"))));
    }

    #[test]
    fn one_process_at_a_time_uses_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let lock = state.lock().unwrap();
        assert!(matches!(state.lock(), Err(Error::InUse(_))));
        drop(lock);
        state.lock().unwrap();
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
