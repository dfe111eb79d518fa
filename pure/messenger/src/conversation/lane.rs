//! One member's boxes in one epoch.

use e2ee::Secret;
use streams::{BoxId, ReadCapability, VerifiedBox, unpad};
use wire::Timestamp;
use zeroize::Zeroizing;

use crate::Error;
use crate::body::MAX_HOLES;
use crate::parts::{Joined, Joiner};
use crate::reader::{Read, StreamReader, WRITER_PATIENCE_MS};
use crate::request::CallId;

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(
    enum Item {
        Message,
        Hole,
    }
);

/// How long later boxes wait for an earlier one in an epoch that is over and holds up a commit, ms.
const LATE_PATIENCE_MS: u64 = 60_000;

/// Boxes of one author after which it is told, whatever is in them.
const UNTOLD: u64 = 64;

/// Boxes that a member may bring into an epoch that is over before the group goes on without the
/// rest: who writes there for ever must not keep a commit from being applied.
const MAX_LATE: usize = 4_096;

/// What the lane gave.
#[derive(PartialEq, Eq)]
pub(super) enum Item {
    /// A whole message.
    Message(Zeroizing<Vec<u8>>),
    /// Something that was lost.
    Hole,
}

/// Reads one member's boxes of one epoch: in order, whole messages, holes noted.
pub(super) struct Lane {
    reader: StreamReader,
    joiner: Joiner,
    /// Counter of the stream's first index.
    base: u64,
    /// Where to begin after a restart: the first box of a message that is not read to its end.
    boundary: ReadCapability,
    /// Positions that were lost, the latest of them.
    pub(super) holes: Vec<u64>,
    /// The open request.
    pub(super) open: Option<CallId>,
    /// Of a past epoch: asked, and nothing was there, or far too much.
    pub(super) drained: bool,
    /// Boxes that looks have brought since the epoch ended.
    brought: usize,
    /// How long boxes wait for earlier ones once it is drained.
    patient_until: Timestamp,
    /// Nothing of it has come yet.
    pub(super) fresh: bool,
    /// Of a past epoch: its author writes in a later one, and has said there again what was missing
    /// here, and all that came after it (GROUP-022).
    pub(super) left: bool,
    /// When to ask again.
    pub(super) look_at: Timestamp,
    /// Read since the last acknowledgement something that wants one.
    pub(super) unacked: bool,
    /// Boxes that the last acknowledgement told of.
    pub(super) told: u64,
    /// Moved since it was kept.
    pub(super) dirty: bool,
    /// The route by which the last box came.
    pub(super) via: &'static str,
}

impl Lane {
    /// From `at`, in a stream that begins at the counter `base`.
    pub(super) fn new(
        at: ReadCapability,
        base: u64,
        context: &Secret,
        holes: Vec<u64>,
    ) -> Result<Self, Error> {
        let told = at.index().counter().saturating_sub(base);
        Ok(Lane {
            reader: StreamReader::new(at.clone(), context.reveal().to_vec())?
                .patient_for(WRITER_PATIENCE_MS),
            joiner: Joiner::default(),
            base,
            boundary: at,
            holes,
            open: None,
            drained: false,
            brought: 0,
            patient_until: Timestamp::ZERO,
            fresh: told == 0,
            left: false,
            look_at: Timestamp::ZERO,
            unacked: false,
            told,
            dirty: false,
            via: "",
        })
    }

    pub(super) fn wanted(&self) -> Vec<BoxId> {
        self.reader.wanted()
    }

    /// A look of a past epoch has brought so many boxes; the next one comes after so many ms.
    pub(super) fn looked(&mut self, now: Timestamp, brought: usize, again_after: u64) {
        self.brought = self.brought.saturating_add(brought);
        if brought == 0 || self.brought >= MAX_LATE {
            if !self.drained {
                self.patient_until = now.plus_millis(LATE_PATIENCE_MS);
            }
            self.drained = true;
            self.look_at = now.plus_millis(again_after);
        }
    }

    /// Whether a past epoch may still bring something that was said in time: nothing was asked yet,
    /// or a box is here that waits for an earlier one. No author can keep it so for long.
    pub(super) fn is_undrained(&self, now: Timestamp) -> bool {
        let waits = self.reader.waits_for_earlier() && now < self.patient_until;
        !self.drained || waits && !self.left
    }

    /// Of a past epoch: its author has begun to write in a later one. Whatever they said here
    /// before is at the hub by now: one more look shows all of it. Gives the request to cancel.
    pub(super) fn leave(&mut self) -> Option<CallId> {
        self.left = true;
        self.look_again()
    }

    /// What an earlier look has found may not be all any more. Gives the request to cancel.
    pub(super) fn look_again(&mut self) -> Option<CallId> {
        self.drained = false;
        self.look_at = Timestamp::ZERO;
        self.open.take()
    }

    /// Nobody has answered the open request: the next one comes after so many ms.
    pub(super) fn unanswered(&mut self, now: Timestamp, again_after: u64) {
        self.open = None;
        self.look_at = now.plus_millis(again_after);
    }

    pub(super) fn accept(&mut self, found: VerifiedBox) -> bool {
        self.reader.accept(found)
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.reader.deadline()
    }

    /// Boxes up to here are read, counted from 0.
    pub(super) fn done(&self) -> u64 {
        self.boundary.index().counter().saturating_sub(self.base)
    }

    /// Whether so much was read that its author is told, although none of it wants an
    /// acknowledgement: what it has to keep for others must not grow without end.
    pub(super) fn is_untold(&self) -> bool {
        !self.unacked && self.done().saturating_sub(self.told) >= UNTOLD
    }

    /// How many boxes are acknowledged, and which of them were lost.
    pub(super) fn acknowledged(&self) -> (u64, Vec<u64>) {
        let count = self.holes.get(MAX_HOLES).copied().unwrap_or(self.done());
        (count, self.holes.iter().copied().take(MAX_HOLES).collect())
    }

    /// What to keep for a restart.
    pub(super) const fn boundary(&self) -> &ReadCapability {
        &self.boundary
    }

    fn position(&self) -> u64 {
        self.reader.position().saturating_sub(self.base)
    }

    fn settle(&mut self) {
        self.boundary = self.reader.capability().clone();
        self.dirty = true;
    }

    /// Gives up the boxes that wait for earlier ones.
    fn drop_waiting(&mut self) -> Result<(), Error> {
        let before = self.position();
        self.reader.drop_waiting()?;
        for position in before..self.position() {
            self.note_hole(position);
        }
        self.joiner = Joiner::default();
        self.settle();
        Ok(())
    }

    fn note_hole(&mut self, position: u64) {
        // The first beyond the bound is where acknowledging stops: nothing behind it is taken for
        // received.
        if self.holes.len() <= MAX_HOLES {
            self.holes.push(position);
        }
        self.unacked = true;
        self.dirty = true;
    }

    /// The message that ended just before here does not open.
    pub(super) fn spoiled(&mut self) {
        self.note_hole(self.done().saturating_sub(1));
    }

    /// The next thing, until `None`.
    pub(super) fn next(&mut self, now: Timestamp) -> Result<Option<Item>, Error> {
        loop {
            let before = self.position();
            let joined = match self.reader.next(now)? {
                None if self.left && self.drained && self.reader.waits_for_earlier() => {
                    self.drop_waiting()?;
                    return Ok(Some(Item::Hole));
                }
                None => return Ok(None),
                Some(Read::Plain(plain)) => match unpad(&plain) {
                    Ok(content) => self.joiner.push(content),
                    Err(_) => Joined::Broken,
                },
                Some(Read::Nothing | Read::Late(_)) => {
                    self.joiner = Joiner::default();
                    Joined::Broken
                }
                Some(Read::Gap(_)) => {
                    for position in before..self.position() {
                        self.note_hole(position);
                    }
                    self.joiner.lose();
                    continue;
                }
            };
            match joined {
                Joined::More => {}
                // The author has withdrawn what was to stand here (GONE-003).
                Joined::Whole(message) if message.is_empty() => self.settle(),
                Joined::Whole(message) => {
                    self.settle();
                    return Ok(Some(Item::Message(message)));
                }
                Joined::Broken => {
                    self.settle();
                    self.spoiled();
                    return Ok(Some(Item::Hole));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use streams::{BoxClass, WriteCapability, pad};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    //= GROUP-008
    #[test]
    fn whoever_writes_on_in_an_epoch_that_is_over_holds_nothing_up_for_ever() {
        let write = WriteCapability::generate(&mut ChaCha20Rng::from_seed([1; 32]));
        let context = Secret::new([2; 32]);
        let mut lane = Lane::new(write.read_capability(), 0, &context, Vec::new()).unwrap();
        for _ in 0..MAX_LATE {
            assert!(lane.is_undrained(NOW));
            lane.looked(NOW, 1, 20_000);
        }
        assert!(!lane.is_undrained(NOW));
        // A box that waits for one that never comes is waited for, a minute.
        let late = write.next().unwrap();
        let padded = pad(b"late", BoxClass::Standard).unwrap();
        assert!(lane.accept(late.seal(context.reveal(), &padded).unwrap()));
        assert!(lane.is_undrained(NOW.plus_millis(LATE_PATIENCE_MS - 1)));
        assert!(!lane.is_undrained(NOW.plus_millis(LATE_PATIENCE_MS)));
    }
}
