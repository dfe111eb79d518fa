//! When the others hear how far we have read.
//!
//! ```text
//!           something wants an acknowledgement            due, and we can write
//! [nothing] ──────────────────────────────────► [due at t] ───────────────────► one Ack message
//!     ▲                                             │  ▲
//!     │                                             │  └─ the outbox is full: 30 s later
//!     └─────────────────────────────────────────────┘
//! ```
//!
//! The delay is random, and one acknowledgement serves several messages, so that its time shows
//! little (`DIRECT-007`).

use wire::Timestamp;

use super::lanes::Lanes;
use super::saved::LateAck;
use crate::body::AckEntry;
use crate::context::StepContext;

/// An acknowledgement waits at least this long, ms, and at random up to [`SPAN_MS`] longer.
const LEAST_MS: u64 = 300;
const SPAN_MS: u64 = 1_200;
/// Each further member makes the span this much longer, ms: otherwise one message to a large group
/// would bring a burst of answers. The span never exceeds [`MOST_MS`].
const PER_MEMBER_MS: u64 = 400;
const MOST_MS: u64 = 30_000;
/// Acknowledgements of lanes that are no longer read. Beyond this the oldest are dropped, and their
/// authors send again what they were for.
const MAX_LATE: usize = 1_024;

/// What we owe the others.
#[derive(Default)]
pub(super) struct Acks {
    /// When the next one is due, ms.
    pub(super) due: Option<u64>,
    /// For lanes that left the window before they were acknowledged.
    pub(super) late: Vec<LateAck>,
    pub(super) dirty: bool,
}

impl Acks {
    /// Something wants an acknowledgement; `members` without us.
    pub(super) fn soon(&mut self, cx: &mut StepContext<'_>, members: usize) {
        if self.due.is_none() {
            let others = u64::try_from(members.saturating_sub(1)).unwrap_or(u64::MAX);
            let span = SPAN_MS.saturating_add(PER_MEMBER_MS.saturating_mul(others)).min(MOST_MS);
            self.due = Some(cx.soon(LEAST_MS, span).as_millis());
            self.dirty = true;
        }
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|at| at <= now.as_millis())
    }

    /// The outbox has no room: later.
    pub(super) fn postpone(&mut self, now: Timestamp) {
        self.due = Some(now.plus_millis(MOST_MS).as_millis());
    }

    /// Keeps what lanes still had to acknowledge when they left the window.
    pub(super) fn keep_late(&mut self, late: Vec<LateAck>) {
        for ack in late {
            if self.late.len() >= MAX_LATE {
                self.late.remove(0);
            }
            self.late.push(ack);
        }
    }

    /// Takes everything that is to be acknowledged now, older epochs first: an author who hears of
    /// a later epoch takes what is missing before it for lost.
    pub(super) fn take(&mut self, lanes: &mut Lanes) -> Vec<AckEntry> {
        self.due = None;
        self.dirty = true;
        let late = std::mem::take(&mut self.late).into_iter().map(|l| AckEntry {
            author: l.author,
            epoch: l.epoch,
            count: l.count,
            holes: l.holes,
        });
        let mut entries: Vec<AckEntry> = late.chain(lanes.take_acks()).collect();
        entries.sort_by_key(|e| e.epoch);
        entries
    }

    /// Forgets acknowledgements of epochs that nobody reads any more.
    pub(super) fn forget_late(&mut self) {
        self.late.clear();
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due.map(Timestamp::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use e2ee::id::MemberId;

    use super::*;

    #[test]
    fn late_acknowledgements_are_bounded_and_the_oldest_go() {
        let late =
            |epoch| LateAck { author: MemberId::new([1; 16]), epoch, count: 1, holes: Vec::new() };
        let mut acks = Acks::default();
        for epoch in 0..1_030 {
            acks.keep_late(vec![late(epoch)]);
        }
        assert_eq!(acks.late.len(), MAX_LATE);
        let entries = acks.take(&mut Lanes::default());
        assert_eq!((entries[0].epoch, entries.len()), (6, MAX_LATE));
        assert!(acks.late.is_empty() && acks.due.is_none());
    }
}
