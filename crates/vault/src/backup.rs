//! One encrypted file with what is worth keeping: who is who, settings, history.
//!
//! ```text
//! "hushwing-backup 1\n" | m_kib u32 | t u32 | p u32 | salt 16 | length of the database u64 | nonce 12 | wrapped key 48
//! | the database (SQLCipher, the tables of a vault, a random key of its own)
//! ```
//!
//! Numbers are big-endian. The key is wrapped as a vault's is; all that stands before the nonce is
//! its additional data.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use messenger::store::Space;
use rusqlite::{Connection, TransactionBehavior};
use tempfile::TempPath;

use crate::header::{self, Cost, NONCE_LEN, SALT_LEN, WRAPPED_LEN};
use crate::key::random_key;
use crate::schema::{self, MIGRATIONS};
use crate::vault::{self, Vault};
use crate::{Error, VaultKey, files, random};

const MAGIC: &[u8] = b"hushwing-backup ";
const VERSION: u32 = 1;
const FIRST_LINE: &[u8] = b"hushwing-backup 1\n";
const ABOUT_LEN: usize = FIRST_LINE.len() + 3 * 4 + SALT_LEN + 8;
const HEADER_LEN: usize = ABOUT_LEN + NONCE_LEN + WRAPPED_LEN;
const WHAT: &str = "the backup";

impl Vault {
    /// Writes a backup under a passphrase of its own. It holds the spaces of [`Space::in_backup`],
    /// all messages that do not disappear, and their reactions; no MLS state, no stream position,
    /// nothing under way. An older backup of this name is replaced at once when the new one is
    /// complete.
    ///
    /// # Errors
    /// [`Error::EmptyPassphrase`], [`Error::Exists`] when `file` is some other file, [`Error::Io`],
    /// [`Error::Database`], [`Error::Nested`].
    pub fn backup(&self, file: &Path, passphrase: &str) -> Result<(), Error> {
        refuse_other_file(file)?;
        let key = VaultKey::from_locked(random_key()?);
        let dir = files::dir_of(file);
        let database = temp_path(dir)?;
        vault::build_file(&database, &key)?;
        self.attached(&database, &key, |conn| {
            // What disappears would outlive itself in a file that nobody opens (GONE-006).
            copy(conn, "main", "other", "expires_at IS NULL")?;
            conn.execute_batch("COMMIT")
        })?;
        let mut database = File::open(&database).map_err(Error::io("read", WHAT))?;
        let length = database.metadata().map_err(Error::io("read", WHAT))?.len();
        let mut out = tempfile::Builder::new()
            .prefix(files::TEMP_PREFIX)
            .tempfile_in(dir)
            .map_err(Error::io("create", WHAT))?;
        let header = seal(&key, passphrase, length)?;
        out.write_all(&header)
            .and_then(|()| std::io::copy(&mut database, &mut out))
            .and_then(|_| out.as_file().sync_all())
            .map_err(Error::io("write", WHAT))?;
        out.persist(file).map_err(|e| Error::io("write", WHAT)(e.error))?;
        files::sync_dir(file);
        Ok(())
    }

    /// Brings a backup into this vault, which must be empty. After an error nothing has changed.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], [`Error::NotABackup`], [`Error::Truncated`],
    /// [`Error::WrongPassphrase`], [`Error::Newer`], [`Error::Damaged`], [`Error::Missing`],
    /// [`Error::Io`], [`Error::Database`], [`Error::Nested`].
    pub fn restore(&self, file: &Path, passphrase: &str) -> Result<(), Error> {
        if !is_empty(&self.conn)? {
            return Err(Error::NotEmpty);
        }
        let mut input = File::open(file).map_err(|e| {
            if e.kind() == std::io::ErrorKind::NotFound {
                Error::Missing("backup")
            } else {
                Error::io("read", WHAT)(e)
            }
        })?;
        let key = unseal(&mut input, passphrase)?;
        let database = extract(&mut input, &self.temp_dir())?;
        let conn = vault::connect(&database, &key, WHAT)?;
        vault::check_pages(&conn, WHAT)?;
        if schema::version(&conn).map_err(Error::database(WHAT))? == 0 {
            return Err(Error::Damaged(WHAT));
        }
        schema::migrate(&conn, MIGRATIONS, WHAT)?;
        conn.close().map_err(|(_, e)| Error::database(WHAT)(e))?;
        self.attached(&database, &key, |conn| {
            copy(conn, "other", "main", "true")?;
            conn.execute_batch("COMMIT")
        })
    }

    /// Runs `work` in a transaction, with the database of `path` attached as `other`.
    fn attached(
        &self,
        path: &Path,
        key: &VaultKey,
        work: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), Error> {
        if !self.conn.is_autocommit() {
            return Err(Error::Nested);
        }
        let fail = Error::database(WHAT);
        let path = path.to_str().ok_or(Error::Missing("directory with a name in UTF-8"))?;
        self.conn
            .execute("ATTACH DATABASE ?1 AS other KEY ?2", [path, &key.spec()])
            .map_err(&fail)?;
        let done = rusqlite::Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate)
            .and_then(|_rolled_back_unless_committed| work(&self.conn));
        let detached = self.conn.execute_batch("DETACH DATABASE other");
        done.and(detached).map_err(&fail)
    }
}

/// Copies what belongs into a backup. Triggers of the target make its search index.
fn copy(conn: &Connection, from: &str, to: &str, which: &str) -> rusqlite::Result<()> {
    let spaces: Vec<String> =
        Space::ALL.iter().filter(|s| s.in_backup()).map(|s| (*s as u8).to_string()).collect();
    conn.execute_batch(&format!(
        "INSERT INTO {to}.record (space, key, value)
           SELECT space, key, value FROM {from}.record WHERE space IN ({});
         INSERT INTO {to}.message SELECT * FROM {from}.message WHERE {which} ORDER BY number;
         INSERT INTO {to}.reaction SELECT * FROM {from}.reaction
           WHERE message IN (SELECT number FROM {from}.message WHERE {which}) ORDER BY number;",
        spaces.join(", ")
    ))
}

fn is_empty(conn: &Connection) -> Result<bool, Error> {
    conn.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM record) AND NOT EXISTS (SELECT 1 FROM message)",
        [],
        |r| r.get(0),
    )
    .map_err(Error::database("the vault"))
}

/// A name in `dir` under which there is nothing; the file made there goes when this value does.
fn temp_path(dir: &Path) -> Result<TempPath, Error> {
    let temp = tempfile::Builder::new().prefix(files::TEMP_PREFIX).tempfile_in(dir);
    let path = temp.map_err(Error::io("create", WHAT))?.into_temp_path();
    std::fs::remove_file(&path).map_err(Error::io("create", WHAT))?;
    Ok(path)
}

/// Only an older backup may be replaced.
fn refuse_other_file(file: &Path) -> Result<(), Error> {
    let mut first = Vec::new();
    match File::open(file).and_then(|f| f.take(MAGIC.len() as u64).read_to_end(&mut first)) {
        Ok(_) if first == MAGIC => Ok(()),
        Ok(_) => Err(Error::Exists("another file of this name")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io("read", WHAT)(e)),
    }
}

fn seal(key: &VaultKey, passphrase: &str, length: u64) -> Result<Vec<u8>, Error> {
    let mut salt = [0; SALT_LEN];
    let mut nonce = [0; NONCE_LEN];
    random::fill(&mut salt)?;
    random::fill(&mut nonce)?;
    let cost = Cost::NEW;
    let mut out = FIRST_LINE.to_vec();
    for n in [cost.m_kib, cost.t, cost.p] {
        out.extend_from_slice(&n.to_be_bytes());
    }
    out.extend_from_slice(&salt);
    out.extend_from_slice(&length.to_be_bytes());
    let wrapped = header::wrap(&cost.derive(passphrase, &salt, WHAT)?, &nonce, &out, key.locked())?;
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&wrapped);
    Ok(out)
}

/// Reads the header and leaves `input` at the database.
fn unseal(input: &mut File, passphrase: &str) -> Result<VaultKey, Error> {
    let mut header = Vec::with_capacity(HEADER_LEN);
    input.take(HEADER_LEN as u64).read_to_end(&mut header).map_err(Error::io("read", WHAT))?;
    let rest = header.strip_prefix(MAGIC).ok_or(Error::NotABackup)?;
    let line = rest.iter().take(11).position(|&b| b == b'\n').ok_or(Error::NotABackup)?;
    let digits = std::str::from_utf8(&rest[..line]).map_err(|_| Error::NotABackup)?;
    match digits.parse::<u32>() {
        Ok(VERSION) if header.starts_with(FIRST_LINE) => {}
        Ok(found) if found > VERSION => {
            return Err(Error::Newer { what: WHAT, found, known: VERSION });
        }
        _ => return Err(Error::NotABackup),
    }
    if header.len() < HEADER_LEN {
        return Err(Error::Truncated);
    }
    let (about, tail) = header.split_at(ABOUT_LEN);
    let mut fields = Fields(&about[FIRST_LINE.len()..]);
    let cost = Cost { m_kib: fields.u32()?, t: fields.u32()?, p: fields.u32()? };
    let salt = fields.take()?;
    let length = u64::from_be_bytes(fields.take()?);
    let total = input.metadata().map_err(Error::io("read", WHAT))?.len();
    match total.checked_sub(HEADER_LEN as u64) {
        Some(there) if there < length => return Err(Error::Truncated),
        Some(there) if there == length => {}
        _ => return Err(Error::Damaged(WHAT)),
    }
    let mut fields = Fields(tail);
    let (nonce, wrapped) = (fields.take()?, fields.take()?);
    let by = cost.derive(passphrase, &salt, WHAT)?;
    header::unwrap(&by, &nonce, about, &wrapped)?
        .map(VaultKey::from_locked)
        .ok_or(Error::WrongPassphrase)
}

/// Copies the rest of `input` into a file of its own.
fn extract(input: &mut File, dir: &Path) -> Result<TempPath, Error> {
    input.seek(SeekFrom::Start(HEADER_LEN as u64)).map_err(Error::io("read", WHAT))?;
    let mut temp = tempfile::Builder::new()
        .prefix(files::TEMP_PREFIX)
        .tempfile_in(dir)
        .map_err(Error::io("create", WHAT))?;
    std::io::copy(input, &mut temp).map_err(Error::io("write", WHAT))?;
    Ok(temp.into_temp_path())
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(*first)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.take().map(u32::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use messenger::store::Space;

    #[test]
    fn a_backup_holds_only_what_belongs_into_one() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::in_memory().unwrap();
        vault
            .transaction(|s| {
                for space in Space::ALL {
                    s.put(space, b"key", b"value")?;
                }
                Ok::<_, Error>(())
            })
            .unwrap();
        let carried = mesh::carry::conformance::sample(1);
        let new = hub::store::NewBox { content: carried.clone(), class: hub::AccessClass::Guest };
        vault
            .carrying(hub::store::Keep::default(), |table| {
                hub::store::BoxStore::put_batch(table, wire::Timestamp::ZERO, &[new]).unwrap();
                table.owe(&[0; 32], &carried.id()).unwrap();
                Ok::<_, Error>(())
            })
            .unwrap();
        let here = wire::Timestamp::from_millis(5);
        vault.keep_anchor(messenger::local::Anchor { local: here, wall: here }).unwrap();
        let file = dir.path().join("b");
        vault.backup(&file, "pass").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
        let mut input = File::open(&file).unwrap();
        let key = unseal(&mut input, "pass").unwrap();
        let database = extract(&mut input, dir.path()).unwrap();
        let conn = vault::connect(&database, &key, WHAT).unwrap();
        let spaces: Vec<u8> = conn
            .prepare("SELECT space FROM record ORDER BY space")
            .unwrap()
            .query_map([], |r| r.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(spaces, [Space::Card as u8, Space::Setting as u8]);
        let tables: i64 = conn
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'message_text%'
                 AND name NOT LIKE 'sqlite_%'",
                [],
                |r| r.get(0),
            )
            .unwrap();
        assert_eq!(
            tables, 6,
            "record, message, reaction, carried, owed, clock: a new table has to be thought of here"
        );
        for empty in ["carried", "owed", "clock"] {
            let rows: i64 =
                conn.query_row(&format!("SELECT count(*) FROM {empty}"), [], |r| r.get(0)).unwrap();
            assert_eq!(rows, 0, "what is under way for others stays behind");
        }
    }
}
