//! The encrypted database of one profile.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use messenger::local::Anchor;
use messenger::store::Store;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use wire::Timestamp;
use zeroize::Zeroizing;

use crate::carried::CarriedTable;
use crate::schema::{self, MIGRATIONS};
use crate::tables::Tables;
use crate::{Error, VaultKey};

/// Name of the database.
pub(crate) const VAULT_FILE: &str = "vault.db";
/// Where a vault is created before it gets its name.
const NEW_FILE: &str = "vault.db.new";
pub(crate) const WHAT: &str = "the vault";

/// Set first: keeps the library from writing about keys to standard error.
const QUIET: &str = "PRAGMA cipher_log_level = NONE;";
/// Settings of every connection. It waits at most 5 s for another one. `cipher_memory_security`
/// stays off: it made bulk writes 15 times and reads 5 times slower, to protect memory that core
/// dumps and ptrace cannot reach anyway.
const SETTINGS: &str =
    "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;
                        PRAGMA busy_timeout = 5000; PRAGMA trusted_schema = OFF;";
/// What a vault sets beyond that: each commit is durable.
const DURABLE: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";

/// One SQLCipher connection (AES-256-CBC and HMAC-SHA512 per page), or a database in memory alone.
///
/// Each page is sealed on its own. So a person who can write the file can restore an older state of
/// it, or cut off its log, without being detected. All access goes through [`Vault::transaction`]
/// or [`Vault::read`]. It is `Send` and not `Sync`: one thread at a time.
pub struct Vault {
    pub(crate) conn: Connection,
    dir: Option<PathBuf>,
    local: Cell<Option<Timestamp>>,
    /// Whether the log may hold what was replaced or removed since.
    remnants: Cell<bool>,
}

impl Vault {
    /// Makes an empty vault in `dir` and opens it.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is one, [`Error::Io`], [`Error::Database`].
    pub fn create(dir: &Path, key: &VaultKey) -> Result<Vault, Error> {
        Vault::build(dir, key)?;
        Vault::open(dir, key)
    }

    /// Creates the file of an empty vault, which the first [`Vault::open`] takes. Until then it may
    /// be created again.
    pub(crate) fn build(dir: &Path, key: &VaultKey) -> Result<(), Error> {
        if dir.join(VAULT_FILE).exists() {
            return Err(Error::Exists("a vault"));
        }
        let new = dir.join(NEW_FILE);
        for leftover in
            [new.clone(), dir.join("vault.db.new-wal"), dir.join("vault.db.new-journal")]
        {
            match std::fs::remove_file(leftover) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", WHAT)(e));
                }
                _ => {}
            }
        }
        build_file(&new, key)
    }

    /// Opens the vault in `dir` and brings it to this program's version. Keeps a copy from before,
    /// under the same key, as `vault.db.before-vN`, until [`Vault::remove_copies`].
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::Damaged`] when the file is not what was written under this key
    /// (the first page at least is checked here, the others when they are read, see
    /// [`Vault::check`]); [`Error::Newer`]; [`Error::InUse`]; [`Error::Io`]; [`Error::Database`].
    /// After an error the file is as it was.
    pub fn open(dir: &Path, key: &VaultKey) -> Result<Vault, Error> {
        Vault::open_with(dir, key, MIGRATIONS)
    }

    fn open_with(dir: &Path, key: &VaultKey, steps: &[&str]) -> Result<Vault, Error> {
        let path = dir.join(VAULT_FILE);
        if !path.exists() {
            let new = dir.join(NEW_FILE);
            if !new.exists() {
                return Err(Error::Missing("vault"));
            }
            std::fs::rename(new, &path).map_err(Error::io("rename", WHAT))?;
            crate::files::sync_dir(&path);
        }
        let conn = connect(&path, key, WHAT)?;
        let found = schema::version(&conn).map_err(Error::database(WHAT))?;
        if found == 0 {
            return Err(Error::Damaged(WHAT));
        }
        let vault = Vault::of(conn, Some(dir.to_owned()));
        if (found as usize) < steps.len() {
            vault.keep_copy(dir, steps.len())?;
        }
        schema::migrate(&vault.conn, steps, WHAT)?;
        vault.conn.execute_batch(DURABLE).map_err(Error::database(WHAT))?;
        // The log of a process that was killed.
        vault.tidy();
        Ok(vault)
    }

    fn of(conn: Connection, dir: Option<PathBuf>) -> Self {
        Vault { conn, dir, local: Cell::new(None), remnants: Cell::new(false) }
    }

    /// A vault in memory: nothing of it reaches the disk, unless the system swaps.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn in_memory() -> Result<Vault, Error> {
        let fail = Error::database(WHAT);
        let conn = Connection::open_in_memory().map_err(&fail)?;
        prepare(&conn).map_err(&fail)?;
        schema::migrate(&conn, MIGRATIONS, WHAT)?;
        Ok(Vault::of(conn, None))
    }

    /// Runs `work` in a transaction that may write. It is committed durably when `work` returns
    /// `Ok`. Otherwise, or when `work` panics, nothing has changed.
    ///
    /// # Errors
    /// What `work` returns; [`Error::Nested`], [`Error::InUse`], [`Error::Database`].
    pub fn transaction<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self.begin(TransactionBehavior::Immediate)?;
        let tables = Tables::new(&self.conn, true, self.local.get());
        let done = work(&tables)?;
        let (erased, wrote) = (tables.erased.get(), tables.wrote.get());
        if self.conn.is_autocommit() {
            return Err(Error::Database("the transaction has been rolled back".to_owned()).into());
        }
        transaction.commit().map_err(Error::database(WHAT))?;
        if wrote {
            self.remnants.set(true);
        }
        if erased {
            self.tidy();
        }
        Ok(done)
    }

    /// Like [`Vault::transaction`], for the boxes carried on the LAN, which are kept for this long.
    ///
    /// # Errors
    /// What `work` returns; [`Error::Nested`], [`Error::InUse`], [`Error::Database`].
    pub fn carrying<T, E: From<Error>>(
        &self,
        keep: hub::store::Keep,
        work: impl FnOnce(&mut CarriedTable<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self.begin(TransactionBehavior::Immediate)?;
        let done = work(&mut CarriedTable::new(&self.conn, keep))?;
        transaction.commit().map_err(Error::database(WHAT))?;
        self.remnants.set(true);
        Ok(done)
    }

    /// Runs `work` on one consistent state of the vault. Its store refuses to write.
    ///
    /// # Errors
    /// What `work` returns; [`Error::Nested`], [`Error::Database`].
    pub fn read<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, E>,
    ) -> Result<T, E> {
        let _transaction = self.begin(TransactionBehavior::Deferred)?;
        work(&Tables::new(&self.conn, false, None))
    }

    /// Sets the local time at which messages are kept from now on (`GONE-001`). Until this is
    /// called, the time at which they say that they came counts.
    pub fn set_local_time(&self, local: Timestamp) {
        self.local.set(Some(local));
    }

    /// Where local time stopped.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn anchor(&self) -> Result<Option<Anchor>, Error> {
        let time = |row: &rusqlite::Row<'_>, at| {
            let ms: i64 = row.get(at)?;
            Ok::<_, rusqlite::Error>(Timestamp::from_millis(u64::try_from(ms).unwrap_or(0)))
        };
        self.conn
            .query_row("SELECT local, wall FROM clock", [], |row| {
                Ok(Anchor { local: time(row, 0)?, wall: time(row, 1)? })
            })
            .optional()
            .map_err(Error::database(WHAT))
    }

    /// Keeps where local time is.
    ///
    /// # Errors
    /// [`Error::Nested`], [`Error::InUse`], [`Error::Database`].
    pub fn keep_anchor(&self, anchor: Anchor) -> Result<(), Error> {
        let transaction = self.begin(TransactionBehavior::Immediate)?;
        let ms = |at: Timestamp| i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
        self.conn
            .execute(
                "INSERT OR REPLACE INTO clock (one, local, wall) VALUES (1, ?1, ?2)",
                [ms(anchor.local), ms(anchor.wall)],
            )
            .and_then(|_| transaction.commit())
            .map_err(Error::database(WHAT))
    }

    /// Empties the database's log, so that it no longer holds what was erased or replaced. This
    /// happens automatically after messages were erased, and when a vault is opened; for keys and
    /// other records call it soon after [`Vault::has_remnants`].
    pub fn tidy(&self) {
        // If the database is busy, the next call does it.
        let busy = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        if busy == Ok(0) {
            self.remnants.set(false);
        }
    }

    /// Whether the database's log may hold what was removed or replaced since the last
    /// [`Vault::tidy`], such as keys of messages.
    #[must_use]
    pub fn has_remnants(&self) -> bool {
        self.remnants.get()
    }

    /// Reads every page and checks its seal. Takes about a second per 200 MB.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Database`].
    pub fn check(&self) -> Result<(), Error> {
        if self.dir.is_some() { check_pages(&self.conn, WHAT) } else { Ok(()) }
    }

    /// Overwrites and removes the copies from before a new version, which hold data that is erased
    /// since. To be called once the new version has started well (`GONE-007`). Returns how many.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove_copies(&self) -> Result<usize, Error> {
        let Some(dir) = &self.dir else { return Ok(0) };
        let mut removed = 0;
        for entry in std::fs::read_dir(dir).map_err(Error::io("read", "profile"))? {
            let entry = entry.map_err(Error::io("read", "profile"))?;
            if entry.file_name().to_string_lossy().starts_with("vault.db.before-v") {
                crate::files::erase(&entry.path(), "old copy")?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Where temporary (encrypted) files may stand.
    pub(crate) fn temp_dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    fn begin(&self, behavior: TransactionBehavior) -> Result<Transaction<'_>, Error> {
        if !self.conn.is_autocommit() {
            return Err(Error::Nested);
        }
        Transaction::new_unchecked(&self.conn, behavior).map_err(Error::database(WHAT))
    }

    fn keep_copy(&self, dir: &Path, version: usize) -> Result<(), Error> {
        let copy = dir.join(format!("vault.db.before-v{version}"));
        // One from a failed attempt may be incomplete; the vault has not changed since.
        let temp = tempfile::Builder::new().prefix(crate::files::TEMP_PREFIX).tempfile_in(dir);
        let temp = temp.map_err(Error::io("create", "copy of the vault"))?;
        let path = temp.path().to_str().ok_or(Error::Missing("directory with a name in UTF-8"))?;
        self.conn.execute("VACUUM INTO ?1", [path]).map_err(Error::database(WHAT))?;
        temp.as_file().sync_all().map_err(Error::io("write", "copy of the vault"))?;
        temp.persist(&copy).map_err(|e| Error::io("write", "copy of the vault")(e.error))?;
        crate::files::sync_dir(&copy);
        Ok(())
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

/// A connection to an encrypted file that exists. Its first page has been read.
pub(crate) fn connect(
    path: &Path,
    key: &VaultKey,
    what: &'static str,
) -> Result<Connection, Error> {
    let fail = Error::database(what);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(&fail)?;
    let spec = key.spec();
    let pragma = Zeroizing::new(format!("PRAGMA key = \"{}\"", spec.as_str()));
    conn.execute_batch(QUIET).and_then(|()| conn.execute_batch(&pragma)).map_err(&fail)?;
    prepare(&conn).map_err(&fail)?;
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(&fail)?;
    Ok(conn)
}

fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(SETTINGS)?;
    conn.set_prepared_statement_cache_capacity(64);
    schema::prepare(conn)
}

/// Makes an empty encrypted file with the tables; one file, without a log beside it.
pub(crate) fn build_file(path: &Path, key: &VaultKey) -> Result<(), Error> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::io("create", "the database"))?;
    let conn = connect(path, key, WHAT)?;
    schema::migrate(&conn, MIGRATIONS, WHAT)?;
    conn.close().map_err(|(_, e)| Error::database(WHAT)(e))?;
    crate::files::sync_dir(path);
    Ok(())
}

/// Checks the seal of every page.
pub(crate) fn check_pages(conn: &Connection, what: &'static str) -> Result<(), Error> {
    let bad = conn
        .prepare("PRAGMA cipher_integrity_check")
        .and_then(|mut s| s.query_map([], |_| Ok(()))?.collect::<rusqlite::Result<Vec<()>>>())
        .map_err(Error::database(what))?;
    if bad.is_empty() { Ok(()) } else { Err(Error::Damaged(what)) }
}

#[cfg(test)]
mod tests {
    use messenger::id::{ConversationId, MessageId};
    use messenger::store::{Author, Kind, NewMessage, Space, State, StoreError};
    use wire::Timestamp;

    use super::*;

    #[test]
    fn a_migration_keeps_a_copy_under_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let key = VaultKey::random().unwrap();
        let vault = Vault::create(dir.path(), &key).unwrap();
        vault.transaction(|s| s.put(Space::Card, b"k", b"before").map_err(Error::from)).unwrap();
        drop(vault);

        let next = "ALTER TABLE record ADD COLUMN extra INTEGER; UPDATE record SET value = x'00'";
        let steps = [MIGRATIONS, &[next]].concat();
        let (known, newer) = (MIGRATIONS.len() as u32, MIGRATIONS.len() as u32 + 1);
        let copy_name = format!("vault.db.before-v{newer}");
        let vault = Vault::open_with(dir.path(), &key, &steps).unwrap();
        assert_eq!(schema::version(&vault.conn).unwrap(), newer);
        assert_eq!(
            *vault.read(|s| s.get(Space::Card, b"k").map_err(Error::from)).unwrap().unwrap(),
            [0]
        );
        drop(vault);
        let refused = Vault::open(dir.path(), &key);
        assert!(
            matches!(refused, Err(Error::Newer { found: f, known: k, .. }) if (f, k) == (newer, known))
        );

        let copy = std::fs::read(dir.path().join(&copy_name)).unwrap();
        assert!(!copy.starts_with(b"SQLite"), "encrypted");
        let other = tempfile::tempdir().unwrap();
        std::fs::write(other.path().join(VAULT_FILE), copy).unwrap();
        let old = Vault::open(other.path(), &key).unwrap();
        assert_eq!(
            *old.read(|s| s.get(Space::Card, b"k").map_err(Error::from)).unwrap().unwrap(),
            *b"before"
        );
        assert!(
            Vault::open_with(other.path(), &VaultKey::random().unwrap(), &steps).is_err(),
            "another key"
        );

        let vault = Vault::open_with(dir.path(), &key, &steps).unwrap();
        assert_eq!(vault.remove_copies().unwrap(), 1);
        assert!(!dir.path().join(&copy_name).exists());
    }

    //= GONE-007
    #[test]
    fn what_is_replaced_leaves_the_log_and_the_log_is_emptied_when_a_vault_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let key = VaultKey::random().unwrap();
        let vault = Vault::create(dir.path(), &key).unwrap();
        let log = || std::fs::metadata(dir.path().join("vault.db-wal")).map_or(0, |m| m.len());
        let put = |vault: &Vault| {
            vault.transaction(|s| s.put(Space::Mls, b"k", b"v").map_err(Error::from)).unwrap();
        };
        assert!(!vault.has_remnants());
        put(&vault);
        assert!(vault.has_remnants() && log() > 0);
        vault.tidy();
        assert!(!vault.has_remnants() && log() == 0);
        // As after a kill: the log is there, and nobody has closed the database.
        put(&vault);
        let killed = tempfile::tempdir().unwrap();
        for file in ["vault.db", "vault.db-wal"] {
            std::fs::copy(dir.path().join(file), killed.path().join(file)).unwrap();
        }
        let opened = Vault::open(killed.path(), &key).unwrap();
        let log = std::fs::metadata(killed.path().join("vault.db-wal")).map_or(0, |m| m.len());
        assert_eq!((log, opened.has_remnants()), (0, false));
        let kept = opened.read(|s| s.get(Space::Mls, b"k").map_err(Error::from)).unwrap();
        assert_eq!(*kept.unwrap(), *b"v");
    }

    /// A vault as any other, but not encrypted: what is in its files can be seen.
    fn unencrypted(path: &Path) -> Vault {
        let conn = Connection::open(path).unwrap();
        prepare(&conn).unwrap();
        schema::migrate(&conn, MIGRATIONS, WHAT).unwrap();
        conn.execute_batch(DURABLE).unwrap();
        Vault::of(conn, None)
    }

    fn says(n: u32, text: &str) -> NewMessage {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        NewMessage {
            conversation: ConversationId::new([u8::from(n >= 1_000); 16]),
            id: MessageId::new(id),
            author: Author::Me,
            author_name: String::new(),
            sent_at: Timestamp::ZERO,
            received_at: Timestamp::from_millis(u64::from(n)),
            kind: Kind::Text,
            text: text.to_owned(),
            reply_to: None,
            state: State::Delivered,
            expires_at: (n == 2).then_some(Timestamp::from_millis(50)),
            route: String::new(),
        }
    }

    /// Each way in which text goes, through the vault's own transactions and settings: no word of
    /// it is in the database or its log right after, and no file was closed or told to shrink.
    #[test]
    fn what_is_deleted_is_gone_from_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let vault = unencrypted(&dir.path().join("plain.db"));
        let on_disk = |word: &str| {
            let files = std::fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().path());
            let within = |b: Vec<u8>| b.windows(word.len()).any(|w| w == word.as_bytes());
            files.filter(|f| f.is_file()).any(|f| within(std::fs::read(f).unwrap()))
        };
        let add = |n: u32, text: &str| {
            vault.transaction(|s| Ok::<_, Error>(s.add_message(&says(n, text))?)).unwrap();
        };
        add(1, "zeppelin deleted pelican");
        add(2, "quixotic expired pelican");
        add(3, "rendezvous edited pelican");
        for n in 100..300 {
            add(n, &format!("common filler{n} pelican"));
        }
        add(1_000, "obelisk removed");
        vault
            .transaction(|s| Ok::<_, Error>(s.put(Space::Outbox, b"k", b"marzipan in a record")?))
            .unwrap();
        let words =
            ["zeppelin", "quixotic", "rendezvous", "filler111", "pelican", "obelisk", "marzipan"];
        assert!(words.iter().all(|word| on_disk(word)), "the search itself works");

        let (here, there) = (ConversationId::new([0; 16]), ConversationId::new([1; 16]));
        let id = |n| says(n, "").id;
        type Erase<'a> = &'a dyn Fn(&dyn Store) -> Result<(), StoreError>;
        let erasures: [(&str, Erase<'_>); 5] = [
            ("eppelin", &|s| s.delete_message(&here, &id(1), Author::Me).map(drop)),
            ("uixotic", &|s| s.expire(Timestamp::from_millis(50)).map(drop)),
            ("endezvous", &|s| s.edit_message(&here, &id(3), Author::Me, "better").map(drop)),
            ("belisk", &|s| s.remove_conversation(&there)),
            ("elican", &|s| s.forget_before(Timestamp::from_millis(500)).map(drop)),
        ];
        for (word, erase) in erasures {
            assert!(on_disk(word), "{word}");
            vault.transaction(|s| Ok::<_, Error>(erase(s)?)).unwrap();
            assert!(!on_disk(word), "{word}");
        }
        assert!(!on_disk("filler"));
        // Records leave the log when the vault is idle.
        vault.transaction(|s| Ok::<_, Error>(s.remove(Space::Outbox, b"k")?)).unwrap();
        vault.tidy();
        assert!(!on_disk("arzipan"));
        vault
            .conn
            .execute_batch("INSERT INTO message_text(message_text) VALUES ('integrity-check')")
            .unwrap();
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let key = VaultKey::random().unwrap();
        drop(Vault::create(dir.path(), &key).unwrap());
        let steps = [MIGRATIONS, &["DROP TABLE reaction; SELECT nonsense FROM nowhere"]].concat();
        assert!(matches!(Vault::open_with(dir.path(), &key, &steps), Err(Error::Database(_))));
        let vault = Vault::open(dir.path(), &key).unwrap();
        assert_eq!(schema::version(&vault.conn).unwrap() as usize, MIGRATIONS.len());
        vault.conn.query_row("SELECT count(*) FROM reaction", [], |_| Ok(())).unwrap();
    }

    #[test]
    fn nothing_is_written_after_the_database_gave_up_a_transaction() {
        let vault = Vault::in_memory().unwrap();
        let done = vault.transaction(|s| {
            s.put(Space::Card, b"before", b"")?;
            // As a full disk does.
            vault.conn.execute_batch("ROLLBACK").unwrap();
            assert!(s.put(Space::Card, b"after", b"").is_err());
            Ok::<_, Error>(())
        });
        assert!(matches!(done, Err(Error::Database(_))), "not committed, and said so");
        assert!(vault.read(|s| s.scan(Space::Card, b"").map_err(Error::from)).unwrap().is_empty());
    }

    #[test]
    fn the_settings_hold() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::create(dir.path(), &VaultKey::random().unwrap()).unwrap();
        let pragma = |name: &str| -> String {
            vault
                .conn
                .query_row(
                    &format!("SELECT CAST(\"{name}\" AS TEXT) FROM pragma_{name}"),
                    [],
                    |r| r.get(0),
                )
                .unwrap()
        };
        assert_eq!(pragma("journal_mode"), "wal");
        assert_eq!(pragma("synchronous"), "2");
        assert_eq!(pragma("secure_delete"), "1");
        assert_eq!(pragma("temp_store"), "2");
        assert_eq!(pragma("foreign_keys"), "1");
    }
}
