//! A store in memory, for tests of the messenger.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use e2ee::id::{ConversationId, MessageId};
use wire::Timestamp;

use super::{Author, NewMessage, Reaction, Space, State, Store, StoreError, StoredMessage, Value};

#[derive(Clone, Default)]
struct Inner {
    records: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    messages: Vec<StoredMessage>,
    next: i64,
    /// Everything that was ever written, if the holder wants to keep it.
    hoard: Option<Vec<Vec<u8>>>,
}

impl Inner {
    fn hoard(&mut self, bytes: &[u8]) {
        self.hoard.iter_mut().for_each(|hoard| hoard.push(bytes.to_vec()));
    }
}

/// Everything in memory. A test that lets a step fail takes a [`MemoryStore::copy`] before it, and
/// so rolls it back.
#[derive(Default)]
pub(crate) struct MemoryStore(RefCell<Inner>, Cell<Option<u32>>);

impl MemoryStore {
    /// The state as it is now, in a store that does not fail.
    pub(crate) fn copy(&self) -> Self {
        MemoryStore(RefCell::new(self.0.borrow().clone()), Cell::new(None))
    }

    /// After this many more writes each write fails, as when the process dies; `None`: no write
    /// fails.
    pub(crate) fn fails_after(&self, writes: Option<u32>) {
        self.1.set(writes);
    }

    /// Whether [`MemoryStore::fails_after`] set an end to the writes.
    pub(crate) fn may_fail(&self) -> bool {
        self.1.get().is_some()
    }

    /// Whether a write has failed, or the next one would.
    pub(crate) fn has_failed(&self) -> bool {
        self.1.get() == Some(0)
    }

    fn write(&self) -> Result<std::cell::RefMut<'_, Inner>, StoreError> {
        match self.1.get() {
            Some(0) => return Err(StoreError("no more writes".to_owned())),
            Some(left) => self.1.set(Some(left - 1)),
            None => {}
        }
        Ok(self.0.borrow_mut())
    }

    /// From now on nothing that is written is ever lost, whatever is removed: as a thief would have
    /// it.
    pub(crate) fn hoards(&self) {
        self.0.borrow_mut().hoard = Some(Vec::new());
    }

    /// What was written since [`MemoryStore::hoards`].
    pub(crate) fn hoard(&self) -> Vec<Vec<u8>> {
        self.0.borrow().hoard.clone().unwrap_or_default()
    }

    /// What a backup holds.
    pub(crate) fn backup(&self) -> Self {
        let mut inner = self.0.borrow().clone();
        inner
            .records
            .retain(|(space, _), _| Space::ALL.iter().any(|s| *s as u8 == *space && s.in_backup()));
        MemoryStore(RefCell::new(inner), Cell::new(None))
    }

    /// Whether this text is anywhere, in a record or in the history, or ever was in a hoard.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let inner = self.0.borrow();
        let within = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        let mut records = inner.records.values().chain(inner.hoard.iter().flatten());
        records.any(|record| within(record))
            || inner.messages.iter().any(|m| within(m.message.text.as_bytes()))
    }

    fn change<T>(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        f: impl FnOnce(&mut StoredMessage) -> T,
    ) -> Option<T> {
        let mut inner = self.0.borrow_mut();
        let found = inner
            .messages
            .iter_mut()
            .find(|m| m.message.conversation == *conversation && m.message.id == *id);
        found.map(f)
    }

    fn select(&self, f: impl Fn(&StoredMessage) -> bool) -> Vec<StoredMessage> {
        self.0.borrow().messages.iter().filter(|m| f(m)).cloned().collect()
    }
}

impl Store for MemoryStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Value>, StoreError> {
        Ok(self.0.borrow().records.get(&(space as u8, key.to_vec())).cloned().map(Value::new))
    }

    fn put(&self, space: Space, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let mut inner = self.write()?;
        inner.hoard(value);
        inner.records.insert((space as u8, key.to_vec()), value.to_vec());
        Ok(())
    }

    fn remove(&self, space: Space, key: &[u8]) -> Result<(), StoreError> {
        self.write()?.records.remove(&(space as u8, key.to_vec()));
        Ok(())
    }

    fn scan(&self, space: Space, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Value)>, StoreError> {
        let inner = self.0.borrow();
        let all =
            inner.records.iter().filter(|((s, k), _)| *s == space as u8 && k.starts_with(prefix));
        Ok(all.map(|((_, k), v)| (k.clone(), Value::new(v.clone()))).collect())
    }

    fn add_message(&self, message: &NewMessage) -> Result<bool, StoreError> {
        let mut inner = self.write()?;
        let same = |m: &StoredMessage| {
            (m.message.conversation, m.message.author, m.message.id)
                == (message.conversation, message.author, message.id)
        };
        if inner.messages.iter().any(same) {
            return Ok(false);
        }
        inner.hoard(message.text.as_bytes());
        inner.next += 1;
        let number = inner.next;
        let seen = message.author == Author::Me;
        inner.messages.push(StoredMessage {
            number,
            message: message.clone(),
            edited: false,
            deleted: false,
            reactions: Vec::new(),
            seen,
        });
        Ok(true)
    }

    fn message(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
    ) -> Result<Option<StoredMessage>, StoreError> {
        Ok(self.change(conversation, id, |m| m.clone()))
    }

    fn edit_message(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        author: Author,
        text: &str,
    ) -> Result<bool, StoreError> {
        drop(self.write()?);
        let edited = self.change(conversation, id, |m| {
            let may = m.message.author == author && !m.deleted;
            if may {
                m.message.text = text.to_owned();
                m.edited = true;
            }
            may
        });
        Ok(edited.unwrap_or(false))
    }

    fn delete_message(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        author: Author,
    ) -> Result<bool, StoreError> {
        drop(self.write()?);
        let deleted = self.change(conversation, id, |m| {
            let may = m.message.author == author;
            if may {
                m.message.text.clear();
                m.reactions.clear();
                m.deleted = true;
            }
            may
        });
        Ok(deleted.unwrap_or(false))
    }

    fn react(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        reaction: &Reaction,
        add: bool,
    ) -> Result<bool, StoreError> {
        drop(self.write()?);
        let done = self.change(conversation, id, |m| {
            let at = m
                .reactions
                .iter()
                .position(|r| r.author == reaction.author && r.emoji == reaction.emoji);
            match (at, add) {
                (None, true) => {
                    m.reactions.push(reaction.clone());
                    true
                }
                (Some(at), false) => {
                    m.reactions.remove(at);
                    true
                }
                _ => false,
            }
        });
        Ok(done.unwrap_or(false))
    }

    fn set_state(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        state: State,
    ) -> Result<bool, StoreError> {
        drop(self.write()?);
        let moved = self.change(conversation, id, |m| {
            let further = m.message.author == Author::Me && m.message.state < state;
            if further {
                m.message.state = state;
            }
            further
        });
        Ok(moved.unwrap_or(false))
    }

    fn set_route(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        route: &str,
    ) -> Result<(), StoreError> {
        let mut inner = self.write()?;
        let ours = |m: &&mut StoredMessage| {
            (m.message.conversation, m.message.id, m.message.author)
                == (*conversation, *id, Author::Me)
        };
        if let Some(found) = inner.messages.iter_mut().find(ours) {
            found.message.route = route.to_owned();
        }
        Ok(())
    }

    fn set_expiry(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        drop(self.write()?);
        self.change(conversation, id, |m| m.message.expires_at = Some(at));
        Ok(())
    }

    fn expire(&self, now: Timestamp) -> Result<Vec<(ConversationId, MessageId)>, StoreError> {
        let due = |m: &StoredMessage| m.message.expires_at.is_some_and(|at| at <= now);
        let gone = self.select(due);
        self.write()?.messages.retain(|m| !due(m));
        Ok(gone.iter().map(|m| (m.message.conversation, m.message.id)).collect())
    }

    fn next_expiry(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.0.borrow().messages.iter().filter_map(|m| m.message.expires_at).min())
    }

    fn forget_before(
        &self,
        before: Timestamp,
    ) -> Result<Vec<(ConversationId, MessageId)>, StoreError> {
        let leaves = |m: &StoredMessage| {
            m.message.author == Author::Me && m.message.state < State::Stored && !m.deleted
        };
        let old = |m: &StoredMessage| m.message.received_at < before && !leaves(m);
        let gone = self.select(old);
        self.write()?.messages.retain(|m| !old(m));
        Ok(gone.iter().map(|m| (m.message.conversation, m.message.id)).collect())
    }

    fn history(
        &self,
        conversation: &ConversationId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let all = self.select(|m| {
            m.message.conversation == *conversation && before.is_none_or(|before| m.number < before)
        });
        Ok(all[all.len().saturating_sub(limit)..].to_vec())
    }

    fn history_after(
        &self,
        conversation: Option<&ConversationId>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let mut all = self.select(|m| {
            conversation.is_none_or(|c| m.message.conversation == *c) && m.number > after
        });
        all.truncate(limit);
        Ok(all)
    }

    fn search(
        &self,
        conversation: Option<&ConversationId>,
        query: &str,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let mut all = self.select(|m| {
            conversation.is_none_or(|c| m.message.conversation == *c)
                && m.message.text.contains(query)
        });
        all.truncate(limit);
        Ok(all)
    }

    fn mark_seen(
        &self,
        conversation: &ConversationId,
        up_to: i64,
    ) -> Result<Vec<MessageId>, StoreError> {
        let mut ids = Vec::new();
        for m in &mut self.write()?.messages {
            if m.message.conversation == *conversation && !m.seen && m.number <= up_to {
                m.seen = true;
                ids.push(m.message.id);
            }
        }
        Ok(ids)
    }

    fn unseen(&self, conversation: &ConversationId) -> Result<u64, StoreError> {
        Ok(self.select(|m| m.message.conversation == *conversation && !m.seen).len() as u64)
    }

    fn remove_conversation(&self, conversation: &ConversationId) -> Result<(), StoreError> {
        self.write()?.messages.retain(|m| m.message.conversation != *conversation);
        Ok(())
    }
}
