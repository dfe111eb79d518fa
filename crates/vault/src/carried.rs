//! The boxes that this device carries on the LAN, as a table of the vault.

use hub::AccessClass;
use hub::store::{BoxStore, Keep, NewBox, StoreError, Usage, stored_len};
use mesh::carry::{CarryStore, Listed, Note};
use mesh::pair::Account;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use streams::BoxId;
use wire::Timestamp;
use wire::hub::{BoxBytes, PutOutcome};

/// The table within a transaction; see [`crate::Vault::carrying`].
pub struct CarriedTable<'c> {
    conn: &'c Connection,
    keep: Keep,
}

impl<'c> CarriedTable<'c> {
    pub(crate) const fn new(conn: &'c Connection, keep: Keep) -> Self {
        CarriedTable { conn, keep }
    }

    fn write(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        self.conn.prepare_cached(sql).and_then(|mut s| s.execute(params)).map_err(|e| fail(&e))
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut s| s.query_row(params, read).optional())
            .map_err(|e| fail(&e))
    }

    /// Notes that the hub of a place, named by 32 bytes, may lack a box that came by the LAN.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn owe(&mut self, place: &[u8; 32], id: &BoxId) -> Result<(), StoreError> {
        self.write(
            "INSERT OR IGNORE INTO owed (place, id) VALUES (?1, ?2)",
            params![place, id.as_bytes()],
        )
        .map(|_| ())
    }

    /// Up to `limit` boxes that the hub of a place may lack. Those that are not carried any more
    /// are forgotten.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn owed(&mut self, place: &[u8; 32], limit: u32) -> Result<Vec<BoxId>, StoreError> {
        self.write("DELETE FROM owed WHERE id NOT IN (SELECT id FROM carried)", [])?;
        let read = |row: &Row<'_>| row.get(0).map(BoxId::new);
        let sql = "SELECT id FROM owed WHERE place = ?1 ORDER BY id LIMIT ?2";
        let all = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut s| s.query_map(params![place, limit], read)?.collect());
        all.map_err(|e| fail(&e))
    }

    /// The hub of a place has these now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn settle(&mut self, place: &[u8; 32], ids: &[BoxId]) -> Result<(), StoreError> {
        ids.iter().try_for_each(|id| {
            self.write(
                "DELETE FROM owed WHERE place = ?1 AND id = ?2",
                params![place, id.as_bytes()],
            )
            .map(|_| ())
        })
    }

    fn put(&self, now: Timestamp, new: &NewBox) -> Result<PutOutcome, StoreError> {
        let sealed = new.content.clone().into_sealed();
        let there = self.one(
            "SELECT ciphertext = ?2 AND signature = ?3 FROM carried WHERE id = ?1",
            params![sealed.id.as_bytes(), sealed.ciphertext, sealed.signature],
            |row| row.get::<_, bool>(0),
        )?;
        match there {
            Some(true) => return Ok(PutOutcome::Same),
            Some(false) => return Ok(PutOutcome::Taken),
            None => {}
        }
        let segment = millis(self.keep.segment_end(now));
        self.write(
            "INSERT INTO carried (id, ciphertext, signature, guest, segment) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                sealed.id.as_bytes(),
                sealed.ciphertext,
                sealed.signature,
                new.class == AccessClass::Guest,
                segment
            ],
        )?;
        Ok(PutOutcome::Stored)
    }
}

impl BoxStore for CarriedTable<'_> {
    fn put_batch(
        &mut self,
        now: Timestamp,
        boxes: &[NewBox],
    ) -> Result<Vec<PutOutcome>, StoreError> {
        boxes.iter().map(|new| self.put(now, new)).collect()
    }

    fn get(&self, ids: &[BoxId]) -> Result<Vec<BoxBytes>, StoreError> {
        let mut found = Vec::new();
        for id in ids {
            let read = |row: &Row<'_>| {
                Ok(BoxBytes { id: *id.as_bytes(), ciphertext: row.get(0)?, signature: row.get(1)? })
            };
            found.extend(self.one(
                "SELECT ciphertext, signature FROM carried WHERE id = ?1",
                [id.as_bytes()],
                read,
            )?);
        }
        Ok(found)
    }

    fn expire(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let segments =
            self.conn.prepare_cached("SELECT DISTINCT segment FROM carried").and_then(|mut s| {
                s.query_map([], |row| row.get::<_, i64>(0))?.collect::<rusqlite::Result<Vec<i64>>>()
            });
        for segment in segments.map_err(|e| fail(&e))? {
            if self.keep.expiry(time(segment)) <= now {
                self.write("DELETE FROM carried WHERE segment = ?1", [segment])?;
            }
        }
        Ok(())
    }

    fn next_expiry(&self) -> Option<Timestamp> {
        let first =
            self.one("SELECT min(segment) FROM carried", [], |row| row.get::<_, Option<i64>>(0));
        first.ok().flatten().flatten().map(|segment| self.keep.expiry(time(segment)))
    }

    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        let rows = self
            .conn
            .prepare_cached("SELECT guest, length(ciphertext) FROM carried")
            .and_then(|mut s| {
                s.query_map([], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, u32>(1)?)))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            });
        for (guest, len) in rows.unwrap_or_default() {
            let class = if guest { AccessClass::Guest } else { AccessClass::Member };
            usage.add(class, u64::from(len) + stored_len(&[]));
        }
        usage
    }
}

impl CarryStore for CarriedTable<'_> {
    fn note(&mut self, id: &BoxId, note: &Note) -> Result<(), StoreError> {
        self.write(
            "UPDATE carried SET hops = ?2, account = ?3, only_for = ?4, at = ?5 WHERE id = ?1",
            params![
                id.as_bytes(),
                note.hops,
                note.account.0,
                note.only.map(|a| a.0),
                millis(note.at)
            ],
        )?;
        Ok(())
    }

    fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let sql = "SELECT id, length(ciphertext), hops, account, only_for, at FROM carried WHERE at IS NOT NULL ORDER BY at, id";
        let read = |row: &Row<'_>| {
            let only: Option<[u8; 16]> = row.get(4)?;
            let note = Note {
                hops: row.get(2)?,
                account: Account(row.get(3)?),
                only: only.map(Account),
                at: time(row.get(5)?),
            };
            let len: u32 = row.get(1)?;
            Ok(Listed { id: BoxId::new(row.get(0)?), len: u64::from(len) + stored_len(&[]), note })
        };
        let all = self.conn.prepare_cached(sql).and_then(|mut s| s.query_map([], read)?.collect());
        all.map_err(|e| fail(&e))
    }

    fn give_up(&mut self, ids: &[BoxId]) -> Result<(), StoreError> {
        ids.iter().try_for_each(|id| {
            self.write("DELETE FROM carried WHERE id = ?1", [id.as_bytes()]).map(|_| ())
        })
    }
}

fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn fail(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            StoreError::Damaged
        }
        Some(rusqlite::ErrorCode::DiskFull) => StoreError::Refused(std::io::ErrorKind::StorageFull),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            StoreError::Locked
        }
        _ => StoreError::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{self, MIGRATIONS};

    struct Own {
        conn: Connection,
        keep: Keep,
    }

    impl Own {
        fn new(keep: Keep) -> Self {
            let conn = Connection::open_in_memory().unwrap();
            schema::prepare(&conn).unwrap();
            schema::migrate(&conn, MIGRATIONS, "the vault").unwrap();
            Own { conn, keep }
        }
        fn table(&self) -> CarriedTable<'_> {
            CarriedTable::new(&self.conn, self.keep)
        }
    }

    impl BoxStore for Own {
        fn put_batch(
            &mut self,
            now: Timestamp,
            boxes: &[NewBox],
        ) -> Result<Vec<PutOutcome>, StoreError> {
            self.table().put_batch(now, boxes)
        }
        fn get(&self, ids: &[BoxId]) -> Result<Vec<BoxBytes>, StoreError> {
            self.table().get(ids)
        }
        fn expire(&mut self, now: Timestamp) -> Result<(), StoreError> {
            self.table().expire(now)
        }
        fn next_expiry(&self) -> Option<Timestamp> {
            self.table().next_expiry()
        }
        fn usage(&self) -> Usage {
            self.table().usage()
        }
    }

    impl CarryStore for Own {
        fn note(&mut self, id: &BoxId, note: &Note) -> Result<(), StoreError> {
            self.table().note(id, note)
        }
        fn list(&self) -> Result<Vec<Listed>, StoreError> {
            self.table().list()
        }
        fn give_up(&mut self, ids: &[BoxId]) -> Result<(), StoreError> {
            self.table().give_up(ids)
        }
    }

    #[test]
    fn what_a_hub_lacks_is_remembered_until_it_has_it_or_it_is_carried_no_more() {
        let own = Own::new(Keep::default());
        let mut table = own.table();
        let boxes = [1, 2, 3].map(mesh::carry::conformance::sample);
        for content in &boxes {
            let new = NewBox { content: content.clone(), class: AccessClass::Guest };
            table.put_batch(Timestamp::ZERO, &[new]).unwrap();
            table.owe(&[7; 32], &content.id()).unwrap();
            table.owe(&[7; 32], &content.id()).unwrap();
        }
        let owed = table.owed(&[7; 32], 10).unwrap();
        assert_eq!(owed.len(), 3);
        assert!(table.owed(&[8; 32], 10).unwrap().is_empty());
        assert_eq!(table.owed(&[7; 32], 2).unwrap(), owed[..2]);
        table.settle(&[7; 32], &owed[..1]).unwrap();
        table.give_up(&owed[1..2]).unwrap();
        assert_eq!(table.owed(&[7; 32], 10).unwrap(), owed[2..]);
    }

    #[test]
    fn the_table_is_a_box_store_and_a_carry_store() {
        hub::store::conformance::all(Own::new);
        mesh::carry::conformance::all(Own::new);
    }
}
