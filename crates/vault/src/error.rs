//! What can go wrong with a profile on disk.

use messenger::store::StoreError;
use wire::ErrorKind;

/// Why a profile, a vault, a backup or a settings file cannot be used. Never contains what is
/// stored in it, a key or a passphrase.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused.
    #[error("cannot {action} {what}: {source}")]
    Io {
        /// What was tried: `read`, `write`, `create`.
        action: &'static str,
        /// What file or directory it is, in words.
        what: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file or directory is not there.
    #[error("there is no {0}")]
    Missing(&'static str),
    /// A file or directory is there already.
    #[error("{0} already exists")]
    Exists(&'static str),
    /// The passphrase does not open it. The file has not been touched.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The key file does not open it. The vault has not been touched.
    #[error("the key file does not belong to this vault")]
    WrongKeyFile,
    /// It is locked in the other way.
    #[error("the vault is locked by {0}")]
    LockedBy(&'static str),
    /// An empty passphrase.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// The bytes are not what was written.
    #[error("{0} is damaged")]
    Damaged(&'static str),
    /// The file ends before its end.
    #[error("the backup is truncated")]
    Truncated,
    /// Some other file.
    #[error("this file is not a backup")]
    NotABackup,
    /// Written by a newer version of this program.
    #[error("{what} has version {found}, and this program knows versions up to {known}")]
    Newer {
        /// What it is.
        what: &'static str,
        /// Its version.
        found: u32,
        /// The newest that we know.
        known: u32,
    },
    /// Another process has the profile open.
    #[error("the profile is in use by another process")]
    InUse,
    /// A backup can be restored into an empty vault only.
    #[error("the vault is not empty")]
    NotEmpty,
    /// Not a name of a profile.
    #[error("a profile's name is 1 to 32 of a-z, 0-9, - and _")]
    BadName,
    /// Neither `HUSHWING_HOME`, `XDG_DATA_HOME` nor `HOME` is set.
    #[error("no home directory is known")]
    NoHome,
    /// A line of `config.toml` is wrong.
    #[error("config.toml, line {line}: {why}")]
    Config {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// `config.toml` has a key that we do not know.
    #[error("{}unknown setting `{key}`; did you mean `{nearest}`?", place(*.line))]
    UnknownKey {
        /// The line of `config.toml`, from 1; `None` when the key came from elsewhere.
        line: Option<usize>,
        /// The key as written.
        key: String,
        /// The known key that is spelt most like it.
        nearest: &'static str,
    },
    /// The database refused.
    #[error("the vault failed: {0}")]
    Database(String),
    /// A store refused within a transaction.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A transaction was begun within another.
    #[error("a transaction is open already")]
    Nested,
    /// A step that cannot fail did.
    #[error("internal: {0}")]
    Bug(&'static str),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Missing(_)
            | Error::Exists(_)
            | Error::WrongPassphrase
            | Error::WrongKeyFile
            | Error::LockedBy(_)
            | Error::EmptyPassphrase
            | Error::NotABackup
            | Error::InUse
            | Error::NotEmpty
            | Error::BadName
            | Error::NoHome
            | Error::Config { .. }
            | Error::UnknownKey { .. } => ErrorKind::LocalConfig,
            Error::Io { .. }
            | Error::Damaged(_)
            | Error::Truncated
            | Error::Database(_)
            | Error::Store(_) => ErrorKind::LocalStorage,
            Error::Newer { .. } => ErrorKind::Unsupported,
            Error::Nested | Error::Bug(_) => ErrorKind::Bug,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                "free some disk space"
            }
            Error::Io { .. } => "check that the directory exists and belongs to you",
            Error::Missing(_) => "check the name, or create it first",
            Error::Exists(_) => "choose another name, or move the old one away",
            Error::WrongPassphrase => {
                "check Caps Lock and the keyboard layout; nobody can reset a passphrase"
            }
            Error::WrongKeyFile => "put back the vault.key that was made with this profile",
            Error::LockedBy(_) => "unlock it with that",
            Error::EmptyPassphrase => "type a passphrase of several words, or use a key file",
            Error::Damaged(_) => {
                "restore a backup into a new profile; the damaged file is left as it is"
            }
            Error::Truncated => "copy the backup again from where it was made",
            Error::NotABackup => "use the file that `hushwing profile backup` wrote",
            Error::Newer { .. } => "install the newer version of this program",
            Error::InUse => "close the other window, or choose another profile",
            Error::NotEmpty => "restore into a new profile",
            Error::BadName => "choose a name such as `work` or `anna-2`",
            Error::NoHome => "set HUSHWING_HOME to a directory you own",
            Error::Config { .. } | Error::UnknownKey { .. } => {
                "the comments in config.toml say what each setting takes"
            }
            Error::Database(_) | Error::Store(_) => {
                "check that the disk is neither full nor failing"
            }
            Error::Nested | Error::Bug(_) => "please report this as a bug",
        }
    }

    pub(crate) fn io(
        action: &'static str,
        what: &'static str,
    ) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Io { action, what, source }
    }

    /// The database's error about `what`, without the SQL, the paths and the values that its own
    /// text may hold.
    pub(crate) fn database(what: &'static str) -> impl Fn(rusqlite::Error) -> Error {
        move |e| match e.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
                Error::Damaged(what)
            }
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                Error::InUse
            }
            _ => Error::Database(in_words(&e)),
        }
    }
}

fn place(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!("config.toml, line {line}: "))
}

/// An error of the database by its code alone.
pub(crate) fn in_words(e: &rusqlite::Error) -> String {
    match e.sqlite_error() {
        Some(code) => format!("{:?}, code {}", code.code, code.extended_code),
        None => "a row of unexpected shape".to_owned(),
    }
}
