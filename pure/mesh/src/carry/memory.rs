//! A carry store in memory, for tests.

use std::collections::HashMap;

use hub::store::{BoxStore, Keep, MemoryStore, NewBox, StoreError, Usage, stored_len};
use streams::BoxId;
use wire::Timestamp;
use wire::hub::{BoxBytes, PutOutcome};

use super::{CarryStore, Listed, Note};

/// Carried boxes in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryCarry {
    boxes: MemoryStore,
    notes: HashMap<BoxId, Note>,
}

impl MemoryCarry {
    /// An empty store.
    #[must_use]
    pub(crate) fn new(keep: Keep) -> Self {
        MemoryCarry { boxes: MemoryStore::new(keep), notes: HashMap::new() }
    }
}

impl BoxStore for MemoryCarry {
    fn put_batch(
        &mut self,
        now: Timestamp,
        boxes: &[NewBox],
    ) -> Result<Vec<PutOutcome>, StoreError> {
        self.boxes.put_batch(now, boxes)
    }

    fn get(&self, ids: &[BoxId]) -> Result<Vec<BoxBytes>, StoreError> {
        self.boxes.get(ids)
    }

    fn expire(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.boxes.expire(now)?;
        let boxes = &self.boxes;
        self.notes.retain(|id, _| boxes.get(&[*id]).is_ok_and(|found| !found.is_empty()));
        Ok(())
    }

    fn next_expiry(&self) -> Option<Timestamp> {
        self.boxes.next_expiry()
    }

    fn usage(&self) -> Usage {
        self.boxes.usage()
    }
}

impl CarryStore for MemoryCarry {
    fn note(&mut self, id: &BoxId, note: &Note) -> Result<(), StoreError> {
        self.notes.insert(*id, *note);
        Ok(())
    }

    fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let mut all = Vec::with_capacity(self.notes.len());
        for (id, note) in &self.notes {
            for found in self.boxes.get(&[*id])? {
                all.push(Listed { id: *id, len: stored_len(&found.ciphertext), note: *note });
            }
        }
        all.sort_by_key(|l| (l.note.at, l.id));
        Ok(all)
    }

    fn give_up(&mut self, ids: &[BoxId]) -> Result<(), StoreError> {
        for id in ids {
            self.boxes.remove(id);
            self.notes.remove(id);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::conformance;

    #[test]
    fn the_memory_store_conforms() {
        conformance::all(MemoryCarry::new);
    }
}
