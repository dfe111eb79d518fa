//! The contract of a box store: write once, keep for a while, delete by whole segments.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod memory;

use std::collections::BTreeMap;

use streams::{BoxId, VerifiedBox};
use wire::Timestamp;
use wire::hub::{BoxBytes, PutOutcome};

pub use crate::class::{AccessClass, ClassLimits};
pub use memory::MemoryStore;

/// Number of segments that the keeping time is cut into.
pub(crate) const SEGMENTS: u64 = 14;
/// How long boxes are kept by default, ms: 14 days.
pub const DEFAULT_KEEP_MS: u64 = 14 * 24 * 3_600_000;
/// Bytes of a box besides its ciphertext: id and signature.
const BOX_OVERHEAD: u64 = 96;

/// A verified box to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBox {
    /// The box.
    pub content: VerifiedBox,
    /// The class whose storage it uses.
    pub class: AccessClass,
}

/// Bytes that a box counts for: id, ciphertext and signature.
#[must_use]
pub fn stored_len(ciphertext: &[u8]) -> u64 {
    u64::try_from(ciphertext.len()).unwrap_or(u64::MAX).saturating_add(BOX_OVERHEAD)
}

/// A store of boxes, each written once.
///
/// One thread uses a store at a time. It needs no clock, since the caller passes the time.
pub trait BoxStore {
    /// Stores boxes in their order. When it returns, every box with [`PutOutcome::Stored`] is
    /// durable.
    ///
    /// For each box: [`PutOutcome::Stored`] if its id was free; [`PutOutcome::Same`] if the very
    /// same box (id, ciphertext and signature) is there, in the store or earlier in `boxes`;
    /// [`PutOutcome::Taken`] if another is (`HUB-002`).
    ///
    /// # Errors
    /// [`StoreError`]. Then nothing may be acknowledged, although some boxes may have been stored.
    fn put_batch(
        &mut self,
        now: Timestamp,
        boxes: &[NewBox],
    ) -> Result<Vec<PutOutcome>, StoreError>;

    /// The boxes that are there, in the order of `ids`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn get(&self, ids: &[BoxId]) -> Result<Vec<BoxBytes>, StoreError>;

    /// Deletes all expired segments (`HUB-009`). Their ids become free again.
    ///
    /// # Errors
    /// [`StoreError`]. Some segments may have been deleted.
    fn expire(&mut self, now: Timestamp) -> Result<(), StoreError>;

    /// After an error: does what is needed for the store to work again, if its cause is gone.
    ///
    /// # Errors
    /// [`StoreError`]. It can be tried again later.
    fn recover(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// When the next segment expires; `None` while nothing is stored.
    fn next_expiry(&self) -> Option<Timestamp>;

    /// How much is stored.
    fn usage(&self) -> Usage;
}

/// A store that knows rooms, and can delete what was put with the key of one.
pub trait Purge: BoxStore {
    /// Deletes all boxes of one class (`HUB-027`); their ids become free again. Returns how many
    /// there were.
    ///
    /// # Errors
    /// [`StoreError`]. Some boxes may have been deleted.
    fn purge(&mut self, class: AccessClass) -> Result<u64, StoreError>;
}

/// How much is stored, by class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Boxes that members put.
    pub member: ClassUsage,
    /// Boxes that guests put.
    pub guest: ClassUsage,
    /// Boxes that were put with the key of a room, by the room's number.
    pub rooms: BTreeMap<u16, ClassUsage>,
}

/// How much one class has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassUsage {
    /// Bytes, counted by [`stored_len`].
    pub bytes: u64,
    /// Boxes.
    pub boxes: u64,
}

impl Usage {
    /// The usage of one class.
    #[must_use]
    pub fn of(&self, class: AccessClass) -> ClassUsage {
        match class {
            AccessClass::Member => self.member,
            AccessClass::Guest => self.guest,
            AccessClass::Room(room) => self.rooms.get(&room).copied().unwrap_or_default(),
        }
    }

    fn of_mut(&mut self, class: AccessClass) -> &mut ClassUsage {
        match class {
            AccessClass::Member => &mut self.member,
            AccessClass::Guest => &mut self.guest,
            AccessClass::Room(room) => self.rooms.entry(room).or_default(),
        }
    }

    fn classes(&self) -> impl Iterator<Item = ClassUsage> + '_ {
        [self.member, self.guest].into_iter().chain(self.rooms.values().copied())
    }

    /// Number of boxes of all classes.
    #[must_use]
    pub fn boxes(&self) -> u64 {
        self.classes().fold(0, |sum, class| sum.saturating_add(class.boxes))
    }

    /// Adds one box of `bytes` bytes.
    pub fn add(&mut self, class: AccessClass, bytes: u64) {
        let usage = self.of_mut(class);
        usage.bytes = usage.bytes.saturating_add(bytes);
        usage.boxes = usage.boxes.saturating_add(1);
    }

    /// Removes one box of `bytes` bytes.
    pub(crate) fn subtract(&mut self, class: AccessClass, bytes: u64) {
        let usage = self.of_mut(class);
        usage.bytes = usage.bytes.saturating_sub(bytes);
        usage.boxes = usage.boxes.saturating_sub(1);
    }

    /// Nothing of this class is stored any more. Returns what was.
    pub fn clear(&mut self, class: AccessClass) -> ClassUsage {
        let before = std::mem::take(self.of_mut(class));
        if let AccessClass::Room(room) = class {
            self.rooms.remove(&room);
        }
        before
    }

    /// Adds another usage to this one.
    pub fn add_all(&mut self, other: &Usage) {
        let rooms = other.rooms.iter().map(|(room, usage)| (AccessClass::Room(*room), *usage));
        let both = [(AccessClass::Member, other.member), (AccessClass::Guest, other.guest)];
        for (class, usage) in both.into_iter().chain(rooms) {
            let mine = self.of_mut(class);
            *mine = mine.plus(usage);
        }
    }
}

impl ClassUsage {
    const fn plus(self, other: ClassUsage) -> ClassUsage {
        ClassUsage {
            bytes: self.bytes.saturating_add(other.bytes),
            boxes: self.boxes.saturating_add(other.boxes),
        }
    }
}

/// How long boxes are kept, and how time is cut into segments.
///
/// A segment is named by its end: all its boxes were written earlier. It is deleted when its end is
/// `keep_ms` ago. So a box lives for at least `keep_ms`, and at most a fourteenth longer, and
/// deleting costs the same for any number of boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    keep_ms: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Keep::for_millis(DEFAULT_KEEP_MS)
    }
}

impl Keep {
    /// Keeps boxes for this long, ms.
    #[must_use]
    pub const fn for_millis(keep_ms: u64) -> Self {
        Keep { keep_ms }
    }

    /// Length of a segment, ms, at least 1.
    #[must_use]
    pub(crate) const fn segment_ms(&self) -> u64 {
        match self.keep_ms.div_ceil(SEGMENTS) {
            0 => 1,
            ms => ms,
        }
    }

    /// The end of the segment that boxes written at `now` go into.
    #[must_use]
    pub const fn segment_end(&self, now: Timestamp) -> Timestamp {
        let ms = self.segment_ms();
        Timestamp::from_millis(now.period(ms).saturating_add(1).saturating_mul(ms))
    }

    /// When the segment with this end expires.
    #[must_use]
    pub const fn expiry(&self, end: Timestamp) -> Timestamp {
        end.plus_millis(self.keep_ms)
    }
}

/// Why a store failed. Never contains an id, a box or a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the store open.
    #[error("another process is using it")]
    Locked,
    /// The system refused: no permission, no space, not a directory.
    #[error("the system refuses: {0}")]
    Refused(std::io::ErrorKind),
    /// The files are damaged, or this program did not write them.
    #[error("its files are damaged or not its own")]
    Damaged,
    /// The files have another version.
    #[error("its files are of another version")]
    Version,
    /// An earlier write failed. Nothing can be written until the store is opened again.
    #[error("an earlier write failed")]
    Failed,
    /// Boxes that were durable are not there any more.
    #[error("{missing} of the {held} boxes that it held are gone")]
    Lost {
        /// How many, at least.
        missing: u64,
        /// Of how many that have not expired.
        held: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_lives_for_its_time_and_at_most_a_segment_more() {
        let keep = Keep::for_millis(1400);
        assert_eq!(keep.segment_ms(), 100);
        for written in 1000..1200u64 {
            let gone = keep.expiry(keep.segment_end(Timestamp::from_millis(written))).as_millis();
            assert!((written + 1401..=written + 1500).contains(&gone), "{written} {gone}");
        }
        assert_eq!(Keep::default().segment_ms(), 24 * 3_600_000);
        assert_eq!(Keep::for_millis(0).segment_ms(), 1);
        assert_eq!(Keep::default().segment_end(Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn a_box_counts_with_id_and_signature() {
        assert_eq!(stored_len(&[]), 96);
        assert_eq!(stored_len(&[0; 2048]), 2144);
    }
}
