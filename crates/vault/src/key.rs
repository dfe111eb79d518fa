//! The key of a vault, and the two ways to lock it away.

use std::path::Path;

use zeroize::Zeroizing;

use crate::header::{Cost, HEADER_FILE, Header, SALT_LEN, WrappedBy};
use crate::locked::{KEY_LEN, LockedKey};
use crate::{Error, files, random};

/// Name of the key file.
pub(crate) const KEY_FILE: &str = "vault.key";
const WHAT: &str = "key file";

/// A way to lock a vault's key, with the secret for it.
#[derive(Clone)]
pub enum Unlock {
    /// A passphrase, stretched by Argon2id (64 MiB, 3 passes).
    Passphrase(Zeroizing<String>),
    /// The file `vault.key` in the profile's directory. Anyone who can read that directory can read
    /// the vault.
    KeyFile,
}

impl Unlock {
    /// A passphrase.
    #[must_use]
    pub fn passphrase(text: impl Into<String>) -> Unlock {
        Unlock::Passphrase(Zeroizing::new(text.into()))
    }
}

impl std::fmt::Debug for Unlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unlock")
    }
}

/// The kind of [`Unlock`] that a vault needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnlockKind {
    /// [`Unlock::Passphrase`].
    Passphrase,
    /// [`Unlock::KeyFile`].
    KeyFile,
}

/// The random 32-byte key of one vault, in locked memory.
pub struct VaultKey(LockedKey);

impl VaultKey {
    /// Draws a new key.
    ///
    /// # Errors
    /// [`Error::Io`] when the system gives no memory.
    pub fn random() -> Result<VaultKey, Error> {
        random_key().map(VaultKey)
    }

    /// Writes the header (`vault.key.toml`, and for [`Unlock::KeyFile`] a fresh `vault.key`, unless
    /// the header there is one of a key file already) into `dir`. An existing header is replaced at
    /// once and overwritten: the old passphrase opens nothing from then on.
    ///
    /// # Errors
    /// [`Error::EmptyPassphrase`], [`Error::Io`].
    pub fn seal(&self, dir: &Path, unlock: &Unlock) -> Result<(), Error> {
        let key_file = dir.join(KEY_FILE);
        match unlock {
            Unlock::Passphrase(passphrase) => {
                let mut salt = [0; SALT_LEN];
                random::fill(&mut salt)?;
                let cost = Cost::NEW;
                let with = cost.derive(passphrase, &salt, HEADER_FILE)?;
                Header::seal(WrappedBy::Passphrase { cost, salt }, &with, &self.0)?.write(dir)?;
                files::erase(&key_file, WHAT)
            }
            Unlock::KeyFile => {
                // A key file that the present header needs must stay: two files cannot change in
                // one step.
                let with = match Header::read(dir) {
                    Ok(Header { by: WrappedBy::File, .. }) => read_key_file(dir)?,
                    _ => {
                        files::erase(&key_file, WHAT)?;
                        let with = random_key()?;
                        files::create_private(&key_file, with.bytes(), WHAT)?;
                        with
                    }
                };
                Header::seal(WrappedBy::File, &with, &self.0)?.write(dir)
            }
        }
    }

    /// Opens the header in `dir`. Takes about a tenth of a second and 64 MiB for a passphrase.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::WrongPassphrase`], [`Error::WrongKeyFile`], [`Error::LockedBy`]
    /// for the other kind, [`Error::Damaged`], [`Error::Newer`], [`Error::Io`].
    pub fn unlock(dir: &Path, unlock: &Unlock) -> Result<VaultKey, Error> {
        let header = Header::read(dir)?;
        match (unlock, &header.by) {
            (Unlock::Passphrase(passphrase), WrappedBy::Passphrase { cost, salt }) => {
                let with = cost.derive(passphrase, salt, "key header")?;
                header.open(&with)?.map(VaultKey).ok_or(Error::WrongPassphrase)
            }
            (Unlock::KeyFile, WrappedBy::File) => {
                header.open(&read_key_file(dir)?)?.map(VaultKey).ok_or(Error::WrongKeyFile)
            }
            (_, WrappedBy::Passphrase { .. }) => Err(Error::LockedBy("a passphrase")),
            (_, WrappedBy::File) => Err(Error::LockedBy("a key file")),
        }
    }

    /// Which [`Unlock`] the vault in `dir` takes; [`Error::Missing`] when there is none.
    ///
    /// # Errors
    /// As [`VaultKey::unlock`], the wrong secrets excepted.
    pub fn kind(dir: &Path) -> Result<UnlockKind, Error> {
        Header::read(dir).map(|h| match h.by {
            WrappedBy::Passphrase { .. } => UnlockKind::Passphrase,
            WrappedBy::File => UnlockKind::KeyFile,
        })
    }

    /// Whether the system keeps the key out of swap.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.0.is_locked()
    }

    /// The key itself, for sealing other things than a vault, such as the seed of an onion service.
    #[must_use]
    pub fn reveal(&self) -> &[u8; KEY_LEN] {
        self.0.bytes()
    }

    pub(crate) fn from_locked(key: LockedKey) -> VaultKey {
        VaultKey(key)
    }

    pub(crate) fn locked(&self) -> &LockedKey {
        &self.0
    }

    /// The key as SQLCipher takes it: `x'64 hex digits'`, used as it is, without a derivation.
    pub(crate) fn spec(&self) -> Zeroizing<String> {
        let mut spec = Zeroizing::new(String::with_capacity(2 * KEY_LEN + 3));
        spec.push_str("x'");
        data_encoding::HEXLOWER.encode_append(self.0.bytes(), &mut spec);
        spec.push('\'');
        spec
    }
}

impl std::fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VaultKey")
    }
}

pub(crate) fn random_key() -> Result<LockedKey, Error> {
    LockedKey::new(|key| random::fill(key))
}

fn read_key_file(dir: &Path) -> Result<LockedKey, Error> {
    let bytes = files::read(&dir.join(KEY_FILE), KEY_LEN, WHAT)?;
    let bytes: &[u8; KEY_LEN] = bytes.as_slice().try_into().map_err(|_| Error::Damaged(WHAT))?;
    LockedKey::new(|key| {
        key.copy_from_slice(bytes);
        Ok(())
    })
}
