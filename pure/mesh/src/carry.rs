//! The bounded cache of boxes that a node carries, its own and others'.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(test)]
mod memory;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use hub::AccessClass;
use hub::store::{BoxStore, NewBox, StoreError, stored_len};
use streams::{BoxId, VerifiedBox};
use wire::Timestamp;
use wire::hub::PutOutcome;

use crate::pair::Account;

#[cfg(test)]
pub(crate) use memory::MemoryCarry;

/// How many ids of dropped boxes are remembered. Without them a neighbour would offer the same box
/// in every round, and it would be fetched and dropped again.
const MAX_GONE: usize = 65_536;

/// What is noted about a carried box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// How many more hops it may travel from here.
    pub hops: u8,
    /// Whose room it takes: the contact who brought it, or this node itself.
    pub account: Account,
    /// The only contact who may get it, for a box of an invite under way.
    pub only: Option<Account>,
    /// When it arrived.
    pub at: Timestamp,
}

impl Note {
    /// The class under which the store keeps it: members' for this node's own boxes, guests' for
    /// others'.
    #[must_use]
    pub(crate) fn class(&self) -> AccessClass {
        if self.account == Account::OURS { AccessClass::Member } else { AccessClass::Guest }
    }
}

/// A carried box without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its address.
    pub id: BoxId,
    /// Bytes it counts for, by [`stored_len`].
    pub len: u64,
    /// What is noted about it.
    pub note: Note,
}

/// A box store with what carrying needs in addition: notes, a list for the next start, and deleting
/// single boxes.
pub trait CarryStore: BoxStore {
    /// Sets the note of a stored box.
    ///
    /// # Errors
    /// [`StoreError`].
    fn note(&mut self, id: &BoxId, note: &Note) -> Result<(), StoreError>;

    /// All boxes with a note, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn list(&self) -> Result<Vec<Listed>, StoreError>;

    /// Deletes boxes. Ids that are not there are ignored.
    ///
    /// # Errors
    /// [`StoreError`].
    fn give_up(&mut self, ids: &[BoxId]) -> Result<(), StoreError>;
}

/// How much is carried and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Room for others' boxes, bytes.
    pub others: u64,
    /// Room for this node's own boxes, bytes.
    pub ours: u64,
    /// How long boxes are carried, ms; by default as long as a hub keeps them.
    pub keep_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { others: 256 << 20, ours: 512 << 20, keep_ms: hub::store::DEFAULT_KEEP_MS }
    }
}

/// What is known about a stored box.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) note: Note,
    len: u64,
    order: u64,
}

#[derive(Debug, Default)]
struct Shelf {
    bytes: u64,
    oldest_first: BTreeMap<u64, BoxId>,
}

/// The index of carried boxes, in memory. The boxes themselves are in the store.
pub(crate) struct Carry {
    limits: Limits,
    entries: HashMap<BoxId, Entry>,
    shelves: HashMap<Account, Shelf>,
    next: u64,
    gone: HashSet<BoxId>,
    gone_order: VecDeque<BoxId>,
    version: u64,
}

impl Carry {
    pub(crate) fn load(limits: Limits, store: &dyn CarryStore) -> Result<Self, StoreError> {
        let mut carry = Carry {
            limits,
            entries: HashMap::new(),
            shelves: HashMap::new(),
            next: 0,
            gone: HashSet::new(),
            gone_order: VecDeque::new(),
            version: 0,
        };
        for listed in store.list()? {
            carry.shelve(listed.id, listed.len, listed.note);
        }
        Ok(carry)
    }

    pub(crate) fn get(&self, id: &BoxId) -> Option<&Entry> {
        self.entries.get(id)
    }

    pub(crate) fn is_gone(&self, id: &BoxId) -> bool {
        self.gone.contains(id)
    }

    /// Forgets that a box was dropped, because somebody waits for it after all. Returns whether it
    /// had been dropped.
    pub(crate) fn recall(&mut self, id: &BoxId) -> bool {
        self.gone.remove(id)
    }

    /// A number that grows with each change of what may be offered.
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// Boxes and bytes of this node, and of others.
    pub(crate) fn usage(&self) -> ((u64, u64), (u64, u64)) {
        let ours = self.shelves.get(&Account::OURS).map_or((0, 0), |s| (count(s), s.bytes));
        let all = self.shelves.values().fold((0_u64, 0_u64), |(n, b), s| {
            (n.saturating_add(count(s)), b.saturating_add(s.bytes))
        });
        (ours, (all.0.saturating_sub(ours.0), all.1.saturating_sub(ours.1)))
    }

    /// The boxes that every contact may get.
    pub(crate) fn offered(&self) -> impl Iterator<Item = (&BoxId, u8)> {
        self.entries
            .iter()
            .filter(|(_, e)| e.note.hops > 0 && e.note.only.is_none())
            .map(|(id, e)| (id, e.note.hops))
    }

    /// The boxes that only this contact may get.
    pub(crate) fn reserved(&self, account: Account) -> impl Iterator<Item = (&BoxId, u8)> {
        self.entries
            .iter()
            .filter(move |(_, e)| e.note.only == Some(account))
            .map(|(id, e)| (id, e.note.hops))
    }

    /// Stores a box, and drops others' boxes if there is not enough room.
    pub(crate) fn put(
        &mut self,
        store: &mut dyn CarryStore,
        now: Timestamp,
        content: VerifiedBox,
        note: Note,
    ) -> Result<PutOutcome, StoreError> {
        let (id, len) = (content.id(), stored_len(content.ciphertext()));
        // Own boxes are refused when full, never dropped: nobody else may have them yet.
        if note.account == Account::OURS && !self.entries.contains_key(&id) {
            let held = self.shelves.get(&Account::OURS).map_or(0, |s| s.bytes);
            if held.saturating_add(len) > self.limits.ours {
                return Ok(PutOutcome::Full);
            }
        }
        let outcomes = store.put_batch(now, &[NewBox { content, class: note.class() }])?;
        let outcome = outcomes.first().copied().unwrap_or(PutOutcome::SlowDown);
        if outcome == PutOutcome::Stored
            || outcome == PutOutcome::Same && !self.entries.contains_key(&id)
        {
            store.note(&id, &note)?;
            self.shelve(id, len, note);
            self.make_room(store)?;
        }
        Ok(outcome)
    }

    /// Notes that a box may travel further than was known.
    pub(crate) fn lengthen(
        &mut self,
        store: &mut dyn CarryStore,
        id: &BoxId,
        hops: u8,
    ) -> Result<(), StoreError> {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.note.hops = hops;
            store.note(id, &entry.note)?;
            self.version = self.version.saturating_add(1);
        }
        Ok(())
    }

    /// Drops boxes that are too old.
    pub(crate) fn expire(
        &mut self,
        store: &mut dyn CarryStore,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let keep = self.limits.keep_ms;
        let old = |e: &Entry| now.millis_since(e.note.at) >= keep;
        let over: Vec<BoxId> =
            self.entries.iter().filter(|(_, e)| old(e)).map(|(id, _)| *id).collect();
        self.give_up(store, &over)?;
        store.expire(now)
    }

    fn shelve(&mut self, id: BoxId, len: u64, note: Note) {
        let order = self.next;
        self.next = self.next.saturating_add(1);
        let shelf = self.shelves.entry(note.account).or_default();
        shelf.bytes = shelf.bytes.saturating_add(len);
        shelf.oldest_first.insert(order, id);
        self.entries.insert(id, Entry { note, len, order });
        self.version = self.version.saturating_add(1);
    }

    /// While others' boxes take more than their room, drops the oldest box of the contact who
    /// brought most (`MESH-010`). So one who floods this node only pushes out its own boxes.
    fn make_room(&mut self, store: &mut dyn CarryStore) -> Result<(), StoreError> {
        let mut over = Vec::new();
        loop {
            let (_, (_, bytes)) = self.usage();
            if bytes <= self.limits.others {
                break;
            }
            let others = self.shelves.iter().filter(|(account, _)| **account != Account::OURS);
            let Some((_, fullest)) = others.max_by_key(|(_, shelf)| shelf.bytes) else { break };
            let Some((_, &id)) = fullest.oldest_first.first_key_value() else { break };
            self.unshelve(&id);
            over.push(id);
        }
        store.give_up(&over)
    }

    fn give_up(&mut self, store: &mut dyn CarryStore, ids: &[BoxId]) -> Result<(), StoreError> {
        ids.iter().for_each(|id| self.unshelve(id));
        store.give_up(ids)
    }

    fn unshelve(&mut self, id: &BoxId) {
        let Some(entry) = self.entries.remove(id) else { return };
        if let Some(shelf) = self.shelves.get_mut(&entry.note.account) {
            shelf.bytes = shelf.bytes.saturating_sub(entry.len);
            shelf.oldest_first.remove(&entry.order);
            if shelf.oldest_first.is_empty() {
                self.shelves.remove(&entry.note.account);
            }
        }
        self.version = self.version.saturating_add(1);
        if self.gone_order.len() >= MAX_GONE
            && let Some(oldest) = self.gone_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
        if self.gone.insert(*id) {
            self.gone_order.push_back(*id);
        }
    }
}

fn count(shelf: &Shelf) -> u64 {
    u64::try_from(shelf.oldest_first.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use hub::store::Keep;

    use super::conformance::sample;
    use super::*;

    fn note(account: u8) -> Note {
        Note { hops: 3, account: Account([account; 16]), only: None, at: Timestamp::ZERO }
    }

    fn small() -> (Carry, MemoryCarry) {
        let store = MemoryCarry::new(Keep::default());
        let limits = Limits { others: 10 * 2_144, ours: 3 * 2_144, keep_ms: 1_000 };
        (Carry::load(limits, &store).unwrap(), store)
    }

    //= MESH-010
    #[test]
    fn who_brings_most_loses_its_own_oldest_and_nobody_elses() {
        let (mut carry, mut store) = small();
        let quiet: Vec<BoxId> = (0..4).map(|n| sample(n).id()).collect();
        for n in 0..4 {
            carry.put(&mut store, Timestamp::ZERO, sample(n), note(1)).unwrap();
        }
        for n in 100..150 {
            carry.put(&mut store, Timestamp::ZERO, sample(n), note(2)).unwrap();
            assert!(carry.usage().1.1 <= 10 * 2_144);
        }
        assert!(
            quiet.iter().all(|id| carry.get(id).is_some()),
            "the quiet one keeps what it brought"
        );
        assert!(carry.is_gone(&sample(100).id()) && carry.get(&sample(149).id()).is_some());
        assert_eq!(store.list().unwrap().len(), 10);
    }

    //= MESH-010
    #[test]
    fn our_own_boxes_give_way_to_nobody_and_are_refused_when_there_are_too_many() {
        let (mut carry, mut store) = small();
        let mut put =
            |n: u8, who: u8| carry.put(&mut store, Timestamp::ZERO, sample(n), note(who)).unwrap();
        for n in 0..3 {
            assert_eq!(put(n, 0), PutOutcome::Stored);
        }
        assert_eq!(put(3, 0), PutOutcome::Full);
        assert_eq!(put(0, 0), PutOutcome::Same);
        for n in 100..150 {
            put(n, 2);
        }
        assert!((0..3).all(|n| carry.get(&sample(n).id()).is_some()));
    }

    #[test]
    fn a_restart_finds_everything_and_age_ends_it() {
        let (mut carry, mut store) = small();
        carry.put(&mut store, Timestamp::ZERO, sample(1), note(1)).unwrap();
        carry.lengthen(&mut store, &sample(1).id(), 4).unwrap();
        let mut again = Carry::load(carry.limits, &store).unwrap();
        assert_eq!(again.get(&sample(1).id()).unwrap().note, Note { hops: 4, ..note(1) });
        assert_eq!(again.usage(), ((0, 0), (1, 2_144)));
        again.expire(&mut store, Timestamp::from_millis(999)).unwrap();
        assert!(again.get(&sample(1).id()).is_some());
        again.expire(&mut store, Timestamp::from_millis(1_000)).unwrap();
        assert!(again.get(&sample(1).id()).is_none() && again.is_gone(&sample(1).id()));
        assert!(store.get(&[sample(1).id()]).unwrap().is_empty());
    }

    #[test]
    fn what_was_given_up_is_remembered_within_bounds() {
        let (mut carry, mut store) = small();
        carry.put(&mut store, Timestamp::ZERO, sample(1), note(1)).unwrap();
        carry.give_up(&mut store, &[sample(1).id()]).unwrap();
        assert!(carry.recall(&sample(1).id()) && !carry.is_gone(&sample(1).id()));
    }
}
