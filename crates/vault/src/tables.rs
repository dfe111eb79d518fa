//! The store of one transaction, over the tables.

use std::cell::Cell;

use messenger::id::{ConversationId, MemberId, MessageId};
use messenger::store::{
    Author, Kind, NewMessage, Reaction, Space, State, Store, StoreError, StoredMessage, Value,
};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use wire::Timestamp;

use crate::error::in_words;
use crate::schema;

/// Most reactions of a message.
const MAX_REACTIONS: i64 = 64;

const COLUMNS: &str = "number, conversation, id, author, author_name, sent_at, received_at, kind, text, reply_to, state, \
                       expires_at, route, edited, deleted, seen";

type Rows<T> = Result<Vec<T>, StoreError>;

/// The tables within a transaction.
pub(crate) struct Tables<'c> {
    conn: &'c Connection,
    writable: bool,
    /// Local time, once the shell has told it.
    local: Option<Timestamp>,
    /// Whether text was deleted, so that it must leave the log as well.
    pub(crate) erased: Cell<bool>,
    /// Whether anything was written: what it replaces is still in the log.
    pub(crate) wrote: Cell<bool>,
}

impl<'c> Tables<'c> {
    pub(crate) fn new(conn: &'c Connection, writable: bool, local: Option<Timestamp>) -> Self {
        Tables { conn, writable, local, erased: Cell::new(false), wrote: Cell::new(false) }
    }

    /// Changes rows and returns how many. Refuses outside a transaction: some disk errors end a
    /// transaction early, and later writes would then be committed alone.
    fn write(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        if !self.writable {
            return Err(StoreError("a read transaction cannot write".to_owned()));
        }
        if self.conn.is_autocommit() {
            return Err(StoreError("the transaction has been rolled back".to_owned()));
        }
        self.wrote.set(true);
        self.conn.prepare_cached(sql).and_then(|mut s| s.execute(params)).map_err(|e| fail(&e))
    }

    fn erase(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        let n = self.write(sql, params)?;
        if n > 0 {
            self.erased.set(true);
        }
        Ok(n)
    }

    fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut s| s.query_map(params, read)?.collect())
            .map_err(|e| fail(&e))
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

    fn messages(&self, rest: &str, params: impl Params) -> Result<Vec<StoredMessage>, StoreError> {
        let mut all =
            self.rows(&format!("SELECT {COLUMNS} FROM message {rest}"), params, message_of)?;
        for m in &mut all {
            m.reactions = self.rows(
                "SELECT author, author_name, emoji FROM reaction WHERE message = ?1 ORDER BY number",
                [m.number],
                |row| Ok(Reaction { author: author_of(row, 0)?, author_name: row.get(1)?, emoji: row.get(2)? }),
            )?;
        }
        Ok(all)
    }

    /// The number of the message that [`Store::message`] gives, unless deleted.
    fn number_of(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
    ) -> Result<Option<i64>, StoreError> {
        let found = self.one(
            "SELECT number, deleted FROM message WHERE conversation = ?1 AND id = ?2 ORDER BY number LIMIT 1",
            params![conversation.as_bytes(), id.as_bytes()],
            |row| Ok((row.get(0)?, row.get::<_, bool>(1)?)),
        )?;
        Ok(found.and_then(|(number, deleted)| (!deleted).then_some(number)))
    }
}

impl Store for Tables<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.one(
            "SELECT value FROM record WHERE space = ?1 AND key = ?2",
            params![space as u8, key],
            |row| row.get(0).map(Value::new),
        )
    }

    fn put(&self, space: Space, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO record (space, key, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (space, key) DO UPDATE SET value = excluded.value",
            params![space as u8, key, value],
        )?;
        Ok(())
    }

    fn remove(&self, space: Space, key: &[u8]) -> Result<(), StoreError> {
        self.write("DELETE FROM record WHERE space = ?1 AND key = ?2", params![space as u8, key])?;
        Ok(())
    }

    fn scan(&self, space: Space, prefix: &[u8]) -> Rows<(Vec<u8>, Value)> {
        let pair = |row: &Row<'_>| Ok((row.get(0)?, Value::new(row.get(1)?)));
        match end_of(prefix) {
            Some(end) => self.rows(
                "SELECT key, value FROM record WHERE space = ?1 AND key >= ?2 AND key < ?3 ORDER BY key",
                params![space as u8, prefix, end],
                pair,
            ),
            None => self.rows(
                "SELECT key, value FROM record WHERE space = ?1 AND key >= ?2 ORDER BY key",
                params![space as u8, prefix],
                pair,
            ),
        }
    }

    fn add_message(&self, m: &NewMessage) -> Result<bool, StoreError> {
        let n = self.write(
            "INSERT INTO message (conversation, id, author, author_name, sent_at, received_at, kind, text, reply_to,
                                  state, expires_at, route, seen, kept_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
             ON CONFLICT (conversation, id, author) DO NOTHING",
            params![
                m.conversation.as_bytes(),
                m.id.as_bytes(),
                author_bytes(&m.author),
                m.author_name,
                millis(m.sent_at),
                millis(m.received_at),
                m.kind.number(),
                m.text,
                m.reply_to.as_ref().map(MessageId::as_bytes),
                m.state.number(),
                m.expires_at.map(millis),
                m.route,
                m.author == Author::Me,
                millis(self.local.unwrap_or(m.received_at)),
            ],
        )?;
        Ok(n > 0)
    }

    fn message(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
    ) -> Result<Option<StoredMessage>, StoreError> {
        let found = self.messages(
            "WHERE conversation = ?1 AND id = ?2 ORDER BY number LIMIT 1",
            params![conversation.as_bytes(), id.as_bytes()],
        )?;
        Ok(found.into_iter().next())
    }

    fn edit_message(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        author: Author,
        text: &str,
    ) -> Result<bool, StoreError> {
        let n = self.erase(
            "UPDATE message SET text = ?4, edited = 1
             WHERE conversation = ?1 AND id = ?2 AND author = ?3 AND deleted = 0",
            params![conversation.as_bytes(), id.as_bytes(), author_bytes(&author), text],
        )?;
        Ok(n > 0)
    }

    fn delete_message(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        author: Author,
    ) -> Result<bool, StoreError> {
        let key = params![conversation.as_bytes(), id.as_bytes(), author_bytes(&author)];
        self.erase(
            "DELETE FROM reaction WHERE message =
               (SELECT number FROM message WHERE conversation = ?1 AND id = ?2 AND author = ?3)",
            key,
        )?;
        let n = self.erase(
            "UPDATE message SET text = '', deleted = 1 WHERE conversation = ?1 AND id = ?2 AND author = ?3",
            key,
        )?;
        Ok(n > 0)
    }

    fn react(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        reaction: &Reaction,
        add: bool,
    ) -> Result<bool, StoreError> {
        let Some(number) = self.number_of(conversation, id)? else { return Ok(false) };
        let author = author_bytes(&reaction.author);
        let n = if add {
            self.write(
                "INSERT INTO reaction (message, author, author_name, emoji)
                 SELECT ?1, ?2, ?3, ?4 WHERE (SELECT count(*) FROM reaction WHERE message = ?1) < ?5
                 ON CONFLICT (message, author, emoji) DO NOTHING",
                params![number, author, reaction.author_name, reaction.emoji, MAX_REACTIONS],
            )?
        } else {
            self.erase(
                "DELETE FROM reaction WHERE message = ?1 AND author = ?2 AND emoji = ?3",
                params![number, author, reaction.emoji],
            )?
        };
        Ok(n > 0)
    }

    fn set_state(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        state: State,
    ) -> Result<bool, StoreError> {
        // Only a waiting message can be taken back, and sent messages never have the state
        // "received".
        let below = match state {
            State::Received => return Ok(false),
            State::Cancelled => State::Queued.number() + 1,
            further => further.number(),
        };
        let n = self.write(
            "UPDATE message SET state = ?3 WHERE conversation = ?1 AND id = ?2 AND author = x'' AND state < ?4",
            params![conversation.as_bytes(), id.as_bytes(), state.number(), below],
        )?;
        Ok(n > 0)
    }

    fn set_route(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        route: &str,
    ) -> Result<(), StoreError> {
        self.write(
            "UPDATE message SET route = ?3 WHERE conversation = ?1 AND id = ?2 AND author = x''",
            params![conversation.as_bytes(), id.as_bytes(), route],
        )?;
        Ok(())
    }

    fn set_expiry(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(
            "UPDATE message SET expires_at = ?3 WHERE number =
               (SELECT number FROM message WHERE conversation = ?1 AND id = ?2 ORDER BY number LIMIT 1)",
            params![conversation.as_bytes(), id.as_bytes(), millis(at)],
        )?;
        Ok(())
    }

    fn expire(&self, now: Timestamp) -> Rows<(ConversationId, MessageId)> {
        let due = self.rows(
            "SELECT conversation, id FROM message WHERE expires_at <= ?1 ORDER BY number",
            [millis(now)],
            |row| Ok((ConversationId::new(row.get(0)?), MessageId::new(row.get(1)?))),
        )?;
        if !due.is_empty() {
            self.erase("DELETE FROM message WHERE expires_at <= ?1", [millis(now)])?;
        }
        Ok(due)
    }

    fn next_expiry(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(expires_at) FROM message WHERE expires_at IS NOT NULL";
        let next = self.one(sql, [], |row| row.get::<_, Option<i64>>(0))?;
        Ok(next.flatten().map(timestamp))
    }

    fn forget_before(&self, before: Timestamp) -> Rows<(ConversationId, MessageId)> {
        const OLD: &str = "kept_at < ?1 AND NOT (author = x'' AND state < ?2 AND deleted = 0)";
        let given = params![millis(before), State::Stored.number()];
        let gone = self.rows(
            &format!("SELECT conversation, id FROM message WHERE {OLD} ORDER BY number"),
            given,
            |row| Ok((ConversationId::new(row.get(0)?), MessageId::new(row.get(1)?))),
        )?;
        if !gone.is_empty() {
            self.erase(&format!("DELETE FROM message WHERE {OLD}"), given)?;
        }
        Ok(gone)
    }

    fn history(
        &self,
        conversation: &ConversationId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let mut newest = self.messages(
            "WHERE conversation = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
            params![conversation.as_bytes(), before.unwrap_or(i64::MAX), rows(limit)],
        )?;
        newest.reverse();
        Ok(newest)
    }

    fn history_after(
        &self,
        conversation: Option<&ConversationId>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        match conversation {
            Some(conversation) => self.messages(
                "WHERE conversation = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
                params![conversation.as_bytes(), after, rows(limit)],
            ),
            None => self.messages(
                "WHERE number > ?1 ORDER BY number LIMIT ?2",
                params![after, rows(limit)],
            ),
        }
    }

    fn search(
        &self,
        conversation: Option<&ConversationId>,
        query: &str,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let Some(all) = schema::match_all(query) else { return Ok(Vec::new()) };
        let found = "number IN (SELECT rowid FROM message_text WHERE message_text MATCH ?1)";
        match conversation {
            Some(conversation) => self.messages(
                &format!("WHERE {found} AND conversation = ?3 ORDER BY number DESC LIMIT ?2"),
                params![all, rows(limit), conversation.as_bytes()],
            ),
            None => self.messages(
                &format!("WHERE {found} ORDER BY number DESC LIMIT ?2"),
                params![all, rows(limit)],
            ),
        }
    }

    fn mark_seen(
        &self,
        conversation: &ConversationId,
        up_to: i64,
    ) -> Result<Vec<MessageId>, StoreError> {
        let new = self.rows(
            "SELECT id FROM message WHERE conversation = ?1 AND seen = 0 AND number <= ?2 ORDER BY number",
            params![conversation.as_bytes(), up_to],
            |row| row.get(0).map(MessageId::new),
        )?;
        if !new.is_empty() {
            self.write(
                "UPDATE message SET seen = 1 WHERE conversation = ?1 AND seen = 0 AND number <= ?2",
                params![conversation.as_bytes(), up_to],
            )?;
        }
        Ok(new)
    }

    fn unseen(&self, conversation: &ConversationId) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM message WHERE conversation = ?1 AND seen = 0";
        let n = self.one(sql, [conversation.as_bytes()], |row| row.get::<_, i64>(0))?;
        Ok(n.map_or(0, i64::unsigned_abs))
    }

    fn remove_conversation(&self, conversation: &ConversationId) -> Result<(), StoreError> {
        self.erase("DELETE FROM message WHERE conversation = ?1", [conversation.as_bytes()])?;
        Ok(())
    }
}

fn fail(e: &rusqlite::Error) -> StoreError {
    StoreError(in_words(e))
}

/// The first key after all that begin with `prefix`; `None` when none is after them.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&b| b != 0xFF)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

fn author_bytes(author: &Author) -> &[u8] {
    match author {
        Author::Me => &[],
        Author::Member(id) => id.as_bytes(),
    }
}

fn author_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Author> {
    match row.get_ref(column)?.as_blob()? {
        [] => Ok(Author::Me),
        id => MemberId::from_slice(id).map(Author::Member).ok_or_else(|| out_of_range(column)),
    }
}

fn message_of(row: &Row<'_>) -> rusqlite::Result<StoredMessage> {
    Ok(StoredMessage {
        number: row.get(0)?,
        message: NewMessage {
            conversation: ConversationId::new(row.get(1)?),
            id: MessageId::new(row.get(2)?),
            author: author_of(row, 3)?,
            author_name: row.get(4)?,
            sent_at: timestamp(row.get(5)?),
            received_at: timestamp(row.get(6)?),
            kind: Kind::from_number(row.get(7)?).ok_or_else(|| out_of_range(7))?,
            text: row.get(8)?,
            reply_to: row.get::<_, Option<_>>(9)?.map(MessageId::new),
            state: State::from_number(row.get(10)?).ok_or_else(|| out_of_range(10))?,
            expires_at: row.get::<_, Option<_>>(11)?.map(timestamp),
            route: row.get(12)?,
        },
        edited: row.get(13)?,
        deleted: row.get(14)?,
        reactions: Vec::new(),
        seen: row.get(15)?,
    })
}

fn out_of_range(column: usize) -> rusqlite::Error {
    rusqlite::Error::IntegralValueOutOfRange(column, 0)
}

/// Milliseconds as the database counts them; the end of its range stands for [`Timestamp::MAX`].
fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

fn timestamp(ms: i64) -> Timestamp {
    if ms == i64::MAX {
        Timestamp::MAX
    } else {
        Timestamp::from_millis(u64::try_from(ms).unwrap_or(0))
    }
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::end_of;

    #[test]
    fn the_end_of_a_prefix() {
        assert_eq!(end_of(b""), None);
        assert_eq!(end_of(&[0xFF, 0xFF]), None);
        assert_eq!(end_of(&[1, 0xFF]), Some(vec![2]));
        assert_eq!(end_of(&[1, 2]), Some(vec![1, 3]));
    }
}
