//! Dropped packets, counted by reason: all that a bad packet leaves behind.

/// Why a packet was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// It has not the geometry's length.
    Length,
    /// There is no key for its epoch: too old, too new, or given up.
    UnknownEpoch,
    /// It has been here before.
    Replay,
    /// The replay filter has no room to remember it.
    FilterFull,
    /// Its header does not authenticate.
    Header,
    /// Its header authenticates, and asks for what contradicts itself.
    Commands,
    /// Its payload was changed on the way.
    PayloadTag,
    /// What it asks for is not this node's role.
    NotMine,
    /// What it delivers is no payload.
    Payload,
    /// Too many packets wait.
    QueueFull,
}

impl DropReason {
    /// All reasons, for metrics.
    pub const ALL: [DropReason; 10] = [
        DropReason::Length,
        DropReason::UnknownEpoch,
        DropReason::Replay,
        DropReason::FilterFull,
        DropReason::Header,
        DropReason::Commands,
        DropReason::PayloadTag,
        DropReason::NotMine,
        DropReason::Payload,
        DropReason::QueueFull,
    ];
}

/// Counts of dropped packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    counts: [u64; 10],
}

impl Counters {
    /// How many were dropped for this reason.
    #[must_use]
    pub fn of(&self, reason: DropReason) -> u64 {
        self.counts.get(slot(reason)).copied().unwrap_or(0)
    }

    /// How many were dropped in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    pub(super) fn count(&mut self, reason: DropReason) {
        if let Some(n) = self.counts.get_mut(slot(reason)) {
            *n = n.saturating_add(1);
        }
    }
}

const fn slot(reason: DropReason) -> usize {
    match reason {
        DropReason::Length => 0,
        DropReason::UnknownEpoch => 1,
        DropReason::Replay => 2,
        DropReason::FilterFull => 3,
        DropReason::Header => 4,
        DropReason::PayloadTag => 5,
        DropReason::NotMine => 6,
        DropReason::Payload => 7,
        DropReason::QueueFull => 8,
        DropReason::Commands => 9,
    }
}
