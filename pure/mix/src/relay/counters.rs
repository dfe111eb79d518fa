//! Dropped packets, counted by reason. Nothing else is kept of a bad packet.

/// Why a packet was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// It has the wrong length for the network's geometry.
    Length,
    /// There is no key for its epoch: too old, too new, or dropped after a crash.
    UnknownEpoch,
    /// A replay.
    Replay,
    /// The replay filter has no room for its tag.
    FilterFull,
    /// Its header does not authenticate.
    Header,
    /// Its header authenticates but its commands contradict each other.
    Commands,
    /// Its payload was altered on the way.
    PayloadTag,
    /// It asks for something outside this node's role.
    NotMine,
    /// Its payload does not parse.
    Payload,
    /// Too many packets wait.
    QueueFull,
    /// More packets come than the declared rate.
    OverRate,
}

/// Counts of dropped packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    counts: [u64; 11],
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
        DropReason::OverRate => 10,
    }
}
