//! The directory of one profile.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::config::{CONFIG_FILE, DEFAULT_CONFIG};
use crate::header::HEADER_FILE;
use crate::key::KEY_FILE;
use crate::{Config, Error, Unlock, UnlockKind, Vault, VaultKey, files};

const LOCK_FILE: &str = "lock";
const WHAT: &str = "profile";
const MAX_NAME: usize = 32;

/// The name of a profile: 1 to 32 of a-z, 0-9, `-` and `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProfileName(String);

impl ProfileName {
    /// A name from outside.
    ///
    /// # Errors
    /// [`Error::BadName`].
    pub fn parse(name: &str) -> Result<ProfileName, Error> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(good) {
            Ok(ProfileName(name.to_owned()))
        } else {
            Err(Error::BadName)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ProfileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProfileName")
    }
}

impl std::fmt::Display for ProfileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An open profile. As long as this value lives, no other process can open it.
///
/// Its directory has mode 0700 and holds `config.toml`, `vault.db` (with its log),
/// `vault.key.toml`, perhaps `vault.key`, and `lock`.
pub struct Profile {
    dir: PathBuf,
    name: ProfileName,
    lock: File,
}

impl Profile {
    /// Where profiles are stored: `$HUSHWING_HOME`, else `$XDG_DATA_HOME/hushwing`, else
    /// `~/.local/share/hushwing`. Relative values of the latter two are ignored, as the XDG
    /// specification requires.
    ///
    /// # Errors
    /// [`Error::NoHome`].
    pub fn data_dir() -> Result<PathBuf, Error> {
        let var =
            |name| std::env::var_os(name).map(PathBuf::from).filter(|p| !p.as_os_str().is_empty());
        data_dir_from(var("HUSHWING_HOME"), var("XDG_DATA_HOME"), var("HOME"))
    }

    /// Whether there is a profile of this name in `base`.
    #[must_use]
    pub fn exists(base: &Path, name: &ProfileName) -> bool {
        base.join(name.as_str()).join(CONFIG_FILE).is_file()
    }

    /// The profiles in `base`, by name; none if the directory does not exist.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn list(base: &Path) -> Result<Vec<ProfileName>, Error> {
        let entries = match std::fs::read_dir(base) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(Error::io("read", "the directory of profiles"))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("read", "the directory of profiles"))?;
            let name = entry.file_name().to_str().and_then(|n| ProfileName::parse(n).ok());
            names.extend(name.filter(|n| Profile::exists(base, n)));
        }
        names.sort();
        Ok(names)
    }

    /// Creates a profile with the commented default settings, and opens it.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::InUse`], [`Error::Io`].
    pub fn create(base: &Path, name: &ProfileName) -> Result<Profile, Error> {
        let dir = base.join(name.as_str());
        files::create_dir(&dir, WHAT)?;
        let profile = Profile::lock(dir, name)?;
        files::create_private(
            &profile.config_path(),
            DEFAULT_CONFIG.as_bytes(),
            "a profile of this name",
        )?;
        Ok(profile)
    }

    /// Opens a profile.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::InUse`], [`Error::Io`].
    pub fn open(base: &Path, name: &ProfileName) -> Result<Profile, Error> {
        if !Profile::exists(base, name) {
            return Err(Error::Missing("profile of this name"));
        }
        Profile::lock(base.join(name.as_str()), name)
    }

    fn lock(dir: PathBuf, name: &ProfileName) -> Result<Profile, Error> {
        std::fs::set_permissions(&dir, Permissions::from_mode(0o700))
            .map_err(Error::io("protect", WHAT))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(dir.join(LOCK_FILE))
            .map_err(Error::io("lock", WHAT))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse),
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", WHAT)(e)),
        }
        let profile = Profile { dir, name: name.clone(), lock };
        profile.sweep()?;
        Ok(profile)
    }

    /// Removes leftovers of a process that died.
    fn sweep(&self) -> Result<(), Error> {
        for entry in std::fs::read_dir(&self.dir).map_err(Error::io("read", WHAT))? {
            let entry = entry.map_err(Error::io("read", WHAT))?;
            if entry.file_name().to_string_lossy().starts_with(files::TEMP_PREFIX) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ProfileName {
        &self.name
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its `config.toml`.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.dir.join(CONFIG_FILE)
    }

    /// Its settings.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn config(&self) -> Result<Config, Error> {
        Config::load(&self.config_path())
    }

    /// How its vault is locked; `None` when there is no vault yet.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Newer`], [`Error::Io`].
    pub fn vault_kind(&self) -> Result<Option<UnlockKind>, Error> {
        match VaultKey::kind(&self.dir) {
            Ok(kind) => Ok(Some(kind)),
            Err(Error::Missing(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Creates its vault. A crash leaves either none or a complete one.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::EmptyPassphrase`], [`Error::Io`], [`Error::Database`].
    pub fn create_vault(&self, unlock: &Unlock) -> Result<Vault, Error> {
        if self.dir.join(HEADER_FILE).exists() {
            return Err(Error::Exists("a vault"));
        }
        let key = VaultKey::random()?;
        Vault::build(&self.dir, &key)?;
        key.seal(&self.dir, unlock)?;
        Vault::open(&self.dir, &key)
    }

    /// Opens its vault.
    ///
    /// # Errors
    /// As [`VaultKey::unlock`] and [`Vault::open`].
    pub fn open_vault(&self, unlock: &Unlock) -> Result<Vault, Error> {
        Vault::open(&self.dir, &VaultKey::unlock(&self.dir, unlock)?)
    }

    /// Changes how its vault is locked. The vault itself stays the same and may be open meanwhile.
    /// Copies of the old `vault.key.toml` still open it with the old secret.
    ///
    /// # Errors
    /// As [`VaultKey::unlock`] and [`VaultKey::seal`].
    pub fn change_unlock(&self, old: &Unlock, new: &Unlock) -> Result<(), Error> {
        VaultKey::unlock(&self.dir, old)?.seal(&self.dir, new)
    }

    /// Removes the profile. The key file and the header are overwritten first, and from then on
    /// nobody can read the vault, whatever else is left of it. Most SSDs, and file systems that
    /// copy on write, keep old blocks for a while: there the wrapped key may survive, and then the
    /// passphrase alone protects the vault (a key file may survive just so, and protects nothing
    /// then).
    ///
    /// The vault must be closed.
    ///
    /// # Errors
    /// [`Error::Io`]; what was done stays done.
    pub fn wipe(self) -> Result<(), Error> {
        files::erase(&self.dir.join(KEY_FILE), "the key file")?;
        files::erase(&self.dir.join(HEADER_FILE), "the key header")?;
        std::fs::remove_dir_all(&self.dir).map_err(Error::io("remove", WHAT))?;
        files::sync_dir(&self.dir);
        drop(self.lock);
        Ok(())
    }
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Profile")
    }
}

fn data_dir_from(
    own: Option<PathBuf>,
    xdg: Option<PathBuf>,
    home: Option<PathBuf>,
) -> Result<PathBuf, Error> {
    own.or_else(|| xdg.filter(|p| p.is_absolute()).map(|p| p.join("hushwing")))
        .or_else(|| home.filter(|p| p.is_absolute()).map(|p| p.join(".local/share/hushwing")))
        .ok_or(Error::NoHome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "work-2", "_", &"x".repeat(32)] {
            assert_eq!(ProfileName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "A", "a/b", "..", ".", "a b", "é", "a\0", &"x".repeat(33)] {
            assert!(ProfileName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn where_profiles_are() {
        let p = |s: &str| Some(PathBuf::from(s));
        assert_eq!(data_dir_from(p("/o"), p("/x"), p("/h")).unwrap(), Path::new("/o"));
        assert_eq!(data_dir_from(None, p("/x"), p("/h")).unwrap(), Path::new("/x/hushwing"));
        assert_eq!(
            data_dir_from(None, p("x"), p("/h")).unwrap(),
            Path::new("/h/.local/share/hushwing")
        );
        assert!(matches!(data_dir_from(None, None, None), Err(Error::NoHome)));
    }
}
