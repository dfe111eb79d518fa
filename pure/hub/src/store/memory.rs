//! A store in memory, for tests, simulations and networks that last an afternoon.

use std::collections::{BTreeMap, HashMap};

use streams::{BoxId, VerifiedBox};
use wire::Timestamp;
use wire::hub::{BoxBytes, PutOutcome};

use super::{AccessClass, BoxStore, Keep, NewBox, Purge, StoreError, Usage, stored_len};
use crate::to_wire;

/// A store in memory. Its boxes are gone when the process ends.
#[derive(Debug, Default)]
pub struct MemoryStore {
    keep: Keep,
    /// Segments by their ends.
    segments: BTreeMap<Timestamp, Segment>,
}

#[derive(Debug, Default)]
struct Segment {
    boxes: HashMap<BoxId, (AccessClass, VerifiedBox)>,
    usage: Usage,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(keep: Keep) -> Self {
        MemoryStore { keep, segments: BTreeMap::new() }
    }

    /// Deletes one box before it expires.
    pub fn remove(&mut self, id: &BoxId) {
        for segment in self.segments.values_mut() {
            if let Some((class, content)) = segment.boxes.remove(id) {
                segment.usage.subtract(class, stored_len(content.ciphertext()));
            }
        }
    }

    fn find(&self, id: &BoxId) -> Option<&VerifiedBox> {
        self.segments.values().rev().find_map(|s| s.boxes.get(id)).map(|(_, content)| content)
    }
}

impl BoxStore for MemoryStore {
    fn put_batch(
        &mut self,
        now: Timestamp,
        boxes: &[NewBox],
    ) -> Result<Vec<PutOutcome>, StoreError> {
        let end = self.keep.segment_end(now);
        let mut outcomes = Vec::with_capacity(boxes.len());
        for new in boxes {
            let outcome = match self.find(&new.content.id()) {
                Some(there) if *there == new.content => PutOutcome::Same,
                Some(_) => PutOutcome::Taken,
                None => {
                    let segment = self.segments.entry(end).or_default();
                    segment.usage.add(new.class, stored_len(new.content.ciphertext()));
                    segment.boxes.insert(new.content.id(), (new.class, new.content.clone()));
                    PutOutcome::Stored
                }
            };
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn get(&self, ids: &[BoxId]) -> Result<Vec<BoxBytes>, StoreError> {
        Ok(ids.iter().filter_map(|id| self.find(id)).cloned().map(to_wire).collect())
    }

    fn expire(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let keep = self.keep;
        self.segments.retain(|end, _| keep.expiry(*end) > now);
        Ok(())
    }

    fn next_expiry(&self) -> Option<Timestamp> {
        self.segments.keys().next().map(|end| self.keep.expiry(*end))
    }

    fn usage(&self) -> Usage {
        let mut sum = Usage::default();
        self.segments.values().for_each(|segment| sum.add_all(&segment.usage));
        sum
    }
}

impl Purge for MemoryStore {
    fn purge(&mut self, class: AccessClass) -> Result<u64, StoreError> {
        let mut gone: u64 = 0;
        for segment in self.segments.values_mut() {
            segment.boxes.retain(|_, (of, _)| *of != class);
            gone = gone.saturating_add(segment.usage.clear(class).boxes);
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::conformance;

    #[test]
    fn the_memory_store_conforms() {
        conformance::all(MemoryStore::new);
        conformance::purges_one_class_alone(MemoryStore::new(conformance::MODEL_KEEP));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_memory_store_does_what_the_model_does(steps in proptest::collection::vec(any::<(u8, u8, u16)>(), 0..60)) {
            conformance::agrees_with_model(MemoryStore::new(conformance::MODEL_KEEP), &steps);
        }
    }
}
