//! A hub that can lie, forget and hide.

use std::collections::{BTreeMap, BTreeSet};

use streams::{BoxId, SealedBox};
use wire::Timestamp;
use wire::hub::PutOutcome;

/// Boxes of one hub, and what it does wrong.
#[derive(Clone, Default)]
pub(crate) struct Hub {
    pub(crate) boxes: BTreeMap<BoxId, SealedBox>,
    /// Boxes that it says it has and never shows.
    pub(crate) hidden: BTreeSet<BoxId>,
    /// Ids of boxes that came, in order.
    pub(crate) log: Vec<BoxId>,
    /// Puts, repeated ones included.
    pub(crate) puts: usize,
    /// How long it keeps a box, ms; for ever if unset.
    pub(crate) keep_ms: Option<u64>,
    /// When each box came.
    pub(crate) came: BTreeMap<BoxId, Timestamp>,
    /// It says that everything is taken, and stores nothing.
    pub(crate) lies_taken: bool,
    /// So many puts to come are not taken: the hub asks for another try.
    pub(crate) refuses: usize,
    /// Until then the first box that comes is not taken, however often it is put.
    pub(crate) refuses_one: Option<(Timestamp, Option<BoxId>)>,
    /// So many looks to come are not answered.
    pub(crate) silent: usize,
    /// What was ever put under each id.
    pub(crate) ever: BTreeMap<BoxId, SealedBox>,
    /// Ids under which two different boxes were put, although the first was gone by then.
    pub(crate) reused: BTreeSet<BoxId>,
}

impl Hub {
    pub(crate) fn put(&mut self, now: Timestamp, sealed: &SealedBox) -> PutOutcome {
        self.puts += 1;
        if let Some(left) = self.refuses.checked_sub(1) {
            self.refuses = left;
            return PutOutcome::SlowDown;
        }
        if let Some((until, id)) = &mut self.refuses_one
            && now < *until
            && *id.get_or_insert(sealed.id) == sealed.id
        {
            return PutOutcome::SlowDown;
        }
        if self.lies_taken {
            return PutOutcome::Taken;
        }
        match self.boxes.get(&sealed.id) {
            Some(there) if there == sealed => PutOutcome::Same,
            Some(_) => PutOutcome::Taken,
            None => {
                self.log.push(sealed.id);
                self.came.insert(sealed.id, now);
                if self.ever.insert(sealed.id, sealed.clone()).is_some_and(|old| old != *sealed) {
                    self.reused.insert(sealed.id);
                }
                self.boxes.insert(sealed.id, sealed.clone());
                PutOutcome::Stored
            }
        }
    }

    pub(crate) fn expire(&mut self, now: Timestamp) {
        let Some(keep_ms) = self.keep_ms else { return };
        let came = &self.came;
        self.boxes.retain(|id, _| came.get(id).is_none_or(|at| at.plus_millis(keep_ms) > now));
    }
}
